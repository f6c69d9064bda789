//! Updates of parameters that stay on the device.

use nc_cuda::{AdamW, Buffer, Device, Emulator, Factors, Order, Parameters, Sgd};

use crate::case::{Random, assert_close, download, floats, upload};

/// Values of each parameter: less than a block, several blocks, a block, one value.
const COUNTS: [usize; 4] = [16, 700, 256, 1];
/// The third parameter has no gradient.
const FACTORS: [Option<Factors>; 4] = [
    Some(Factors { clip: 0.5, rate: 0.1, correction: 1.5, decay: 0.99 }),
    Some(Factors { clip: 0.5, rate: 0.2, correction: 1.2, decay: 0.98 }),
    None,
    Some(Factors { clip: 0.5, rate: 0.3, correction: 1.1, decay: 0.97 }),
];

/// Parameters on the device, with what the tests compute from.
struct Case {
    device: Device,
    parameters: Parameters,
    random: Random,
}

impl Case {
    fn new(order: Order) -> Self {
        let device = Emulator::new(order).device();
        let parameters = Parameters::new(&device, &COUNTS).unwrap();
        Self { device, parameters, random: Random(41) }
    }

    /// A vector, and its values by parameter.
    fn vector(&mut self, positive: bool) -> (Buffer, Vec<Vec<f64>>) {
        let values: Vec<Vec<f64>> = COUNTS
            .iter()
            .map(|&count| self.random.values(count, 0.0, 1.0))
            .map(|values| values.into_iter().map(|v| if positive { v.abs() } else { v }).collect())
            .collect();
        let single: Vec<Vec<f32>> = values.iter().map(|values| floats(values)).collect();
        (self.parameters.upload(single.iter().map(|values| Some(&values[..]))).unwrap(), values)
    }

    fn assert(&self, name: &str, vector: &Buffer, expected: &[Vec<f64>]) {
        let found = self.parameters.download(vector).unwrap();
        let found = found.concat().into_iter().map(f64::from).collect::<Vec<_>>();
        assert_close(name, &found, &expected.concat(), 1e-6);
    }
}

#[test]
fn updates_match_f64() {
    for order in [Order::Ascending, Order::Descending] {
        for nesterov in [false, true] {
            sgd(&mut Case::new(order), nesterov);
        }
        adamw(&mut Case::new(order));
    }
}

fn sgd(case: &mut Case, nesterov: bool) {
    let [(weights, mut w), (gradients, g), (momenta, mut m)] = [false; 3].map(|p| case.vector(p));
    let by = Sgd { momentum: 0.9, weight_decay: 0.01, nesterov };
    case.parameters.sgd(by, &FACTORS, [&weights, &gradients, &momenta]).unwrap();
    for (parameter, factors) in FACTORS.iter().enumerate() {
        let Some(Factors { clip, rate, .. }) = factors else { continue };
        for ((w, g), m) in w[parameter].iter_mut().zip(&g[parameter]).zip(&mut m[parameter]) {
            let step = clip * g + 0.01 * *w;
            *m = 0.9 * *m + step;
            *w -= rate * if nesterov { step + 0.9 * *m } else { *m };
        }
    }
    case.assert("weights after SGD", &weights, &w);
    case.assert("momenta", &momenta, &m);
}

fn adamw(case: &mut Case) {
    let [(weights, mut w), (gradients, g), (first, mut m), (second, mut v)] =
        [false, false, false, true].map(|positive| case.vector(positive));
    let by = AdamW { beta1: 0.9, beta2: 0.99, epsilon: 1e-3 };
    case.parameters.adamw(by, &FACTORS, [&weights, &gradients, &first, &second]).unwrap();
    for (parameter, factors) in FACTORS.iter().enumerate() {
        let Some(Factors { clip, rate, correction, decay }) = factors else { continue };
        for i in 0..COUNTS[parameter] {
            let g = clip * g[parameter][i];
            let (w, m, v) = (&mut w[parameter][i], &mut m[parameter][i], &mut v[parameter][i]);
            *m = 0.9 * *m + 0.1 * g;
            *v = 0.99 * *v + 0.01 * g * g;
            *w = decay * *w - rate * *m / (v.sqrt() * correction + 1e-3);
        }
    }
    case.assert("weights after AdamW", &weights, &w);
    case.assert("first moments", &first, &m);
    case.assert("second moments", &second, &v);
}

#[test]
fn moves_averages_and_norms_match_f64() {
    let mut case = Case::new(Order::Descending);
    let [(weights, w), (direction, d), (averages, mut a)] = [false; 3].map(|p| case.vector(p));
    let moved = case.parameters.moved(&weights, &direction, &FACTORS).unwrap();
    case.parameters.average(&averages, &weights, &FACTORS).unwrap();
    let mut expected = w.clone();
    for (parameter, factors) in FACTORS.iter().enumerate() {
        let rate = factors.map_or(0.0, |factors| factors.rate);
        for i in 0..COUNTS[parameter] {
            expected[parameter][i] += rate * d[parameter][i];
            a[parameter][i] += rate * (w[parameter][i] - a[parameter][i]);
        }
    }
    case.assert("moved weights", &moved, &expected);
    case.assert("averages", &averages, &a);
    case.assert("weights", &weights, &w);

    let squares: Vec<_> = case.parameters.squares(&weights).unwrap().into_iter().map(f64::from).collect();
    let expected: Vec<f64> = w.iter().map(|w| w.iter().map(|w| w * w).sum()).collect();
    assert_close("squares", &squares, &expected, 1e-6);

    let sum = upload(&case.device, &[1.0, 2.0, 3.0]);
    sum.add_values(&case.device, &upload(&case.device, &[0.5, -2.0, 7.0]), 2).unwrap();
    assert_eq!(download(&case.device, &sum, 3), [1.5, 0.0, 3.0]);
}
