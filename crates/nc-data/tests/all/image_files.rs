//! Image folders.

use std::{fs, io::Cursor, path::Path};

use image::{DynamicImage, GrayImage, ImageBuffer, ImageFormat, RgbImage, RgbaImage};
use nc_data::{
    Dataset, Error, Groups, ImageOptions, ImageShape, Source, Subset, check_images, decode_files, folder,
};
use proptest::prelude::*;

use crate::refusals::Refusals;
use crate::support::{SMALL, complaint, dataset, picture, shuffled};

fn sized(size: (usize, usize)) -> ImageOptions {
    ImageOptions { size: Some(size), ..ImageOptions::default() }
}

/// Writes the images into one directory per class, under names unrelated to their order.
fn write_folder(root: &Path, dataset: &Dataset) {
    for index in 0..dataset.len() {
        let class = root.join(format!("class {}", dataset.labels()[index]));
        fs::create_dir_all(&class).unwrap();
        picture(dataset, index).save(class.join(format!("{}.png", (index * 37) % 101))).unwrap();
    }
}

#[test]
fn folders_give_the_same_subset_as_in_memory_images() {
    for channels in [1, 3] {
        let shape = ImageShape { channels, ..SMALL };
        let (train, test) = (dataset(shape, &[7, 4, 2]), shuffled(&dataset(shape, &[2, 2, 1]), 3));
        for test_name in ["test", "val", "validation"] {
            let directory = tempfile::tempdir().unwrap();
            write_folder(&directory.path().join("train"), &train);
            write_folder(&directory.path().join(test_name), &test);
            let source = folder::read_dir(directory.path(), ImageOptions::default()).unwrap();
            assert_eq!(source.train.shape(), shape);
            assert_eq!(source.train.class_names(), ["class 0", "class 1", "class 2"]);
            assert_eq!(Subset::all(&source.train).hash(), Subset::all(&train).hash());
            assert_eq!(Subset::all(&source.test).hash(), Subset::all(&test).hash());
        }
    }
}

#[test]
fn a_folder_without_train_has_no_test_set() {
    let directory = tempfile::tempdir().unwrap();
    let images = dataset(SMALL, &[3, 1]);
    write_folder(directory.path(), &images);
    // Other files and hidden directories are neither classes nor images; subdirectories of a class belong to it.
    fs::write(directory.path().join("README.txt"), "nothing").unwrap();
    fs::create_dir(directory.path().join(".cache")).unwrap();
    fs::write(directory.path().join("class 0/notes.txt"), "nothing").unwrap();
    fs::create_dir(directory.path().join("class 1/more")).unwrap();
    picture(&images, 0).save(directory.path().join("class 1/more/deep.PNG")).unwrap();
    let source = folder::read_dir(directory.path(), ImageOptions::default()).unwrap();
    assert_eq!(source.train.class_counts(), [3, 2]);
    assert!(source.test.is_empty());
    let [note] = &source.notes[..] else { panic!("{:?}", source.notes) };
    assert!(note.contains("skipped 3 of 8 files (2 .txt, 1 hidden)"), "{note}");
}

#[test]
fn skipped_files_are_counted_in_notes() {
    let directory = tempfile::tempdir().unwrap();
    let images = dataset(SMALL, &[3, 3]);
    for set in ["train", "test"] {
        write_folder(&directory.path().join(set), &images);
    }
    // JPEG files with each extension, and five files of other kinds.
    let jpeg = |name: &str| {
        let path = directory.path().join("train/class 1").join(name);
        RgbImage::new(4, 5).save_with_format(path, ImageFormat::Jpeg).unwrap();
    };
    for name in ["a.JPG", "b.jpeg", "c.jpe", "d.jfif", "e.jif"] {
        jpeg(name);
    }
    for name in ["a.gif", "b.gif", "c.svg", "no-ending", ".hidden"] {
        fs::write(directory.path().join("train/class 0").join(name), "").unwrap();
    }
    fs::write(directory.path().join("train/stray.png"), "").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("nowhere", directory.path().join("train/class 0/lost.png")).unwrap();
    #[cfg(not(unix))]
    fs::write(directory.path().join("train/class 0/lost.svg"), "").unwrap();
    fs::create_dir(directory.path().join("more")).unwrap();
    fs::write(directory.path().join("labels.csv"), "").unwrap();
    let source = folder::read_dir(directory.path(), ImageOptions::default()).unwrap();
    assert_eq!(source.train.class_counts(), [3, 8]);
    let [beside, train] = &source.notes[..] else { panic!("{:?}", source.notes) };
    assert!(beside.ends_with("not used: more, labels.csv"), "{beside}");
    let expected = if cfg!(unix) {
        "skipped 7 of 18 files (2 .gif, 1 .svg, 1 beside class directories, 1 hidden, 1 not a file, 1 without extension)"
    } else {
        "skipped 7 of 18 files (2 .gif, 2 .svg, 1 beside class directories, 1 hidden, 1 without extension)"
    };
    assert!(train.contains(expected), "{train}");
}

#[test]
fn a_directory_one_level_too_high_is_refused_or_reported() {
    let root = tempfile::tempdir().unwrap();
    write_folder(&root.path().join("photos"), &dataset(SMALL, &[2, 1]));
    let message = complaint(folder::read_dir(root.path(), ImageOptions::default()));
    assert!(message.contains("single class \"photos\", which has 2 directories itself"), "{message}");

    write_folder(&root.path().join("more"), &dataset(SMALL, &[2, 1]));
    let source = folder::read_dir(root.path(), ImageOptions::default()).unwrap();
    assert_eq!(source.train.class_names(), ["more", "photos"]);
    assert!(source.notes[0].contains("all images are in subdirectories"), "{:?}", source.notes);
    let mut files = folder::find(root.path()).unwrap();
    files.group_by(&Groups::Directory).unwrap();
    assert!(files.decode(ImageOptions::default(), &mut ()).unwrap().notes.is_empty());
}

#[test]
fn all_unusable_classes_are_reported_together() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    for set in ["train", "test"] {
        write_folder(&path(set), &dataset(SMALL, &[2, 2]));
    }
    for name in ["train/films/1.gif", "train/films/2.gif", "train/films/.hidden", "test/wasp/1.png"] {
        fs::create_dir_all(path(name).parent().unwrap()).unwrap();
        fs::write(path(name), "").unwrap();
    }
    fs::create_dir(path("train/empty")).unwrap();
    // Directories that archives from macOS have beside their files are no classes.
    fs::create_dir(path("train/__MACOSX")).unwrap();
    let files = folder::find(directory.path()).unwrap();
    let Err(Error::Classes { reasons }) = files.survey(ImageOptions::default(), &mut ()) else {
        panic!("classes are unusable")
    };
    let expected = [
        ("train/empty", "no images, an empty directory"),
        ("train/films", "no images, only 2 .gif, 1 hidden"),
        ("test/wasp", "no training images of this class"),
    ];
    assert_eq!(reasons, expected.map(|(class, reason)| format!("{}: {reason}", path(class).display())));
    let check = check_images(files, true, &mut ());
    assert_eq!(check.unusable_classes, reasons);
    assert_eq!(check.classes.len(), 2);
    let message = complaint(folder::read_dir(directory.path(), ImageOptions::default()));
    assert!(
        message.starts_with("3 class directories cannot be used; remove them or add images"),
        "{message}"
    );
}

#[test]
fn all_unreadable_images_are_reported_together() {
    let directory = tempfile::tempdir().unwrap();
    write_folder(directory.path(), &dataset(SMALL, &[2, 2]));
    for class in ["class 0", "class 1"] {
        fs::write(directory.path().join(class).join("bad.png"), "not an image").unwrap();
    }
    for size in [None, Some((5, 4))] {
        let message = folder::read_dir(directory.path(), ImageOptions { size, ..Default::default() })
            .unwrap_err()
            .to_string();
        assert!(message.starts_with("2 images cannot be read:"), "{message}");
        assert!(message.contains("class 0/bad.png") && message.contains("class 1/bad.png"), "{message}");
    }
}

// On case-insensitive file systems, a directory "Train" is the training set.
#[cfg(target_os = "linux")]
#[test]
fn misnamed_splits_are_not_read_as_classes() {
    for names in [["Train", "test"], ["Val", "training"], ["VALIDATION", "cat"], ["train", "Test"]] {
        let directory = tempfile::tempdir().unwrap();
        for name in names {
            write_folder(&directory.path().join(name), &dataset(SMALL, &[2, 1]));
        }
        let read = folder::read_dir(directory.path(), ImageOptions::default());
        assert!(matches!(read, Err(Error::Malformed { .. })), "{names:?}: {read:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn class_names_without_text_are_refused() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    for name in [&b"a\xe9"[..], b"a\x1b[2J", b"a\nb", "a\u{202e}b".as_bytes()] {
        let directory = tempfile::tempdir().unwrap();
        write_folder(&directory.path().join(OsStr::from_bytes(name)), &dataset(SMALL, &[1]));
        let message = complaint(folder::read_dir(directory.path(), ImageOptions::default()));
        assert!(message.contains("expected UTF-8 class names without control characters"), "{message}");
    }
}

#[cfg(unix)]
#[test]
fn cyclic_symlinks_count_no_image_twice() {
    let directory = tempfile::tempdir().unwrap();
    write_folder(directory.path(), &dataset(SMALL, &[3, 1]));
    std::os::unix::fs::symlink(".", directory.path().join("class 0/again")).unwrap();
    assert_eq!(
        folder::read_dir(directory.path(), ImageOptions::default()).unwrap().train.class_counts(),
        [3, 1]
    );
}

#[test]
fn highly_compressed_two_colour_images_are_read() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("only")).unwrap();
    let file = fs::File::create(directory.path().join("only/a.png")).unwrap();
    let side = 3000;
    let mut encoder = png::Encoder::new(file, side, side);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::One);
    encoder.set_palette(vec![0, 0, 0, 255, 0, 0]);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&vec![0; (side * side / 8) as usize]).unwrap();
    writer.finish().unwrap();
    let train = folder::read_dir(directory.path(), sized((8, 8))).unwrap().train;
    assert_eq!(train.shape(), ImageShape { channels: 3, height: 8, width: 8 });
}

#[test]
fn grey_and_colour_files_mix_and_alpha_is_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let class = directory.path().join("only");
    fs::create_dir(&class).unwrap();
    GrayImage::from_pixel(2, 1, [7].into()).save(class.join("a.png")).unwrap();
    RgbaImage::from_pixel(2, 1, [1, 2, 3, 0].into()).save(class.join("b.png")).unwrap();
    let sixteen: ImageBuffer<image::Luma<u16>, Vec<u16>> = ImageBuffer::from_pixel(2, 1, [0x1234].into());
    DynamicImage::from(sixteen).save(class.join("c.png")).unwrap();
    let train = folder::read_dir(directory.path(), ImageOptions::default()).unwrap().train;
    assert_eq!(train.shape(), ImageShape { channels: 3, height: 1, width: 2 });
    assert_eq!(train.image(0), [7; 6]);
    assert_eq!(train.image(1), [1, 1, 2, 2, 3, 3]);
    assert_eq!(train.image(2), [0x12; 6]);
}

#[test]
fn images_are_scaled_and_centre_cropped() {
    let directory = tempfile::tempdir().unwrap();
    let class = directory.path().join("only");
    fs::create_dir(&class).unwrap();
    // Left and right quarters black; the remaining middle square grey with a white right half.
    let wide = GrayImage::from_fn(16, 8, |x, _| {
        [if !(4..12).contains(&x) {
            0
        } else if x < 8 {
            100
        } else {
            255
        }]
        .into()
    });
    wide.save(class.join("a.png")).unwrap();
    GrayImage::from_pixel(3, 5, [50].into()).save(class.join("b.jpg")).unwrap();
    assert!(matches!(
        folder::read_dir(directory.path(), ImageOptions::default()),
        Err(Error::ImageSizes { .. })
    ));
    let train = folder::read_dir(directory.path(), sized((4, 4))).unwrap().train;
    assert_eq!(train.shape(), ImageShape { channels: 1, height: 4, width: 4 });
    // Halving with a triangle filter: weights 1/8, 3/8, 3/8, 1/8 over the neighbours, cut off or not.
    for row in train.image(0).chunks(4) {
        assert!(row[0].abs_diff(88) <= 1, "{row:?}");
        assert!(row[3].abs_diff(223) <= 1, "{row:?}");
        assert!(row[1].abs_diff(119) <= 1 && row[2].abs_diff(236) <= 1, "{row:?}");
    }
    assert!(train.image(1).iter().all(|pixel| pixel.abs_diff(50) <= 1));
}

#[test]
fn every_format_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let class = directory.path().join("only");
    fs::create_dir(&class).unwrap();
    let image = RgbImage::from_fn(6, 4, |x, y| [40 * x as u8, 60 * y as u8, 7].into());
    for ending in ["png", "webp", "bmp", "tiff", "ppm"] {
        image.save(class.join(format!("lossless.{ending}"))).unwrap();
    }
    image.save(class.join("lossy.jpg")).unwrap();
    let train = folder::read_dir(directory.path(), ImageOptions::default()).unwrap().train;
    assert_eq!((train.len(), train.shape()), (6, ImageShape { channels: 3, height: 4, width: 6 }));
    for index in 1..5 {
        assert_eq!(train.image(index), train.image(0));
    }
}

/// A JPEG file with an EXIF orientation (TIFF tag 0x0112).
fn turned(image: &RgbImage, orientation: u8) -> Vec<u8> {
    let mut jpeg = Cursor::new(vec![]);
    image.write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    let mut file = vec![0xff, 0xd8, 0xff, 0xe1];
    file.extend((exif.len() as u16 + 2).to_be_bytes());
    file.extend(exif);
    file.extend(&jpeg.into_inner()[2..]);
    file
}

#[test]
fn exif_orientation_turns_images_if_wanted() {
    let directory = tempfile::tempdir().unwrap();
    let class = directory.path().join("only");
    fs::create_dir(&class).unwrap();
    // Bright on the left; turned by 90 degrees clockwise, bright at the top.
    let image = RgbImage::from_fn(16, 8, |x, _| [if x < 8 { 250 } else { 5 }; 3].into());
    fs::write(class.join("a.jpg"), turned(&image, 6)).unwrap();
    let read = |exif_orientation| {
        let options = ImageOptions { exif_orientation, ..ImageOptions::default() };
        folder::read_dir(directory.path(), options).unwrap().train
    };
    let (upright, stored) = (read(true), read(false));
    assert_eq!((upright.shape().height, upright.shape().width), (16, 8));
    assert_eq!((stored.shape().height, stored.shape().width), (8, 16));
    let (top, bottom) = (upright.image(0)[3], upright.image(0)[15 * 8 + 3]);
    assert!(top > 200 && bottom < 50, "{top} {bottom}");
    // The size in the header counts after turning.
    fs::write(class.join("b.jpg"), turned(&image, 1)).unwrap();
    let options = ImageOptions::default();
    assert!(matches!(folder::read_dir(directory.path(), options), Err(Error::ImageSizes { .. })));
}

#[test]
fn composed_and_decomposed_names_are_one_class() {
    let directory = tempfile::tempdir().unwrap();
    let images = dataset(SMALL, &[2, 2]);
    for (split, name) in [("train", "caf\u{e9}"), ("test", "cafe\u{301}")] {
        for (class, index) in [(name, 0), ("tea", 2)] {
            let class = directory.path().join(split).join(class);
            fs::create_dir_all(&class).unwrap();
            picture(&images, index).save(class.join("a.png")).unwrap();
        }
    }
    let source = folder::read_dir(directory.path(), ImageOptions::default()).unwrap();
    assert_eq!(source.train.class_names(), ["caf\u{e9}", "tea"]);
    assert_eq!(source.test.class_counts(), [1, 1]);
}

#[test]
fn files_are_decoded_to_one_shape_and_errors_returned() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    RgbImage::from_pixel(20, 10, [10, 200, 30].into()).save(path("a.png")).unwrap();
    fs::write(path("b.png"), "no image").unwrap();
    GrayImage::from_pixel(3, 9, [77].into()).save(path("c.png")).unwrap();
    let paths = ["a.png", "b.png", "c.png"].map(path);
    let grey = ImageShape { channels: 1, height: 4, width: 4 };
    let decoded = decode_files(&paths, grey, ImageOptions::default()).unwrap();
    assert_eq!(decoded.paths, [paths[0].clone(), paths[2].clone()]);
    assert_eq!(decoded.errors.len(), 1);
    // Luma: 0.299 * 10 + 0.587 * 200 + 0.114 * 30.
    assert_eq!((decoded.images.image(0)[0], decoded.images.image(1)[0]), (124, 77));
    let colour = decode_files(&paths, ImageShape { channels: 3, ..grey }, ImageOptions::default()).unwrap();
    assert_eq!(colour.images.image(0)[16], 200);
    assert!(decode_files(&paths, ImageShape { channels: 2, ..grey }, ImageOptions::default()).is_err());
}

pub(crate) fn refused(told: &mut Refusals) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    told.add("an empty folder", folder::read_dir(path, ImageOptions::default()));
    fs::create_dir(path.join("training")).unwrap();
    told.add("a training set under another name", folder::read_dir(path, ImageOptions::default()));
    fs::rename(path.join("training"), path.join("Test")).unwrap();
    write_folder(&path.join("train"), &dataset(SMALL, &[2, 2]));
    told.add("a test set under another name", folder::read_dir(path, ImageOptions::default()));
    fs::remove_dir(path.join("Test")).unwrap();
    fs::create_dir_all(path.join("test/class 7")).unwrap();
    fs::write(path.join("test/class 7/x.jpg"), "").unwrap();
    told.add("a test class without training images", folder::read_dir(path, ImageOptions::default()));
    fs::rename(path.join("test/class 7"), path.join("test/class 1")).unwrap();
    fs::remove_file(path.join("test/class 1/x.jpg")).unwrap();
    told.add("a class without images", folder::read_dir(path, ImageOptions::default()));
    fs::write(path.join("test/class 1/x.jpg"), "<html>").unwrap();
    told.add("a web page in place of an image", folder::read_dir(path, ImageOptions::default()));
    GrayImage::new(3, 2).save(path.join("test/class 1/x.jpg")).unwrap();
    told.add("images of two sizes", folder::read_dir(path, ImageOptions::default()));
    let jpeg = encoded(ImageFormat::Jpeg);
    told.add("a truncated image", read_image(&jpeg[..jpeg.len() - 2]));
}

#[test]
fn images_that_declare_implausible_sizes_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("only/a.png");
    fs::create_dir(directory.path().join("only")).unwrap();
    GrayImage::new(2, 1).save(&path).unwrap();
    // Width and height follow the signature, chunk length and name; the checksum follows 13 bytes of chunk data.
    let mut bytes = fs::read(&path).unwrap();
    for size in [20_000u32, 5_000] {
        bytes[16..20].copy_from_slice(&size.to_be_bytes());
        bytes[20..24].copy_from_slice(&size.to_be_bytes());
        let mut crc = flate2::Crc::new();
        crc.update(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        fs::write(&path, &bytes).unwrap();
        let message = complaint(folder::read_dir(directory.path(), ImageOptions::default()));
        assert!(
            message.contains("a.png: ") && message.contains("pixels needs more than the 16 MiB"),
            "{message}"
        );
    }
}

/// Reads one image as a folder with a single class.
fn read_image(bytes: &[u8]) -> Result<Source, Error> {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("only")).unwrap();
    fs::write(directory.path().join("only/a.png"), bytes).unwrap();
    folder::read_dir(directory.path(), ImageOptions::default())
}

/// Segments such as a preview may contain an end marker, and other data may follow the image.
#[test]
fn images_without_pixels_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("only")).unwrap();
    fs::write(directory.path().join("only/a.pbm"), "P4 4 0 ").unwrap();
    for size in [None, Some((3, 5))] {
        let options = ImageOptions { size, ..ImageOptions::default() };
        let error = folder::read_dir(directory.path(), options).unwrap_err().to_string();
        assert!(error.contains("it has no pixels"), "{error}");
    }
}

#[test]
fn embedded_previews_do_not_hide_truncated_jpegs() {
    let image = encoded(ImageFormat::Jpeg);
    let preview = [&[0xff, 0xe1][..], &((image.len() + 2) as u16).to_be_bytes(), &image].concat();
    let with_preview = [&image[..2], &preview, &image[2..]].concat();
    let bare = read_image(&image).unwrap().train;
    let read = read_image(&[&with_preview[..], b"a film \xff\xda"].concat()).unwrap().train;
    assert_eq!(read.image(0), bare.image(0));
    for left in [with_preview.len() - 2, with_preview.len() - 8] {
        let message = complaint(read_image(&with_preview[..left]));
        assert!(message.contains("a.png: ") && message.contains("cut off"), "{message}");
    }
}

/// A small image in either format.
fn encoded(format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(vec![]);
    RgbImage::from_fn(9, 8, |x, y| [x as u8, y as u8, 50].into()).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

proptest! {
    #[test]
    fn corrupt_images_are_read_or_refused_by_name(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        png: bool,
    ) {
        let mut bytes = encoded(if png { ImageFormat::Png } else { ImageFormat::Jpeg });
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Err(error) = read_image(&bytes) {
            prop_assert!(error.to_string().contains("a.png: "), "{error}");
        }
    }

    #[test]
    fn truncated_images_are_refused(place: prop::sample::Index, png: bool) {
        let bytes = encoded(if png { ImageFormat::Png } else { ImageFormat::Jpeg });
        // In a PNG file, only an end marker follows the pixels.
        let pixels = bytes.len() - if png { 12 } else { 0 };
        prop_assert!(read_image(&bytes[..place.index(pixels)]).is_err());
    }
}
