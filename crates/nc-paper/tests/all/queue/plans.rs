//! Planned runs, their commands and the Slurm script.

use std::{fs, process::Command};

use nc_paper::{Job, Scale, SlurmTasks, slurm_script, write_slurm_script};

use super::support::{FEW, plan, plan_with};
use crate::refusals::Refusals;

#[test]
fn all_cells_can_be_planned_without_duplicate_runs() {
    for scale in [Scale::Smoke, Scale::Quick, Scale::QuickBf16, Scale::Paper, Scale::PaperBf16] {
        let plan = plan(&[], "*", scale).unwrap();
        assert!(plan.jobs.len() > 60, "{}", plan.jobs.len());
        // docs/reproduce-the-paper.md states this number.
        assert!(scale != Scale::Smoke || plan.jobs.len() == 178, "{}", plan.jobs.len());
        for (index, job) in plan.jobs.iter().enumerate() {
            assert!(plan.jobs[..index].iter().all(|other| other.key != job.key), "{}", job.preset);
            let name = |job: &Job| (job.preset.clone(), job.experiment.seed);
            assert!(plan.jobs[..index].iter().all(|other| name(other) != name(job)), "{}", job.preset);
            if let Some(needs) = &job.needs {
                assert!(plan.jobs[..index].iter().any(|other| other.key == *needs), "{}", job.preset);
            }
        }
        let seeds: Vec<u64> = plan.jobs.iter().map(|job| job.experiment.seed).collect();
        assert!(scale.seeds().iter().all(|seed| seeds.contains(seed)));
    }
}

#[test]
fn cells_share_runs_and_runs_share_first_phases() {
    let plan = plan(&["3", "7", "figure2", "6"], FEW, Scale::Quick).unwrap();
    let names: Vec<&str> = plan.jobs.iter().map(|job| job.preset.as_str()).collect();
    assert_eq!(names[..2], ["cifar10-lt-r100/nc-drw", "cifar10-lt-r100/nc-drw-crt"]);
    let (first, second) = (&plan.jobs[0], &plan.jobs[1]);
    assert_eq!(second.needs.as_ref(), Some(&first.key));
    let cells =
        ["table3", "table6", "table7", "figure2"].map(|group| format!("{group}/cifar10-lt-r100/nc-drw"));
    let has = |cell: &String| first.cells.iter().any(|(name, _)| name == cell);
    assert!(cells.iter().all(has), "{:?}", first.cells);
    assert_eq!(first.noise, [0.1, 0.2, 0.3, 0.4]);
    assert_eq!(first.experiment.phases[0].epochs, 40);
}

#[test]
fn runs_on_imagenet_lt_are_planned_on_request() {
    let beside = plan(&["3", "4"], "*", Scale::Quick).unwrap();
    assert_eq!(beside.jobs, plan(&["3"], "*", Scale::Quick).unwrap().jobs);
    let asked = plan_with(true, &["4", "5"], "*/imagenet-lt/*", Scale::Paper).unwrap();
    // 16 rows of Table 4, 12 of Table 5.
    let wanted = |job: &&Job| !job.cells.is_empty() && job.experiment.seed == 0;
    assert_eq!(asked.jobs.iter().filter(wanted).count(), 16 + 12);
    let job = asked.jobs.iter().find(|job| job.preset == "imagenet-lt/nc-drw-crt").unwrap();
    assert_eq!(
        job.command(Scale::Paper),
        "cargo xtask train --preset imagenet-lt/nc-drw-crt --seed 0 --data-dir DIR"
    );
    assert_eq!(job.cells.len(), 1, "one run for the four columns");
    assert!(plan(&["4"], "*", Scale::Smoke).is_ok(), "smoke scale needs no images");
}

pub(crate) fn refused(told: &mut Refusals) {
    told.add("an unknown table", plan(&["8"], "*", Scale::Quick));
    told.add("cells on ImageNet-LT without its images", plan(&["4"], "*", Scale::Quick));
    told.add("cells that match nothing", plan(&["3"], "*/imagenet/*", Scale::Quick));
}

#[test]
fn the_slurm_script_runs_one_run_and_returns_its_exit_code() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("a directory");
    fs::create_dir(&place).unwrap();
    let program = place.join("it's nclt");
    fs::write(&program, "#!/bin/sh\necho \"$@\" >> arguments\nexit 7\n").unwrap();
    let words =
        ["sh", &program.display().to_string(), "reproduce-tables", "--cells", "*/x"].map(String::from);
    let script = slurm_script(
        &words,
        &place.display().to_string(),
        SlurmTasks { tasks: 12, threads: Some(2), gigabytes: 40, gpu: true },
    );
    assert!(script.contains(
        "#SBATCH --array=1-12\n#SBATCH --cpus-per-task=2\n#SBATCH --gres=gpu:1\n#SBATCH --mem=40G\n"
    ));
    let file = write_slurm_script(directory.path(), Scale::Quick, &script).unwrap();
    assert_eq!(file, directory.path().join("quick/slurm.sh"));
    let status = Command::new("bash").arg(&file).status().unwrap();
    assert_eq!(status.code(), Some(7));
    assert_eq!(
        fs::read_to_string(place.join("arguments")).unwrap(),
        "reproduce-tables --cells */x --max-runs 1\n"
    );
}

#[test]
fn commands_reproduce_their_runs() {
    let plan = plan(&[], "*/cifar10-lt-r100/*", Scale::Quick).unwrap();
    let job = |preset: &str| {
        plan.jobs.iter().find(|job| job.preset == format!("cifar10-lt-r100/{preset}")).unwrap()
    };
    let command = |preset: &str| job(preset).command(Scale::Quick);
    assert_eq!(
        command("ldam-drw"),
        "cargo xtask train --preset cifar10-lt-r100/ldam-drw --epochs 40 --seed 0"
    );
    // Only Table 6 measures noise, so its cell is named although other tables come first.
    assert_eq!(
        command("nc-drw"),
        "cargo xtask reproduce-tables --scale quick --cells table6/cifar10-lt-r100/nc-drw --seeds 0"
    );
    // A first phase that is not a preset has its own name and is reproduced through a cell that needs it.
    let first = "logit-adjustment-post-hoc (first phases)";
    assert_ne!(job(first).key, job("logit-adjustment-post-hoc").key);
    let cell = job("logit-adjustment-post-hoc").cells[0].0.clone();
    assert_eq!(
        command(first),
        format!("cargo xtask reproduce-tables --scale quick --cells {cell} --seeds 0")
    );
}

/// Smoke-scale runs are not presets, including first phases that no cell shows.
#[test]
fn commands_of_first_phases_reproduce_them_at_their_scale() {
    let command = |scale| {
        let plan = plan(&["3"], "*/cifar10-lt-r100/nc-drw-crt", scale).unwrap();
        let first = &plan.jobs[0];
        assert_eq!((first.preset.as_str(), first.cells.len()), ("cifar10-lt-r100/nc-drw", 0));
        first.command(scale)
    };
    assert_eq!(
        command(Scale::Smoke),
        "cargo xtask reproduce-tables --scale smoke --cells table3/cifar10-lt-r100/nc-drw-crt --seeds 0"
    );
    assert_eq!(
        command(Scale::Quick),
        "cargo xtask train --preset cifar10-lt-r100/nc-drw --epochs 40 --seed 0"
    );
    assert_eq!(
        command(Scale::QuickBf16),
        "cargo xtask train --preset cifar10-lt-r100/nc-drw --epochs 40 --precision bf16 --seed 0"
    );
    assert_eq!(
        command(Scale::PaperBf16),
        "cargo xtask train --preset cifar10-lt-r100/nc-drw --precision bf16 --seed 0"
    );
}
