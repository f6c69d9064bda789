use std::{
    fs::File,
    io::{self, Read, Seek},
};

use super::{array::Array, npz::Npz, safetensors::SafetensorsFile};

/// Entry name of the class names; a metadata key in safetensors files.
pub(super) const CLASS_NAMES: &str = "class_names";

/// A file of named arrays.
pub(super) enum Container {
    Npz(Npz),
    Safetensors(SafetensorsFile),
}

impl Container {
    /// True for a zip archive; any other file is treated as safetensors. Expects the file at its start and rewinds it.
    pub(super) fn is_zip(file: &mut File) -> io::Result<bool> {
        // A safetensors file starts with an 8-byte header length, which may read as "PK"; its ninth byte is "{".
        let mut start = [0; 9];
        let is_zip =
            file.read_exact(&mut start).is_ok() && start.starts_with(b"PK") && !start.ends_with(b"{");
        file.rewind()?;
        Ok(is_zip)
    }

    pub(super) fn open(file: File, is_zip: bool) -> Result<Self, String> {
        if is_zip {
            Npz::open(file).map(Self::Npz)
        } else {
            SafetensorsFile::open(file).map(Self::Safetensors)
        }
    }

    /// Entry names in alphabetical order.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names = match self {
            Self::Npz(file) => file.names(),
            Self::Safetensors(file) => file.names(),
        };
        names.sort_unstable();
        names
    }

    /// Class names: a string array in an npz file, JSON in the metadata of a safetensors file.
    pub(super) fn class_names(&mut self) -> Result<Option<Vec<String>>, String> {
        match self {
            Self::Npz(_) => self.read(CLASS_NAMES, Array::texts),
            Self::Safetensors(file) => {
                file.texts(CLASS_NAMES).map_err(|reason| format!("{CLASS_NAMES}: {reason}"))
            }
        }
    }

    /// The error for a missing entry `name`.
    pub(super) fn lacks(&self, name: &str) -> String {
        const SHOWN: usize = 10;
        let names = self.names();
        if names.is_empty() {
            return format!("{name}: missing entry; the file has no entries");
        }
        let shown = names[..names.len().min(SHOWN)].join(", ");
        let more = names.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{name}: missing entry; the file has {shown}{more}")
    }

    /// The entry `name`, converted by `read`; none if missing.
    pub(super) fn read<'a, T>(
        &'a mut self,
        name: &str,
        read: impl FnOnce(Array<'a>) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        let array = match self {
            Self::Npz(file) => file.array(name),
            Self::Safetensors(file) => file.array(name),
        };
        let read = array.and_then(|array| array.map(read).transpose());
        read.map_err(|reason| format!("{name}: {reason}"))
    }
}
