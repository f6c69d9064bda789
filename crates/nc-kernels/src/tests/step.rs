//! A step of ResNet-8, and of single blocks, on an emulated GPU and in bf16 on the CPU, against f64 with the same rounding
//! points.

use candle_core::{DType, Device, Tensor, Var};
use nc_cuda::{Emulator, Order};

use super::common::{Random, assert_close, values};
use super::{Layer, all_bf16_kernels, conv3x3, loss};
use crate::gpu::Precision;
use crate::{ConvShape, FeatureMap, Mode, Shortcut, composed};

/// Rounding of stored values and of operands of matrix products.
#[derive(Clone, Copy)]
struct Rounding {
    precision: Precision,
    /// Whether values between two kernels are stored too: normalised outputs, and input gradients that are added to another.
    intermediates: bool,
}

impl Rounding {
    fn bits(tensor: &Tensor, bits: u32) -> Tensor {
        let round = |value: f64| {
            let all = (value as f32).to_bits();
            // Ties to even for bf16, away from zero for TF32.
            let half = (1 << (bits - 1)) - u32::from(bits == 16) + u32::from(bits == 16) * (all >> bits & 1);
            f64::from(f32::from_bits((all + half) >> bits << bits))
        };
        let rounded: Vec<f64> = values(tensor).into_iter().map(round).collect();
        Tensor::from_vec(rounded, tensor.shape(), &Device::Cpu).unwrap()
    }

    fn stored(self, tensor: &Tensor) -> Tensor {
        if self.precision == Precision::Bf16 { Self::bits(tensor, 16) } else { tensor.clone() }
    }

    fn operand(self, tensor: &Tensor) -> Tensor {
        Self::bits(tensor, if self.precision == Precision::Bf16 { 16 } else { 13 })
    }

    fn intermediate(self, tensor: &Tensor) -> Tensor {
        if self.intermediates { self.stored(tensor) } else { tensor.clone() }
    }
}

/// (C) as (1, C, 1, 1).
fn channels(tensor: &Tensor) -> Tensor {
    tensor.reshape((1, (), 1, 1)).unwrap()
}

fn per_channel_mean(tensor: &Tensor) -> Tensor {
    tensor.transpose(0, 1).unwrap().flatten_from(1).unwrap().mean(1).unwrap()
}

/// 1 where positive.
fn positive(tensor: &Tensor) -> Tensor {
    tensor.gt(&tensor.zeros_like().unwrap()).unwrap().to_dtype(DType::F64).unwrap()
}

/// A layer's forward pass.
struct Done {
    /// Input as the products see it.
    x: Tensor,
    weight: Tensor,
    /// Deviations from the mean, over the standard deviation; the standard deviation; the normalised output.
    normalised: Tensor,
    deviation: Tensor,
    affine: Tensor,
}

impl Done {
    fn new(layer: &Layer, x: &Tensor, rounding: Rounding) -> Self {
        let (x, weight) = (rounding.operand(x), rounding.operand(layer.weight.as_tensor()));
        let y = rounding.stored(&composed::conv2d(&x, &weight, layer.shape).unwrap());
        let mean = per_channel_mean(&y);
        let centred = y.broadcast_sub(&channels(&mean)).unwrap();
        let variance = per_channel_mean(&centred.sqr().unwrap());
        let deviation = (variance + 1e-5).unwrap().sqrt().unwrap();
        let normalised = centred.broadcast_div(&channels(&deviation)).unwrap();
        let scaled = normalised.broadcast_mul(&channels(&layer.gamma)).unwrap();
        let affine = scaled.broadcast_add(&channels(&layer.beta)).unwrap().detach();
        Self { x, weight, normalised, deviation, affine }
    }

    /// Gradients of input, weight, gamma and beta from that of the batch norm's output.
    fn backward(&self, layer: &Layer, gradient: &Tensor, rounding: Rounding) -> [Tensor; 4] {
        let beta = gradient.sum((0, 2, 3)).unwrap();
        let gamma = (gradient * &self.normalised).unwrap().sum((0, 2, 3)).unwrap();
        let count = (gradient.elem_count() / beta.elem_count()) as f64;
        let of_norm = self.normalised.broadcast_mul(&channels(&gamma)).unwrap();
        let centred = (of_norm.broadcast_add(&channels(&beta)).unwrap() / count).unwrap();
        let scale = layer.gamma.div(&self.deviation).unwrap();
        let dy = (gradient - centred).unwrap().broadcast_mul(&channels(&scale)).unwrap().detach();
        let dy = rounding.operand(&dy);
        let (x, weight) = (Var::from_tensor(&self.x).unwrap(), Var::from_tensor(&self.weight).unwrap());
        let y = composed::conv2d(&x, &weight, layer.shape).unwrap();
        let store = loss(&y, &dy).backward().unwrap();
        let [x, weight] = [&x, &weight].map(|var| store.get(var).unwrap().clone());
        [x, weight, gamma, beta]
    }
}

/// Every second pixel, between zero channels.
fn shortcut(x: &Tensor, out: &Tensor) -> Tensor {
    if x.dims() == out.dims() {
        return x.clone();
    }
    let pad = (out.dim(1).unwrap() - x.dim(1).unwrap()) / 2;
    let pixels = |size: usize| (0..size as u32).step_by(2).collect::<Vec<_>>();
    let picked = [2, 3].into_iter().fold(x.clone(), |x, dim| {
        let pixels = pixels(x.dim(dim).unwrap());
        let index = Tensor::from_vec(pixels.clone(), pixels.len(), &Device::Cpu).unwrap();
        x.index_select(&index, dim).unwrap()
    });
    picked.pad_with_zeros(1, pad, pad).unwrap()
}

/// Output of each layer, and the gradients of all parameters and of the images, in f64 with rounding: a stem and blocks of
/// two layers.
///
/// Each layer's input and each ReLU's mask are those of `outputs`, the layers' own outputs: otherwise values close to a
/// rounding boundary or to zero would differ, and the difference would grow from layer to layer.
fn reference(
    layers: &[Layer],
    images: &Tensor,
    upstream: &Tensor,
    outputs: &[Tensor],
    rounding: Rounding,
) -> (Vec<Tensor>, Vec<Tensor>) {
    let images = rounding.stored(&images.to_dtype(DType::F64).unwrap());
    let inputs = std::iter::once(&images).chain(outputs);
    let done: Vec<_> = layers.iter().zip(inputs).map(|(layer, x)| Done::new(layer, x, rounding)).collect();
    let mut expected = vec![rounding.intermediate(&done[0].affine.relu().unwrap())];
    for block in (1..layers.len()).step_by(2) {
        expected.push(rounding.intermediate(&done[block].affine.relu().unwrap()));
        let affine = &done[block + 1].affine;
        let sum = (affine + shortcut(&outputs[block - 1], affine)).unwrap();
        expected.push(rounding.stored(&sum.relu().unwrap()));
    }

    let last = &outputs[layers.len() - 1];
    let pixels = (last.dim(2).unwrap() * last.dim(3).unwrap()) as f64;
    let share = (upstream.to_dtype(DType::F64).unwrap() / pixels).unwrap();
    let share = share.unsqueeze(2).unwrap().unsqueeze(3).unwrap().broadcast_as(last.shape()).unwrap();
    let mut gradient = rounding.stored(&share);
    let mut gradients = vec![];
    for block in (1..layers.len()).step_by(2).rev() {
        let [x, inner, out] = [0, 1, 2].map(|index| &outputs[block - 1 + index]);
        let masked = (&gradient * positive(out)).unwrap();
        let [dx, own @ ..] = done[block + 1].backward(&layers[block + 1], &masked, rounding);
        gradients.extend(own.into_iter().rev());
        let masked_inner = rounding.stored(&(dx * positive(inner)).unwrap());
        let [dx, own @ ..] = done[block].backward(&layers[block], &masked_inner, rounding);
        gradients.extend(own.into_iter().rev());
        // The shortcut's gradient is stored, then the first convolution's added.
        let through = Var::from_tensor(x).unwrap();
        let side = loss(&shortcut(&through, out), &masked).backward().unwrap();
        let side = rounding.stored(&side.get(&through).unwrap().clone());
        gradient = rounding.stored(&(side + rounding.intermediate(&dx)).unwrap());
    }
    let masked = rounding.stored(&(gradient * positive(&outputs[0])).unwrap());
    let [dx, own @ ..] = done[0].backward(&layers[0], &masked, rounding);
    gradients.extend(own.into_iter().rev());
    gradients.reverse();
    gradients.push(rounding.stored(&dx));
    (expected, gradients)
}

/// Outputs of the layers.
fn forward(layers: &[Layer], images: &FeatureMap, tracked: bool) -> Vec<FeatureMap> {
    let step = |layer: &Layer, x: &FeatureMap, shortcut: Shortcut<'_>| {
        layer.try_forward(x, shortcut, true, Mode::Train, tracked).unwrap()
    };
    let mut outputs = vec![step(&layers[0], images, Shortcut::None)];
    for pair in layers[1..].chunks(2) {
        let x = outputs[outputs.len() - 1].clone();
        let y = step(&pair[0], &x, Shortcut::None);
        let side = match pair[0].shape.stride {
            1 => Shortcut::Identity(&x),
            stride => Shortcut::Subsample(&x, stride),
        };
        let out = step(&pair[1], &y, side);
        outputs.extend([y, out]);
    }
    outputs
}

/// A network, its number of images of 8 x 8 pixels, and the bounds on the errors of outputs and of gradients.
struct Case<'a> {
    shapes: &'a [ConvShape],
    images: usize,
    bounds: (f64, f64),
}

impl Case<'_> {
    /// Checks the outputs and gradients of a step on the feature map made by `map`.
    fn check(&self, place: &str, rounding: Rounding, map: &dyn Fn(&Tensor) -> FeatureMap) {
        let mut random = Random::new(12);
        let layers: Vec<_> = self.shapes.iter().map(|shape| Layer::random(*shape, &mut random)).collect();
        let (first, last) = (self.shapes[0], self.shapes[self.shapes.len() - 1]);
        let images = random.var((self.images, first.in_channels, 8, 8));
        let upstream = random.tensor((self.images, last.out_channels));
        let f64s = |map: &FeatureMap| map.to_tensor().unwrap().to_dtype(DType::F64).unwrap();
        let outputs: Vec<_> = forward(&layers, &map(&images), false).iter().map(f64s).collect();
        let wide: Vec<_> = layers.iter().map(|layer| layer.to_dtype(DType::F64)).collect();
        let (expected, gradients) = reference(&wide, &images, &upstream, &outputs, rounding);
        for (index, (ours, expected)) in outputs.iter().zip(&expected).enumerate() {
            assert_close(&format!("output {index} in {place}"), ours, expected, self.bounds.0);
        }

        let outputs = forward(&layers, &map(&images), true);
        let features = outputs[layers.len() - 1].global_avg_pool().unwrap();
        let mean = f64s(&outputs[layers.len() - 1]).mean((2, 3)).unwrap();
        assert_close(&format!("features in {place}"), &features, &mean, 1e-6);
        let store = loss(&features, &upstream).backward().unwrap();
        let parameters = layers.iter().flat_map(Layer::parameters).map(|(_, parameter)| parameter);
        let ours: Vec<_> = parameters.chain([&images]).map(|var| store.get(var).unwrap()).collect();
        assert_eq!(ours.len(), gradients.len());
        for (index, (ours, expected)) in ours.into_iter().zip(&gradients).enumerate() {
            assert_close(&format!("gradient {index} in {place}"), ours, expected, self.bounds.1);
        }
    }
}

fn resnet8() -> [ConvShape; 7] {
    [
        conv3x3(3, 16, 1),
        conv3x3(16, 16, 1),
        conv3x3(16, 16, 1),
        conv3x3(16, 32, 2),
        conv3x3(32, 32, 1),
        conv3x3(32, 64, 2),
        conv3x3(64, 64, 1),
    ]
}

#[test]
fn a_step_of_resnet8_matches_f64_with_the_same_rounding() {
    for (precision, bound) in [(Precision::Bf16, 1e-2), (Precision::Tf32, 2e-3)] {
        let rounding = Rounding { precision, intermediates: false };
        let case = Case { shapes: &resnet8(), images: 6, bounds: (bound / 10.0, bound) };
        case.check(&format!("{precision} on the GPU"), rounding, &|images| {
            let device = Emulator::new(Order::Ascending).device();
            FeatureMap::on_device(images, &device, precision).unwrap()
        });
    }
}

/// 40 images, so that a kernel call computes several of them.
#[test]
fn a_step_in_bf16_on_the_cpu_matches_f64_with_the_same_rounding() {
    let rounding = Rounding { precision: Precision::Bf16, intermediates: true };
    let pointwise = |shape: ConvShape| ConvShape { kernel: 1, padding: 0, ..shape };
    let single = [
        conv3x3(3, 16, 1),
        conv3x3(16, 16, 1),
        conv3x3(16, 32, 2),
        conv3x3(64, 64, 1),
        // Kernels too large for the cache.
        conv3x3(96, 128, 1),
        pointwise(conv3x3(40, 64, 1)),
        pointwise(conv3x3(40, 64, 2)),
        ConvShape { groups: 8, ..conv3x3(64, 64, 1) },
    ];
    for (name, kernels) in all_bf16_kernels() {
        let check = |shapes: &[ConvShape], bounds| {
            let place = format!("{shapes:?} in bf16 on {name}");
            Case { shapes, images: 40, bounds }
                .check(&place, rounding, &|images| FeatureMap::with_kernels(images, Some(kernels)).unwrap());
        };
        check(&resnet8(), (1e-3, 1e-2));
        for shape in single {
            check(&[shape], (1e-3, 4e-4));
        }
        check(&[conv3x3(3, 16, 1), conv3x3(16, 16, 1), conv3x3(16, 16, 1)], (1e-3, 1e-3));
    }
}
