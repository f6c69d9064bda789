//! Times a train step and an evaluation of ResNet-32 (or ResNet-20 on 1x28x28) out of this crate's layers.
//!
//! `cargo run --release -p nc-kernels --example resnet_step -- [cifar|fashion] [BATCH] [THREADS] [ROUNDS]`
#![allow(clippy::print_stdout)] // the program's purpose

use std::time::Instant;

use candle_core::{D, DType, Device, Result, Tensor, Var};
use nc_kernels::{ConvNorm, ConvShape, FeatureMap, Mode, Shortcut};

struct Layer {
    shape: ConvShape,
    weight: Var,
    gamma: Var,
    beta: Var,
    running_mean: Var,
    running_var: Var,
}

impl Layer {
    fn new(in_channels: usize, out_channels: usize, stride: usize) -> Result<Self> {
        let shape = ConvShape { in_channels, out_channels, kernel: 3, stride, padding: 1, groups: 1 };
        let deviation = (2.0 / (9 * in_channels) as f64).sqrt() as f32;
        let device = Device::Cpu;
        Ok(Self {
            shape,
            weight: Var::from_tensor(&Tensor::randn(
                0f32,
                deviation,
                (out_channels, in_channels, 3, 3),
                &device,
            )?)?,
            gamma: Var::ones(out_channels, DType::F32, &device)?,
            beta: Var::zeros(out_channels, DType::F32, &device)?,
            running_mean: Var::zeros(out_channels, DType::F32, &device)?,
            running_var: Var::ones(out_channels, DType::F32, &device)?,
        })
    }

    fn forward(&self, x: &FeatureMap, shortcut: Shortcut<'_>, mode: Mode) -> Result<FeatureMap> {
        let parameter = |var: &Var| match mode {
            Mode::Train => var.as_tensor().clone(),
            Mode::Eval => var.as_detached_tensor(),
        };
        let layer = ConvNorm {
            shape: self.shape,
            weight: &parameter(&self.weight),
            gamma: &parameter(&self.gamma),
            beta: &parameter(&self.beta),
            running_mean: &self.running_mean,
            running_var: &self.running_var,
            eps: 1e-5,
            momentum: 0.1,
        };
        layer.forward(x, shortcut, true, mode)
    }
}

struct Network {
    stem: Layer,
    blocks: Vec<(Layer, Layer)>,
    weight: Var,
    bias: Var,
}

impl Network {
    fn new(channels: usize, blocks_per_stage: usize) -> Result<Self> {
        let mut blocks = Vec::new();
        let mut width = 16;
        for out in [16, 32, 64] {
            for _ in 0..blocks_per_stage {
                blocks.push((Layer::new(width, out, out / width)?, Layer::new(out, out, 1)?));
                width = out;
            }
        }
        let weight = Var::from_tensor(&Tensor::randn(0f32, 0.1, (10, 64), &Device::Cpu)?)?;
        let bias = Var::zeros(10, DType::F32, &Device::Cpu)?;
        Ok(Self { stem: Layer::new(channels, 16, 1)?, blocks, weight, bias })
    }

    fn forward(&self, images: &Tensor, mode: Mode) -> Result<Tensor> {
        let mut x = self.stem.forward(&FeatureMap::from_images(images)?, Shortcut::None, mode)?;
        for (first, second) in &self.blocks {
            let hidden = first.forward(&x, Shortcut::None, mode)?;
            let shortcut = match first.shape.stride {
                1 => Shortcut::Identity(&x),
                stride => Shortcut::Subsample(&x, stride),
            };
            x = second.forward(&hidden, shortcut, mode)?;
        }
        x.global_avg_pool()?.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)
    }

    fn parameters(&self) -> Vec<&Var> {
        let layers = self.blocks.iter().flat_map(|(first, second)| [first, second]);
        let layers = std::iter::once(&self.stem).chain(layers);
        layers.flat_map(|l| [&l.weight, &l.gamma, &l.beta]).chain([&self.weight, &self.bias]).collect()
    }
}

fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let log_sum = logits.exp()?.sum_keepdim(D::Minus1)?.log()?;
    logits.broadcast_sub(&log_sum)?.gather(labels, 1)?.mean_all()?.neg()
}

/// Stochastic gradient descent with momentum and weight decay.
fn descend(parameters: &[&Var], momenta: &mut [Option<Tensor>], loss: &Tensor) -> Result<()> {
    let grads = loss.backward()?;
    for (parameter, momentum) in parameters.iter().zip(momenta) {
        let Some(gradient) = grads.get(parameter) else { continue };
        let gradient = (gradient + (parameter.as_tensor() * 5e-4)?)?.detach();
        let step = match momentum.take() {
            Some(momentum) => ((momentum * 0.9)? + gradient)?,
            None => gradient,
        };
        parameter.set(&(parameter.as_tensor() - (&step * 0.1)?)?)?;
        *momentum = Some(step);
    }
    Ok(())
}

fn report(what: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    println!("{what}: median {:.1} ms, fastest {:.1} ms", times[times.len() / 2], times[0]);
}

/// Milliseconds that the process has computed so far (in steps of 10): what other programs cannot disturb.
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = stat.rsplit(')').next().into_iter().flat_map(|rest| rest.split_whitespace().skip(11).take(2));
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() * 10.0
}

fn peak_memory() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    Some(line.trim_start_matches("VmHWM:").trim().to_owned())
}

fn run(fashion: bool, batch: usize, rounds: usize) -> Result<()> {
    let (channels, side, blocks) = if fashion { (1, 28, 3) } else { (3, 32, 5) };
    let network = Network::new(channels, blocks)?;
    let images = Tensor::randn(0f32, 1.0, (batch, channels, side, side), &Device::Cpu)?;
    let labels: Vec<u32> = (0..batch as u32).map(|i| i % 10).collect();
    let labels = Tensor::from_vec(labels, (batch, 1), &Device::Cpu)?;
    let parameters = network.parameters();
    let mut momenta = vec![None; parameters.len()];
    let (mut steps, mut evaluations, mut forwards) = (Vec::new(), Vec::new(), Vec::new());
    let mut busy = [0.0, 0.0];
    for round in 0..rounds + 3 {
        let busy_before = processor_time();
        let start = Instant::now();
        let loss = cross_entropy(&network.forward(&images, Mode::Train)?, &labels)?;
        let forward = start.elapsed().as_secs_f64() * 1e3;
        descend(&parameters, &mut momenta, &loss)?;
        let value = loss.to_scalar::<f32>()?;
        drop(loss);
        let step = start.elapsed().as_secs_f64() * 1e3;
        assert!(value.is_finite());
        let busy_between = processor_time();
        let start = Instant::now();
        network.forward(&images, Mode::Eval)?.sum_all()?.to_scalar::<f32>()?;
        let evaluation = start.elapsed().as_secs_f64() * 1e3;
        if round >= 3 {
            steps.push(step);
            forwards.push(forward);
            evaluations.push(evaluation);
            busy[0] += (busy_between - busy_before) / rounds as f64;
            busy[1] += (processor_time() - busy_between) / rounds as f64;
        }
    }
    println!(
        "{} on {}",
        if fashion { "ResNet-20, 1x28x28" } else { "ResNet-32, 3x32x32" },
        nc_kernels::instruction_set()
    );
    report("train step", steps);
    report("  its forward", forwards);
    report("evaluation", evaluations);
    println!("processor time of all threads: {:.1} ms a step, {:.1} ms an evaluation", busy[0], busy[1]);
    println!("peak memory: {}", peak_memory().unwrap_or_else(|| "unknown".to_owned()));
    Ok(())
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number =
        |at: usize, default: usize| arguments.get(at).and_then(|a| a.parse().ok()).unwrap_or(default);
    let fashion = arguments.first().is_some_and(|a| a == "fashion");
    nc_kernels::threads::init(number(2, 2))?;
    nc_kernels::threads::install(|| run(fashion, number(1, 128), number(3, 15)))
}
