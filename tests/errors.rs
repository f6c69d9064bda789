//! Error messages of rejected commands, which must not write files. Snapshots: `tests/errors.txt` and
//! `tests/errors-of-runs.txt`.

use std::{fs, path::Path};

use crate::{
    analyze::write_two,
    run::{failure, nclt, run_dir, small, stdout},
    snapshot::assert_kept,
};

/// Commands that fail before any work, in a directory with [`FILES`] and two feature files.
const REFUSED: &[&str] = &[
    // Names.
    "nclt train --preset fashion-mnist-lt/nc-drw-crr",
    "nclt train --preset fashion-mnist/ce",
    "nclt train --preset fashion-mnist-lt/ce+crtt",
    "nclt train --preset fashion-mnist-lt/ce+arb",
    "nclt train --preset lws",
    "nclt train --preset fashion-mnist-lt/ce+crt+lws",
    "nclt train --preset fashion-mnist-lt/nc-drw-crt+lws",
    "nclt train --preset nc-drw-crt",
    "nclt train --preset fashion-mnist-lt/crt",
    "nclt presets nothing-like-it",
    // Keys.
    "nclt train --set phases.representation.optimizer.learnin_rate=0.1",
    "nclt train --set phases.reprsentation.epochs=3",
    "nclt train --set phases.2.epochs=3",
    "nclt train --set seeed=1",
    "nclt train --set seed.deep=1",
    "nclt train --set seed",
    "nclt train --set post_hoc.tau=1",
    "nclt train --set model.head.scale=30",
    "nclt train --set =1",
    "nclt train --set data.mean.0=0.5",
    "nclt train --preset cifar10 --set data.mean.7=0.5",
    // Values.
    "nclt train --set seed=many",
    "nclt train --set seed=-1",
    "nclt train --set data.flip=1",
    "nclt train --set name=3",
    "nclt train --set data=3",
    "nclt train --set data.source=idxx",
    "nclt train --set data.profile=full",
    "nclt train --set data.image_size=[32]",
    "nclt train --set data.profile.kind=stepp",
    "nclt train --set model.head=etf",
    "nclt train --set phases.classifier.trains=scaled-classifier",
    "nclt train --set phases=[]",
    // Ranges.
    "nclt train --epochs 0",
    "nclt train --seed 18446744073709551615",
    "nclt train --set phases.representation.optimizer.momentum=1",
    "nclt train --set phases.representation.optimizer.learning_rate=nan",
    "nclt train --set phases.representation.optimizer.weight_decay=-1e-4",
    "nclt train --set phases.representation.epochs=0",
    "nclt train --set phases.representation.batch_size=1.5",
    "nclt train --set phases.representation.mixup_alpha=1e-5",
    "nclt train --set phases.representation.mixup_alpha=-1.0",
    "nclt train --set phases.representation.mixup_alpha=2e6",
    "nclt train --set data.std=[0.0]",
    "nclt train --set data.std=[inf]",
    "nclt train --set data.mean=[nan]",
    "nclt train --set data.image_size=[4294967296,32]",
    "nclt train --set data.validation.fraction=1",
    "nclt train --set data.profile={kind=\"exponential\",ratio=0.5}",
    "nclt train --set data.profile={kind=\"exponential\",ratio=2,largest=1000}",
    "nclt train --set data.profile={kind=\"counts\",counts=[9,9,9,0,9,9,9,9,0,9]}",
    "nclt train --set data.profile={kind=\"counts\",counts=[9,9,9]}",
    "nclt train --set data.crop_padding=28",
    "nclt train --threads 0",
    "nclt train --threads 100000",
    // Contradictions.
    "nclt train --set phases.representation.objective.neural_collapse.within_weight=0",
    "nclt train --set phases.representation.schedule.warmup_epochs=999",
    "nclt train --set phases.representation.schedule.decay.milestones=[30,50]",
    "nclt train --set phases.representation.schedule.decay.milestones=[30,20]",
    "nclt train --set phases.representation.objective.neural_collapse.start_epoch=41",
    "nclt train --set phases.representation.optimizer={learning_rate=1,momentum=0,nesterov=true,weight_decay=0}",
    "nclt train --set model.head={kind=\"etf\"}",
    "nclt train --preset fashion-mnist-lt/ldam-drw+lws",
    "nclt train --preset fashion-mnist-lt/ce-rw+post-hoc-adjustment",
    "nclt train --preset fashion-mnist-lt/ldam-drw+ncm",
    "nclt train --preset fashion-mnist-lt/etf-dr+crt",
    "nclt train --preset fashion-mnist-lt/ce+tau-norm --set post_hoc={kind=\"tau-normalization\"}",
    "nclt train --set phases.representation.objective.loss={kind=\"ldam\",max_margin=0.5}",
    "nclt train --set phases.representation.objective.loss={kind=\"dot-regression\"}",
    "nclt train --set phases.1.name=representation",
    "nclt train --set data.image_size=[32,32]",
    "nclt train --set data.mean=[0.5]",
    // Files.
    "nclt train --config missing.toml",
    "nclt train --config broken.toml",
    "nclt train --config typo.toml",
    "nclt train --config partial.toml",
    "nclt train --config incomplete.toml",
    "nclt train --config number.toml",
    "nclt train --config unknown.toml",
    "nclt train --config preset.toml --preset fashion-mnist-lt/ce",
    "nclt train --resume no/such/run",
    "nclt train --resume broken.toml",
    "nclt train --preset fashion-mnist-lt-r100/ce",
    "nclt train --preset fashion-mnist-lt-r100/ce --data-dir no/such/place",
    "nclt train --preset fashion-mnist-lt-r100/ce --data-dir .",
    "nclt train --preset image-folder",
    "nclt train --preset image-folder --data-dir .",
    "nclt train --preset image-folder --data-dir . --set data.source=image-list",
    "nclt train --preset cifar10-lt-r100/ce",
    "nclt train --preset cifar10-lt-r100/ce --data-dir .",
    "nclt train --set data.source=hub-mnist",
    "nclt eval no/such/run",
    "nclt export-features no/such/run --out features",
    "nclt export-features no/such/run --out no/such/place/features",
    "nclt export-features no/such/run --out .",
    "nclt analyze missing.safetensors",
    "nclt analyze broken.toml",
    "nclt analyze empty.txt",
    "nclt analyze one.safetensors",
    "nclt analyze nan.safetensors",
    "nclt analyze missing.safetensors --html no/such/place/page.html",
    "nclt analyze missing.safetensors --json .",
    "nclt analyze missing.safetensors --json - --html -",
    "nclt report no/such/run",
    "nclt report no/such/run --out no/such/place/page.html",
    "nclt check-list missing.txt",
    "nclt check-list broken.toml",
    "nclt check-list empty.txt",
    "nclt check-list gap.txt",
    "nclt download cifar",
    "nclt download all cifar",
    "nclt download cifar10 --manifest broken.toml",
    "nclt download cifar10 --from missing.tar.gz",
    "nclt download fashion-mnist --from some.gz",
    // Flags.
    "nclt train --device gpu",
    "nclt train --device cuda:0",
    "nclt train --device metal",
    "nclt train --checkpoint-every 5hours",
    "nclt train --checkpoint-every 0steps",
    "nclt train --checkpoint-every 1.5steps",
    "nclt train --checkpoint-every 5",
    "nclt train --checkpoint-every=-1min",
    "nclt reproduce-tables --time-limit 5",
    "nclt reproduce-tables --seeds 0,18446744073709551615",
    "nclt train --resume runs/one --seed 1",
    "nclt train --sett seed=1",
    "nclt trian",
    "nclt reproduce-tables --cells nothing",
    "nclt reproduce-tables --scale large",
    "nclt reproduce-tables --tables 9",
    "nclt reproduce-tables --slurm --max-runs 3",
];

const FILES: &[(&str, &str)] = &[
    ("broken.toml", "seed = = 1\n"),
    ("typo.toml", "preset = \"fashion-mnist-lt/ce\"\n[data]\nflipp = true\n"),
    ("partial.toml", "name = \"mine\"\nseed = 1\n"),
    ("incomplete.toml", "name = \"mine\"\nseed = 1\nphases = []\n"),
    ("number.toml", "preset = 3\n"),
    ("preset.toml", "preset = \"fashion-mnist-lt/nc-drw\"\n"),
    ("unknown.toml", "preset = \"fashion-mnist-lt/nc-drww\"\n"),
    ("empty.txt", ""),
    ("gap.txt", "empty.txt 1\n"),
];

/// Runs the command and returns it with its error message.
fn told(dir: &Path, command: &str) -> String {
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    let output = nclt(dir, &words);
    let lists = command.starts_with("nclt check-list");
    assert!(lists || output.stdout.is_empty(), "{command} wrote to standard output: {output:?}");
    let message = failure(&output).replace(&dir.display().to_string(), "DIRECTORY");
    let indented = message.trim_end().replace('\n', "\n    ").replace("    \n", "\n");
    format!("$ {command}\n    {indented}\n\n")
}

#[test]
fn error_messages_match_the_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in FILES {
        fs::write(dir.path().join(name), content).unwrap();
    }
    write_two(&dir.path().join("one.safetensors"), [0.0, 1.0, 1.0, 0.0], [0, 0]);
    write_two(&dir.path().join("nan.safetensors"), [0.0, 1.0, f32::NAN, 0.0], [0, 1]);
    let there = || fs::read_dir(dir.path()).unwrap().count();
    let files = there();
    let mut text = vec![];
    for command in REFUSED {
        text.push(told(dir.path(), command));
        assert_eq!(there(), files, "{command} wrote files");
    }
    assert_kept("../../tests/errors.txt", &text.concat());
}

/// Errors about missing and damaged files of a finished run.
#[test]
fn errors_about_run_files_match_the_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    stdout(&nclt(dir.path(), &small(&["--epochs", "1"])));
    let run = run_dir(dir.path());
    fs::rename(&run, dir.path().join("run")).unwrap();
    let run = dir.path().join("run");
    let other = fs::read_to_string(run.join("config.toml")).unwrap().replacen("seed = 0", "seed = 1", 1);
    let mut text = vec![];
    let mut damaged = |file: &str, content: Option<&[u8]>, commands: &[&str]| {
        let whole = fs::read(run.join(file)).unwrap();
        match content {
            Some(content) => fs::write(run.join(file), content).unwrap(),
            None => fs::remove_file(run.join(file)).unwrap(),
        }
        for command in commands {
            let said = told(dir.path(), command);
            text.push(format!("# {file} {}\n{said}", if content.is_some() { "damaged" } else { "gone" }));
        }
        fs::write(run.join(file), whole).unwrap();
    };
    damaged("config.toml", None, &["nclt eval run", "nclt train --resume run"]);
    damaged("config.toml", Some(b"seed = 1\n"), &["nclt eval run"]);
    damaged("config.toml", Some(other.as_bytes()), &["nclt train --resume run"]);
    damaged("weights.safetensors", None, &["nclt eval run", "nclt export-features run --out features"]);
    damaged("weights.safetensors", Some(b"not weights"), &["nclt eval run"]);
    damaged("result.json", Some(b"{}"), &["nclt report run", "nclt train --resume run"]);
    damaged("result.json", Some(b"{\"format_version\":99}"), &["nclt report run"]);
    damaged("events.jsonl", None, &["nclt report run"]);
    damaged("events.jsonl", Some(b"no json\n"), &["nclt report run"]);
    assert_kept("../../tests/errors-of-runs.txt", &text.concat());
}
