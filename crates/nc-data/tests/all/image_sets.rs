//! Training, validation and test images of folders, and how they are decoded.

use std::{fs, io::Cursor, path::Path};

use image::{DynamicImage, GrayAlphaImage, GrayImage, ImageFormat, RgbImage};
use nc_data::{Groups, ImageOptions, LoadProgress, Source, folder};

use crate::support::complaint;

/// Writes a grey image of one value.
pub(crate) fn write(path: &Path, value: u8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    GrayImage::from_pixel(3, 2, [value].into()).save(path).unwrap();
}

fn read(root: &Path) -> Source {
    folder::read_dir(root, ImageOptions::default()).unwrap()
}

/// The value of each image.
fn values(images: &nc_data::Dataset) -> Vec<u8> {
    (0..images.len()).map(|index| images.image(index)[0]).collect()
}

#[test]
fn validation_is_a_set_of_its_own_beside_a_test_set() {
    for name in ["val", "valid", "validation"] {
        let root = tempfile::tempdir().unwrap();
        for (set, value) in [("train", 10), (name, 20), ("test", 30)] {
            write(&root.path().join(set).join("ant/a.png"), value);
        }
        write(&root.path().join("train/bee/b.png"), 11);
        let source = read(root.path());
        assert_eq!(values(&source.train), [10, 11]);
        let validation = source.validation.unwrap();
        assert_eq!((values(&validation), validation.class_counts()), (vec![20], vec![1, 0]));
        assert_eq!(values(&source.test), [30]);
        assert!(source.notes.is_empty(), "{:?}", source.notes);

        fs::remove_dir_all(root.path().join("test")).unwrap();
        let source = read(root.path());
        assert_eq!(values(&source.test), [20]);
        assert!(source.validation.is_none());
        let expected =
            format!("no directory test, so {name} is the test set; with both, {name} is the validation set");
        assert!(source.notes[0].ends_with(&expected), "{:?}", source.notes);
    }
}

#[test]
fn one_colour_image_in_any_set_makes_all_colour() {
    let root = tempfile::tempdir().unwrap();
    for set in ["train", "val", "test"] {
        write(&root.path().join(set).join("ant/a.png"), 9);
    }
    assert_eq!(read(root.path()).train.shape().channels, 1);
    RgbImage::from_pixel(3, 2, [1, 2, 3].into()).save(root.path().join("val/ant/b.png")).unwrap();
    let source = read(root.path());
    assert_eq!(source.train.image(0), [9; 18]);
    assert_eq!(source.validation.unwrap().image(1), [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3]);
}

/// The shape is decided by the headers of the files, so they must agree with the decoded images.
#[test]
fn headers_tell_grey_from_colour() {
    let root = tempfile::tempdir().unwrap();
    let grey = GrayImage::from_fn(8, 4, |x, y| [(30 * x + y) as u8].into());
    let mut files: Vec<(&str, Vec<u8>)> = vec![];
    let encoded = |image: DynamicImage, format| {
        let mut bytes = Cursor::new(vec![]);
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    for (name, format) in [
        ("grey.png", ImageFormat::Png),
        ("grey.jpg", ImageFormat::Jpeg),
        ("grey.tiff", ImageFormat::Tiff),
        ("grey.bmp", ImageFormat::Bmp),
        ("grey.pgm", ImageFormat::Pnm),
    ] {
        files.push((name, encoded(grey.clone().into(), format)));
    }
    let webp = encoded(DynamicImage::from(grey.clone()).into_rgb8().into(), ImageFormat::WebP);
    files.push(("grey.webp", webp));
    files.push(("alpha.png", encoded(GrayAlphaImage::new(8, 4).into(), ImageFormat::Png)));
    files
        .push(("deep.png", encoded(DynamicImage::from(grey.clone()).into_luma16().into(), ImageFormat::Png)));
    files.push(("bits.pbm", b"P4\n8 4\n\x0f\xf0\xaa\x55".to_vec()));
    files.push(("text.pbm", b"P1\n2 1\n0 1\n".to_vec()));
    // Palettes count as colour, even of grey.
    let mut indexed = vec![];
    let mut encoder = png::Encoder::new(&mut indexed, 8, 1);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::One);
    encoder.set_palette(vec![0, 0, 0, 200, 200, 200]);
    encoder.write_header().unwrap().write_image_data(&[0x55]).unwrap();
    files.push(("palette.png", indexed));
    let mut colours = vec![];
    for (name, bytes) in &files {
        let path = root.path().join(name).join("only").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        let decoded = image::open(&path).unwrap();
        let train = read(&root.path().join(name)).train;
        assert_eq!(train.shape().channels, if decoded.color().has_color() { 3 } else { 1 }, "{name}");
        let expected = if decoded.color().has_color() {
            let rgb = decoded.into_rgb8();
            [0, 1, 2].into_iter().flat_map(|channel| rgb.pixels().map(move |p| p[channel])).collect()
        } else {
            decoded.into_luma8().into_raw()
        };
        assert_eq!(train.image(0), expected, "{name}");
        colours.extend((train.shape().channels == 3).then_some(*name));
    }
    assert_eq!(colours, ["grey.bmp", "grey.webp", "palette.png"]);
}

/// The header of a JPEG file is read from its first 64 KiB if that suffices.
#[test]
fn long_jpeg_headers_are_read_whole() {
    let root = tempfile::tempdir().unwrap();
    let mut jpeg = Cursor::new(vec![]);
    RgbImage::from_fn(16, 8, |x, _| [if x < 8 { 250 } else { 5 }; 3].into())
        .write_to(&mut jpeg, ImageFormat::Jpeg)
        .unwrap();
    let segment =
        |content: &[u8]| [&[0xff, 0xe1], &(content.len() as u16 + 2).to_be_bytes()[..], content].concat();
    let exif = segment(b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0");
    let (start, rest) = jpeg.get_ref().split_at(2);
    for filling in [0, 1, 3] {
        let filling = segment(&vec![b'x'; 60_000]).repeat(filling);
        let path = root.path().join("only/a.jpg");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, [start, &filling, &exif, rest].concat()).unwrap();
        let train = read(root.path()).train;
        assert_eq!((train.shape().height, train.shape().width), (16, 8));
        assert!(train.image(0)[3] > 200 && train.image(0)[15 * 8 + 3] < 50);
    }
}

#[test]
fn files_with_bad_headers_and_bad_pixels_are_reported_together() {
    let root = tempfile::tempdir().unwrap();
    write(&root.path().join("ant/good.png"), 1);
    fs::write(root.path().join("ant/header.png"), "no image").unwrap();
    write(&root.path().join("bee/pixels.png"), 2);
    let whole = fs::read(root.path().join("bee/pixels.png")).unwrap();
    fs::write(root.path().join("bee/pixels.png"), &whole[..whole.len() - 14]).unwrap();
    for size in [None, Some((4, 4))] {
        let options = ImageOptions { size, ..ImageOptions::default() };
        let message = complaint(folder::read_dir(root.path(), options));
        assert!(message.starts_with("2 images cannot be read:"), "{message}");
        assert!(message.contains("ant/header.png") && message.contains("bee/pixels.png"), "{message}");
    }
}

#[test]
fn loading_announces_its_memory_and_counts_images() {
    #[derive(Default)]
    struct Calls(Vec<(usize, u64)>);
    impl LoadProgress for Calls {
        fn begins_headers(&mut self, images: usize) {
            self.0.push((images, 1));
        }
        fn begins(&mut self, images: usize, bytes: u64) {
            self.0.push((images, bytes));
        }
        fn decoded(&mut self, images: usize) {
            self.0.push((images, 0));
        }
    }
    let root = tempfile::tempdir().unwrap();
    for value in 0..200 {
        write(&root.path().join(format!("train/ant/{value}.png")), value);
        write(&root.path().join(format!("test/ant/{value}.png")), value);
    }
    let mut calls = Calls::default();
    folder::find(root.path()).unwrap().decode(ImageOptions::default(), &mut calls).unwrap();
    let images = |calls: &[(usize, u64)]| calls.iter().map(|(images, _)| images).sum::<usize>();
    let decoding = calls.0.iter().position(|call| *call == (400, 400 * 6)).unwrap();
    assert_eq!(calls.0[0], (400, 1));
    assert_eq!((images(&calls.0[1..decoding]), images(&calls.0[decoding + 1..])), (400, 400));
}

#[test]
fn names_may_have_spaces_and_any_script() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().join("meine Fotos \u{1f98b}");
    // The same class composed and decomposed; one image in a class; an image two levels deep.
    write(&root.join("train/caf\u{e9} au lait/bild 1.png"), 1);
    write(&root.join("train/\u{732b}/\u{5199}\u{771f}/a b.png"), 2);
    write(&root.join("val/cafe\u{301} au lait/\u{fc}.png"), 3);
    write(&root.join("test/\u{732b}/x.png"), 4);
    let source = read(&root);
    assert_eq!(source.train.class_names(), ["caf\u{e9} au lait", "\u{732b}"]);
    assert_eq!(source.validation.unwrap().class_counts(), [1, 0]);
    assert_eq!(source.test.class_counts(), [0, 1]);
}

#[test]
fn a_thousand_classes_of_one_image_are_read() {
    let root = tempfile::tempdir().unwrap();
    for class in 0..1000 {
        write(&root.path().join(format!("train/{class}/a.png")), (class % 256) as u8);
    }
    write(&root.path().join("test/999/b.png"), 7);
    let source = read(root.path());
    assert_eq!(source.train.class_counts(), [1; 1000]);
    assert_eq!(source.test.labels(), [999]);
    assert_eq!(source.test.class_names()[999], "999");
}

/// The groups of the training images, by file.
fn groups(root: &Path, groups: &Groups) -> Vec<u32> {
    let mut files = folder::find(root).unwrap();
    files.group_by(groups).unwrap();
    files.decode(ImageOptions::default(), &mut ()).unwrap().train.groups().unwrap().to_vec()
}

#[test]
fn directories_and_file_names_give_groups_within_a_class() {
    let root = tempfile::tempdir().unwrap();
    // In the order of reading.
    for file in [
        "ant/caf\u{e9}/1_1.png",
        "ant/cafe\u{301}/1_2.png",
        "ant/video/1_2.png",
        "ant/video/part/2_1.png",
        "ant/x_1.png",
        "ant/y.png",
        "bee/video/1_1.png",
        "bee/x_1.png",
        "bee/x_2.png",
    ] {
        write(&root.path().join(file), 1);
    }
    let mut by_directory = groups(root.path(), &Groups::Directory);
    // Decomposed names come first in the order of bytes; both are one directory.
    assert_eq!(by_directory[0], by_directory[1]);
    by_directory.remove(1);
    assert_eq!(by_directory, [0, 1, 2, 3, 4, 5, 6, 7]);
    let by_name = groups(root.path(), &Groups::FileName { until: "_".into() });
    assert_eq!(by_name, [0, 0, 0, 1, 2, 3, 4, 5, 5]);
}

#[test]
fn folders_have_no_column() {
    let root = tempfile::tempdir().unwrap();
    write(&root.path().join("ant/a.png"), 1);
    let message = folder::find(root.path()).unwrap().group_by(&Groups::Column).unwrap_err().to_string();
    assert!(message.starts_with("expected a CSV list with a column group, found none"), "{message}");
}
