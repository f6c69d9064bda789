//! What the reader refuses, and what it then says.

use nc_paper::{CellPlan, Error, PaperFigure, PaperTable};

use super::tables::{is_published, row};

const COLUMNS: &str = r#"
[[columns]]
title = "A"
data = "cifar10"
[[columns]]
title = "B"
data = "cifar100"
"#;

/// A table with these columns and rows.
fn parse(columns: &str, rows: &str) -> nc_paper::Result<PaperTable> {
    let head = "id = \"1\"\ntitle = \"a table\"\nmeasure = \"%\"\n";
    PaperTable::parse("x.toml", &format!("{head}{columns}\n{rows}"))
}

/// The error of a table with two columns, A on cifar10 and B on cifar100, and these rows.
fn refused(rows: &str) -> Error {
    parse(COLUMNS, rows).unwrap_err()
}

#[test]
fn a_small_table() {
    let rows = r#"
[[rows]]
name = "CE"
method = "ce"
published = [90.5, nan]
[[rows]]
name = "RIDE"
not_built = "no experts"
control = "CE"
"#;
    let table = parse(COLUMNS, rows).unwrap();
    let ce = row(&table, "CE");
    assert_eq!(ce.cells[0].published, Some(90.5));
    assert_eq!(ce.cells[1].published, None);
    assert_eq!(ce.cells[1].run().unwrap().preset(), "cifar100/ce");
    assert!(is_published(ce));
    let ride = row(&table, "RIDE");
    assert!(!is_published(ride));
    assert_eq!(ride.cells.len(), 2);
    assert_eq!(ride.cells[0].plan, CellPlan::NotBuilt("no experts".into()));
    assert_eq!(table.rows.len(), 2);
}

#[test]
fn one_figure_a_column() {
    for (figures, count) in [("[90.5]", 1), ("[90.5, 70.0, 60.0]", 3)] {
        let error = refused(&format!("[[rows]]\nname = \"CE\"\nmethod = \"ce\"\npublished = {figures}"));
        assert!(matches!(&error, Error::Published { expected: 2, found, .. } if *found == count), "{error}");
        assert_eq!(
            error.to_string(),
            format!("x.toml: row \"CE\" has {count} published figures, expected 2 (one a column) or none")
        );
    }
}

#[test]
fn a_control_is_another_row() {
    for control in ["CE + mix-up", "CE"] {
        let error = refused(&format!("[[rows]]\nname = \"CE\"\nmethod = \"ce\"\ncontrol = \"{control}\""));
        assert!(matches!(error, Error::Control { .. }), "{error}");
        assert_eq!(
            error.to_string(),
            format!("x.toml: row \"CE\" has the control {control:?}, but no other row is named so")
        );
    }
}

#[test]
fn a_method_or_a_reason() {
    let error = refused("[[rows]]\nname = \"CE\"");
    assert!(matches!(error, Error::Method { both: false, .. }), "{error}");
    assert_eq!(error.to_string(), "x.toml: row \"CE\" has neither of method and not_built, expected one");
    let error = refused("[[rows]]\nname = \"CE\"\nmethod = \"ce\"\nnot_built = \"no\"");
    assert!(matches!(error, Error::Method { both: true, .. }), "{error}");
    assert_eq!(error.to_string(), "x.toml: row \"CE\" has both of method and not_built, expected one");
}

#[test]
fn names_are_unique() {
    let row = "[[rows]]\nname = \"CE\"\nmethod = \"ce\"\n";
    let error = refused(&row.repeat(2));
    assert!(matches!(error, Error::Duplicate { what: "row", .. }), "{error}");
    assert_eq!(error.to_string(), "x.toml: row \"CE\" stands there more than once");
    let error = parse(&COLUMNS.repeat(2), row).unwrap_err();
    assert_eq!(error.to_string(), "x.toml: column \"A\" stands there more than once");
}

#[test]
fn data_from_row_or_column() {
    let error = refused("[[rows]]\nname = \"CE\"\nmethod = \"ce\"\ndata = \"cifar10\"");
    assert!(matches!(error, Error::Data { both: true, .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "x.toml: row \"CE\": the data set for column \"A\" is named by both of row and column, expected one"
    );
    let columns = "[[columns]]\ntitle = \"A\"\n";
    let error = parse(columns, "[[rows]]\nname = \"CE\"\nmethod = \"ce\"").unwrap_err();
    assert!(matches!(error, Error::Data { both: false, .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "x.toml: row \"CE\": the data set for column \"A\" is named by neither of row and column, expected one"
    );
    // Nothing is run in a column that is not built.
    let columns = "[[columns]]\ntitle = \"A\"\nnot_built = \"no images\"\n";
    let table = parse(columns, "[[rows]]\nname = \"CE\"\nmethod = \"ce\"").unwrap();
    assert_eq!(table.rows[0].cells[0].plan, CellPlan::NotBuilt("no images".into()));
}

#[test]
fn noise_is_positive() {
    for noise in ["0.0", "-0.1", "nan", "inf"] {
        let columns = format!("[[columns]]\ntitle = \"A\"\ndata = \"cifar10\"\nnoise = {noise}\n");
        let error = parse(&columns, "[[rows]]\nname = \"CE\"\nmethod = \"ce\"").unwrap_err();
        assert!(matches!(error, Error::Noise { .. }), "{error}");
        assert!(error.to_string().starts_with("x.toml: column \"A\" has noise "), "{error}");
    }
}

#[test]
fn unknown_settings() {
    let error = refused("[[rows]]\nname = \"CE\"\nmethod = \"ce\"\npublish = [1.0, 2.0]");
    assert!(matches!(error, Error::Malformed { .. }), "{error}");
    let message = error.to_string();
    assert!(message.starts_with("x.toml: ") && message.contains("publish"), "{message}");
    assert!(parse("[[columns]]\ntitle = \"A\"\nsigma = 0.1\n", "rows = []").is_err());
}

#[test]
fn malformed_figures() {
    let figure = |kind: &str, groups: &str| {
        let head = format!("id = \"2\"\ntitle = \"a figure\"\nkind = \"{kind}\"\n");
        PaperFigure::parse("y.toml", &format!("{head}{groups}"))
    };
    let group = "[[groups]]\ntitle = \"G\"\n";
    let series = "[[groups.series]]\nname = \"S\"\ndata = \"cifar10\"\nmethod = \"ce\"\n";
    let good = format!("{group}{series}");
    assert_eq!(figure("angles", &good).unwrap().groups[0].series[0].preset(), "cifar10/ce");
    assert!(matches!(figure("distances", &good), Err(Error::Malformed { .. })));
    assert!(matches!(figure("angles", &format!("{good}noise = 0.1\n")), Err(Error::Malformed { .. })));
    let error = figure("angles", &good.repeat(2)).unwrap_err();
    assert_eq!(error.to_string(), "y.toml: group \"G\" stands there more than once");
    let error = figure("angles", &format!("{good}{series}")).unwrap_err();
    assert!(matches!(error, Error::Duplicate { what: "series", .. }), "{error}");
}
