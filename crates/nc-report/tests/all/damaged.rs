//! Runs with mutated files.

use std::{fs, path::Path, sync::LazyLock};

use nc_record::RunDir;
use nc_report::{RunReport, comparison_page};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{case::Case, refusals::Refusals};

/// The JSON files of a valid run; each line of the event log.
static SOUND: LazyLock<Vec<(&str, Vec<Value>)>> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    Case::new(4, 5, |class| 30 - 9 * class).run(directory.path(), "a", 3);
    let read = |name| {
        let text = fs::read_to_string(directory.path().join(name)).unwrap();
        let values = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
        (name, values.collect::<Result<_, _>>().unwrap())
    };
    [RunDir::RESULT, RunDir::PROJECTION, RunDir::EVENTS].map(read).into()
});

fn write(directory: &Path, files: &[(&str, Vec<Value>)]) {
    fs::write(directory.join(RunDir::CONFIG), "name = 1").unwrap();
    for (name, values) in files {
        let lines: Vec<String> = values.iter().map(Value::to_string).collect();
        fs::write(directory.join(name), lines.join("\n") + "\n").unwrap();
    }
}

/// Counts the numbers and lists in `value`.
fn places(value: &Value) -> usize {
    match value {
        Value::Number(_) => 1,
        Value::Array(values) => 1 + values.iter().map(places).sum::<usize>(),
        Value::Object(fields) => fields.values().map(places).sum(),
        _ => 0,
    }
}

/// Changes number or list `place` of `value`. If there are fewer, returns the number still to skip.
fn change(value: &mut Value, place: usize, by: &dyn Fn(&mut Value)) -> Result<(), usize> {
    let own = usize::from(matches!(value, Value::Number(_) | Value::Array(_)));
    if own == 1 && place == 0 {
        by(value);
        return Ok(());
    }
    let parts: Vec<&mut Value> = match value {
        Value::Array(values) => values.iter_mut().collect(),
        Value::Object(fields) => fields.values_mut().collect(),
        _ => vec![],
    };
    parts
        .into_iter()
        .try_fold(place - own, |place, part| match change(part, place, by) {
            Ok(()) => Err(()),
            Err(left) => Ok(left),
        })
        .map_or(Ok(()), Err)
}

fn odd_number() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(0)),
        Just(json!(1)),
        Just(json!(-1)),
        Just(json!(0.5)),
        Just(json!(1e-300)),
        Just(json!(1e300)),
        Just(json!(-1.7e308)),
        Just(json!(u64::MAX)),
        Just(json!(1u64 << 62)),
    ]
}

proptest! {
    #[test]
    fn mutated_runs_render_or_fail_with_a_message(
        file in 0..3usize,
        line: prop::sample::Index,
        changes in prop::collection::vec((any::<prop::sample::Index>(), odd_number(), any::<prop::sample::Index>()), 1..3),
    ) {
        let mut files = SOUND.clone();
        let values = &mut files[file].1;
        let value = &mut values[line.index(SOUND[file].1.len())];
        for (place, number, at) in changes {
            let places = places(value);
            if places == 0 {
                continue;
            }
            let by = |value: &mut Value| match value {
                Value::Array(values) if values.is_empty() => values.push(number.clone()),
                Value::Array(values) => {
                    let at = at.index(values.len());
                    values.remove(at);
                }
                value => *value = number.clone(),
            };
            change(value, place.index(places), &by).unwrap();
        }
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), &files);
        let told = RunReport::read(directory.path()).and_then(|run| {
            run.to_html()?;
            comparison_page(&[run.clone(), run])
        });
        if let Err(error) = told {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}

pub(crate) fn refused(told: &mut Refusals) {
    let mut files = SOUND.clone();
    files[0].1[0]["accuracy"]["per_class"].as_array_mut().unwrap().pop();
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &files);
    told.add("a result that lost a class", RunReport::read(directory.path()));
}

#[test]
fn curves_over_hundreds_of_decades_terminate() {
    let mut files = SOUND.clone();
    for event in &mut files[2].1 {
        if event["event"] == "measured" {
            event["train"]["nc1.trace.class_weighted"] = json!(1e-300);
            event["test"]["nc1.trace.class_weighted"] = json!(1e20);
        }
    }
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &files);
    RunReport::read(directory.path()).unwrap().to_html().unwrap();
}

/// An exploded network has a page like any other.
#[test]
fn features_near_the_largest_f32_are_drawn() {
    let mut files = SOUND.clone();
    let largest = f64::from(f32::MAX);
    for sample in files[1].1[0]["samples"].as_array_mut().unwrap() {
        sample["at"] = json!([largest * sample["at"][0].as_f64().unwrap().signum(), 20.0 * largest]);
    }
    for norm in files[0].1[0]["nc"]["train"]["nc2"]["centered_means"]["norms"].as_array_mut().unwrap() {
        *norm = json!(20.0 * largest);
    }
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &files);
    let page = RunReport::read(directory.path()).unwrap().to_html().unwrap();
    assert!(!page.contains("NaN") && !page.contains("inf\""));
}

#[test]
fn text_from_files_is_escaped() {
    let mut files = SOUND.clone();
    files[0].1[0]["run_hash"] = json!("<img xx\u{e9} src=x>");
    files[0].1[0]["data"]["train_hash"] = json!("<script>");
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &files);
    let page = RunReport::read(directory.path()).unwrap().to_html().unwrap();
    assert!(!page.contains("<img") && page.matches("<script").count() == 1);
}
