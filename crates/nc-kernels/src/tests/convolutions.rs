//! Convolutions of many shapes, on all kernels and on Candle's own operations, against an f64 reference.

use candle_core::{Device, Tensor};

use super::common::{Random, assert_close};
use super::{all_kernels, conv3x3, loss, naive, random_problem};
use crate::{ConvShape, FeatureMap, conv2d};

const BOUND: f64 = 2e-6;

fn check(shape: ConvShape, dims: [usize; 4], random: &mut Random) {
    let (h, w) = shape.output_size(dims[2], dims[3]).unwrap();
    let out = (dims[0], shape.out_channels, h, w);
    let (x, weight) = (random.var(&dims), random.var(&shape.weight_dims()));
    let dy = random.tensor(out);
    let vec = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let naive = naive::convolve(shape, dims, &vec(&x), &vec(&weight), &vec(&dy));
    let tensor =
        |values: Vec<f64>, like: &Tensor| Tensor::from_vec(values, like.shape(), &Device::Cpu).unwrap();
    // The composed path is the one used on GPUs.
    let kernels = all_kernels().into_iter().map(|(name, kernels)| (name, Some(kernels)));
    for (name, kernels) in kernels.chain([("composed", None)]) {
        let what = |part| format!("{part} of {shape:?} on {dims:?}, {name}");
        let map = FeatureMap::with_kernels(&x, kernels).unwrap();
        let y = conv2d(&map, &weight, shape).unwrap().to_tensor().unwrap();
        let grads = loss(&y, &dy).backward().unwrap();
        assert_close(&what("y"), &y, &tensor(naive.y.clone(), &dy), BOUND);
        assert_close(&what("dx"), grads.get(&x).unwrap(), &tensor(naive.dx.clone(), &x), BOUND);
        assert_close(&what("dw"), grads.get(&weight).unwrap(), &tensor(naive.dw.clone(), &weight), BOUND);
    }
}

#[test]
fn random_shapes_match_the_reference() {
    let random = &mut Random::new(1);
    for _ in 0..150 {
        let (shape, dims) = random_problem(random);
        check(shape, dims, random);
    }
}

/// Every row width covers every size and overlap of a tile.
#[test]
fn every_width_matches_the_reference() {
    let random = &mut Random::new(2);
    for width in (1..=20).chain([31, 32, 33]) {
        for stride in [1, 2] {
            for channels in [1, 3, 20] {
                check(conv3x3(channels, 16, stride), [1, channels, 2, width], random);
            }
        }
    }
}

/// Several output blocks side by side, for narrow rows.
#[test]
fn many_output_blocks_match_the_reference() {
    let random = &mut Random::new(3);
    for (out_channels, width) in [(32, 8), (48, 8), (64, 4), (80, 4), (112, 3), (64, 2), (64, 1)] {
        for stride in [1, 2] {
            check(conv3x3(17, out_channels, stride), [2, 17, 3, width], random);
        }
    }
}

/// Many input blocks and pixels, which are taken in parts.
#[test]
fn large_convolutions_match_the_reference() {
    let random = &mut Random::new(9);
    for (in_channels, out_channels, size) in [(80, 40, [7, 7]), (150, 24, [3, 15]), (70, 33, [40, 9])] {
        for stride in [1, 2] {
            let [height, width] = size;
            check(conv3x3(in_channels, out_channels, stride), [2, in_channels, height, width], random);
        }
    }
    for (in_channels, out_channels, size) in [(300, 40, [7, 7]), (40, 300, [20, 11]), (270, 24, [1, 1])] {
        for stride in [1, 2] {
            let [height, width] = size;
            let shape = ConvShape { kernel: 1, padding: 0, ..conv3x3(in_channels, out_channels, stride) };
            check(shape, [3, in_channels, height, width], random);
        }
    }
}

/// Partition into tiles and parts does not change the order of a sum: rows of the kernel, channels, columns.
#[test]
fn sums_have_one_order() {
    let random = &mut Random::new(10);
    for (kernel, channels, [height, width]) in
        [(3, 20, [5, 7]), (3, 100, [9, 15]), (1, 20, [5, 7]), (1, 300, [15, 15])]
    {
        let shape = ConvShape { kernel, padding: kernel / 2, ..conv3x3(channels, 3, 1) };
        let dims = [1, channels, height, width];
        let (x, weight) = (random.var(&dims), random.var(&shape.weight_dims()));
        let vec = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let (pixels, taps) = (vec(&x), vec(&weight));
        let value = |out: usize, y: usize, x: usize| {
            let mut sum = 0.0;
            for row in 0..kernel {
                for channel in 0..channels {
                    for column in 0..kernel {
                        let (y, x) =
                            ((y + row).wrapping_sub(kernel / 2), (x + column).wrapping_sub(kernel / 2));
                        if y < height && x < width {
                            let tap = taps[((out * channels + channel) * kernel + row) * kernel + column];
                            sum = pixels[(channel * height + y) * width + x].mul_add(tap, sum);
                        }
                    }
                }
            }
            sum
        };
        let expected: Vec<f32> = (0..3 * height * width)
            .map(|i| value(i / (height * width), i / width % height, i % width))
            .collect();
        // The portable kernels round products.
        for (name, kernels) in all_kernels().into_iter().filter(|(name, _)| *name != "portable") {
            let map = FeatureMap::with_kernels(&x, Some(kernels)).unwrap();
            let y = conv2d(&map, &weight, shape).unwrap().to_tensor().unwrap();
            assert_eq!(vec(&y), expected, "{shape:?} on {dims:?}, {name}");
        }
    }
}

/// Last blocks of at most eight channels and of one more, on input and output, in every row width.
#[test]
fn half_blocks_match_the_reference() {
    let random = &mut Random::new(8);
    for width in (1..=17).chain([32]) {
        for stride in [1, 2] {
            for (in_channels, out_channels) in [(24, 24), (8, 40), (20, 1), (25, 25)] {
                let shape = conv3x3(in_channels, out_channels, stride);
                check(shape, [2, in_channels, 3, width], random);
            }
            for kernel in [1, 5] {
                let shape = ConvShape { kernel, padding: kernel / 2, ..conv3x3(24, 24, stride) };
                check(shape, [2, 24, 3, width], random);
            }
        }
    }
}

/// A kernel whose gradient is computed in one pass over all images.
#[test]
fn wide_kernels_match_the_reference() {
    let random = &mut Random::new(4);
    check(conv3x3(96, 128, 1), [9, 96, 3, 4], random);
    check(conv3x3(96, 128, 2), [2, 96, 5, 5], random);
    let shape = ConvShape { kernel: 5, padding: 2, ..conv3x3(80, 64, 1) };
    check(shape, [3, 80, 4, 3], random);
}

#[test]
fn depthwise_and_resnext_groups_match_the_reference() {
    let random = &mut Random::new(5);
    check(ConvShape { groups: 24, ..conv3x3(24, 24, 1) }, [2, 24, 5, 6], random);
    check(ConvShape { groups: 24, ..conv3x3(24, 48, 2) }, [2, 24, 5, 6], random);
    check(ConvShape { groups: 32, ..conv3x3(128, 128, 2) }, [2, 128, 6, 7], random);
}

/// Strides without vector kernels fall back to Candle's operations.
#[test]
fn large_stride_matches_the_reference() {
    let shape = ConvShape { kernel: 4, padding: 0, stride: 4, ..conv3x3(3, 20, 1) };
    check(shape, [2, 3, 12, 8], &mut Random::new(6));
}

/// The largest allowed padding, where the mirrored kernel needs none.
#[test]
fn largest_padding_matches_the_reference() {
    let random = &mut Random::new(7);
    for stride in [1, 2, 3] {
        let shape = ConvShape { padding: 2, groups: 2, ..conv3x3(4, 6, stride) };
        check(shape, [2, 4, 5, 4], random);
    }
}
