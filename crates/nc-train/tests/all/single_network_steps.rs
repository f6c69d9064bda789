//! Steps of VS loss with SAM, ADRW, and DBM with uniformity and averaged weights against PyTorch in double precision:
//! `golden/single_network_steps.safetensors`, written by `golden/single_network_steps.py`. The phases are those of the presets:
//! nothing of a recipe is repeated here but the learning rate. Weights and images follow from a formula.

use candle_core::{Device, Tensor};
use nc_data::{Batch, View};
use nc_models::{Model, Network, ParamStore, ResNet, ResNetConfig};
use nc_train::{Learner, Phase, presets};

use crate::golden::{assert_close, initial, load, names_after, noise, var};

const COUNTS: [usize; 10] = [60, 40, 30, 20, 16, 10, 8, 6, 4, 2];
/// Of losses and the classifier. Gradients of early layers change where a ReLU switches by rounding; PyTorch's own single
/// precision differs by up to 9e-4 there.
const BOUND: f64 = 1e-4;
const BOUND_OF_BACKBONE: f64 = 2e-3;

fn batch() -> Batch {
    let images = noise(1000, &[16, 3, 32, 32], |x| x);
    let labels = (0..16).map(|i| i * 7 % 10).collect();
    Batch { views: vec![View { images, labels, positions: (0..16).collect(), mix: None }] }
}

/// A ResNet-20 with the head of the preset, before the first step of its last phase.
fn learner(preset: &str, change: impl FnOnce(&mut Phase)) -> Learner {
    let mut experiment = presets::find(&format!("cifar10-lt-r100/{preset}")).unwrap();
    let params = ParamStore::new(0, &Device::Cpu);
    let config = ResNetConfig::cifar(20, 3, 1).unwrap();
    let resnet = ResNet::new(config, &params.builder()).unwrap();
    let model = Model::new(params, resnet, &experiment.model.head, 10).unwrap();
    for (stream, (name, var)) in model.params().vars().iter().enumerate() {
        var.set(&initial(stream, name, var.dims())).unwrap();
    }
    let phase = experiment.phases.last_mut().unwrap();
    change(phase);
    let mut learner = Learner::new(Box::new(model), &COUNTS);
    learner.begin_phase(phase).unwrap();
    learner.begin_epoch(0, 0, &|_, _| unreachable!("no centres")).unwrap();
    learner
}

#[test]
fn three_steps_match_pytorch() {
    let golden = load("single_network_steps.safetensors");
    for (method, averages) in [("vs-sam", false), ("vs-sam-adrw", false), ("dbm-bs-400+uniformity", true)] {
        let mut learner = learner(method, |_| ());
        for step in 0..3 {
            let loss = learner.step(&batch(), 0.01).unwrap().losses.total;
            let loss = Tensor::new(&[loss], &Device::Cpu).unwrap();
            assert_close(&golden, &format!("{method}.step{step}.loss"), &loss, BOUND);
        }
        let hold = |key: &str, network: &dyn Network| {
            let vars = network.params().vars();
            for name in names_after(&golden, &format!("{method}.{key}.")) {
                let bound = if name.starts_with("linear") { BOUND } else { BOUND_OF_BACKBONE };
                assert_close(&golden, &format!("{method}.{key}.{name}"), &var(&vars, &name), bound);
            }
            Ok(())
        };
        hold("after", learner.network().unwrap()).unwrap();
        let average = learner.with_average(|network| hold("average", network)).unwrap();
        assert_eq!(average.is_some(), averages, "{method}");
        // The average has not replaced the weights.
        hold("after", learner.network().unwrap()).unwrap();
    }
}

/// Otherwise the test above would pass without them.
#[test]
fn perturbation_weights_and_average_exceed_the_bound() {
    let after = |preset: &str, change: fn(&mut Phase)| {
        let mut learner = learner(preset, change);
        for _ in 0..3 {
            learner.step(&batch(), 0.01).unwrap();
        }
        let weight = |network: &dyn Network| Ok(var(&network.params().vars(), "linear.weight").copy()?);
        let average = learner.with_average(weight).unwrap();
        average.unwrap_or_else(|| weight(learner.network().unwrap()).unwrap())
    };
    let difference = |a: &Tensor, b: &Tensor| {
        let norm = |x: &Tensor| x.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
        f64::from(norm(&(a - b).unwrap()) / norm(a))
    };
    for (preset, change) in [
        ("vs-sam", (|phase| phase.sam_rho = 0.0) as fn(&mut Phase)),
        ("vs-sam", |phase| phase.sam_rho = 0.11),
        ("vs-sam-adrw", |phase| phase.objective.reweighting = nc_train::Reweighting::None),
        ("dbm-bs-400+uniformity", |phase| phase.weight_average = None),
        ("dbm-bs-400+uniformity", |phase| phase.weight_average = Some(0.9)),
        ("dbm-bs+uniformity", |phase| phase.objective.uniformity = None),
    ] {
        let found = difference(&after(preset, |_| ()), &after(preset, change));
        assert!(found > 3.0 * BOUND, "{preset}: {found:.1e}");
    }
}
