//! The class centres that L_W and L_B act on.

use candle_core::{Device, Tensor, Var, backprop::GradStore};
use candle_nn::Init;
use nc_models::ParamStore;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Result, criterion::Targets, optimizer::norm};

/// Where the class centres come from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Centers {
    /// Parameters with their own plain SGD on grad(lambda1 L_W + lambda2 L_B) / lambda1, as in the paper's code: L_B
    /// reaches the features through the centres alone.
    Learnable {
        /// Their learning rate, the same in every epoch (alpha).
        #[schemars(range(max = 1e6), extend("exclusiveMinimum" = 0))]
        learning_rate: f64,
        /// Their first values.
        init: CenterInit,
    },
    /// Moving averages of the class means of the batches: c_k <- `momentum` c_k + (1 - `momentum`) (mean of class k in
    /// the batch), where the class is in it. Both losses see the centres as they are after that step; L_B has a gradient to the
    /// features, by the share of the batch in them, and L_W pulls features as if the centres were constants. Needs no
    /// lambda1.
    MovingAverage {
        /// The share of a centre that stays as it was.
        #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
        momentum: f64,
        /// Their first values.
        init: CenterInit,
    },
    /// The class means of the batch, with gradient to the features. Needs no lambda1.
    BatchMeans,
}

impl Default for Centers {
    fn default() -> Self {
        Self::Learnable { learning_rate: 0.5, init: CenterInit::Normal }
    }
}

impl Centers {
    /// First values of centres that are kept from batch to batch.
    fn init(self) -> Option<CenterInit> {
        match self {
            Self::Learnable { init, .. } | Self::MovingAverage { init, .. } => Some(init),
            Self::BatchMeans => None,
        }
    }

    /// The centres (K, P) as they start. `class_means` measures the class means of the training features.
    pub(crate) fn first(
        self,
        dims: (usize, usize),
        seed: u64,
        device: &Device,
        class_means: impl FnOnce() -> Result<Tensor>,
    ) -> Result<Option<Var>> {
        Ok(match self.init() {
            None => None,
            Some(CenterInit::ClassMeans) => Some(Var::from_tensor(&class_means()?)?),
            Some(CenterInit::Normal) => {
                let normal = Init::Randn { mean: 0.0, stdev: 1.0 };
                let store = ParamStore::new(seed, device);
                Some(Var::from_tensor(&store.builder().get_with_hints(dims, "centers", normal)?)?)
            }
        })
    }
}

/// First values of centres that are kept from batch to batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CenterInit {
    /// N(0, 1).
    Normal,
    /// Means of the training features in evaluation mode, at the start epoch.
    ClassMeans,
}

/// `centers` (K, P) with the rows of the classes in the batch moved by 1 - `momentum` towards their means, which carry
/// gradient to the features.
pub(crate) fn moved(
    centers: &Tensor,
    momentum: f64,
    features: &Tensor,
    labels: &Tensor,
) -> nc_losses::Result<Tensor> {
    let present = nc_losses::class_means(features, labels, centers.dim(0)?)?;
    let rows = Tensor::new(present.classes, features.device())?;
    let step = ((present.means - centers.index_select(&rows, 0)?)? * (1.0 - momentum))?;
    Ok(centers.index_add(&rows, &step, 0)?)
}

/// The class means (K, P) of the batch, zero for the classes that are not in it.
pub(crate) fn batch_means(features: &Tensor, labels: &Tensor, classes: usize) -> nc_losses::Result<Tensor> {
    let none = Tensor::zeros((classes, features.dim(1)?), features.dtype(), features.device())?;
    moved(&none, 0.0, features, labels)
}

/// Moves learnable centres: centers - alpha grad(L) / lambda1. Returns the norm of their gradient; if it is not finite,
/// they stay.
pub(crate) fn descend(
    centers: &Var,
    learning_rate: f64,
    within_weight: f64,
    gradients: &GradStore,
) -> Result<f64> {
    let Some(gradient) = gradients.get(centers) else { return Ok(0.0) };
    let norm = norm([gradient])?;
    if norm.is_finite() {
        let step = (gradient.detach() * (learning_rate / within_weight))?;
        centers.set(&(centers.as_detached_tensor() - step)?)?;
    }
    Ok(norm)
}

/// Moves averaged centres; of a mixed batch by the share of each set of labels.
pub(crate) fn average(centers: &Var, momentum: f64, features: &Tensor, targets: &Targets) -> Result<()> {
    let old = centers.as_detached_tensor();
    let features = features.detach();
    Ok(centers.set(&targets.mixed(|labels| moved(&old, momentum, &features, labels))?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_move_towards_the_means_of_the_classes_in_the_batch() {
        let tensor = |rows: &[[f32; 2]; 3]| Tensor::new(rows, &Device::Cpu).unwrap();
        let centers = Var::from_tensor(&tensor(&[[0.0, 0.0], [4.0, 4.0], [8.0, 0.0]])).unwrap();
        let features = tensor(&[[2.0, 0.0], [4.0, 0.0], [0.0, 8.0]]);
        let labels = |labels: [u32; 3]| Tensor::new(&labels, &Device::Cpu).unwrap();

        // Class 0 has mean (3, 0), class 2 has (0, 8).
        let unmixed = Targets { labels: labels([0, 0, 2]), mix: None };
        average(&centers, 0.75, &features, &unmixed).unwrap();
        let expected = [[0.75, 0.0], [4.0, 4.0], [6.0, 2.0]];
        assert_eq!(centers.to_vec2::<f32>().unwrap(), expected);

        // A mixed batch moves by its share towards the means of either set of labels; class 1 has mean (2, 8/3).
        let mix = Some((labels([1, 1, 1]), 0.5));
        average(&centers, 0.75, &features, &Targets { labels: labels([0, 0, 2]), mix }).unwrap();
        let of = |old: f32, mean: f32| old + 0.5 * 0.25 * (mean - old);
        let expected =
            [[of(0.75, 3.0), 0.0], [of(4.0, 2.0), of(4.0, 8.0 / 3.0)], [of(6.0, 0.0), of(2.0, 8.0)]];
        for (row, expected) in centers.to_vec2::<f32>().unwrap().iter().zip(expected) {
            assert!(row.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{row:?} {expected:?}");
        }
    }

    #[test]
    fn moved_centres_carry_gradient_by_the_share_of_the_batch() {
        let features = Var::new(&[[2f32, 0.0], [4.0, 0.0]], &Device::Cpu).unwrap();
        let labels = Tensor::new(&[1u32, 1], &Device::Cpu).unwrap();
        let centers = Tensor::zeros((3, 2), candle_core::DType::F32, &Device::Cpu).unwrap();
        let sum = moved(&centers, 0.9, &features, &labels).unwrap().sum_all().unwrap();
        let gradients = sum.backward().unwrap();
        let gradient = gradients.get(&features).unwrap().to_vec2::<f32>().unwrap();
        assert!(gradient.iter().flatten().all(|g| (g - 0.05).abs() < 1e-7), "{gradient:?}");
    }
}
