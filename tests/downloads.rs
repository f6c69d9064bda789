//! `nclt download --from`: local files are verified, installed and found by `nclt train`.

use std::{fs, path::Path};

use md5::{Digest, Md5};
use sha2::Sha256;

use crate::run::{failure, last_line, nclt, stdout};

/// Writes four idx files (8x8 images and labels of ten classes) and their manifest.
fn write(dir: &Path) {
    let idx = |dims: &[u32], bytes: Vec<u8>| {
        let header =
            [0, 0, 8, dims.len() as u8].into_iter().chain(dims.iter().flat_map(|dim| dim.to_be_bytes()));
        header.chain(bytes).collect::<Vec<u8>>()
    };
    let images = |n: u32| idx(&[n, 8, 8], (0..n * 64).map(|i| (i * 31) as u8).collect());
    let labels = |n: u32| idx(&[n], (0..n).map(|i| (i % 10) as u8).collect());
    let files = [
        ("train-images-idx3-ubyte.gz", images(1000)),
        ("train-labels-idx1-ubyte.gz", labels(1000)),
        ("t10k-images-idx3-ubyte.gz", images(20)),
        ("t10k-labels-idx1-ubyte.gz", labels(20)),
    ];
    fs::create_dir(dir.join("fetched")).unwrap();
    let mut manifest = "[fashion-mnist]\nabout = \"made up\"\ndirectory = \"fashion-mnist\"\n".to_owned();
    for (name, bytes) in files {
        fs::write(dir.join("fetched").join(name), &bytes).unwrap();
        let hex = |digest: &[u8]| digest.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let (size, md5, sha256) = (bytes.len(), hex(&Md5::digest(&bytes)), hex(&Sha256::digest(&bytes)));
        manifest = format!(
            "{manifest}[[fashion-mnist.files]]\nname = {name:?}\nsize = {size}\nmd5 = {md5:?}\nsha256 = {sha256:?}\n\
             mirrors = []\n"
        );
    }
    fs::write(dir.join("manifest.toml"), manifest).unwrap();
}

#[test]
fn local_files_are_verified_and_found_by_train() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir);
    let train = ["train", "--preset", "fashion-mnist-lt-r100/ce", "--epochs", "1", "--json"];
    assert!(failure(&nclt(dir, &train)).contains("nclt download fashion-mnist"));

    let download = ["download", "fashion-mnist", "--manifest", "manifest.toml", "--from", "fetched"];
    let labels = dir.join("fetched/t10k-labels-idx1-ubyte.gz");
    let right = fs::read(&labels).unwrap();
    fs::write(&labels, "<html>").unwrap();
    let message = failure(&nclt(dir, &download));
    assert!(message.contains("t10k-labels-idx1-ubyte.gz should have 28 bytes, found 6"), "{message}");
    assert!(failure(&nclt(dir, &train)).contains("nclt download fashion-mnist"));

    fs::write(&labels, right).unwrap();
    assert!(stdout(&nclt(dir, &download)).starts_with("fashion-mnist: made up in "));
    assert!(stdout(&nclt(dir, &download)).starts_with("fashion-mnist: already in "));
    let result = last_line(&nclt(dir, &train));
    assert_eq!(result["data"]["class_counts"][9], 1);
    assert_eq!(result["data"]["test_images"], 20);
}
