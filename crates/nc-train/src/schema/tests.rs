//! Held against each other: what is said of a configuration, and what is read of it.

use serde_json::Value as Json;
use toml::{Table, Value};

use super::{
    check::{self, EXPERIMENT, check},
    node::{IfAbsent, KIND, Key, Node, Variant, join},
    range::{Bound, Range},
};
use crate::Experiment;

fn some_number(range: &Range) -> Value {
    let number = match (range.least, range.most) {
        (Bound::Included(least), _) => least,
        (Bound::Excluded(least), Bound::Excluded(most)) => f64::midpoint(least, most),
        (_, Bound::Included(most)) => most,
        _ => panic!("{range}"),
    };
    if range.whole { Value::Integer(number as i64) } else { Value::Float(number) }
}

/// Values of which each variant of each choice, and each key, is in one.
fn examples(node: &Node) -> Vec<Value> {
    match node {
        Node::Number(range) => vec![some_number(range)],
        Node::Text => vec!["text".into()],
        Node::Switch => vec![false.into()],
        Node::List { element, length } => {
            let list = |one: Value| Value::Array(vec![one; length.unwrap_or(1) as usize]);
            examples(element).into_iter().map(list).collect()
        }
        Node::Section(keys) => sections(keys, &Table::new()),
        Node::Choice(variants) => {
            let of = |variant: &Variant| match &variant.keys {
                None => vec![Value::String(variant.name.clone())],
                Some(keys) => {
                    let named = |inner| Value::Table(Table::from_iter([(variant.name.clone(), inner)]));
                    sections(keys, &Table::new()).into_iter().map(named).collect()
                }
            };
            variants.iter().flat_map(of).collect()
        }
        Node::Kinds(variants) => {
            let of = |variant: &Variant| {
                let kind = Table::from_iter([(KIND.to_owned(), Value::String(variant.name.clone()))]);
                sections(variant.keys.as_deref().unwrap_or_default(), &kind)
            };
            variants.iter().flat_map(of).collect()
        }
    }
}

/// All keys with their first examples; then, one key after the other, its further ones.
fn sections(keys: &[Key], with: &Table) -> Vec<Value> {
    let all: Vec<_> = keys.iter().map(|key| (&key.name, examples(&key.node))).collect();
    let mut first = with.clone();
    first.extend(all.iter().map(|(name, values)| ((*name).clone(), values[0].clone())));
    let mut found = vec![Value::Table(first.clone())];
    for (name, values) in all {
        for value in values.into_iter().skip(1) {
            let mut other = first.clone();
            other.insert(name.clone(), value);
            found.push(Value::Table(other));
        }
    }
    found
}

fn configurations() -> Vec<Value> {
    examples(&EXPERIMENT)
}

/// Calls `see` with the path of each number, and the configuration in which that number is `number`.
fn with_each_number(config: &Value, number: &Value, see: &mut dyn FnMut(&str, &Value)) {
    fn walk(
        place: &Value,
        path: &str,
        put: &dyn Fn(Value) -> Value,
        number: &Value,
        see: &mut dyn FnMut(&str, &Value),
    ) {
        match place {
            Value::Integer(_) | Value::Float(_) => see(path, &put(number.clone())),
            Value::Array(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    let name = check::element_name(element, index);
                    let put = |value| {
                        let mut elements = elements.clone();
                        elements[index] = value;
                        put(Value::Array(elements))
                    };
                    walk(element, &join(path, &name), &put, number, see);
                }
            }
            Value::Table(table) => {
                for (key, value) in table {
                    let put = |value| {
                        let mut table = table.clone();
                        table.insert(key.clone(), value);
                        put(Value::Table(table))
                    };
                    walk(value, &join(path, key), &put, number, see);
                }
            }
            _ => {}
        }
    }
    walk(config, "", &|value| value, number, see);
}

#[test]
fn what_is_let_pass_can_be_read() {
    let all = configurations();
    assert!(all.len() > 40, "{} configurations", all.len());
    for config in all {
        check(&config).unwrap_or_else(|error| panic!("{error}\n{config}"));
        let read: Experiment = config.clone().try_into().unwrap_or_else(|error| panic!("{error}\n{config}"));
        check(&Value::try_from(read).unwrap()).unwrap();
    }
}

#[test]
fn no_number_may_be_absurd() {
    let absurd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300].map(Value::Float);
    let (mut numbers, mut paths) = (0, std::collections::BTreeSet::new());
    for config in configurations() {
        for value in &absurd {
            with_each_number(&config, value, &mut |path, config| {
                let message = check(config).expect_err(path).to_string();
                assert!(message.starts_with(&format!("{path}: is {value}, should be a ")), "{message}");
                numbers += 1;
                paths.insert(path.to_owned());
            });
        }
        for whole in [i64::MIN, -1, i64::MAX] {
            with_each_number(&config, &Value::Integer(whole), &mut |path, config| {
                let high = ["seed", "evaluation.every_epochs"];
                let unlimited = high.iter().any(|key| path.ends_with(key));
                let large = unlimited && whole > 0;
                let signed = path.starts_with("data.mean") && whole == -1;
                match check(config) {
                    Ok(()) => assert!(large || signed, "{path} may be {whole}"),
                    Err(error) => {
                        assert!(!large && !signed, "{error}");
                        assert!(
                            error.to_string().starts_with(&format!("{path}: is {whole}, should be a ")),
                            "{error}"
                        );
                    }
                }
            });
        }
    }
    assert!(numbers > 1000 && paths.len() > 40, "{numbers} {paths:?}");
}

#[test]
fn defaults_are_those_of_the_reader() {
    fn walk(node: &Node, path: &mut Vec<String>, see: &mut dyn FnMut(&[String], &Key)) {
        match node {
            Node::Section(keys) => keys.iter().for_each(|key| of_key(key, path, see)),
            Node::List { element, .. } => {
                path.push("0".into());
                walk(element, path, see);
                path.pop();
            }
            Node::Kinds(variants) => {
                for variant in variants {
                    path.push(format!("={}", variant.name));
                    variant.keys.iter().flatten().for_each(|key| of_key(key, path, see));
                    path.pop();
                }
            }
            Node::Choice(variants) => {
                for variant in variants {
                    path.push(variant.name.clone());
                    variant.keys.iter().flatten().for_each(|key| of_key(key, path, see));
                    path.pop();
                }
            }
            Node::Number(_) | Node::Text | Node::Switch => {}
        }
    }
    fn of_key(key: &Key, path: &mut Vec<String>, see: &mut dyn FnMut(&[String], &Key)) {
        path.push(key.name.clone());
        see(path, key);
        walk(&key.node, path, see);
        path.pop();
    }
    /// The section at `path`, in which `=kind` stands for a section being of that kind.
    fn parent<'a>(mut place: &'a mut Value, path: &[String]) -> Option<&'a mut Table> {
        for name in path {
            if let Some(kind) = name.strip_prefix('=') {
                if place.get(KIND).and_then(Value::as_str) != Some(kind) {
                    return None;
                }
                continue;
            }
            place = match place {
                Value::Table(table) => table.get_mut(name)?,
                Value::Array(elements) => elements.first_mut()?,
                _ => return None,
            };
        }
        place.as_table_mut()
    }
    let all = configurations();
    let mut seen = 0;
    walk(&EXPERIMENT, &mut vec![], &mut |path, key| {
        let (name, above) = path.split_last().unwrap();
        for config in &all {
            let mut without = config.clone();
            if parent(&mut without, above).and_then(|table| table.remove(name)).is_none() {
                continue;
            }
            seen += 1;
            let read = |config: &Value| config.clone().try_into::<Experiment>();
            match &key.if_absent {
                IfAbsent::Refused => {
                    let message = check(&without).unwrap_err().to_string();
                    assert!(message.contains("is missing, should be "), "{message}");
                    assert!(read(&without).is_err(), "{path:?}");
                }
                IfAbsent::Nothing => {
                    check(&without).unwrap();
                    read(&without).unwrap();
                }
                IfAbsent::Default(default) => {
                    let mut with = without.clone();
                    parent(&mut with, above).unwrap().insert(name.clone(), toml_of(default));
                    check(&without).unwrap();
                    assert_eq!(read(&without).unwrap(), read(&with).unwrap(), "{path:?}");
                }
            }
        }
    });
    assert!(seen > 1000, "{seen}");
}

fn toml_of(json: &Json) -> Value {
    Value::try_from(json).unwrap()
}
