use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;

/// Reads a JSON file.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{}: unexpected contents", path.display()))
}

/// Standard output of `command`.
pub(super) fn printed(command: &mut Command) -> Result<String> {
    let program = command.get_program().display().to_string();
    let output = command.output().with_context(|| format!("cannot start {program}"))?;
    ensure!(output.status.success(), "{program} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_errors_name_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let told = |file: &str| {
            let error = format!(
                "{:#}",
                read_json::<super::super::machine::Machine>(&dir.path().join(file)).err().unwrap()
            );
            error.replace(&dir.path().display().to_string(), "DIRECTORY")
        };
        fs::write(dir.path().join("figures.json"), "3").unwrap();
        assert_eq!(
            told("figures.json"),
            "DIRECTORY/figures.json: unexpected contents: invalid type: integer `3`, expected struct Machine at line 1 \
             column 1"
        );
        assert_eq!(
            told("none.json"),
            "cannot read DIRECTORY/none.json: No such file or directory (os error 2)"
        );
    }
}
