//! The records that a queue leaves, and what becomes of them.

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
    assert!(error.to_string().ends_with("it is of smoke scale and stands among paper"), "{error}");
}

#[test]
fn of_two_records_of_a_run_the_one_with_noise_counts() {
    let results = tempfile::tempdir().unwrap();
    let plain = plan(&["3"], "table3/cifar10-lt-r100/nc-drw", Scale::Smoke).unwrap();
    let noisy = plan(&["6"], "table6/cifar10-lt-r100/nc-drw", Scale::Smoke).unwrap();
    work(&plain, results.path(), None);
    let records = |plan: &Plan| {
        let records = Records::read(results.path(), Scale::Smoke).unwrap();
        plan.jobs.len() - plan.missing(&records).len()
    };
    assert_eq!((records(&plain), records(&noisy)), (1, 0), "the noise is not measured yet");
    let read = Records::read(results.path(), Scale::Smoke).unwrap();
    assert_eq!(plain.cells(&read), [("table3/cifar10-lt-r100/nc-drw", 1, 1)]);
    assert_eq!(noisy.cells(&read), [("table6/cifar10-lt-r100/nc-drw", 0, 1)]);
    let both = super::support::plan(&["3", "6"], "*/cifar10-lt-r100/nc-drw", Scale::Smoke).unwrap();
    assert_eq!(both.missing(&read).len(), 1, "the run itself lacks its figures under noise");
    let cells = both.cells(&read);
    assert_eq!(cells, [("table3/cifar10-lt-r100/nc-drw", 1, 1), ("table6/cifar10-lt-r100/nc-drw", 0, 1)]);
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
