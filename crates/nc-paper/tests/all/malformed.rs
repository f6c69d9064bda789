//! Parsing of tables and figures, and errors for invalid files.

use nc_paper::{PaperFigure, PaperTable, Shots};

use super::tables::{is_published, row};
use crate::refusals::Refusals;

const COLUMNS: &str = r#"
[[columns]]
title = "A"
data = "cifar10"
[[columns]]
title = "B"
data = "cifar100"
"#;

/// Parses a table with these columns and rows.
fn parse(columns: &str, rows: &str) -> nc_paper::Result<PaperTable> {
    let head = "id = \"1\"\ntitle = \"a table\"\nmeasure = \"%\"\n";
    PaperTable::parse("x.toml", &format!("{head}{columns}\n{rows}"))
}

#[test]
fn a_small_table_parses() {
    let rows = r#"
[[rows]]
name = "CE"
method = "ce"
published = [90.5, nan]
[[rows]]
name = "RIDE"
method = "ride-3"
control = "CE"
"#;
    let table = parse(COLUMNS, rows).unwrap();
    let ce = row(&table, "CE");
    assert_eq!(ce.cells[0].published, Some(90.5));
    assert_eq!(ce.cells[1].published, None);
    assert_eq!(ce.cells[1].run.preset(), "cifar100/ce");
    assert!(is_published(ce));
    let ride = row(&table, "RIDE");
    assert!(!is_published(ride));
    assert_eq!(ride.cells.len(), 2);
    assert_eq!(ride.cells[0].run.preset(), "cifar10/ride-3");
    assert_eq!(table.rows.len(), 2);
}

#[test]
fn columns_may_show_a_shot_group() {
    let columns = "[[columns]]\ntitle = \"few\"\ndata = \"cifar10\"\nshots = \"few\"\n";
    let table = parse(columns, CE).unwrap();
    assert_eq!(table.rows[0].cells[0].run.shots, Some(Shots::Few));
}

/// A row with a method.
const CE: &str = "[[rows]]\nname = \"CE\"\nmethod = \"ce\"\n";

pub(crate) fn refused(told: &mut Refusals) {
    for more in [
        "published = [90.5]",
        "published = [90.5, 70.0, 60.0]",
        "control = \"CE + mix-up\"",
        "control = \"CE\"",
        "data = \"cifar10\"",
        "publish = [1.0, 2.0]",
    ] {
        told.add(format_args!("a row with {more}"), parse(COLUMNS, &format!("{CE}{more}")));
    }
    told.add("a row without method", parse(COLUMNS, "[[rows]]\nname = \"CE\""));
    told.add("two rows of one name", parse(COLUMNS, &CE.repeat(2)));
    told.add("two columns of one name", parse(&COLUMNS.repeat(2), CE));
    let column = "[[columns]]\ntitle = \"A\"\n";
    told.add("a cell without data set", parse(column, CE));
    told.add("a column with an unknown setting", parse(&format!("{column}sigma = 0.1\n"), CE));
    for noise in ["0.0", "-0.1", "nan", "inf"] {
        let columns = format!("{column}data = \"cifar10\"\nnoise = {noise}\n");
        told.add(format_args!("a noise of {noise}"), parse(&columns, CE));
    }
    let both = format!("{column}data = \"cifar10\"\nnoise = 0.1\nshots = \"few\"\n");
    told.add("a shot group under noise", parse(&both, CE));

    let figure = |kind: &str, groups: &str| {
        let head = format!("id = \"2\"\ntitle = \"a figure\"\nkind = \"{kind}\"\n");
        PaperFigure::parse("y.toml", &format!("{head}{groups}"))
    };
    let series = "[[groups.series]]\nname = \"S\"\ndata = \"cifar10\"\nmethod = \"ce\"\n";
    let good = format!("[[groups]]\ntitle = \"G\"\n{series}");
    assert_eq!(figure("angles", &good).unwrap().groups[0].series[0].preset(), "cifar10/ce");
    told.add("a figure of an unknown kind", figure("distances", &good));
    told.add("a series with an unknown setting", figure("angles", &format!("{good}noise = 0.1\n")));
    told.add("two groups of one name", figure("angles", &good.repeat(2)));
    told.add("two series of one name", figure("angles", &format!("{good}{series}")));
}
