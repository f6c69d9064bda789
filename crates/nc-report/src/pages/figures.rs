//! Neural-collapse metrics in reports, with their values at collapse.

use nc_metrics::{NeuralCollapse, largest_min_angle_degrees};
use nc_record::{Figures, figures};

/// A reported neural-collapse metric.
#[derive(Clone, Debug, PartialEq)]
pub struct FigureRow {
    /// Name in JSON and events.
    pub key: &'static str,
    /// Title.
    pub title: &'static str,
    /// Value at collapse.
    pub ideal: Ideal,
    /// Value on the training features.
    pub train: Option<f64>,
    /// Value on the test features.
    pub test: Option<f64>,
}

/// Value of a metric at collapse.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ideal {
    /// A constant.
    Value(f64),
    /// An angle in degrees; none if unknown.
    Degrees(Option<f64>),
    /// Not a fixed value.
    None,
}

impl std::fmt::Display for Ideal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Value(value) => write!(f, "{value}"),
            Self::Degrees(Some(degrees)) => write!(f, "{degrees:.1}"),
            Self::Degrees(None) | Self::None => Ok(()),
        }
    }
}

/// Neural-collapse metrics of training and test features. Metrics undefined on both are omitted.
pub fn figure_rows(train: &NeuralCollapse, test: Option<&NeuralCollapse>) -> Vec<FigureRow> {
    let zero = Ideal::Value(0.0);
    let one = Ideal::Value(1.0);
    // That of the simplex ETF if it exists, else Rankin's bound.
    let ideal = Ideal::Degrees(largest_min_angle_degrees(train.classes.len(), train.dims));
    let rows = [
        ("nc1.trace.sample_weighted", "NC1 tr(S_W pinv(S_B))/K, each sample the same", zero),
        ("nc1.trace.class_weighted", "NC1 tr(S_W pinv(S_B))/K, each class the same", zero),
        ("nc1.quotient.class_weighted", "NC1 tr(S_W)/tr(S_B), each class the same", zero),
        ("nc1.normalized.class_weighted", "NC1 tr(S_W)/(tr(S_W) + tr(S_B)), each class the same", zero),
        ("nc1.cdnv", "NC1 class-distance normalised variance", zero),
        (
            "nc2.centered_means.mean_nearest_angle_degrees",
            "NC2 class means: mean nearest angle, degrees",
            ideal,
        ),
        ("nc2.centered_means.min_angle_degrees", "NC2 class means: smallest angle, degrees", ideal),
        ("nc2.centered_means.equinorm_cov", "NC2 class means: spread of the norms", zero),
        ("nc2.centered_means.coherence", "NC2 class means: deviation of the cosines", zero),
        ("nc2.centered_means.etf_error", "NC2 class means: distance to the ETF", zero),
        ("nc2.centered_means.log_energy", "NC2 class means: log energy (GNC2)", Ideal::None),
        ("nc2.weights.mean_nearest_angle_degrees", "NC2 classifier: mean nearest angle, degrees", ideal),
        ("nc2.weights.min_angle_degrees", "NC2 classifier: smallest angle, degrees", ideal),
        ("nc2.weights.equinorm_cov", "NC2 classifier: spread of the norms", zero),
        ("nc2.weights.coherence", "NC2 classifier: deviation of the cosines", zero),
        ("nc2.weights.etf_error", "NC2 classifier: distance to the ETF", zero),
        ("nc3.duality_gap_squared", "NC3 classifier against class means", zero),
        ("nc3.mean_alignment_cosine", "NC3 mean cosine of row and class mean", one),
        ("nc3.uniformity_cov", "NC3 spread of <row, class mean>", zero),
        ("nc4.mismatch", "NC4 disagreement with the nearest training mean", zero),
        ("nc4.many", "NC4 of many-shot classes", zero),
        ("nc4.medium", "NC4 of medium-shot classes", zero),
        ("nc4.few", "NC4 of few-shot classes", zero),
        ("minority.centered_means.tail.cosine", "minority collapse: cosine of tail class means", Ideal::None),
        ("minority.weights.tail.cosine", "minority collapse: cosine of tail classifier rows", Ideal::None),
        ("seli.weights_error", "distance to SELI, classifier", Ideal::None),
        ("seli.means_error", "distance to SELI, class means", Ideal::None),
        ("orthogonal_frame.means_error", "distance to the orthogonal frame, class means", Ideal::None),
        ("mse.class_weighted.nc1", "squared error, NC1 part", Ideal::None),
        ("mse.class_weighted.nc23", "squared error, NC2 and NC3 part", Ideal::None),
        ("mse.class_weighted.perpendicular", "squared error, classifier part", Ideal::None),
    ];
    let (train, test) = (figures(train), test.map(figures).unwrap_or_default());
    let row = |(key, title, ideal): (&'static str, &'static str, Ideal)| {
        let of = |figures: &Figures| figures.get(key).copied();
        FigureRow { key, title, ideal, train: of(&train), test: of(&test) }
    };
    let rows = rows.into_iter().map(row);
    rows.filter(|row| row.train.is_some() || row.test.is_some()).collect()
}
