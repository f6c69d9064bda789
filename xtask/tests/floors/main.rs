//! Crates depend only on lower floors, so that data, models, losses and metrics can be used separately. Within a crate,
//! files have no import cycles.

mod cycles;
mod graph;
mod modules;

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;

const FLOORS: [&[&str]; 6] = [
    &["nc-cuda"],
    &["nc-kernels"],
    &["nc-data", "nc-losses", "nc-metrics", "nc-models", "nc-record"],
    &["nc-report", "nc-train"],
    &["nc-paper"],
    &["nc-cli"],
];

/// Crates for separate use, with all their dependencies inside the workspace.
const ALONE: [(&str, &[&str]); 7] = [
    ("nc-cuda", &[]),
    ("nc-kernels", &["nc-cuda"]),
    ("nc-data", &[]),
    ("nc-losses", &[]),
    ("nc-metrics", &[]),
    ("nc-models", &["nc-kernels"]),
    ("nc-record", &[]),
];

/// Crates that must build without Candle.
const WITHOUT_CANDLE: [&str; 4] = ["nc-cuda", "nc-metrics", "nc-record", "xtask"];

/// Packages of the workspace with their dependencies, without dev-dependencies.
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
fn crates_depend_only_on_lower_floors() {
    let packages = packages();
    let ours = |name: &str| -> Vec<&String> {
        packages[name].iter().filter(|on| packages.contains_key(*on)).collect()
    };
    assert!(ours("xtask").is_empty(), "xtask must not depend on other crates");
    let floor = |name: &str| FLOORS.iter().position(|crates| crates.contains(&name));
    for name in packages.keys().filter(|name| *name != "xtask") {
        let own = floor(name).unwrap_or_else(|| panic!("{name} has no floor"));
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
fn crates_without_candle_do_not_depend_on_it() {
    let packages = packages();
    for name in WITHOUT_CANDLE {
        let candle = packages[name].iter().find(|on| on.starts_with("candle"));
        assert_eq!(candle, None, "{name}");
    }
}
