//! Reader of safetensors files, without loading the whole file.

use std::{
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
};

use safetensors::tensor::Metadata;

use super::array::{Array, Element};

/// Header size limit of the format, in bytes (<https://github.com/huggingface/safetensors#format>).
const LONGEST_HEADER: u64 = 100_000_000;

/// An open file with its parsed header.
pub(super) struct SafetensorsFile {
    file: BufReader<File>,
    metadata: Metadata,
    /// Offset of the data.
    start: u64,
}

impl SafetensorsFile {
    pub(super) fn open(file: File) -> Result<Self, String> {
        let cannot = |error: std::io::Error| format!("not a safetensors or npz file: {error}");
        let length = file.metadata().map_err(cannot)?.len();
        if length == 0 {
            return Err("not a safetensors or npz file: the file is empty".into());
        }
        let mut file = BufReader::new(file);
        let mut header = [0; 8];
        file.read_exact(&mut header).map_err(cannot)?;
        if header.starts_with(b"\x93NUMPY") {
            return Err(
                "expected a safetensors or npz file, found a single NumPy array; use numpy.savez".into()
            );
        }
        let header = u64::from_le_bytes(header);
        let Some(data) = length.checked_sub(8).and_then(|rest| rest.checked_sub(header)) else {
            return Err(format!(
                "not a safetensors or npz file: a header of {header} bytes does not fit in {length}"
            ));
        };
        if header > LONGEST_HEADER {
            return Err(format!("expected a header of at most {LONGEST_HEADER} bytes, found {header}"));
        }
        let mut text = vec![];
        file.by_ref().take(header).read_to_end(&mut text).map_err(cannot)?;
        let metadata: Metadata = serde_json::from_slice(&text)
            .map_err(|error| format!("not a safetensors or npz file: {error}"))?;
        let needed = metadata.data_len() as u64;
        if needed != data {
            let how = if needed > data { "truncated" } else { "longer than its header states" };
            return Err(format!("the file is {how}: expected {needed} bytes of data, found {data}"));
        }
        Ok(Self { file, metadata, start: 8 + header })
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.metadata.offset_keys()
    }

    /// The JSON array of strings under `key` in the metadata; none if missing.
    pub(super) fn texts(&self, key: &str) -> Result<Option<Vec<String>>, String> {
        let text = self.metadata.metadata().as_ref().and_then(|metadata| metadata.get(key));
        let parsed = text.map(|text| serde_json::from_str(text)).transpose();
        parsed.map_err(|error| format!("expected a JSON array of strings in the metadata: {error}"))
    }

    /// Opens the array `name`; none if missing.
    pub(super) fn array(&mut self, name: &str) -> Result<Option<Array<'_>>, String> {
        let Some(info) = self.metadata.info(name) else { return Ok(None) };
        let element = Element::Number(info.dtype);
        let (from, to) = info.data_offsets;
        let shape = info.shape.clone();
        self.file.seek(SeekFrom::Start(self.start + from as u64)).map_err(|error| error.to_string())?;
        let bytes = (to - from) as u64;
        let data = Box::new(self.file.by_ref().take(bytes));
        Ok(Some(Array { shape, element, big_endian: false, columns_first: false, data, bytes }))
    }
}
