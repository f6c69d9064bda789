//! Files that hold no features, or not as they should.

use std::io::{Cursor, Write};

use safetensors::Dtype;
use zip::write::SimpleFileOptions;

use crate::features::{Entry, example, file, reason};

#[test]
fn the_entries_there_are_are_named() {
    assert_eq!(reason(&file(&[])), "features: there is no such entry, nor any other");
    let names: Vec<String> = (10..22).map(|number| format!("block{number}")).collect();
    let entries: Vec<Entry<'_>> =
        names.iter().map(|name| (name.as_str(), Dtype::U8, &[1][..], &[0][..])).collect();
    assert_eq!(
        reason(&file(&entries)),
        "features: there is no such entry among block10, block11, block12, block13, block14, block15, block16, \
         block17, block18, block19 and 2 more"
    );
}

/// A zip file of these members.
fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = zip::ZipWriter::new(Cursor::new(vec![]));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in members {
        file.start_file(*name, options).unwrap();
        file.write_all(bytes).unwrap();
    }
    file.finish().unwrap().into_inner()
}

#[test]
fn files_of_other_kinds_are_told_apart() {
    assert_eq!(reason(b""), "not a safetensors or npz file: it is empty");
    assert_eq!(
        reason(b"\x93NUMPY\x01\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (4, 3), }"),
        "not a safetensors or npz file, but one array of NumPy: write all with numpy.savez"
    );
    assert_eq!(
        reason(&archive(&[("model/data.pkl", b"pickle"), ("model/data/0", b"1234")])),
        "not a safetensors or npz file, but one of PyTorch: write it with safetensors.torch"
    );
    assert_eq!(
        reason(&archive(&[("labels.npy", b"array"), ("read me.txt", b"text")])),
        "features: there is no such entry among labels, read me.txt"
    );
}

#[test]
fn bytes_after_the_last_array_are_refused() {
    let mut bytes = example().to_safetensors().unwrap();
    bytes.push(0);
    let found = reason(&bytes);
    assert!(found.starts_with("the file is longer than its header says: expected "), "{found}");
}
