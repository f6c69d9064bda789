//! Contrastive losses against PyTorch and mpmath in f64 (`tests/golden/contrastive.py`), and the targets of TSC.

use candle_core::{DType, Device, Tensor, Var};
use nc_losses::{
    Result, assign_targets, balanced_contrastive_each, contrastive_each, supervised_contrastive_each,
    uniform_targets, von_mises_fisher_logits,
};

use crate::support::{Golden, assert_close, normal, scalar, values};

const CPU: &Device = &Device::Cpu;
const TEMPERATURE: f64 = 0.1;

#[test]
fn contrastive_losses_match_pytorch() -> Result<()> {
    let golden = Golden::load("contrastive")?;
    let labels = golden.labels()?;
    let hold =
        |name, found: &Tensor, inputs: &[(&str, &Var)]| golden.hold(name, found, "in.factors", inputs, 1e-12);
    let (z, prototypes) = (golden.variable("z")?, golden.variable("prototypes")?);
    let losses = supervised_contrastive_each(&z, &labels, TEMPERATURE)?;
    hold("supervised_contrastive", &losses.of_each, &[("z", &z)])?;
    let losses = balanced_contrastive_each(&z, &labels, &prototypes, TEMPERATURE)?;
    hold("balanced_contrastive", &losses.of_each, &[("z", &z), ("prototypes", &prototypes)])?;

    let similarities = golden.variable("similarities")?;
    let losses = contrastive_each(&similarities, golden.get("in.positives"), golden.get("in.denominators"))?;
    hold("contrastive", &losses.of_each, &[("similarities", &similarities)])?;
    Ok(())
}

/// PaCo through [`contrastive_each`], as its table of weights states.
#[test]
fn parametric_contrastive_loss_matches_pytorch() -> Result<()> {
    let golden = Golden::load("contrastive")?;
    let (z, logits) = (golden.variable("z")?, golden.variable("logits")?);
    let (samples, classes) = logits.dims2()?;
    let labels = golden.labels()?;
    let same =
        |columns: &Tensor| labels.unsqueeze(1)?.broadcast_eq(&columns.unsqueeze(0)?)?.to_dtype(DType::F64);
    let others = (1.0 - Tensor::eye(samples, DType::F64, CPU)?)?;
    let own = same(&Tensor::arange(0, classes as u32, CPU)?)?;
    let positives = Tensor::cat(&[&own, &((same(&labels)? * &others)? * 0.05)?], 1)?;
    let denominators = Tensor::cat(&[&own.ones_like()?, &others], 1)?;
    let similarities = Tensor::cat(&[logits.as_tensor(), &(z.matmul(&z.t()?)? / TEMPERATURE)?], 1)?;
    let losses = contrastive_each(&similarities, &positives, &denominators)?;
    let inputs = [("z", &z), ("logits", &logits)];
    golden.hold("parametric_contrastive", &losses.of_each, "in.factors", &inputs, 1e-12)?;
    Ok(())
}

#[test]
fn von_mises_fisher_logits_match_mpmath() -> Result<()> {
    let golden = Golden::load("contrastive")?;
    for dimensions in [2, 3, 7, 32, 128] {
        let name = format!("vmf{dimensions}");
        let f = golden.variable(&format!("{name}.embeddings"))?;
        let means = golden.get(&format!("in.{name}.means"));
        let logits = von_mises_fisher_logits(&f, means, TEMPERATURE)?;
        let worst = values(&(&logits - golden.get(&format!("out.{name}")))?.abs()?)?;
        let worst = worst.into_iter().fold(0.0, f64::max);
        assert!(worst < 1e-6, "D = {dimensions}: absolute error {worst:e}");
        golden.hold(&name, &logits, &format!("in.{name}.factors"), &[("embeddings", &f)], 1e-6)?;

        let single = von_mises_fisher_logits(&f.to_dtype(DType::F32)?, &means.to_dtype(DType::F32)?, 0.1)?;
        assert_eq!(single.dtype(), DType::F32);
        // The rounded mean of length 0.9999 has another kappa.
        assert_close(&single, &logits, 1e-4)?;
    }
    Ok(())
}

#[test]
fn concentrated_classes_have_cosine_logits() -> Result<()> {
    let f = normal(1, 5, 16)?;
    let f = f.broadcast_div(&f.sqr()?.sum_keepdim(1)?.sqrt()?)?;
    let means = normal(2, 3, 16)?;
    let means = means.broadcast_div(&means.sqr()?.sum_keepdim(1)?.sqrt()?)?;
    let cosines = (f.matmul(&means.t()?)? / TEMPERATURE)?;
    // kappa is at its limit of 1e5.
    let difference = (von_mises_fisher_logits(&f, &means, TEMPERATURE)? - cosines)?;
    assert!(values(&difference)?.iter().all(|x| x.abs() < 2e-3));
    Ok(())
}

fn cosines(targets: &Tensor) -> Result<Vec<Vec<f64>>> {
    let targets = targets.to_dtype(DType::F64)?;
    Ok(targets.matmul(&targets.t()?)?.to_vec2()?)
}

#[test]
fn targets_form_a_simplex_where_it_fits() -> Result<()> {
    for (classes, dimensions) in [(1, 1), (1, 5), (2, 1), (2, 7), (3, 2), (10, 9), (10, 128), (100, 128)] {
        let targets = uniform_targets(classes, dimensions, 3)?;
        assert_eq!(targets.dims(), [classes, dimensions]);
        for (i, row) in cosines(&targets)?.iter().enumerate() {
            for (j, cosine) in row.iter().enumerate() {
                let expected = if i == j { 1.0 } else { -1.0 / (classes as f64 - 1.0) };
                assert!((cosine - expected).abs() < 1e-6, "K = {classes}, D = {dimensions}: {cosine}");
            }
        }
    }
    Ok(())
}

/// Largest cosines of known optima: regular polygons, the octahedron and the icosahedron.
#[test]
fn targets_are_spread_uniformly_where_a_simplex_does_not_fit() -> Result<()> {
    let polygon = |corners: f64| (std::f64::consts::TAU / corners).cos();
    for (classes, dimensions, expected) in
        [(4, 2, 0.0), (5, 2, polygon(5.0)), (7, 2, polygon(7.0)), (6, 3, 0.0), (12, 3, 0.2f64.sqrt())]
    {
        for seed in 0..3 {
            let targets = uniform_targets(classes, dimensions, seed)?;
            for (i, row) in cosines(&targets)?.iter().enumerate() {
                assert!((row[i] - 1.0).abs() < 1e-6);
                let nearest = (0..classes).filter(|&j| j != i).map(|j| row[j]).fold(-1.0, f64::max);
                assert!((nearest - expected).abs() < 1e-3, "K = {classes}, D = {dimensions}: {nearest}");
            }
        }
    }
    let (first, second) = (uniform_targets(9, 4, 1)?, uniform_targets(9, 4, 1)?);
    assert_eq!(values(&first)?, values(&second)?);
    assert_ne!(values(&first)?, values(&uniform_targets(9, 4, 2)?)?);
    Ok(())
}

#[test]
fn assignments_match_an_exhaustive_search() -> Result<()> {
    /// Largest sum of cosines of the rows from `class` on with the targets not yet taken.
    fn best(cosines: &[Vec<f64>], class: usize, taken: &mut Vec<usize>) -> f64 {
        if class == cosines.len() {
            return 0.0;
        }
        let mut largest = f64::MIN;
        for target in 0..cosines.len() {
            if !taken.contains(&target) {
                taken.push(target);
                largest = largest.max(cosines[class][target] + best(cosines, class + 1, taken));
                taken.pop();
            }
        }
        largest
    }
    let unit = |x: &Tensor| x.broadcast_div(&x.sqr()?.sum_keepdim(1)?.sqrt()?);
    for seed in 0..20 {
        let (centroids, targets) = (normal(seed, 6, 3)?, normal(seed + 100, 6, 3)?);
        let cosines = unit(&centroids)?.matmul(&unit(&targets)?.t()?)?.to_vec2::<f64>()?;
        let assigned = assign_targets(&centroids, &targets)?;
        let mut sorted = assigned.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2, 3, 4, 5]);
        let sum: f64 = assigned.iter().enumerate().map(|(class, &target)| cosines[class][target]).sum();
        assert!((sum - best(&cosines, 0, &mut Vec::new())).abs() < 1e-8);
    }
    Ok(())
}

#[test]
fn permuted_targets_are_recovered() -> Result<()> {
    let targets = uniform_targets(50, 16, 5)?;
    let order: Vec<u32> = (0..50).map(|class| class * 7 % 50).collect();
    let centroids = (targets.index_select(&Tensor::new(order.as_slice(), CPU)?, 0)? * 3.0)?;
    let expected: Vec<usize> = order.iter().map(|&target| target as usize).collect();
    assert_eq!(assign_targets(&centroids, &targets)?, expected);
    Ok(())
}

#[test]
fn contrastive_loss_without_similarity_is_the_log_of_the_count() -> Result<()> {
    let z = Tensor::zeros((6, 2), DType::F64, CPU)?;
    let labels = Tensor::new(&[0u32, 0, 1, 1, 2, 2], CPU)?;
    let loss = supervised_contrastive_each(&z, &labels, 1.0)?.mean()?;
    assert!((scalar(&loss)? - 5f64.ln()).abs() < 1e-12);
    // Three classes of equal weight.
    let loss =
        balanced_contrastive_each(&z, &labels, &Tensor::zeros((3, 2), DType::F64, CPU)?, 1.0)?.mean()?;
    assert!((scalar(&loss)? - 3f64.ln()).abs() < 1e-12);
    Ok(())
}
