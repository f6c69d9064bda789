use toml::Value;

use super::json_schema::{EXPERIMENT, KIND, Schema, join, listed};
use crate::presets;

/// The configuration reference as Markdown: an introduction, the presets, and every key with its range, default and
/// meaning.
pub fn reference() -> String {
    let mut page = vec![
        include_str!("intro.md").to_owned(),
        names("Data sets of presets", presets::data_sets()),
        names("Methods", presets::methods().chain([presets::BEST])),
        names("Parts", presets::parts()),
    ];
    place(&mut page, &EXPERIMENT, "", "");
    page.concat()
}

fn names<'a>(title: &str, names: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let rows: String = names.map(|(name, description)| row(&[&code(name), description])).collect();
    format!("\n## {title}\n\n| name | |\n|---|---|\n{rows}")
}

/// Appends a section for the value at `path`, unless a table cell describes it fully, then sections for nested values.
fn place(page: &mut Vec<String>, schema: &Schema, path: &str, meaning: &str) {
    const KEYS: &str = "\n| key | value | if absent | meaning |\n|---|---|---|---|\n";
    const WORDS: &str = "\n| value | meaning |\n|---|---|\n";
    let heading = format!("\n## {}\n", if path.is_empty() { "Keys".into() } else { code(path) });
    if page.contains(&heading) {
        return;
    }
    let schema = schema.value();
    if let Some(items) = &schema.items {
        return place(page, items, &join(path, element(items)), meaning);
    }
    let variants = &schema.one_of;
    let (columns, rows, tables): (_, String, Vec<&Schema>) = if schema.is("object") {
        (KEYS, key_rows(schema, path, ""), vec![schema])
    } else if variants.is_empty() {
        return;
    } else if variants.iter().all(|variant| variant.r#const.is_some()) {
        let row = |word: &Schema| row(&[&code(&format!("{:?}", word.name())), &word.meaning()]);
        (WORDS, variants.iter().map(row).collect(), vec![])
    } else {
        (
            KEYS,
            variants.iter().map(|variant| variant_rows(variant, path)).collect(),
            variants.iter().map(table).collect(),
        )
    };
    page.extend([heading, paragraph(meaning), columns.to_owned(), rows]);
    for (name, key) in tables.into_iter().flat_map(Schema::keys) {
        place(page, key, &join(path, name), &key.meaning());
    }
}

/// Table with the keys of a variant: the variant itself if internally tagged, else the table under its name.
fn table(variant: &Schema) -> &Schema {
    if variant.properties.contains_key(KIND) {
        variant
    } else {
        variant.properties.get(variant.name()).unwrap_or(variant)
    }
}

/// Table rows of a variant and its keys.
fn variant_rows(variant: &Schema, path: &str) -> String {
    let name = variant.name();
    let (written, keys_at) = if variant.r#const.is_some() {
        (format!("{name:?}"), path.to_owned())
    } else if variant.properties.contains_key(KIND) {
        (format!("{KIND} = {name:?}"), path.to_owned())
    } else {
        (format!("{name} = {{ ... }}"), join(path, name))
    };
    row(&[&code(&written), "", "", &variant.meaning()]) + &key_rows(table(variant), &keys_at, "with it: ")
}

fn key_rows(table: &Schema, path: &str, before: &str) -> String {
    let key_row = |(name, key): (&str, &Schema)| {
        let if_absent = if table.required.iter().any(|required| required == name) {
            "required".to_owned()
        } else {
            Value::try_from(&key.default).map_or_else(|_| String::new(), |value| code(&value.to_string()))
        };
        row(&[&format!("{before}{}", code(name)), &value(key, &join(path, name)), &if_absent, &key.meaning()])
    };
    table.keys().map(key_row).collect()
}

/// Short description of the accepted values, linked to their section if there is one.
fn value(schema: &Schema, path: &str) -> String {
    let schema = schema.value();
    let link = |path: &str| format!("(#{})", path.replace('.', "").to_lowercase());
    if let Some(items) = schema.items.as_ref().filter(|items| items.is("object")) {
        format!("a list of [sections]{}", link(&join(path, element(items))))
    } else if schema.is("object") {
        format!("a [section]{}", link(path))
    } else if !schema.one_of.is_empty() {
        let names = listed(schema.one_of.iter().map(|variant| code(variant.name())));
        format!("[one of]{} {names}", link(path))
    } else {
        schema.to_string()
    }
}

/// How elements of a list are addressed: by name, or by index.
fn element(items: &Schema) -> &'static str {
    if items.value().properties.contains_key("name") { "NAME" } else { "N" }
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
