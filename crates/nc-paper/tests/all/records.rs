//! Valid and damaged records.

use std::{fs, path::Path};

use nc_paper::{Error, PaperTable, Records, Scale};
use proptest::prelude::*;

/// A committed record.
fn measured() -> Vec<u8> {
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results/paper");
    let paths = fs::read_dir(results).unwrap().map(|entry| entry.unwrap().path());
    let mut records: Vec<_> = paths.filter(|path| path.display().to_string().contains("-seed")).collect();
    records.sort();
    fs::read(&records[0]).unwrap()
}

/// Reads a results directory with this single record.
fn read(bytes: &[u8]) -> Result<Records, Error> {
    let results = tempfile::tempdir().unwrap();
    fs::create_dir(results.path().join("paper")).unwrap();
    fs::write(results.path().join("paper/record.json"), bytes).unwrap();
    Records::read(results.path(), Scale::Paper)
}

#[test]
fn committed_records_are_read() {
    assert_ne!(read(&measured()).unwrap(), Records::default());
}

#[test]
fn seeds_out_of_range_are_rejected() {
    let mut record: serde_json::Value = serde_json::from_slice(&measured()).unwrap();
    record["seed"] = (1u64 << 63).into();
    let refused = read(&serde_json::to_vec(&record).unwrap()).unwrap_err();
    assert!(matches!(refused, Error::BadRecord { .. }), "{refused}");
    let range = "seed: expected an integer from 0 to 9223372036854775807, found 9223372036854775808";
    assert!(refused.to_string().ends_with(range), "{refused}");
}

#[test]
fn accuracies_above_one_are_rejected() {
    for field in ["top1", "many"] {
        let mut record: serde_json::Value = serde_json::from_slice(&measured()).unwrap();
        record["accuracy"][field] = 81.0.into();
        let refused = read(&serde_json::to_vec(&record).unwrap()).unwrap_err().to_string();
        assert!(refused.ends_with("expected accuracy from 0 to 1, found 81"), "{refused}");
    }
}

#[test]
fn rows_and_lines_of_averages_show_the_average_of_the_weights() {
    let mut record: serde_json::Value = serde_json::from_slice(&measured()).unwrap();
    record["weight_average"] = serde_json::json!({ "all": 0.875, "many": 0.9, "medium": 0.75, "few": null });
    let results = tempfile::tempdir().unwrap();
    fs::create_dir(results.path().join("paper")).unwrap();
    fs::write(results.path().join("paper/record.json"), serde_json::to_vec(&record).unwrap()).unwrap();
    let records = Records::read(results.path(), Scale::Paper).unwrap();

    let preset = record["preset"].as_str().unwrap();
    let (data, method) = preset.split_once('/').unwrap();
    let text = format!(
        "id = \"x\"\ntitle = \"x\"\nmeasure = \"%\"\n[[columns]]\ntitle = \"A\"\ndata = \"{data}\"\n\
         [[rows]]\nname = \"weights\"\nmethod = \"{method}\"\n\
         [[rows]]\nname = \"average\"\nmethod = \"{method}\"\naveraged = true\n"
    );
    let table = PaperTable::parse("x.toml", &text).unwrap();
    let filled = nc_paper::fill_tables(&[table], &records, Scale::Paper).unwrap();
    let shown: Vec<f64> = filled[0].rows.iter().map(|row| row.cells[0].runs[0].value).collect();
    assert_eq!(shown, [100.0 * record["accuracy"]["top1"].as_f64().unwrap(), 87.5]);

    nc_paper::write_reports(results.path(), Scale::Paper).unwrap();
    let page = fs::read_to_string(results.path().join("expected.md")).unwrap();
    let line = page.lines().find(|line| line.contains(", average of the weights |")).unwrap();
    assert!(
        line.starts_with(&format!("| `{preset}`, average")) && line.ends_with(" | 87.5 | 90.0 | 75.0 |  |"),
        "{line}"
    );
}

proptest! {
    #[test]
    fn mutated_records_are_read_or_rejected_by_name(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = measured();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Err(error) = read(&bytes) {
            prop_assert!(error.to_string().contains("record.json"), "{error}");
        }
    }

    #[test]
    fn truncated_records_are_rejected(place: prop::sample::Index) {
        let whole = measured();
        let text = whole.trim_ascii_end();
        let refused = read(&text[..place.index(text.len())]);
        prop_assert!(matches!(refused, Err(Error::BadRecord { .. })), "{refused:?}");
    }

    #[test]
    fn random_bytes_are_rejected(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let refused = read(&bytes);
        prop_assert!(matches!(refused, Err(Error::BadRecord { .. })), "{refused:?}");
    }
}
