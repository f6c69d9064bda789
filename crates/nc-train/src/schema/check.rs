use toml::{Table, Value};

use super::json_schema::{EXPERIMENT, KIND, Schema, join, listed};
use crate::{
    Error, Result,
    error::{did_you_mean, nearest},
};

/// Checks a configuration for unknown, missing and mistyped keys and for numbers out of range.
pub(crate) fn check(config: &Value) -> Result<()> {
    check_value(&EXPERIMENT, config, "")
}

fn check_value(schema: &Schema, value: &Value, path: &str) -> Result<()> {
    let schema = schema.value();
    let fits = match value {
        Value::Integer(number) => {
            (schema.is("integer") || schema.is("number")) && schema.contains(*number as f64)
        }
        Value::Float(number) => schema.is("number") && schema.contains(*number),
        Value::Boolean(_) => schema.is("boolean"),
        Value::Array(elements) if let Some(items) = &schema.items => {
            for (index, element) in elements.iter().enumerate() {
                check_value(items, element, &join(path, &element_name(element, index)))?;
            }
            schema.min_items.is_none_or(|length| elements.len() == length)
        }
        Value::String(_) if !schema.one_of.is_empty() && !schema.is_tagged() => {
            variant(schema, value, path)?.r#const.is_some()
        }
        Value::String(_) => schema.is("string"),
        Value::Table(table) if schema.is_tagged() => {
            let at = join(path, KIND);
            let chosen = match (table.get(KIND), schema.default_variant()) {
                (Some(kind), _) => variant(schema, kind, &at)?,
                (None, Some(default)) => default,
                (None, None) => return Err(missing(at, &schema.variants())),
            };
            check_keys_of_kind(schema, chosen, table, path)?;
            return check_table(chosen, table, path);
        }
        Value::Table(table) if !schema.one_of.is_empty() => match table.keys().next() {
            Some(name) if table.len() == 1 => match variant(schema, &Value::String(name.clone()), path)? {
                unit if unit.r#const.is_some() => false,
                variant => return check_table(variant, table, path),
            },
            _ => false,
        },
        Value::Table(table) if schema.is("object") => return check_table(schema, table, path),
        _ => false,
    };
    if fits { Ok(()) } else { Err(Error::setting(path, format!("expected {schema}, found {value}"))) }
}

fn check_table(schema: &Schema, table: &Table, path: &str) -> Result<()> {
    if let Some(unknown) = table.keys().find(|key| !schema.properties.contains_key(*key)) {
        let near = did_you_mean(nearest(unknown, schema.keys().map(|(name, _)| name)));
        let keys = match listed(schema.keys().map(|(name, _)| name.to_owned())) {
            none if none.is_empty() => "this table takes no other keys".to_owned(),
            keys => format!("expected one of {keys}"),
        };
        return Err(Error::setting(join(path, unknown), format!("unknown key{near}; {keys}")));
    }
    for (name, key) in &schema.properties {
        match table.get(name) {
            Some(value) => check_value(key, value, &join(path, name))?,
            None if schema.required.contains(name) => {
                return Err(missing(join(path, name), &key.to_string()));
            }
            None => {}
        }
    }
    Ok(())
}

/// Refuses a key that only variants other than `chosen` have.
fn check_keys_of_kind(schema: &Schema, chosen: &Schema, table: &Table, path: &str) -> Result<()> {
    let misplaced = table.keys().filter(|key| !chosen.properties.contains_key(*key)).find_map(|key| {
        let owner = schema.one_of.iter().find(|variant| variant.properties.contains_key(key))?;
        Some((key, owner.name()))
    });
    let Some((key, owner)) = misplaced else { return Ok(()) };
    let kind = chosen.name();
    let message = match listed(chosen.keys().map(|(name, _)| name.to_owned())) {
        none if none.is_empty() => {
            format!("a key of kind {owner:?}, but kind is {kind:?}, which takes no keys")
        }
        keys => format!("a key of kind {owner:?}, but kind is {kind:?}; expected one of {keys}"),
    };
    Err(Error::setting(join(path, key), message))
}

fn variant<'a>(schema: &'a Schema, name: &Value, path: &str) -> Result<&'a Schema> {
    let word = name.as_str().unwrap_or_default();
    schema.one_of.iter().find(|variant| variant.name() == word).ok_or_else(|| {
        let near = did_you_mean(nearest(word, schema.one_of.iter().map(Schema::name)));
        Error::setting(path, format!("expected {}, found {name}{near}", schema.variants()))
    })
}

fn missing(path: String, expected: &str) -> Error {
    Error::setting(path, format!("missing; expected {expected}"))
}

/// Name of a list's element in `--set`: its `name`, or its index without one.
pub(crate) fn element_name(element: &Value, index: usize) -> String {
    element.get("name").and_then(Value::as_str).map_or_else(|| index.to_string(), str::to_owned)
}
