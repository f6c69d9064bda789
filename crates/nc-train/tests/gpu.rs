//! Training on an emulated GPU. A process of its own, because the GPU is the process's.

use std::{collections::BTreeMap, path::Path};

use candle_core::{Device, Tensor, Var};
use nc_cuda::{Emulator, Order};
use nc_data::{Batch, View};
use nc_kernels::gpu;
use nc_models::{
    Bilateral, Block, Experts, ExpertsConfig, HeadConfig, Model, Network, ParamStore, Precision, ResNet,
    ResNetConfig,
};
use nc_record::Event;
use nc_train::{AdamWConfig, Finished, Learner, Observer, OptimizerConfig, RunOptions, Settings, presets};

fn resnet8() -> ResNetConfig {
    ResNetConfig::cifar(8, 3, 1).unwrap()
}
const COUNTS: [usize; 4] = [40, 20, 10, 6];
const IMAGES: usize = 12;

/// Reproducible values around 0.
fn noise(stream: usize, count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 7919 + stream * 104_729) % 1009) as f32 / 504.5 - 1.0).collect()
}

fn view(stream: usize) -> View {
    let images = noise(stream, IMAGES * 3 * 8 * 8);
    View {
        images: Tensor::from_vec(images, (IMAGES, 3, 8, 8), &Device::Cpu).unwrap(),
        labels: (0..IMAGES as u32).map(|i| i * (stream as u32 + 1) % 4).collect(),
        positions: (0..IMAGES as u32).collect(),
        mix: None,
    }
}

fn network(method: &str) -> Box<dyn Network> {
    let params = ParamStore::new(3, &Device::Cpu);
    match method {
        "bbn" => Box::new(Bilateral::new(params, resnet8(), 4).unwrap()),
        "ride-3" => {
            let head = HeadConfig::Cosine { scale: 30.0 };
            let config = ExpertsConfig { resnet: resnet8(), experts: 3, reduce_dimension: true, head };
            Box::new(Experts::new(params, &config, 4).unwrap())
        }
        _ => {
            let resnet = match method.split_once(", ") {
                Some((_, "wide")) => ResNetConfig::cifar(8, 3, 2).unwrap(),
                // Projected shortcuts, and a stem of 7x7 with max pooling.
                Some((_, "bottlenecks")) => {
                    let block = Block::Bottleneck { groups: 1, width_per_group: 64 };
                    ResNetConfig { block, channels: 64, blocks: [1, 1, 0, 0], ..ResNetConfig::resnet18(3) }
                }
                _ => resnet8(),
            };
            let resnet = ResNet::new(resnet, &params.builder()).unwrap();
            Box::new(Model::new(params, resnet, &HeadConfig::Linear, 4).unwrap())
        }
    }
}

/// Losses of steps, and tensors by name.
type Trained = (Vec<f64>, Vec<(String, Vec<f32>)>);

/// Losses of two steps, the parameters and averages afterwards, and the logits in evaluation.
fn train(method: &str, precision: Precision) -> Trained {
    train_and_read(method, precision, false)
}

/// [`train`], with the parameters read between the steps if `reads`.
fn train_and_read(method: &str, precision: Precision, reads: bool) -> Trained {
    let mut learner = Learner::new(network(method), &COUNTS).in_precision(precision);
    let (preset, variant) = method.split_once(", ").unwrap_or((method, ""));
    let mut phase = presets::find(&format!("cifar10-lt-r100/{preset}")).unwrap().phases.swap_remove(0);
    if variant == "adamw" {
        phase.optimizer = OptimizerConfig::AdamW(AdamWConfig {
            learning_rate: 0.02,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-3,
            weight_decay: 0.1,
            clip_norm: Some(0.5),
        });
    }
    learner.begin_phase(&phase).unwrap();
    learner.begin_epoch(0, 0, &|_, _| unreachable!("no centres")).unwrap();
    let views = if method == "bbn" { vec![view(1), view(2)] } else { vec![view(1)] };
    let batch = Batch { views };
    let mut step = || {
        let loss = learner.step(&batch, 0.02).unwrap().losses.total;
        if reads {
            learner.network().unwrap();
        }
        loss
    };
    let losses = (0..2).map(|_| step()).collect();
    let values =
        |name: &str, var: &Var| (name.to_owned(), var.flatten_all().unwrap().to_vec1::<f32>().unwrap());
    let of = |network: &dyn Network| {
        network.params().vars().iter().map(|(name, var)| values(name, var)).collect::<Vec<_>>()
    };
    let mut parameters = of(learner.network().unwrap());
    let averages = learner.with_average(|network| Ok(of(network))).unwrap();
    parameters.extend(averages.into_iter().flatten());
    let logits = learner.network().unwrap().infer(&view(5).images).unwrap().logits.unwrap();
    parameters.push(("logits".into(), logits.flatten_all().unwrap().to_vec1().unwrap()));
    (losses, parameters)
}

fn relative_error(found: &[f32], expected: &[f32]) -> f64 {
    let norm =
        |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt();
    norm(&mut found.iter().zip(expected).map(|(a, b)| a - b)) / norm(&mut expected.iter().copied()).max(1e-6)
}

/// Methods, some with another optimiser or network.
const METHODS: [&str; 6] =
    ["ce+sam+weight-average", "bbn", "ride-3", "ce+weight-average, adamw", "ce, wide", "ce, bottlenecks"];

/// Methods with several views, a projection head, and a queue of keys of a second encoder.
const CONTRASTIVE: [(&str, &[&str]); 2] = [
    ("class-mean-contrast", &[]),
    ("kcl-queue", &["phases.representation.objective.contrast.queue.size=32"]),
];

/// Photographs of 8 x 8 pixels in two classes.
fn write_images(directory: &Path) {
    for (class, count) in [("bright", 14), ("dark", 8)] {
        for (part, count) in [("train", count), ("test", 3)] {
            let directory = directory.join(part).join(class);
            std::fs::create_dir_all(&directory).unwrap();
            for index in 0..count {
                let light = if class == "bright" { 160.0 } else { 60.0 };
                let pixels =
                    noise(index + part.len() * 50, 8 * 8 * 3).into_iter().map(|v| (light + 50.0 * v) as u8);
                let file = b"P6 8 8 255\n".iter().copied().chain(pixels).collect::<Vec<u8>>();
                std::fs::write(directory.join(format!("{index}.ppm")), file).unwrap();
            }
        }
    }
}

struct Silent;

impl Observer for Silent {
    fn event(&mut self, _: &Event) {}
}

/// A run on the images.
fn run(directory: &Path, precision: &str, out: &str) -> nc_train::Result<Finished> {
    run_method(directory, "nc-drw", &[&format!("model.precision={precision}")], out)
}

fn run_method(directory: &Path, method: &str, more: &[&str], out: &str) -> nc_train::Result<Finished> {
    let overrides =
        ["data.image_size=[8, 8]", "model.backbone=resnet8"].into_iter().chain(more.iter().copied());
    let overrides: Vec<String> = overrides.map(str::to_owned).collect();
    let preset = format!("image-folder/{method}");
    let settings = Settings {
        preset: Some(&preset),
        config: None,
        overrides: &overrides,
        epochs: Some(2),
        seed: None,
        images: None,
    };
    let options = RunOptions {
        data_dir: Some(directory.to_owned()),
        out: directory.join(out),
        ..RunOptions::default()
    };
    nc_train::train(&settings.resolve()?, &options, &mut Silent)
}

/// Steps copy images, features and their gradients, statistics, and what the updates need, but no parameters. From the
/// second on they allocate nothing, and from the third on they launch the same kernels with the same arguments, which
/// becomes a CUDA graph.
fn parameters_stay_there(emulator: &Emulator) {
    for method in ["ce", METHODS[0]] {
        let mut learner = Learner::new(network(method), &COUNTS);
        learner.begin_phase(&presets::find(&format!("cifar10-lt-r100/{method}")).unwrap().phases[0]).unwrap();
        learner.begin_epoch(0, 0, &|_, _| unreachable!("no centres")).unwrap();
        let parameters = learner.network().unwrap().params().parameter_count();
        let batch = Batch { views: vec![view(1)] };
        let mut step = || {
            let before = (emulator.copies(), emulator.copied_bytes(), emulator.allocations());
            learner.step(&batch, 0.02).unwrap();
            let ((uploads, downloads), bytes, allocations) = before;
            let (after, bytes) = (emulator.copies(), emulator.copied_bytes() - bytes);
            let copies = [after.0 - uploads, after.1 - downloads];
            (copies, bytes, emulator.allocations() - allocations, emulator.take_launches())
        };
        step();
        let (copies, bytes, allocations, _) = step();
        assert_eq!(allocations, 0, "{method}");
        // The update waits for the next step.
        let launches = step().3;
        let names: Vec<_> = launches.iter().map(|launched| launched.kernel).collect();
        assert!(step().3 == launches, "{method}: {names:?}");
        let updates: &[&str] = if method == "ce" { &["sgd"] } else { &["sgd", "moved", "average"] };
        for kernel in updates.iter().chain(&["block_squares", "parameter_squares"]) {
            assert!(names.contains(kernel), "{method}: {kernel} among {names:?}");
        }
        if method == "ce" {
            // Images, gradients of features, factors of the update; features with statistics, squared norms.
            assert_eq!(copies, [3, 2]);
            let images = IMAGES * 3 * 8 * 8 * 4;
            assert!(
                bytes < images + parameters,
                "{bytes} bytes of a step, {parameters} parameters of 4 bytes"
            );
        }
    }
}

#[test]
fn training_on_a_gpu_matches_the_cpu() {
    let directory = tempfile::tempdir().unwrap();
    write_images(directory.path());
    let refused = run(directory.path(), "tf32", "refused").unwrap_err().to_string();
    assert!(refused.contains("model.precision") && refused.contains("--device cuda"), "{refused}");
    let on_cpu = METHODS.map(|method| train(method, Precision::F32));
    let cpu_run = run(directory.path(), "f32", "cpu").unwrap();
    let cpu_run_in_bf16 = run(directory.path(), "bf16", "cpu").unwrap();
    let contrastive = |place: &str| {
        CONTRASTIVE.map(|(method, settings)| {
            let run = run_method(directory.path(), method, settings, place).unwrap();
            let weights = run.directory.join("weights.safetensors");
            candle_core::safetensors::load(weights, &Device::Cpu)
                .unwrap()
                .into_iter()
                .collect::<BTreeMap<_, _>>()
        })
    };
    let contrastive_on_cpu = contrastive("cpu");

    let emulator = Emulator::new(Order::Ascending);
    gpu::start(emulator.device()).unwrap();
    parameters_stay_there(&emulator);
    for (method, (losses, parameters)) in METHODS.into_iter().zip(on_cpu) {
        let (found_losses, found) = train(method, Precision::F32);
        for (found, expected) in found_losses.iter().zip(&losses) {
            assert!(
                (found - expected).abs() <= 1e-4 * expected.abs(),
                "{method}: loss {found}, expected {expected}"
            );
        }
        assert_eq!(found.len(), parameters.len());
        for ((name, found), (_, expected)) in found.iter().zip(&parameters) {
            let error = relative_error(found, expected);
            assert!(error <= 5e-3, "{method}: {name} differs by {error:.1e}");
        }
        if method.contains("average") {
            let read = train_and_read(method, Precision::F32, true);
            assert_eq!(read, (found_losses, found), "{method}: parameters read between steps");
        }
        if method == METHODS[0] {
            let (in_bf16, _) = train(method, Precision::Bf16);
            let error = (in_bf16[0] / losses[0] - 1.0).abs();
            assert!(error > 0.0 && error < 2e-2, "loss {} in bf16, expected {}", in_bf16[0], losses[0]);
        }
    }
    for ((method, _), (expected, found)) in
        CONTRASTIVE.iter().zip(contrastive_on_cpu.iter().zip(&contrastive("gpu")))
    {
        assert_eq!(found.len(), expected.len());
        for (name, expected) in expected {
            let [expected, found] = [expected, &found[name]]
                .map(|tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap());
            let error = relative_error(&found, &expected);
            assert!(error <= 5e-3, "{method}: {name} differs by {error:.1e}");
        }
    }
    assert_eq!(gpu::take_unsupported_layers(), []);

    let f32_run = run(directory.path(), "f32", "gpu").unwrap();
    assert_eq!(f32_run.result.run_hash, cpu_run.result.run_hash, "the device is not part of the hash");
    let bf16_run = run(directory.path(), "bf16", "gpu").unwrap();
    assert_ne!(bf16_run.result.run_hash, cpu_run.result.run_hash);
    assert_eq!(bf16_run.result.run_hash, cpu_run_in_bf16.result.run_hash);
    assert_eq!(bf16_run.result.network.unwrap().precision, "bf16");
    assert_eq!(f32_run.result.network.unwrap().precision, "f32");
}
