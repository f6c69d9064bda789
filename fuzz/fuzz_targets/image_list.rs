//! A list of training images, in a directory with two images.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nc_data::list;

/// A grey pixel as PNG.
const PIXEL: &[u8] = include_bytes!("../seeds/pixel.png");

fuzz_target!(|bytes: &[u8]| {
    let directory = nclt_fuzz::directory(&[
        ("train.txt", bytes),
        ("a.png", PIXEL),
        ("b b/c.png", PIXEL),
        ("test.txt", b"a.png 0"),
    ]);
    if let Some(source) = nclt_fuzz::read(list::read_dir(directory.path(), nc_data::ImageOptions::default()))
    {
        assert!(source.train.len() <= bytes.len());
        assert!(source.train.num_classes() <= source.train.len());
    }
});
