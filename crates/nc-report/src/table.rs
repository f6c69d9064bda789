use serde::Serialize;

/// A table of published and measured figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Table {
    /// Number in the publication, or a name.
    pub id: String,
    /// Title.
    pub title: String,
    /// Metric and unit.
    pub measure: String,
    /// Scale of all runs: their length and precision.
    pub scale: String,
    /// Notes on the whole table.
    pub notes: Vec<String>,
    /// Column titles.
    pub columns: Vec<String>,
    /// Rows, with one cell per column.
    pub rows: Vec<Row>,
}

/// A row of a table.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Row {
    /// Name.
    pub name: String,
    /// Method of our runs.
    pub method: String,
    /// Source of the published figures.
    pub source: Option<String>,
    /// Name of the control row, the baseline of the gain.
    pub control: Option<String>,
    /// Note on the row.
    pub note: Option<String>,
    /// One cell per column.
    pub cells: Vec<Cell>,
}

/// A cell of a table.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Cell {
    /// Published figure.
    pub published: Option<f64>,
    /// Our runs, one per seed.
    pub runs: Vec<RunFigure>,
    /// Difference from the control row.
    pub gain: Gain,
}

/// Difference of a cell from its control.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Gain {
    /// Difference of the published figures.
    pub published: Option<f64>,
    /// Difference of the measured figures: mean over the common seeds.
    pub measured: Option<f64>,
}

/// The figures of one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RunFigure {
    /// Seed.
    pub seed: u64,
    /// The figure that the cell averages.
    pub value: f64,
    /// The figure at the epoch with the best test accuracy: for comparison only.
    pub best_epoch: Option<f64>,
    /// Accuracy of many-, medium- and few-shot classes in percent; none for groups without classes and under noise.
    pub shots: [Option<f64>; 3],
    /// Mean over classes of the angle to the nearest other centred class mean, in degrees.
    pub nearest_angle: Option<f64>,
    /// Largest achievable minimum angle between class means, in degrees.
    pub ideal_angle: Option<f64>,
    /// Provenance.
    pub provenance: Provenance,
}

/// How a run was produced.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Provenance {
    /// Command that reproduces the run.
    pub command: String,
    /// Hash of the configuration and the training subset.
    pub run_hash: String,
    /// Hash of the training subset.
    pub subset_hash: String,
    /// Epochs of each phase.
    pub epochs: Vec<usize>,
    /// Reported epoch.
    pub epoch: String,
    /// Training and test data.
    pub data: String,
    /// Wall time of all phases in seconds.
    pub seconds: f64,
    /// Path of the record below the results directory.
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

    /// Mean minus the published figure.
    pub fn difference(&self) -> Option<f64> {
        Some(self.mean()? - self.published?)
    }

    /// Sets the gain over the cell of the `control` row in the same column.
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
    /// All runs with row and column title.
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
    /// Remarks on the row, as full sentences.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let note = self.note.as_ref().map(|note| format!("{}: {note}.", self.name));
        let source = self.source.as_ref().map(|source| format!("Published figures: {source}."));
        let control = self.control.as_ref().map(|control| format!("Control: {control}."));
        [note, source, control].into_iter().flatten().collect()
    }
}
