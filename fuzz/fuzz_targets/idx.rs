//! The four idx files; the first byte of the input selects the file that the rest replaces.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nc_data::idx;

/// Two images of 2x3 pixels and their labels.
const IMAGES: &[u8] =
    &[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
const LABELS: &[u8] = &[0, 0, 8, 1, 0, 0, 0, 2, 0, 2];

fuzz_target!(|input: &[u8]| {
    let Some((&chosen, bytes)) = input.split_first() else { return };
    let mut files: [(&str, &[u8]); 4] =
        std::array::from_fn(|file| (idx::FILES[file], [IMAGES, LABELS][file % 2]));
    files[usize::from(chosen % 4)].1 = bytes;
    let directory = nclt_fuzz::directory(&files);
    if let Some(source) = nclt_fuzz::read(idx::read_dir(directory.path())) {
        assert_eq!(source.train.shape(), source.test.shape());
        assert!(source.train.len() * source.train.shape().values() <= 1032 * input.len().max(1 << 10));
    }
});
