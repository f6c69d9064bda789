//! From a preset, a file and `--set` flags to one experiment.

use std::path::Path;

use toml::{Table, Value};

use crate::{Error, Experiment, Result, presets, suggest::nearest};

/// Where an experiment's settings come from; later ones win.
#[derive(Clone, Debug, Default)]
pub struct Settings<'a> {
    /// A preset's name.
    pub preset: Option<&'a str>,
    /// A TOML file: complete, or with a key `preset` and what differs from it.
    pub config: Option<&'a Path>,
    /// `section.key=value`, with elements of lists by their number or `name`.
    pub overrides: &'a [String],
    /// The number of epochs of the first phase; all other epoch numbers are scaled alike.
    pub epochs: Option<usize>,
    /// The seed.
    pub seed: Option<u64>,
}

impl Settings<'_> {
    /// The experiment they make. Without preset and file it is that of [`presets::DEFAULT`].
    pub fn resolve(&self) -> Result<Experiment> {
        let mut origin = self.preset.unwrap_or(presets::DEFAULT).to_owned();
        let table = match self.config {
            None => preset_table(&origin)?,
            Some(path) => {
                origin = path.display().to_string();
                let mut file = read_table(path)?;
                match (file.remove("preset"), self.preset) {
                    (Some(Value::String(base)), None) => merged(preset_table(&base)?, file),
                    (None, Some(base)) => merged(preset_table(base)?, file),
                    (None, None) => file,
                    (Some(Value::String(base)), Some(flag)) if base == flag => {
                        merged(preset_table(flag)?, file)
                    }
                    (Some(base), Some(flag)) => {
                        let message =
                            format!("the file says {base}, the flag {flag:?}: leave one of them out");
                        return Err(Error::setting("preset", message));
                    }
                    (Some(_), None) => {
                        return Err(Error::setting("preset", "should be a preset's name in quotes"));
                    }
                }
            }
        };
        let mut root = Value::Table(table);
        let parse = |root: &Value, origin: &str| {
            root.clone().try_into().map_err(|error| Error::config(origin, &error))
        };
        let mut experiment: Experiment = parse(&root, &origin)?;
        for text in self.overrides {
            set(&mut root, text)?;
            experiment = parse(&root, &format!("--set {text}"))?;
        }
        if let Some(seed) = self.seed {
            experiment.seed = seed;
        }
        experiment.validate()?;
        match self.epochs {
            Some(0) => return Err(Error::setting("--epochs", "should be at least 1")),
            Some(epochs) => experiment.scale_epochs(epochs),
            None => {}
        }
        Ok(experiment)
    }
}

fn preset_table(name: &str) -> Result<Table> {
    let text = presets::find(name)?.to_toml()?;
    parse_table(&text, name)
}

fn read_table(path: &Path) -> Result<Table> {
    let text =
        std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    parse_table(&text, &path.display().to_string())
}

fn parse_table(text: &str, origin: &str) -> Result<Table> {
    text.parse().map_err(|error: toml::de::Error| Error::Config {
        origin: origin.to_owned(),
        message: error.to_string().trim_end().replace('\n', "\n  "),
    })
}

/// `base` with the values of `over` put in its place; tables are merged key by key, everything else is replaced.
fn merged(mut base: Table, over: Table) -> Table {
    for (key, value) in over {
        let value = match (base.remove(&key), value) {
            (Some(Value::Table(base)), Value::Table(over)) => Value::Table(merged(base, over)),
            (_, value) => value,
        };
        base.insert(key, value);
    }
    base
}

/// Sections about a setting; without a limit, taking down what many dots have set up overflows the stack.
const DEEPEST: usize = 8;

/// Sets what `section.key=value` says. The value is TOML, or else a bare word.
fn set(root: &mut Value, text: &str) -> Result<()> {
    let wrong = |message: String| Error::setting(format!("--set {text}"), message);
    let (path, value) = text.split_once('=').ok_or_else(|| wrong("should be section.key=value".into()))?;
    let (sections, key) = match path.trim().rsplit_once('.') {
        Some((sections, key)) => (sections.split('.').collect::<Vec<_>>(), key),
        None => (vec![], path.trim()),
    };
    if sections.len() > DEEPEST {
        return Err(wrong(format!("has {} sections, no setting has more than {DEEPEST}", sections.len())));
    }
    let mut target = root;
    for section in sections {
        target = enter(target, section).map_err(wrong)?;
    }
    let slot = enter(target, key).map_err(wrong)?;
    *slot = format!("value = {value}")
        .parse::<Table>()
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(value.trim().to_owned()));
    Ok(())
}

/// The entry `name` of a table (made if it is not there), or the element of a list with this number or `name`.
fn enter<'a>(parent: &'a mut Value, name: &str) -> std::result::Result<&'a mut Value, String> {
    match parent {
        Value::Table(table) => Ok(table.entry(name).or_insert_with(|| Value::Table(Table::new()))),
        Value::Array(elements) => {
            let names: Vec<String> = elements.iter().map(element_name).collect();
            let index = names.iter().position(|element| element == name).or_else(|| name.parse().ok());
            elements.get_mut(index.unwrap_or(usize::MAX)).ok_or_else(|| {
                let hint = nearest(name, names.iter().map(String::as_str))
                    .map(|near| format!(" (did you mean {near:?}?)"));
                format!("there is no {name:?} among {}{}", names.join(", "), hint.unwrap_or_default())
            })
        }
        other => Err(format!("{name:?} stands in {other}, which is a value, not a section")),
    }
}

fn element_name(element: &Value) -> String {
    element.get("name").and_then(Value::as_str).unwrap_or("(nameless)").to_owned()
}
