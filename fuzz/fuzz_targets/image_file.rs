//! An image file: PNG, JPEG, WebP, BMP, TIFF or PNM, in its own size, scaled, and as `nclt check` and `predict` read it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nc_data::{ImageOptions, ImageShape, check_images, decode_files, folder};

fuzz_target!(|bytes: &[u8]| {
    // The format follows from the content.
    let directory = nclt_fuzz::directory(&[("only/a.png", bytes)]);
    let read = |size| folder::read_dir(directory.path(), ImageOptions { size, exif_orientation: true });
    let own = nclt_fuzz::read(read(None)).map(|source| source.train.shape());
    let scaled = nclt_fuzz::read(read(Some((3, 5)))).map(|source| source.train.shape());
    // Any image can be scaled, and its header says whether it has colour.
    assert_eq!(own.map(|shape| shape.channels), scaled.map(|shape| shape.channels));
    let Some(files) = nclt_fuzz::read(folder::find(directory.path())) else { return };
    let check = check_images(files, true, &mut ());
    let sizes: Vec<_> = check.sizes.into_keys().collect();
    assert_eq!(own.map(|shape| (shape.height, shape.width)), sizes.first().copied());
    let shape = ImageShape { channels: 1, height: 2, width: 2 };
    let decoded = decode_files(&[directory.path().join("only/a.png")], shape, ImageOptions::default());
    let decoded = nclt_fuzz::read(decoded).expect("a valid shape");
    assert_eq!(own.is_some(), decoded.errors.is_empty());
});
