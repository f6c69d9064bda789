//! Curves over epochs from the events of a run.

use nc_record::{EpochLosses, Event, Figures, ShotAccuracy};

use crate::{
    Result,
    charts::{Curves, Drawing, Mark, Scale, Series, X},
};

/// Logged values of a run by epoch, counted from 1 over all phases.
#[derive(Default)]
pub(crate) struct History {
    pub(crate) losses: Vec<(f64, EpochLosses)>,
    pub(crate) learning_rates: Vec<(f64, f64)>,
    pub(crate) test_accuracy: Vec<(f64, ShotAccuracy)>,
    pub(crate) validation_accuracy: Vec<(f64, ShotAccuracy)>,
    /// Test accuracy of the average of the weights.
    pub(crate) average_accuracy: Vec<(f64, ShotAccuracy)>,
    pub(crate) collapse: Vec<Collapse>,
    /// Starts of phases, learning-rate steps and the start of class weighting.
    pub(crate) marks: Vec<Mark>,
}

/// Neural collapse after an epoch.
pub(crate) struct Collapse {
    pub(crate) at: f64,
    pub(crate) train: Figures,
    pub(crate) test: Figures,
}

impl Collapse {
    /// Point of the metric `key` of the training features.
    pub(crate) fn train(&self, key: &str) -> Option<(f64, f64)> {
        Some((self.at, *self.train.get(key)?))
    }

    /// Point of the metric `key` of the test features.
    pub(crate) fn test(&self, key: &str) -> Option<(f64, f64)> {
        Some((self.at, *self.test.get(key)?))
    }
}

/// Largest ratio of consecutive learning rates that counts as a step.
const STEP: f64 = 0.5;

/// The factor by which the learning rate is divided before each epoch, if that is a step: the rate drops and is
/// constant before or after, unlike on a cosine schedule.
fn rate_steps(events: &[Event]) -> Vec<Option<f64>> {
    let mut phases: Vec<Vec<f64>> = vec![vec![]];
    for event in events {
        match event {
            Event::PhaseStarted { .. } => phases.push(vec![]),
            Event::EpochFinished { learning_rate, .. } => {
                if let Some(phase) = phases.last_mut() {
                    phase.push(*learning_rate);
                }
            }
            _ => {}
        }
    }
    let step = |rates: &[f64], epoch: usize| {
        let (before, now) = (*rates.get(epoch.checked_sub(1)?)?, rates[epoch]);
        let level_before = epoch >= 2 && rates[epoch - 2] == before;
        let level_after = rates.get(epoch + 1) == Some(&now);
        (now > 0.0 && now <= STEP * before && (level_before || level_after)).then(|| before / now)
    };
    phases.iter().flat_map(|rates| (0..rates.len()).map(move |epoch| step(rates, epoch))).collect()
}

impl History {
    pub(crate) fn of(events: &[Event]) -> Self {
        let mut history = Self::default();
        // Trained epochs of earlier phases and of the current one, which may have stopped early.
        let (mut before, mut current) = (0.0, 0.0);
        let mut last: Option<bool> = None;
        // The classifier in place of the network's.
        let mut replaced: Option<String> = None;
        let mut rate_steps = rate_steps(events).into_iter();
        for event in events {
            match event {
                Event::PhaseStarted { phase, .. } => {
                    before += current;
                    current = 0.0;
                    last = None;
                    if before > 0.0 {
                        history.mark(before + 0.5, format!("phase {phase}"));
                    }
                }
                Event::EpochFinished { epoch, learning_rate, class_weights, losses, .. } => {
                    current = *epoch as f64 + 1.0;
                    let at = before + current;
                    history.losses.push((at, losses.clone()));
                    history.learning_rates.push((at, *learning_rate));
                    if last == Some(false) && *class_weights {
                        history.mark(at - 0.5, "class weights".into());
                    }
                    if let Some(factor) = rate_steps.next().flatten() {
                        history.mark(at - 0.5, format!("learning rate / {factor:.0}"));
                    }
                    last = Some(*class_weights);
                }
                Event::Evaluated {
                    epoch, test_accuracy, validation_accuracy, classifier, average, ..
                } => {
                    let at = before + *epoch as f64 + 1.0;
                    if classifier.is_some() && replaced != *classifier {
                        history.mark(
                            before + 0.5,
                            format!("accuracy of the {}", classifier.as_deref().unwrap_or_default()),
                        );
                    }
                    replaced.clone_from(classifier);
                    history.test_accuracy.push((at, *test_accuracy));
                    history.validation_accuracy.extend(validation_accuracy.map(|accuracy| (at, accuracy)));
                    let average = average.as_deref().map(|average| (at, average.test_accuracy));
                    history.average_accuracy.extend(average);
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

    /// First and last epoch.
    pub(crate) fn range(&self) -> Option<(f64, f64)> {
        Some((self.losses.first()?.0, self.losses.last()?.0))
    }

    /// Largest achievable minimum angle between class means, in degrees.
    pub(crate) fn optimum(&self) -> Option<f64> {
        self.collapse.last()?.train.get("largest_min_angle_degrees").copied()
    }

    /// The metric `key` of training and test features, as two series.
    pub(crate) fn figure(&self, key: &str, name: &str, hue: usize) -> Vec<Series> {
        let line = |set: &str, dashed, points| Series {
            name: format!("{name}{set}"),
            points,
            hue,
            dashed,
            ..Series::default()
        };
        let collapse = || self.collapse.iter();
        vec![
            line("training", false, collapse().filter_map(|collapse| collapse.train(key)).collect()),
            line("test", true, collapse().filter_map(|collapse| collapse.test(key)).collect()),
        ]
    }
}

/// Chart title, y-axis title, y scale, series, and a named reference value.
pub(crate) type EpochChart = (&'static str, &'static str, Scale, Vec<Series>, Option<(f64, &'static str)>);

/// Drawings with their titles.
pub(crate) type Drawings = Vec<(&'static str, Drawing)>;

/// Draws charts over epochs; charts without points are omitted. `unnamed` leaves out the names of series.
pub(crate) fn over_epochs(
    range: Option<(f64, f64)>,
    marks: &[Mark],
    unnamed: bool,
    charts: impl IntoIterator<Item = EpochChart>,
) -> Result<Drawings> {
    let mut drawings = vec![];
    for (title, y_title, scale, series, reference) in charts {
        let (label, x, x_range) = (title, X::Epochs, range);
        let curves = Curves { label, x, y_title, scale, series, x_range, marks, reference, unnamed };
        drawings.extend(curves.draw()?.map(|drawing| (title, drawing)));
    }
    Ok(drawings)
}

#[cfg(test)]
mod tests {
    use nc_record::Timing;

    use super::*;

    fn marks(rates: &[f64]) -> Vec<String> {
        let start = Event::PhaseStarted { phase: "only".into(), epochs: rates.len(), steps_per_epoch: 1 };
        let epochs = rates.iter().enumerate().map(|(epoch, &learning_rate)| Event::EpochFinished {
            phase: "only".into(),
            epoch,
            learning_rate,
            class_weights: false,
            losses: EpochLosses::default(),
            timing: Timing::default(),
        });
        let events: Vec<Event> = [start].into_iter().chain(epochs).collect();
        History::of(&events).marks.into_iter().map(|mark| mark.name).collect()
    }

    #[test]
    fn learning_rate_steps_are_marked_but_cosine_decay_is_not() {
        assert_eq!(
            marks(&[0.02, 0.1, 0.1, 0.01, 0.001, 0.001]),
            ["learning rate / 10", "learning rate / 10"]
        );
        let cosine: Vec<f64> =
            (0..10).map(|epoch| (std::f64::consts::PI * f64::from(epoch) / 20.0).cos().powi(2)).collect();
        assert!(cosine[9] < 0.5 * cosine[8] && marks(&cosine).is_empty());
    }
}
