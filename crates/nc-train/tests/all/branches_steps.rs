//! Steps of networks with several branches against PyTorch in double precision. The phases are those of the presets: nothing of
//! a recipe is repeated here but the learning rate. Weights and images follow from a formula.
//!
//! `golden/bbn_steps.safetensors`, written by `golden/bbn_steps.py`, holds three steps of BBN in epoch 101 of 200, and
//! `golden/experts_steps.safetensors`, by `golden/experts_steps.py`, two steps of RIDE in epoch 161, with and without L_W + L_B,
//! and of SADE.

use candle_core::{Device, Tensor};
use nc_data::{Batch, View};
use nc_models::{Bilateral, Experts, ExpertsConfig, HeadConfig, Network, ParamStore, ResNetConfig};
use nc_train::{Learner, presets};

use crate::golden::{assert_close, initial, load, names_after, noise, var};

fn resnet20() -> ResNetConfig {
    ResNetConfig::cifar(20, 3, 1).unwrap()
}

fn view(stream: usize, factor: u32) -> View {
    View {
        images: noise(stream, &[16, 3, 32, 32], |x| x),
        labels: (0..16).map(|i| i * factor % 10).collect(),
        positions: (0..16).collect(),
        mix: None,
    }
}

/// Sets all variables by the formula.
fn initialize(network: &dyn Network) {
    for (stream, (name, var)) in network.params().vars().iter().enumerate() {
        var.set(&initial(stream, name, var.dims())).unwrap();
    }
}

#[test]
fn three_steps_of_bbn_match_pytorch() {
    let golden = load("bbn_steps.safetensors");
    let network = Bilateral::new(ParamStore::new(0, &Device::Cpu), resnet20(), 10).unwrap();
    initialize(&network);
    let vars = network.params().vars();
    let batch = Batch { views: vec![view(1000, 7), view(1001, 3)] };
    let phase = &presets::find("cifar10-lt-r100/bbn").unwrap().phases[0];
    let mut learner = Learner::new(Box::new(network), &[16; 10]);
    learner.begin_phase(phase).unwrap();
    learner.begin_epoch(100, 0, &|_, _| unreachable!("no centres")).unwrap();
    for step in 0..3 {
        let loss = learner.step(&batch, 0.01).unwrap().losses.total;
        let loss = Tensor::new(&[loss], &Device::Cpu).unwrap();
        assert_close(&golden, &format!("out.step{step}.loss"), &loss, 1e-4);
    }
    for name in names_after(&golden, "out.after3.").filter(|name| name != "eval_logits") {
        assert_close(&golden, &format!("out.after3.{name}"), &var(&vars, &name), 5e-3);
    }
    let logits = learner.network().unwrap().infer(&batch.views[0].images).unwrap().logits.unwrap();
    assert_close(&golden, "out.after3.eval_logits", &logits, 1e-2);
}

#[test]
fn two_steps_of_experts_match_pytorch() {
    let golden = load("experts_steps.safetensors");
    for (method, epoch) in [("ride-3", 160), ("ride-3+nc", 160), ("sade", 0)] {
        let resnet = resnet20();
        let head = HeadConfig::Cosine { scale: 30.0 };
        let config = ExpertsConfig { resnet, experts: 3, reduce_dimension: true, head };
        let network = Experts::new(ParamStore::new(0, &Device::Cpu), &config, 10).unwrap();
        initialize(&network);
        let vars = network.params().vars();
        let phase = &presets::find(&format!("cifar100-lt-r100/{method}")).unwrap().phases[0];
        let mut learner = Learner::new(Box::new(network), &[60, 40, 30, 20, 16, 10, 8, 6, 4, 2]);
        learner.begin_phase(phase).unwrap();
        let centers =
            |_: &dyn Network, _| Ok((0..3).map(|expert| noise(2000 + expert, &[10, 48], |x| x)).collect());
        learner.begin_epoch(epoch, 0, &centers).unwrap();
        let batch = Batch { views: vec![view(1000, 7)] };
        for step in 0..2 {
            let loss = learner.step(&batch, 0.01).unwrap().losses.total;
            let loss = Tensor::new(&[loss], &Device::Cpu).unwrap();
            assert_close(&golden, &format!("{method}.step{step}.loss"), &loss, 1e-4);
        }
        if method == "ride-3+nc" {
            for name in names_after(&golden, "ride-3+nc.after.") {
                assert_close(&golden, &format!("{method}.after.{name}"), &var(&vars, &name), 5e-3);
            }
        }
        let logits = learner.network().unwrap().infer(&batch.views[0].images).unwrap().logits.unwrap();
        assert_close(&golden, &format!("{method}.eval_logits"), &logits, 1e-2);
    }
}
