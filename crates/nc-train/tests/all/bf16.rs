//! Runs in bf16 on the CPU.

use std::fs;

use nc_record::RunDir;
use nc_train::{Error, Precision, RunOptions, Trained};

use crate::support::{StopAfter, experiment, train};

#[test]
fn a_run_in_bf16_resumes_to_the_same_bits_and_is_close_to_f32() {
    let [through, interrupted, in_f32] = [0; 3].map(|_| tempfile::tempdir().unwrap());
    let options =
        |out: &tempfile::TempDir| RunOptions { out: out.path().to_owned(), ..RunOptions::default() };
    let mut in_bf16 = experiment("nc-drw-crt");
    in_bf16.scale_epochs(3);
    let plain = train(&in_bf16, &options(&in_f32), &mut ()).unwrap();
    in_bf16.model.precision = Precision::Bf16;
    let expected = train(&in_bf16, &options(&through), &mut ()).unwrap();
    assert_ne!(expected.result.run_hash, plain.result.run_hash);
    assert_eq!(expected.result.network.as_ref().unwrap().precision, "bf16");

    let mut pauses = 0;
    let resumed = loop {
        match train(&in_bf16, &options(&interrupted), &mut StopAfter(5)) {
            Err(Error::Stopped { .. }) => pauses += 1,
            finished => break finished.unwrap(),
        }
    };
    assert!(pauses > 1, "{pauses}");
    let weights = |run: &nc_train::Finished| fs::read(run.directory.join(RunDir::WEIGHTS)).unwrap();
    assert!(weights(&resumed) == weights(&expected));
    assert_eq!(resumed.result.accuracy, expected.result.accuracy);
    assert_eq!(resumed.result.nc, expected.result.nc);

    assert!(weights(&plain) != weights(&expected));
    // An f32 run with these weights has the same figures.
    let checkpoint = plain.directory.join("from-bf16.safetensors");
    fs::write(&checkpoint, weights(&expected)).unwrap();
    let evaluated = Trained::open(&checkpoint, &options(&in_f32)).unwrap().evaluate().unwrap();
    assert_eq!(evaluated.accuracy, expected.result.accuracy);
    assert_eq!(evaluated.nc, expected.result.nc);

    let top1 = |run: &nc_train::Finished| run.result.accuracy.top1;
    assert!((top1(&plain) - top1(&expected)).abs() < 0.1, "{} and {}", top1(&plain), top1(&expected));
}
