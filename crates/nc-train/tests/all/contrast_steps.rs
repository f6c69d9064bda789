//! Steps of contrastive methods against PyTorch in double precision: `golden/contrast_steps.safetensors`, written by
//! `golden/contrast_steps.py`. The phases are those of the presets: nothing of a recipe is repeated here but the learning rate.
//! Weights and images follow from a formula.

use candle_core::{Device, Tensor};
use nc_data::{Batch, View};
use nc_models::{Model, Network, ParamStore, ResNet, ResNetConfig};
use nc_train::{Learner, Phase, presets};

use crate::golden::{assert_close, initial, load, names_after, noise, var};

const COUNTS: [usize; 10] = [60, 40, 30, 20, 16, 10, 8, 6, 4, 2];

/// Views of different noise.
fn batch(views: usize) -> Batch {
    let view = |number| View {
        images: noise(1000 + number, &[16, 3, 32, 32], |x| x),
        labels: (0..16).map(|i| i * 7 % 10).collect(),
        positions: (0..16).collect(),
        mix: None,
    };
    Batch { views: (0..views).map(view).collect() }
}

/// A ResNet-20 with head and projection of the preset, and its first phase.
fn network_of(preset: &str) -> (Model, Phase) {
    let experiment = presets::find(&format!("cifar10-lt-r100/{preset}")).unwrap();
    let params = ParamStore::new(0, &Device::Cpu);
    let config = ResNetConfig::cifar(20, 3, 1).unwrap();
    let resnet = ResNet::new(config, &params.builder()).unwrap();
    let model = Model::new(params, resnet, &experiment.model.head, 10).unwrap();
    let model = model.with_projection(experiment.model.projection.unwrap()).unwrap();
    for (stream, (name, var)) in model.params().vars().iter().enumerate() {
        var.set(&initial(stream, name, var.dims())).unwrap();
    }
    (model, experiment.phases[0].clone())
}

#[test]
fn two_steps_match_pytorch() {
    let golden = load("contrast_steps.safetensors");
    for (method, epoch) in [
        ("kcl", 0),
        ("tsc", 500),
        ("fcl", 0),
        ("bcl", 0),
        ("proco", 0),
        ("class-mean-contrast", 0),
        ("la-three-views", 0),
        ("la-first-of-three-views+nc-embeddings", 0),
    ] {
        let (model, phase) = network_of(method);
        let vars = model.params().vars();
        let batch = batch(phase.views.len());
        let mut learner = Learner::new(Box::new(model), &COUNTS);
        learner.begin_phase(&phase).unwrap();
        let centers = |_: &dyn Network, _| Ok(vec![noise(2000, &[10, 128], |x| x)]);
        learner.begin_epoch(epoch, 0, &centers).unwrap();
        for step in 0..2 {
            let loss = learner.step(&batch, 0.01).unwrap().losses.total;
            if method == "fcl" && step == 0 {
                // Nothing but the own key to compare with.
                assert_eq!(loss, 0.0);
                continue;
            }
            let loss = Tensor::new(&[loss], &Device::Cpu).unwrap();
            assert_close(&golden, &format!("{method}.step{step}.loss"), &loss, 1e-4);
        }
        for name in names_after(&golden, &format!("{method}.after.")) {
            assert_close(&golden, &format!("{method}.after.{name}"), &var(&vars, &name), 5e-3);
        }
    }
}
