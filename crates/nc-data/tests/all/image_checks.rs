//! Inspection of image files.

use std::fs;

use nc_data::{Copied, Error, Groups, ImageOptions, Set, check_images, folder};

use crate::image_sets::write;

#[test]
fn copies_across_all_sets_and_classes_are_found() {
    let root = tempfile::tempdir().unwrap();
    let path = |file: &str| root.path().join(file);
    for (file, value) in [
        ("train/ant/1.png", 1),
        ("train/ant/2.png", 2),
        ("train/ant/2b.png", 2),
        ("train/bee/2.png", 2),
        ("train/bee/3.png", 3),
        ("val/ant/1.png", 1),
        ("val/ant/4.png", 4),
        ("val/ant/4b.png", 4),
        ("test/ant/1.png", 1),
        ("test/bee/4.png", 4),
    ] {
        write(&path(file), value);
    }
    fs::write(path("test/bee/bad.png"), "no image").unwrap();
    let check = check_images(folder::find(root.path()).unwrap(), true, &mut ());
    let copied = |(file, set, original, original_set, same_class): (&str, Set, &str, Set, bool)| Copied {
        path: path(file),
        set,
        original: path(original),
        original_set,
        same_class,
    };
    let across = [
        ("val/ant/1.png", Set::Validation, "train/ant/1.png", Set::Training, true),
        ("test/ant/1.png", Set::Test, "train/ant/1.png", Set::Training, true),
        ("test/ant/1.png", Set::Test, "val/ant/1.png", Set::Validation, true),
        ("test/bee/4.png", Set::Test, "val/ant/4.png", Set::Validation, false),
    ];
    assert_eq!(check.copies_across, across.map(copied));
    let between = [("train/bee/2.png", Set::Training, "train/ant/2.png", Set::Training, false)];
    assert_eq!(check.copies_between_classes, between.map(copied));
    assert_eq!(check.copies_within_classes, 1);
    assert_eq!(check.unreadable.len(), 1);
    let counts = check.classes.iter().map(|class| (class.train, class.validation, class.test, class.groups));
    assert_eq!(counts.collect::<Vec<_>>(), [(3, 3, 1, None), (2, 0, 1, None)]);
    assert_eq!((check.grey, check.sizes.get(&(2, 3))), (10, Some(&10)));
}

#[test]
fn checking_and_decoding_give_the_same_reasons() {
    let root = tempfile::tempdir().unwrap();
    write(&root.path().join("ant/a.png"), 1);
    let noise: Vec<u8> = (0..500u32).map(|index| (index * index % 251) as u8).collect();
    fs::write(root.path().join("ant/noise.jpg"), noise).unwrap();
    fs::write(root.path().join("ant/start.jpg"), [0xff, 0xd8, 0xff, 0xe0, 0, 16, b'J', b'F']).unwrap();
    fs::write(root.path().join("ant/ended.jpg"), [0xff, 0xd8, 0xff, 0xd9]).unwrap();
    let check = check_images(folder::find(root.path()).unwrap(), true, &mut ());
    let checked: Vec<String> = check.unreadable.iter().map(ToString::to_string).collect();
    let Err(Error::Images { reasons }) = folder::read_dir(root.path(), ImageOptions::default()) else {
        panic!("three images are unreadable")
    };
    assert_eq!(checked, reasons);
    let ended = [": the content is not that of a JPEG file", ": the file is cut off before its end marker"];
    assert!(reasons.iter().all(|reason| !reason.contains('\n')), "{reasons:?}");
    assert!(reasons[1].ends_with(ended[0]) && reasons[2].ends_with(ended[1]), "{reasons:?}");
}

#[test]
fn groups_of_each_class_are_counted() {
    let root = tempfile::tempdir().unwrap();
    for file in ["ant/1_1.png", "ant/1_2.png", "ant/2_1.png", "bee/1_1.png", "bee/1_2.png"] {
        write(&root.path().join(file), 1);
    }
    let mut files = folder::find(root.path()).unwrap();
    files.group_by(&Groups::FileName { until: "_".into() }).unwrap();
    let check = check_images(files, true, &mut ());
    assert_eq!(check.classes.iter().map(|class| class.groups).collect::<Vec<_>>(), [Some(2), Some(1)]);
}
