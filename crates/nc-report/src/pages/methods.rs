//! Runs grouped by configuration.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use crate::{
    format,
    pages::{finished::Finished, history::History, run::RunReport},
};

/// Runs that differ in nothing but the seed.
pub(crate) struct Method<'a> {
    pub(crate) name: String,
    /// Runs, all finished.
    pub(crate) runs: Vec<&'a RunReport>,
    pub(crate) histories: Vec<History>,
    /// Settings by name, without the seed.
    settings: BTreeMap<String, String>,
}

/// Mean over seeds, and standard deviation of two or more.
pub(crate) struct Summary {
    pub(crate) mean: f64,
    pub(crate) deviation: Option<f64>,
}

impl Summary {
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (!values.is_empty()).then(|| Self { mean, deviation: (values.len() > 1).then(|| variance.sqrt()) })
    }
}

impl Method<'_> {
    pub(crate) fn results(&self) -> impl Iterator<Item = &Finished> {
        self.runs.iter().filter_map(|run| run.result.as_ref())
    }

    /// The result of the first run.
    ///
    /// # Panics
    ///
    /// If it is not finished, which [`methods`] requires.
    pub(crate) fn first(&self) -> &Finished {
        self.runs[0].result.as_ref().expect("runs of a method are finished")
    }

    /// Summary of a metric; none if a run lacks it.
    pub(crate) fn summary(&self, of: impl Fn(&Finished) -> Option<f64>) -> Option<Summary> {
        Summary::of(&self.results().map(of).collect::<Option<Vec<f64>>>()?)
    }
}

/// Groups finished runs by configuration and images, in the order of their first runs; also counts runs given twice,
/// which count once. A data set that all presets share is left out of the names; directories tell methods of the same
/// name apart.
pub(crate) fn methods(runs: &[RunReport]) -> (Vec<Method<'_>>, usize) {
    let mut methods: Vec<Method<'_>> = vec![];
    let mut repeated = 0;
    for (place, run) in runs.iter().enumerate() {
        // Copies and other paths of a run have its result to the last digit of its wall time.
        if runs[..place].iter().any(|earlier| earlier.result == run.result && earlier.config == run.config) {
            repeated += 1;
            continue;
        }
        let mut settings = settings(&run.config);
        if let Some(result) = &run.result {
            let data = &result.data;
            let images: usize = data.class_counts.iter().sum();
            let train = format!("{images} of {} ({})", data.source, format::short(&data.train_hash));
            settings.insert("training images".into(), train);
            let test = format!("{} ({})", data.test_images, format::short(&data.test_hash));
            settings.insert("test images".into(), test);
        }
        let name = run.started().map_or("run not started", |(name, _)| name);
        // The same seed again, perhaps from another machine, is not another sample.
        let seed = |run: &RunReport| run.started().map(|(_, seed)| seed);
        let at = methods.iter().position(|method| {
            method.name == name
                && method.settings == settings
                && method.runs.iter().all(|other| seed(other) != seed(run))
        });
        let at = at.unwrap_or_else(|| {
            methods.push(Method { name: name.to_owned(), runs: vec![], histories: vec![], settings });
            methods.len() - 1
        });
        methods[at].runs.push(run);
        methods[at].histories.push(History::of(&run.events));
    }
    let data_set = |method: &Method<'_>| method.name.split_once('/').map(|(data_set, _)| data_set.to_owned());
    let first = methods.first().and_then(data_set);
    if methods.len() > 1 && first.is_some() && methods.iter().all(|method| data_set(method) == first) {
        for method in &mut methods {
            method.name = method.name.split_once('/').map_or("", |(_, name)| name).to_owned();
        }
    }
    let names: Vec<String> = methods.iter().map(|method| method.name.clone()).collect();
    for method in &mut methods {
        if names.iter().filter(|name| **name == method.name).count() > 1 {
            method.name = format!("{} ({})", method.name, method.runs[0].directory.display());
        }
    }
    (methods, repeated)
}

/// Settings of a configuration by name, such as `phases.classifier.epochs`, without the seed. Phases are named by their
/// `name`.
fn settings(config: &str) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    match config.parse::<Table>() {
        Ok(mut table) => {
            table.remove("seed");
            flatten("", &Value::Table(table), &mut out);
        }
        Err(_) => {
            out.insert("configuration".into(), config.to_owned());
        }
    }
    out
}

fn flatten(name: &str, value: &Value, out: &mut BTreeMap<String, String>) {
    let below = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Table(table) => table.iter().for_each(|(key, value)| flatten(&below(key), value, out)),
        Value::Array(entries) if entries.iter().any(Value::is_table) => {
            for (index, entry) in entries.iter().enumerate() {
                let named = entry.get("name").and_then(Value::as_str);
                flatten(&below(named.unwrap_or(&index.to_string())), entry, out);
            }
        }
        value => {
            out.insert(name.to_owned(), value.to_string());
        }
    }
}

/// Settings that differ between methods, with the value of each; none where a method lacks it. The name of the
/// experiment is omitted.
pub(crate) fn differing_settings(methods: &[Method<'_>]) -> Vec<(String, Vec<Option<String>>)> {
    let keys: BTreeSet<&String> = methods.iter().flat_map(|method| method.settings.keys()).collect();
    let row = |key: &String| {
        let values = methods.iter().map(|method| method.settings.get(key).cloned());
        (key.clone(), values.collect::<Vec<_>>())
    };
    let differs =
        |(_, values): &(String, Vec<Option<String>>)| values.iter().any(|value| *value != values[0]);
    keys.into_iter().filter(|key| *key != "name").map(row).filter(differs).collect()
}

/// Difference in test accuracy to `first`, in points: of runs with the same seed, with its standard error and, unless every
/// run has a partner, the number of pairs; without common seeds, of the means.
pub(crate) fn difference(first: &Method<'_>, method: &Method<'_>) -> String {
    let points = |result: &Finished| 100.0 * result.accuracy.top1;
    let partner = |result: &Finished| first.results().find(|other| other.seed == result.seed);
    let pairs: Vec<f64> =
        method.results().filter_map(|result| Some(points(result) - points(partner(result)?))).collect();
    let Some(Summary { mean, deviation }) = Summary::of(&pairs) else {
        let mean = |method: &Method<'_>| method.summary(|result| Some(points(result)));
        return match (mean(first), mean(method)) {
            (Some(first), Some(other)) => format!("{:+.1} (unpaired)", other.mean - first.mean),
            _ => String::new(),
        };
    };
    let error = deviation.map(|deviation| deviation / (pairs.len() as f64).sqrt());
    let error = error.map_or_else(String::new, |error| format!(" ± {error:.1}"));
    let all = pairs.len() == method.runs.len() && pairs.len() == first.runs.len();
    let count = match pairs.len() {
        _ if all => String::new(),
        1 => " (1 pair)".into(),
        pairs => format!(" ({pairs} pairs)"),
    };
    format!("{mean:+.1}{error}{count}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_named_by_phase_and_omit_the_seed() {
        let found = settings("seed = 1\nname = \"a\"\n[[phases]]\nname = \"one\"\nepochs = 3\n");
        let expected = [("name", "\"a\""), ("phases.one.epochs", "3"), ("phases.one.name", "\"one\"")];
        assert_eq!(found, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
        assert_eq!(settings("= 3").len(), 1);
    }

    #[test]
    fn deviation_is_that_of_a_sample() {
        let summary = Summary::of(&[1.0, 3.0]).unwrap();
        assert_eq!((summary.mean, summary.deviation), (2.0, Some(2f64.sqrt())));
        assert!(Summary::of(&[]).is_none() && Summary::of(&[1.0]).unwrap().deviation.is_none());
    }
}
