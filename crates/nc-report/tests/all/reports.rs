//! Rendered tables and figures.

use nc_report::{
    AngleMap, Cell, Figure, NormGroup, NormSeries, Panels, Provenance, Row, RunFigure, Table,
    figure_markdown, figures_csv, json, page, table_markdown, tables_csv,
};

fn provenance() -> Provenance {
    Provenance {
        command: "nclt train --preset a/b".into(),
        run_hash: "0123456789abcdef".into(),
        subset_hash: "fedcba9876543210".into(),
        epochs: vec![40, 2],
        epoch: "last".into(),
        data: "CIFAR-10".into(),
        seconds: 1754.0,
        record: "quick/a.json".into(),
    }
}

fn run(seed: u64, value: f64) -> RunFigure {
    RunFigure {
        seed,
        value,
        best_epoch: Some(value + 0.5),
        shots: [Some(value + 4.0), Some(value - 4.0), None],
        nearest_angle: Some(80.0 + seed as f64),
        ideal_angle: Some(96.4),
        provenance: provenance(),
    }
}

fn table() -> Table {
    let row = |name: &str, published, runs: Vec<RunFigure>| Row {
        name: name.into(),
        cells: vec![Cell { published, runs, ..Cell::default() }, Cell::default()],
        ..Row::default()
    };
    let control = row("control | plain", Some(75.1), vec![run(0, 70.0), run(1, 71.0), run(2, 72.0)]);
    let mut ours = row("NC", Some(81.9), vec![run(0, 71.0), run(2, 74.0)]);
    ours.cells[0].compare(&control.cells[0]);
    ours.control = Some(control.name.clone());
    let mut missing = row("<script>", Some(79.9), vec![]);
    missing.note = Some("needs \"two\" branches".into());
    Table {
        id: "3".into(),
        title: "Long-tailed".into(),
        measure: "accuracy, %".into(),
        scale: "40 epochs".into(),
        columns: vec!["r = 100".into(), "r = 10".into()],
        rows: vec![control, ours, missing],
        ..Table::default()
    }
}

#[test]
fn cells_average_over_seeds() {
    let table = table();
    let [control, ours, missing] = [0, 1, 2].map(|row: usize| &table.rows[row].cells[0]);
    assert_eq!((control.mean(), control.std()), (Some(71.0), Some(1.0)));
    assert!((control.difference().unwrap() + 4.1).abs() < 1e-9);
    assert_eq!(Cell { runs: vec![run(0, 1.0)], ..Cell::default() }.std(), None);
    assert_eq!((missing.mean(), missing.difference()), (None, None));
    // Gains of seeds 0 and 2: 1 and 2.
    assert_eq!(ours.gain.measured, Some(1.5));
    assert!((ours.gain.published.unwrap() - 6.8).abs() < 1e-9);
    let mut apart = Cell { runs: vec![run(7, 1.0)], ..Cell::default() };
    apart.compare(control);
    assert_eq!(apart.gain.measured, None, "no common seed");
}

#[test]
fn markdown_shows_published_and_measured_figures() {
    let text = table_markdown(&table());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "## Table 3: Long-tailed");
    assert_eq!(lines[2], "accuracy, %.");
    // Best first and in bold; numbered notes without duplicates.
    let expected = [
        "### r = 100",
        "",
        "40 epochs. 2 of 3 rows have a run.",
        "",
        "| method | published | ours | ours - published | many / medium / few | gain over control | nearest angle (ideal 96.4°) |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| NC [1] | 81.9 | **72.5 ± 2.1 (2 seeds)** | -9.4 | 76.5 / 68.5 / - | +1.5 | 81.0° |",
        "| control \\| plain | 75.1 | 71.0 ± 1.0 (3 seeds) | -4.1 | 75.0 / 67.0 / - | (control) | 81.0° |",
        "",
        "<details><summary>1 rows without a run</summary>",
        "",
        "| method | published |",
        "| --- | ---: |",
        "| <script> [2] | 79.9 |",
    ];
    assert_eq!(lines[4..18], expected);
    assert!(text.contains("1. Control: control | plain.\n2. <script>: needs \"two\" branches.\n"), "{text}");
    assert!(text.contains(
        "| NC | r = 100 | 2 | 74.00 | 74.50 | 40 + 2 | last | CIFAR-10 | fedcba98 | 01234567 | 29 min | \
         `nclt train --preset a/b` | `quick/a.json` |"
    ));
    assert_eq!(text.matches("29 min").count(), 5, "every run is listed");
    let empty = Table { rows: vec![], ..table() };
    assert!(!table_markdown(&empty).contains("How each cell"));
}

#[test]
fn csv_cells_are_not_formulas() {
    let mut table = table();
    for (row, name) in table.rows.iter_mut().zip(["=cmd|' /C calc'!A0", "@SUM(A1)", "+ L_W"]) {
        row.name = name.into();
    }
    let text = tables_csv(&[table]).unwrap();
    for name in ["'=cmd|' /C calc'!A0", "'@SUM(A1)", "'+ L_W"] {
        assert!(text.contains(&format!(",{name},")), "{text}");
    }
}

#[test]
fn csv_has_a_line_per_run_and_per_empty_cell() {
    let text = tables_csv(&[table()]).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let lines: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(lines.len(), 3 + 1 + 2 + 1 + 2);
    let first: Vec<&str> = lines[0].iter().skip(2).take(11).collect();
    let expected = ["control | plain", "r = 100", "75.1", "0", "70", "70.5", "74", "66", "", "80", "40 + 2"];
    assert_eq!(first, expected);
    let last: Vec<&str> = lines[8].iter().take(7).collect();
    assert_eq!(last, ["3", "40 epochs", "<script>", "r = 10", "", "", ""]);
}

#[test]
fn json_has_all_fields() {
    let value: serde_json::Value = serde_json::from_str(&json(&[table()], &figures()).unwrap()).unwrap();
    let cell = &value["tables"][0]["rows"][0]["cells"][0];
    assert_eq!(
        (cell["mean"].as_f64(), cell["std"].as_f64(), cell["n"].as_u64()),
        (Some(71.0), Some(1.0), Some(3))
    );
    assert_eq!(cell["runs"][1]["provenance"]["subset_hash"], "fedcba9876543210");
    assert!(value["tables"][0]["rows"][2]["cells"][0]["mean"].is_null());
    assert_eq!(value["figures"][0]["panels"]["maps"][0]["degrees"][0][1], 60.0);
}

fn figures() -> [Figure; 2] {
    let degrees = vec![vec![0.0, 60.0, 120.0], vec![60.0, 0.0, 90.0], vec![120.0, 90.0, 0.0]];
    let classes = ["0", "1", "2"].map(String::from).to_vec();
    let figure = |id: &str, panels| Figure {
        id: id.into(),
        title: "Geometry".into(),
        scale: "40 epochs".into(),
        notes: vec!["a note".into()],
        panels,
    };
    let map = |name: &str, degrees| AngleMap {
        ideal_degrees: nc_metrics::etf_angle_degrees(3),
        name: name.into(),
        classes: classes.clone(),
        degrees,
        provenance: None,
    };
    let series = |name: &str, norms: &[f64], provenance| NormSeries {
        name: name.into(),
        classes: ["7", "0"].map(String::from).to_vec(),
        norms: norms.to_vec(),
        provenance,
    };
    let group = NormGroup {
        title: "CIFAR-10".into(),
        series: vec![series("balanced", &[1.0, 3.0], Some(provenance())), series("not run", &[], None)],
    };
    [
        figure("2", Panels::Angles { maps: vec![map("vanilla <b>", degrees), map("not run", vec![])] }),
        figure("3", Panels::Norms { groups: vec![group] }),
    ]
}

#[test]
fn figures_are_written_as_numbers() {
    let [angles, norms] = figures();
    let text = figure_markdown(&angles);
    // Nearest angles: 60, 60, 90. The ideal for three classes is 120 degrees.
    assert!(text.contains("vanilla <b>: mean nearest angle 70.0°, smallest 60.0°, ideal 120.0°"), "{text}");
    assert!(text.contains("| 1 | 60 | 0 | 90 |"));
    assert!(!text.contains("not run"));
    assert!(
        figure_markdown(&norms).contains("- balanced: spread (standard deviation / mean) 0.500: 1.00, 3.00")
    );
    let run = "CIFAR-10, balanced: 40 + 2 epochs, `nclt train --preset a/b`, record `quick/a.json`.";
    assert!(figure_markdown(&norms).contains(run));
    let csv = figures_csv(&figures()).unwrap();
    assert!(csv.contains("2,,vanilla <b>,2,0,120\n") && csv.contains("3,CIFAR-10,balanced,0,,3\n"), "{csv}");
    assert_eq!(csv.lines().count(), 1 + 9 + 2);
}

#[test]
fn the_page_is_escaped_and_well_formed() {
    let html = page("Tables & figures", &[table()], &figures()).unwrap();
    assert!(html.contains("<h1>Tables &amp; figures</h1>"));
    assert!(html.contains("<td class=\"text\">&lt;script&gt; [2]</td><td>79.9</td>"));
    assert_eq!(html.matches("<script").count(), 1);
    assert!(html.contains("<td>81.9</td><td class=\"best\">72.5 ± 2.1 (2 seeds)</td><td>-9.4</td>"));
    assert!(html.contains("<td>75.1</td><td>71.0 ± 1.0 (3 seeds)</td><td>-4.1</td>"));
    assert_eq!(html.matches("<figure ").count(), 2, "maps without a run are not drawn");
    assert!(html.contains("Mean nearest angle 70.0°, smallest 60.0°, ideal 120.0°."));
    assert!(html.contains("\nideal 120.0°\n") && html.contains("Standard deviation / mean: balanced 0.500."));
    assert!(!html.contains("http"), "the page is self-contained");
    for tag in ["table", "tr", "figure", "svg", "details", "ul", "div"] {
        let opened = html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn missing_runs_leave_no_empty_elements() {
    let mut table = table();
    table.rows.iter_mut().flat_map(|row| &mut row.cells).for_each(|cell| cell.runs.clear());
    let [mut angles, mut norms] = figures();
    if let Panels::Angles { maps } = &mut angles.panels {
        maps.remove(0);
    }
    if let Panels::Norms { groups } = &mut norms.panels {
        groups[0].series.remove(0);
    }
    for figure in [&mut angles, &mut norms] {
        figure.notes.clear();
        let text = figure_markdown(figure);
        assert!(text.ends_with(".\n\n") && !text.contains("CIFAR-10"), "{text}");
    }
    let html = page("Nothing yet", &[table], &[angles, norms]).unwrap();
    assert!(html.contains("<h2>Table 3: ") && html.contains("<h2>Figure 3: "));
    for frame in ["How each cell", "class=\"panels\">\n</div>", "class=\"notes\">\n</ul>"] {
        assert!(!html.contains(frame), "{frame}");
    }
}
