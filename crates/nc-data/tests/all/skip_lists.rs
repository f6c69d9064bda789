//! Lists of images to leave out.

use std::{fs, path::Path};

use nc_data::{check_images, list, skip_list};

use crate::support::{SMALL, dataset, picture};

/// A directory of images and, in it, a list of them in which some paths are absolute. One image of class 0 is damaged in each
/// of four places.
fn write(root: &Path) {
    let images = dataset(SMALL, &[3, 2]);
    let outside = root.parent().unwrap().join("other");
    let mut lines = String::new();
    for (place, directory) in [root.join("in"), root.join("#in"), outside].into_iter().enumerate() {
        fs::create_dir_all(&directory).unwrap();
        for (index, label) in images.labels().iter().enumerate() {
            let path = directory.join(format!("{index}.png"));
            picture(&images, index).save(&path).unwrap();
            let listed = if place == 1 { path.strip_prefix(root).unwrap() } else { &path };
            lines = format!("{lines}{} {label}\n", listed.display());
        }
        fs::write(directory.join("0.png"), "damaged").unwrap();
    }
    fs::write(root.join("train.txt"), format!("absent.png 0\n{lines}")).unwrap();
}

#[test]
fn every_unreadable_image_can_be_skipped() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("lists");
    write(&root);
    let find = || list::find(&root).unwrap();
    let check = check_images(find(), true, &mut ());
    assert_eq!((check.unreadable.len(), check.skip_lines.len()), (4, 4), "{:?}", check.skip_lines);
    let (first, others) = check.skip_lines.split_at(2);
    let text = skip_list(&skip_list("# mine\n", first), others);
    assert_eq!(text.matches("# Images to leave out").count(), 1, "{text}");
    let skipped = root.join("skip.txt");
    fs::write(&skipped, &text).unwrap();
    let mut files = find();
    files.skip(&skipped).unwrap();
    let check = check_images(files, true, &mut ());
    assert!(check.unreadable.is_empty(), "{:?}", check.unreadable);
    assert_eq!(check.classes.iter().map(|class| class.train).collect::<Vec<_>>(), [6, 6]);
    // Other spellings of the same paths.
    let absolute = |line: &str| root.join(line).display().to_string();
    let lines = check_images(find(), true, &mut ()).skip_lines;
    let spelled: Vec<String> = lines.iter().map(|line| absolute(line.trim_start_matches("./"))).collect();
    fs::write(&skipped, skip_list("", &spelled)).unwrap();
    find().skip(&skipped).unwrap();
    // Another spelling of the directory.
    fs::write(&skipped, skip_list("", &lines)).unwrap();
    list::find(&root.join("in/..")).unwrap().skip(&skipped).unwrap();
}
