use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// Access to the machine, replaced by a fake in tests.
pub(super) trait Tools {
    /// Operating system and processor, as in [`env::consts`].
    fn platform(&self) -> (&'static str, &'static str);

    /// Value of an environment variable, unless it is empty.
    fn var(&self, name: &str) -> Option<String>;

    fn is_file(&self, path: &Path) -> bool;

    /// Output of `program`, or the reason why it failed.
    fn output(&self, program: &Path, args: &[&str]) -> Result<String, String>;

    /// The first `program` on PATH.
    fn on_path(&self, program: &str) -> Option<PathBuf> {
        let program = format!("{program}{}", if self.platform().0 == "windows" { ".exe" } else { "" });
        let path = self.var("PATH")?;
        env::split_paths(&path).map(|directory| directory.join(&program)).find(|file| self.is_file(file))
    }
}

/// The machine that this program runs on.
pub(super) struct ThisMachine;

impl Tools for ThisMachine {
    fn platform(&self) -> (&'static str, &'static str) {
        (env::consts::OS, env::consts::ARCH)
    }

    fn var(&self, name: &str) -> Option<String> {
        env::var(name).ok().filter(|value| !value.is_empty())
    }

    fn is_file(&self, path: &Path) -> bool {
        path.is_file()
    }

    fn output(&self, program: &Path, args: &[&str]) -> Result<String, String> {
        let output = Command::new(program).args(args).output().map_err(|error| error.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}
