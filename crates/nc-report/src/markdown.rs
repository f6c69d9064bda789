use std::fmt::Write;

use crate::{
    Figure, Panels, Provenance, Table,
    figure::{mean_nearest, smallest, spread},
    format,
    layout::OURS,
};

/// Largest number of classes listed in full; above it, only summary statistics are written.
const MANY: usize = 20;

/// Renders a table as Markdown: a section per column, then the notes and the provenance of each run.
pub fn table_markdown(table: &Table) -> String {
    let mut out = format!("## {}\n\n{}.\n", table.heading(), table.measure);
    for section in table.sections() {
        // Writing to a string cannot fail.
        let _ = write!(out, "\n### {}\n\n{}\n\n", section.title, section.summary);
        if !section.lines.is_empty() {
            line(&mut out, &section.header);
            let rule = |(i, _): (usize, &String)| if i == 0 { "---".to_owned() } else { "---:".to_owned() };
            line(&mut out, &section.header.iter().enumerate().map(rule).collect::<Vec<_>>());
            for mut row in section.lines {
                if row.best {
                    row.cells[OURS] = format!("**{}**", row.cells[OURS]);
                }
                line(&mut out, &row.cells);
            }
            out.push('\n');
        }
        if !section.missing.is_empty() {
            let rows = section.missing.len();
            let _ = write!(out, "<details><summary>{rows} rows without a run</summary>\n\n");
            line(&mut out, &["method".into(), "published".into()]);
            line(&mut out, &["---".into(), "---:".into()]);
            section.missing.iter().for_each(|row| line(&mut out, row));
            out.push_str("\n</details>\n");
        }
    }
    out.push('\n');
    for (index, note) in table.numbered_notes().iter().enumerate() {
        let _ = writeln!(out, "{}. {note}", index + 1);
    }
    if !table.notes.is_empty() {
        out.push('\n');
    }
    table.notes.iter().for_each(|note| {
        let _ = writeln!(out, "- {note}");
    });
    runs(&mut out, table);
    out
}

fn runs(out: &mut String, table: &Table) {
    let mut runs = table.runs().peekable();
    if runs.peek().is_none() {
        return;
    }
    out.push_str("\n<details><summary>How each cell was run</summary>\n\n");
    let header = [
        "row",
        "column",
        "seed",
        "figure",
        "best epoch on the test set, for comparison only",
        "epochs",
        "reported",
        "data",
        "subset",
        "configuration",
        "wall time",
        "command",
        "record",
    ];
    line(out, &header.map(String::from));
    line(out, &header.map(|_| "---".into()));
    for (row, column, run) in runs {
        let Provenance { command, run_hash, subset_hash, epoch, data, seconds, record, .. } = &run.provenance;
        line(
            out,
            &[
                row.name.clone(),
                column.into(),
                run.seed.to_string(),
                format!("{:.2}", run.value),
                run.best_epoch.map_or_else(String::new, |best| format!("{best:.2}")),
                format::epochs(&run.provenance),
                epoch.clone(),
                data.clone(),
                format::short(subset_hash).into(),
                format::short(run_hash).into(),
                format::duration(*seconds),
                format!("`{command}`"),
                format!("`{record}`"),
            ],
        );
    }
    out.push_str("\n</details>\n");
}

/// Renders a figure as Markdown: its numbers, or summary statistics for many classes.
pub fn figure_markdown(figure: &Figure) -> String {
    let mut out = format!("## Figure {}: {}\n\n{}.\n\n", figure.id, figure.title, figure.scale);
    match &figure.panels {
        Panels::Angles { maps } => {
            for map in maps {
                if map.degrees.is_empty() {
                    continue;
                }
                let _ = writeln!(
                    out,
                    "{}: mean nearest angle {}°, smallest {}°, ideal {}°\n",
                    map.name,
                    format::figure(mean_nearest(&map.degrees)),
                    format::figure(smallest(&map.degrees)),
                    format::figure(map.ideal_degrees),
                );
                if map.classes.len() <= MANY {
                    line(&mut out, &[vec![String::new()], map.classes.clone()].concat());
                    line(&mut out, &vec!["---:".into(); map.classes.len() + 1]);
                    for (class, row) in map.classes.iter().zip(&map.degrees) {
                        let angles = row.iter().map(|angle| format!("{angle:.0}"));
                        line(&mut out, &[class.clone()].into_iter().chain(angles).collect::<Vec<_>>());
                    }
                    out.push('\n');
                }
            }
        }
        Panels::Norms { groups } => {
            for group in groups {
                let drawn: Vec<_> = group.series.iter().filter(|series| !series.norms.is_empty()).collect();
                if drawn.is_empty() {
                    continue;
                }
                let _ = writeln!(out, "{}\n", group.title);
                for series in drawn {
                    let norms: Vec<String> = series.norms.iter().map(|norm| format!("{norm:.2}")).collect();
                    let norms =
                        if norms.len() <= MANY { format!(": {}", norms.join(", ")) } else { String::new() };
                    let deviation = spread(&series.norms).map_or_else(String::new, |cov| format!("{cov:.3}"));
                    let _ = writeln!(
                        out,
                        "- {}: spread (standard deviation / mean) {deviation}{norms}",
                        series.name
                    );
                }
                out.push('\n');
            }
        }
    }
    for note in &figure.notes {
        let _ = writeln!(out, "- {note}");
    }
    for (name, run) in figure.runs() {
        let (epochs, command, record) = (format::epochs(run), &run.command, &run.record);
        let _ = writeln!(out, "- {name}: {epochs} epochs, `{command}`, record `{record}`.");
    }
    out
}

fn line(out: &mut String, cells: &[String]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}
