//! Ends of residual blocks and masks of gradients, over random shapes in all precisions.

use nc_cuda::{Activations, Device, Emulator, Mask, Order, Reading, Shortcut};

use crate::case::{
    PRECISIONS, Random, assert_close, bound, download, enter, fixed_norm, leave, random_norm, random_planes,
    stored,
};
use crate::reference::{self, channels};

/// A block's end: identity, or every second pixel between zero channels.
fn random_shortcut(random: &mut Random, precision: nc_cuda::Precision, stride: usize) -> Shortcut {
    let side = |random: &mut Random| 1 + random.below(9);
    let (height, width) = (side(random), side(random));
    let channels = 1 + random.below(70);
    let added = if stride == 1 { 0 } else { 2 * random.below(20) };
    let to =
        Activations { images: 1 + random.below(3), channels: channels + added, height, width, precision };
    // The last row and column of an even size are in no window of the convolution beside it.
    let from_side = |side: usize, random: &mut Random| stride * (side - 1) + 1 + random.below(stride);
    let from =
        Activations { channels, height: from_side(height, random), width: from_side(width, random), ..to };
    Shortcut { from, to, stride }
}

/// Index in planes of `from` of each value of `to`; none between the shortcut's channels and pixels.
fn sources(shortcut: Shortcut) -> Vec<Option<usize>> {
    let Shortcut { from, to, stride } = shortcut;
    let before = (to.channels - from.channels) / 2;
    let pixels = to.height * to.width;
    let source = |index: usize| {
        let (image, channel) = (index / pixels / to.channels, index / pixels % to.channels);
        let (row, column) = (index % pixels / to.width, index % to.width);
        let channel = channel.checked_sub(before).filter(|channel| *channel < from.channels)?;
        let plane = image * from.channels + channel;
        Some((plane * from.height + row * stride) * from.width + column * stride)
    };
    (0..to.pixels() * to.channels).map(source).collect()
}

fn check_block_end(device: &Device, shortcut: Shortcut, how: usize, random: &mut Random) {
    let Shortcut { from, to, .. } = shortcut;
    let precision = to.precision;
    let what = format!("{shortcut:?}, {how}");
    let (y, x) = (random_planes(random, to), random_planes(random, from));
    let norms = [to, from].map(|of| {
        let planes = random_planes(random, of);
        random_norm(random, reference::moments(of, &planes))
    });
    let on_device = [fixed_norm(device, to, &norms[0]), fixed_norm(device, from, &norms[1])];
    let reading =
        [Reading::Plain, Reading::Normalised(&on_device[1]), Reading::Rectified(&on_device[1])][how];
    let read: Vec<_> = channels(from)
        .zip(&x)
        .map(|(channel, &x)| match how {
            0 => x,
            1 => norms[1].apply(channel, x),
            _ => norms[1].apply(channel, x).max(0.0),
        })
        .collect();
    let out = device.buffer(to.bytes()).unwrap();
    let relu = how != 1;
    let (y_buffer, x_buffer) = (enter(device, to, &y), enter(device, from, &x));
    shortcut.add(device, (&y_buffer, &on_device[0]), (&x_buffer, reading), relu, &out).unwrap();
    let sources = sources(shortcut);
    let expected: Vec<_> = channels(to)
        .zip(&y)
        .zip(&sources)
        .map(|((channel, &y), source)| {
            let sum = norms[0].apply(channel, y) + source.map_or(0.0, |source| read[source]);
            if relu { sum.max(0.0) } else { sum }
        })
        .collect();
    let found = leave(device, to, &out, Reading::Plain);
    assert_close(&format!("{what}, output"), &found, &expected, bound(precision));

    let (gradient, before) = (random_planes(random, to), random_planes(random, from));
    let (gradient_buffer, target) = (enter(device, to, &gradient), enter(device, from, &before));
    let add = how == 0;
    shortcut.gradient(device, &gradient_buffer, &target, add).unwrap();
    let mut expected = if add { before } else { vec![0.0; before.len()] };
    for (source, gradient) in sources.iter().zip(&gradient) {
        if let Some(source) = *source {
            expected[source] += gradient;
        }
    }
    let expected: Vec<_> = expected.into_iter().map(|value| stored(precision, value)).collect();
    assert_close(
        &format!("{what}, gradient"),
        &leave(device, from, &target, Reading::Plain),
        &expected,
        1e-6,
    );
}

#[test]
fn ends_of_blocks_match_f64() {
    let mut random = Random(41);
    for precision in PRECISIONS {
        let device = Emulator::new(Order::Descending).device();
        for how in 0..3 {
            for stride in [1, 2] {
                let shortcut = random_shortcut(&mut random, precision, stride);
                check_block_end(&device, shortcut, how, &mut random);
            }
        }
    }
}

#[test]
fn masked_gradients_and_their_sums_match_f64() {
    let mut random = Random(42);
    for precision in PRECISIONS {
        let device = Emulator::new(Order::Ascending).device();
        for mask in 0..3 {
            let side = |random: &mut Random| 1 + random.below(20);
            let (height, width) = (side(&mut random), side(&mut random));
            let (images, count) = (1 + random.below(3), 1 + random.below(90));
            let of = Activations { images, channels: count, height, width, precision };
            let [gradient, y, out] = [(); 3].map(|()| random_planes(&mut random, of));
            let norm = random_norm(&mut random, reference::moments(of, &y));
            let on_device = fixed_norm(&device, of, &norm);
            let [gradient_buffer, y_buffer, out_buffer] =
                [&gradient, &y, &out].map(|planes| enter(&device, of, planes));
            let by = [Mask::Open, Mask::Output(&out_buffer), Mask::Normalised][mask];
            let sums = of.mask_and_sum(&device, &gradient_buffer, by, &y_buffer, &on_device).unwrap();
            let places = channels(of).zip(&y).zip(&out);
            let masked: Vec<_> = places
                .zip(&gradient)
                .map(|(((channel, &y), &out), &gradient)| {
                    let value = [1.0, out, norm.apply(channel, y)][mask];
                    if value > 0.0 { gradient } else { 0.0 }
                })
                .collect();
            let what = format!("mask {mask} of {of:?}");
            assert_eq!(leave(&device, of, &gradient_buffer, Reading::Plain), masked, "{what}");
            let (gamma, beta) = (device.buffer(count * 4).unwrap(), device.buffer(count * 4).unwrap());
            on_device.gradient(&device, of, &sums, true, &gamma, &beta).unwrap();
            let (_, expected_gamma, expected_beta) = reference::norm_gradient(of, &norm, &y, &masked, true);
            assert_close(&format!("{what}, gamma"), &download(&device, &gamma, count), &expected_gamma, 1e-4);
            assert_close(&format!("{what}, beta"), &download(&device, &beta, count), &expected_beta, 1e-4);
        }
    }
}
