//! Optimiser and learning-rate schedule.

use candle_core::{DType, Device, Tensor, Var};
use nc_train::{AdamW, AdamWConfig, Decay, OptimizerConfig, Schedule, Settings, Sgd, SgdConfig, Trainable};

#[test]
fn cosine_falls_from_one_towards_zero() {
    let schedule = Schedule { decay: Decay::Cosine, warmup_epochs: 0, warmup_start: 0.0 };
    assert_eq!(schedule.factor(0, 10), 1.0);
    assert!((schedule.factor(5, 10) - 0.5).abs() < 1e-12);
    assert!(schedule.factor(9, 10) < 0.03);
}

#[test]
fn sgd_follows_its_formula() {
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

/// `golden/adamw_steps.safetensors`, written by `golden/adamw_steps.py`: six steps with learning-rate factors, weight
/// decay and clipping, and a parameter that has a gradient in every second step.
#[test]
fn adamw_matches_pytorch() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/adamw_steps.safetensors");
    let golden = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
    let config = AdamWConfig {
        learning_rate: 0.05,
        beta1: 0.8,
        beta2: 0.95,
        epsilon: 1e-3,
        weight_decay: 0.1,
        clip_norm: Some(2.0),
    };
    let mut optimizer = AdamW::new(config);
    let names = [("a", 1.0), ("b", 0.1), ("c", 2.0)];
    let params = names.map(|(name, rate)| Trainable {
        name: name.to_owned(),
        var: Var::from_tensor(&golden[&format!("in.{name}")]).unwrap(),
        rate,
    });
    let [a, b, c] = params.each_ref().map(|param| param.var.as_tensor());
    let norms = golden["out.norms"].to_vec1::<f64>().unwrap();
    let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    for (step, norm) in norms.iter().enumerate() {
        let mut predicted = golden["in.x"].matmul(a).unwrap().broadcast_add(b).unwrap();
        if step % 2 == 0 {
            predicted = predicted.broadcast_mul(c).unwrap();
        }
        let loss = (predicted - &golden["in.y"]).unwrap().sqr().unwrap().mean_all().unwrap();
        let found = optimizer.step(&params, &loss.backward().unwrap(), 0.05 / (step + 1) as f64).unwrap();
        assert!((found - norm).abs() < 1e-12, "norm of step {step}: {found}, expected {norm}");
        for Trainable { name, var, .. } in &params {
            let expected = values(&golden[&format!("out.{step}.{name}")]);
            for (found, expected) in values(var).iter().zip(expected) {
                assert!((found - expected).abs() < 1e-12, "{name} after step {step}: {found}, {expected}");
            }
        }
    }
}

#[test]
fn adamw_ignores_non_finite_gradients() {
    let var = Var::new(2.0f64, &Device::Cpu).unwrap();
    let params = [Trainable { name: "w".to_owned(), var, rate: 1.0 }];
    let mut optimizer = AdamW::new(AdamWConfig::new(0.1));
    let gradients = (params[0].var.as_tensor() * f64::NAN).unwrap().backward().unwrap();
    assert!(optimizer.step(&params, &gradients, 0.1).unwrap().is_nan());
    assert_eq!(params[0].var.to_scalar::<f64>().unwrap(), 2.0);
    // The first step of AdamW has the size of the learning rate, so the failed one left no trace.
    let gradients = params[0].var.sqr().unwrap().backward().unwrap();
    optimizer.step(&params, &gradients, 0.1).unwrap();
    let expected = 2.0 * (1.0 - 0.1 * 0.01) - 0.1;
    assert!((params[0].var.to_scalar::<f64>().unwrap() - expected).abs() < 1e-8);
}

const OPTIMIZER: &str = "phases.representation.optimizer";

/// The optimiser of the first phase of the default preset after these settings, or the error.
fn with(settings: &[&str]) -> Result<OptimizerConfig, String> {
    let overrides: Vec<String> = settings.iter().map(|setting| format!("{OPTIMIZER}{setting}")).collect();
    let resolved = Settings { overrides: &overrides, ..Settings::default() }.resolve();
    resolved.map(|experiment| experiment.phases[0].optimizer).map_err(|error| error.to_string())
}

#[test]
fn the_optimizer_can_be_replaced_key_by_key_or_as_a_whole() {
    let adamw = OptimizerConfig::AdamW(AdamWConfig::new(1e-3));
    assert_eq!(with(&["={kind=\"adamw\", learning_rate=1e-3}"]).unwrap(), adamw);
    assert_eq!(with(&[".kind=adamw", ".learning_rate=1e-3"]).unwrap(), adamw);
    assert_eq!(with(&[".learning_rate=1e-3", ".kind=adamw"]).unwrap(), adamw, "in any order");
    let expected = AdamWConfig { beta2: 0.99, weight_decay: 0.05, ..AdamWConfig::new(1e-3) };
    let settings = [".kind=adamw", ".learning_rate=1e-3", ".beta2=0.99", ".weight_decay=0.05"];
    assert_eq!(with(&settings).unwrap(), OptimizerConfig::AdamW(expected));
    // The same kind keeps the other keys.
    assert_eq!(with(&[".kind=sgd"]).unwrap(), with(&[]).unwrap());

    let refused = |settings: &[&str]| with(settings).unwrap_err();
    let missing = refused(&[".kind=adamw"]);
    assert!(missing.starts_with(&format!("{OPTIMIZER}.learning_rate: missing")), "{missing}");
    let momentum = refused(&[".kind=adamw", ".learning_rate=1e-3", ".momentum=0.9"]);
    assert!(
        momentum.starts_with(&format!("{OPTIMIZER}.momentum: a key of kind \"sgd\", but kind is \"adamw\"")),
        "{momentum}"
    );
    let beta = refused(&[".beta1=0.8"]);
    assert!(beta.contains("a key of kind \"adamw\", but kind is \"sgd\""), "{beta}");
    let unknown = refused(&[".kind=adam"]);
    assert!(unknown.contains("did you mean \"adamw\""), "{unknown}");
}

#[test]
fn sgd_is_written_without_a_kind_and_adamw_with_it() {
    let sgd = Settings::default().resolve().unwrap();
    let text = sgd.to_toml().unwrap();
    assert!(text.contains("[phases.optimizer]\nlearning_rate = 0.1\n"), "{text}");
    let adamw = Settings {
        overrides: &[format!("{OPTIMIZER}={{kind=\"adamw\", learning_rate=0.001}}")],
        ..Settings::default()
    };
    let adamw = adamw.resolve().unwrap();
    let text = adamw.to_toml().unwrap();
    assert!(text.contains("[phases.optimizer]\nkind = \"adamw\"\nlearning_rate = 0.001\n"), "{text}");
    let read: nc_train::Experiment = toml::from_str(&text).unwrap();
    assert_eq!(read, adamw.into_inner());
}
