//! Binary files of CIFAR-100; the input is the training file.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nc_data::cifar::{self, Cifar};

fuzz_target!(|bytes: &[u8]| {
    let directory = nclt_fuzz::directory(&[("train.bin", bytes), ("test.bin", &[0; 3074])]);
    if let Some(source) = nclt_fuzz::read(cifar::read_dir(directory.path(), Cifar::Hundred)) {
        assert_eq!(source.train.image(0), &bytes[2..3074]);
        assert_eq!(source.train.len() * 3074, bytes.len());
    }
});
