//! Training on the user's own images.

use std::{fs, path::Path};

use image::RgbImage;

use crate::run::{failure, last_line, nclt, stdout};

/// Writes `counts[k]` distinct images of class k; `order` permutes their file names.
pub(crate) fn write(root: &Path, counts: &[usize], (width, height): (u32, u32), order: u32) {
    for (class, &count) in counts.iter().enumerate() {
        let directory = root.join(["ant", "bee", "cow"][class]);
        fs::create_dir_all(&directory).unwrap();
        for index in 0..count as u32 {
            let image = RgbImage::from_fn(width, height, |x, y| {
                let mut pixel = [(10 * index) as u8, (x * 7) as u8, (y * 7) as u8];
                pixel[class] = 255 - pixel[class];
                pixel.into()
            });
            image.save(directory.join(format!("{:03}.png", (index * order) % 997))).unwrap();
        }
    }
}

pub(crate) const TRAIN: [&str; 6] = ["train", "--preset", "image-folder", "--epochs", "1", "--json"];

#[test]
fn file_order_does_not_change_the_weights() {
    let dir = tempfile::tempdir().unwrap();
    for (folder, order) in [("one", 1), ("two", 501)] {
        write(&dir.path().join(folder), &[20, 10, 5], (11, 9), order);
    }
    let train = |folder: &str| {
        let output = nclt(dir.path(), &[&TRAIN[..], &["--data-dir", folder, "--out", folder]].concat());
        let result = last_line(&output);
        let run = fs::read_dir(dir.path().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        let run = run.into_iter().find(|path| path.join("weights.safetensors").is_file()).unwrap();
        (result, fs::read(run.join("weights.safetensors")).unwrap())
    };
    let (one, two) = (train("one"), train("two"));
    assert_eq!(one.0["data"]["class_counts"], serde_json::json!([14, 7, 3]));
    assert_eq!(one.0["data"]["test_images"], 7);
    assert_eq!(one.0["data"]["train_hash"], two.0["data"]["train_hash"]);
    assert!(one.1 == two.1, "the order of files changed the weights");
}

#[test]
fn mixed_sizes_are_scaled_and_validation_selects_an_epoch() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("mine/train"), &[10, 10], (12, 8), 1);
    write(&dir.path().join("mine/test"), &[3, 3], (9, 9), 1);
    // Presets of other data sets know nothing of these images.
    let other = [
        "train",
        "--preset",
        "fashion-mnist-lt/ce",
        "--set",
        "data.source=image-folder",
        "--data-dir",
        "mine",
    ];
    let message = failure(&nclt(dir.path(), &other));
    assert!(message.contains("data.image_size: is not set") && message.contains("12x8"), "{message}");
    let args = [&TRAIN[..], &["--data-dir", "mine", "--threads", "1"]].concat();
    let result = last_line(&nclt(dir.path(), &args));
    assert_eq!((&result["input"]["height"], &result["input"]["width"]), (&32.into(), &32.into()));
    let set = ["--set", "data.image_size=[8, 8]", "--set", "data.validation.fraction=0.2"];
    let result = last_line(&nclt(dir.path(), &[&args[..], &set].concat()));
    assert_eq!((&result["input"]["height"], &result["input"]["width"]), (&8.into(), &8.into()));
    assert_eq!(result["data"]["class_counts"], serde_json::json!([8, 8]));
    assert_eq!(result["data"]["test_images"], 6);
    let selected = &result["selected_epoch"];
    assert!(
        selected["validation_accuracy"]["all"].is_number() && selected["test_accuracy"]["all"].is_number()
    );
}

#[test]
fn predictions_agree_with_the_evaluation_and_bad_files_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("mine/train"), &[20, 10], (12, 8), 1);
    write(&dir.path().join("mine/test"), &[6, 6], (12, 8), 7);
    let result = last_line(&nclt(dir.path(), &[&TRAIN[..], &["--data-dir", "mine"]].concat()));
    let run = crate::run::run_dir(dir.path());
    let run = run.to_str().unwrap();
    // Predictions need no training images.
    fs::rename(dir.path().join("mine"), dir.path().join("moved")).unwrap();
    let csv = stdout(&nclt(dir.path(), &["predict", run, "moved/test", "--csv", "--top", "2"]));
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("path,class_1,probability_1,class_2,probability_2"));
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 12);
    let right = rows.iter().filter(|row| row[0].contains(&format!("/{}/", row[1]))).count();
    assert_eq!(right as f64 / 12.0, result["accuracy"]["top1"].as_f64().unwrap());
    for row in &rows {
        let share = |column: usize| row[column].parse::<f64>().unwrap();
        assert!((share(2) + share(4) - 1.0).abs() < 1e-5 && share(2) >= share(4), "{row:?}");
        let alone = stdout(&nclt(dir.path(), &["predict", run, row[0], "--csv", "--top", "2"]));
        let alone: Vec<&str> = alone.lines().nth(1).unwrap().split(',').collect();
        assert_eq!((alone[0], alone[1]), (row[0], row[1]), "classified with others and alone");
        assert!((alone[2].parse::<f64>().unwrap() - share(2)).abs() < 1e-5, "{row:?}, alone {alone:?}");
    }
    // Another size and grey: resized, and repeated in three channels. The rest is classified in spite of a bad file.
    image::GrayImage::from_pixel(30, 40, [9].into()).save(dir.path().join("grey.png")).unwrap();
    fs::write(dir.path().join("bad.png"), "no image").unwrap();
    let output = nclt(dir.path(), &["predict", run, "bad.png", "grey.png"]);
    let (out, message) = (String::from_utf8_lossy(&output.stdout), failure(&output));
    assert!(out.starts_with("grey.png  ") && out.contains(" %  ") && out.lines().count() == 1, "{out}");
    assert!(
        message.contains("bad.png") && message.ends_with("1 of 2 images could not be read\n"),
        "{message}"
    );
}

#[cfg(unix)]
#[test]
fn paths_need_not_be_utf_8() {
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"mine\xff");
    write(&dir.path().join(name), &[5, 5], (8, 8), 1);
    let output =
        crate::run::command(dir.path(), &["train", "--epochs", "1", "--data-dir"]).arg(name).output();
    stdout(&output.unwrap());
}

#[test]
fn images_narrower_than_the_crop_padding_are_trained_on() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("mine"), &[12, 8], (20, 4), 1);
    last_line(&nclt(dir.path(), &["train", "--data-dir", "mine", "--epochs", "1", "--json"]));
}

/// Lists beside the directory of their images, with tracks of three frames.
pub(crate) fn write_lists(root: &Path) {
    write(&root.join("alle Bilder"), &[30, 12, 6], (8, 8), 1);
    let list = |frames: std::ops::Range<usize>| {
        let rows = ["ant", "bee", "cow"].iter().zip([30, 12, 6]).flat_map(|(class, count)| {
            frames.clone().filter(move |&frame| frame < count).map(move |frame| {
                format!("alle Bilder/{class}/{frame:03}.png,{class}_\u{e9},{class}{}\n", frame / 3)
            })
        });
        format!("path,label,group\n{}", rows.collect::<String>())
    };
    fs::write(root.join("train.csv"), list(0..24)).unwrap();
    fs::write(root.join("val.csv"), list(24..27)).unwrap();
    fs::write(root.join("test.csv"), list(27..30)).unwrap();
}

#[test]
fn lists_with_names_and_groups_are_checked_and_trained_on() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("my lists");
    fs::create_dir(&root).unwrap();
    write_lists(&root);
    let output = nclt(dir.path(), &["check", "my lists"]);
    let said = stdout(&output);
    for line in [
        "class   training   groups   validation   test   shot group",
        "ant_\u{e9}         24        8            3      3   medium",
        "cow_\u{e9}          6        2            0      0   few",
        "The validation images select an epoch",
        "Ready: nclt train --data-dir 'my lists'\n",
    ] {
        assert!(said.contains(line), "{line:?} in {said}");
    }
    assert!(String::from_utf8_lossy(&output.stderr).contains("reading 48 images\n"));

    // The validation list selects an epoch and leaves nothing to hold out.
    let args = ["train", "--preset", "image-list/ce", "--epochs", "1", "--json", "--data-dir", "my lists"];
    let output = nclt(dir.path(), &[&args[..], &["--set", "data.validation.fraction=0.3"]].concat());
    let result = last_line(&output);
    let noted = String::from_utf8_lossy(&output.stderr);
    assert_eq!(result["data"]["class_counts"], serde_json::json!([24, 12, 6]));
    assert_eq!(result["accuracy"]["samples"], 3);
    assert!(result["selected_epoch"]["validation_accuracy"]["all"].is_number(), "{result}");
    assert!(noted.contains("reading 48 images (10 kB in memory)"), "{noted}");
    assert!(noted.contains("data.validation.fraction=0.3 is not used"), "{noted}");
    assert!(noted.contains("validation: 3 images, 0 of the smallest class \"cow_\u{e9}\""), "{noted}");

    // Without the other lists, tests are held out by whole tracks.
    for list in ["val.csv", "test.csv"] {
        fs::remove_file(root.join(list)).unwrap();
    }
    let args = ["train", "--preset", "image-list/ce", "--epochs", "1", "--json", "--data-dir", "my lists"];
    let output = nclt(dir.path(), &args);
    assert_eq!(last_line(&output)["data"]["class_counts"], serde_json::json!([15, 6, 3]));
    let noted = String::from_utf8_lossy(&output.stderr);
    assert!(noted.contains("test images are 4 whole groups of 14"), "{noted}");
}

#[test]
fn a_validation_directory_selects_an_epoch() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("mine/train"), &[12, 6], (8, 8), 1);
    write(&dir.path().join("mine/val"), &[3, 3], (8, 8), 7);
    let args = [&TRAIN[..], &["--data-dir", "mine"]].concat();
    let output = nclt(dir.path(), &args);
    assert_eq!(last_line(&output)["data"]["test_images"], 6);
    let noted = String::from_utf8_lossy(&output.stderr);
    assert!(noted.contains("no directory test, so val is the test set"), "{noted}");
    assert!(last_line(&output)["selected_epoch"]["kept"] == true);

    write(&dir.path().join("mine/test"), &[2, 2], (8, 8), 5);
    // The copies in val and test of the first training images.
    let output = nclt(dir.path(), &[&args[..], &["--fresh"]].concat());
    let result = last_line(&output);
    assert_eq!(result["data"]["class_counts"], serde_json::json!([12, 6]));
    assert_eq!(result["data"]["test_images"], 4);
    assert!(result["selected_epoch"]["validation_accuracy"]["all"].is_number(), "{result}");
    let noted = String::from_utf8_lossy(&output.stderr);
    for note in [
        "4 test images are copies of training images",
        "6 validation images are copies of training images",
        "4 validation images are copies of test images",
    ] {
        assert!(noted.contains(note), "{note:?} in {noted}");
    }
    let said = stdout(&nclt(dir.path(), &["check", "mine"]));
    for found in [
        "4 test images are copies of training images",
        "6 validation images are copies of training images",
        "4 test images are copies of validation images",
    ] {
        assert!(said.contains(found), "{found:?} in {said}");
    }
}

#[test]
fn groups_stay_on_one_side_and_must_be_spared() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("mine"), &[12, 10], (8, 8), 1);
    // 001 to 009 are one group of each class, and 000, 010 and 011 three of the first.
    let set = "data.groups={kind=\"file-name\", until=\"0\"}";
    let args = [&TRAIN[..], &["--data-dir", "mine", "--set", set]].concat();
    let output = nclt(dir.path(), &args);
    let noted = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{noted}");
    assert!(noted.contains("test images are 3 whole groups of 6"), "{noted}");
    let said = stdout(&nclt(dir.path(), &["check", "mine", "--groups", "file-name=0"]));
    assert!(said.contains(&format!("--set '{set}'")), "{said}");

    // Nothing can be held out of classes of one group.
    for class in ["ant", "bee"] {
        let from = dir.path().join("mine").join(class);
        fs::rename(&from, dir.path().join("whole")).unwrap();
        fs::create_dir(&from).unwrap();
        fs::rename(dir.path().join("whole"), from.join("video 1")).unwrap();
    }
    let args = [&TRAIN[..], &["--data-dir", "mine", "--set", "data.groups={kind=\"directory\"}"]].concat();
    let message = failure(&nclt(dir.path(), &args));
    assert!(message.contains("holds out no test images because no class has two groups"), "{message}");
    let output = nclt(dir.path(), &["check", "mine", "--groups", "directory"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("no class has two groups to hold one out"), "{said}");
}
