use std::sync::LazyLock;

use schemars::{SchemaGenerator, generate::SchemaSettings};
use toml::{Table, Value};

use super::node::{IfAbsent, KIND, Key, Node, Variant, join, listed};
use crate::{Error, Experiment, Result, error::did_you_mean, suggest::nearest};

/// The whole configuration.
pub(super) static EXPERIMENT: LazyLock<Node> = LazyLock::new(|| {
    let settings = SchemaSettings::default().with(|settings| settings.inline_subschemas = true);
    let schema = SchemaGenerator::new(settings).into_root_schema_for::<Experiment>();
    Node::read(schema.as_value())
});

/// Refuses the first unknown, missing or mistyped key of a configuration, and the first number out of its range.
pub(crate) fn check(config: &Value) -> Result<()> {
    value(&EXPERIMENT, config, "")
}

/// Refuses what in `value`, which stands at `path`, is not as `node` says.
pub(super) fn value(node: &Node, value: &Value, path: &str) -> Result<()> {
    let fits = match (node, value) {
        (Node::Number(range), Value::Float(number)) => !range.whole && range.contains(*number),
        (Node::Number(range), Value::Integer(number)) => range.contains(*number as f64),
        (Node::Text, Value::String(_)) | (Node::Switch, Value::Boolean(_)) => true,
        (Node::List { element, length }, Value::Array(elements)) => {
            for (index, one) in elements.iter().enumerate() {
                self::value(element, one, &join(path, &element_name(one, index)))?;
            }
            length.is_none_or(|length| elements.len() as u64 == length)
        }
        (Node::Section(keys), Value::Table(table)) => return section(keys, table, path),
        (Node::Choice(variants), Value::String(_)) => find(variants, value, path)?.keys.is_none(),
        (Node::Choice(variants), Value::Table(table)) => match table.iter().next() {
            Some((name, Value::Table(inner))) if table.len() == 1 => {
                match &find(variants, &Value::String(name.clone()), path)?.keys {
                    Some(keys) => return section(keys, inner, &join(path, name)),
                    None => false,
                }
            }
            _ => false,
        },
        (Node::Kinds(variants), Value::Table(table)) => {
            let mut others = table.clone();
            let kind = others.remove(KIND).ok_or_else(|| missing(join(path, KIND), &kinds(variants)))?;
            let variant = find(variants, &kind, &join(path, KIND))?;
            return section(variant.keys.as_deref().unwrap_or_default(), &others, path);
        }
        _ => false,
    };
    if fits { Ok(()) } else { Err(Error::setting(path, format!("is {value}, should be {node}"))) }
}

fn section(keys: &[Key], table: &Table, path: &str) -> Result<()> {
    let known = || keys.iter().map(|key| key.name.as_str());
    if let Some(unknown) = table.keys().find(|name| !known().any(|known| known == *name)) {
        let near = did_you_mean(nearest(unknown, known()));
        let all = listed(known().map(str::to_owned));
        let here = if all.is_empty() { "there are none here".into() } else { format!("here are {all}") };
        return Err(Error::setting(join(path, unknown), format!("there is no such key{near}; {here}")));
    }
    for key in keys {
        let path = join(path, &key.name);
        match table.get(&key.name) {
            Some(found) => value(&key.node, found, &path)?,
            None if key.if_absent == IfAbsent::Refused => return Err(missing(path, &key.node.to_string())),
            None => {}
        }
    }
    Ok(())
}

/// The variant that `name` names.
fn find<'a>(variants: &'a [Variant], name: &Value, path: &str) -> Result<&'a Variant> {
    let word = name.as_str().unwrap_or_default();
    variants.iter().find(|variant| variant.name == word).ok_or_else(|| {
        let near = did_you_mean(nearest(word, variants.iter().map(|variant| variant.name.as_str())));
        Error::setting(path, format!("is {name}{near}, should be {}", kinds(variants)))
    })
}

fn kinds(variants: &[Variant]) -> String {
    format!("one of {}", listed(variants.iter().map(|variant| format!("{:?}", variant.name))))
}

fn missing(path: String, wanted: &str) -> Error {
    Error::setting(path, format!("is missing, should be {wanted}"))
}

/// As `--set` names an element: by its `name` where it has one, else by its number.
pub(crate) fn element_name(element: &Value, index: usize) -> String {
    element.get("name").and_then(Value::as_str).map_or_else(|| index.to_string(), str::to_owned)
}
