//! Crates depend on those of lower floors alone, so that data, models, losses and metrics can be used by themselves.
//! Within a crate, files do not import each other in a circle.

mod cycles;
mod graph;
mod modules;

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;

const FLOORS: [&[&str]; 5] = [
    &["nc-kernels"],
    &["nc-data", "nc-losses", "nc-metrics", "nc-models", "nc-record"],
    &["nc-report", "nc-train"],
    &["nc-paper"],
    &["nc-cli"],
];

/// What users take one by one must not grow dependencies by mistake.
const ALONE: [(&str, &[&str]); 5] = [
    ("nc-data", &[]),
    ("nc-losses", &[]),
    ("nc-metrics", &[]),
    ("nc-models", &["nc-kernels"]),
    ("nc-record", &[]),
];

/// What must be there without waiting for Candle.
const WITHOUT_CANDLE: [&str; 3] = ["nc-metrics", "nc-record", "xtask"];

/// The workspace's packages, and what each is built with.
pub(crate) fn packages() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    let of = |package: &Value| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let built_with = dependencies.filter(|on| on["kind"] != "dev");
        (text(&package["name"]), built_with.map(|on| text(&on["name"])).collect())
    };
    packages.map(of).collect()
}

#[test]
fn crates_know_lower_floors_alone() {
    let packages = packages();
    let ours = |name: &str| -> Vec<&String> {
        packages[name].iter().filter(|on| packages.contains_key(*on)).collect()
    };
    assert!(ours("xtask").is_empty(), "xtask builds before everything and knows nothing");
    let floor = |name: &str| FLOORS.iter().position(|crates| crates.contains(&name));
    for name in packages.keys().filter(|name| *name != "xtask") {
        let own = floor(name).unwrap_or_else(|| panic!("{name} stands on no floor"));
        for dependency in ours(name) {
            assert!(floor(dependency).unwrap() < own, "{name} must not depend on {dependency}");
        }
    }
    assert_eq!(packages.len(), FLOORS.concat().len() + 1);
    for (name, expected) in ALONE {
        assert_eq!(ours(name), expected, "{name}");
    }
}

#[test]
fn what_needs_no_candle_is_built_without_it() {
    let packages = packages();
    for name in WITHOUT_CANDLE {
        let candle = packages[name].iter().find(|on| on.starts_with("candle"));
        assert_eq!(candle, None, "{name}");
    }
}
