use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::files::read_json;
use crate::cargo::{Cargo, workspace};

/// A Criterion benchmark of one of the crates.
#[derive(Serialize, Deserialize)]
pub(super) struct Benchmark {
    pub(super) group: String,
    pub(super) function: String,
    /// Parameter of the benchmark, if its name has one.
    pub(super) value: Option<String>,
    /// Median time of an iteration.
    pub(super) nanoseconds: f64,
    /// Floating-point operations or images per iteration.
    pub(super) elements: Option<u64>,
}

impl Benchmark {
    /// Billions of elements per second.
    pub(super) fn rate(&self) -> Option<f64> {
        Some(self.elements? as f64 / self.nanoseconds)
    }
}

/// Runs the benchmarks of all crates and returns them in order of execution.
pub(super) fn measure() -> Result<Vec<Benchmark>> {
    let home = workspace().join("target/criterion-page");
    if home.exists() {
        fs::remove_dir_all(&home).with_context(|| format!("cannot empty {}", home.display()))?;
    }
    let crates = ["nc-kernels", "nc-losses", "nc-metrics", "nc-data"];
    Cargo::new(["bench", "--benches"])
        .args(crates.map(|name| format!("--package={name}").into()).into())
        .env("CRITERION_HOME", &home)
        .run()?;
    let mut found = vec![];
    find(&home, &mut found)?;
    found.sort_by_key(|(ended, _)| *ended);
    found.into_iter().map(|(_, directory)| read(&directory)).collect()
}

/// Collects the result directories below `directory` with their modification times.
fn find(directory: &Path, found: &mut Vec<(SystemTime, PathBuf)>) -> Result<()> {
    for entry in fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))? {
        let path = entry?.path();
        if path.is_dir() && path.ends_with("new") {
            found.push((fs::metadata(path.join("benchmark.json"))?.modified()?, path));
        } else if path.is_dir() {
            find(&path, found)?;
        }
    }
    Ok(())
}

fn read(directory: &Path) -> Result<Benchmark> {
    #[derive(Deserialize)]
    struct Id {
        #[serde(rename = "group_id")]
        group: String,
        #[serde(rename = "function_id")]
        function: String,
        #[serde(rename = "value_str")]
        value: Option<String>,
        throughput: Option<Throughput>,
    }
    #[derive(Deserialize)]
    struct Throughput {
        #[serde(rename = "Elements")]
        elements: Option<u64>,
    }
    #[derive(Deserialize)]
    struct Estimates {
        median: Estimate,
    }
    #[derive(Deserialize)]
    struct Estimate {
        point_estimate: f64,
    }
    let id: Id = read_json(&directory.join("benchmark.json"))?;
    let estimates: Estimates = read_json(&directory.join("estimates.json"))?;
    Ok(Benchmark {
        group: id.group,
        function: id.function,
        value: id.value,
        nanoseconds: estimates.median.point_estimate,
        elements: id.throughput.and_then(|throughput| throughput.elements),
    })
}
