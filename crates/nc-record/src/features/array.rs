//! Numbers of any width in a file, read in pieces.

use std::io::Read;

/// How a number stands in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    F16,
    Bf16,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
}

impl Element {
    /// Bytes of a number.
    pub(super) fn size(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::F16 | Self::Bf16 | Self::I16 | Self::U16 => 2,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F64 | Self::I64 | Self::U64 => 8,
        }
    }

    /// The number in `bytes`, the lowest first, of which as many count as it is long; none for integers.
    fn float(self, bytes: [u8; 8]) -> Option<f64> {
        let [a, b, c, d, ..] = bytes;
        match self {
            Self::F16 => Some(half::f16::from_le_bytes([a, b]).to_f64()),
            Self::Bf16 => Some(half::bf16::from_le_bytes([a, b]).to_f64()),
            Self::F32 => Some(f64::from(f32::from_le_bytes([a, b, c, d]))),
            Self::F64 => Some(f64::from_le_bytes(bytes)),
            _ => None,
        }
    }

    /// The same for integers.
    fn integer(self, bytes: [u8; 8]) -> Option<i128> {
        let [a, b, c, d, ..] = bytes;
        match self {
            Self::I8 => Some(i128::from(a.cast_signed())),
            Self::I16 => Some(i128::from(i16::from_le_bytes([a, b]))),
            Self::I32 => Some(i128::from(i32::from_le_bytes([a, b, c, d]))),
            Self::I64 => Some(i128::from(i64::from_le_bytes(bytes))),
            Self::U8 => Some(i128::from(a)),
            Self::U16 => Some(i128::from(u16::from_le_bytes([a, b]))),
            Self::U32 => Some(i128::from(u32::from_le_bytes([a, b, c, d]))),
            Self::U64 => Some(i128::from(u64::from_le_bytes(bytes))),
            _ => None,
        }
    }
}

/// An array in a file, whose numbers are still to be read.
pub(super) struct Array<'a> {
    pub(super) shape: Vec<usize>,
    pub(super) element: Element,
    pub(super) big_endian: bool,
    /// Whether the first index runs fastest.
    pub(super) columns_first: bool,
    pub(super) data: Box<dyn Read + 'a>,
}

/// Numbers that are converted at once.
const PIECE: usize = 1 << 16;

impl Array<'_> {
    /// A matrix as rows, with its number of rows and columns.
    pub(super) fn matrix(self) -> Result<(Vec<f32>, usize, usize), String> {
        let [rows, columns] = self.shape[..] else {
            return Err(format!("expected two dimensions, found shape {:?}", self.shape));
        };
        let columns_first = self.columns_first;
        let values = self.floats()?;
        if !columns_first {
            return Ok((values, rows, columns));
        }
        let mut transposed = Vec::with_capacity(values.len());
        transposed.extend(
            (0..rows)
                .flat_map(|row| (0..columns).map(move |column| (row, column)))
                .map(|(row, column)| values[column * rows + row]),
        );
        Ok((transposed, rows, columns))
    }

    /// A list of floating-point numbers.
    pub(super) fn list(self) -> Result<Vec<f32>, String> {
        if self.shape.len() != 1 {
            return Err(format!("expected one dimension, found shape {:?}", self.shape));
        }
        self.floats()
    }

    fn floats(self) -> Result<Vec<f32>, String> {
        let element = self.element;
        self.convert(|bytes, index| {
            let value = element
                .float(bytes)
                .ok_or_else(|| format!("expected floating-point numbers, found {element:?}"))?;
            let narrow = value as f32;
            if narrow.is_infinite() && value.is_finite() {
                return Err(format!("value {index} is {value:e}, which no 32-bit number can hold"));
            }
            Ok(narrow)
        })
    }

    /// A list of whole numbers from 0.
    pub(super) fn integers<T: TryFrom<i128>>(self) -> Result<Vec<T>, String> {
        if self.shape.len() != 1 {
            return Err(format!("expected one dimension, found shape {:?}", self.shape));
        }
        let element = self.element;
        self.convert(|bytes, index| {
            let value =
                element.integer(bytes).ok_or_else(|| format!("expected integers, found {element:?}"))?;
            T::try_from(value)
                .map_err(|_| format!("value {index} is {value}, which is not a class or a number of samples"))
        })
    }

    /// All numbers in the order of the file. Memory grows with what is really there.
    fn convert<T>(mut self, convert: impl Fn([u8; 8], usize) -> Result<T, String>) -> Result<Vec<T>, String> {
        let (size, shape) = (self.element.size(), &self.shape);
        let count = shape.iter().try_fold(1usize, |count, &dim| count.checked_mul(dim));
        let count = count.ok_or_else(|| format!("shape {shape:?} is larger than any file"))?;
        let mut values = vec![];
        let mut bytes = vec![0; PIECE.min(count) * size];
        while values.len() < count {
            let piece = &mut bytes[..PIECE.min(count - values.len()) * size];
            self.data.read_exact(piece).map_err(|error| {
                let read = values.len();
                format!(
                    "expected {count} values as shape {shape:?} says, could not read on after {read}: {error}"
                )
            })?;
            for number in piece.chunks_exact(size) {
                let mut lowest_first = [0; 8];
                lowest_first[..size].copy_from_slice(number);
                if self.big_endian {
                    lowest_first[..size].reverse();
                }
                values.push(convert(lowest_first, values.len())?);
            }
        }
        Ok(values)
    }
}
