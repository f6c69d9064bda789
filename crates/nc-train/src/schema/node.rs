use std::fmt;

use serde_json::Value as Json;

use super::range::Range;

/// What may stand at a place of the configuration.
#[derive(Debug)]
pub(super) enum Node {
    /// A number.
    Number(Range),
    /// Any text.
    Text,
    /// `true` or `false`.
    Switch,
    /// A list, of some length or of any.
    List { element: Box<Node>, length: Option<u64> },
    /// Keys with their values.
    Section(Vec<Key>),
    /// One of several words, or sections that have one of several names as their only key.
    Choice(Vec<Variant>),
    /// A section whose key `kind` says which other keys it has.
    Kinds(Vec<Variant>),
}

/// A key of a section.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) meaning: String,
    pub(super) if_absent: IfAbsent,
    pub(super) node: Node,
}

/// What holds where a key is absent.
#[derive(Debug, PartialEq)]
pub(super) enum IfAbsent {
    /// The configuration is incomplete.
    Refused,
    /// What the key's meaning says.
    Nothing,
    /// This value.
    Default(Json),
}

/// One of several.
#[derive(Debug)]
pub(super) struct Variant {
    pub(super) name: String,
    pub(super) meaning: String,
    /// The keys that come with it; none for a word.
    pub(super) keys: Option<Vec<Key>>,
}

/// The key that names a variant.
pub(super) const KIND: &str = "kind";

impl Node {
    /// What the JSON schema of a type of settings says, with everything in its place.
    ///
    /// # Panics
    ///
    /// On a schema that no type of settings has; nothing of it comes from outside of the program.
    pub(super) fn read(schema: &Json) -> Self {
        if let Some(either) = schema["anyOf"].as_array() {
            return Self::read(either.iter().find(|one| one["type"] != "null").unwrap_or(&Json::Null));
        }
        if let Some(variants) = schema["oneOf"].as_array() {
            let tagged = variants.iter().any(|variant| !variant["properties"][KIND].is_null());
            let variants = variants.iter().map(Variant::read).collect();
            return if tagged { Self::Kinds(variants) } else { Self::Choice(variants) };
        }
        match types(schema).next() {
            Some("integer") => Self::Number(Range::read(schema, true)),
            Some("number") => Self::Number(Range::read(schema, false)),
            Some("string") => Self::Text,
            Some("boolean") => Self::Switch,
            Some("array") => Self::List {
                element: Box::new(Self::read(&schema["items"])),
                length: schema["minItems"].as_u64(),
            },
            Some("object") => Self::Section(keys(schema)),
            _ => panic!("settings of a type that cannot be described: {schema}"),
        }
    }
}

impl Variant {
    fn read(schema: &Json) -> Self {
        let meaning = meaning(schema);
        if let Some(word) = schema["const"].as_str() {
            return Self { name: word.to_owned(), meaning, keys: None };
        }
        let mut keys = keys(schema);
        if let Some(kind) = schema["properties"][KIND]["const"].as_str() {
            keys.retain(|key| key.name != KIND);
            return Self { name: kind.to_owned(), meaning, keys: Some(keys) };
        }
        match keys.pop() {
            Some(Key { name, node: Node::Section(keys), .. }) => Self { name, meaning, keys: Some(keys) },
            _ => panic!("a choice that cannot be described: {schema}"),
        }
    }
}

impl fmt::Display for Node {
    /// What should be there, after "should be".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(range) => write!(f, "{range}"),
            Self::Text => f.write_str("text in quotes"),
            Self::Switch => f.write_str("true or false"),
            Self::List { element, length: Some(length) } => write!(f, "a list of {length}, each {element}"),
            Self::List { element, length: None } => write!(f, "a list, of which each is {element}"),
            Self::Section(keys) => {
                write!(f, "a section with {}", listed(keys.iter().map(|key| key.name.clone())))
            }
            Self::Choice(variants) => {
                let written = |variant: &Variant| match variant.keys {
                    None => format!("{:?}", variant.name),
                    Some(_) => format!("{{ {} = {{ ... }} }}", variant.name),
                };
                write!(f, "one of {}", listed(variants.iter().map(written)))
            }
            Self::Kinds(variants) => {
                let kinds = variants.iter().map(|variant| format!("{:?}", variant.name));
                write!(f, "a section {{ {KIND} = ... }}, of which {KIND} is one of {}", listed(kinds))
            }
        }
    }
}

/// The key `name` of the section at `path`.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Names with commas between them.
pub(super) fn listed(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn keys(schema: &Json) -> Vec<Key> {
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().collect();
    let properties = schema["properties"].as_object().into_iter().flatten();
    let key = |(name, schema): (&String, &Json)| {
        let if_absent = match schema.get("default") {
            _ if required.iter().any(|key| *key == name) => IfAbsent::Refused,
            None | Some(Json::Null) => IfAbsent::Nothing,
            Some(value) => IfAbsent::Default(value.clone()),
        };
        Key { name: name.clone(), meaning: meaning(schema), if_absent, node: Node::read(schema) }
    };
    properties.map(key).collect()
}

/// The type, and `null` where the value may be absent.
fn types(schema: &Json) -> impl Iterator<Item = &str> {
    let one = schema["type"].as_str();
    let several = schema["type"].as_array().into_iter().flatten().filter_map(Json::as_str);
    one.into_iter().chain(several)
}

/// What the doc comment says, in one line.
fn meaning(schema: &Json) -> String {
    schema["description"].as_str().unwrap_or_default().replace('\n', " ")
}
