//! A list of training images, as text and as CSV, in a directory with two images.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nc_data::{ImageOptions, list};

/// A grey pixel as PNG.
const PIXEL: &[u8] = include_bytes!("../seeds/pixel.png");

fuzz_target!(|bytes: &[u8]| {
    for name in ["train.txt", "train.csv"] {
        let directory = nclt_fuzz::directory(&[(name, bytes), ("a.png", PIXEL), ("b b/c.png", PIXEL)]);
        let Some(files) = nclt_fuzz::read(list::find(directory.path())) else { continue };
        // A file that fuzzing names may be no image, such as the list itself.
        let Some(source) = nclt_fuzz::read(files.decode(ImageOptions::default(), &mut ())) else { continue };
        assert!(source.train.len() <= bytes.len());
        assert!(source.train.num_classes() <= source.train.len());
        assert!(source.train.groups().is_none_or(|groups| groups.len() == source.train.len()));
    }
});
