//! Training on images that stay in their files.

use std::{fs, path::Path};

use image::RgbImage;

use crate::{
    interrupted::{EACH_STEP, checkpoints, start, wait_until},
    run::{failure, last_line, nclt, run_dir, stdout},
};

/// Photographs of two classes, each of another size.
fn write(root: &Path) {
    for (class, (name, count)) in [("ant", 24), ("bee", 12)].into_iter().enumerate() {
        for set in ["train", "test"] {
            let directory = root.join(set).join(name);
            fs::create_dir_all(&directory).unwrap();
            for index in 0..count {
                let (width, height) = (20 + index % 7, 18 + index % 5);
                let image = RgbImage::from_fn(width, height, |x, y| {
                    let mut pixel = [(9 * index) as u8, (x * 9) as u8, (y * 9 + set.len() as u32) as u8];
                    pixel[class] = 255 - pixel[class];
                    pixel.into()
                });
                image.save(directory.join(format!("{index:02}.png"))).unwrap();
            }
        }
    }
}

const CONFIG: &str = r#"
preset = "image-folder/ce+nc"
[data]
image_size = [16, 16]
crop_padding = 0
mean = [0.5, 0.5, 0.5]
std = [0.25, 0.25, 0.25]
[data.streaming]
training = [{ kind = "random-resized-crop", size = 16 }]
evaluation = [{ kind = "resize", size = 18 }, { kind = "center-crop", size = 16 }]
[model]
backbone = "resnet8"
"#;

const TRAIN: [&str; 8] =
    ["train", "--config", "streamed.toml", "--data-dir", "photographs", "--epochs", "2", "--json"];

#[test]
fn a_streamed_run_is_trained_evaluated_and_exported() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("photographs"));
    fs::write(dir.path().join("streamed.toml"), CONFIG).unwrap();
    let result = last_line(&nclt(dir.path(), &TRAIN));
    let run = run_dir(dir.path());
    let weights = fs::read(run.join("weights.safetensors")).unwrap();
    let run = run.to_str().unwrap();

    // Batches do not depend on the number of loader threads.
    let other = ["--loader-threads", "3", "--out", "other"];
    last_line(&nclt(dir.path(), &[&TRAIN[..], &other].concat()));
    let entries = fs::read_dir(dir.path().join("other")).unwrap().map(|entry| entry.unwrap().path());
    let again = entries.into_iter().find(|path| path.is_dir()).unwrap();
    assert!(fs::read(again.join("weights.safetensors")).unwrap() == weights);
    assert!(dir.path().join("photographs/.nclt-index").is_file());

    // Nor do they depend on a kill.
    let killed = tempfile::tempdir().unwrap();
    write(&killed.path().join("photographs"));
    fs::write(killed.path().join("streamed.toml"), CONFIG).unwrap();
    let args = [&TRAIN[..], &EACH_STEP].concat();
    let mut child = start(killed.path(), &args);
    wait_until(killed.path(), |run| checkpoints(run).len() >= 2);
    child.kill().unwrap();
    child.wait().unwrap();
    last_line(&nclt(killed.path(), &args));
    assert!(fs::read(run_dir(killed.path()).join("weights.safetensors")).unwrap() == weights);

    // Files are identified by their bytes: the same images in memory are another run.
    let memory = ["--set", "data.streaming=none", "--out", "memory"];
    let in_memory = last_line(&nclt(dir.path(), &[&TRAIN[..], &memory].concat()));
    assert_ne!(in_memory["data"]["train_hash"], result["data"]["train_hash"]);
    assert_eq!(in_memory["data"]["class_counts"], result["data"]["class_counts"]);

    let accuracy = |value: &serde_json::Value| value["accuracy"]["top1"].as_f64().unwrap();
    let evaluated = last_line(&nclt(dir.path(), &["eval", run, "--json"]));
    assert_eq!(accuracy(&evaluated), accuracy(&result));

    // Predictions see the pixels of the evaluation.
    let predicted = stdout(&nclt(dir.path(), &["predict", run, "photographs/test", "--csv"]));
    let correct = |name: &str| {
        let hits = predicted.lines().filter(|line| line.contains(&format!("test/{name}/")));
        hits.filter(|line| line.split(',').nth(1) == Some(name)).count()
    };
    assert_eq!(predicted.lines().filter(|line| line.contains("photographs/")).count(), 36);
    let expected = (accuracy(&result) * 36.0).round() as usize;
    assert_eq!(correct("ant") + correct("bee"), expected, "{predicted}");

    stdout(&nclt(dir.path(), &["export", run, "--onnx", "model.onnx"]));
    let model = fs::read(dir.path().join("model.onnx")).unwrap();
    let rule =
        br#"[{"interpolation":"bilinear","kind":"resize","size":18},{"kind":"center-crop","size":16}]"#;
    let has = |text: &[u8]| model.windows(text.len()).any(|window| window == text);
    assert!(has(b"exif_orientation"));
    assert!(has(b"evaluation_transforms") && has(rule) && !has(b"cover-and-crop"));
}

#[test]
fn damaged_photographs_are_named_and_can_be_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let photographs = dir.path().join("photographs");
    write(&photographs);
    fs::write(dir.path().join("streamed.toml"), CONFIG).unwrap();
    let damaged = photographs.join("train/ant/05.png");
    let bytes = fs::read(&damaged).unwrap();
    fs::write(&damaged, &bytes[..bytes.len() / 2]).unwrap();
    assert!(failure(&nclt(dir.path(), &TRAIN)).contains("05.png"));
    let check = ["check", "photographs", "--write-skip", "photographs/skip.txt"];
    assert!(!nclt(dir.path(), &check).status.success(), "an unreadable image must be fixed");
    let all = ["--set", "data.validation=none", "--set", "evaluation.keep=last"];
    let skipping = [&TRAIN[..], &all, &["--set", "data.skip=skip.txt"]].concat();
    let result = last_line(&nclt(dir.path(), &skipping));
    assert_eq!(result["data"]["class_counts"], serde_json::json!([23, 12]));
}
