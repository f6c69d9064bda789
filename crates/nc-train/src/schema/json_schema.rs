use std::{collections::BTreeMap, fmt, sync::LazyLock};

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::Experiment;

/// Schema of a complete configuration.
pub(super) static EXPERIMENT: LazyLock<Schema> = LazyLock::new(|| {
    let settings = SchemaSettings::default().with(|settings| settings.inline_subschemas = true);
    let schema = SchemaGenerator::new(settings).into_root_schema_for::<Experiment>();
    Schema::deserialize(schema.as_value()).expect("schemars' output for Experiment fits Schema")
});

/// The key that selects the variant of an internally tagged enum.
pub(super) const KIND: &str = "kind";

/// The JSON Schema keywords that schemars emits for [`Experiment`].
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Schema {
    /// A type name, or a list of them with `null` for an optional value.
    #[serde(rename = "type")]
    types: Json,
    description: String,
    /// `null` without a default.
    pub(super) default: Json,
    /// Name of a unit variant, or the value of [`KIND`].
    pub(super) r#const: Option<String>,
    pub(super) properties: BTreeMap<String, Schema>,
    pub(super) required: Vec<String>,
    /// The alternatives of an optional value, one of them `null`.
    any_of: Vec<Schema>,
    /// Variants of an enum.
    pub(super) one_of: Vec<Schema>,
    pub(super) items: Option<Box<Schema>>,
    /// The exact length, for an array of fixed size.
    pub(super) min_items: Option<usize>,
    pub(super) minimum: Option<f64>,
    pub(super) exclusive_minimum: Option<f64>,
    maximum: Option<f64>,
    exclusive_maximum: Option<f64>,
}

impl Schema {
    /// Schema of the value, without the `null` of an optional one.
    pub(super) fn value(&self) -> &Self {
        self.any_of.iter().find(|one| !one.is("null")).unwrap_or(self)
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.types == name || self.types.as_array().is_some_and(|types| types.iter().any(|one| one == name))
    }

    /// True for an internally tagged enum.
    pub(super) fn is_tagged(&self) -> bool {
        self.one_of.iter().any(|variant| variant.properties.contains_key(KIND))
    }

    /// The variant of an internally tagged enum that a table without [`KIND`] means, if any.
    pub(super) fn default_variant(&self) -> Option<&Self> {
        self.one_of.iter().find(|variant| !variant.required.iter().any(|key| key == KIND))
    }

    /// Name of a variant.
    pub(super) fn name(&self) -> &str {
        let tag = self.properties.get(KIND).unwrap_or(self).r#const.as_ref();
        tag.or_else(|| self.properties.keys().next()).map_or("", String::as_str)
    }

    /// Keys of a table except the tag, sorted.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&str, &Self)> {
        self.properties.iter().map(|(name, key)| (name.as_str(), key)).filter(|(name, _)| *name != KIND)
    }

    /// The doc comment as one line.
    pub(super) fn meaning(&self) -> String {
        self.description.replace('\n', " ")
    }

    /// True if `number` is finite and within the bounds.
    pub(super) fn contains(&self, number: f64) -> bool {
        number.is_finite()
            && self.minimum.is_none_or(|end| number >= end)
            && self.exclusive_minimum.is_none_or(|end| number > end)
            && self.maximum.is_none_or(|end| number <= end)
            && self.exclusive_maximum.is_none_or(|end| number < end)
    }

    fn range(&self) -> String {
        let (from, to) = match (self.exclusive_minimum, self.minimum) {
            (Some(end), _) => (format!(" above {}", short(end)), ["and below", "and at most"]),
            (None, Some(end)) => (format!(" from {}", short(end)), ["to below", "to"]),
            (None, None) => (String::new(), ["below", "up to"]),
        };
        match (self.exclusive_maximum, self.maximum) {
            (Some(end), _) => format!("{from} {} {}", to[0], short(end)),
            (None, Some(end)) => format!("{from} {} {}", to[1], short(end)),
            (None, None) => from,
        }
    }

    /// The variants in TOML notation.
    pub(super) fn variants(&self) -> String {
        let written = |variant: &Self| match variant.name() {
            name if variant.r#const.is_some() || variant.properties.contains_key(KIND) => format!("{name:?}"),
            name => format!("{{ {name} = {{ ... }} }}"),
        };
        format!("one of {}", listed(self.one_of.iter().map(written)))
    }
}

/// Description of the accepted values, to follow "expected" in a message.
impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = self.value();
        match (&schema.items, schema.min_items) {
            (Some(items), Some(length)) => write!(f, "a list of {length}, each {items}"),
            (Some(items), None) => write!(f, "a list, each {items}"),
            _ if schema.is_tagged() => write!(f, "a table {{ kind = ... }} with kind {}", schema.variants()),
            _ if !schema.one_of.is_empty() => f.write_str(&schema.variants()),
            _ if schema.is("integer") => write!(f, "a whole number{}", schema.range()),
            _ if schema.is("number") => write!(f, "a number{}", schema.range()),
            _ if schema.is("boolean") => f.write_str("true or false"),
            _ if schema.is("string") => f.write_str("a string"),
            _ => write!(f, "a table with keys {}", listed(schema.keys().map(|(name, _)| name.to_owned()))),
        }
    }
}

/// The key `name` of the table at `path`.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

pub(super) fn listed(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn short(number: f64) -> String {
    if number.abs() < 1e7 { number.to_string() } else { format!("{number:e}") }
}
