use std::{
    fs::File,
    io::{self, Read, Seek},
};

use super::{array::Array, npz::Npz, safetensors::SafetensorsFile};

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

    /// What is wrong where the entry `name` is missing.
    pub(super) fn lacks(&self, name: &str) -> String {
        const SHOWN: usize = 10;
        let mut names = match self {
            Self::Npz(file) => file.names(),
            Self::Safetensors(file) => file.names(),
        };
        if names.is_empty() {
            return format!("{name}: there is no such entry, nor any other");
        }
        names.sort_unstable();
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
    pub(super) fn matrix(&mut self, name: &str) -> Result<Option<(Vec<f32>, usize, usize)>, String> {
        let read = self.array(name).and_then(|array| array.map(Array::matrix).transpose());
        read.map_err(|reason| format!("{name}: {reason}"))
    }

    /// ... as floating-point numbers.
    pub(super) fn list(&mut self, name: &str) -> Result<Option<Vec<f32>>, String> {
        let read = self.array(name).and_then(|array| array.map(Array::list).transpose());
        read.map_err(|reason| format!("{name}: {reason}"))
    }

    /// ... as whole numbers.
    pub(super) fn integers<T: TryFrom<i128>>(&mut self, name: &str) -> Result<Option<Vec<T>>, String> {
        let read = self.array(name).and_then(|array| array.map(Array::integers).transpose());
        read.map_err(|reason| format!("{name}: {reason}"))
    }
}
