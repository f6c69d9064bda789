//! The published figures, checked against hand-copied values and sums of the paper's tables.

use nc_paper::{PaperFigure, PaperTable, Shots};

use super::tables::{is_published, row, table};

/// The published figures of the row `name`.
fn published(table: &PaperTable, name: &str) -> Vec<Option<f64>> {
    row(table, name).cells.iter().map(|cell| cell.published).collect()
}

/// Number of published rows, number of published figures, and ten times their sum.
fn totals(table: &PaperTable) -> (usize, usize, i64) {
    let rows = table.rows.iter().filter(|row| is_published(row)).count();
    let figures: Vec<f64> =
        table.rows.iter().flat_map(|row| &row.cells).filter_map(|cell| cell.published).collect();
    (rows, figures.len(), figures.iter().map(|figure| (figure * 10.0).round() as i64).sum())
}

/// Ten times the sum of each column.
fn column_sums(table: &PaperTable) -> Vec<i64> {
    let tenths = |at: usize| {
        table.rows.iter().filter_map(|row| row.cells[at].published).map(|x| (x * 10.0).round() as i64).sum()
    };
    (0..table.columns.len()).map(tenths).collect()
}

#[test]
fn all_tables_and_figures_exist() {
    let tables: Vec<String> = PaperTable::all().unwrap().into_iter().map(|table| table.id).collect();
    assert_eq!(tables, ["2", "3", "4", "5", "6", "7", "beyond"]);
    let figures: Vec<String> = PaperFigure::all().unwrap().into_iter().map(|figure| figure.id).collect();
    assert_eq!(figures, ["2", "3"]);
}

#[test]
fn table_2_matches_the_paper() {
    let table = table("2");
    assert_eq!(totals(&table), (4, 8, 6560));
    assert_eq!(column_sums(&table), [3695, 2865]);
    assert_eq!(published(&table, "CE"), [Some(93.4), Some(71.8)]);
    assert_eq!(published(&table, "CE + NC"), [Some(93.3), Some(72.1)]);
    assert_eq!(published(&table, "MSE"), [Some(91.1), Some(70.7)]);
    assert_eq!(published(&table, "MSE + NC"), [Some(91.7), Some(71.9)]);
}

#[test]
fn table_3_matches_the_paper() {
    let table = table("3");
    assert_eq!(totals(&table), (13, 51, 34369));
    assert_eq!(column_sums(&table), [10133, 11497, 5596, 7143]);
    assert_eq!(published(&table, "CE"), [70.4, 86.4, 38.4, 55.7].map(Some));
    assert_eq!(published(&table, "BBN"), [79.9, 88.4, 42.6, 59.2].map(Some));
    assert_eq!(published(&table, "ETF classifier + DR"), [Some(76.5), Some(87.7), Some(45.3), None]);
    assert_eq!(published(&table, "NC-DRW"), [81.9, 89.8, 48.6, 63.1].map(Some));
    assert_eq!(published(&table, "NC-DRW-cRT"), [82.6, 90.2, 48.7, 63.6].map(Some));
    let names: Vec<&str> = table.rows.iter().take(13).map(|row| row.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "CE",
            "CE-RS",
            "CE-RW",
            "CE-DRW",
            "LDAM-DRW",
            "BBN",
            "MiSLAS",
            "KCL",
            "TSC",
            "ETF classifier + DR",
            "ARB-Loss",
            "NC-DRW",
            "NC-DRW-cRT"
        ]
    );
}

#[test]
fn table_4_matches_the_paper() {
    let table = table("4");
    // 14 rows of many, medium, few and all; ETF + DR has only the last.
    assert_eq!(totals(&table), (14, 53, 24365));
    assert_eq!(column_sums(&table), [7952, 5957, 3569, 6887]);
    let published_rows = table.rows.iter().filter(|row| is_published(row));
    let rows: Vec<(&str, Vec<f64>)> = published_rows
        .map(|row| (row.name.as_str(), row.cells.iter().filter_map(|cell| cell.published).collect()))
        .collect();
    let paper: [(&str, &[f64]); 14] = [
        ("CE", &[68.2, 38.1, 5.82, 45.3]),
        ("RS", &[64.6, 42.6, 17.8, 47.8]),
        ("RW", &[52.0, 41.4, 19.8, 42.5]),
        ("DRW", &[52.6, 45.7, 31.5, 46.4]),
        ("cRT", &[58.8, 33.0, 26.1, 47.3]),
        ("LWS", &[57.1, 45.2, 29.3, 47.7]),
        ("MiSLAS", &[61.7, 51.3, 35.8, 52.7]),
        ("FCL", &[61.4, 47.0, 28.2, 49.8]),
        ("KCL", &[62.4, 49.0, 29.5, 51.5]),
        ("TSC", &[63.5, 49.7, 30.4, 52.4]),
        ("ETF + DR", &[44.7]),
        ("ARB", &[60.2, 51.8, 38.3, 52.8]),
        ("NC-DRW", &[67.1, 49.7, 29.0, 53.6]),
        ("NC-DRW-cRT", &[65.6, 51.2, 35.4, 54.2]),
    ];
    assert_eq!(rows, paper.map(|(name, figures)| (name, figures.to_vec())));
    assert_eq!(published(&table, "ETF + DR"), [None, None, None, Some(44.7)]);
    let shots: Vec<Option<Shots>> = table.columns.iter().map(|column| column.shots).collect();
    assert_eq!(shots, [Some(Shots::Many), Some(Shots::Medium), Some(Shots::Few), None]);
    let runs: Vec<_> = table.rows.iter().flat_map(|row| &row.cells).map(|cell| &cell.run).collect();
    assert!(runs.iter().all(|run| run.is_on_imagenet_lt()));
}

#[test]
fn table_5_matches_the_paper() {
    let table = table("5");
    assert_eq!(totals(&table), (10, 24, 12977));
    assert_eq!(column_sums(&table), [3103, 4605, 5269]);
    assert_eq!(published(&table, "LDAM-DRW"), [77.0, 42.0, 48.8].map(Some));
    assert_eq!(published(&table, "Logit Adjust + NC"), [78.8, 44.6, 53.2].map(Some));
    assert_eq!(published(&table, "RIDE, 2 experts"), [None, Some(46.5), Some(51.9)]);
    assert_eq!(published(&table, "RIDE, 4 experts + NC"), [None, Some(49.1), Some(56.0)]);
}

#[test]
fn table_6_matches_the_paper() {
    let table = table("6");
    assert_eq!(totals(&table), (8, 80, 41090));
    assert_eq!(
        published(&table, "CIFAR10-LT CE++"),
        [79.2, 75.5, 63.2, 47.8, 35.5, 81.0, 77.5, 66.5, 51.4, 37.9].map(Some)
    );
    let noise: Vec<Option<f64>> = table.columns.iter().map(|column| column.noise).collect();
    let once = [None, Some(0.1), Some(0.2), Some(0.3), Some(0.4)];
    assert_eq!(noise, [once, once].concat());
}

#[test]
fn table_7_matches_the_paper() {
    let table = table("7");
    assert_eq!(totals(&table), (6, 24, 16468));
    assert_eq!(column_sums(&table), [4724, 5312, 2783, 3649]);
    assert_eq!(published(&table, "CE"), [75.1, 86.4, 42.4, 56.2].map(Some));
    assert_eq!(published(&table, "+ L_B"), [80.1, 88.6, 47.6, 61.7].map(Some));
    assert_eq!(published(&table, "+ centre loss & L_B"), [77.5, 89.2, 46.5, 61.4].map(Some));
    assert_eq!(published(&table, "+ L_W & L_B"), [81.9, 89.8, 48.6, 63.1].map(Some));
    for row in table.rows.iter().skip(1) {
        assert_eq!(row.control.as_deref(), Some("CE"));
    }
}

#[test]
fn methods_beyond_the_paper_match_their_sources() {
    let table = table("beyond");
    assert_eq!(totals(&table), (7, 14, 9550));
    for (row, figures) in [
        ("Balanced softmax, AutoAugment, Cutout", [83.57, 49.35]),
        ("DBM", [84.6, 51.3]),
        ("VS, SAM", [86.29, 52.09]),
        ("VS, SAM, then ADRW", [86.42, 53.05]),
        ("SADE", [83.8, 49.8]),
        ("BCL", [84.32, 51.93]),
        ("ProCo", [85.63, 52.76]),
    ] {
        assert_eq!(published(&table, row), figures.map(Some), "{row}");
    }
}

/// Published rows have a source; controls and variants have a note.
#[test]
fn all_rows_have_a_source_or_note() {
    for table in PaperTable::all().unwrap() {
        for row in &table.rows {
            assert_eq!(row.source.is_some(), is_published(row), "table {}: {}", table.id, row.name);
            assert!(row.note.is_some() || is_published(row), "table {}: {}", table.id, row.name);
        }
    }
}

#[test]
fn shared_rows_of_tables_3_and_7_agree() {
    let (third, seventh) = (table("3"), table("7"));
    assert_eq!(published(&third, "NC-DRW"), published(&seventh, "+ L_W & L_B"));
    let presets = |table: &PaperTable, name: &str| -> Vec<String> {
        row(table, name).cells.iter().map(|cell| cell.run.preset()).collect()
    };
    assert_eq!(presets(&third, "NC-DRW"), presets(&seventh, "+ L_W & L_B"));
    assert_eq!(presets(&third, "control: CE-DRW + mix-up"), presets(&seventh, "CE"));
}
