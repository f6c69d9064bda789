use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{Result, error::io_error};

/// Writes a file beside its place (as `NAME.PROCESS-NUMBER.part`, which no other writer uses), synced, then renamed, so
/// that it is never seen half written, whoever else writes it at the same time. A link to a file is replaced, not followed:
/// one left behind in a directory cannot make a program write elsewhere. A device or pipe, as `/dev/stdout`, is written into.
///
/// # Errors
///
/// [`Error::Io`](crate::Error::Io); what stood there before is untouched.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return fs::write(path, bytes).map_err(io_error("write", path));
    }
    let write = || {
        let (mut file, part) = create_part(path)?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        written.and_then(|()| fs::rename(&part, path)).inspect_err(|_| {
            let _ = fs::remove_file(&part);
        })
    };
    write().map_err(io_error("write", path))?;
    // The new name, too, should outlive a loss of power, where the file system can see to it.
    #[cfg(unix)]
    if let Some(directory) = path.parent() {
        let here = Path::new(".");
        let directory = if directory.as_os_str().is_empty() { here } else { directory };
        let _ = File::open(directory).and_then(|directory| directory.sync_all());
    }
    Ok(())
}

/// A new file of a name that no other process has, here or on a machine that shares the directory.
fn create_part(target: &Path) -> io::Result<(File, PathBuf)> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    loop {
        let mut part = target.as_os_str().to_owned();
        part.push(format!(".{}-{}.part", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)));
        match File::create_new(&part) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created.map(|file| (file, part.into())),
        }
    }
}

/// Whether a file of this name is one that [`write_atomically`] began.
pub(crate) fn is_part(name: &OsStr) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let begun = || {
        let (_, numbers) = name.to_str()?.strip_suffix(".part")?.rsplit_once('.')?;
        let (process, count) = numbers.split_once('-')?;
        Some(number(process) && number(count))
    };
    begun().unwrap_or(false)
}
