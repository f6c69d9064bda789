//! From a preset, a file and `--set` flags to one experiment.

use std::path::Path;

use toml::{Table, Value};

use super::{experiment::Experiment, limits::MOST_EPOCHS, valid::ValidExperiment, validate::toml_seed};
use crate::{
    Error, Result,
    error::{did_you_mean, nearest},
    presets, schema,
};

/// Where an experiment's settings come from; later ones win.
#[derive(Clone, Debug, Default)]
pub struct Settings<'a> {
    /// A preset's name.
    pub preset: Option<&'a str>,
    /// A TOML file: complete, or with a key `preset` and what differs from it.
    pub config: Option<&'a Path>,
    /// `section.key=value`, with elements of lists by their number or `name`.
    pub overrides: &'a [String],
    /// The number of epochs of the first phase. [`Experiment::scale_epochs`] scales the other epoch numbers, also those of
    /// `overrides`, which count in the preset's epochs; `evaluation.every_epochs` stays as it is.
    pub epochs: Option<usize>,
    /// The seed.
    pub seed: Option<u64>,
}

impl Settings<'_> {
    /// The experiment they make. Without preset and file it is that of [`presets::DEFAULT`].
    ///
    /// # Errors
    ///
    /// [`Error`] names the preset, the file or the setting that is wrong, and what it should be.
    pub fn resolve(&self) -> Result<ValidExperiment> {
        let mut root = Value::Table(self.base()?);
        for text in self.overrides {
            set(&mut root, text)?;
        }
        if let (Some(seed), Value::Table(table)) = (self.seed, &mut root) {
            table.insert("seed".to_owned(), Value::Integer(toml_seed("--seed", seed)?));
        }
        schema::check(&root)?;
        let experiment: Experiment = root
            .try_into()
            .map_err(|error: toml::de::Error| Error::setting("configuration", error.message()))?;
        let experiment = ValidExperiment::try_from(experiment)?;
        match self.epochs {
            None => Ok(experiment),
            Some(epochs) if (1..=MOST_EPOCHS).contains(&epochs) => {
                let mut experiment = experiment.into_inner();
                experiment.scale_epochs(epochs);
                experiment.try_into()
            }
            Some(epochs) => {
                let message = format!("is {epochs}, should be a whole number from 1 to {MOST_EPOCHS}");
                Err(Error::setting("--epochs", message))
            }
        }
    }

    /// The settings of preset and file together.
    fn base(&self) -> Result<Table> {
        let Some(path) = self.config else { return preset_table(self.preset.unwrap_or(presets::DEFAULT)) };
        let refused = |error: Error| Error::Config { path: path.to_owned(), message: error.to_string() };
        let mut file = read_table(path)?;
        let preset = match (file.remove("preset"), self.preset) {
            (None, flag) => flag.map(preset_table).transpose()?,
            (Some(Value::String(name)), flag) if flag.is_none_or(|flag| flag == name) => {
                Some(preset_table(&name).map_err(refused)?)
            }
            (Some(Value::String(name)), Some(flag)) => {
                let message =
                    format!("is {name:?}, but the flag --preset says {flag:?}: leave one of them out");
                return Err(refused(Error::setting("preset", message)));
            }
            (Some(other), _) => {
                let message = format!("is {other}, should be a preset's name in quotes");
                return Err(refused(Error::setting("preset", message)));
            }
        };
        let table = match preset {
            Some(preset) => merged(preset, file),
            None if file.contains_key("phases") => file,
            None => {
                let message =
                    "names no preset to start from and has no phases, which a complete configuration has";
                return Err(Error::Config { path: path.to_owned(), message: message.to_owned() });
            }
        };
        schema::check(&Value::Table(table.clone())).map_err(refused)?;
        Ok(table)
    }
}

fn preset_table(name: &str) -> Result<Table> {
    Ok(Table::try_from(presets::find(name)?)?)
}

fn read_table(path: &Path) -> Result<Table> {
    let text =
        std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    text.parse().map_err(|error: toml::de::Error| Error::Config {
        path: path.to_owned(),
        message: error.to_string().trim_end().replace('\n', "\n  "),
    })
}

/// `base` with the values of `over` put in its place. Tables are merged key by key; everything else is replaced, and so is
/// a table by one of another `kind`, whose keys are others.
fn merged(mut base: Table, over: Table) -> Table {
    for (key, value) in over {
        let value = match (base.remove(&key), value) {
            (Some(Value::Table(base)), Value::Table(over)) if same_kind(&base, &over) => {
                Value::Table(merged(base, over))
            }
            (_, value) => value,
        };
        base.insert(key, value);
    }
    base
}

fn same_kind(base: &Table, over: &Table) -> bool {
    over.get("kind").is_none_or(|kind| base.get("kind") == Some(kind))
}

/// How many sections deep a setting may lie: to drop a table that is nested by very many dots overflows the stack.
const DEEPEST: usize = 8;

/// Sets what `section.key=value` says. The value is TOML, or else a bare word.
fn set(root: &mut Value, text: &str) -> Result<()> {
    let wrong = |message: String| Error::setting(format!("--set {text}"), message);
    let (path, value) = text
        .split_once('=')
        .ok_or_else(|| wrong("should be KEY=VALUE, as in seed=1 or data.flip=false".into()))?;
    let (sections, key) = match path.trim().rsplit_once('.') {
        Some((sections, key)) => (sections.split('.').collect::<Vec<_>>(), key),
        None => (vec![], path.trim()),
    };
    if sections.len() > DEEPEST {
        return Err(wrong(format!("has {} sections, no setting has more than {DEEPEST}", sections.len())));
    }
    if key.is_empty() || sections.contains(&"") {
        return Err(wrong("has an empty name in its key".into()));
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
            let names: Vec<String> =
                elements.iter().enumerate().map(|(index, one)| schema::element_name(one, index)).collect();
            let index = names.iter().position(|element| element == name).or_else(|| name.parse().ok());
            elements.get_mut(index.unwrap_or(usize::MAX)).ok_or_else(|| {
                if names.is_empty() {
                    return format!("there is no {name:?}: the list is empty");
                }
                let near = did_you_mean(nearest(name, names.iter().map(String::as_str)));
                format!("there is no {name:?}{near} among {}", names.join(", "))
            })
        }
        other => Err(format!("there is no {name:?} in {other}, which is a value and has no keys")),
    }
}
