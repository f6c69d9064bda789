//! The class centres of L_W and L_B.

use candle_core::{Tensor, Var, backprop::GradStore};
use candle_nn::Init;
use nc_models::ParamStore;

use super::{
    targets::{Labels, Targets},
    term::EpochContext,
};
use crate::{
    Error, Result,
    config::{CenterInit, Centers, Space},
};

/// Name of the centres in checkpoints.
pub(super) const NAME: &str = "centers";

/// Name in checkpoints of the centres of `branch`.
pub(super) fn name(branch: usize, branches: usize) -> String {
    if branches > 1 { format!("{NAME}/{branch}") } else { NAME.to_owned() }
}

/// Initial values (K, P) of the learnable or averaged centres of each branch; none for batch means.
pub(super) fn first(
    centers: Centers,
    space: Space,
    classes: usize,
    epoch: &EpochContext<'_>,
) -> Result<Vec<Var>> {
    let init = match centers {
        Centers::Learnable { init, .. } | Centers::MovingAverage { init, .. } => init,
        Centers::BatchMeans => return Ok(vec![]),
    };
    let values = match init {
        CenterInit::ClassMeans => (epoch.class_means)(epoch.network, space)?,
        CenterInit::Normal => {
            let network = epoch.network;
            let (branches, dims) = match space {
                Space::Features => {
                    let experts = network.heads().len().max(1);
                    (experts, network.feature_dim() / experts)
                }
                Space::Embeddings => (1, network.embedding_dim().ok_or(Error::NoProjection)?),
            };
            let dims = (classes, dims);
            let normal = Init::Randn { mean: 0.0, stdev: 1.0 };
            let vb = ParamStore::new(epoch.seed, epoch.device).builder();
            let drawn = (0..branches).map(|branch| vb.get_with_hints(dims, &name(branch, branches), normal));
            drawn.collect::<candle_core::Result<_>>()?
        }
    };
    Ok(values.iter().map(Var::from_tensor).collect::<candle_core::Result<_>>()?)
}

/// `centers` (K, P) after one moving-average step of the classes in the batch: moved by 1 - `momentum` towards their
/// means, with gradient to the features.
pub(super) fn moved(
    centers: &Tensor,
    momentum: f64,
    features: &Tensor,
    labels: &Labels,
) -> nc_losses::Result<Tensor> {
    let present = nc_losses::class_means_by(features, &labels.host, centers.dim(0)?)?;
    let rows = Tensor::new(present.classes, features.device())?;
    let step = ((present.means - centers.index_select(&rows, 0)?)? * (1.0 - momentum))?;
    Ok(centers.index_add(&rows, &step, 0)?)
}

/// Class means (K, P) of the batch; zero for absent classes.
pub(super) fn batch_means(features: &Tensor, labels: &Labels, classes: usize) -> nc_losses::Result<Tensor> {
    let none = Tensor::zeros((classes, features.dim(1)?), features.dtype(), features.device())?;
    moved(&none, 0.0, features, labels)
}

/// SGD step of learnable centres: centers - rate grad(L).
pub(super) fn descend(centers: &Var, rate: f64, gradients: &GradStore) -> Result<()> {
    if let Some(gradient) = gradients.get(centers) {
        let step = (gradient.detach() * rate)?;
        centers.set(&(centers.as_detached_tensor() - step)?)?;
    }
    Ok(())
}

/// Moves averaged centres; of a mixed batch by the share of each set of labels.
pub(super) fn average(centers: &Var, momentum: f64, features: &Tensor, targets: &Targets) -> Result<()> {
    let old = centers.as_detached_tensor();
    let features = features.detach();
    Ok(centers.set(&targets.mixed(|labels| moved(&old, momentum, &features, labels))?)?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use nc_data::{Mix, View};

    use super::*;

    fn targets(features: &Tensor, labels: [u32; 3], mix: Option<Mix>) -> Targets {
        let view = View { images: features.clone(), labels: labels.to_vec(), positions: vec![0, 1, 2], mix };
        Targets::new(&view, 3).unwrap()
    }

    #[test]
    fn averages_move_towards_batch_means_of_present_classes() {
        let tensor = |rows: &[[f32; 2]; 3]| Tensor::new(rows, &Device::Cpu).unwrap();
        let centers = Var::from_tensor(&tensor(&[[0.0, 0.0], [4.0, 4.0], [8.0, 0.0]])).unwrap();
        let features = tensor(&[[2.0, 0.0], [4.0, 0.0], [0.0, 8.0]]);

        // Class 0 has mean (3, 0), class 2 has (0, 8).
        average(&centers, 0.75, &features, &targets(&features, [0, 0, 2], None)).unwrap();
        let expected = [[0.75, 0.0], [4.0, 4.0], [6.0, 2.0]];
        assert_eq!(centers.to_vec2::<f32>().unwrap(), expected);

        // With mix-up, centres move towards the means of each set of labels by its share; class 1 has mean (2, 8/3).
        let mix = Some(Mix { lambda: 0.5, partner: vec![1, 1, 1] });
        average(&centers, 0.75, &features, &targets(&features, [0, 0, 2], mix)).unwrap();
        let of = |old: f32, mean: f32| old + 0.5 * 0.25 * (mean - old);
        let expected =
            [[of(0.75, 3.0), 0.0], [of(4.0, 2.0), of(4.0, 8.0 / 3.0)], [of(6.0, 0.0), of(2.0, 8.0)]];
        for (row, expected) in centers.to_vec2::<f32>().unwrap().iter().zip(expected) {
            assert!(row.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{row:?} {expected:?}");
        }
    }

    #[test]
    fn moved_centres_have_gradient_scaled_by_the_batch_share() {
        let features = Var::new(&[[2f32, 0.0], [4.0, 0.0]], &Device::Cpu).unwrap();
        let labels = Labels::new(&[1, 1], 3, &Device::Cpu).unwrap();
        let centers = Tensor::zeros((3, 2), candle_core::DType::F32, &Device::Cpu).unwrap();
        let sum = moved(&centers, 0.9, &features, &labels).unwrap().sum_all().unwrap();
        let gradients = sum.backward().unwrap();
        let gradient = gradients.get(&features).unwrap().to_vec2::<f32>().unwrap();
        assert!(gradient.iter().flatten().all(|g| (g - 0.05).abs() < 1e-7), "{gradient:?}");
    }
}
