//! Records written by a queue.

use std::fs;

use nc_paper::{Error, Plan, Records, Scale, write_reports};

use super::support::{edit, plan, the_record, work};

#[test]
fn records_of_two_scales_do_not_mix() {
    let results = tempfile::tempdir().unwrap();
    let plan = plan(&["3"], "table3/cifar10-lt-r100/ce", Scale::Smoke).unwrap();
    work(&plan, results.path(), None);
    fs::rename(results.path().join("smoke"), results.path().join("paper")).unwrap();
    let error = Records::read(results.path(), Scale::Paper).unwrap_err();
    assert!(matches!(error, Error::BadRecord { .. }));
    assert!(error.to_string().ends_with("record of smoke scale among records of paper scale"), "{error}");
}

#[test]
fn the_more_complete_of_two_records_is_used() {
    let results = tempfile::tempdir().unwrap();
    let plain = plan(&["3"], "table3/cifar10-lt-r100/nc-drw", Scale::Smoke).unwrap();
    let noisy = plan(&["6"], "table6/cifar10-lt-r100/nc-drw", Scale::Smoke).unwrap();
    work(&plain, results.path(), None);
    let records = |plan: &Plan| {
        let records = Records::read(results.path(), Scale::Smoke).unwrap();
        plan.jobs.len() - plan.missing(&records).len()
    };
    assert_eq!((records(&plain), records(&noisy)), (1, 0), "noise not measured yet");
    let read = Records::read(results.path(), Scale::Smoke).unwrap();
    assert_eq!(plain.cells(&read), [("table3/cifar10-lt-r100/nc-drw", 1, 1)]);
    assert_eq!(noisy.cells(&read), [("table6/cifar10-lt-r100/nc-drw", 0, 1)]);
    let both = super::support::plan(&["3", "6"], "*/cifar10-lt-r100/nc-drw", Scale::Smoke).unwrap();
    assert_eq!(both.missing(&read).len(), 1, "the job lacks its noise levels");
    let cells = both.cells(&read);
    assert_eq!(cells, [("table3/cifar10-lt-r100/nc-drw", 1, 1), ("table6/cifar10-lt-r100/nc-drw", 0, 1)]);
    // An older record under a former preset name that sorts first.
    let path = the_record(results.path());
    let former = path.with_file_name("a-former-name.json");
    fs::copy(&path, &former).unwrap();
    let (ended, said) = work(&noisy, results.path(), None);
    assert_eq!((ended.missing, ended.failed.len()), (0, 0), "{said:?}");
    assert_eq!((records(&plain), records(&noisy)), (1, 1));
    // The queue removed it. If it reappears, say with an old checkout, it does not hide the new record.
    assert_eq!(the_record(results.path()), path);
    edit(&path, &former, |record| record["noise"] = serde_json::json!([]));
    assert_eq!((records(&plain), records(&noisy)), (1, 1));
}

#[test]
fn an_outdated_record_is_replaced() {
    let results = tempfile::tempdir().unwrap();
    let noisy = plan(&["6"], "table6/cifar10-lt-r100/nc-drw", Scale::Smoke).unwrap();
    let plain = plan(&["3"], "table3/cifar10-lt-r100/nc-drw", Scale::Smoke).unwrap();
    work(&plain, results.path(), None);
    // Its preset had another name, and its table the same number of different noise levels.
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
fn records_with_missing_classes_are_rejected() {
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
    // Angles may be absent: they are for many classes.
    fs::write(&path, &whole).unwrap();
    edit(&path, &path, |record| list(record, "angles_degrees").clear());
    write_reports(results.path(), Scale::Smoke).unwrap();
}

/// Modifies a record.
type Cut = fn(&mut serde_json::Value);

/// The per-class values of `record` under `name`.
fn list<'a>(record: &'a mut serde_json::Value, name: &str) -> &'a mut Vec<serde_json::Value> {
    record["geometry"][name].as_array_mut().unwrap()
}

/// Treating it as empty would train everything again.
#[test]
fn an_unreadable_records_directory_is_an_error() {
    let results = tempfile::tempdir().unwrap();
    assert_eq!(Records::read(results.path(), Scale::Smoke).unwrap(), Records::default());
    fs::write(results.path().join("smoke"), "a file where the directory should be").unwrap();
    let error = Records::read(results.path(), Scale::Smoke).unwrap_err();
    assert!(matches!(&error, Error::BadRecord { path, .. } if path.ends_with("smoke")), "{error}");
}
