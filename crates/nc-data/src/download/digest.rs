use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use md5::Md5;
use sha2::{Digest, Sha256};

use super::File;
use crate::{Error, Result, hex::hex};

/// Checks the size and both digests of the file at `path` against `file`.
pub(super) fn verify(file: &File, path: &Path) -> Result<()> {
    let unreadable = |source| Error::Read { path: path.to_owned(), source };
    let malformed = |message| Error::Malformed { path: path.to_owned(), message };
    let size = fs::metadata(path).map_err(unreadable)?.len();
    if size != file.size {
        return Err(malformed(format!("{} should have {} bytes, found {size}", file.name, file.size)));
    }
    let (md5, sha256) = digests(path).map_err(unreadable)?;
    for (kind, expected, found) in [("SHA-256", &file.sha256, sha256), ("MD5", &file.md5, md5)] {
        if !expected.eq_ignore_ascii_case(&found) {
            return Err(malformed(format!("{} should have {kind} {expected}, found {found}", file.name)));
        }
    }
    Ok(())
}

fn digests(path: &Path) -> io::Result<(String, String)> {
    let mut content = fs::File::open(path)?;
    let (mut md5, mut sha256) = (Md5::new(), Sha256::new());
    let mut buffer = vec![0; 1 << 16];
    loop {
        match content.read(&mut buffer)? {
            0 => return Ok((hex(&md5.finalize()), hex(&sha256.finalize()))),
            n => {
                md5.update(&buffer[..n]);
                sha256.update(&buffer[..n]);
            }
        }
    }
}
