use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{Result, error::io_error};

/// Writes a file atomically: writes and syncs `NAME.PROCESS-NUMBER.part` (unique per writer) in the same directory,
/// then renames it. Readers never see a partial file, even with concurrent writers. Symlinks to files are replaced, not
/// followed, so a link left in a directory cannot redirect the write. Devices and pipes, such as `/dev/stdout`, are
/// written directly.
///
/// # Errors
///
/// [`Error::Io`](crate::Error::Io); the previous file is untouched.
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
    // Sync the directory so that the rename survives a power loss, where the file system supports it.
    #[cfg(unix)]
    if let Some(directory) = path.parent() {
        let here = Path::new(".");
        let directory = if directory.as_os_str().is_empty() { here } else { directory };
        let _ = File::open(directory).and_then(|directory| directory.sync_all());
    }
    Ok(())
}

/// Creates a temporary file with a unique name, also among machines that share the directory.
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

/// True for the name of a temporary file of [`write_atomically`].
pub(crate) fn is_part(name: &OsStr) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let begun = || {
        let (_, numbers) = name.to_str()?.strip_suffix(".part")?.rsplit_once('.')?;
        let (process, count) = numbers.split_once('-')?;
        Some(number(process) && number(count))
    };
    begun().unwrap_or(false)
}

/// Errors if `path` is a symbolic link: a link left in a directory must not make a program write elsewhere.
pub(crate) fn refuse_link(path: &Path) -> Result<()> {
    let is_link = fs::symlink_metadata(path).is_ok_and(|there| there.is_symlink());
    let refused = || io::Error::other("it is a symbolic link; remove it");
    if is_link { Err(io_error("write", path)(refused())) } else { Ok(()) }
}
