use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::{
    bf16::Bf16,
    criterion::Benchmark,
    machine::Machine,
    methods::Methods,
    parity::Parity,
    program::{Figures, Rounds},
    step::{Pass, STOCK_STEPS, Steps},
    transforms::{Chain, Transforms},
};

/// Measurements shown on the page.
#[derive(Serialize, Deserialize)]
pub(super) struct Measured {
    pub(super) machine: Machine,
    pub(super) steps: Vec<Steps>,
    pub(super) benchmarks: Vec<Benchmark>,
    /// Measured on their own since a later version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) transforms: Option<Transforms>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) bf16: Option<Bf16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) methods: Option<Methods>,
    /// Table of `cargo xtask gpu-check`, measured on another machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) gpu: Option<String>,
}

/// Renders the page as Markdown.
pub(super) fn render(measured: &Measured, parity: Option<&Parity>) -> String {
    let mut page = String::from("# Performance\n\n");
    let but = if parity.is_some() { " but the accuracies in bf16" } else { "" };
    let _ = write!(
        page,
        "This command measures everything on this page{but} and writes it, by way of `docs/performance.json`:\n\n"
    );
    page += "```sh\ncargo xtask bench --against-torch PYTHON\n```\n\n";
    page += &introduction(&measured.machine);
    page += "\n## Training steps and evaluation\n\n";
    page += "Batches of 128 images of 3x32x32, 10 classes. A training step is a forward pass, cross entropy + L_W + L_B, a \
             backward pass, and SGD with momentum and weight decay for model and centres. Evaluation is a forward pass without \
             gradients. PyTorch does the same work in the channels-last format. The programs alternate; each figure is the \
             median over rounds of their medians. Stock Candle is the same ResNet-32 built from Candle's own layers.\n";
    for steps in &measured.steps {
        page += &network(steps);
    }
    if let Some(bf16) = &measured.bf16 {
        page += &bf16.text();
        page += &parity.map_or_else(String::new, Parity::text);
    }
    page += &measured.methods.as_ref().map_or_else(String::new, Methods::text);
    if let Some(table) = &measured.gpu {
        let _ = write!(
            page,
            "\n## On a GPU\n\nResNet-32, batches of 128 images of 3x32x32, measured by the bundle of `cargo xtask gpu-check`.\n\n{table}\n"
        );
    }
    page += "\n## Convolutions, layer by layer\n\n";
    page += "Batch 128, 2 threads, in GFLOP/s (a multiply-add counts as two operations). `cargo bench -p nc-kernels` measures \
             this section only.\n";
    for (group, title) in [
        ("resnet32", "ResNet-32"),
        ("resnet18", "ResNet-18"),
        ("resnet20-28x28", "ResNet-20, grey images of 28x28"),
        ("general", "Other layers"),
        ("resnet50", "Layers of ResNet-50 and ResNeXt-50 on photographs, batch 32"),
        ("resnet32-bf16", "ResNet-32, bf16"),
        ("resnet18-bf16", "ResNet-18, bf16"),
    ] {
        page += &convolutions(&measured.benchmarks, group, title);
    }
    if let Some(transforms) = &measured.transforms {
        page += &image_transforms(transforms);
    }
    page += "\n## Losses, metrics and loader\n\n";
    page += "Losses: forward and backward pass; B is the batch size, K the number of classes, P the feature dimension. L_B keeps \
             no K x K matrix for its backward pass. Metrics: `50000x64` is the size of CIFAR-10's training set, `4096x2048` a \
             part of ImageNet-LT. Loader: an epoch of 12,800 images; workers are threads beside the training thread. `cargo \
             bench -p nc-losses`, `-p nc-metrics` and `-p nc-data` measure them separately.\n\n";
    page += "| group | benchmark | median |\n|---|---|---|\n";
    for benchmark in measured.benchmarks.iter().filter(|benchmark| !is_convolution(benchmark)) {
        let value = benchmark.value.as_ref().map(|value| format!(", {value}")).unwrap_or_default();
        let (group, function) = (&benchmark.group, &benchmark.function);
        let time = duration(benchmark.nanoseconds);
        let _ = writeln!(page, "| {group} | {function}{value} | {time} |");
    }
    page
}

fn introduction(machine: &Machine) -> String {
    let Machine { processor, cores, vectors, rustc, torch } = machine;
    let torch = torch.as_ref().map(|version| format!(", PyTorch {version}")).unwrap_or_default();
    format!(
        "Machine, where a section names no other: {processor}, {cores} cores, {vectors}; {rustc}{torch}. Precision is f32 \
         where none is named. Sections can be from different days, and times vary over hours; compare the ratios, which are \
         measured side by side.\n"
    )
}

/// Heading of a column, and its figures.
type Column = (&'static str, fn(&Pass) -> Option<&Figures>);

fn network(steps: &Steps) -> String {
    let title = if steps.network == "resnet18" { "ResNet-18" } else { "ResNet-32" };
    let Rounds { threads, steps: each, count } = steps.rounds;
    let mut text = format!("\n### {title}\n\n{threads} threads; {count} rounds of {each} steps");
    if steps.train.stock.is_some() {
        let _ = write!(text, " (stock Candle: one round of {STOCK_STEPS})");
    }
    text += ".\n\n";
    let columns: [Column; 4] = [
        ("ours", |pass| Some(&pass.ours)),
        ("PyTorch", |pass| pass.torch.as_ref()),
        ("ours, AVX2 only", |pass| pass.avx2.as_ref()),
        ("stock Candle", |pass| pass.stock.as_ref()),
    ];
    let columns: Vec<&Column> =
        columns.iter().filter(|(_, figures)| figures(&steps.train).is_some()).collect();
    text += "| |";
    for (name, _) in &columns {
        let _ = write!(text, " {name} |");
    }
    text += " ours / PyTorch |\n|---|";
    text += &"---|".repeat(columns.len() + 1);
    text.push('\n');
    for (pass, what) in [(&steps.train, "training step"), (&steps.eval, "evaluation")] {
        for (key, name, unit, decimals) in [
            ("median_ms", "median", "ms", 1),
            ("min_ms", "minimum", "ms", 1),
            ("peak_mb", "peak memory", "MB", 0),
        ] {
            let _ = write!(text, "| {what}, {name} |");
            let figure = |figures: Option<&Figures>| figures.and_then(|figures| figures.get(key).copied());
            for (_, figures) in &columns {
                match figure(figures(pass)) {
                    Some(value) => {
                        let _ = write!(text, " {value:.decimals$} {unit} |");
                    }
                    None => text += " |",
                }
            }
            match figure(Some(&pass.ours)).zip(figure(pass.torch.as_ref())) {
                Some((ours, torch)) => {
                    let _ = writeln!(text, " **{:.2}** |", ours / torch);
                }
                None => text += " |\n",
            }
        }
    }
    let share = |name: &str| steps.shares.get(name).copied().unwrap_or(f64::NAN);
    let _ = writeln!(
        text,
        "\nL_W and L_B (forward and backward, measured separately) take {:.2} % of a training step at 10 classes and {:.2} % at \
         100. The trainer waits {:.3} % of a step for batches, which are cropped, mirrored and mixed in the background.",
        share("K10_regularisers_percent"),
        share("K100_regularisers_percent"),
        share("K10_loader_wait_percent"),
    );
    text
}

fn image_transforms(measured: &Transforms) -> String {
    let Machine { processor, cores, torch, .. } = &measured.machine;
    let torch = torch.as_ref().map(|version| format!(", PyTorch {version}")).unwrap_or_default();
    let mut text = format!(
        "\n## Image transforms\n\nImages per second on one thread, from u8 pixels in memory to normalised f32; images of noise. \
         The same transforms in torchvision, on Pillow images and on tensors. Medians of {} alternating runs ({processor}, \
         {cores} cores{torch}):\n\n```sh\ncargo xtask bench transforms --against-torch PYTHON\n```\n\n| transforms | ours | \
         torchvision, Pillow | torchvision, tensors | ours / faster of both |\n|---|---:|---:|---:|---:|\n",
        measured.rounds
    );
    let show = |speed: Option<f64>| speed.map_or_else(String::new, |speed| format!("{speed:.0}"));
    for Chain { name, ours, pillow, tensors } in &measured.chains {
        let faster = pillow.iter().chain(tensors).copied().reduce(f64::max);
        let ratio = faster.map_or_else(String::new, |faster| format!("**{:.1}**", ours / faster));
        let _ = writeln!(text, "| {name} | {ours:.0} | {} | {} | {ratio} |", show(*pillow), show(*tensors));
    }
    let _ = writeln!(
        text,
        "\nA ResNet-32 on batches of 128 waits {:.2} % of a training step for two views of each image, both with crop, flip, \
         AutoAugment and Cutout, prepared by one loader thread beside two compute threads on two cores.",
        measured.waiting_percent
    );
    text
}

const KERNELS: [&str; 3] = ["forward", "input gradient", "kernel gradient"];

fn is_convolution(benchmark: &Benchmark) -> bool {
    KERNELS.contains(&benchmark.function.as_str())
}

fn convolutions(benchmarks: &[Benchmark], group: &str, title: &str) -> String {
    let of_group: Vec<&Benchmark> =
        benchmarks.iter().filter(|benchmark| benchmark.group == group && is_convolution(benchmark)).collect();
    let mut layers: Vec<&str> = of_group.iter().filter_map(|benchmark| benchmark.value.as_deref()).collect();
    layers.dedup();
    if layers.is_empty() {
        return String::new();
    }
    let mut text = format!("\n| {title} | {} |\n|---|---|---|---|\n", KERNELS.join(" | "));
    for layer in layers {
        let _ = write!(text, "| {layer} |");
        for kernel in KERNELS {
            let found = of_group
                .iter()
                .find(|benchmark| benchmark.function == kernel && benchmark.value.as_deref() == Some(layer));
            match found.and_then(|benchmark| benchmark.rate()) {
                Some(rate) => {
                    let _ = write!(text, " {rate:.0} |");
                }
                None => text += " not needed |",
            }
        }
        text.push('\n');
    }
    text
}

/// Formats a duration with three significant digits and a suitable unit.
fn duration(nanoseconds: f64) -> String {
    let (value, unit) = match nanoseconds {
        x if x < 1e6 => (x / 1e3, "µs"),
        x if x < 1e9 => (x / 1e6, "ms"),
        x => (x / 1e9, "s"),
    };
    let decimals = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.decimals$} {unit}")
}
