//! The largest learning rate at which SGD is stable on a frozen backbone.

use nc_models::{Group, HeadConfig};

use crate::{
    Result,
    config::{Experiment, OptimizerConfig, Phase, SgdConfig, Trains},
    inference::{Inference, Outputs},
};

/// A learning rate above which SGD oscillates without bound, for a phase that is set to a higher one.
///
/// On frozen features h, the loss of a linear classifier has a Hessian whose eigenvalues are at most L = c lambda + weight
/// decay, where c bounds those of the loss by the logits (1/2 for a softmax), and
///
/// ```text
/// lambda = rate lambda_max(E[(h, 1) (h, 1)^T]) + max_k E[z_k^2]
/// ```
///
/// with the first term if the classifier learns, at `rate` times the learning rate, and the second, of the initial logits
/// z, if a factor per logit learns. The expectation weighs classes as the phase samples and weights them. SGD with
/// momentum m is stable on a quadratic of curvature L below 2 (1 + m) / L; Nesterov's below 2 (1 + m) / (L (1 + 2 m)).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StableRate {
    /// The base learning rate at which the highest of the schedule is stable, rounded down to two digits.
    pub(crate) learning_rate: f64,
    configured: f64,
    lambda: f64,
}

impl StableRate {
    /// Measures the features at the start of `phase`; `None` if its learning rate is stable or no bound is known.
    ///
    /// # Errors
    ///
    /// Those of evaluating the network on the training images.
    pub(crate) fn below(
        phase: &Phase,
        experiment: &Experiment,
        inference: &Inference<'_>,
    ) -> Result<Option<Self>> {
        let OptimizerConfig::Sgd(sgd) = phase.optimizer else { return Ok(None) };
        let counts = inference.data.train.class_counts();
        // Diversity, which is subtracted, has no such bound.
        if phase.objective.diversity.is_some() {
            return Ok(None);
        }
        let mut losses = phase.objective.losses().map(|loss| loss.as_loss().curvature(counts.len()));
        let curvature = losses.try_fold(0.0, |largest: f64, one| Some(largest.max(one?)));
        let (Some(curvature), HeadConfig::Linear, false) =
            (curvature, experiment.model.head, phase.trains == Trains::Everything)
        else {
            return Ok(None);
        };
        let outputs = inference.outputs(&inference.data.train)?;
        let heads = inference.network.heads().len();
        // The bound is convex in the classes' shares, which change monotonically from the first epoch to the last.
        let mut lambda = 0f64;
        for epoch in [0, phase.epochs - 1] {
            let weights = image_weights(phase, epoch, counts, &outputs.labels)?;
            lambda = lambda.max(curvature_of(phase.trains, &outputs, heads, &weights));
        }
        let peak =
            (0..phase.epochs).map(|epoch| phase.schedule.factor(epoch, phase.epochs)).fold(0.0, f64::max);
        let limit = largest_stable(&sgd, curvature * lambda + sgd.weight_decay) / peak;
        let learning_rate = rounded_down(limit);
        Ok((sgd.learning_rate > limit).then_some(Self {
            learning_rate,
            configured: sgd.learning_rate,
            lambda,
        }))
    }

    /// Describes the change.
    pub(crate) fn note(&self, phase: &Phase) -> String {
        let Self { learning_rate, configured, lambda } = self;
        format!(
            "phases.{}.optimizer.learning_rate: {configured} lowered to {learning_rate}, the largest stable one on these \
             features (lambda {lambda:.0})",
            phase.name
        )
    }
}

/// The share of each image in the loss of `epoch`; they sum to 1.
fn image_weights(phase: &Phase, epoch: usize, counts: &[usize], labels: &[u32]) -> Result<Vec<f64>> {
    let sampled = phase.sampler.class_probabilities(counts, epoch, Some(phase.epochs))?;
    let weights =
        phase.objective.reweighting.weights(epoch, counts).unwrap_or_else(|| vec![1.0; counts.len()]);
    let shares: Vec<f64> =
        sampled.iter().zip(&weights).map(|(probability, weight)| probability * weight).collect();
    let sum: f64 = shares.iter().sum();
    let of_image = |&label: &u32| shares[label as usize] / sum / counts[label as usize] as f64;
    Ok(labels.iter().map(of_image).collect())
}

/// lambda of [`StableRate`], the largest of the `heads`: the losses of experts share no parameters.
fn curvature_of(trains: Trains, outputs: &Outputs, heads: usize, weights: &[f64]) -> f64 {
    let of_head = match trains.learning_rate_factor(Group::Head) {
        Some(rate) if rate > 0.0 => {
            let of_part = |part| rate * largest_eigenvalue(&outputs.part(part, heads), weights);
            (0..heads).map(of_part).fold(0.0, f64::max)
        }
        _ => 0.0,
    };
    let of_factors = match trains.learning_rate_factor(Group::LogitScale) {
        Some(_) if trains.scales_logits() => largest_moment(&outputs.logits, weights),
        _ => 0.0,
    };
    of_head + of_factors
}

/// max_k E[z_k^2] of the rows of `logits`.
fn largest_moment(logits: &[f32], weights: &[f64]) -> f64 {
    let classes = logits.len() / weights.len();
    let mut moments = vec![0f64; classes];
    for (row, weight) in logits.chunks(classes).zip(weights) {
        for (moment, &z) in moments.iter_mut().zip(row) {
            *moment += weight * f64::from(z).powi(2);
        }
    }
    moments.into_iter().fold(0.0, f64::max)
}

/// The largest eigenvalue of E[(h, 1) (h, 1)^T] over the rows h of `features`, by power iteration from (E[h], 1). It
/// stops when the eigenvalue grows by less than a millionth. Features after a ReLU have one dominant eigenvalue.
fn largest_eigenvalue(features: &[f32], weights: &[f64]) -> f64 {
    const MOST_ITERATIONS: usize = 1000;
    let dims = features.len() / weights.len();
    // Sum of factor(h) (h, 1) over the images.
    let weighted_sum = |factor: &dyn Fn(&[f32]) -> f64| {
        let mut sum = vec![0f64; dims + 1];
        for (h, weight) in features.chunks(dims).zip(weights) {
            let factor = weight * factor(h);
            for (total, &x) in sum.iter_mut().zip(h.iter().chain([&1.0])) {
                *total += factor * f64::from(x);
            }
        }
        sum
    };
    let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
    let mut direction = weighted_sum(&|_| 1.0);
    let mut eigenvalue = 0f64;
    for _ in 0..MOST_ITERATIONS {
        let length = norm(&direction);
        for x in &mut direction {
            *x /= length;
        }
        let along = |h: &[f32]| {
            let product = h.iter().zip(&direction).map(|(&x, v)| f64::from(x) * v);
            product.sum::<f64>() + direction[dims]
        };
        let next = weighted_sum(&along);
        let before = std::mem::replace(&mut eigenvalue, norm(&next));
        direction = next;
        if eigenvalue.is_nan() || eigenvalue <= before * (1.0 + 1e-6) {
            break;
        }
    }
    eigenvalue
}

/// The learning rate at which SGD on a quadratic of `curvature` stops converging.
fn largest_stable(sgd: &SgdConfig, curvature: f64) -> f64 {
    let SgdConfig { momentum, nesterov, .. } = *sgd;
    let limit = 2.0 * (1.0 + momentum) / curvature;
    if nesterov { limit / (1.0 + 2.0 * momentum) } else { limit }
}

/// `number` rounded down to two significant digits.
fn rounded_down(number: f64) -> f64 {
    let digit = 10f64.powf(number.log10().floor() - 1.0);
    // Through text, for the double nearest to the decimal number.
    let rounded = (number / digit + 1e-9).floor() * digit;
    format!("{rounded:.1e}").parse().unwrap_or(rounded)
}

#[cfg(test)]
mod tests;
