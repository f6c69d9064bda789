//! Table layout: one section per column, methods sorted from best to worst.

use crate::{Cell, Row, Table, format};

/// The header of a section, after the method.
const HEADER: [&str; 6] =
    ["published", "ours", "ours - published", "many / medium / few", "gain over control", "nearest angle"];

/// One column of a [`Table`].
pub(crate) struct Section {
    pub(crate) title: String,
    /// Scale, and number of rows with runs.
    pub(crate) summary: String,
    /// Header, without columns that are empty in all lines.
    pub(crate) header: Vec<String>,
    /// Methods with runs, best first.
    pub(crate) lines: Vec<Line>,
    /// Methods without a run: name and published figure.
    pub(crate) missing: Vec<[String; 2]>,
}

/// A method with runs.
pub(crate) struct Line {
    /// Name and values, in the order of the header.
    pub(crate) cells: Vec<String>,
    /// True for the largest mean.
    pub(crate) best: bool,
}

/// Index of our figure in [`Line::cells`].
pub(crate) const OURS: usize = 2;

impl Table {
    /// Number and title; the title alone of a table without a number.
    pub(crate) fn heading(&self) -> String {
        if self.id.parse::<u32>().is_ok() {
            format!("Table {}: {}", self.id, self.title)
        } else {
            self.title.clone()
        }
    }

    /// Deduplicated remarks of the rows, which refer to them by number from 1.
    pub(crate) fn numbered_notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = vec![];
        for note in self.rows.iter().flat_map(Row::remarks) {
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        notes
    }

    /// Sections, those with runs first.
    pub(crate) fn sections(&self) -> Vec<Section> {
        let notes = self.numbered_notes();
        let mut sections: Vec<Section> =
            (0..self.columns.len()).map(|column| self.section(column, &notes)).collect();
        sections.sort_by_key(|section| section.lines.is_empty());
        sections
    }

    fn section(&self, column: usize, notes: &[String]) -> Section {
        let number = |remark: String| notes.iter().position(|note| *note == remark).map(|index| index + 1);
        let name = |row: &Row| {
            let numbers: Vec<String> =
                row.remarks().into_iter().filter_map(number).map(|number| number.to_string()).collect();
            if numbers.is_empty() {
                row.name.clone()
            } else {
                format!("{} [{}]", row.name, numbers.join(", "))
            }
        };
        let rows = || self.rows.iter().filter_map(|row| Some((row, row.cells.get(column)?)));
        let mut with_runs: Vec<(&Row, &Cell, f64)> =
            rows().filter_map(|(row, cell)| Some((row, cell, cell.mean()?))).collect();
        with_runs.sort_by(|(_, _, a), (_, _, b)| b.total_cmp(a));
        let best = with_runs.first().map(|(_, _, mean)| *mean);
        let is_control = |row: &Row| self.rows.iter().any(|other| other.control.as_ref() == Some(&row.name));
        let ideal = with_runs.iter().find_map(|(_, cell, _)| cell.runs[0].ideal_angle);
        let line = |&(row, cell, mean): &(&Row, &Cell, f64)| Line {
            cells: vec![
                name(row),
                format::published(cell.published),
                format::measured(cell),
                format::difference(cell.difference()),
                format::shots(cell),
                match cell.gain.measured {
                    None if is_control(row) => "(control)".into(),
                    gain => format::difference(gain),
                },
                format::angle(cell, ideal),
            ],
            best: Some(mean) == best,
        };
        let mut lines: Vec<Line> = with_runs.iter().map(line).collect();
        let mut header: Vec<String> = ["method"].into_iter().chain(HEADER).map(str::to_owned).collect();
        if let (Some(ideal), Some(last)) = (ideal, header.last_mut()) {
            *last = format!("{last} (ideal {ideal:.1}°)");
        }
        for place in (OURS + 1..header.len()).rev() {
            if lines.iter().all(|line| line.cells[place].is_empty()) {
                header.remove(place);
                for line in &mut lines {
                    line.cells.remove(place);
                }
            }
        }
        let missing = rows().filter(|(_, cell)| cell.runs.is_empty());
        Section {
            title: self.columns[column].clone(),
            summary: format!("{}. {} of {} rows have a run.", self.scale, lines.len(), self.rows.len()),
            header,
            lines,
            missing: missing.map(|(row, cell)| [name(row), format::published(cell.published)]).collect(),
        }
    }
}
