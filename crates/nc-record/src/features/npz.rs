//! Reader of NumPy's `savez` and `savez_compressed` files.

use std::{
    fs::File,
    io::{BufReader, Read},
};

use ::safetensors::Dtype;
use zip::{ZipArchive, result::ZipError};

use super::array::{Array, Element};

/// A zip file of `NAME.npy` members.
pub(super) struct Npz {
    archive: ZipArchive<BufReader<File>>,
    /// File size in bytes.
    length: u64,
}

/// Maximum compression ratio of deflate (<https://zlib.net/zlib_tech.html>).
const MOST_INFLATED: u64 = 1032;

impl Npz {
    pub(super) fn open(file: File) -> Result<Self, String> {
        let cannot = |error: ZipError| format!("not an npz file: {error}");
        let length = file.metadata().map_err(|error| cannot(error.into()))?.len();
        let archive = ZipArchive::new(BufReader::new(file)).map_err(cannot)?;
        if archive.file_names().flatten().any(|name| name.ends_with("/data.pkl")) {
            return Err(
                "expected a safetensors or npz file, found a PyTorch file; save it with safetensors.torch"
                    .into(),
            );
        }
        Ok(Self { archive, length })
    }

    pub(super) fn names(&self) -> Vec<String> {
        let names = self.archive.file_names().flatten();
        names
            .map(|name| name.strip_suffix(".npy").map_or_else(|| format!("{name} (not .npy)"), str::to_owned))
            .collect()
    }

    /// Opens the array `name`; none if missing.
    pub(super) fn array(&mut self, name: &str) -> Result<Option<Array<'_>>, String> {
        let mut member = match self.archive.by_name(&format!("{name}.npy")) {
            Ok(member) => member,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let size = member.size();
        if size > self.length.saturating_mul(MOST_INFLATED) {
            return Err(format!("an array of {size} bytes does not fit in a file of {} bytes", self.length));
        }
        let mut data = member.by_ref().take(size);
        let Header { shape, element, big_endian, columns_first } = Header::read(&mut data)?;
        let bytes = data.limit();
        Ok(Some(Array { shape, element, big_endian, columns_first, data: Box::new(member), bytes }))
    }
}

/// The header of an npy file: a Python dictionary with three entries
/// (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>).
struct Header {
    shape: Vec<usize>,
    element: Element,
    big_endian: bool,
    columns_first: bool,
}

/// Limit on the header size in bytes; three entries need far less.
const LONGEST_HEADER: usize = 1 << 16;

impl Header {
    fn read(file: &mut impl Read) -> Result<Self, String> {
        let mut read = |bytes: &mut [u8]| {
            file.read_exact(bytes).map_err(|error| format!("cannot read the array header: {error}"))
        };
        let mut magic = [0; 8];
        read(&mut magic)?;
        let length = match magic {
            [0x93, b'N', b'U', b'M', b'P', b'Y', 1, _] => {
                let mut length = [0; 2];
                read(&mut length)?;
                usize::from(u16::from_le_bytes(length))
            }
            [0x93, b'N', b'U', b'M', b'P', b'Y', 2 | 3, _] => {
                let mut length = [0; 4];
                read(&mut length)?;
                u32::from_le_bytes(length) as usize
            }
            _ => return Err("not a NumPy array".into()),
        };
        if length > LONGEST_HEADER {
            return Err(format!("expected a header of at most {LONGEST_HEADER} bytes, found {length}"));
        }
        let mut text = vec![0; length];
        read(&mut text)?;
        let text = String::from_utf8_lossy(&text);
        Self::parse(&text).ok_or_else(|| {
            let shown: String = text.trim().chars().take(200).collect();
            format!("expected an array of numbers or text, found {shown:?}")
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let kind = entry(text, "descr")?.strip_prefix('\'')?.split_once('\'')?.0;
        let columns_first = match entry(text, "fortran_order")? {
            value if value.starts_with("True") => true,
            value if value.starts_with("False") => false,
            _ => return None,
        };
        let shape = entry(text, "shape")?.strip_prefix('(')?.split_once(')')?.0;
        let dims = shape.split(',').map(str::trim).filter(|dim| !dim.is_empty());
        let (order, kind) = kind.split_at_checked(1)?;
        Some(Self {
            shape: dims.map(|dim| dim.parse().ok()).collect::<Option<_>>()?,
            element: match kind {
                "f2" => Element::Number(Dtype::F16),
                "f4" => Element::Number(Dtype::F32),
                "f8" => Element::Number(Dtype::F64),
                "i1" => Element::Number(Dtype::I8),
                "i2" => Element::Number(Dtype::I16),
                "i4" => Element::Number(Dtype::I32),
                "i8" => Element::Number(Dtype::I64),
                "u1" => Element::Number(Dtype::U8),
                "u2" => Element::Number(Dtype::U16),
                "u4" => Element::Number(Dtype::U32),
                "u8" => Element::Number(Dtype::U64),
                _ => match kind.split_at_checked(1)? {
                    ("S", length) => Element::Bytes(length.parse().ok()?),
                    ("U", length) => Element::Unicode(length.parse().ok()?),
                    _ => return None,
                },
            },
            big_endian: match order {
                "<" | "|" => false,
                ">" => true,
                _ => return None,
            },
            columns_first,
        })
    }
}

/// The text after `'key':`.
fn entry<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let (_, after) = text.split_once(&format!("'{key}'"))?;
    Some(after.trim_start().strip_prefix(':')?.trim_start())
}
