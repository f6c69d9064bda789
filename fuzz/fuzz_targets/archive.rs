//! A tar archive of images, read in place and streamed, first from the archive and then from its index.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nc_data::{Source, StreamOptions, Subset, folder};

fuzz_target!(|bytes: &[u8]| {
    let directory = nclt_fuzz::directory(&[("photos.tar", bytes)]);
    let (training, evaluation) = (vec![], vec![]);
    let options = StreamOptions { size: (3, 5), exif_orientation: true, training, evaluation };
    let read = || {
        let files = nclt_fuzz::read(folder::find(&directory.path().join("photos.tar")))?;
        nclt_fuzz::read(files.stream(&options, &mut ()))
    };
    let Some(source) = read() else { return };
    let again = read().expect("the same archive");
    let hash = |source: &Source| Subset::all(&source.train).hash().to_owned();
    assert_eq!(hash(&source), hash(&again));
    assert!(source.train.len() <= bytes.len() / 512);
});
