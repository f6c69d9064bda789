//! Files that are not valid feature files.

use std::io::{Cursor, Write};

use safetensors::Dtype;
use zip::write::SimpleFileOptions;

use crate::{
    features::{Entry, example, file, read},
    refusals::Refusals,
};

/// Builds a zip file.
fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = zip::ZipWriter::new(Cursor::new(vec![]));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in members {
        file.start_file(*name, options).unwrap();
        file.write_all(bytes).unwrap();
    }
    file.finish().unwrap().into_inner()
}

pub(crate) fn refused(told: &mut Refusals) {
    let array = b"\x93NUMPY\x01\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (4, 3), }";
    let names: Vec<String> = (10..22).map(|number| format!("block{number}")).collect();
    let many: Vec<Entry<'_>> =
        names.iter().map(|name| (name.as_str(), Dtype::U8, &[1][..], &[0][..])).collect();
    for (tried, bytes) in [
        ("an empty file", vec![]),
        ("a web page", b"<!doctype html><title>No features</title>".to_vec()),
        ("one array of NumPy", array.to_vec()),
        ("a file of PyTorch", archive(&[("model/data.pkl", b"pickle"), ("model/data/0", b"1234")])),
        ("an archive of other files", archive(&[("labels.npy", b"array"), ("read me.txt", b"text")])),
        ("a safetensors file of no tensors", file(&[])),
        ("a safetensors file of other tensors", file(&many)),
        ("a byte after the last array", [&example().to_safetensors().unwrap()[..], &[0]].concat()),
    ] {
        told.add(tried, read(&bytes));
    }
}
