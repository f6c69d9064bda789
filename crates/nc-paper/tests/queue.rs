//! Plans, and the queue that does them, at smoke scale.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use nc_paper::{
    Ended, Error, Job, PaperFigure, PaperTable, Plan, Queue, Records, Reporter, Scale, Selection,
    fill_tables, slurm_script, write_reports,
};
use nc_record::{Claim, Rhythm};
use nc_train::{DataSource, Experiment, Observer, RunOptions};

fn plan(tables: &[&str], cells: &str, scale: Scale) -> nc_paper::Result<Plan> {
    let selection = Selection {
        tables: tables.iter().map(ToString::to_string).collect(),
        cells: cells.into(),
        seeds: vec![],
        scale,
    };
    Plan::new(&PaperTable::all()?, &PaperFigure::all()?, &selection)
}

/// Hears what a queue says.
#[derive(Default)]
struct Listener {
    said: Vec<String>,
}

impl Reporter for Listener {
    fn say(&mut self, line: &str) {
        self.said.push(line.to_owned());
    }

    fn observer(&mut self, _: &Experiment) -> Box<dyn Observer + '_> {
        Box::new(())
    }

    fn wants_to_stop(&self) -> bool {
        false
    }
}

fn work(plan: &Plan, results: &Path, most: Option<usize>) -> (Ended, Vec<String>) {
    let directories: BTreeMap<DataSource, Option<PathBuf>> = BTreeMap::new();
    let mut listener = Listener::default();
    let mut queue = Queue::new(plan, results, &directories, RunOptions::default());
    let ended = queue.run(most, &mut listener).unwrap();
    (ended, listener.said)
}

const FEW: &str = "*/cifar10-lt-r100/nc-drw*";

#[test]
fn every_cell_can_be_planned_and_no_run_stands_twice() {
    for scale in [Scale::Smoke, Scale::Quick, Scale::Paper] {
        let plan = plan(&[], "*", scale).unwrap();
        assert!(plan.jobs.len() > 60, "{}", plan.jobs.len());
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
    assert!(cells.iter().all(|cell| first.cells.contains(cell)), "{:?}", first.cells);
    assert_eq!(first.noise, [0.1, 0.2, 0.3, 0.4]);
    assert_eq!(first.experiment.phases[0].epochs, 40);
}

#[test]
fn what_is_not_there_is_refused() {
    let message = |tables: &[&str], cells: &str| plan(tables, cells, Scale::Quick).unwrap_err().to_string();
    assert_eq!(
        message(&["8"], "*"),
        "there is no table or figure \"8\", only table2, table3, table4, table5, table6, table7, figure2, figure3"
    );
    assert_eq!(
        message(&["4"], "*"),
        "nothing of table4 is built yet: it stands in the tables, but there is nothing to run"
    );
    let beside = plan(&["3", "4"], "*", Scale::Quick).unwrap();
    assert_eq!(beside.jobs, plan(&["3"], "*", Scale::Quick).unwrap().jobs);
    assert!(message(&["3"], "*/imagenet/*").starts_with("no cell matches \"*/imagenet/*\""));
}

#[test]
fn the_queue_does_each_run_once_and_tables_come_from_its_records() {
    let results = tempfile::tempdir().unwrap();
    let plan = plan(&["3"], FEW, Scale::Smoke).unwrap();
    let (ended, said) = work(&plan, results.path(), Some(1));
    assert_eq!((ended.done, ended.missing), (1, plan.jobs.len() - 1), "{said:?}");
    let (ended, said) = work(&plan, results.path(), None);
    assert_eq!((ended.done, ended.missing), (plan.jobs.len() - 1, 0), "{said:?}");
    let (ended, said) = work(&plan, results.path(), None);
    assert_eq!((ended.done, ended.missing, said.len()), (0, 0, 0));

    let records = Records::read(results.path(), Scale::Smoke).unwrap();
    let tables = fill_tables(&PaperTable::all().unwrap(), &records, Scale::Smoke).unwrap();
    let table = tables.iter().find(|table| table.id == "3").unwrap();
    let row = |name: &str| table.rows.iter().find(|row| row.name == name).unwrap();
    for job in plan.jobs.iter().filter(|job| !job.preset.contains("paper-text")) {
        let record = records.get(&job.key).unwrap();
        let name = if job.preset.ends_with("crt") { "NC-DRW-cRT" } else { "NC-DRW" };
        let cell = &row(name).cells[0];
        assert_eq!(cell.mean(), Some(100.0 * record.accuracy.top1));
        assert_eq!(cell.runs[0].provenance.subset_hash, record.data.train_hash);
        assert!(record.config.contains("[[phases]]") && record.geometry.norms.len() == 10);
    }
    assert!(row("CE").cells[0].runs.is_empty() && row("CE").cells[0].published == Some(70.4));
    for run in fs::read_dir(results.path().join("runs/smoke")).unwrap().map(|entry| entry.unwrap().path()) {
        assert!(!run.is_dir() || run.join("report.html").exists(), "{} has no page", run.display());
    }
    write_reports(results.path(), Scale::Smoke).unwrap();
    let markdown = fs::read_to_string(results.path().join("smoke/tables.md")).unwrap();
    assert!(markdown.contains("| NC-DRW | 81.9 | "), "{markdown}");
    // What was written does not disturb what is read.
    assert_eq!(Records::read(results.path(), Scale::Smoke).unwrap(), records);
}

#[test]
fn two_processes_share_the_work() {
    let results = tempfile::tempdir().unwrap();
    let plan = plan(&["3"], "*/cifar10-lt-r100/ce*", Scale::Smoke).unwrap();
    let (a, b) = std::thread::scope(|scope| {
        let workers = [(); 2].map(|()| scope.spawn(|| work(&plan, results.path(), None)));
        let [a, b] = workers.map(|worker| worker.join().unwrap());
        (a, b)
    });
    assert_eq!(a.0.done + b.0.done, plan.jobs.len(), "{:?} {:?}", a.1, b.1);
    assert!(a.0.done > 0 && b.0.done > 0, "{:?} {:?}", a.1, b.1);
    assert_eq!((a.0.missing, b.0.missing), (0, 0));
}

#[test]
fn a_failed_run_is_told_and_the_others_are_done() {
    let results = tempfile::tempdir().unwrap();
    let mut plan = plan(&["7"], "*/cifar10-lt-r100/ce-drw-mixup+*", Scale::Smoke).unwrap();
    plan.jobs.truncate(2);
    // There are no such images.
    plan.jobs[0].experiment.data.source = DataSource::Cifar10;
    let (ended, said) = work(&plan, results.path(), None);
    assert_eq!((ended.done, ended.missing, ended.failed.len()), (1, 1, 1), "{said:?}");
    assert!(ended.failed[0].1.contains("--data-dir"), "{}", ended.failed[0].1);
}

#[test]
fn records_of_two_scales_do_not_mix() {
    let results = tempfile::tempdir().unwrap();
    let plan = plan(&["3"], "table3/cifar10-lt-r100/ce", Scale::Smoke).unwrap();
    work(&plan, results.path(), None);
    fs::rename(results.path().join("smoke"), results.path().join("paper")).unwrap();
    let error = Records::read(results.path(), Scale::Paper).unwrap_err();
    assert!(matches!(error, Error::BadRecord { .. }));
    assert!(error.to_string().ends_with("it is of smoke scale and stands among paper"), "{error}");
}

#[test]
fn the_slurm_script_runs_one_task_and_passes_on_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("a directory");
    fs::create_dir(&place).unwrap();
    let program = place.join("it's nclt");
    fs::write(&program, "#!/bin/sh\necho \"$@\" >> arguments\nexit 7\n").unwrap();
    let words =
        ["sh", &program.display().to_string(), "reproduce-tables", "--cells", "*/x"].map(String::from);
    let script = slurm_script(&words, &place.display().to_string(), 12, 2);
    assert!(script.contains("#SBATCH --array=1-12\n#SBATCH --cpus-per-task=2\n"));
    let file = directory.path().join("slurm.sh");
    fs::write(&file, script).unwrap();
    let status = Command::new("bash").arg(&file).status().unwrap();
    assert_eq!(status.code(), Some(7));
    assert_eq!(
        fs::read_to_string(place.join("arguments")).unwrap(),
        "reproduce-tables --cells */x --max-runs 1\n"
    );
}

#[test]
fn commands_repeat_the_runs_they_stand_beside() {
    let plan = plan(&[], "*/cifar10-lt-r100/*", Scale::Quick).unwrap();
    let job = |preset: &str| {
        plan.jobs.iter().find(|job| job.preset == format!("cifar10-lt-r100/{preset}")).unwrap()
    };
    let command = |preset: &str| job(preset).command(Scale::Quick);
    assert_eq!(
        command("ldam-drw"),
        "cargo xtask train --preset cifar10-lt-r100/ldam-drw --epochs 40 --seed 0"
    );
    // Only Table 6 shows accuracy under noise, though other tables come before it.
    assert_eq!(
        command("nc-drw"),
        "cargo xtask reproduce-tables --scale quick --cells table6/cifar10-lt-r100/nc-drw --seeds 0"
    );
    // The first phase of a run that is no preset of its own has a name of its own, and is done with what needs it.
    let first = "logit-adjustment-post-hoc (first phases)";
    assert_ne!(job(first).key, job("logit-adjustment-post-hoc").key);
    let cell = job("logit-adjustment-post-hoc").cells[0].clone();
    assert_eq!(
        command(first),
        format!("cargo xtask reproduce-tables --scale quick --cells {cell} --seeds 0")
    );
}

/// At smoke scale no preset is what is run, which holds for first phases that no cell shows, too.
#[test]
fn commands_of_first_phases_repeat_them_at_their_scale() {
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
}

#[test]
fn of_two_records_of_a_run_the_one_with_noise_counts() {
    let results = tempfile::tempdir().unwrap();
    let plain = plan(&["3"], "table3/cifar10-lt-r100/nc-drw", Scale::Smoke).unwrap();
    let noisy = plan(&["6"], "table6/cifar10-lt-r100/nc-drw", Scale::Smoke).unwrap();
    work(&plain, results.path(), None);
    let records = |plan: &Plan| {
        let records = Records::read(results.path(), Scale::Smoke).unwrap();
        plan.jobs.iter().filter(|job| records.has(job)).count()
    };
    assert_eq!((records(&plain), records(&noisy)), (1, 0), "the noise is not measured yet");
    // A record under a name that comes first, from when the preset was called otherwise.
    let path = the_record(results.path());
    let former = path.with_file_name("a-former-name.json");
    fs::copy(&path, &former).unwrap();
    let (ended, said) = work(&noisy, results.path(), None);
    assert_eq!((ended.missing, ended.failed.len()), (0, 0), "{said:?}");
    assert_eq!((records(&plain), records(&noisy)), (1, 1));
    // It is gone; if it comes back, with an old checkout perhaps, it hides nothing.
    assert_eq!(the_record(results.path()), path);
    edit(&path, &former, |record| record["noise"] = serde_json::json!([]));
    assert_eq!((records(&plain), records(&noisy)), (1, 1));
}

/// The only record of smoke scale.
fn the_record(results: &Path) -> PathBuf {
    let entries = fs::read_dir(results.join("smoke")).unwrap().map(|entry| entry.unwrap().path());
    let records: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
    assert_eq!(records.len(), 1, "{records:?}");
    records[0].clone()
}

/// Writes the record in `from` into `to`, changed.
fn edit(from: &Path, to: &Path, change: impl Fn(&mut serde_json::Value)) {
    let mut record = serde_json::from_slice(&fs::read(from).unwrap()).unwrap();
    change(&mut record);
    fs::write(to, serde_json::to_vec(&record).unwrap()).unwrap();
}

#[test]
fn a_record_of_another_day_gives_way_to_a_new_one() {
    let results = tempfile::tempdir().unwrap();
    let noisy = plan(&["6"], "table6/cifar10-lt-r100/nc-drw", Scale::Smoke).unwrap();
    let plain = plan(&["3"], "table3/cifar10-lt-r100/nc-drw", Scale::Smoke).unwrap();
    work(&plain, results.path(), None);
    // Its preset had another name, and its table as many other columns.
    let path = the_record(results.path());
    let noise: Vec<_> =
        (1..=4).map(|std| serde_json::json!({ "std": f64::from(std), "top1": 0.1 })).collect();
    edit(&path, &path.with_file_name("a-former-name.json"), |record| {
        record["noise"] = serde_json::json!(noise);
    });
    let (ended, said) = work(&noisy, results.path(), Some(3));
    assert_eq!((ended.missing, ended.failed.len(), said.len()), (0, 0, 2), "{said:?}");
    assert_eq!(the_record(results.path()), path);
}

#[test]
fn what_stays_missing_though_recorded_is_a_failure() {
    let results = tempfile::tempdir().unwrap();
    let mut plan = plan(&["6"], "table6/cifar10-lt-r100/ce-drw-mixup", Scale::Smoke).unwrap();
    // Two jobs of one key, with noise that no one record has.
    let noise = [vec![0.1], vec![0.2]];
    plan.jobs = noise.map(|noise| Job { noise, ..plan.jobs[0].clone() }).to_vec();
    let mut listener = Impatient::default();
    let directories = BTreeMap::new();
    let ended = Queue::new(&plan, results.path(), &directories, RunOptions::default())
        .run(None, &mut listener)
        .unwrap();
    assert_eq!((ended.done, ended.missing, ended.failed.len()), (1, 1, 1), "{:?}", listener.0.said);
    let message = "cifar10-lt-r100/ce-drw-mixup seed 0: its record lacks some of what its cells show";
    assert!(ended.failed[0].1.starts_with(message), "{}", ended.failed[0].1);
}

/// Stops a queue that does not end.
#[derive(Default)]
struct Impatient(Listener);

impl Reporter for Impatient {
    fn say(&mut self, line: &str) {
        self.0.say(line);
    }

    fn observer(&mut self, experiment: &Experiment) -> Box<dyn Observer + '_> {
        self.0.observer(experiment)
    }

    fn wants_to_stop(&self) -> bool {
        self.0.said.len() > 10
    }
}

#[test]
fn first_phases_that_are_not_here_count_in_the_estimate() {
    let results = tempfile::tempdir().unwrap();
    let mut plan = plan(&["3"], "*/cifar10-lt-r100/nc-drw-crt", Scale::Smoke).unwrap();
    work(&plan, results.path(), Some(1));
    plan.jobs[1].experiment.phases[0].epochs = 10_000;
    let directories = BTreeMap::new();
    let mut queue = Queue::new(&plan, results.path(), &directories, RunOptions::default());
    let missing = queue.missing().unwrap();
    assert_eq!(missing, [&plan.jobs[1]]);
    let second_phase = queue.estimate(&missing).unwrap();
    // As in a fresh clone, where only the records are.
    fs::remove_dir_all(results.path().join("runs")).unwrap();
    assert_eq!(queue.missing().unwrap(), missing);
    let both = queue.estimate(&missing).unwrap();
    assert!(both > 10.0 * second_phase, "{both} {second_phase}");
}

#[test]
fn reports_wait_for_their_turn_and_then_show_what_is_there() {
    let results = tempfile::tempdir().unwrap();
    let plan = plan(&["3"], "table3/cifar10-lt-r100/ce", Scale::Smoke).unwrap();
    work(&plan, results.path(), None);
    let path = the_record(results.path());
    let aside = results.path().join("aside");
    fs::rename(&path, &aside).unwrap();
    // Another process writes reports, and meanwhile a run is recorded.
    let other = Claim::acquire(&results.path().join("runs/smoke"), Rhythm::default()).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| write_reports(results.path(), Scale::Smoke));
        std::thread::sleep(Duration::from_millis(500));
        assert!(!results.path().join("smoke/tables.md").exists());
        fs::rename(&aside, &path).unwrap();
        drop(other);
        writer.join().unwrap().unwrap();
    });
    let records = Records::read(results.path(), Scale::Smoke).unwrap();
    let hash = &records.get(&plan.jobs[0].key).unwrap().run_hash;
    assert!(fs::read_to_string(results.path().join("smoke/tables.json")).unwrap().contains(hash));
    // Nothing but reports and the record is left.
    let mut names: Vec<String> = fs::read_dir(results.path().join("smoke"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names[1..], ["figures.csv", "tables.csv", "tables.html", "tables.json", "tables.md"]);
    assert_eq!(names.len(), 6, "{names:?}");
}

#[test]
fn reports_can_be_written_by_many_at_once() {
    let results = tempfile::tempdir().unwrap();
    work(&plan(&["3"], "table3/cifar10-lt-r100/ce", Scale::Smoke).unwrap(), results.path(), None);
    std::thread::scope(|scope| {
        let writers = [(); 8].map(|()| scope.spawn(|| write_reports(results.path(), Scale::Smoke)));
        for writer in writers {
            writer.join().unwrap().unwrap();
        }
    });
    let markdown = fs::read_to_string(results.path().join("smoke/tables.md")).unwrap();
    assert!(markdown.contains("| CE | 70.4 | "), "{markdown}");
    let left = fs::read_dir(results.path().join("smoke")).unwrap().map(|entry| entry.unwrap().path());
    assert_eq!(left.filter(|path| path.extension().is_some_and(|extension| extension == "part")).count(), 0);
}

#[test]
fn a_record_with_figures_of_other_classes_is_refused() {
    let results = tempfile::tempdir().unwrap();
    work(&plan(&["3"], "table3/cifar10-lt-r100/ce", Scale::Smoke).unwrap(), results.path(), None);
    let path = the_record(results.path());
    let whole = fs::read(&path).unwrap();
    let cuts: [(&str, Cut); 5] = [
        ("norms of 10 classes, found 9", |record| drop(list(record, "norms").pop())),
        ("norms of 10 classes, found 0", |record| list(record, "norms").clear()),
        ("angles of 10 x 10 classes or none, found rows of [10, 10, 10, 10, 10, 10, 10, 10, 10]", |record| {
            list(record, "angles_degrees").pop();
        }),
        ("found rows of [10, 9, 10, ", |record| {
            list(record, "angles_degrees")[1].as_array_mut().unwrap().pop();
        }),
        ("norms of 11 classes, found 10", |record| {
            record["data"]["class_counts"].as_array_mut().unwrap().push(1.into());
        }),
    ];
    for (message, cut) in cuts {
        fs::write(&path, &whole).unwrap();
        edit(&path, &path, cut);
        let error = Records::read(results.path(), Scale::Smoke).unwrap_err();
        assert!(matches!(error, Error::BadRecord { .. }), "{error}");
        assert!(error.to_string().contains(message), "{error}");
        assert!(write_reports(results.path(), Scale::Smoke).is_err());
    }
    // Many classes have no angles.
    fs::write(&path, &whole).unwrap();
    edit(&path, &path, |record| list(record, "angles_degrees").clear());
    write_reports(results.path(), Scale::Smoke).unwrap();
}

/// What is done to a record.
type Cut = fn(&mut serde_json::Value);

/// What `record` has by class under `name`.
fn list<'a>(record: &'a mut serde_json::Value, name: &str) -> &'a mut Vec<serde_json::Value> {
    record["geometry"][name].as_array_mut().unwrap()
}

/// Otherwise everything would be run again.
#[test]
fn records_that_cannot_be_listed_are_not_none() {
    let results = tempfile::tempdir().unwrap();
    assert_eq!(Records::read(results.path(), Scale::Smoke).unwrap(), Records::default());
    fs::write(results.path().join("smoke"), "a file where the directory should be").unwrap();
    let error = Records::read(results.path(), Scale::Smoke).unwrap_err();
    assert!(matches!(&error, Error::BadRecord { path, .. } if path.ends_with("smoke")), "{error}");
}
