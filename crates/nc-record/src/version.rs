use std::path::Path;

use serde::Deserialize;

use crate::{Error, Result};

/// Format version of the events, results and checkpoints that this crate writes.
pub const FORMAT_VERSION: u32 = 1;

/// Rejects JSON from the file `path` whose format version is not [`FORMAT_VERSION`].
pub(crate) fn check(path: &Path, json: &[u8]) -> Result<()> {
    #[derive(Deserialize)]
    struct Header {
        format_version: u32,
    }
    let header: Header =
        serde_json::from_slice(json).map_err(|source| Error::Malformed { path: path.to_owned(), source })?;
    expect(path, header.format_version)
}

/// Rejects format versions other than [`FORMAT_VERSION`].
pub(crate) fn expect(path: &Path, found: u32) -> Result<()> {
    if found == FORMAT_VERSION {
        Ok(())
    } else {
        Err(Error::Version { path: path.to_owned(), found, expected: FORMAT_VERSION })
    }
}
