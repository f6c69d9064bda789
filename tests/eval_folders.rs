//! `nclt eval` on image folders other than those of the training.

use std::{fs, path::Path};

use image::{DynamicImage, RgbImage};
use serde_json::Value;

use crate::run::{failure, last_line, nclt, run_dir, stdout};

const CLASSES: [&str; 3] = ["ant", "bee", "cow"];

/// Writes `counts[k]` images of class k below `root`.
fn write(root: &Path, counts: [usize; 3], side: u32, shade: u8) {
    for (class, count) in counts.into_iter().enumerate() {
        let directory = root.join(CLASSES[class]);
        fs::create_dir_all(&directory).unwrap();
        for index in 0..count as u32 {
            let image = RgbImage::from_fn(side, side, |x, y| {
                let mut pixel = [(9 * index) as u8 % 90, (x * 7) as u8 + shade, (y * 7) as u8 + shade];
                pixel[class] = 255 - pixel[class];
                pixel.into()
            });
            image.save(directory.join(format!("{index:03}.png"))).unwrap();
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
        let target = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            fs::copy(entry, target).unwrap();
        }
    }
}

/// Two epochs on all training images, without validation; enough to be above chance.
const SETTINGS: [&str; 6] =
    ["--epochs", "2", "--set", "model.backbone=resnet8", "--set", "data.source=image-folder"];

fn train(dir: &Path, data: &str) {
    write(&dir.join(data).join("train"), [24, 12, 6], 12, 0);
    write(&dir.join(data).join("test"), [4, 3, 2], 12, 20);
    let args = ["train", "--preset", "fashion-mnist-lt/ce", "--data-dir", data];
    stdout(&nclt(dir, &[&args[..], &SETTINGS].concat()));
}

fn eval(dir: &Path, data: &str) -> Result<(Value, String), String> {
    let run = run_dir(dir);
    let output = nclt(dir, &["eval", run.to_str().unwrap(), "--data-dir", data, "--json"]);
    if !output.status.success() {
        return Err(failure(&output));
    }
    Ok((last_line(&output), String::from_utf8(output.stderr.clone()).unwrap()))
}

#[test]
fn changed_images_are_evaluated_with_a_warning_or_rejected() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    train(dir, "data");
    let (original, said) = eval(dir, "data").unwrap();
    assert!(!said.contains("warning:"), "{said}");
    assert_eq!(original["class_names"], serde_json::json!(CLASSES));
    // The run has recorded its data directory.
    let run = run_dir(dir);
    let remembered = last_line(&nclt(dir, &["eval", run.to_str().unwrap(), "--json"]));
    assert_eq!(remembered, original);

    let mut number = 0;
    let mut changed = |change: &dyn Fn(&Path)| {
        number += 1;
        let name = format!("changed{number}");
        copy(&dir.join("data"), &dir.join(&name));
        change(&dir.join(&name));
        eval(dir, &name)
    };
    let refused = |outcome: Result<(Value, String), String>, reason: &str| {
        let message = outcome.unwrap_err();
        assert!(message.contains(reason), "{message}");
    };
    let warned = |outcome: Result<(Value, String), String>, sets: &[&str]| {
        let (figures, said) = outcome.unwrap();
        for set in ["training", "test"] {
            let warning = format!("warning: the {set} images are not those of the run");
            assert_eq!(said.contains(&warning), sets.contains(&set), "{said}");
        }
        figures
    };
    let rename = |from: &'static str, to: &'static str| {
        move |data: &Path| fs::rename(data.join(from), data.join(to)).unwrap()
    };

    // Renamed files are the same images.
    let (same, said) = changed(&rename("test/bee/000.png", "test/bee/zzz.png")).unwrap();
    assert_eq!((same, said.contains("warning:")), (original.clone(), false));
    // Class names: unknown names are an error, swapped names change the labels.
    refused(
        changed(&|data| {
            for set in ["train", "test"] {
                fs::rename(data.join(set).join("cow"), data.join(set).join("zebra")).unwrap();
            }
        }),
        "unknown class zebra; expected one of ant, bee, cow",
    );
    let swapped = changed(&|data| {
        for (from, to) in [("ant", "x"), ("bee", "ant"), ("x", "bee")] {
            fs::rename(data.join("test").join(from), data.join("test").join(to)).unwrap();
        }
    });
    let per_class = |figures: &Value, class: usize| figures["accuracy"]["confusion"][class].clone();
    let swapped = warned(swapped, &["test"]);
    assert_eq!(per_class(&swapped, 0), per_class(&original, 1));
    assert_eq!(per_class(&swapped, 1), per_class(&original, 0));
    // Counts: a class needs training images, but no test images.
    let missing = warned(changed(&|data| fs::remove_dir_all(data.join("test/ant")).unwrap()), &["test"]);
    assert_eq!(missing["accuracy"]["per_class"][0], Value::Null);
    refused(changed(&|data| fs::remove_dir_all(data.join("train/ant")).unwrap()), "ant");
    // Shot groups are those of the run.
    let fewer =
        warned(changed(&|data| fs::remove_file(data.join("train/ant/000.png")).unwrap()), &["training"]);
    assert_eq!(
        (&fewer["class_counts"], &fewer["accuracy"]),
        (&original["class_counts"], &original["accuracy"])
    );
    // One image moved.
    warned(changed(&rename("train/ant/000.png", "test/ant/new.png")), &["training", "test"]);
    warned(changed(&rename("test/ant/000.png", "test/bee/new.png")), &["test"]);
    warned(changed(&rename("train/ant/000.png", "train/bee/new.png")), &["training"]);
    // Sizes and channels.
    refused(
        changed(&|data| {
            fs::remove_dir_all(data).unwrap();
            write(&data.join("train"), [24, 12, 6], 16, 0);
        }),
        "they are 16x16 pixels, the network was trained on 12x12",
    );
    let grey = changed(&|data| {
        for set in ["train", "test"] {
            for class in CLASSES {
                for file in fs::read_dir(data.join(set).join(class)).unwrap() {
                    let path = file.unwrap().path();
                    DynamicImage::ImageLuma8(image::open(&path).unwrap().into_luma8()).save(path).unwrap();
                }
            }
        }
    });
    warned(grey, &["training", "test"]);
    // Normalisation is that of the run, so other training images do not change the test features.
    let darker = changed(&|data| {
        fs::remove_dir_all(data.join("train")).unwrap();
        write(&data.join("train"), [24, 12, 6], 12, 100);
    });
    let darker = warned(darker, &["training"]);
    assert_eq!(
        darker["nc"]["test"]["nc2"]["centered_means"],
        original["nc"]["test"]["nc2"]["centered_means"]
    );
}

#[test]
fn files_of_a_finished_run_are_verified() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    train(dir, "data");
    let run = run_dir(dir);
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    fs::write(run.join("config.toml"), format!("# a comment\n{config}")).unwrap();
    eval(dir, "data").unwrap();
    fs::write(run.join("config.toml"), config.replace("weight_decay = 0.0002", "weight_decay = 0.0001"))
        .unwrap();
    assert!(eval(dir, "data").unwrap_err().contains("config.toml: changed since the run finished"));
    fs::write(run.join("config.toml"), config).unwrap();
    let mut weights = fs::read(run.join("weights.safetensors")).unwrap();
    *weights.last_mut().unwrap() ^= 1;
    fs::write(run.join("weights.safetensors"), &weights).unwrap();
    assert!(eval(dir, "data").unwrap_err().contains("SHA-256 differs"));
    // A run that would start from the changed weights starts from the beginning.
    let args = ["train", "--preset", "fashion-mnist-lt/ce+crt", "--data-dir", "data", "--json"];
    let output = nclt(dir, &[&args[..], &SETTINGS].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains("reusing the first phases"), "{said}");
    // Renamed weights have no recorded digest to compare with.
    fs::rename(run.join("weights.safetensors"), run.join("mine.safetensors")).unwrap();
    stdout(&nclt(dir, &["eval", run.join("mine.safetensors").to_str().unwrap(), "--data-dir", "data"]));
}

#[test]
fn held_out_images_and_class_names_are_those_of_the_run() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    write(&dir.join("flat"), [20, 10, 10], 12, 0);
    let args = ["train", "--preset", "image-folder/ce", "--epochs", "1", "--data-dir", "flat"];
    let args =
        [&args[..], &["--set", "model.backbone=resnet8", "--set", "data.validation.fraction=0.3"]].concat();
    let said = String::from_utf8(nclt(dir, &args).stderr).unwrap();
    assert!(said.contains("note: validation: 9 images, 2 of the smallest class"), "{said}");
    let run = run_dir(dir);
    eval(dir, "flat").unwrap();
    // The selected weights are verified, too.
    let selected = run.join("weights-selected.safetensors");
    let written = fs::read(&selected).unwrap();
    let mut changed = written.clone();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&selected, changed).unwrap();
    let eval_selected = || nclt(dir, &["eval", selected.to_str().unwrap(), "--data-dir", "flat"]);
    assert!(failure(&eval_selected()).contains("weights-selected.safetensors"));
    fs::write(&selected, written).unwrap();
    stdout(&eval_selected());
    // With other images, the images held out for testing may be training images of the run.
    copy(&dir.join("flat"), &dir.join("more"));
    for index in 0..5 {
        let name = format!("{index:03}.png");
        fs::copy(dir.join("flat/bee").join(&name), dir.join("more/ant").join(format!("bee{name}"))).unwrap();
    }
    assert!(eval(dir, "more").unwrap_err().contains("held out of other training images"));
    // The hash of a run does not include class names.
    fs::rename(dir.join("flat/cow"), dir.join("flat/yak")).unwrap();
    assert!(failure(&nclt(dir, &args)).contains("classes ant, bee, yak, but the run in"));
    // The same picture in two classes.
    let args = ["train", "--preset", "image-folder/ce", "--epochs", "1", "--data-dir", "more"];
    let output = nclt(
        dir,
        &[&args[..], &["--set", "model.backbone=resnet8", "--set", "data.test_fraction=0.01"]].concat(),
    );
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("identical to images of another class"), "{said}");
}

#[test]
fn a_run_without_stored_input_needs_its_own_training_images() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    train(dir, "data");
    let (original, _) = eval(dir, "data").unwrap();
    // Earlier versions wrote neither of these.
    let run = run_dir(dir);
    let mut result: Value = serde_json::from_slice(&fs::read(run.join("result.json")).unwrap()).unwrap();
    for field in ["input", "weights_sha256"] {
        result.as_object_mut().unwrap().remove(field).unwrap();
    }
    fs::write(run.join("result.json"), serde_json::to_vec(&result).unwrap()).unwrap();
    let weights = fs::read(run.join("weights.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&weights).unwrap();
    fs::write(run.join("weights.safetensors"), safetensors::serialize(tensors.tensors(), None).unwrap())
        .unwrap();
    assert_eq!(eval(dir, "data").unwrap().0, original);
    copy(&dir.join("data/test"), &dir.join("darker/test"));
    write(&dir.join("darker/train"), [24, 12, 6], 12, 100);
    let message = eval(dir, "darker").unwrap_err();
    assert!(message.contains("stored neither normalisation nor class names"), "{message}");
}

#[test]
fn the_result_describes_input_network_and_program() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    train(dir, "data");
    let copied = fs::copy(dir.join("data/train/ant/000.png"), dir.join("data/test/ant/copy.png")).unwrap();
    assert!(copied > 0);
    fs::write(dir.join("data/train/ant/\u{1b}[2Jclear.gif"), "").unwrap();
    let args =
        ["train", "--preset", "image-folder/ce", "--epochs", "1", "--data-dir", "data", "--out", "two"];
    let output = nclt(dir, &[&args[..], &["--json", "--set", "model.backbone=resnet8"]].concat());
    let result = last_line(&output);
    assert_eq!(result["input"]["classes"], serde_json::json!(CLASSES));
    assert_eq!(result["input"]["mean"].as_array().unwrap().len(), 3);
    assert_eq!(result["network"]["channels"], serde_json::json!([16, 32, 64]));
    assert_eq!(result["network"]["precision"], "f32");
    assert!(result["network"]["flops_per_image"].as_u64().unwrap() > 1_000_000);
    assert!(result["program"]["processor"].as_str().unwrap().contains(' '));
    // Exported features include the class names.
    let run = fs::read_dir(dir.join("two")).unwrap().next().unwrap().unwrap().path();
    stdout(&nclt(dir, &["export-features", run.to_str().unwrap(), "--out", "features.safetensors"]));
    let analysis = stdout(&nclt(dir, &["analyze", "features.safetensors", "--json", "-"]));
    let analysis: Value = serde_json::from_str(&analysis).unwrap();
    assert_eq!(analysis["class_names"], serde_json::json!(CLASSES));
    // Export to ONNX needs no images.
    fs::rename(dir.join("data"), dir.join("away")).unwrap();
    let shown = stdout(&nclt(dir, &["export", run.to_str().unwrap(), "--onnx", "model.onnx"]));
    assert!(shown.starts_with("images (N, 3, "), "{shown}");
    let notes = result["notes"].as_array().unwrap();
    assert!(
        notes.iter().any(|note| note.as_str().unwrap().starts_with("1 test image is a copy")),
        "{notes:?}"
    );
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("note: 1 test image is a copy") && said.contains("1 .gif"), "{said}");
    assert!(!said.contains('\u{1b}'), "{said}");
    assert!(said.contains("ant"), "the table has class names: {said}");
}
