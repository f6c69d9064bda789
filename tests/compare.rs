//! `nclt compare`.

use std::{fs, process::Output};

use crate::run::{failure, nclt, stdout};

fn compare(dir: &std::path::Path, more: &[&str]) -> Output {
    let few = [
        "compare",
        "--data=fashion-mnist-lt",
        "--methods=nc-drw-crt,ce,nc-drw",
        "--seeds=0,1",
        "--epochs=1",
        "--set=model.backbone=resnet8",
        "--set=data.profile={kind=\"exponential\", ratio=10, largest=20}",
        "--set=phases.representation.batch_size=32",
        "--out=results of today",
    ];
    nclt(dir, &[&few[..], more].concat())
}

#[test]
fn a_comparison_is_resumed_and_ends_with_a_recommendation() {
    let dir = tempfile::tempdir().unwrap();
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let dry = stdout(&compare(dir.path(), &["--dry-run"]));
    assert!(dry.contains("6 runs of 1 epoch; 6 missing, about "), "{dry}");
    assert!(!dir.path().join("results of today").exists(), "a dry run writes no files");

    let script = stdout(&compare(dir.path(), &["--slurm"]));
    assert!(script.contains("6 runs missing: sbatch 'results of today/slurm.sh'"), "{script}");
    let script = fs::read_to_string(dir.path().join("results of today/slurm.sh")).unwrap();
    assert!(script.contains("'--out=results of today' --max-runs 1 &"), "{script}");

    let first = compare(dir.path(), &["--max-runs=1"]);
    assert!(first.status.success() && said(&first).contains("5 runs missing"), "{}", said(&first));
    assert!(!stdout(&first).contains("Use "), "an unfinished comparison recommends nothing");
    let second = compare(dir.path(), &[]);
    let text = stdout(&second);
    assert!(said(&second).contains("reusing the first phases of a finished run"), "{}", said(&second));
    for word in
        ["validation, balanced", "worst", "ECE", "Use ", " validation images (2 seeds), ", "nclt predict "]
    {
        assert!(text.contains(word), "{word}: {text}");
    }
    let page = fs::read_to_string(dir.path().join("results of today/comparison.html")).unwrap();
    assert!(page.contains("<h2>Recommendation</h2>") && page.contains("Test images do not influence"));
    let third = compare(dir.path(), &[]);
    assert!(said(&third).contains("6 runs of 1 epoch; 0 missing"), "{}", said(&third));
    assert_eq!(stdout(&third), text, "the finished runs give the same recommendation");

    // The command that is printed works as it stands.
    let run = text.split("nclt predict ").nth(1).unwrap().split(" IMAGE").next().unwrap().trim_matches('\'');
    assert!(dir.path().join(run).join("weights.safetensors").exists(), "{run}");
    assert_eq!(stdout(&compare(dir.path(), &["--slurm"])), "no runs missing\n");

    // Runs that start from weights. One method needs no ranking.
    let args = [
        "compare",
        "--data=fashion-mnist-lt",
        "--methods=ce",
        "--seeds=0",
        "--epochs=1",
        "--set=model.backbone=resnet8",
        "--set=data.profile={kind=\"exponential\", ratio=10, largest=20}",
        "--out=fine-tuned",
        "--init-from",
        run,
    ];
    let output = nclt(dir.path(), &args);
    assert!(stdout(&output).contains("no recommendation: "), "{}", stdout(&output));
    let config = crate::run::run_dir(&dir.path().join("fine-tuned")).join("config.toml");
    assert!(fs::read_to_string(config).unwrap().contains("init_sha256 = "), "{}", said(&output));
    assert!(said(&output).contains("backbone initialised from"), "{}", said(&output));
}

#[test]
fn minutes_choose_a_length_that_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let args = |more: &'static [&'static str]| {
        let few =
            ["compare", "--data=fashion-mnist-lt", "--methods=ce,nc-drw", "--set=model.backbone=resnet8"];
        nclt(dir.path(), &[&few[..], &["--minutes=600", "--dry-run"], more].concat())
    };
    let epochs = |text: &str| -> usize {
        text.split("6 runs of ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
    };
    let first = epochs(&stdout(&args(&[])));
    assert!(first > 40, "ten hours for six runs of a small network: {first}");
    assert!(!dir.path().join("comparison").exists(), "a dry run writes no files");
    fs::create_dir(dir.path().join("comparison")).unwrap();
    fs::write(dir.path().join("comparison/epochs"), "7 epochs within 600 minutes\n").unwrap();
    assert_eq!(epochs(&stdout(&args(&[]))), 7);
    // A repeated command keeps the epochs that the first chose.
    let run = |methods: &'static str| {
        let args = ["compare", "--data=fashion-mnist-lt", "--set=model.backbone=resnet8", "--out=kept"];
        nclt(dir.path(), &[&args[..], &["--minutes=600", "--max-runs=0", methods]].concat())
    };
    let kept = || fs::read_to_string(dir.path().join("kept/epochs")).unwrap();
    stdout(&run("--methods=ce,nc-drw"));
    let first = kept();
    stdout(&run("--methods=ce,nc-drw"));
    assert_eq!(kept(), first);
    assert!(failure(&run("--methods=ce,ldam-drw")).contains("chosen for other images, methods"), "{first}");
    fs::write(dir.path().join("comparison/epochs"), "7 epochs within 600 minutes of 0123456789abcdef\n")
        .unwrap();
    assert!(
        failure(&args(&[]))
            .contains("chosen for other images, methods, seeds or settings; use another --out")
    );
    fs::write(dir.path().join("comparison/epochs"), "7 epochs within 30 minutes\n").unwrap();
    assert!(failure(&args(&[])).contains("chosen by --minutes 30; repeat that, or use another --out"));
    fs::write(dir.path().join("comparison/epochs"), "seven\n").unwrap();
    assert!(failure(&args(&[])).contains("expected a number of epochs, found \"seven\"; remove the file"));
}

#[test]
fn impossible_comparisons_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |args: &[&str]| failure(&nclt(dir.path(), &[&["compare"], args].concat()));
    assert!(refused(&[]).contains("set --data-dir to the directory of your images"));
    let twice = refused(&["--data=fashion-mnist-lt", "--methods=ce,ce"]);
    assert!(twice.contains("fashion-mnist-lt/ce seed 0: given twice"), "{twice}");
    let image = |class: &str, name: &str| {
        fs::create_dir_all(dir.path().join("one").join(class)).unwrap();
        let value = class.len() as u8;
        image::RgbImage::from_pixel(8, 8, [value; 3].into())
            .save(dir.path().join("one").join(class).join(name))
            .unwrap();
    };
    for (class, name) in [("ant", "1.png"), ("ant", "2.png"), ("tiger", "1.png")] {
        image(class, name);
    }
    let few = refused(&["--data-dir=one"]);
    assert!(few.contains("no class has one to hold out; add images, or give validation images"), "{few}");
    let unknown = refused(&["--data=fashion-mnist-lt", "--methods=cee"]);
    assert!(unknown.contains("did you mean \"ce\""), "{unknown}");
}
