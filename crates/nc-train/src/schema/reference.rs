use toml::Value;

use super::{
    check::EXPERIMENT,
    node::{IfAbsent, KIND, Key, Node, Variant, join, listed},
};
use crate::presets;

/// Every key of a configuration with its range, its default and its meaning, and how a configuration is put together, as
/// Markdown.
pub fn reference() -> String {
    let mut page = vec![
        include_str!("intro.md").to_owned(),
        names("Data sets of presets", presets::data_sets()),
        names("Methods", presets::methods()),
        names("Parts", presets::parts()),
    ];
    place(&mut page, &EXPERIMENT, "", "");
    page.concat()
}

fn names<'a>(title: &str, names: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let rows: String = names.map(|(name, description)| row(&[&code(name), description])).collect();
    format!("\n## {title}\n\n| name | |\n|---|---|\n{rows}")
}

/// What may stand at `path`, under a heading of its own where a row of the section around it is too little for that; and
/// so for everything in it.
fn place(page: &mut Vec<String>, node: &Node, path: &str, meaning: &str) {
    const KEYS: &str = "\n| key | value | if absent | meaning |\n|---|---|---|---|\n";
    const WORDS: &str = "\n| value | meaning |\n|---|---|\n";
    let heading = format!("\n## {}\n", if path.is_empty() { "Keys".into() } else { code(path) });
    if page.contains(&heading) {
        return;
    }
    let (columns, rows, keys): (_, String, Vec<&Key>) = match node {
        Node::Number(_) | Node::Text | Node::Switch => return,
        Node::List { element, .. } => return place(page, element, &format!("{path}.NAME"), meaning),
        Node::Section(keys) => {
            (KEYS, keys.iter().map(|key| key_row(key, path, "")).collect(), keys.iter().collect())
        }
        Node::Choice(words) if words.iter().all(|word| word.keys.is_none()) => {
            let row = |word: &Variant| row(&[&code(&format!("{:?}", word.name)), &word.meaning]);
            (WORDS, words.iter().map(row).collect(), vec![])
        }
        Node::Choice(variants) | Node::Kinds(variants) => (
            KEYS,
            variants.iter().map(|variant| variant_rows(node, variant, path)).collect(),
            variants.iter().flat_map(|variant| variant.keys.iter().flatten()).collect(),
        ),
    };
    page.extend([heading, paragraph(meaning), columns.to_owned(), rows]);
    for key in keys {
        place(page, &key.node, &join(path, &key.name), &key.meaning);
    }
}

/// A variant, and the keys that come with it.
fn variant_rows(node: &Node, variant: &Variant, path: &str) -> String {
    let name = &variant.name;
    let (written, keys_at) = match (node, &variant.keys) {
        (Node::Kinds(_), _) => (format!("{KIND} = {name:?}"), path.to_owned()),
        (_, None) => (format!("{name:?}"), path.to_owned()),
        (_, Some(_)) => (format!("{name} = {{ ... }}"), join(path, name)),
    };
    let keys = variant.keys.iter().flatten().map(|key| key_row(key, &keys_at, "with it: "));
    row(&[&code(&written), "", "", &variant.meaning]) + &keys.collect::<String>()
}

fn key_row(key: &Key, path: &str, before: &str) -> String {
    let path = join(path, &key.name);
    let if_absent = match &key.if_absent {
        IfAbsent::Refused => "required".to_owned(),
        IfAbsent::Nothing => String::new(),
        IfAbsent::Default(value) => {
            Value::try_from(value).map_or_else(|_| String::new(), |value| code(&value.to_string()))
        }
    };
    row(&[&format!("{before}{}", code(&key.name)), &value(&key.node, &path), &if_absent, &key.meaning])
}

/// What may stand there, in few words.
fn value(node: &Node, path: &str) -> String {
    let link = |path: &str| format!("(#{})", path.replace('.', "").to_lowercase());
    match node {
        Node::List { element, .. } if matches!(**element, Node::Section(_)) => {
            format!("a list of [sections]{}", link(&format!("{path}.NAME")))
        }
        Node::Section(_) => format!("a [section]{}", link(path)),
        Node::Kinds(variants) | Node::Choice(variants) => {
            let names = listed(variants.iter().map(|variant| code(&variant.name)));
            format!("[one of]{} {names}", link(path))
        }
        other => other.to_string(),
    }
}

fn paragraph(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("\n{text}\n") }
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn row(cells: &[&str]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}
