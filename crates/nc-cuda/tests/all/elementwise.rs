//! Pooling and sums over random shapes in all precisions.

use nc_cuda::{Activations, Emulator, MaxPool, Order, Precision, Reading};

use crate::case::{PRECISIONS, Random, assert_close, download, enter, leave, random_planes, stored, upload};

/// Random activations.
fn activations(random: &mut Random, precision: Precision) -> Activations {
    let [images, channels, height, width] = [3, 70, 9, 9].map(|most| 1 + random.below(most));
    Activations { images, channels, height, width, precision }
}

#[test]
fn means_and_their_gradient_match_f64() {
    let mut random = Random(31);
    for precision in PRECISIONS.repeat(2) {
        let device = Emulator::new(Order::Descending).device();
        let of = activations(&mut random, precision);
        let (planes_of, pixels) = (of.images * of.channels, of.height * of.width);
        let planes = random_planes(&mut random, of);
        let x = enter(&device, of, &planes);
        let means = device.buffer(planes_of * 4).unwrap();
        of.global_average(&device, &x, Reading::Plain, &means).unwrap();
        let expected: Vec<_> =
            planes.chunks(pixels).map(|plane| plane.iter().sum::<f64>() / pixels as f64).collect();
        assert_close("means", &download(&device, &means, planes_of), &expected, 1e-6);

        let gradient = random.values(planes_of, 0.0, 1.0);
        for add in [false, true] {
            let into = enter(&device, of, &planes);
            of.global_average_gradient(&device, &upload(&device, &gradient), &into, add).unwrap();
            let shares =
                gradient.iter().flat_map(|gradient| std::iter::repeat_n(gradient / pixels as f64, pixels));
            let expected: Vec<_> = shares
                .zip(&planes)
                .map(|(share, before)| stored(precision, if add { before + share } else { share }))
                .collect();
            assert_close("gradient", &leave(&device, of, &into, Reading::Plain), &expected, 1e-6);
        }
        let sum = enter(&device, of, &planes);
        of.add(&device, &sum, &x).unwrap();
        let expected: Vec<_> = planes.iter().map(|value| stored(precision, 2.0 * value)).collect();
        assert_eq!(leave(&device, of, &sum, Reading::Plain), expected);
    }
}

#[test]
fn max_pooling_matches_windows() {
    let mut random = Random(32);
    for precision in PRECISIONS.repeat(2) {
        let device = Emulator::new(Order::Ascending).device();
        let from = activations(&mut random, precision);
        let to = Activations { height: from.height.div_ceil(2), width: from.width.div_ceil(2), ..from };
        let pool = MaxPool { from, to, window: 3, stride: 2, padding: 1 };
        let planes = random_planes(&mut random, from);
        let gradient = random_planes(&mut random, to);
        let (mut maxima, mut expected) = (vec![], vec![0.0; planes.len()]);
        let pixels = to.height * to.width;
        for (index, gradient) in gradient.iter().enumerate() {
            let (plane, row, column) = (index / pixels, index % pixels / to.width, index % to.width);
            let range = |at: usize, side: usize| (2 * at).saturating_sub(1)..(2 * at + 2).min(side);
            let window = range(row, from.height).flat_map(|row| {
                let columns = range(column, from.width);
                columns.map(move |column| (plane * from.height + row) * from.width + column)
            });
            let best = window.reduce(|a, b| if planes[b] > planes[a] { b } else { a }).unwrap();
            maxima.push(planes[best]);
            expected[best] += gradient;
        }
        let x = enter(&device, from, &planes);
        let out = device.buffer(to.bytes()).unwrap();
        pool.forward(&device, &x, Reading::Plain, &out).unwrap();
        assert_eq!(leave(&device, to, &out, Reading::Plain), maxima);
        let (gradient, into) = (enter(&device, to, &gradient), enter(&device, from, &planes));
        pool.gradient(&device, (&x, Reading::Plain), &gradient, &into, true).unwrap();
        let expected: Vec<_> = expected
            .iter()
            .zip(&planes)
            .map(|(gradient, before)| stored(precision, before + gradient))
            .collect();
        assert_close("gradient", &leave(&device, from, &into, Reading::Plain), &expected, 1e-6);
    }
}
