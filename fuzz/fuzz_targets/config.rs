//! A configuration file. A parsed configuration must survive a round trip.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nc_train::Settings;

fuzz_target!(|bytes: &[u8]| {
    let directory = nclt_fuzz::directory(&[("config.toml", bytes)]);
    let path = directory.path().join("config.toml");
    let resolve = || Settings { config: Some(&path), ..Settings::default() }.resolve();
    if let Some(experiment) = nclt_fuzz::read(resolve()) {
        std::fs::write(&path, experiment.to_toml().expect("a sound experiment")).expect("a file");
        assert_eq!(resolve().expect("what was written"), experiment);
    }
});
