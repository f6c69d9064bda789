use std::path::Path;

use serde::Deserialize;

use crate::{Error, Result};

/// The version of the records this crate writes: events, results, checkpoints.
pub const FORMAT_VERSION: u32 = 1;

/// Refuses JSON from the file `path` that is of another format version than this program's.
pub(crate) fn check(path: &Path, json: &[u8]) -> Result<()> {
    #[derive(Deserialize)]
    struct Header {
        format_version: u32,
    }
    let header: Header =
        serde_json::from_slice(json).map_err(|source| Error::Malformed { path: path.to_owned(), source })?;
    expect(path, header.format_version)
}

/// Refuses a format version other than this program's.
pub(crate) fn expect(path: &Path, found: u32) -> Result<()> {
    if found == FORMAT_VERSION {
        Ok(())
    } else {
        Err(Error::Version { path: path.to_owned(), found, expected: FORMAT_VERSION })
    }
}
