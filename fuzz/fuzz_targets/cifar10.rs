//! Binary files of CIFAR-10; the input is the first one.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nc_data::cifar::{self, Cifar};

fuzz_target!(|bytes: &[u8]| {
    let good = [0; 3073];
    let directory = nclt_fuzz::directory(&[
        ("data_batch_1.bin", bytes),
        ("data_batch_2.bin", &good),
        ("data_batch_3.bin", &good),
        ("data_batch_4.bin", &good),
        ("data_batch_5.bin", &good),
        ("test_batch.bin", &good),
    ]);
    if let Some(source) = nclt_fuzz::read(cifar::read_dir(directory.path(), Cifar::Ten)) {
        assert_eq!(source.train.image(0), &bytes[1..3073]);
        assert_eq!((source.train.len() - 4) * 3073, bytes.len());
    }
});
