//! Random problems, and transfers to and from the device.

use nc_cuda::{Activations, Buffer, Device, Layer, Norm, Precision, RawNorm, Reading};

use crate::reference;

pub(crate) const PRECISIONS: [Precision; 3] = [Precision::Bf16, Precision::Tf32, Precision::F32];

/// Bound of a result's relative error, beside the rounding of what is stored.
pub(crate) fn bound(precision: Precision) -> f64 {
    match precision {
        Precision::Bf16 => 5e-3,
        Precision::Tf32 => 1e-3,
        Precision::F32 => 1e-5,
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Uniform with mean `mean` and standard deviation `deviation`, as f32.
    pub(crate) fn value(&mut self, mean: f64, deviation: f64) -> f64 {
        let uniform = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        f64::from((mean + deviation * (uniform - 0.5) * 12_f64.sqrt()) as f32)
    }

    pub(crate) fn values(&mut self, count: usize, mean: f64, deviation: f64) -> Vec<f64> {
        (0..count).map(|_| self.value(mean, deviation)).collect()
    }
}

/// A value as stored.
pub(crate) fn stored(precision: Precision, value: f64) -> f64 {
    match precision {
        Precision::Bf16 => round(value, 16),
        Precision::Tf32 | Precision::F32 => f64::from(value as f32),
    }
}

/// A value as a matrix product takes it.
pub(crate) fn operand(precision: Precision, value: f64) -> f64 {
    match precision {
        Precision::Bf16 => round(value, 16),
        Precision::Tf32 => round(value, 13),
        Precision::F32 => f64::from(value as f32),
    }
}

/// Rounds f32's last `bits` bits away: to nearest, ties to even for bf16, away from zero for TF32.
fn round(value: f64, bits: u32) -> f64 {
    let all = (value as f32).to_bits();
    let odd = all >> bits & 1;
    let half = if bits == 16 { (1 << (bits - 1)) - 1 + odd } else { 1 << (bits - 1) };
    f64::from(f32::from_bits((all + half) >> bits << bits))
}

pub(crate) fn floats(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

pub(crate) fn upload(device: &Device, values: &[f64]) -> Buffer {
    device.upload(&floats(values)).unwrap()
}

/// Activations from planes of stored values.
pub(crate) fn enter(device: &Device, of: Activations, planes: &[f64]) -> Buffer {
    let buffer = device.buffer(of.bytes()).unwrap();
    of.from_planes(device, &upload(device, planes), &buffer).unwrap();
    buffer
}

/// Planes of activations.
pub(crate) fn leave(device: &Device, of: Activations, x: &Buffer, reading: Reading<'_>) -> Vec<f64> {
    let count = of.pixels() * of.channels;
    let planes = device.buffer(count * 4).unwrap();
    of.to_planes(device, x, reading, &planes).unwrap();
    download(device, &planes, count)
}

pub(crate) fn download(device: &Device, buffer: &Buffer, count: usize) -> Vec<f64> {
    device.download(buffer, count).unwrap().into_iter().map(f64::from).collect()
}

/// Random stored values for activations.
pub(crate) fn random_planes(random: &mut Random, of: Activations) -> Vec<f64> {
    let values = random.values(of.pixels() * of.channels, 0.2, 1.0);
    values.into_iter().map(|value| stored(of.precision, value)).collect()
}

pub(crate) fn assert_close(what: &str, found: &[f64], expected: &[f64], bound: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let error = norm(&mut found.iter().zip(expected).map(|(found, expected)| found - expected));
    let size = norm(&mut expected.iter().copied());
    // Not `>`: NaN must fail.
    assert!(error <= bound * size, "{what}: relative error {:.2e} above {bound:.0e}", error / size);
}

const EPSILON: f64 = 1e-5;

/// A batch norm with random parameters and the given statistics.
pub(crate) fn random_norm(random: &mut Random, (mean, variance): (Vec<f64>, Vec<f64>)) -> reference::Norm {
    let channels = mean.len();
    reference::Norm {
        gamma: random.values(channels, 1.0, 0.3),
        beta: random.values(channels, 0.1, 0.3),
        mean,
        variance,
        epsilon: EPSILON,
    }
}

pub(crate) fn raw_norm(device: &Device, norm: &reference::Norm) -> RawNorm {
    RawNorm { gamma: upload(device, &norm.gamma), beta: upload(device, &norm.beta), epsilon: norm.epsilon }
}

pub(crate) fn fixed_norm(device: &Device, of: Activations, norm: &reference::Norm) -> Norm {
    let (mean, variance) = (upload(device, &norm.mean), upload(device, &norm.variance));
    raw_norm(device, norm).fixed(device, of, &mean, &variance).unwrap()
}

/// A layer of the given shape.
pub(crate) fn layer(
    [images, inputs, outputs]: [usize; 3],
    [height, width]: [usize; 2],
    [kernel, stride, padding]: [usize; 3],
    precision: Precision,
) -> Layer {
    let size = |side: usize| (side + 2 * padding - kernel) / stride + 1;
    let input = Activations { images, channels: inputs, height, width, precision };
    let output = Activations { channels: outputs, height: size(height), width: size(width), ..input };
    Layer { input, output, kernel, stride, padding }
}

/// Layers of the networks, then ragged ones.
pub(crate) fn layers(random: &mut Random, precision: Precision) -> Vec<Layer> {
    let mut layers = vec![
        layer([1, 3, 16], [32, 32], [3, 1, 1], precision),
        layer([2, 16, 32], [16, 16], [3, 2, 1], precision),
        layer([3, 64, 64], [8, 8], [3, 1, 1], precision),
        layer([2, 24, 48], [6, 6], [1, 2, 0], precision),
        layer([1, 128, 96], [4, 4], [3, 1, 1], precision),
        layer([1, 3, 64], [17, 15], [7, 2, 3], precision),
    ];
    for _ in 0..4 {
        let kernel = random.pick(&[1, 3, 3, 5]);
        let channels = [1 + random.below(3), 1 + random.below(70), 1 + random.below(70)];
        let size = [kernel + random.below(12), kernel + random.below(20)];
        let stride = random.pick(&[1, 2]);
        layers.push(layer(channels, size, [kernel, stride, random.below(kernel / 2 + 1)], precision));
    }
    layers
}
