use std::ffi::OsString;

use super::tools::Tools;
use crate::cargo::Cargo;

/// Features, environment and notes of a build.
#[derive(Default)]
pub(crate) struct Plan {
    notes: Vec<String>,
    env: Vec<(&'static str, String)>,
    pub(super) features: Vec<&'static str>,
    pub(super) device: Option<&'static str>,
}

impl Plan {
    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    pub(super) fn env(&mut self, name: &'static str, value: impl Into<String>) {
        self.env.push((name, value.into()));
    }

    /// Value of an environment variable in the build.
    pub(super) fn var(&self, tools: &impl Tools, name: &str) -> Option<String> {
        let planned = self.env.iter().find(|(known, _)| *known == name);
        planned.map(|(_, value)| value.clone()).or_else(|| tools.var(name))
    }

    /// The `--device` of `nclt` for this build.
    pub(crate) fn device(&self) -> Option<&'static str> {
        self.device
    }

    /// Cargo arguments for package and features.
    pub(crate) fn cargo_args(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec!["--package".into(), "nc-cli".into()];
        if !self.features.is_empty() {
            args.extend(["--features".into(), self.features.join(",").into()]);
        }
        args
    }

    /// Cargo with `args` in the environment of the build. Prints the notes.
    #[allow(clippy::print_stderr)]
    pub(crate) fn cargo(&self, args: Vec<OsString>) -> Cargo {
        for note in &self.notes {
            eprintln!("{note}");
        }
        self.env.iter().fold(Cargo::new(args), |cargo, (name, value)| cargo.env(name, value))
    }

    /// Notes, environment and command as shell code.
    pub(super) fn describe(&self, cargo: &[OsString]) -> String {
        let notes = self.notes.iter().map(|note| format!("# {note}\n"));
        let env = self.env.iter().map(|(name, value)| format!("{name}={} \\\n", quoted(value)));
        let command: Vec<_> = cargo.iter().map(|arg| quoted(&arg.to_string_lossy())).collect();
        notes.chain(env).chain([format!("cargo {}\n", command.join(" "))]).collect()
    }
}

/// Quotes `text` for a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:=,@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
