//! An image file, streamed and cropped: of a JPEG file, only the rows of the crop are decoded.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nc_data::{StreamOptions, Transform, folder};

fuzz_target!(|bytes: &[u8]| {
    let directory = nclt_fuzz::directory(&[("only/a.jpg", bytes)]);
    for exif_orientation in [false, true] {
        let evaluation = vec![Transform::CenterCrop { size: 2 }];
        let options = StreamOptions { size: (2, 2), exif_orientation, training: vec![], evaluation };
        let Some(files) = nclt_fuzz::read(folder::find(directory.path())) else { return };
        let Some(source) = nclt_fuzz::read(files.stream(&options, &mut ())) else { return };
        nclt_fuzz::stream(&source);
    }
});
