//! CSV lists, lists of class names, and the lists of a directory.

use std::{fs, path::Path};

use nc_data::{Groups, ImageOptions, Source, Subset, folder, list, rng::Purpose};

use crate::{image_sets::write, support::complaint};

/// A directory with images `0.png` to `9.png` and these lists.
fn directory(lists: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for value in 0..10 {
        write(&root.path().join(format!("{value}.png")), value);
    }
    for (name, content) in lists {
        fs::write(root.path().join(name), content).unwrap();
    }
    root
}

fn read(root: &Path) -> nc_data::Result<Source> {
    list::read_dir(root, ImageOptions::default())
}

#[test]
fn a_validation_list_is_a_set_of_its_own_beside_a_test_list() {
    let lists = [
        ("Birds_train.csv", "path,label\n0.png,1\n1.png,0\n"),
        ("Birds_val.txt", "2.png 1\n"),
        ("Birds_test.csv", "3.png,0\n"),
    ];
    let root = directory(&lists);
    let source = read(root.path()).unwrap();
    assert_eq!(source.train.labels(), [1, 0]);
    let validation = source.validation.unwrap();
    assert_eq!((validation.image(0)[0], validation.labels()), (2, &[1][..]));
    assert_eq!((source.test.image(0)[0], source.test.labels()), (3, &[0][..]));
    assert!(source.notes.is_empty(), "{:?}", source.notes);

    fs::remove_file(root.path().join("Birds_test.csv")).unwrap();
    let source = read(root.path()).unwrap();
    assert_eq!(source.test.image(0)[0], 2);
    assert!(source.validation.is_none());
    assert!(source.notes[0].contains("so Birds_val.txt is the test set"), "{:?}", source.notes);
}

#[test]
fn a_single_list_of_any_name_is_the_training_list() {
    let root = directory(&[("labels.csv", "0.png,b\n1.png,a\n")]);
    let source = read(root.path()).unwrap();
    assert_eq!(source.train.class_names(), ["a", "b"]);
    assert!(source.test.is_empty() && source.validation.is_none());
    assert!(source.notes[0].ends_with("only the training list labels.csv"), "{:?}", source.notes);
    fs::write(root.path().join("notes.txt"), "").unwrap();
    let message = complaint(read(root.path()));
    let hint = "found labels.csv, notes.txt; rename the training list to train*.txt or train*.csv";
    assert!(message.ends_with(hint), "{message}");
}

#[test]
fn tables_beside_class_directories_are_no_lists() {
    let root = tempfile::tempdir().unwrap();
    let list = |name: &str, content: &str| fs::write(root.path().join(name), content).unwrap();
    for class in ["ant", "bee"] {
        write(&root.path().join(class).join("1.png"), 1);
    }
    for (name, content, reason) in [
        ("train.csv", "id,label\n1,ant\n", "not used as a list: "),
        (
            "train.csv",
            "path,label\n1.png,ant\n",
            "not used as a list, because its first image 1.png does not exist",
        ),
        ("classes.txt", "ant 0\nbee 1\n", "not used as a list, because its first image ant does not exist"),
    ] {
        list(name, content);
        assert!(!list::has_lists(root.path()).unwrap(), "{name} {content:?}");
        let source = folder::read_dir(root.path(), ImageOptions::default()).unwrap();
        assert!(source.notes[0].contains(name) && source.notes[0].contains(reason), "{:?}", source.notes);
        fs::remove_file(root.path().join(name)).unwrap();
    }
    // Without a name for training, the lists of all images are an error, and those of some are not used.
    list("a.csv", "ant/1.png,ant\n");
    list("b.csv", "bee/1.png,bee\n");
    assert!(list::has_lists(root.path()).unwrap());
    list("b.csv", "ant/1.png,ant\n");
    assert!(!list::has_lists(root.path()).unwrap());
    list("train.csv", "ant/1.png,ant\n");
    assert!(list::has_lists(root.path()).unwrap());
    // A broken list is reported unless there are class directories.
    list("train.csv", "1.png;ant\n");
    assert!(!list::has_lists(root.path()).unwrap());
    fs::remove_dir_all(root.path().join("bee")).unwrap();
    assert!(list::has_lists(root.path()).unwrap());
}

#[test]
fn names_are_sorted_and_composed_like_those_of_folders() {
    let train = "File,Class\n0.png,tea\n1.png,cafe\u{301} cr\u{e8}me\n2.png,10\u{b0}\n3.png,2\u{b0}\n";
    let root = directory(&[("train.csv", train), ("test.txt", "4.png\tcaf\u{e9} cr\u{e8}me\n5.png\ttea\n")]);
    let source = read(root.path()).unwrap();
    assert_eq!(source.train.class_names(), ["10\u{b0}", "2\u{b0}", "caf\u{e9} cr\u{e8}me", "tea"]);
    assert_eq!(source.train.labels(), [3, 2, 0, 1]);
    assert_eq!(source.test.labels(), [2, 3]);
}

#[test]
fn other_lists_name_no_new_classes() {
    for (train, test, found) in [
        ("0.png,a\n1.png,b\n", "\n2.png,a\n3.png,c\n", "no training images of class \"c\" (line 3)"),
        (
            "0.png,a\n1.png,b\n",
            "2.png,c\n3.png,a\n4.png,c\n5.png,d\n",
            "no training images of class \"c\" (line 1), class \"d\" (line 4)",
        ),
        ("0.png,a\n1.png,b\n", "2.png,0\n", "no training images of class 0 (line 1)"),
        ("0.png,0\n1.png,1\n", "2.png,2\n", "no training images of class 2 (line 1)"),
        ("0.png,0\n1.png,1\n", "2.png,a\n", "no training images of class \"a\" (line 1)"),
    ] {
        for other in ["test.csv", "val.csv"] {
            let root = directory(&[("train.csv", train), (other, test)]);
            let message = complaint(read(root.path()));
            assert!(message.ends_with(&format!("{other}: {found}")), "{message}");
        }
    }
}

#[test]
fn errors_of_csv_lists_name_the_file_and_the_line() {
    for (text, found) in [
        ("path,label\n0.png,0\n1.png\n", "line 3: expected 2 columns as before, found 1"),
        ("0.png,a\n1.png,b\n0.png,a\n", "line 3: duplicate image 0.png, also in line 1"),
        ("0.png,a\u{1b}[2J\n", "line 1: expected a class name without control characters"),
        ("0.png,0\n1.png,2\n", "has images of class 2 but none of class 1; labels count from 0"),
        ("path,label\n", "expected images, found none"),
    ] {
        let root = directory(&[("train.csv", text)]);
        let message = complaint(read(root.path()));
        assert!(message.contains(&format!("train.csv: {found}")), "{message}");
    }
}

#[test]
fn paths_match_files_of_another_composition() {
    let root = directory(&[("train.csv", "bl\u{fc}te 1.png,a\nu\u{308}ber/x.png,b\n")]);
    write(&root.path().join("blu\u{308}te 1.png"), 21);
    write(&root.path().join("\u{fc}ber/x.png"), 22);
    let source = read(root.path()).unwrap();
    assert_eq!((source.train.image(0)[0], source.train.image(1)[0]), (21, 22));
}

/// The official archive of ImageNet's validation images has no directories, the list of ImageNet-LT those of the classes.
#[test]
fn validation_images_of_imagenet_may_lie_flat() {
    let root = directory(&[
        ("train.txt", "0.png 0\n1.png 1\n"),
        (
            "test.txt",
            "val/n01440764/ILSVRC2012_val_00000293.png 0\nval/n01443537/ILSVRC2012_val_00000236.png 1\n",
        ),
    ]);
    write(&root.path().join("val/ILSVRC2012_val_00000293.png"), 31);
    write(&root.path().join("val/n01443537/ILSVRC2012_val_00000236.png"), 32);
    let source = read(root.path()).unwrap();
    assert_eq!((source.test.image(0)[0], source.test.image(1)[0]), (31, 32));
    // Other names are not unique, so a file elsewhere may be another image.
    fs::write(root.path().join("test.txt"), "val/n01440764/1.png 0\n").unwrap();
    write(&root.path().join("val/1.png"), 33);
    assert!(matches!(read(root.path()), Err(nc_data::Error::MissingFiles { .. })));
}

/// Kaggle's copy of ImageNet, and the directories of the training images alone.
#[test]
fn images_of_imagenet_are_found_in_the_usual_layouts() {
    let lists = [
        ("train.txt", "train/n01440764/n01440764_18.png 0\ntrain/n01443537/n01443537_2.png 1\n"),
        (
            "test.txt",
            "val/n01440764/ILSVRC2012_val_00000293.png 0\nval/n01443537/ILSVRC2012_val_00000236.png 1\n",
        ),
    ];
    let training = ["n01440764/n01440764_18.png", "n01443537/n01443537_2.png"];
    let kaggle = directory(&lists);
    for (value, path) in (41..).zip([
        &format!("train/{}", training[0]),
        &format!("train/{}", training[1]),
        "val/ILSVRC2012_val_00000293.png",
        "val/n01443537/ILSVRC2012_val_00000236.png",
    ]) {
        write(&kaggle.path().join("ILSVRC/Data/CLS-LOC").join(path), value);
    }
    let source = read(kaggle.path()).unwrap();
    assert_eq!((source.train.image(0)[0], source.train.image(1)[0]), (41, 42));
    assert_eq!((source.test.image(0)[0], source.test.image(1)[0]), (43, 44));

    let plain = directory(&lists[..1]);
    for (value, path) in (51..).zip(training) {
        write(&plain.path().join(path), value);
    }
    let list = nc_data::list::ImageList::read(&plain.path().join("train.txt")).unwrap();
    assert!(list.missing(plain.path()).unwrap().is_empty());
    // Names of other images are not unique.
    fs::write(plain.path().join("train.txt"), "train/ant/ant_1.png 0\n").unwrap();
    write(&plain.path().join("ant/ant_1.png"), 53);
    let list = nc_data::list::ImageList::read(&plain.path().join("train.txt")).unwrap();
    assert_eq!(list.missing(plain.path()).unwrap().len(), 1);
}

const TRACKS: &str = "path,label,group,age\n0.png,a,t1,3\n1.png,a,t1,3\n2.png,a,t2,3\n3.png,b,t2,3\n4.png,b,t3,3\n5.png,b,,3\n6.png,b,,3\n";

#[test]
fn the_column_group_spans_classes_and_is_used_without_being_asked_for() {
    let root = directory(&[
        ("train.csv", TRACKS),
        ("test.csv", "path,label,group\n7.png,a,t1\n8.png,b,t9\n9.png,b,\n"),
    ]);
    let source = read(root.path()).unwrap();
    assert_eq!(source.train.groups().unwrap(), [0, 0, 1, 1, 2, 3, 4]);
    let [columns, shared] = &source.notes[..] else { panic!("{:?}", source.notes) };
    assert!(columns.ends_with("train.csv: unused columns: \"age\""), "{columns}");
    assert_eq!(shared, "1 test image is in a group of training images, which inflates accuracy");
    for seed in 0..10 {
        let (_, held_out) = Subset::all(&source.train).hold_out(0.4, seed, Purpose::Validation).unwrap();
        let held_out = held_out.indices();
        assert_eq!(held_out.contains(&0), held_out.contains(&1), "{held_out:?}");
        assert_eq!(held_out.contains(&2), held_out.contains(&3), "{held_out:?}");
    }
}

#[test]
fn other_groups_replace_those_of_the_column() {
    let root = directory(&[("train.csv", TRACKS)]);
    let mut files = list::find(root.path()).unwrap();
    files.group_by(&Groups::Directory).unwrap();
    let source = files.decode(ImageOptions::default(), &mut ()).unwrap();
    assert_eq!(source.train.groups().unwrap(), [0, 1, 2, 3, 4, 5, 6]);
    assert!(source.notes.last().unwrap().contains("the column group is not used"), "{:?}", source.notes);
}

#[test]
fn directories_of_paths_give_groups() {
    let root = directory(&[("train.csv", "x/0.png,a\nx/1.png,a\ny/0.png,a\nx/2.png,b\n2.png,b\n3.png,b\n")]);
    for file in ["x/0", "x/1", "x/2", "y/0"] {
        write(&root.path().join(format!("{file}.png")), 1);
    }
    let mut files = list::find(root.path()).unwrap();
    files.group_by(&Groups::Directory).unwrap();
    let source = files.decode(ImageOptions::default(), &mut ()).unwrap();
    assert_eq!(source.train.groups().unwrap(), [0, 0, 1, 2, 3, 4]);
}
