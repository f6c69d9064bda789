//! Packages all crates and runs a sample against each package.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::cargo::{Cargo, workspace};

/// Files required in every package.
const FILES: [&str; 4] = ["Cargo.toml", "README.md", "LICENSE-APACHE", "LICENSE-MIT"];

/// Files required in single packages. nc-data links to data/ with symbolic links.
const MORE_FILES: [(&str, &str); 4] = [
    ("nc-data", "manifest.toml"),
    ("nc-data", "official-lists.csv"),
    ("nc-data", "embedded/LICENSE"),
    ("nc-data", "embedded/train-images-idx3-ubyte.gz"),
];

/// Package all crates, then build and run the samples in tests/dependents against the packages.
///
/// A sample is a crate outside the workspace that depends on one packaged crate. It is built with the versions in
/// Cargo.lock and must print its expected.txt. The build directory is target/package-check.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Crates whose samples are run [default: all crates with a sample].
    crates: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    /// Registries to publish to: any if absent, none if empty.
    publish: Option<Vec<String>>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `dev` or `build`; absent for a normal dependency.
    kind: Option<String>,
}

impl Args {
    pub(crate) fn run(self) -> Result<()> {
        let names = self.samples()?;
        let home = workspace().join("target/package-check");
        let metadata = Cargo::new(["metadata", "--no-deps", "--format-version=1"]).printed()?;
        let Metadata { packages } = serde_json::from_str(&metadata)?;
        package(&packages, &home)?;
        names.iter().try_for_each(|name| run_sample(name, &packages, &home))
    }

    fn samples(&self) -> Result<Vec<String>> {
        let directory = workspace().join("tests/dependents");
        let entries =
            fs::read_dir(&directory).with_context(|| format!("cannot read {}", directory.display()))?;
        let mut names = vec![];
        for entry in entries {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        if let Some(unknown) = self.crates.iter().find(|name| !names.contains(name)) {
            bail!("{unknown}: no sample in tests/dependents; expected one of {}", names.join(", "));
        }
        Ok(if self.crates.is_empty() { names } else { self.crates.clone() })
    }
}

/// Packages every publishable crate, unpacks the packages below `home` and checks their files.
fn package(packages: &[Package], home: &Path) -> Result<()> {
    let (kept, published): (Vec<_>, Vec<_>) =
        packages.iter().partition(|package| package.publish.as_ref().is_some_and(Vec::is_empty));
    // --quiet hides a warning per crate that `repository` is not set.
    Cargo::new(["package", "--workspace", "--no-verify", "--allow-dirty", "--locked", "--quiet"])
        .args(kept.iter().map(|package| format!("--exclude={}", package.name).into()).collect())
        .args(vec!["--target-dir".into(), home.into()])
        .run()?;
    let unpacked = unpacked(home);
    if unpacked.exists() {
        fs::remove_dir_all(&unpacked).with_context(|| format!("cannot empty {}", unpacked.display()))?;
    }
    fs::create_dir_all(&unpacked).with_context(|| format!("cannot create {}", unpacked.display()))?;
    for Package { name, version, .. } in published {
        let archive = home.join(format!("package/{name}-{version}.crate"));
        // -m sets new modification times: those in a package are constant, and cargo would miss changes.
        let mut tar = Command::new("tar");
        let status = tar.arg("-xzmf").arg(&archive).arg("-C").arg(&unpacked).status();
        ensure!(status.context("cannot start tar")?.success(), "cannot unpack {}", archive.display());
        let directory = unpacked.join(format!("{name}-{version}"));
        if let Some(missing) = required_files(name).find(|file| !directory.join(file).is_file()) {
            bail!("{missing} is missing from the package {name}");
        }
    }
    Ok(())
}

fn required_files(name: &str) -> impl Iterator<Item = &'static str> {
    let more = MORE_FILES.iter().filter(move |(of, _)| *of == name).map(|(_, file)| *file);
    FILES.into_iter().chain(more)
}

fn unpacked(home: &Path) -> PathBuf {
    home.join("unpacked")
}

/// Builds and runs the sample for the crate `name` and compares its output.
fn run_sample(name: &str, packages: &[Package], home: &Path) -> Result<()> {
    let source = workspace().join("tests/dependents").join(name);
    let copy = home.join("samples").join(name);
    fs::create_dir_all(copy.join("src")).with_context(|| format!("cannot create {}", copy.display()))?;
    for (from, to) in [
        (source.join("Cargo.toml"), copy.join("Cargo.toml")),
        (source.join("src/main.rs"), copy.join("src/main.rs")),
        // Cargo keeps these versions and removes unused packages.
        (workspace().join("Cargo.lock"), copy.join("Cargo.lock")),
    ] {
        fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    let mut cargo: Vec<OsString> =
        vec!["run".into(), "--manifest-path".into(), copy.join("Cargo.toml").into()];
    cargo.extend(["--target-dir".into(), home.into()]);
    for package in closure(name, packages)? {
        let path = unpacked(home).join(format!("{}-{}", package.name, package.version));
        let patch = format!("patch.crates-io.{}.path='{}'", package.name, path.display());
        cargo.extend(["--config".into(), patch.into()]);
    }
    let found = Cargo::new(cargo).printed()?;
    let expected = source.join("expected.txt");
    let text =
        fs::read_to_string(&expected).with_context(|| format!("cannot read {}", expected.display()))?;
    ensure!(
        found == text,
        "tests/dependents/{name}: the output differs from expected.txt:\n{}",
        found.trim_end()
    );
    Ok(())
}

/// The package `name` and its workspace dependencies, without dev-dependencies.
fn closure<'a>(name: &str, packages: &'a [Package]) -> Result<Vec<&'a Package>> {
    let find = |name: &str| packages.iter().find(|package| package.name == name);
    let mut found = vec![find(name).with_context(|| format!("{name}: not a crate of this workspace"))?];
    let mut next = 0;
    while let Some(package) = found.get(next) {
        let built_with = package.dependencies.iter().filter(|on| on.kind.as_deref() != Some("dev"));
        for dependency in built_with.filter_map(|on| find(&on.name)) {
            if !found.iter().any(|package| package.name == dependency.name) {
                found.push(dependency);
            }
        }
        next += 1;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closure_has_transitive_dependencies_without_dev() {
        let Metadata { packages } = serde_json::from_str(
            r#"{"packages": [
                {"name": "b", "version": "1.0.0", "publish": null, "dependencies": [
                    {"name": "a", "kind": null}, {"name": "serde", "kind": null}, {"name": "d", "kind": "dev"}]},
                {"name": "a", "version": "1.0.0", "publish": null, "dependencies": []},
                {"name": "c", "version": "1.0.0", "publish": null, "dependencies": [
                    {"name": "b", "kind": null}, {"name": "a", "kind": null}]},
                {"name": "d", "version": "1.0.0", "publish": [], "dependencies": []}
            ]}"#,
        )
        .unwrap();
        let names = |name| -> Vec<&str> {
            closure(name, &packages).unwrap().iter().map(|package| &*package.name).collect()
        };
        assert_eq!(names("a"), ["a"]);
        assert_eq!(names("b"), ["b", "a"]);
        assert_eq!(names("c"), ["c", "b", "a"]);
        let unknown = closure("e", &packages).err().unwrap();
        assert_eq!(unknown.to_string(), "e: not a crate of this workspace");
    }
}
