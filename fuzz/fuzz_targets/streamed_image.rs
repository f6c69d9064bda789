//! An image file, streamed and cropped: of a JPEG file, only the rows of the crop are decoded.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nc_data::{Loader, LoaderConfig, Normalize, StreamOptions, Subset, Transform, folder};

fuzz_target!(|bytes: &[u8]| {
    let directory = nclt_fuzz::directory(&[("only/a.jpg", bytes)]);
    for exif_orientation in [false, true] {
        let evaluation = vec![Transform::CenterCrop { size: 2 }];
        let options = StreamOptions { size: (2, 2), exif_orientation, training: vec![], evaluation };
        let Some(files) = nclt_fuzz::read(folder::find(directory.path())) else { return };
        let Some(source) = nclt_fuzz::read(files.stream(&options, &mut ())) else { return };
        let channels = source.train.shape().channels;
        let config = LoaderConfig {
            views: vec![],
            epochs: None,
            batch_size: 1,
            normalize: Normalize { mean: vec![0.0; channels], std: vec![1.0; channels] },
            seed: 0,
            workers: 1,
            device: candle_core::Device::Cpu,
        };
        let loader = Loader::sequential(&Subset::all(&source.train), config);
        for batch in loader.expect("a valid configuration").epoch(0) {
            nclt_fuzz::read(batch);
        }
    }
});
