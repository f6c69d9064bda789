//! Output files of commands.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Result, ensure};
use nc_record::write_atomically;

/// True if `path` means standard output.
pub(crate) fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Fails before minutes of work if `path` cannot be written.
pub(crate) fn check(path: &Path) -> Result<()> {
    let directory = directory_of(path);
    ensure!(
        directory.is_dir(),
        "cannot write {}: directory {} does not exist",
        path.display(),
        directory.display()
    );
    ensure!(is_stdout(path) || !path.is_dir(), "cannot write {}: it is a directory", path.display());
    Ok(())
}

/// Writes the file, or to standard output for `-`.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if is_stdout(path) {
        let mut out = std::io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()?;
    } else {
        write_atomically(path, bytes)?;
    }
    Ok(())
}

/// Parent directory of `file`.
pub(crate) fn directory_of(file: &Path) -> PathBuf {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.map_or_else(|| ".".into(), Path::to_owned)
}
