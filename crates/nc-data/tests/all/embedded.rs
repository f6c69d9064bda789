use std::{fs, io::Read, path::Path};

use flate2::read::GzDecoder;
use nc_data::{Subset, fashion_mnist_lt, idx};

#[allow(dead_code)]
#[path = "../../examples/make_fashion_mnist_lt.rs"]
mod make_fashion_mnist_lt;

/// Directory of the official files in Debian's package `dataset-fashion-mnist`.
const OFFICIAL: &str = "/usr/share/datasets/fashion-mnist";

fn embedded() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/embedded"))
}

/// The hashes were computed by a separate program that follows [`Subset::hash`].
#[test]
fn embedded_data_keeps_its_hash() {
    let source = fashion_mnist_lt().unwrap();
    assert_eq!(source.train.class_counts(), [1000, 599, 359, 215, 129, 77, 46, 27, 16, 10]);
    assert_eq!(source.test.class_counts(), [200; 10]);
    assert_eq!(source.train.shape().to_string(), "1x28x28");
    assert_eq!(source.train.class_names()[9], "Ankle boot");
    assert_eq!(
        Subset::all(&source.train).hash(),
        "7b40cffa486b0d27228b5240a3994e71f3b3b2c10ff63955db27155d36b2cac5"
    );
    assert_eq!(
        Subset::all(&source.test).hash(),
        "f5d2bd6f47fc04414300c29b424c0723bab960cd998b204813edad800907c86c"
    );
}

#[test]
fn idx_reader_and_embedded_data_agree() {
    let (read, inside) = (idx::read_dir(embedded()).unwrap(), fashion_mnist_lt().unwrap());
    for (read, inside) in [(&read.train, &inside.train), (&read.test, &inside.test)] {
        assert_eq!(read.labels(), inside.labels());
        assert!((0..read.len()).all(|index| read.image(index) == inside.image(index)));
    }
}

#[test]
fn embedded_files_are_small_and_licensed() {
    let files: Vec<_> = fs::read_dir(embedded()).unwrap().map(|entry| entry.unwrap()).collect();
    let size: u64 = files.iter().map(|file| file.metadata().unwrap().len()).sum();
    assert!(size < 3_000_000, "{size} bytes");
    let licence = fs::read_to_string(embedded().join("LICENSE")).unwrap();
    assert!(licence.contains("The MIT License") && licence.contains("2017 Zalando SE"));
    assert!(fs::read_to_string(embedded().join("README.md")).unwrap().contains("make_fashion_mnist_lt"));
}

#[test]
#[ignore = "needs the official files, as Debian's package dataset-fashion-mnist installs them"]
fn the_example_reproduces_the_embedded_images() {
    let out = tempfile::tempdir().unwrap();
    make_fashion_mnist_lt::make(OFFICIAL.as_ref(), out.path()).unwrap();
    for name in idx::FILES.map(|name| format!("{name}.gz")) {
        // Compares the content: compressed bytes vary with the version and features of the compressor.
        let content = |path: &Path| {
            let mut bytes = vec![];
            GzDecoder::new(fs::File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
            bytes
        };
        let (made, committed) = (content(&out.path().join(&name)), content(&embedded().join(&name)));
        assert!(made == committed, "{name} differs");
    }
}
