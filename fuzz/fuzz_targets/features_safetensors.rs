//! A safetensors file given to `nclt analyze`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| nclt_fuzz::analyze(bytes));
