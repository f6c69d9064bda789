//! A record of the paper's tables.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nc_paper::{Records, Scale};

fuzz_target!(|bytes: &[u8]| {
    let directory = nclt_fuzz::directory(&[("quick/record.json", bytes)]);
    nclt_fuzz::read(Records::read(directory.path(), Scale::Quick));
});
