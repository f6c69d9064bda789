//! Merging of a preset, a file and `--set` flags into one experiment.

use std::path::Path;

use toml::{Table, Value};

use super::{experiment::Experiment, limits::MOST_EPOCHS, valid::ValidExperiment, validate::toml_seed};
use crate::{
    Error, Result,
    error::{did_you_mean, nearest},
    presets::{self, ImageDirectory, Reduction},
    schema,
};

/// Sources of an experiment's settings; later fields override earlier ones.
#[derive(Clone, Debug, Default)]
pub struct Settings<'a> {
    /// Name of a preset.
    pub preset: Option<&'a str>,
    /// A TOML file: a complete configuration, or `preset` with the settings that differ.
    pub config: Option<&'a Path>,
    /// `section.key=value`; elements of lists are addressed by index or `name`. The value `none` removes an optional
    /// setting.
    pub overrides: &'a [String],
    /// Epochs of the first phase. [`Experiment::scale_epochs`] scales the other epoch numbers, including those in
    /// `overrides`.
    pub epochs: Option<usize>,
    /// The seed.
    pub seed: Option<u64>,
    /// One's own images. Without a preset and a file, the default preset is the one for them. A preset of one's own
    /// images gets the image size, validation, batch size and length that fit them.
    pub images: Option<&'a ImageDirectory>,
}

impl Settings<'_> {
    /// Merges and validates the settings. Without preset and file, starts from [`presets::DEFAULT`].
    ///
    /// # Errors
    ///
    /// For an unreadable file, an unknown preset or an invalid setting. The error names it and the values expected.
    pub fn resolve(&self) -> Result<ValidExperiment> {
        // One's own images are counted as these settings leave them. Errors are those of the fitted settings.
        let reduction = self
            .images
            .and_then(|_| self.merged(None).ok())
            .map_or_else(Reduction::default, |root| Reduction::of(&root));
        let mut root = self.merged(Some(&reduction))?;
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
                let message = format!("expected a whole number from 1 to {MOST_EPOCHS}, found {epochs}");
                Err(Error::setting("--epochs", message))
            }
        }
    }

    /// Preset, file and overrides, merged; with `fit`, a preset of one's own images is fitted to them.
    fn merged(&self, fit: Option<&Reduction>) -> Result<Value> {
        let mut root = Value::Table(self.base(fit)?);
        // The kind of an optimiser first, because it removes the other keys of the section.
        let (kinds, others): (Vec<_>, Vec<_>) =
            self.overrides.iter().partition(|text| text.split('=').next().is_some_and(is_optimizer_kind));
        for text in kinds.into_iter().chain(others) {
            set(&mut root, text)?;
        }
        Ok(root)
    }

    /// The preset `name`, else that of the settings or the default.
    fn preset_table(&self, name: Option<&str>, fit: Option<&Reduction>) -> Result<Table> {
        let mut experiment = match (name.or(self.preset), self.images) {
            (Some(name), _) => presets::find(name)?,
            (None, Some(directory)) => presets::find(presets::default_of(directory.source()?))?,
            (None, None) => presets::find(presets::DEFAULT)?,
        };
        if let (Some(directory), Some(Reduction { skip, profile }), true) =
            (self.images, fit, presets::fits_images(&experiment))
        {
            let facts = directory.facts(experiment.data.source, skip.as_deref())?;
            facts.fit(&mut experiment, profile.as_ref(), self.epochs);
        }
        Ok(Table::try_from(experiment)?)
    }

    /// Preset and file merged.
    fn base(&self, fit: Option<&Reduction>) -> Result<Table> {
        let Some(path) = self.config else { return self.preset_table(None, fit) };
        let refused = |error: Error| Error::Config { path: path.to_owned(), message: error.to_string() };
        let mut file = read_table(path)?;
        let preset = match (file.remove("preset"), self.preset) {
            (None, flag) => flag.map(|name| self.preset_table(Some(name), fit)).transpose()?,
            (Some(Value::String(name)), flag) if flag.is_none_or(|flag| flag == name) => {
                Some(self.preset_table(Some(&name), fit).map_err(refused)?)
            }
            (Some(Value::String(name)), Some(flag)) => {
                let message = format!("found {name:?}, but --preset is {flag:?}; remove one of them");
                return Err(refused(Error::setting("preset", message)));
            }
            (Some(other), _) => {
                let message = format!("expected the name of a preset in quotes, found {other}");
                return Err(refused(Error::setting("preset", message)));
            }
        };
        let table = match preset {
            Some(preset) => merged(preset, file),
            None if file.contains_key("phases") => file,
            None => {
                let message = "configuration without phases; add them, or set preset = \"DATA/METHOD\"";
                return Err(Error::Config { path: path.to_owned(), message: message.to_owned() });
            }
        };
        schema::check(&Value::Table(table.clone())).map_err(refused)?;
        Ok(table)
    }
}

fn read_table(path: &Path) -> Result<Table> {
    let text =
        std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    text.parse().map_err(|error: toml::de::Error| Error::Config {
        path: path.to_owned(),
        message: error.to_string().trim_end().replace('\n', "\n  "),
    })
}

/// `base` overridden by `over`. Tables of the same `kind` are merged key by key; everything else is replaced.
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

/// Maximum nesting of a setting. Dropping a very deeply nested table would overflow the stack.
const DEEPEST: usize = 8;

/// True for the key `[...].optimizer.kind`.
fn is_optimizer_kind(path: &str) -> bool {
    let mut names = path.trim().rsplit('.');
    names.next() == Some("kind") && names.next() == Some("optimizer")
}

/// Applies `section.key=value`. A value that is not TOML is taken as a string; `none` removes the key. Another `kind` of optimiser removes the
/// other keys of the section: learning rate and weight decay of one optimiser do not suit another.
fn set(root: &mut Value, text: &str) -> Result<()> {
    let wrong = |message: String| Error::setting(format!("--set {text}"), message);
    let (path, value) = text
        .split_once('=')
        .ok_or_else(|| wrong("expected KEY=VALUE, as in seed=1 or data.flip=false".into()))?;
    let (sections, key) = match path.trim().rsplit_once('.') {
        Some((sections, key)) => (sections.split('.').collect::<Vec<_>>(), key),
        None => (vec![], path.trim()),
    };
    if sections.len() > DEEPEST {
        return Err(wrong(format!("expected at most {DEEPEST} sections, found {}", sections.len())));
    }
    if key.is_empty() || sections.contains(&"") {
        return Err(wrong("the key contains an empty name".into()));
    }
    let mut target = root;
    for section in sections {
        target = enter(target, section).map_err(wrong)?;
    }
    if value.trim() == "none"
        && let Value::Table(table) = target
    {
        table.remove(key);
        return Ok(());
    }
    let value = format!("value = {value}")
        .parse::<Table>()
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(value.trim().to_owned()));
    if let Value::Table(optimizer) = &mut *target
        && is_optimizer_kind(path)
        && optimizer.get("kind").map_or("sgd", |kind| kind.as_str().unwrap_or_default())
            != value.as_str().unwrap_or_default()
    {
        optimizer.clear();
    }
    *enter(target, key).map_err(wrong)? = value;
    Ok(())
}

/// The entry `name` of a table, created if absent, or the list element with this index or `name`.
fn enter<'a>(parent: &'a mut Value, name: &str) -> std::result::Result<&'a mut Value, String> {
    match parent {
        Value::Table(table) => Ok(table.entry(name).or_insert_with(|| Value::Table(Table::new()))),
        Value::Array(elements) => {
            let names: Vec<String> =
                elements.iter().enumerate().map(|(index, one)| schema::element_name(one, index)).collect();
            let index = names.iter().position(|element| element == name).or_else(|| name.parse().ok());
            elements.get_mut(index.unwrap_or(usize::MAX)).ok_or_else(|| {
                if names.is_empty() {
                    return format!("no element {name:?}; the list is empty");
                }
                let near = did_you_mean(nearest(name, names.iter().map(String::as_str)));
                format!("no element {name:?}{near}; expected one of {}", names.join(", "))
            })
        }
        other => Err(format!("no key {name:?} in the value {other}")),
    }
}
