//! Image lists.

use std::{fs, path::Path};

use nc_data::{
    Dataset, Error, ImageOptions, Subset,
    list::{self, Label},
};
use proptest::prelude::*;

use crate::refusals::Refusals;
use crate::support::{SMALL, complaint, dataset, picture, shuffled};

/// Writes images into one directory, and lists that name them.
fn write_lists(root: &Path, train: &Dataset, test: &Dataset) {
    fs::create_dir(root.join("images of all")).unwrap();
    for (name, dataset) in [("train", train), ("test", test)] {
        let mut lines = String::new();
        for (index, label) in dataset.labels().iter().enumerate() {
            let file = format!("images of all/{name}{index}.png");
            picture(dataset, index).save(root.join(&file)).unwrap();
            lines = format!("{lines}{file} {label}\r\n\n");
        }
        fs::write(root.join(format!("Birds_LT_{name}.txt")), lines).unwrap();
    }
}

#[test]
fn lists_give_the_same_subset_as_in_memory_images() {
    let directory = tempfile::tempdir().unwrap();
    let (train, test) = (shuffled(&dataset(SMALL, &[7, 4, 2]), 1), dataset(SMALL, &[2, 2]));
    write_lists(directory.path(), &train, &test);
    let source = list::read_dir(directory.path(), ImageOptions::default()).unwrap();
    assert_eq!(Subset::all(&source.train).hash(), Subset::all(&train).hash());
    assert_eq!(source.test.class_counts(), [2, 2, 0]);
    // iNaturalist has a list named "val"; the test list is optional.
    fs::rename(directory.path().join("Birds_LT_test.txt"), directory.path().join("val.txt")).unwrap();
    assert_eq!(list::read_dir(directory.path(), ImageOptions::default()).unwrap().test.len(), 4);
    fs::remove_file(directory.path().join("val.txt")).unwrap();
    assert!(list::read_dir(directory.path(), ImageOptions::default()).unwrap().test.is_empty());
}

#[test]
fn the_training_list_is_not_used_for_testing() {
    for name in ["trainval.txt", "latest_train.txt"] {
        let directory = tempfile::tempdir().unwrap();
        write_lists(directory.path(), &dataset(SMALL, &[3, 1]), &dataset(SMALL, &[1, 1]));
        fs::remove_file(directory.path().join("Birds_LT_test.txt")).unwrap();
        fs::rename(directory.path().join("Birds_LT_train.txt"), directory.path().join(name)).unwrap();
        assert!(list::read_dir(directory.path(), ImageOptions::default()).unwrap().test.is_empty(), "{name}");
    }
}

#[test]
fn missing_files_are_listed() {
    let directory = tempfile::tempdir().unwrap();
    write_lists(directory.path(), &dataset(SMALL, &[3, 1]), &dataset(SMALL, &[1, 1]));
    let path = directory.path().join("Birds_LT_train.txt");
    let read = list::ImageList::read(&path).unwrap();
    assert_eq!(read.missing(directory.path()).unwrap(), Vec::<&list::Entry>::new());
    for index in [3, 1] {
        fs::remove_file(directory.path().join(format!("images of all/train{index}.png"))).unwrap();
    }
    let missing: Vec<_> = read
        .missing(directory.path())
        .unwrap()
        .iter()
        .map(|entry| (entry.line, entry.label.clone()))
        .collect();
    assert_eq!(missing, [(3, Label::Number(0)), (7, Label::Number(1))]);
    let message = complaint(list::read_dir(directory.path(), ImageOptions::default()));
    assert!(message.ends_with("lacks images of all/train1.png, images of all/train3.png"), "{message}");
}

pub(crate) fn refused(told: &mut Refusals) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("train.txt");
    told.add("a directory without a list", list::read_dir(directory.path(), ImageOptions::default()));
    for text in ["\n", "a.png", "a.png b", "a.png -1", "a.png 4294967296", "a.png 0\nb.png 4000000000"] {
        fs::write(&path, format!("\n{text}\n")).unwrap();
        told.add(
            format_args!("the list {text:?}"),
            list::read_dir(directory.path(), ImageOptions::default()),
        );
    }
    fs::write(directory.path().join("train_2.txt"), "").unwrap();
    told.add("two lists", list::read_dir(directory.path(), ImageOptions::default()));
    told.add("the classes of a list without class 0", read_list(b"a.png 5\n").unwrap().class_names());
}

#[test]
fn unusable_lines_are_counted_once() {
    let message = read_list(b"a.png 0\na.png 1\nb.png 1\nc.png\na.png 2\n").unwrap_err().to_string();
    let lines: Vec<&str> = message.lines().map(str::trim).collect();
    assert!(lines[0].ends_with("train.txt: 3 lines cannot be used:"), "{message}");
    assert_eq!(lines[1], "line 2: duplicate image a.png, also in line 1");
    assert!(lines[2].starts_with("line 4: expected \"path label\""), "{message}");
    assert_eq!(lines[3], "line 5: duplicate image a.png, also in line 1");
    // A name among numbers that repeats an image has two faults.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("train.csv");
    fs::write(&path, "a.png,0\na.png,ant\n").unwrap();
    let message = list::ImageList::read(&path).unwrap_err().to_string();
    assert!(message.contains("train.csv: line 2: "), "{message}");
}

#[test]
fn the_errors_of_all_lists_are_found_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    let errors = || {
        let message = list::find(directory.path()).err().unwrap().to_string();
        let lines = message.lines().map(|line| line.rsplit('/').next().unwrap().to_owned());
        lines.map(|line| line.split(", found").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    write("train.csv", "a.png,ant\nb.png,bee\nc.png\n");
    write("val.csv", "d.png,ant\n");
    write("test.csv", "e.png,ant\ne.png,ant\n");
    let in_test = "test.csv: line 2: duplicate image e.png, also in line 1";
    assert_eq!(errors(), ["train.csv: line 3: expected 2 columns as before", in_test]);
    write("train.csv", "a.png,ant\nb.png,bee\n");
    write("val.csv", "d.png,\n");
    assert_eq!(errors(), ["val.csv: line 1: expected a class name or a label from 0", in_test]);
    write("val.csv", "d.png,fly\n");
    write("test.csv", "e.png,wasp\n");
    let unknown = |name, class| format!("{name}.csv: no training images of class {class:?} (line 1)");
    assert_eq!(errors(), [unknown("val", "fly"), unknown("test", "wasp")]);
}

#[test]
fn the_classes_of_a_list_are_counted() {
    assert_eq!(read_list(b"a.png 1\nb.png 0\nc.png 1\n").unwrap().class_names().unwrap(), ["0", "1"]);
}

fn read_list(text: &[u8]) -> Result<list::ImageList, Error> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("train.txt");
    fs::write(&path, text).unwrap();
    list::ImageList::read(&path)
}

proptest! {
    #[test]
    fn written_lists_parse_back(
        entries in proptest::collection::vec(("[a-z][a-z /.]{0,8}[a-z]", any::<u32>(), "[ \t]{1,2}", "\r?\n{1,2}"), 1..9),
    ) {
        let paths: std::collections::HashSet<std::path::PathBuf> = entries.iter().map(|(path, ..)| path.into()).collect();
        let refused = paths.len() < entries.len();
        let lines = entries.iter().map(|(path, label, space, end)| format!("{path}{space}{label}{end}"));
        let text = lines.collect::<Vec<_>>().concat();
        let read = read_list(text.as_bytes());
        if refused {
            let message = read.unwrap_err().to_string();
            prop_assert!(message.contains("duplicate image"), "{message}");
            return Ok(());
        }
        let read = read.unwrap();
        let read = read.entries().iter().map(|entry| (entry.path.clone(), entry.label.clone()));
        let written = entries.iter().map(|(path, label, ..)| (path.into(), Label::Number(*label)));
        prop_assert!(read.eq(written));
    }

    #[test]
    fn arbitrary_text_parses_or_the_error_names_the_line(text in "[a0 \t\r\n\u{0}\u{e9}-]{0,40}") {
        match read_list(text.as_bytes()) {
            Ok(list) => prop_assert!(list.entries().len() <= text.lines().count()),
            Err(error) => {
                let expected = if text.trim().is_empty() { "train.txt: expected images" } else { "line " };
                prop_assert!(error.to_string().contains(expected), "{error}");
            }
        }
    }

    #[test]
    fn invalid_utf8_is_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        bytes.push(0xff);
        let message = read_list(&bytes).unwrap_err().to_string();
        prop_assert!(message.ends_with(": not UTF-8; save the file as UTF-8"), "{message}");
    }
}
