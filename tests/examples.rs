//! Mistakes and images of the smallest classes in a run's directory and on its page.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use image::RgbImage;
use nc_data::{ImageShape, encode_png};
use nc_record::{Examples, ImageSample, RunDir};
use serde_json::Value;

use crate::run::{last_line, nclt, stdout};

const CLASSES: [&str; 3] = ["ant", "bee", "cow"];

/// Writes `count` images of a class that hardly differ from those of other classes, so that a network makes mistakes.
fn write(directory: &Path, class: usize, count: usize) {
    fs::create_dir_all(directory).unwrap();
    for index in 0..count {
        let image = RgbImage::from_fn(12, 8, |x, y| {
            let noise = (index as u32 * 37 + x * 11 + y * 29 + class as u32 * 5) % 97;
            [noise as u8, (2 * noise) as u8, 90 + 4 * class as u8].into()
        });
        image.save(directory.join(format!("{index:03}.png"))).unwrap();
    }
}

/// The image in a file as a page shows it.
fn url(path: &Path, class: usize) -> String {
    let image = image::open(path).unwrap().into_rgb8();
    let (width, height) = image.dimensions();
    let pixels = image.into_raw();
    let planes: Vec<u8> = (0..3)
        .flat_map(|channel| pixels.iter().skip(channel).step_by(3).copied().collect::<Vec<_>>())
        .collect();
    let shape = ImageShape { channels: 3, height: height as usize, width: width as usize };
    ImageSample::new(class, &encode_png(&planes, shape).unwrap()).data_url().unwrap()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Predicted class and probability of each test image, as `nclt predict` gives them.
fn predictions(dir: &Path, run: &str) -> HashMap<String, (usize, f64)> {
    let csv = stdout(&nclt(dir, &["predict", run, "mine/test", "--csv", "--top", "1"]));
    let row = |line: &str| {
        let row: Vec<&str> = line.split(',').collect();
        let class = CLASSES.iter().position(|name| *name == row[1]).unwrap();
        (row[0].to_owned(), (class, row[2].parse().unwrap()))
    };
    csv.lines().skip(1).map(row).collect()
}

/// Checks the mistakes of `run` against its predictions, and its page; returns the examples.
fn check(dir: &Path, result: &Value, run: &Path) -> Examples {
    let text = fs::read(run.join(RunDir::EXAMPLES)).unwrap();
    let examples: Examples = serde_json::from_slice(&text).unwrap();
    let predicted = predictions(dir, run.to_str().unwrap());
    let mut wrong = 0;
    for class in &examples.mistakes {
        let directory = format!("mine/test/{}", CLASSES[class.class]);
        let mut expected: Vec<(f64, usize, String)> = vec![];
        for path in files(&dir.join(&directory)) {
            let name = format!("{directory}/{}", path.file_name().unwrap().to_str().unwrap());
            let (predicted, probability) = predicted[&name];
            if predicted != class.class {
                expected.push((probability, predicted, url(&path, class.class)));
            }
        }
        assert_eq!((class.wrong, class.samples), (expected.len(), 20));
        wrong += class.wrong;
        assert_eq!(class.images.len(), class.wrong.min(6));
        expected.sort_by(|one, other| other.0.total_cmp(&one.0));
        for (mistake, most) in class.images.iter().zip(&expected) {
            assert!((mistake.probability - most.0).abs() < 1e-4, "{mistake:?} instead of {most:?}");
            let shown = mistake.image.data_url().unwrap();
            let (_, of_image, _) = expected.iter().find(|(_, _, url)| *url == shown).expect("a mistake");
            assert_eq!(mistake.predicted, *of_image);
        }
    }
    let accuracy = result["accuracy"]["top1"].as_f64().unwrap();
    assert!(wrong > 6 && (1.0 - accuracy - wrong as f64 / 60.0).abs() < 1e-9, "{wrong} wrong, {accuracy}");
    assert!(examples.mistakes.is_sorted_by_key(|class| std::cmp::Reverse(class.wrong)));
    let page = fs::read_to_string(run.join(RunDir::REPORT)).unwrap();
    for part in ["<h2>Most confident mistakes</h2>", "Test images of the classes with", ", predicted as "] {
        assert!(page.contains(part), "no {part}");
    }
    examples
}

#[test]
fn mistakes_are_those_of_the_final_classifier() {
    let dir = tempfile::tempdir().unwrap();
    for (class, (name, count)) in CLASSES.into_iter().zip([40, 10, 4]).enumerate() {
        write(&dir.path().join("mine/train").join(name), class, count);
        write(&dir.path().join("mine/test").join(name), class, 20);
    }
    let train = |preset: &str| {
        let args = ["train", "--preset", preset, "--epochs", "2", "--json", "--data-dir", "mine"];
        let before = fs::read_dir(dir.path().join("runs")).map_or(0, Iterator::count);
        let output = nclt(dir.path(), &[&args[..], &["--set", "data.validation.fraction=0.2"]].concat());
        assert_eq!(fs::read_dir(dir.path().join("runs")).unwrap().count(), before + 1);
        let run = files(&dir.path().join("runs")).into_iter().find(|run| {
            let name = run.file_name().unwrap().to_string_lossy().replace("image-folder-", "");
            name.starts_with(&format!("{}-seed0", preset.replace("image-folder/", "").replace('+', "-")))
        });
        (last_line(&output), run.expect("a run"))
    };
    let (result, run) = train("image-folder/ce");
    let examples = check(dir.path(), &result, &run);
    // The smallest class first: 3 of 4 images are trained on, 8 of 10, 6 of 32 are shown.
    assert_eq!(result["data"]["class_counts"], serde_json::json!([32, 8, 3]));
    let classes: Vec<usize> = examples.smallest.iter().map(|image| image.class).collect();
    assert_eq!(classes, [vec![2; 3], vec![1; 6], vec![0; 6]].concat());
    for image in &examples.smallest {
        let directory = dir.path().join("mine/train").join(CLASSES[image.class]);
        let shown = image.data_url().unwrap();
        assert!(files(&directory).iter().any(|path| url(path, image.class) == shown), "an altered image");
    }
    let page = fs::read_to_string(run.join(RunDir::REPORT)).unwrap();
    assert!(page.contains("<h3>cow <small>3 training images, test accuracy "));
    // The adjusted run trains nothing and has another classifier.
    let (result, adjusted) = train("image-folder/ce+post-hoc-adjustment");
    let other = check(dir.path(), &result, &adjusted);
    assert!(other.mistakes != examples.mistakes && other.smallest == examples.smallest);
    // Pages of earlier runs have no such images.
    fs::remove_file(run.join(RunDir::EXAMPLES)).unwrap();
    stdout(&nclt(dir.path(), &["report", run.to_str().unwrap()]));
    let page = fs::read_to_string(run.join(RunDir::REPORT)).unwrap();
    assert!(!page.contains("confident mistakes") && page.contains("as the network saw them"));
}
