//! Chunked reading of numeric arrays of any dtype.

use std::{
    fmt::{self, Display},
    io::Read,
};

use ::safetensors::Dtype;
use half::{bf16, f16};

use super::Floats;
use Element::Number;

/// Dtype of an array.
#[derive(Clone, Copy)]
pub(super) enum Element {
    Number(Dtype),
    /// NumPy's `S`: bytes, zero-padded to this length.
    Bytes(usize),
    /// NumPy's `U`: 32-bit code points, zero-padded to this length.
    Unicode(usize),
}

impl Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(dtype) => write!(f, "{dtype}"),
            Self::Bytes(width) => write!(f, "Bytes({width})"),
            Self::Unicode(length) => write!(f, "Unicode({length})"),
        }
    }
}

/// An array whose header has been parsed and whose data is unread.
pub(super) struct Array<'a> {
    pub(super) shape: Vec<usize>,
    pub(super) element: Element,
    pub(super) big_endian: bool,
    /// True for column-major (Fortran) order.
    pub(super) columns_first: bool,
    pub(super) data: Box<dyn Read + 'a>,
    /// Size of `data` in bytes as claimed by the file; plausible for the file's length.
    pub(super) bytes: u64,
}

/// Bytes converted per chunk; a multiple of every element size.
const PIECE: usize = 1 << 20;

impl Array<'_> {
    /// Reads a non-empty matrix in row-major order; returns values, rows and columns.
    pub(super) fn matrix(self) -> Result<(Floats, usize, usize), String> {
        let [rows @ 1..=usize::MAX, columns @ 1..=usize::MAX] = self.shape[..] else {
            return Err(format!("expected a non-empty matrix, found shape {:?}", self.shape));
        };
        let columns_first = self.columns_first;
        let values = match self.floats()? {
            Floats::F32(values) if columns_first => transposed(&values, rows)?.into(),
            Floats::F64(values) if columns_first => transposed(&values, rows)?.into(),
            values => values,
        };
        Ok((values, rows, columns))
    }

    /// Reads a vector of floating-point numbers.
    pub(super) fn list(self) -> Result<Floats, String> {
        self.expect_one_dimension()?;
        self.floats()
    }

    /// Reads a vector of non-negative integers.
    pub(super) fn integers<T: TryFrom<i128>>(self) -> Result<Vec<T>, String> {
        self.expect_one_dimension()?;
        match self.element {
            Number(Dtype::I8) => self.numbers(|bytes| whole(i8::from_le_bytes(bytes))),
            Number(Dtype::I16) => self.numbers(|bytes| whole(i16::from_le_bytes(bytes))),
            Number(Dtype::I32) => self.numbers(|bytes| whole(i32::from_le_bytes(bytes))),
            Number(Dtype::I64) => self.numbers(|bytes| whole(i64::from_le_bytes(bytes))),
            Number(Dtype::U8) => self.numbers(|bytes| whole(u8::from_le_bytes(bytes))),
            Number(Dtype::U16) => self.numbers(|bytes| whole(u16::from_le_bytes(bytes))),
            Number(Dtype::U32) => self.numbers(|bytes| whole(u32::from_le_bytes(bytes))),
            Number(Dtype::U64) => self.numbers(|bytes| whole(u64::from_le_bytes(bytes))),
            other => Err(format!("expected integers, found {other}")),
        }
    }

    /// Reads a vector of strings.
    pub(super) fn texts(mut self) -> Result<Vec<String>, String> {
        self.expect_one_dimension()?;
        let (width, unicode) = match self.element {
            Element::Bytes(width) => (width, false),
            Element::Unicode(length) => (length.saturating_mul(4), true),
            other @ Element::Number(_) => return Err(format!("expected text, found {other}")),
        };
        self.shape.push(width);
        let big_endian = std::mem::take(&mut self.big_endian);
        let bytes = self.numbers(|[byte]| Ok(byte))?;
        let text = |bytes: &[u8]| {
            let code = |bytes: &[u8; 4]| {
                if big_endian { u32::from_be_bytes(*bytes) } else { u32::from_le_bytes(*bytes) }
            };
            let text = if unicode {
                bytes.as_chunks().0.iter().map(|bytes| char::from_u32(code(bytes))).collect()
            } else {
                String::from_utf8(bytes.to_vec()).ok()
            };
            let text: String = text.ok_or("expected valid Unicode text")?;
            Ok(text.trim_end_matches('\0').to_owned())
        };
        bytes.chunks_exact(width.max(1)).map(text).collect()
    }

    fn expect_one_dimension(&self) -> Result<(), String> {
        if self.shape.len() == 1 {
            Ok(())
        } else {
            Err(format!("expected one dimension, found shape {:?}", self.shape))
        }
    }

    fn floats(self) -> Result<Floats, String> {
        match self.element {
            Number(Dtype::F16) => {
                self.numbers(|bytes| Ok(f16::from_le_bytes(bytes).to_f32())).map(Floats::F32)
            }
            Number(Dtype::BF16) => {
                self.numbers(|bytes| Ok(bf16::from_le_bytes(bytes).to_f32())).map(Floats::F32)
            }
            Number(Dtype::F32) => self.numbers(|bytes| Ok(f32::from_le_bytes(bytes))).map(Floats::F32),
            Number(Dtype::F64) => self.numbers(|bytes| Ok(f64::from_le_bytes(bytes))).map(Floats::F64),
            other => Err(format!("expected floating-point numbers, found {other}")),
        }
    }

    /// Reads all elements in file order; `number` gets little-endian bytes.
    fn numbers<T, const SIZE: usize>(
        mut self,
        number: impl Fn([u8; SIZE]) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        let (shape, found) = (&self.shape, self.bytes);
        let count = shape.iter().try_fold(1usize, |count, &dim| count.checked_mul(dim));
        let Some(count) = count.filter(|&count| count as u128 * SIZE as u128 == u128::from(found)) else {
            let element = self.element;
            return Err(format!("expected data of shape {shape:?} and {element}, found {found} bytes"));
        };
        let mut values = vec![];
        values.try_reserve_exact(count).map_err(|error| error.to_string())?;
        let mut piece = vec![0; PIECE.min(count * SIZE)];
        while values.len() < count {
            piece.truncate((count - values.len()) * SIZE);
            self.data
                .read_exact(&mut piece)
                .map_err(|error| format!("read error after {} of {count} values: {error}", values.len()))?;
            for bytes in piece.as_chunks_mut().0 {
                if self.big_endian {
                    bytes.reverse();
                }
                let value = number(*bytes).map_err(|reason| format!("value {}: {reason}", values.len()))?;
                values.push(value);
            }
        }
        // The zip reader verifies the checksum when it reaches the end.
        match self.data.read(&mut [0]) {
            Ok(0) => Ok(values),
            Ok(_) => Err(format!("found more than the {count} values of shape {shape:?}")),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn whole<T: TryFrom<i128>>(value: impl Into<i128>) -> Result<T, String> {
    let value = value.into();
    T::try_from(value).map_err(|_| format!("{value} is not a valid label or count"))
}

/// Converts column-major values to row-major.
fn transposed<T: Copy>(values: &[T], rows: usize) -> Result<Vec<T>, String> {
    let mut transposed = vec![];
    transposed.try_reserve_exact(values.len()).map_err(|error| error.to_string())?;
    transposed.extend((0..rows).flat_map(|row| values.iter().skip(row).step_by(rows)));
    Ok(transposed)
}
