use std::{
    fs::File,
    io::{self, Read, Seek},
};

use super::{Floats, array::Array, npz::Npz, safetensors::SafetensorsFile};

/// The entry with class names, or its key in the metadata of a safetensors file.
pub(super) const CLASS_NAMES: &str = "class_names";

/// A file with named arrays.
pub(super) enum Container {
    Npz(Npz),
    Safetensors(SafetensorsFile),
}

impl Container {
    /// Whether a file, read from its start, is an archive; else it is taken for a safetensors file.
    pub(super) fn is_zip(file: &mut File) -> io::Result<bool> {
        // The header of a safetensors file begins at its ninth byte; its length before that can read as "PK", too.
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

    /// The entries, in alphabetical order.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names = match self {
            Self::Npz(file) => file.names(),
            Self::Safetensors(file) => file.names(),
        };
        names.sort_unstable();
        names
    }

    /// Class names: an array of text in an npz file, JSON in the metadata of a safetensors file.
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
            return format!("{name}: there is no such entry, nor any other");
        }
        let shown = names[..names.len().min(SHOWN)].join(", ");
        let more = names.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{name}: there is no such entry among {shown}{more}")
    }

    fn array(&mut self, name: &str) -> Result<Option<Array<'_>>, String> {
        match self {
            Self::Npz(file) => file.array(name),
            Self::Safetensors(file) => file.array(name),
        }
    }

    /// The entry `name`, if there is one, as rows with their number and width.
    pub(super) fn matrix(&mut self, name: &str) -> Result<Option<(Floats, usize, usize)>, String> {
        let read = self.array(name).and_then(|array| array.map(Array::matrix).transpose());
        read.map_err(|reason| format!("{name}: {reason}"))
    }

    /// ... as floating-point numbers.
    pub(super) fn list(&mut self, name: &str) -> Result<Option<Floats>, String> {
        let read = self.array(name).and_then(|array| array.map(Array::list).transpose());
        read.map_err(|reason| format!("{name}: {reason}"))
    }

    /// ... as whole numbers.
    pub(super) fn integers<T: TryFrom<i128>>(&mut self, name: &str) -> Result<Option<Vec<T>>, String> {
        let read = self.array(name).and_then(|array| array.map(Array::integers).transpose());
        read.map_err(|reason| format!("{name}: {reason}"))
    }
}
