//! Layers on an emulated GPU against Candle's own operations in f64: outputs, gradients, running statistics.

use candle_core::{DType, Tensor, Var};
use nc_cuda::{Device, Emulator, Order};

use super::common::{Random, assert_close, values};
use super::{Layer, conv3x3, loss};
use crate::gpu::Precision;
use crate::{ConvShape, FeatureMap, Mode, Shortcut, conv2d};

/// Where a network runs.
#[derive(Clone, Copy)]
enum Place<'a> {
    Gpu(&'a Device, Precision),
    /// Candle's own operations in f64.
    F64,
}

impl Place<'_> {
    fn map(self, tensor: &Tensor) -> FeatureMap {
        match self {
            Self::Gpu(device, precision) => FeatureMap::on_device(tensor, device, precision).unwrap(),
            Self::F64 => FeatureMap::with_kernels(tensor, None).unwrap(),
        }
    }

    fn dtype(self) -> DType {
        match self {
            Self::Gpu(..) => DType::F32,
            Self::F64 => DType::F64,
        }
    }
}

/// A network with every kind of layer: stem, identity block, option-A block, projected block.
struct Network {
    layers: Vec<Layer>,
}

/// Outputs and gradients, by name.
struct Outcome {
    tensors: Vec<(String, Tensor)>,
}

impl Network {
    fn random(random: &mut Random) -> Self {
        let projection = ConvShape { kernel: 1, padding: 0, ..conv3x3(24, 40, 2) };
        let shapes = [
            conv3x3(3, 16, 1),
            conv3x3(16, 16, 1),
            conv3x3(16, 16, 1),
            conv3x3(16, 24, 2),
            conv3x3(24, 24, 1),
            conv3x3(24, 40, 2),
            conv3x3(40, 40, 1),
            projection,
        ];
        Self { layers: shapes.iter().map(|&shape| Layer::random(shape, random)).collect() }
    }

    fn run(&self, place: Place<'_>, images: &Tensor, upstream: &Tensor, mode: Mode) -> Outcome {
        let layers: Vec<_> = self.layers.iter().map(|layer| layer.to_dtype(place.dtype())).collect();
        let images = Var::from_tensor(&images.to_dtype(place.dtype()).unwrap().copy().unwrap()).unwrap();
        let step = |layer: usize, x: &FeatureMap, shortcut: Shortcut<'_>, relu: bool| {
            layers[layer].try_forward(x, shortcut, relu, mode, true).unwrap()
        };
        let x = step(0, &place.map(&images), Shortcut::None, true);
        let y = step(1, &x, Shortcut::None, true);
        let x = step(2, &y, Shortcut::Identity(&x), true);
        let y = step(3, &x, Shortcut::None, true);
        let x = step(4, &y, Shortcut::Subsample(&x, 2), true);
        let y = step(5, &x, Shortcut::None, true);
        let projected = step(7, &x, Shortcut::None, false);
        let x = step(6, &y, Shortcut::Identity(&projected), true);
        let out = x.global_avg_pool().unwrap();
        let store = loss(&out, upstream).backward().unwrap();
        let mut tensors = vec![("output".to_owned(), out)];
        tensors.push(("images".to_owned(), store.get(&images).unwrap().clone()));
        for (index, layer) in layers.iter().enumerate() {
            for (name, parameter) in layer.parameters() {
                tensors.push((format!("{name} {index}"), store.get(parameter).unwrap().clone()));
            }
            tensors.push((format!("mean {index}"), layer.running_mean.as_tensor().clone()));
            tensors.push((format!("variance {index}"), layer.running_var.as_tensor().clone()));
        }
        Outcome { tensors }
    }
}

impl Outcome {
    fn assert_close(&self, what: &str, expected: &Self, bound: f64) {
        for ((name, ours), (_, expected)) in self.tensors.iter().zip(&expected.tensors) {
            assert_close(&format!("{name}, {what}"), ours, expected, bound);
        }
    }
}

fn problem(random: &mut Random) -> (Network, Tensor, Tensor) {
    (Network::random(random), random.tensor((3, 3, 9, 8)), random.tensor((3, 40)))
}

#[test]
fn networks_in_f32_match_f64() {
    let mut random = Random::new(5);
    let (network, images, upstream) = problem(&mut random);
    for mode in [Mode::Train, Mode::Eval] {
        let device = Emulator::new(Order::Ascending).device();
        let ours = network.run(Place::Gpu(&device, Precision::F32), &images, &upstream, mode);
        let expected = network.run(Place::F64, &images, &upstream, mode);
        ours.assert_close(&format!("{mode:?}"), &expected, 1e-4);
    }
}

#[test]
fn results_have_the_same_bits_in_any_order_of_threads() {
    let mut random = Random::new(6);
    let (network, images, upstream) = problem(&mut random);
    for precision in [Precision::Bf16, Precision::Tf32] {
        let run = |order| {
            let device = Emulator::new(order).device();
            network.run(Place::Gpu(&device, precision), &images, &upstream, Mode::Train)
        };
        let (ascending, descending) = (run(Order::Ascending), run(Order::Descending));
        for ((name, first), (_, second)) in ascending.tensors.iter().zip(&descending.tensors) {
            assert_eq!(values(first), values(second), "{name} in {precision}");
        }
    }
}

#[test]
fn the_second_step_allocates_nothing_and_the_third_repeats_it() {
    let mut random = Random::new(7);
    let (network, images, upstream) = problem(&mut random);
    let emulator = Emulator::new(Order::Ascending);
    let device = emulator.device();
    let step = || {
        network.run(Place::Gpu(&device, Precision::Bf16), &images, &upstream, Mode::Train);
        emulator.take_launches()
    };
    step();
    let (allocations, kernels, copies) = (emulator.allocations(), emulator.kernels(), emulator.copies());
    let second = step();
    assert_eq!(emulator.allocations(), allocations);
    assert_eq!(emulator.kernels(), kernels);
    // Parameters and images, then the gradient of the features; features with statistics, then all gradients.
    assert_eq!((emulator.copies().0 - copies.0, emulator.copies().1 - copies.1), (2, 2));
    // With the same arguments, so that the sequence becomes a CUDA graph.
    assert!(step() == second);

    let names: Vec<_> = second.iter().map(|launched| launched.kernel).collect();
    let block = |layers| {
        let mut kernels = ["pack_weight", "convolution", "statistics"].repeat(layers);
        kernels.push("block_end");
        kernels
    };
    let gradient = || vec!["norm_gradient", "kernel_gradient", "sum_slices", "convolution"];
    // At the ends of blocks, the stem and the projection; the other layers' gradients are masked by their only reader.
    let masked = || [vec!["mask_and_sum"], gradient()].concat();
    let expected = [
        vec!["from_planes"],
        // The stem and a block, a block, a block with a projection.
        block(3),
        block(2),
        block(3),
        vec!["global_average", "global_average_gradient"],
        [masked(), masked(), gradient()].concat(),
        [masked(), vec!["shortcut_gradient"], gradient()].concat(),
        [masked(), gradient(), masked()].concat(),
        vec!["to_planes"],
    ];
    assert_eq!(names, expected.concat());
}

#[test]
fn several_outputs_share_one_backward_pass() {
    let mut random = Random::new(8);
    let layers = [conv3x3(3, 16, 1), conv3x3(16, 16, 1), conv3x3(16, 32, 2)];
    let layers = layers.map(|shape| Layer::random(shape, &mut random));
    let images = random.tensor((2, 3, 6, 6));
    let upstreams = [random.tensor((2, 16)), random.tensor((2, 32)), random.tensor((2, 16, 6, 6))];
    let run = |place: Place<'_>| {
        let layers = layers.each_ref().map(|layer| layer.to_dtype(place.dtype()));
        let trunk = layers[0].train(&place.map(&images.to_dtype(place.dtype()).unwrap()), Shortcut::None);
        // Each leaves the GPU before the next is recorded.
        let first = layers[1].train(&trunk, Shortcut::None).global_avg_pool().unwrap();
        let second = layers[2].train(&trunk, Shortcut::None).global_avg_pool().unwrap();
        let third = trunk.to_tensor().unwrap();
        let terms = [&first, &second, &third].into_iter().zip(&upstreams);
        let total = terms.map(|(out, upstream)| loss(out, upstream)).reduce(|a, b| (a + b).unwrap());
        let store = total.unwrap().backward().unwrap();
        let parameters = layers.iter().flat_map(Layer::parameters);
        parameters.map(|(_, parameter)| store.get(parameter).unwrap().clone()).collect::<Vec<_>>()
    };
    let device = Emulator::new(Order::Ascending).device();
    let (ours, expected) = (run(Place::Gpu(&device, Precision::F32)), run(Place::F64));
    for (index, (ours, expected)) in ours.iter().zip(&expected).enumerate() {
        assert_close(&format!("gradient {index}"), ours, expected, 1e-4);
    }
}

#[test]
fn a_failed_run_fails_every_later_one() {
    let mut random = Random::new(11);
    let layer = Layer::random(conv3x3(3, 16, 1), &mut random);
    let device =
        Emulator::edited(Order::Ascending, |text| text.replace("ENTRY(max_pool)", "broken")).device();
    let images = random.tensor((2, 3, 6, 6));
    let x = layer.train(&Place::Gpu(&device, Precision::F32).map(&images), Shortcut::None);
    let pooled = x.max_pool(2, 2, 0).unwrap();
    let error = pooled.to_tensor().unwrap_err().to_string();
    assert!(error.contains("max_pool"), "{error}");
    // The first layer has run, but its gradient would be lost.
    for map in [&x, &pooled] {
        let error = map.global_avg_pool().unwrap_err().to_string();
        assert!(error.contains("an earlier layer on the GPU failed"), "{error}");
    }
}

#[test]
fn evaluation_reuses_the_memory_of_earlier_layers() {
    let mut random = Random::new(13);
    let layers = [0; 6].map(|_| Layer::random(conv3x3(16, 16, 1), &mut random));
    let images = random.tensor((2, 16, 8, 8));
    let allocations = |tracked: bool| {
        let emulator = Emulator::new(Order::Ascending);
        let mut x = FeatureMap::on_device(&images, &emulator.device(), Precision::F32).unwrap();
        for layer in &layers {
            x = layer.try_forward(&x, Shortcut::None, true, Mode::Eval, tracked).unwrap();
        }
        x.global_avg_pool().unwrap();
        emulator.allocations()
    };
    let (evaluation, training) = (allocations(false), allocations(true));
    // Weights in two layouts, output and norm of all but two layers.
    assert!(evaluation + 4 * (layers.len() - 2) <= training, "{evaluation} and {training}");
}

#[test]
fn layers_without_kernels_run_on_the_cpu() {
    let mut random = Random::new(9);
    let grouped = ConvShape { groups: 4, ..conv3x3(16, 16, 1) };
    let layers =
        [conv3x3(3, 16, 1), grouped, conv3x3(16, 8, 1)].map(|shape| Layer::random(shape, &mut random));
    let (images, upstream) = (random.tensor((2, 3, 5, 7)), random.tensor((2, 8)));
    let run = |place: Place<'_>| {
        let layers = layers.each_ref().map(|layer| layer.to_dtype(place.dtype()));
        let mut x = place.map(&images.to_dtype(place.dtype()).unwrap());
        for layer in &layers {
            x = layer.train(&x, Shortcut::None);
        }
        let store = loss(&x.global_avg_pool().unwrap(), &upstream).backward().unwrap();
        let parameters = layers.iter().flat_map(Layer::parameters);
        parameters.map(|(_, parameter)| store.get(parameter).unwrap().clone()).collect::<Vec<_>>()
    };
    let device = Emulator::new(Order::Ascending).device();
    let (ours, expected) = (run(Place::Gpu(&device, Precision::F32)), run(Place::F64));
    for (index, (ours, expected)) in ours.iter().zip(&expected).enumerate() {
        assert_close(&format!("gradient {index}"), ours, expected, 1e-4);
    }
    assert!(crate::gpu::take_unsupported_layers().contains(&grouped));
}

#[test]
fn max_pooling_and_plain_convolutions_match_f64() {
    let mut random = Random::new(10);
    let shape = ConvShape { kernel: 5, stride: 2, padding: 2, ..conv3x3(3, 20, 1) };
    let layer = Layer::random(conv3x3(20, 20, 1), &mut random);
    let (images, upstream) = (random.tensor((2, 3, 13, 11)), random.tensor((2, 20, 4, 3)));
    let weight = random.tensor(&shape.weight_dims());
    let run = |place: Place<'_>| {
        let var = |t: &Tensor| Var::from_tensor(&t.to_dtype(place.dtype()).unwrap().copy().unwrap()).unwrap();
        let (images, weight, layer) = (var(&images), var(&weight), layer.to_dtype(place.dtype()));
        let x = conv2d(&place.map(&images), &weight, shape).unwrap();
        let x = layer.train(&x, Shortcut::None).max_pool(3, 2, 1).unwrap();
        let out = x.to_tensor().unwrap();
        let store = loss(&out, &upstream).backward().unwrap();
        let gradients = [&images, &weight, &layer.weight, &layer.gamma];
        let gradients = gradients.map(|var| store.get(var).unwrap().clone());
        std::iter::once(out).chain(gradients).collect::<Vec<_>>()
    };
    let device = Emulator::new(Order::Descending).device();
    let (ours, expected) = (run(Place::Gpu(&device, Precision::F32)), run(Place::F64));
    for (index, (ours, expected)) in ours.iter().zip(&expected).enumerate() {
        assert_close(&format!("tensor {index}"), ours, expected, 1e-4);
    }
}
