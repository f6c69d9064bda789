//! Classifier heads.

use candle_core::{D, DType, Device, Tensor, Var};
use nc_models::{Error, HeadConfig, Model, Network, ParamStore};

use crate::support::{images, model, values};

#[test]
fn the_etf_head_is_a_fixed_simplex_etf() {
    for (features, classes) in [(64, 10), (9, 10), (64, 65), (1, 2)] {
        let params = ParamStore::new(3, &Device::Cpu);
        let head = HeadConfig::Etf.build(features, classes, &params.builder()).unwrap();
        let w = head.weight().unwrap().to_dtype(DType::F64).unwrap();
        let gram: Vec<Vec<f64>> = w.matmul(&w.t().unwrap()).unwrap().to_vec2().unwrap();
        for (i, row) in gram.iter().enumerate() {
            for (j, &cosine) in row.iter().enumerate() {
                let expected = if i == j { 1.0 } else { -1.0 / (classes - 1) as f64 };
                assert!(
                    (cosine - expected).abs() < 1e-5,
                    "K={classes} P={features}: {cosine} for {expected}"
                );
            }
        }
        let h = Var::ones((1, features), DType::F32, &Device::Cpu).unwrap();
        let gradients = head.forward(&h).unwrap().sum_all().unwrap().backward().unwrap();
        assert!(gradients.get(&h).is_some());
        assert!(params.vars().iter().all(|(_, var)| gradients.get(var).is_none()));
    }
    let params = ParamStore::new(0, &Device::Cpu);
    let refused = HeadConfig::Etf.build(64, 100, &params.builder());
    assert!(matches!(refused, Err(Error::EtfDimension { classes: 100, features: 64 })));
}

#[test]
fn the_cosine_head_depends_on_directions_only() {
    let params = ParamStore::new(0, &Device::Cpu);
    let head = HeadConfig::Cosine { scale: 30.0 }.build(8, 3, &params.builder()).unwrap();
    let h = images(2, 1, 2).reshape((1, 8)).unwrap();
    let logits = |h: &Tensor| values(&head.forward(h).unwrap());
    for (a, b) in logits(&h).iter().zip(logits(&(h.clone() * 5.0).unwrap())) {
        assert!((a - b).abs() < 1e-4);
        assert!(a.abs() <= 30.0);
    }
    let own = head.weight().unwrap().narrow(0, 1, 1).unwrap();
    assert!((logits(&own)[1] - 30.0).abs() < 1e-4);
    // The weight of the head orders classes like the head itself, whatever the norms of the parameter and the features.
    let (_, raw) = params.vars().into_iter().find(|(name, _)| name == "weight").unwrap();
    let stretched = raw.broadcast_mul(&Tensor::new(&[[9f32], [1.0], [0.1]], &Device::Cpu).unwrap()).unwrap();
    raw.set(&stretched).unwrap();
    let norm = values(&h).iter().map(|x| x * x).sum::<f32>().sqrt();
    let linear = values(&h.matmul(&head.weight().unwrap().t().unwrap()).unwrap());
    for (linear, cosine) in linear.iter().zip(logits(&h)) {
        assert!((linear / norm - cosine).abs() < 1e-3, "{linear} {cosine}");
    }
    // A zero feature gives finite logits.
    assert_eq!(logits(&h.zeros_like().unwrap()), [0.0; 3]);
}

#[test]
fn a_redrawn_classifier_differs_from_the_first() {
    let model = model(20, 1, 0, HeadConfig::Linear, 10);
    let first = values(&model.head().weight().unwrap());
    model.redraw_classifier("classifier").unwrap();
    let weight = model.head().weight().unwrap();
    assert_ne!(first, values(&weight));
    let std =
        weight.sqr().unwrap().mean(D::Minus1).unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
    assert!((std - 0.01).abs() < 0.001);
    assert_eq!(values(&model.head().bias().unwrap().unwrap()), [0.0; 10]);
    let second = values(&weight);
    model.redraw_classifier("another purpose").unwrap();
    assert_ne!(values(&model.head().weight().unwrap()), second);

    let etf = crate::support::model(8, 1, 0, HeadConfig::Etf, 10);
    assert!(matches!(etf.redraw_classifier("classifier"), Err(Error::FixedHead { head: "etf" })));
    let init = candle_nn::Init::Const(0.0);
    assert!(matches!(
        model.params().reinitialize("no.such", init, ""),
        Err(Error::UnknownParameter(name)) if name == "no.such"
    ));
}

#[test]
fn a_learnt_scale_folds_into_the_classifier() {
    let mut model = model(20, 1, 0, HeadConfig::Linear, 3);
    let features = Tensor::arange(0f32, 2.0 * 64.0, &Device::Cpu).unwrap().reshape((2, 64)).unwrap();
    let logits = |model: &Model| values(&model.head().forward(&features).unwrap());
    let (before, parameters) = (logits(&model), model.params().parameter_count());

    model.scale_logits().unwrap();
    assert_eq!(logits(&model), before, "factors start at 1");
    assert_eq!(model.params().parameter_count(), parameters + 3);
    let (_, scale) = model.params().vars().into_iter().find(|(name, _)| name == "linear.scale").unwrap();
    scale.set(&Tensor::new(&[2f32, 0.5, 0.0], &Device::Cpu).unwrap()).unwrap();
    let scaled = logits(&model);
    for (row, before) in scaled.chunks(3).zip(before.chunks(3)) {
        assert_eq!(row, [2.0 * before[0], 0.5 * before[1], 0.0]);
    }

    let saved = model.to_safetensors().unwrap();
    model.fold_scale().unwrap();
    assert_eq!(model.params().parameter_count(), parameters);
    assert_eq!(saved, model.to_safetensors().unwrap(), "files always contain the folded classifier");
    for (folded, scaled) in logits(&model).iter().zip(&scaled) {
        assert!((folded - scaled).abs() <= 1e-5 * scaled.abs(), "{folded} {scaled}");
    }
    // Folding again changes nothing.
    model.fold_scale().unwrap();
    assert_eq!(saved, model.to_safetensors().unwrap());
}

#[test]
fn only_a_linear_classifier_is_scaled_or_replaced() {
    for (kind, name) in [(HeadConfig::Cosine { scale: 30.0 }, "cosine"), (HeadConfig::Etf, "etf")] {
        let mut model = model(20, 1, 0, kind, 3);
        let is_named = |told| matches!(told, Err(Error::NotLinear { head }) if head == name);
        assert!(is_named(model.scale_logits()) && is_named(model.fold_scale()));
    }
}
