//! `nclt check` and `nclt check-list`.

use std::{fs, path::Path};

use image::RgbImage;

use crate::own_images::{TRAIN, write, write_lists};
use crate::run::{failure, last_line, nclt, nclt_unread, stdout};

#[test]
fn check_list_reports_missing_images() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[2], (2, 2), 1);
    fs::write(dir.path().join("list.txt"), "ant/000.png 0\nant/001.png 0\n").unwrap();
    assert_eq!(stdout(&nclt(dir.path(), &["check-list", "list.txt"])), "2 images, all present\n");
    fs::write(dir.path().join("five.txt"), "ant/000.png 5\n").unwrap();
    assert_eq!(stdout(&nclt(dir.path(), &["check-list", "five.txt", "--test"])), "1 image, all present\n");
    fs::remove_file(dir.path().join("ant/001.png")).unwrap();
    let output = nclt(dir.path(), &["check-list", "list.txt"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("line 2: ant/001.png is missing"));
    assert!(failure(&output).contains("1 of 2 images missing"));
    let unread = nclt_unread(dir.path(), &["check-list", "list.txt"]);
    assert!(failure(&unread).contains("1 of 2 images missing"));
}

#[test]
fn check_reports_a_folder_and_what_must_be_fixed() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("mine/train"), &[120, 110, 5], (12, 8), 1);
    write(&dir.path().join("mine/test"), &[2, 2, 2], (9, 9), 7);
    let said = stdout(&nclt(dir.path(), &["check", "mine"]));
    for line in [
        "class   training   validation   test   shot group",
        "ant          120            0      2   many",
        "bee          110            0      2   medium",
        "cow            5            0      2   few",
        "235 training, 0 validation and 6 test images in 3 classes: after hold-outs, 1 many-shot",
        "imbalance ratio 24.0 (120 to 5)",
        "2 sizes, shorter sides of 8 to 9 pixels; 0 grey, 0 turned",
        "741 kB of memory for the images at 32x32 pixels",
        "training holds out 15 % of each class to choose an epoch",
        "smallest class \"cow\" of 5 images: 4 for training, 1 for validation\n",
        "Ready: nclt train --data-dir mine",
        "Several methods: nclt compare --data-dir mine",
    ] {
        assert!(said.contains(line), "{line:?} in {said}");
    }
    // With lists beside the class directories, the commands name what was checked.
    let list = dir.path().join("mine/train.csv");
    fs::write(&list, "train/ant/000.png,ant\ntrain/bee/000.png,bee\n").unwrap();
    let said = stdout(&nclt(dir.path(), &["check", "mine", "--source", "image-folder"]));
    for line in [
        "Ready: nclt train --preset image-folder/logit-adjustment --data-dir mine\n",
        "Several methods: nclt compare --data image-folder --data-dir mine\n",
    ] {
        assert!(said.contains(line), "{line:?} in {said}");
    }
    let compare = ["compare", "--data", "image-folder", "--data-dir", "mine", "--methods", "ce", "--dry-run"];
    stdout(&nclt(dir.path(), &compare));
    fs::remove_file(list).unwrap();
    // Copies are reported; unreadable images fail the check.
    let train = dir.path().join("mine/train");
    fs::copy(train.join("ant/000.png"), dir.path().join("mine/test/ant/copy.png")).unwrap();
    fs::copy(train.join("ant/001.png"), train.join("bee/copy.png")).unwrap();
    fs::copy(train.join("cow/001.png"), train.join("cow/copy.png")).unwrap();
    let said = stdout(&nclt(dir.path(), &["check", "mine"]));
    assert!(said.contains("1 test image is a copy of a training image"), "{said}");
    assert!(said.contains("bee/copy.png = mine/train/ant/001.png"), "{said}");
    assert!(said.contains("1 training image is a copy of another of its class"), "{said}");
    fs::write(train.join("cow/bad.png"), "no image").unwrap();
    let output = nclt(dir.path(), &["check", "mine"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("1 unreadable image;") && said.contains("cow/bad.png"), "{said}");
    // Classes that a given set lacks.
    write(&dir.path().join("mine/val"), &[1], (8, 8), 3);
    fs::remove_file(train.join("cow/bad.png")).unwrap();
    let said = stdout(&nclt(dir.path(), &["check", "mine"]));
    assert!(said.contains("No validation images of bee, cow.\n"), "{said}");
}

#[test]
fn other_files_are_refused_and_empty_ones_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("photos.zip"), "PK").unwrap();
    let expected = "photos.zip: expected a directory or a .tar archive, found another file";
    for command in [&["check", "photos.zip"][..], &["train", "--data-dir", "photos.zip"]] {
        let message = failure(&nclt(dir.path(), command));
        assert!(message.contains(expected), "{message}");
    }
    write(&dir.path().join("mine"), &[5, 5], (8, 8), 1);
    fs::write(dir.path().join("mine/ant/000.jpg"), "").unwrap();
    let said = nclt(dir.path(), &["check", "mine"]).stdout;
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("ant/000.jpg: expected an image") && said.contains("the file is empty"), "{said}");
}

/// The command that `check` prints works, whether headers or only pixels are damaged.
#[test]
fn listed_images_are_skipped_in_training() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("mine"), &[12, 8], (8, 8), 1);
    let ant = dir.path().join("mine/ant");
    fs::write(ant.join("bad.png"), "no image").unwrap();
    let whole = fs::read(ant.join("000.png")).unwrap();
    fs::write(ant.join("cut.png"), &whole[..whole.len() - 30]).unwrap();
    nclt(dir.path(), &["check", "mine", "--write-skip", "my skip.txt"]);
    let said = stdout(&nclt(dir.path(), &["check", "mine", "--skip", "my skip.txt"]));
    let list = dir.path().join("my skip.txt").canonicalize().unwrap();
    let skip = format!("data.skip={}", list.display());
    assert!(said.contains(&format!("Ready: nclt train --data-dir mine --set '{skip}'")), "{said}");
    let args = ["train", "--data-dir", "mine", "--epochs", "1", "--json", "--set", &skip];
    let output = nclt(dir.path(), &args);
    let noted = String::from_utf8_lossy(&output.stderr);
    assert!(noted.contains("2 images are skipped"), "{noted}");
    assert_eq!(last_line(&output)["data"]["class_counts"], serde_json::json!([8, 5]));
    let args =
        ["compare", "--data-dir", "mine", "--methods", "ce", "--seeds", "0", "--epochs", "1", "--set", &skip];
    stdout(&nclt(dir.path(), &args));
}

#[test]
fn images_held_out_twice_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    for class in ["ant", "bee"] {
        let directory = dir.path().join("mine").join(class);
        fs::create_dir_all(&directory).unwrap();
        for (index, copy) in (0..20).flat_map(|index| [(index, 'a'), (index, 'b')]) {
            let value = if class == "ant" { index } else { 255 - index };
            RgbImage::from_pixel(8, 8, [value; 3].into())
                .save(directory.join(format!("{index}{copy}.png")))
                .unwrap();
        }
    }
    let said = stdout(&nclt(dir.path(), &["check", "mine"]));
    assert!(
        said.contains("images that training would hold out are copies of some that it trains on"),
        "{said}"
    );
    // Groups keep them together.
    for class in ["ant", "bee"] {
        let directory = dir.path().join("mine").join(class);
        for index in 0..20 {
            for copy in ['a', 'b'] {
                let name = |separator: &str| directory.join(format!("{index}{separator}{copy}.png"));
                fs::rename(name(""), name("_")).unwrap();
            }
        }
    }
    let said = stdout(&nclt(dir.path(), &["check", "mine", "--groups", "file-name=_"]));
    assert!(!said.contains("that it trains on"), "{said}");
    let message = failure(&nclt(dir.path(), &["check", "mine", "--groups", "file-name=-"]));
    assert!(
        message.contains("expected a separator of file names such as \"0_a.png\", found \"-\" in none"),
        "{message}"
    );
}

#[test]
fn groups_in_two_given_sets_are_noted() {
    let dir = tempfile::tempdir().unwrap();
    for (set, frames) in [("train", 0..4), ("val", 4..6), ("test", 6..8)] {
        for (class, value) in [("ant", 10), ("bee", 200)] {
            let directory = dir.path().join("mine").join(set).join(class);
            fs::create_dir_all(&directory).unwrap();
            for frame in frames.clone() {
                RgbImage::from_pixel(8, 8, [value + frame; 3].into())
                    .save(directory.join(format!("v1_{frame}.png")))
                    .unwrap();
            }
        }
    }
    let said = stdout(&nclt(dir.path(), &["check", "mine", "--groups", "file-name=_"]));
    for line in [
        "4 validation images are in groups of training images, which inflates accuracy",
        "4 test images are in groups of training images, which inflates accuracy",
        "4 test images are in groups of validation images, so test images take part in choosing an epoch",
    ] {
        assert!(said.contains(line), "{line:?} in {said}");
    }
}

/// Missing and damaged images of a list are reported together, and can be skipped.
#[test]
fn all_faults_of_a_list_are_reported_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("mine");
    write(&root.join("img"), &[9, 9], (8, 8), 1);
    let rows = |class| (0..9).map(move |index| format!("img/{class}/{index:03}.png,{class}\n"));
    let rows: String = rows("ant").chain(rows("bee")).collect();
    fs::write(root.join("train.csv"), format!("path,label\nimg/ant/gone.png,ant\n{rows}")).unwrap();
    fs::write(root.join("test.csv"), "path,label\nimg/bee/gone too.png,bee\nimg/bee/008.png,bee\n").unwrap();
    fs::write(root.join("img/ant/000.png"), "no image").unwrap();
    let output = nclt(dir.path(), &["check", "mine", "--write-skip", "skip.txt"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout);
    for line in ["3 unreadable images", "img/ant/gone.png", "img/bee/gone too.png", "img/ant/000.png"] {
        assert!(said.contains(line), "{line:?} in {said}");
    }
    let message = failure(&nclt(dir.path(), &["train", "--data-dir", "mine"]));
    assert!(message.contains("lacks img/ant/gone.png, img/bee/gone too.png"), "{message}");
    let args = ["train", "--data-dir", "mine", "--epochs", "1", "--json", "--set", "data.skip=../skip.txt"];
    assert_eq!(last_line(&nclt(dir.path(), &args))["accuracy"]["samples"], 1);
    // The list of skipped images is none of images, even beside a single list of images.
    fs::remove_file(root.join("test.csv")).unwrap();
    fs::rename(root.join("train.csv"), root.join("labels.csv")).unwrap();
    let check = ["check", "mine", "--write-skip", "mine/skip.txt"];
    assert_eq!(nclt(dir.path(), &check).status.code(), Some(1));
    assert!(stdout(&nclt(dir.path(), &["check", "mine", "--skip", "mine/skip.txt"])).contains("Ready"));
    let args = ["train", "--data-dir", "mine", "--epochs", "1", "--json", "--set", "data.skip=skip.txt"];
    assert_eq!(last_line(&nclt(dir.path(), &args))["data"]["class_counts"].as_array().unwrap().len(), 2);
    fs::rename(root.join("labels.csv"), root.join("train.csv")).unwrap();
    // A table that is no list is named, unless there are class directories.
    fs::rename(root.join("train.csv"), root.join("labels.csv")).unwrap();
    fs::write(root.join("labels.csv"), "file_name,species\nimg/ant/001.png,ant\n").unwrap();
    let message = failure(&nclt(dir.path(), &["train", "--data-dir", "mine"]));
    assert!(message.contains("labels.csv: line 1"), "{message}");
}

#[test]
fn check_list_reads_csv() {
    let dir = tempfile::tempdir().unwrap();
    write_lists(dir.path());
    assert_eq!(stdout(&nclt(dir.path(), &["check-list", "train.csv"])), "42 images, all present\n");
    fs::write(dir.path().join("bad.csv"), "path,label\na.png,ant\nb.png,3\n").unwrap();
    let message = failure(&nclt(dir.path(), &["check-list", "bad.csv"]));
    assert!(
        message.contains("bad.csv: line 3: expected a class name as label, as in line 2, found 3"),
        "{message}"
    );
}

/// Standard output of `nclt check`, and the error of `nclt train`, of images that leave none for validation.
fn check_without_validation(dir: &Path, units: &str) {
    let said = stdout(&nclt(dir, &["check", "mine"]));
    assert!(
        said.contains(&format!("No validation images: no class has two {units} to hold one out")),
        "{said}"
    );
    let ready = "Ready: nclt train --data-dir mine --set data.validation=none --set evaluation.keep=last\n";
    assert!(said.ends_with(ready), "{said}");
    let message = failure(&nclt(dir, &["train", "--data-dir", "mine"]));
    assert!(message.contains("holds out no validation images because no class has two groups"), "{message}");
}

#[test]
fn check_recommends_training_without_validation_if_none_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("mine");
    write(&root.join("img"), &[6, 6, 6], (8, 8), 1);
    // The groups of each class have `frames` images.
    let list = |images: std::ops::Range<usize>, frames: usize| {
        let rows = ["ant", "bee", "cow"].into_iter().flat_map(|class| {
            let row = move |index| format!("img/{class}/{index:03}.png,{class},{class}{}\n", index / frames);
            images.clone().map(row)
        });
        format!("path,label,group\n{}", rows.collect::<String>())
    };
    fs::write(root.join("train.csv"), list(0..4, 6)).unwrap();
    fs::write(root.join("test.csv"), list(4..6, 2)).unwrap();
    check_without_validation(dir.path(), "groups");
    fs::remove_file(root.join("test.csv")).unwrap();
    fs::write(root.join("train.csv"), list(0..6, 3)).unwrap();
    check_without_validation(dir.path(), "groups left");
    let said = stdout(&nclt(dir.path(), &["check", "mine"]));
    assert!(said.contains("of 2 groups: about 1 for training, 1 for testing\n"), "{said}");

    // Training itself holds out none if every class has two images.
    write(&dir.path().join("small"), &[2, 2, 2], (8, 8), 1);
    let said = stdout(&nclt(dir.path(), &["check", "small"]));
    assert!(said.contains("every class has fewer than 3 images, so training holds out none"), "{said}");
    assert!(said.contains("of 2 images: 1 for training, 1 for testing\n"), "{said}");
    assert!(said.ends_with("Ready: nclt train --data-dir small\n"), "{said}");
    last_line(&nclt(dir.path(), &["train", "--data-dir", "small", "--epochs", "1", "--json"]));
}

#[test]
fn check_subtracts_both_hold_outs() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("mine"), &[20, 10, 1], (8, 8), 1);
    let said = stdout(&nclt(dir.path(), &["check", "mine"]));
    for line in [
        "training holds out 15 % of the rest of each class",
        "  smallest class \"cow\" of 1 image: 1 for training, 0 for validation, 0 for testing\n",
        "  none for validation of cow\n  none for testing of cow\n",
        "Several methods: nclt compare --data-dir mine\n",
    ] {
        assert!(said.contains(line), "{line:?} in {said}");
    }
    fs::remove_dir_all(dir.path().join("mine/cow")).unwrap();
    let said = stdout(&nclt(dir.path(), &["check", "mine"]));
    let left = "  smallest class \"bee\" of 10 images: 7 for training, 1 for validation, 2 for testing\n";
    assert!(said.contains(left), "{said}");
    let output = nclt(dir.path(), &[&TRAIN[..], &["--data-dir", "mine"]].concat());
    assert_eq!(last_line(&output)["data"]["class_counts"][1], 7);
}

#[test]
fn unusable_classes_are_reported_together() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("mine"), &[3, 3], (8, 8), 1);
    for class in ["empty", "films", "__MACOSX"] {
        fs::create_dir(dir.path().join("mine").join(class)).unwrap();
    }
    for name in ["1.gif", "2.gif", "3.GIF"] {
        fs::write(dir.path().join("mine/films").join(name), "").unwrap();
    }
    let reasons = ["mine/empty: no images, an empty directory", "mine/films: no images, only 3 .gif"];
    let output = nclt(dir.path(), &["check", "mine"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout);
    let message = failure(&nclt(dir.path(), &["train", "--data-dir", "mine"]));
    for text in [&said, message.as_str()] {
        assert!(text.contains("2 class directories cannot be used; remove them or add images"), "{text}");
        assert!(reasons.iter().all(|reason| text.contains(reason)) && !text.contains("MACOSX"), "{text}");
    }
}
