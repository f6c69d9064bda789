//! A run's events as lines over its epochs.

use nc_record::{EpochLosses, Event, Figures, ShotAccuracy};

use crate::{
    Result,
    charts::{Curves, Drawing, Mark, Scale, Series},
};

/// What a run logged, by epochs counted from 1 over all phases.
#[derive(Default)]
pub(crate) struct History {
    pub(crate) losses: Vec<(f64, EpochLosses)>,
    pub(crate) learning_rates: Vec<(f64, f64)>,
    pub(crate) test_accuracy: Vec<(f64, ShotAccuracy)>,
    pub(crate) validation_accuracy: Vec<(f64, ShotAccuracy)>,
    pub(crate) collapse: Vec<Collapse>,
    /// Where a phase begins, the learning rate falls, class weights come on.
    pub(crate) marks: Vec<Mark>,
}

/// Neural collapse after an epoch.
pub(crate) struct Collapse {
    pub(crate) at: f64,
    pub(crate) train: Figures,
    pub(crate) test: Figures,
}

impl Collapse {
    /// A figure of the training features, to be drawn.
    pub(crate) fn train(&self, key: &str) -> Option<(f64, f64)> {
        Some((self.at, *self.train.get(key)?))
    }

    /// A figure of the test features, to be drawn.
    pub(crate) fn test(&self, key: &str) -> Option<(f64, f64)> {
        Some((self.at, *self.test.get(key)?))
    }
}

/// A fall of the learning rate from one epoch to the next that is a step, not part of a curve.
const STEP: f64 = 0.5;

impl History {
    pub(crate) fn of(events: &[Event]) -> Self {
        let mut history = Self::default();
        // Epochs of earlier phases, and of this one.
        let (mut before, mut current) = (0.0, 0.0);
        let mut last: Option<(f64, bool)> = None;
        for event in events {
            match event {
                Event::PhaseStarted { phase, epochs, .. } => {
                    before += current;
                    current = *epochs as f64;
                    last = None;
                    if before > 0.0 {
                        history.mark(before + 0.5, format!("phase {phase}"));
                    }
                }
                Event::EpochFinished { epoch, learning_rate, class_weights, losses, .. } => {
                    let at = before + *epoch as f64 + 1.0;
                    history.losses.push((at, *losses));
                    history.learning_rates.push((at, *learning_rate));
                    if let Some((rate, weights)) = last {
                        if *class_weights && !weights {
                            history.mark(at - 0.5, "class weights".into());
                        }
                        if *learning_rate <= STEP * rate && *learning_rate > 0.0 {
                            history.mark(at - 0.5, format!("rate / {:.0}", rate / learning_rate));
                        }
                    }
                    last = Some((*learning_rate, *class_weights));
                }
                Event::Evaluated { epoch, test_accuracy, validation_accuracy, .. } => {
                    let at = before + *epoch as f64 + 1.0;
                    history.test_accuracy.push((at, *test_accuracy));
                    history.validation_accuracy.extend(validation_accuracy.map(|accuracy| (at, accuracy)));
                }
                Event::Measured { epoch, train, test, .. } => history.collapse.push(Collapse {
                    at: before + *epoch as f64 + 1.0,
                    train: train.clone(),
                    test: test.clone(),
                }),
                _ => {}
            }
        }
        history
    }

    fn mark(&mut self, at: f64, name: String) {
        match self.marks.last_mut().filter(|mark| (mark.at - at).abs() < f64::EPSILON) {
            Some(mark) => mark.name = format!("{}, {name}", mark.name),
            None => self.marks.push(Mark { at, name }),
        }
    }

    /// From the first epoch to the last.
    pub(crate) fn range(&self) -> Option<(f64, f64)> {
        Some((self.losses.first()?.0, self.losses.last()?.0))
    }

    /// The largest that the smallest angle between class means can be, in degrees.
    pub(crate) fn optimum(&self) -> Option<f64> {
        self.collapse.last()?.train.get("largest_min_angle_degrees").copied()
    }

    /// A figure of the training and of the test features, as two lines.
    pub(crate) fn figure(&self, key: &str, name: &str, hue: usize) -> Vec<Series> {
        let line = |set: &str, dashed, points| Series { name: format!("{name}{set}"), points, hue, dashed };
        let collapse = || self.collapse.iter();
        vec![
            line("training", false, collapse().filter_map(|collapse| collapse.train(key)).collect()),
            line("test", true, collapse().filter_map(|collapse| collapse.test(key)).collect()),
        ]
    }
}

/// Titles of a chart and of its y axis, how high values stand, lines, and a value to be reached with its name.
pub(crate) type EpochChart = (&'static str, &'static str, Scale, Vec<Series>, Option<(f64, &'static str)>);

/// Drawings with their titles.
pub(crate) type Drawings = Vec<(&'static str, Drawing)>;

/// Draws charts over epochs; those without points are left out.
pub(crate) fn over_epochs(
    range: Option<(f64, f64)>,
    marks: &[Mark],
    charts: impl IntoIterator<Item = EpochChart>,
) -> Result<Drawings> {
    let mut drawings = vec![];
    for (title, y_title, scale, series, reference) in charts {
        let (label, x_title, x_range) = (title, "epoch", range);
        let curves = Curves { label, x_title, y_title, scale, series, x_range, marks, reference };
        drawings.extend(curves.draw()?.map(|drawing| (title, drawing)));
    }
    Ok(drawings)
}
