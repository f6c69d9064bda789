//! Convolutions and their gradients, over the networks' shapes and ragged ones.

use nc_cuda::{
    Activations, Buffer, Device, Emulator, GradientTarget, Layer, Mask, Norm, Order, OutputGradient,
    Precision, Reading,
};

use crate::case::{
    PRECISIONS, Random, assert_close, bound, download, enter, fixed_norm, layers, leave, operand,
    random_norm, random_planes, raw_norm, stored, upload,
};
use crate::reference;

/// How the input is read.
#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Plain,
    Normalised,
    Rectified,
}

impl How {
    fn reading(self, norm: &Norm) -> Reading<'_> {
        match self {
            Self::Plain => Reading::Plain,
            Self::Normalised => Reading::Normalised(norm),
            Self::Rectified => Reading::Rectified(norm),
        }
    }

    fn apply(self, norm: &reference::Norm, channel: usize, value: f64) -> f64 {
        match self {
            Self::Plain => value,
            Self::Normalised => norm.apply(channel, value),
            Self::Rectified => norm.apply(channel, value).max(0.0),
        }
    }
}

/// A layer with its data on both sides.
struct Case {
    device: Device,
    layer: Layer,
    precision: Precision,
    how: How,
    /// Input as stored, and as the matrix products see it.
    x: Vec<f64>,
    read: Vec<f64>,
    input_norm: reference::Norm,
    weight: Vec<f64>,
    on_device: OnDevice,
}

struct OnDevice {
    x: Buffer,
    norm: Norm,
    weight: nc_cuda::Weight,
}

impl Case {
    fn new(layer: Layer, how: How, random: &mut Random) -> Self {
        let device = Emulator::new(random.pick(&[Order::Ascending, Order::Descending])).device();
        let precision = layer.input.precision;
        let x = random_planes(random, layer.input);
        let moments =
            (random.values(layer.input.channels, 0.2, 0.2), random.values(layer.input.channels, 1.0, 0.2));
        let input_norm = random_norm(random, moments);
        let fan_in = (layer.input.channels * layer.kernel * layer.kernel) as f64;
        let count = layer.output.channels * layer.input.channels * layer.kernel * layer.kernel;
        let raw = random.values(count, 0.0, fan_in.sqrt().recip());
        let read = reference::channels(layer.input).zip(&x);
        let read = read.map(|(channel, &x)| operand(precision, how.apply(&input_norm, channel, x))).collect();
        let on_device = OnDevice {
            x: enter(&device, layer.input, &x),
            norm: fixed_norm(&device, layer.input, &input_norm),
            weight: layer.pack(&device, &upload(&device, &raw)).unwrap(),
        };
        let weight = raw.into_iter().map(|value| operand(precision, value)).collect();
        Self { device, layer, precision, how, x, read, input_norm, weight, on_device }
    }

    fn check_forward(&self, what: &str) {
        let Self { device, layer, .. } = self;
        let y = device.buffer(layer.output.bytes()).unwrap();
        let reading = self.how.reading(&self.on_device.norm);
        let sums =
            layer.convolve(device, &self.on_device.x, reading, &self.on_device.weight, &y, true).unwrap();
        let found = leave(device, layer.output, &y, Reading::Plain);
        let expected = reference::convolve(*layer, &self.read, &self.weight);
        assert_close(&format!("{what}, output"), &found, &expected, bound(self.precision));

        // The statistics are those of the stored output.
        let channels = layer.output.channels;
        let (mean, variance) = reference::moments(layer.output, &found);
        let norm = random_norm(&mut Random(3), (mean.clone(), variance.clone()));
        let batch = device.buffer(2 * layer.output.padded() * 4).unwrap();
        let of_batch = raw_norm(device, &norm).batch(device, layer.output, &sums.unwrap(), &batch).unwrap();
        let batch = download(device, &batch, 2 * layer.output.padded());
        let count = layer.output.pixels() as f64;
        let unbiased: Vec<_> = variance.iter().map(|variance| variance * count / (count - 1.0)).collect();
        if count > 1.0 {
            assert_close(&format!("{what}, mean"), &batch[..channels], &mean, 1e-5);
            let variances = &batch[layer.output.padded()..][..channels];
            assert_close(&format!("{what}, variance"), variances, &unbiased, 1e-5);
            let normalised = leave(device, layer.output, &y, Reading::Normalised(&of_batch));
            let expected = reference::channels(layer.output).zip(&found);
            let expected: Vec<_> = expected.map(|(channel, &y)| norm.apply(channel, y)).collect();
            assert_close(&format!("{what}, normalised"), &normalised, &expected, 1e-4);
        }
    }

    fn check_backward(&self, what: &str, add: bool, with_norm: bool, random: &mut Random) {
        let Self { device, layer, precision, .. } = self;
        // Gradient of the output, directly or through a batch norm of the output.
        let gradient = random_planes(random, layer.output);
        let y = random_planes(random, layer.output);
        let norm = random_norm(random, reference::moments(layer.output, &y));
        let on_device = fixed_norm(device, layer.output, &norm);
        let (gradient_buffer, y_buffer) =
            (enter(device, layer.output, &gradient), enter(device, layer.output, &y));
        let channels = layer.output.channels;
        let (gamma, beta) = (device.buffer(channels * 4).unwrap(), device.buffer(channels * 4).unwrap());
        let of_norm = with_norm.then(|| {
            let sums = layer
                .output
                .mask_and_sum(device, &gradient_buffer, Mask::Open, &y_buffer, &on_device)
                .unwrap();
            on_device.gradient(device, layer.output, &sums, true, &gamma, &beta).unwrap()
        });
        let (dy, expected_gamma, expected_beta) =
            reference::norm_gradient(layer.output, &norm, &y, &gradient, true);
        if with_norm {
            assert_close(
                &format!("{what}, gamma"),
                &download(device, &gamma, channels),
                &expected_gamma,
                1e-4,
            );
            assert_close(&format!("{what}, beta"), &download(device, &beta, channels), &expected_beta, 1e-4);
        }
        let dy = if with_norm { dy } else { gradient };
        let dy: Vec<_> = dy.into_iter().map(|value| operand(*precision, value)).collect();
        let output = OutputGradient {
            gradient: &gradient_buffer,
            norm: of_norm.as_ref().map(|norm| (norm, &y_buffer)),
        };

        let target = device.buffer(self.weight.len() * 4).unwrap();
        let reading = self.how.reading(&self.on_device.norm);
        layer.kernel_gradient(device, &self.on_device.x, reading, output, &target).unwrap();
        let found = download(device, &target, self.weight.len());
        let expected = reference::kernel_gradient(*layer, &self.read, &dy);
        // Sums of the products of rounded values: no rounding of the result.
        assert_close(&format!("{what}, kernel gradient"), &found, &expected, bound(*precision) / 2.0);

        let before = random_planes(random, layer.input);
        let into = enter(device, layer.input, &before);
        let finish = self.how != How::Plain;
        let target =
            GradientTarget { gradient: &into, add, norm: finish.then_some((reading, &self.on_device.x)) };
        let sums = layer.input_gradient(device, output, &self.on_device.weight, target).unwrap();
        let found = leave(device, layer.input, &into, Reading::Plain);
        let mut expected = reference::input_gradient(*layer, &dy, &self.weight);
        for (index, channel) in reference::channels(layer.input).enumerate() {
            if add {
                expected[index] += before[index];
            }
            if self.how == How::Rectified && self.input_norm.apply(channel, self.x[index]) <= 0.0 {
                expected[index] = 0.0;
            }
        }
        assert_close(&format!("{what}, input gradient"), &found, &expected, bound(*precision));
        if let Some(sums) = sums {
            let channels = layer.input.channels;
            let (gamma, beta) = (device.buffer(channels * 4).unwrap(), device.buffer(channels * 4).unwrap());
            self.on_device.norm.gradient(device, layer.input, &sums, false, &gamma, &beta).unwrap();
            let (_, expected_gamma, expected_beta) =
                reference::norm_gradient(layer.input, &self.input_norm, &self.x, &found, false);
            assert_close(
                &format!("{what}, finished gamma"),
                &download(device, &gamma, channels),
                &expected_gamma,
                1e-4,
            );
            assert_close(
                &format!("{what}, finished beta"),
                &download(device, &beta, channels),
                &expected_beta,
                1e-4,
            );
        }
    }
}

fn check(precision: Precision, seed: u64) {
    let mut random = Random(seed);
    for (index, layer) in layers(&mut random, precision).into_iter().enumerate() {
        let how = [How::Rectified, How::Normalised, How::Plain][index % 3];
        let what = format!("{precision:?}, {layer:?}, {how:?}");
        let case = Case::new(layer, how, &mut random);
        case.check_forward(&what);
        case.check_backward(&what, index % 2 == 0, index % 4 != 3, &mut random);
    }
}

#[test]
fn bf16_layers_match_f64() {
    check(Precision::Bf16, 13);
}

#[test]
fn tf32_layers_match_f64() {
    check(Precision::Tf32, 14);
}

#[test]
fn f32_layers_match_f64() {
    check(Precision::F32, 15);
}

#[test]
fn stored_values_are_rounded_to_nearest() {
    for precision in PRECISIONS {
        let device = Emulator::new(Order::Ascending).device();
        let of = Activations { images: 1, channels: 5, height: 3, width: 7, precision };
        let values = Random(1).values(105, 0.0, 3.0);
        let found = leave(&device, of, &enter(&device, of, &values), Reading::Plain);
        let expected: Vec<_> = values.iter().map(|&value| stored(precision, value)).collect();
        assert_eq!(found, expected, "{precision:?}");
    }
}
