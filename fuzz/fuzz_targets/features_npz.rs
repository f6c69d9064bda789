//! An npz file given to `nclt analyze`. An input that is a NumPy array becomes the features of a valid npz file,
//! because the zip checksum would reject mutated arrays.

#![no_main]

use std::io::{Cursor, Write};

use libfuzzer_sys::fuzz_target;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// Labels 0, 1, 1, 0 as a NumPy array.
const LABELS: &[u8] = include_bytes!("../seeds/labels.npy");

fn npz(features: &[u8]) -> Vec<u8> {
    let mut file = ZipWriter::new(Cursor::new(vec![]));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in [("features.npy", features), ("labels.npy", LABELS)] {
        file.start_file(name, options).expect("room");
        file.write_all(bytes).expect("room");
    }
    file.finish().expect("room").into_inner()
}

fuzz_target!(|bytes: &[u8]| {
    if bytes.starts_with(b"\x93NUMPY") { nclt_fuzz::analyze(&npz(bytes)) } else { nclt_fuzz::analyze(bytes) }
});
