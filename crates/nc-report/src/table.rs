use serde::Serialize;

/// A table of published figures beside measured ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Table {
    /// Its number in the publication.
    pub id: String,
    /// What it compares.
    pub title: String,
    /// What its figures are, with their unit.
    pub measure: String,
    /// How the runs were shortened, if they were: the same for all of them.
    pub scale: String,
    /// Remarks on the whole table.
    pub notes: Vec<String>,
    /// Titles of the columns.
    pub columns: Vec<String>,
    /// The rows, each with a cell a column.
    pub rows: Vec<Row>,
}

/// A row of a table.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// How it is run; none if it is not.
    pub method: Option<String>,
    /// Where its published figures come from.
    pub source: Option<String>,
    /// Why there is nothing of ours.
    pub not_built: Option<String>,
    /// The row over which its gain is shown.
    pub control: Option<String>,
    /// A remark.
    pub note: Option<String>,
    /// One a column.
    pub cells: Vec<Cell>,
}

/// Where a row and a column meet.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Cell {
    /// The figure in the publication.
    pub published: Option<f64>,
    /// The runs whose mean stands beside it, one a seed.
    pub runs: Vec<RunFigure>,
    /// What this row has more than its control.
    pub gain: Gain,
}

/// The difference of a row from its control.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Gain {
    /// Of the published figures.
    pub published: Option<f64>,
    /// Of the measured ones: the mean over the seeds that both have.
    pub measured: Option<f64>,
}

/// What one run contributes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RunFigure {
    /// Its seed.
    pub seed: u64,
    /// Its figure.
    pub value: f64,
    /// The same of the epoch that was best on the test set: for comparison only.
    pub best_epoch: Option<f64>,
    /// Accuracy on classes with many, medium and few training images, in percent; none for a group without classes, and for
    /// figures under noise.
    pub shots: [Option<f64>; 3],
    /// Mean over classes of the angle to the nearest other centred class mean, in degrees.
    pub nearest_angle: Option<f64>,
    /// The largest angle that all class means can have between each other.
    pub ideal_angle: Option<f64>,
    /// What is needed to check and repeat it.
    pub provenance: Provenance,
}

/// How a run was done.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Provenance {
    /// The command that repeats it.
    pub command: String,
    /// Hash of the configuration and the training subset.
    pub run_hash: String,
    /// Hash of the training subset.
    pub subset_hash: String,
    /// Epochs of each phase.
    pub epochs: Vec<usize>,
    /// Which epoch is reported.
    pub epoch: String,
    /// The data it was trained and tested on.
    pub data: String,
    /// Wall time in seconds, of all its phases.
    pub seconds: f64,
    /// The record, below the results directory.
    pub record: String,
}

impl Cell {
    /// Mean over the runs.
    ///
    /// ```
    /// use nc_report::{Cell, RunFigure};
    ///
    /// let run = |seed, value| RunFigure { seed, value, ..RunFigure::default() };
    /// let cell = Cell { published: Some(70.0), runs: vec![run(0, 70.0), run(1, 72.0)], ..Cell::default() };
    /// assert_eq!(cell.mean(), Some(71.0));
    /// assert_eq!(cell.difference(), Some(1.0));
    /// assert_eq!(cell.std(), Some(2f64.sqrt()));
    /// ```
    pub fn mean(&self) -> Option<f64> {
        let sum: f64 = self.runs.iter().map(|run| run.value).sum();
        (!self.runs.is_empty()).then(|| sum / self.runs.len() as f64)
    }

    /// Sample standard deviation (n - 1) over the runs; none for fewer than two.
    pub fn std(&self) -> Option<f64> {
        let mean = self.mean()?;
        let squares: f64 = self.runs.iter().map(|run| (run.value - mean).powi(2)).sum();
        (self.runs.len() > 1).then(|| (squares / (self.runs.len() - 1) as f64).sqrt())
    }

    /// Mean less the published figure.
    pub fn difference(&self) -> Option<f64> {
        Some(self.mean()? - self.published?)
    }

    /// Fills in the gain over the `control`'s cell of the same column.
    pub fn compare(&mut self, control: &Self) {
        let differences: Vec<f64> = self
            .runs
            .iter()
            .filter_map(|run| {
                let other = control.runs.iter().find(|other| other.seed == run.seed)?;
                Some(run.value - other.value)
            })
            .collect();
        let mean = differences.iter().sum::<f64>() / differences.len() as f64;
        self.gain = Gain {
            published: self.published.zip(control.published).map(|(own, control)| own - control),
            measured: (!differences.is_empty()).then_some(mean),
        };
    }
}

impl Table {
    /// Every run with its row and the title of its column.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (&Row, &str, &RunFigure)> {
        self.rows.iter().flat_map(move |row| {
            row.cells
                .iter()
                .zip(&self.columns)
                .flat_map(move |(cell, column)| cell.runs.iter().map(move |run| (row, column.as_str(), run)))
        })
    }
}

impl Row {
    /// Remarks on the row, in sentences.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let not_built = self.not_built.as_ref().map(|reason| format!("Not built yet: {reason}."));
        let note = self.note.as_ref().map(|note| format!("{}: {note}.", self.name));
        let source = self.source.as_ref().map(|source| format!("Published figures: {source}."));
        let control = self.control.as_ref().map(|control| format!("Control: {control}."));
        [not_built, note, source, control].into_iter().flatten().collect()
    }
}
