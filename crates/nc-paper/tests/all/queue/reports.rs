//! Reports written by several processes.

use std::{fs, time::Duration};

use nc_paper::{Records, Scale, write_reports};
use nc_record::{Claim, Rhythm};

use super::support::{plan, the_record, work};

#[test]
fn reports_wait_for_the_lock_and_then_read_the_records() {
    let results = tempfile::tempdir().unwrap();
    let plan = plan(&["3"], "table3/cifar10-lt-r100/ce", Scale::Smoke).unwrap();
    work(&plan, results.path(), None);
    let path = the_record(results.path());
    let aside = results.path().join("aside");
    fs::rename(&path, &aside).unwrap();
    // While another process writes reports of any scale, a run is recorded.
    let other = Claim::acquire(&results.path().join("runs"), Rhythm::default(), |_, _| {}).unwrap();
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
    // Only the reports and the record remain.
    let mut names: Vec<String> = fs::read_dir(results.path().join("smoke"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names[1..], ["figures.csv", "tables.csv", "tables.html", "tables.json", "tables.md"]);
    assert_eq!(names.len(), 6, "{names:?}");
}

#[test]
fn reports_can_be_written_concurrently() {
    let results = tempfile::tempdir().unwrap();
    work(&plan(&["3"], "table3/cifar10-lt-r100/ce", Scale::Smoke).unwrap(), results.path(), None);
    std::thread::scope(|scope| {
        let writers = [(); 8].map(|()| scope.spawn(|| write_reports(results.path(), Scale::Smoke)));
        for writer in writers {
            writer.join().unwrap().unwrap();
        }
    });
    let markdown = fs::read_to_string(results.path().join("smoke/tables.md")).unwrap();
    assert!(markdown.contains("| CE [1] | 70.4 | "), "{markdown}");
    let left = fs::read_dir(results.path().join("smoke")).unwrap().map(|entry| entry.unwrap().path());
    assert_eq!(left.filter(|path| path.extension().is_some_and(|extension| extension == "part")).count(), 0);
}
