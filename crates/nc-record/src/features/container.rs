use std::{
    fs::File,
    io::{self, Read, Seek},
};

use super::{Floats, array::Array, npz::Npz, safetensors::SafetensorsFile};

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
        let names = match self {
            Self::Npz(file) => file.array(CLASS_NAMES).and_then(|array| array.map(Array::texts).transpose()),
            Self::Safetensors(file) => file.texts(CLASS_NAMES),
        };
        names.map_err(|reason| format!("{CLASS_NAMES}: {reason}"))
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

    fn array(&mut self, name: &str) -> Result<Option<Array<'_>>, String> {
        match self {
            Self::Npz(file) => file.array(name),
            Self::Safetensors(file) => file.array(name),
        }
    }

    /// The entry `name` as a matrix, with its numbers of rows and columns; none if missing.
    pub(super) fn matrix(&mut self, name: &str) -> Result<Option<(Floats, usize, usize)>, String> {
        let read = self.array(name).and_then(|array| array.map(Array::matrix).transpose());
        read.map_err(|reason| format!("{name}: {reason}"))
    }

    /// The entry `name` as a vector of floating-point numbers; none if missing.
    pub(super) fn list(&mut self, name: &str) -> Result<Option<Floats>, String> {
        let read = self.array(name).and_then(|array| array.map(Array::list).transpose());
        read.map_err(|reason| format!("{name}: {reason}"))
    }

    /// The entry `name` as a vector of integers; none if missing.
    pub(super) fn integers<T: TryFrom<i128>>(&mut self, name: &str) -> Result<Option<Vec<T>>, String> {
        let read = self.array(name).and_then(|array| array.map(Array::integers).transpose());
        read.map_err(|reason| format!("{name}: {reason}"))
    }
}
