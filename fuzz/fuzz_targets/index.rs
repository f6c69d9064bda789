//! The index of a directory with an archive of images.

#![no_main]

use std::{
    fs::File,
    time::{Duration, UNIX_EPOCH},
};

use libfuzzer_sys::fuzz_target;
use nc_data::{StreamOptions, folder};

/// An archive of the classes a and b with an image each.
const ARCHIVE: &[u8] = include_bytes!("../seeds/archive/classes.tar");

fuzz_target!(|bytes: &[u8]| {
    let directory = nclt_fuzz::directory(&[("train.tar", ARCHIVE), (".nclt-index", bytes)]);
    let (training, evaluation) = (vec![], vec![]);
    let options = StreamOptions { size: (3, 5), exif_orientation: true, training, evaluation };
    // The time in the seed, so that the index counts.
    let archive = File::options().write(true).open(directory.path().join("train.tar")).expect("an archive");
    archive.set_modified(UNIX_EPOCH + Duration::from_secs(1_700_000_000)).expect("a time");
    // An index may have other files of the archive, but no damaged index is an error.
    let Some(files) = nclt_fuzz::read(folder::find(directory.path())) else { return };
    let Some(source) = nclt_fuzz::read(files.stream(&options, &mut ())) else { return };
    nclt_fuzz::stream(&source);
});
