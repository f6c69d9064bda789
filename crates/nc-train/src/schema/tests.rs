//! Consistency of the schema with serde: same accepted configurations, same defaults.

use toml::{Table, Value};

use super::{
    check,
    json_schema::{EXPERIMENT, KIND, Schema, join},
};
use crate::Experiment;

/// Values that together cover every variant and key. Strings are "0", so that an element's `name` equals its index.
fn examples(schema: &Schema) -> Vec<Value> {
    let schema = schema.value();
    if let Some(items) = &schema.items {
        let list = |item| Value::Array(vec![item; schema.min_items.unwrap_or(1)]);
        return examples(items).into_iter().map(list).collect();
    }
    let number = schema.minimum.or(schema.exclusive_minimum.map(|end| end + 0.5));
    match &schema.r#const {
        Some(word) => vec![Value::String(word.clone())],
        None if !schema.one_of.is_empty() => schema.one_of.iter().flat_map(examples).collect(),
        None if schema.is("integer") => vec![Value::Integer(number.unwrap() as i64)],
        None if schema.is("number") => vec![Value::Float(number.unwrap())],
        None if schema.is("boolean") => vec![Value::Boolean(false)],
        None if schema.is("string") => vec!["0".into()],
        None => tables(schema),
    }
}

/// One table with the first example of every key, then one for each further example of a key.
fn tables(schema: &Schema) -> Vec<Value> {
    let keys = || schema.properties.iter().map(|(name, key)| (name, examples(key)));
    let first: Table = keys().map(|(name, values)| (name.clone(), values[0].clone())).collect();
    let further = keys().flat_map(|(name, values)| {
        let first = &first;
        values.into_iter().skip(1).map(move |value| {
            let mut table = first.clone();
            table.insert(name.clone(), value);
            Value::Table(table)
        })
    });
    [Value::Table(first.clone())].into_iter().chain(further.collect::<Vec<_>>()).collect()
}

/// A value within a configuration.
struct Place<'a> {
    path: String,
    schema: &'a Schema,
    required: bool,
}

fn places<'a>(schema: &'a Schema, value: &Value, path: &str, found: &mut Vec<Place<'a>>) {
    let mut visit = |schema: &'a Schema, value: &Value, name: &str, required| {
        let path = join(path, name);
        places(schema, value, &path, found);
        found.push(Place { path, schema, required });
    };
    let schema = schema.value();
    match value {
        Value::Array(elements) => {
            let items = schema.items.as_ref().unwrap();
            elements.iter().enumerate().for_each(|(index, one)| visit(items, one, &index.to_string(), true));
        }
        Value::Table(table) => {
            let chosen = |variant: &&Schema| match table.get(KIND) {
                Some(kind) => kind.as_str() == Some(variant.name()),
                None => table.contains_key(variant.name()),
            };
            let schema = schema.one_of.iter().find(chosen).unwrap_or(schema);
            for (name, value) in table {
                visit(&schema.properties[name], value, name, schema.required.contains(name));
            }
        }
        _ => {}
    }
}

fn at<'a>(config: &'a mut Value, path: &str) -> &'a mut Value {
    path.split('.').filter(|key| !key.is_empty()).fold(config, |value, key| match value {
        Value::Array(elements) => &mut elements[key.parse::<usize>().unwrap()],
        table => &mut table[key],
    })
}

/// Calls `see` with every value of every example.
fn for_each_place(mut see: impl FnMut(&Value, &Place<'_>)) {
    for config in examples(&EXPERIMENT) {
        let mut found = vec![];
        places(&EXPERIMENT, &config, "", &mut found);
        for place in &found {
            see(&config, place);
        }
    }
}

fn parse(config: &Value) -> Result<Experiment, toml::de::Error> {
    config.clone().try_into()
}

#[test]
fn accepted_configurations_parse() {
    let all = examples(&EXPERIMENT);
    assert!(all.len() > 40, "{} configurations", all.len());
    for config in all {
        check(&config).unwrap_or_else(|error| panic!("{error}\n{config}"));
        let read = parse(&config).unwrap_or_else(|error| panic!("{error}\n{config}"));
        check(&Value::try_from(read).unwrap()).unwrap();
    }
}

#[test]
fn out_of_range_numbers_are_rejected() {
    let floats = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300].map(Value::Float);
    let absurd = floats.into_iter().chain([i64::MIN, -1, i64::MAX].map(Value::Integer));
    let mut paths = std::collections::BTreeSet::new();
    let absurd: Vec<_> = absurd.collect();
    for_each_place(|config, Place { path, .. }| {
        let mut config = config.clone();
        if !matches!(at(&mut config, path), Value::Integer(_) | Value::Float(_)) {
            return;
        }
        for value in &absurd {
            let unlimited = path.ends_with("seed") || path == "evaluation.every_epochs";
            let allowed = match value {
                Value::Integer(i64::MAX) => unlimited,
                Value::Integer(-1) => path.starts_with("data.mean"),
                _ => false,
            };
            *at(&mut config, path) = value.clone();
            match check(&config) {
                Ok(()) => assert!(allowed, "{path} accepts {value}"),
                Err(error) => {
                    let message = error.to_string();
                    assert!(!allowed && message.starts_with(&format!("{path}: expected a ")), "{message}");
                    assert!(message.ends_with(&format!(", found {value}")), "{message}");
                }
            }
        }
        paths.insert(path.clone());
    });
    assert!(paths.len() > 40, "{paths:?}");
}

#[test]
fn documented_defaults_are_those_of_serde() {
    let mut removed = 0;
    for_each_place(|config, Place { path, schema, required }| {
        let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
        let mut without = config.clone();
        let Value::Table(table) = at(&mut without, parent) else { return };
        table.remove(name);
        removed += 1;
        assert_eq!(check(&without).is_err(), *required, "{path}");
        assert_eq!(parse(&without).is_err(), *required, "{path}");
        if !required && !schema.default.is_null() {
            let mut with = config.clone();
            *at(&mut with, path) = Value::try_from(&schema.default).unwrap();
            assert_eq!(parse(&without).unwrap(), parse(&with).unwrap(), "{path}");
        }
    });
    assert!(removed > 1000, "{removed}");
}
