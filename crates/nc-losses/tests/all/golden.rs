//! Values and gradients against PyTorch's in f64. The bound is that of PyTorch's own f32 arithmetic, with a margin.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor, Var, safetensors};
use nc_losses::{
    BetweenForm, Result, adjusted_logits, between_class, center_loss, class_balanced_dot_regression,
    cross_entropy, dot_regression, effective_number, focal, inverse_frequency, label_aware_smoothing,
    ldam_margins, mixed, mse, smoothed_cross_entropy, soft_cross_entropy, weighted_cross_entropy,
    with_margins, within_class,
};

use crate::support::{assert_close, gradient, scalar};

const BOUND: f64 = 1e-5;

struct Golden {
    arrays: HashMap<String, Tensor>,
    device: Device,
}

impl Golden {
    /// Loads the golden arrays, with inputs on `device`.
    fn on(device: &Device) -> Result<Self> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/losses.safetensors");
        Ok(Self { arrays: safetensors::load(path, &Device::Cpu)?, device: device.clone() })
    }

    fn get(&self, name: &str) -> &Tensor {
        self.arrays.get(name).unwrap_or_else(|| panic!("no golden array `{name}`"))
    }

    fn input(&self, name: &str, dtype: DType) -> Result<Tensor> {
        Ok(self.get(name).to_dtype(dtype)?.to_device(&self.device)?)
    }

    fn variable(&self, name: &str) -> Result<Var> {
        Ok(Var::from_tensor(&self.input(name, DType::F32)?)?)
    }

    fn labels(&self) -> Result<Tensor> {
        self.input("in.labels", DType::U32)
    }

    fn partner(&self) -> Result<Tensor> {
        let permutation = self.input("in.mixup.perm", DType::U32)?;
        Ok(self.labels()?.index_select(&permutation, 0)?)
    }

    fn counts(&self) -> Result<Vec<usize>> {
        let counts = self.get("in.class_counts").to_vec1::<i64>()?;
        Ok(counts.into_iter().map(|count| usize::try_from(count).expect("a count")).collect())
    }

    fn class_weights(&self) -> Result<Tensor> {
        let weights = effective_number(&self.counts()?, 0.9999);
        Ok(Tensor::new(weights, &Device::Cpu)?.to_dtype(DType::F32)?.to_device(&self.device)?)
    }

    /// Compares a scalar and its gradients with `out.NAME` and `grad.NAME.INPUT`.
    fn hold(&self, name: &str, loss: &Tensor, inputs: &[(&str, &Var)]) -> Result<()> {
        assert_close(loss, self.get(&format!("out.{name}")), BOUND)?;
        for (input, variable) in inputs {
            let expected = self.get(&format!("grad.{name}.{input}"));
            assert_close(&gradient(loss, variable)?, expected, BOUND)?;
        }
        Ok(())
    }
}

#[test]
fn class_weights_match_pytorch() -> Result<()> {
    let golden = Golden::on(&Device::Cpu)?;
    let counts = golden.counts()?;
    for (name, ours) in [
        ("out.class_weights.effective_number.beta0.9999", effective_number(&counts, 0.9999)),
        ("out.class_weights.inverse_frequency", inverse_frequency(&counts)),
    ] {
        assert_close(&Tensor::new(ours, &Device::Cpu)?, golden.get(name), 1e-12)?;
    }
    Ok(())
}

fn classification_losses(golden: &Golden) -> Result<()> {
    let (logits, labels, weights) =
        (golden.variable("in.logits")?, golden.labels()?, golden.class_weights()?);
    let hold = |name, loss: Tensor| golden.hold(name, &loss, &[("logits", &logits)]);
    hold("cross_entropy", cross_entropy(&logits, &labels)?)?;
    hold("cross_entropy.weighted", weighted_cross_entropy(&logits, &labels, &weights)?)?;
    hold("cross_entropy.label_smoothing0.1", smoothed_cross_entropy(&logits, &labels, 0.1)?)?;
    hold("mse.mean", mse(&logits, &labels)?)?;

    // Label smoothing is cross entropy against softened one-hot targets.
    let one_hot = candle_nn::encoding::one_hot(labels.clone(), logits.dim(1)?, 0.91f32, 0.01f32)?;
    hold("cross_entropy.label_smoothing0.1", soft_cross_entropy(&logits, &one_hot)?)
}

fn losses_for_long_tails(golden: &Golden) -> Result<()> {
    let (logits, labels, counts) = (golden.variable("in.logits")?, golden.labels()?, golden.counts()?);
    let hold = |name, loss: Tensor| golden.hold(name, &loss, &[("logits", &logits)]);
    hold("focal.gamma1", focal(&logits, &labels, 1.0)?)?;
    hold("focal.gamma2", focal(&logits, &labels, 2.0)?)?;
    let adjusted = |counts: &[usize], tau| cross_entropy(&adjusted_logits(&logits, counts, tau)?, &labels);
    hold("logit_adjustment.tau1", adjusted(&counts, 1.0)?)?;
    hold("logit_adjustment.tau1.5", adjusted(&counts, 1.5)?)?;
    hold("arb.training_counts", adjusted(&counts, 1.0)?)?;
    let mut in_batch = vec![0; counts.len()];
    labels.to_vec1::<u32>()?.iter().for_each(|&label| in_batch[label as usize] += 1);
    assert!(in_batch.contains(&0), "a class is absent");
    hold("arb.batch_counts", adjusted(&in_batch, 1.0)?)?;
    let smoothed = label_aware_smoothing(&logits, &labels, &counts, 0.4, 0.1)?;
    hold("label_aware_smoothing.head0.4.tail0.1", smoothed)?;

    let (cosines, weights) = (golden.variable("in.cosine_logits")?, golden.class_weights()?);
    let lowered = (with_margins(&cosines, &labels, &ldam_margins(&counts, 0.5))? * 30.0)?;
    golden.hold("ldam.m0.5.s30", &cross_entropy(&lowered, &labels)?, &[("cosine_logits", &cosines)])?;
    let weighted = weighted_cross_entropy(&lowered, &labels, &weights)?;
    golden.hold("ldam.m0.5.s30.weighted", &weighted, &[("cosine_logits", &cosines)])?;

    let features = golden.variable("in.features")?;
    let directions = golden.input("in.etf_weight", DType::F32)?;
    let loss = dot_regression(&features, &labels, &directions)?;
    golden.hold("dot_regression", &loss, &[("features", &features)])?;

    // By class, it is the mean of the losses of each class in the batch.
    let of_class = |class: usize| -> Result<Tensor> {
        let samples = labels.to_vec1::<u32>()?.into_iter().zip(0u32..);
        let samples: Vec<u32> =
            samples.filter(|&(label, _)| label as usize == class).map(|(_, sample)| sample).collect();
        let samples = Tensor::new(samples, &golden.device)?;
        dot_regression(&features.index_select(&samples, 0)?, &labels.index_select(&samples, 0)?, &directions)
    };
    let present = (0..counts.len()).filter(|&class| in_batch[class] > 0);
    let mean = Tensor::stack(&present.map(of_class).collect::<Result<Vec<_>>>()?, 0)?.mean_all()?;
    let loss = class_balanced_dot_regression(&features, &labels, &directions)?;
    assert_close(&loss, &mean, BOUND)?;
    assert_close(&gradient(&loss, &features)?, &gradient(&mean, &features)?, BOUND).map_err(Into::into)
}

fn regularisers(golden: &Golden) -> Result<()> {
    let (features, centers) = (golden.variable("in.features")?, golden.variable("in.centers")?);
    let labels = golden.labels()?;
    let inputs = [("features", &features), ("centers", &centers)];
    golden.hold("nc1_within", &within_class(&features, &labels, &centers)?, &inputs)?;
    golden.hold("center_loss", &center_loss(&features, &labels, &centers)?, &inputs)?;
    for (name, form) in [
        ("nc2_between.mean_min_angle", BetweenForm::MeanMinAngle),
        ("nc2_between.global_min_angle", BetweenForm::GlobalMinAngle),
        ("nc2_between.etf_gap", BetweenForm::EtfGap),
    ] {
        golden.hold(name, &between_class(&centers, form)?, &[("centers", &centers)])?;
    }
    let smallest = -scalar(&between_class(&centers, BetweenForm::GlobalMinAngle)?)?;
    assert_close(&Tensor::new(smallest.cos(), &Device::Cpu)?, golden.get("out.nc2_between.max_cosine"), BOUND)
        .map_err(Into::into)
}

fn mixed_batches(golden: &Golden) -> Result<()> {
    let (logits, weights) = (golden.variable("in.logits")?, golden.class_weights()?);
    let (features, centers) = (golden.variable("in.features")?, golden.variable("in.centers")?);
    let (labels, partner) = (golden.labels()?, golden.partner()?);

    let loss = mixed(&labels, &partner, 0.3, |labels| cross_entropy(&logits, labels))?;
    golden.hold("mixup.lambda0.3.cross_entropy", &loss, &[("logits", &logits)])?;

    let loss = mixed(&labels, &partner, 0.3, |labels| weighted_cross_entropy(&logits, labels, &weights))?;
    golden.hold("mixup.lambda0.3.cross_entropy.weighted", &loss, &[("logits", &logits)])?;

    let loss = mixed(&labels, &partner, 0.3, |labels| within_class(&features, labels, &centers))?;
    golden.hold("mixup.lambda0.3.nc1_within", &loss, &[("features", &features), ("centers", &centers)])
}

fn a_step_of_the_centres(golden: &Golden) -> Result<()> {
    let (features, labels) = (golden.input("in.features", DType::F32)?, golden.labels()?);
    let centers = golden.variable("in.centers")?;
    for (name, lambda1, lambda2) in [
        ("out.center_step.l1_0.01.l2_0.1.alpha_0.5", 0.01, 0.1),
        ("out.center_step.l1_0.01.l2_0.5.alpha_0.5", 0.01, 0.5),
    ] {
        let within = (within_class(&features, &labels, &centers)? * lambda1)?;
        let between = (between_class(&centers, BetweenForm::MeanMinAngle)? * lambda2)?;
        let step = (gradient(&(within + between)?, &centers)? * (0.5 / lambda1))?;
        assert_close(&(centers.as_tensor() - step)?, golden.get(name), BOUND)?;
    }
    Ok(())
}

const CHECKS: [fn(&Golden) -> Result<()>; 5] =
    [classification_losses, losses_for_long_tails, regularisers, mixed_batches, a_step_of_the_centres];

#[test]
fn values_and_gradients_match_pytorch() -> Result<()> {
    let golden = Golden::on(&Device::Cpu)?;
    CHECKS.iter().try_for_each(|check| check(&golden))
}

#[test]
#[allow(clippy::print_stdout)]
fn values_and_gradients_match_pytorch_on_a_gpu() -> Result<()> {
    let Ok(device) = Device::new_cuda(0).or_else(|_| Device::new_metal(0)) else {
        println!("skipped: no CUDA or Metal device, or built without its feature");
        return Ok(());
    };
    let golden = Golden::on(&device)?;
    CHECKS.iter().try_for_each(|check| check(&golden))
}
