//! Optimiser and learning-rate schedule.

use nc_train::{Decay, Schedule, Sgd, SgdConfig, Trainable};

#[test]
fn cosine_falls_from_one_towards_zero() {
    let schedule = Schedule { decay: Decay::Cosine, warmup_epochs: 0 };
    assert_eq!(schedule.factor(0, 10), 1.0);
    assert!((schedule.factor(5, 10) - 0.5).abs() < 1e-12);
    assert!(schedule.factor(9, 10) < 0.03);
}

#[test]
fn sgd_follows_its_formula() {
    use candle_core::{DType, Device, Var};
    for (momentum, nesterov, decay, clip_norm) in [
        (0.0, false, 0.0, None),
        (0.9, false, 0.1, None),
        (0.9, true, 0.1, Some(1.5)),
        (0.5, true, 0.0, Some(1e9)),
    ] {
        let config = SgdConfig { learning_rate: 0.2, momentum, nesterov, weight_decay: decay, clip_norm };
        let mut optimizer = Sgd::new(config);
        let param = |name: &str, var: Var| Trainable { name: name.to_owned(), var, rate: 0.5 };
        let params = [
            param("w", Var::new(2.0f64, &Device::Cpu).unwrap()),
            param("frozen", Var::ones((), DType::F64, &Device::Cpu).unwrap()),
        ];
        // loss = w^2, so the gradient is 2 w.
        let (mut w, mut m) = (2.0f64, None);
        for _ in 0..3 {
            let gradients = params[0].var.sqr().unwrap().backward().unwrap();
            let norm = optimizer.step(&params, &gradients, 0.4).unwrap();
            let gradient = 2.0 * w;
            assert!((norm - gradient.abs()).abs() < 1e-12);
            let g = gradient.clamp(-clip_norm.unwrap_or(f64::MAX), clip_norm.unwrap_or(f64::MAX)) + decay * w;
            let velocity = m.map_or(g, |m: f64| momentum * m + g);
            m = Some(velocity);
            w -= 0.2 * if nesterov { g + momentum * velocity } else { velocity };
        }
        let ours = params[0].var.to_scalar::<f64>().unwrap();
        assert!((ours - w).abs() < 1e-12, "{config:?}: expected {w}, found {ours}");
        assert_eq!(params[1].var.to_scalar::<f64>().unwrap(), 1.0, "a variable without gradient moved");

        // NaN gradients change nothing.
        let gradients = (params[0].var.as_tensor() * f64::NAN).unwrap().backward().unwrap();
        assert!(optimizer.step(&params, &gradients, 0.4).unwrap().is_nan());
        assert_eq!(params[0].var.to_scalar::<f64>().unwrap(), ours);
    }
}
