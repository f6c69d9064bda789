use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use anyhow::{Context, Result};

/// A call of cargo in the user's directory.
pub(crate) struct Cargo(Command);

impl Cargo {
    pub(crate) fn new<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Self {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(args);
        // These variables describe xtask itself and would rerun build scripts that depend on them.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        Self(command)
    }

    pub(crate) fn args(mut self, args: Vec<OsString>) -> Self {
        self.0.args(args);
        self
    }

    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(key, value);
        self
    }

    /// Sets the working directory.
    pub(crate) fn directory(mut self, path: &Path) -> Self {
        self.0.current_dir(path);
        self
    }

    /// Runs the command. If it fails, exits with its exit code, because it has already printed the reason.
    pub(crate) fn run(mut self) -> Result<()> {
        let status = self.0.status().with_context(|| self.cannot_start())?;
        exit_unless_successful(status);
        Ok(())
    }

    /// Like [`run`](Self::run), but returns the standard output; messages still reach the terminal.
    pub(crate) fn printed(mut self) -> Result<String> {
        let output = self.0.stderr(Stdio::inherit()).output().with_context(|| self.cannot_start())?;
        exit_unless_successful(output.status);
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn cannot_start(&self) -> String {
        format!("cannot start {}", self.0.get_program().display())
    }

    /// Runs the command in place of this process (`exec` on Unix), so that signals reach it and the caller sees its
    /// exit code.
    pub(crate) fn run_last(self) -> Result<()> {
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            let Self(mut command) = self;
            let program = command.get_program().to_owned();
            // `exec` returns only on failure.
            Err(command.exec()).with_context(|| format!("cannot start {}", program.display()))
        }
        #[cfg(not(unix))]
        self.run()
    }
}

fn exit_unless_successful(status: ExitStatus) {
    if !status.success() {
        #[allow(clippy::exit)]
        std::process::exit(status.code().unwrap_or(1));
    }
}

/// The workspace's root.
pub(crate) fn workspace() -> PathBuf {
    // xtask is directly below the root.
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}
