//! Result of a finished run. A parsed result must survive a round trip.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nc_record::RunDir;
use nc_train::RunResult;

fuzz_target!(|bytes: &[u8]| {
    let directory = nclt_fuzz::directory(&[(RunDir::RESULT, bytes)]);
    let read = || RunDir::read_result::<RunResult>(directory.path());
    if let Some(result) = nclt_fuzz::read(read()) {
        RunDir::open(directory.path()).expect("a run").write_result(&result).expect("a result");
        assert_eq!(read().expect("what was written"), result);
    }
});
