//! A list of images to leave out of a directory of two classes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nc_data::folder;

fuzz_target!(|bytes: &[u8]| {
    let directory = nclt_fuzz::directory(&[
        ("skip.txt", bytes),
        ("train/a/1.png", b""),
        ("train/a/2.png", b""),
        ("train/b c/\u{e9}.png", b""),
        ("test/a/3.png", b""),
    ]);
    let mut files = nclt_fuzz::read(folder::find(directory.path())).expect("a folder of images");
    nclt_fuzz::read(files.skip(&directory.path().join("skip.txt")));
});
