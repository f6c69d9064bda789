#[macro_use]
#[path = "../../../../tests/worded.rs"]
mod worded;

use std::fs;

use super::Error;
use crate::{PaperFigure, PaperTable, Plan, Records, Scale, Selection};

const COLUMNS: &str =
    "id = \"1\"\ntitle = \"a table\"\nmeasure = \"%\"\n[[columns]]\ntitle = \"A\"\ndata = \"cifar10\"\n";

fn table(rows: &str) -> Error {
    PaperTable::parse("x.toml", &format!("{COLUMNS}[[rows]]\nname = \"CE\"\n{rows}")).unwrap_err()
}

fn plan(tables: &[&str], cells: &str) -> Error {
    let selection = Selection {
        tables: tables.iter().map(|&name| name.to_owned()).collect(),
        cells: cells.to_owned(),
        seeds: vec![],
        scale: Scale::Quick,
    };
    Plan::new(&PaperTable::all().unwrap(), &PaperFigure::all().unwrap(), &selection).unwrap_err()
}

#[test]
fn every_error_is_worded_as_it_is_kept() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let records = directory.path().join("quick");
    fs::create_dir_all(&records)?;
    fs::write(records.join("one.json"), "{}")?;
    let version = || nc_record::Error::Version { path: "result.json".into(), found: 2, expected: 1 };
    assert_worded!(
        Error {
            Malformed, Duplicate, Published, Control, Method, Data, Noise, NoTable, NotBuilt, NoCell, BadRecord, Train,
            Record, Report,
        },
        vec![
            ("an unknown key", table("methd = \"ce\"")),
            ("two rows of one name", table("method = \"ce\"\n[[rows]]\nname = \"CE\"\nmethod = \"ce\"")),
            ("figures for other columns", table("method = \"ce\"\npublished = [1.0, 2.0]")),
            ("a control that is not there", table("method = \"ce\"\ncontrol = \"RIDE\"")),
            ("a row without method", table("")),
            ("a row with too much", table("method = \"ce\"\nnot_built = \"no experts\"")),
            ("a data set named twice", table("method = \"ce\"\ndata = \"cifar100\"")),
            ("noise of no strength", PaperTable::parse(
                "x.toml",
                &format!("{COLUMNS}noise = -1.0\n[[rows]]\nname = \"CE\"\nmethod = \"ce\""),
            ).unwrap_err()),
            ("a table that is not there", plan(&["9"], "*")),
            ("a table without runs", Error::NotBuilt { names: "table4".into() }),
            ("cells that are not there", plan(&[], "nothing")),
            ("a record of nothing", Records::read(directory.path(), Scale::Quick).unwrap_err()),
            ("a run that fails", nc_train::Error::from(version()).into()),
            ("a record of the future", version().into()),
            ("a report of the future", nc_report::Error::from(version()).into()),
        ], in directory.path()
    );
    Ok(())
}
