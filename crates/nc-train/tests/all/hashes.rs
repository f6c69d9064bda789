//! Configuration hashes of all presets, pinned in `hashes.txt`.
//!
//! Run directories are identified by hash, so the hash of a preset must never change. For a new preset, run the test
//! with `UPDATE_SNAPSHOTS=1`: it adds missing lines and keeps existing ones.

use std::{collections::BTreeMap, path::Path};

use nc_train::{Error, presets};

use crate::support::validated;

/// Data sets whose methods are pinned with each part; elsewhere only plain methods are.
const WITH_PARTS: [&str; 2] = ["cifar10-lt-r100", "cifar100-lt-r100"];

/// Epochs of the first phase for which the recipes are written.
const FULL: usize = 200;

/// Names of the pinned presets: each data set with each method and, on `WITH_PARTS`, each valid part.
fn names() -> Vec<String> {
    let mut names = vec![];
    for (data, _) in presets::data_sets() {
        for (method, _) in presets::methods() {
            names.push(format!("{data}/{method}"));
            if WITH_PARTS.contains(&data) {
                let combined = presets::parts().map(|(part, _)| format!("{data}/{method}+{part}"));
                names.extend(combined.filter(|name| is_valid(name)));
            }
        }
    }
    names
}

fn is_valid(name: &str) -> bool {
    match presets::find(name) {
        Ok(experiment) => validated(&experiment).is_ok(),
        Err(Error::PartsExclude { .. }) => false,
        Err(error) => panic!("{name}: {error}"),
    }
}

/// Hashes by `NAME EPOCHS`, with the epochs of the first phase. Presets with fewer than 200 epochs are also included at
/// 200.
fn hashes() -> BTreeMap<String, String> {
    let mut hashes = BTreeMap::new();
    for name in names() {
        let mut experiment = presets::find(&name).unwrap();
        let mut pin = |experiment: &nc_train::Experiment| {
            let key = format!("{name} {}", experiment.phases[0].epochs);
            hashes.insert(key, experiment.hash("subset").unwrap());
        };
        pin(&experiment);
        experiment.scale_epochs(FULL);
        pin(&experiment);
    }
    hashes
}

#[test]
fn preset_hashes_are_unchanged() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/hashes.txt");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let pinned = text.lines().map(|line| line.rsplit_once(' ').unwrap());
    let mut pinned: BTreeMap<_, _> = pinned.map(|(key, hash)| (key.to_owned(), hash.to_owned())).collect();
    let hashes = hashes();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        for (key, hash) in &hashes {
            pinned.entry(key.clone()).or_insert_with(|| hash.clone());
        }
        let lines: Vec<String> = pinned.iter().map(|(key, hash)| format!("{key} {hash}\n")).collect();
        let lines = lines.concat();
        std::fs::write(&path, lines).unwrap();
    }
    let mut keys: Vec<_> = hashes.keys().chain(pinned.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let differences: Vec<_> = keys
        .into_iter()
        .filter(|key| hashes.get(*key) != pinned.get(*key))
        .map(|key| format!("{key}: pinned {:?}, now {:?}", pinned.get(key), hashes.get(key)))
        .collect();
    assert!(differences.is_empty(), "{}:\n{}", path.display(), differences.join("\n"));
}
