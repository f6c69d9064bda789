//! Effects of second phases and post-hoc adjustments on the weights.

use std::{collections::BTreeMap, path::Path};

use candle_core::{D, Tensor};
use nc_record::{Event, Features, RunDir};
use nc_train::{
    Error, Experiment, Finished, FrozenBatchNorm, Geometry, RunOptions, TauNormalization, Trained,
    Validation, ValidationMeasure,
};
use safetensors::SafeTensors;

use crate::support::{experiment, train, validated};

fn run(experiment: &Experiment, out: &Path) -> Finished {
    let options = RunOptions { out: out.to_owned(), ..RunOptions::default() };
    train(experiment, &options, &mut ()).unwrap()
}

fn weights(run: &Finished) -> BTreeMap<String, Vec<f32>> {
    let bytes = std::fs::read(run.directory.join(RunDir::WEIGHTS)).unwrap();
    let values = |data: &[u8]| data.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.tensors().iter().map(|(name, view)| (name.clone(), values(view.data()))).collect()
}

/// The names of the parameters that differ.
fn changed(a: &Finished, b: &Finished) -> Vec<String> {
    let (a, b) = (weights(a), weights(b));
    assert_eq!(a.len(), b.len());
    a.iter().filter(|(name, values)| b[*name] != **values).map(|(name, _)| name.clone()).collect()
}

fn norms(run: &Finished) -> Vec<f32> {
    weights(run)["linear.weight"]
        .chunks(64)
        .map(|row| row.iter().map(|w| w * w).sum::<f32>().sqrt())
        .collect()
}

/// Events without wall times.
fn events(run: &Finished) -> Vec<Event> {
    let mut events = RunDir::read_events(&run.directory).unwrap();
    for event in &mut events {
        if let Event::EpochFinished { timing, .. }
        | Event::Evaluated { timing, .. }
        | Event::Measured { timing, .. }
        | Event::RunFinished { timing } = event
        {
            *timing = nc_record::Timing::default();
        }
    }
    events
}

#[test]
fn continuing_a_finished_run_of_the_first_phases_is_bit_identical() {
    let (alone, shared) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut longer = experiment("nc-drw-crt");
    longer.data.validation =
        Some(Validation { fraction: 0.3, seed: 0, chosen_by: ValidationMeasure::BalancedAccuracy });
    let mut shorter = longer.clone();
    shorter.name = "another name".into();
    shorter.phases.truncate(1);
    let from_the_start = run(&longer, alone.path());
    let first = run(&shorter, shared.path());
    let continued = run(&longer, shared.path());

    assert_eq!(changed(&from_the_start, &continued), [""; 0]);
    assert_eq!(events(&from_the_start), events(&continued));
    let mut result = continued.result.clone();
    result.timing = from_the_start.result.timing;
    result.finished.clone_from(&from_the_start.result.finished);
    assert_eq!(result, from_the_start.result);
    assert!(continued.result.timing.seconds > first.result.timing.seconds, "the first phase's time counts");
    assert_eq!(changed(&first, &continued), ["linear.bias", "linear.weight"]);

    // Runs with another seed or first phase do not continue it.
    for other in [Experiment { seed: 1, ..longer.clone() }, {
        let mut other = longer.clone();
        *other.phases[0].optimizer.weight_decay_mut() = 0.01;
        other
    }] {
        assert!(changed(&run(&other, shared.path()), &continued).len() > 2);
    }
}

#[test]
fn lws_only_scales_the_logits() {
    let out = tempfile::tempdir().unwrap();
    let first = run(&experiment("ce"), out.path());
    let second = run(&experiment("ce+lws"), out.path());
    assert_eq!(changed(&first, &second), ["linear.bias", "linear.weight"]);
    let (before, after) = (weights(&first), weights(&second));
    let mut factors = vec![];
    for class in 0..10 {
        let factor = after["linear.bias"][class] / before["linear.bias"][class];
        for (w, v) in before["linear.weight"]
            .chunks(64)
            .zip(after["linear.weight"].chunks(64))
            .nth(class)
            .map(|(w, v)| w.iter().zip(v))
            .unwrap()
        {
            assert!((w * factor - v).abs() < 1e-5, "class {class}: {w} {v} {factor}");
        }
        factors.push(factor);
    }
    assert!(factors.iter().any(|factor| (factor - 1.0).abs() > 1e-3), "{factors:?}");
}

#[test]
fn selected_weights_fold_in_logit_factors() {
    let out = tempfile::tempdir().unwrap();
    let mut lws = experiment("ce+lws");
    // A single phase of one epoch, so that the selected weights are the final ones.
    lws.phases.remove(0);
    lws.data.validation =
        Some(Validation { fraction: 0.2, seed: 0, chosen_by: ValidationMeasure::BalancedAccuracy });
    let run = run(&lws, out.path());
    let selected = run.directory.join(RunDir::SELECTED_WEIGHTS);
    let opened = Trained::open(&selected, &RunOptions::default()).unwrap();
    assert_eq!(opened.evaluate().unwrap().accuracy, run.result.accuracy);
    let of_the_end = std::fs::read(run.directory.join(RunDir::WEIGHTS)).unwrap();
    assert!(std::fs::read(selected).unwrap() == of_the_end, "the selected weights differ");
}

#[test]
fn cosine_classifiers_are_measured_with_unit_norms() {
    let out = tempfile::tempdir().unwrap();
    let run = run(&experiment("ldam-drw"), out.path());
    // Norms scaled by powers of two leave a cosine head bit-identical.
    let device = &candle_core::Device::Cpu;
    let mut weights = candle_core::safetensors::load(run.directory.join(RunDir::WEIGHTS), device).unwrap();
    let stretch: Vec<f32> = (0..10).map(|class| f32::from(1u16 << class)).collect();
    let stretch = Tensor::from_vec(stretch, (10, 1), device).unwrap();
    let longer = weights["linear.weight"].broadcast_mul(&stretch).unwrap();
    weights.insert("linear.weight".into(), longer);
    let path = run.directory.join("stretched.safetensors");
    candle_core::safetensors::save(&weights, &path).unwrap();

    let trained = Trained::open(&path, &RunOptions::default()).unwrap();
    let Features { features, labels, weight, classes, dims, bias, .. } = trained.features().unwrap();
    assert_eq!(bias, None);
    let features = Tensor::from_slice(features.as_f32().unwrap(), (labels.len(), dims), device).unwrap();
    let weight = Tensor::from_slice(weight.unwrap().as_f32().unwrap(), (classes, dims), device).unwrap();
    let decisions = |logits: Tensor| logits.argmax(D::Minus1).unwrap().to_vec1::<u32>().unwrap();
    let measured = decisions(features.matmul(&weight.t().unwrap()).unwrap());
    let unit = |rows: &Tensor| {
        let norms = rows.sqr().unwrap().sum_keepdim(D::Minus1).unwrap().sqrt().unwrap();
        rows.broadcast_div(&norms).unwrap()
    };
    let cosines = unit(&features).matmul(&unit(&weights["linear.weight"]).t().unwrap()).unwrap();
    assert_eq!(measured, decisions(cosines));

    let evaluated = trained.evaluate().unwrap();
    assert_eq!(evaluated.accuracy, run.result.accuracy);
    let mismatch = |nc: &Geometry| nc.train.nc4.and_then(|nc4| nc4.mismatch).unwrap();
    assert_eq!(mismatch(&evaluated.nc), mismatch(&run.result.nc));
}

#[test]
fn mislas_changes_the_classifier_and_optionally_running_statistics() {
    let out = tempfile::tempdir().unwrap();
    let first = run(&experiment("ce-mixup"), out.path());
    let second = run(&experiment("mislas"), out.path());
    assert_eq!(changed(&first, &second), ["linear.bias", "linear.weight"]);

    let mut shifting = experiment("mislas");
    shifting.phases[1].trains =
        nc_train::Trains::ScaledClassifier { classifier_rate: 0.0, shift_batch_norm: true };
    *shifting.phases[1].optimizer.weight_decay_mut() = 0.0;
    let shifted = changed(&first, &run(&shifting, out.path()));
    let statistics = |name: &String| name.contains("running_");
    assert!(shifted.iter().any(statistics));
    assert!(shifted.iter().all(|name| statistics(name) || name.starts_with("linear.")), "{shifted:?}");
}

#[test]
fn batch_norm_of_a_frozen_backbone_can_follow_the_images_of_the_phase() {
    let out = tempfile::tempdir().unwrap();
    let first = run(&experiment("ce-mixup"), out.path());
    let [re_estimated, batch] = [FrozenBatchNorm::ReEstimated, FrozenBatchNorm::Batch].map(|batch_norm| {
        let mut crt = experiment("ce-mixup+crt");
        crt.phases[1].batch_norm = batch_norm;
        let second = run(&crt, out.path());
        let changed = changed(&first, &second);
        assert!(changed.iter().any(|name| name.contains("running_")), "{changed:?}");
        assert!(changed.iter().all(|name| name.contains("running_") || name.starts_with("linear.")));
        weights(&second)
    });
    // In a phase of one epoch, both see the same images.
    let name = "bn1.running_mean";
    assert_eq!(re_estimated[name], batch[name]);
    let longer = |batch_norm| {
        let mut longer = experiment("ce-mixup+crt");
        longer.phases[1].batch_norm = batch_norm;
        longer.phases[1].epochs += 1;
        weights(&run(&longer, out.path()))
    };
    assert_eq!(longer(FrozenBatchNorm::ReEstimated)[name], re_estimated[name]);
    assert_ne!(longer(FrozenBatchNorm::Batch)[name], batch[name]);

    for trains in ["mislas", "ce"] {
        let mut refused = experiment(trains);
        let last = refused.phases.last_mut().unwrap();
        last.batch_norm = FrozenBatchNorm::Batch;
        if let nc_train::Trains::ScaledClassifier { shift_batch_norm, .. } = &mut last.trains {
            *shift_batch_norm = true;
        }
        let options = RunOptions { out: out.path().to_owned(), ..RunOptions::default() };
        let error = train(&refused, &options, &mut ()).unwrap_err().to_string();
        assert!(
            error.contains("batch_norm: trains=") && error.contains("already uses the statistics"),
            "{error}"
        );
    }
}

#[test]
fn tau_normalisation_equalises_norms() {
    let out = tempfile::tempdir().unwrap();
    let first = run(&experiment("ce"), out.path());
    let second = run(&experiment("ce+tau-norm"), out.path());
    assert_eq!(changed(&first, &second), ["linear.bias", "linear.weight"]);
    assert!(norms(&second).iter().all(|norm| (norm - 1.0).abs() < 1e-5));
    assert_eq!(weights(&second)["linear.bias"], [0.0; 10]);

    // Chosen by validation, from 0 to 2.
    let mut chosen = experiment("ce+tau-norm");
    chosen.post_hoc = Some(nc_train::PostHoc::TauNormalization(TauNormalization { tau: None }));
    let refused = validated(&chosen).unwrap_err().to_string();
    assert!(
        matches!(validated(&chosen), Err(Error::Setting { setting, .. }) if setting == "post_hoc.tau"),
        "{refused}"
    );
    chosen.data.validation =
        Some(Validation { fraction: 0.2, seed: 0, chosen_by: ValidationMeasure::BalancedAccuracy });
    let plain = run(&Experiment { post_hoc: None, ..chosen.clone() }, out.path());
    let (before, after) = (norms(&plain), norms(&run(&chosen, out.path())));
    let tau = |class: usize| 1.0 - after[class].ln() / before[class].ln();
    let (first, tenths) = (tau(0), (10.0 * tau(0)).round() / 10.0);
    assert!((first - tenths).abs() < 1e-3 && (0.0..=2.0).contains(&tenths), "{first}");
    assert!((1..10).all(|class| (tau(class) - first).abs() < 1e-2));
}

/// Both trained from scratch and continued from a run with a best and a selected epoch.
#[test]
fn adjusted_runs_report_no_best_or_selected_epoch() {
    let (alone, shared) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut adjusted = experiment("ce+tau-norm");
    adjusted.data.validation =
        Some(Validation { fraction: 0.2, seed: 0, chosen_by: ValidationMeasure::BalancedAccuracy });
    let plain = run(&Experiment { post_hoc: None, ..adjusted.clone() }, shared.path());
    assert!(plain.result.best_epoch.is_some() && plain.result.selected_epoch.is_some());
    for out in [alone, shared] {
        let run = run(&adjusted, out.path());
        assert_eq!((run.result.best_epoch, run.result.selected_epoch), (None, None));
        assert!(!run.directory.join(RunDir::SELECTED_WEIGHTS).exists());
    }
}

#[test]
fn nc4_mismatch_of_the_nearest_class_mean_is_zero() {
    let out = tempfile::tempdir().unwrap();
    let first = run(&experiment("ce"), out.path());
    let second = run(&experiment("ce+ncm"), out.path());
    let mismatch = |run: &Finished| run.result.nc.train.nc4.and_then(|nc4| nc4.mismatch).unwrap();
    assert!(mismatch(&first) > 0.0);
    assert_eq!(mismatch(&second), 0.0);
    assert_eq!(second.result.nc.test.nc4.and_then(|nc4| nc4.mismatch), Some(0.0));
}

#[test]
fn post_hoc_adjustment_subtracts_the_log_prior_from_the_biases() {
    let out = tempfile::tempdir().unwrap();
    let first = run(&experiment("ce"), out.path());
    let second = run(&experiment("ce+post-hoc-adjustment"), out.path());
    assert_eq!(changed(&first, &second), ["linear.bias"]);
    let counts = &second.result.data.class_counts;
    let all: usize = counts.iter().sum();
    let (before, after) = (weights(&first), weights(&second));
    for ((before, after), &count) in before["linear.bias"].iter().zip(&after["linear.bias"]).zip(counts) {
        let prior = (count as f64 / all as f64).ln() as f32;
        assert!((before - prior - after).abs() < 1e-5);
    }
}

#[test]
fn a_fixed_etf_is_not_trained_and_its_features_have_unit_norm() {
    let out = tempfile::tempdir().unwrap();
    let run = run(&experiment("etf-dr+nc"), out.path());
    assert!(norms(&run).iter().all(|norm| (norm - 1.0).abs() < 1e-5));
    let frame = weights(&run)["linear.weight"].clone();
    let rows: Vec<&[f32]> = frame.chunks(64).collect();
    for (index, row) in rows.iter().enumerate() {
        for other in &rows[..index] {
            let cosine: f32 = row.iter().zip(*other).map(|(a, b)| a * b).sum();
            assert!((cosine + 1.0 / 9.0).abs() < 1e-5, "{cosine}");
        }
    }
    let options = RunOptions::default();
    let features = Trained::open(&run.directory, &options).unwrap().features().unwrap();
    let sets = [&features.features, &features.test.as_ref().unwrap().features];
    for feature in sets.iter().flat_map(|set| set.as_f32().unwrap().chunks(features.dims)) {
        assert!((feature.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-4);
    }
    let of = |name: &str| weights(&run)[name].clone();
    assert!(of("feature_norm.running_mean").iter().any(|&mean| mean != 0.0));
}
