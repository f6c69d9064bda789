//! Training on the user's own images.

use std::{fs, path::Path};

use image::RgbImage;

use crate::run::{failure, last_line, nclt, nclt_unread, stdout};

/// Writes `counts[k]` distinct images of class k; `order` permutes their file names.
fn write(root: &Path, counts: &[usize], (width, height): (u32, u32), order: u32) {
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

const TRAIN: [&str; 6] = ["train", "--preset", "image-folder", "--epochs", "1", "--json"];

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
fn images_narrower_than_the_crop_padding_are_trained_on() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("mine"), &[12, 8], (20, 4), 1);
    last_line(&nclt(dir.path(), &["train", "--data-dir", "mine", "--epochs", "1", "--json"]));
}

/// Lists beside the directory of their images, with tracks of three frames.
fn write_lists(root: &Path) {
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
