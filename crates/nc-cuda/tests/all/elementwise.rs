//! Pooling and sums in all precisions.

use nc_cuda::{Activations, Emulator, MaxPool, Order, Reading};

use crate::case::{PRECISIONS, Random, assert_close, download, enter, leave, random_planes, stored, upload};
use crate::reference::channels;

#[test]
fn means_and_their_gradient_match_f64() {
    for precision in PRECISIONS {
        let device = Emulator::new(Order::Descending).device();
        let mut random = Random(31);
        let of = Activations { images: 3, channels: 21, height: 5, width: 4, precision };
        let planes = random_planes(&mut random, of);
        let x = enter(&device, of, &planes);
        let means = device.buffer(3 * 21 * 4).unwrap();
        of.global_average(&device, &x, Reading::Plain, &means).unwrap();
        let expected: Vec<_> = planes.chunks(20).map(|plane| plane.iter().sum::<f64>() / 20.0).collect();
        assert_close("means", &download(&device, &means, 3 * 21), &expected, 1e-6);

        let gradient = random.values(3 * 21, 0.0, 1.0);
        for add in [false, true] {
            let into = enter(&device, of, &planes);
            of.global_average_gradient(&device, &upload(&device, &gradient), &into, add).unwrap();
            let shares = gradient.iter().flat_map(|gradient| std::iter::repeat_n(gradient / 20.0, 20));
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
    for precision in PRECISIONS {
        let device = Emulator::new(Order::Ascending).device();
        let mut random = Random(32);
        let from = Activations { images: 2, channels: 19, height: 7, width: 6, precision };
        let to = Activations { height: 4, width: 3, ..from };
        let pool = MaxPool { from, to, window: 3, stride: 2, padding: 1 };
        let planes = random_planes(&mut random, from);
        let gradient = random_planes(&mut random, to);
        let (mut maxima, mut expected) = (vec![], vec![0.0; planes.len()]);
        for (plane, index) in
            channels(to).zip(0..).step_by(12).map(|(_, index): (_, usize)| (index / 12, index))
        {
            for place in 0..12 {
                let rows = (place / 3 * 2_usize).saturating_sub(1)..(place / 3 * 2 + 2).min(7);
                let window = rows.flat_map(|row| {
                    let columns = (place % 3 * 2_usize).saturating_sub(1)..(place % 3 * 2 + 2).min(6);
                    columns.map(move |column| plane * 42 + row * 6 + column)
                });
                let best = window.reduce(|a, b| if planes[b] > planes[a] { b } else { a }).unwrap();
                maxima.push(planes[best]);
                expected[best] += gradient[index + place];
            }
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
