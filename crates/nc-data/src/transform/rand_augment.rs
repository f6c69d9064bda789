//! RandAugment in timm's variant, as in the training code of NCfeature, GPaCo and BCL.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{
    operation::Operation,
    warp::{Filter, Warp},
};

/// Highest magnitude.
pub(super) const MOST: f64 = 10.0;

const OPERATIONS: usize = 15;

/// Draws one layer: an operation of a magnitude from N(`magnitude`, `deviation`^2), clamped to 0..=10; `None` with
/// probability 1/2.
pub(super) fn draw(magnitude: f64, deviation: f64, rng: &mut impl Rng) -> Option<Operation> {
    let operation = rng.random_range(0..OPERATIONS);
    let applied: bool = rng.random();
    let normal: f64 = StandardNormal.sample(rng);
    let magnitude = (magnitude + deviation * normal).clamp(0.0, MOST);
    let (negative, bicubic) = (rng.random(), rng.random());
    applied.then(|| {
        let signed = |value: f64| if negative { -value } else { value };
        let filter = if bicubic { Filter::Bicubic } else { Filter::Bilinear };
        self::operation(operation, magnitude, signed, filter)
    })
}

/// Operation `index` at `magnitude`; `signed` draws the sign of a warp.
fn operation(index: usize, magnitude: f64, signed: impl Fn(f64) -> f64, filter: Filter) -> Operation {
    let share = magnitude / MOST;
    let factor = 0.1 + 1.8 * share;
    let warp = |warp: fn(f64) -> Warp, most: f64| Operation::Warp(warp(signed(most * share)), filter);
    match index {
        0 => Operation::AutoContrast,
        1 => Operation::Equalize,
        2 => Operation::Invert,
        3 => warp(Warp::Rotate, 30.0),
        4 => Operation::Posterize { bits: (4.0 * share) as u32 },
        5 => Operation::Solarize { threshold: (256.0 * share).floor() },
        6 => Operation::SolarizeAdd((110.0 * share) as u8),
        7 => Operation::Saturation(factor),
        8 => Operation::Contrast(factor),
        9 => Operation::Brightness(factor),
        10 => Operation::Sharpness(factor),
        11 => warp(Warp::ShearX, 0.3),
        12 => warp(Warp::ShearY, 0.3),
        13 => warp(Warp::TranslateX, 0.45),
        _ => warp(Warp::TranslateY, 0.45),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    /// From NCfeature's `randaugment.py`.
    #[test]
    fn arguments_follow_the_magnitude() {
        // Magnitude, bits, threshold, added.
        for (magnitude, bits, threshold, added) in [
            (0.0, 0, 0.0, 0),
            (2.4, 0, 61.0, 26),
            (5.0, 2, 128.0, 55),
            (9.0, 3, 230.0, 99),
            (9.49, 3, 242.0, 104),
            (9.99, 3, 255.0, 109),
            (10.0, 4, 256.0, 110),
        ] {
            let at = |index| operation(index, magnitude, |value| -value, Filter::Bilinear);
            assert_eq!(at(4), Operation::Posterize { bits });
            assert_eq!(at(5), Operation::Solarize { threshold });
            assert_eq!(at(6), Operation::SolarizeAdd(added));
        }
        // Index and argument at magnitude 9.49.
        let expected = [(3, -28.47), (7, 1.8082), (8, 1.8082), (9, 1.8082), (10, 1.8082)];
        let expected =
            expected.into_iter().chain([(11, -0.2847), (12, -0.2847), (13, -0.42705), (14, -0.42705)]);
        for (index, expected) in expected {
            let found = match operation(index, 9.49, |value| -value, Filter::Bilinear) {
                Operation::Saturation(found)
                | Operation::Contrast(found)
                | Operation::Brightness(found)
                | Operation::Sharpness(found)
                | Operation::Warp(
                    Warp::Rotate(found)
                    | Warp::ShearX(found)
                    | Warp::ShearY(found)
                    | Warp::TranslateX(found)
                    | Warp::TranslateY(found),
                    Filter::Bilinear,
                ) => found,
                other => panic!("{other:?}"),
            };
            assert!((found - expected).abs() < 1e-9, "operation {index}: {found}, expected {expected}");
        }
    }

    #[test]
    fn draws_follow_their_distribution() {
        let mut rng = stream(0, Purpose::Transform, 0, 0);
        let draws = 60_000;
        let drawn: Vec<Operation> = (0..draws).filter_map(|_| draw(10.0, 0.5, &mut rng)).collect();
        let count = |wanted: &dyn Fn(&Operation) -> bool| drawn.iter().filter(|found| wanted(found)).count();
        let check = |what: &str, found: usize, of: usize, probability: f64| {
            let expected = of as f64 * probability;
            let deviation = (expected * (1.0 - probability)).sqrt();
            assert!(
                (found as f64 - expected).abs() < 5.0 * deviation,
                "{what}: {found}, expected {expected}"
            );
        };
        check("applied", drawn.len(), draws, 0.5);
        for index in 0..OPERATIONS {
            let example = operation(index, 10.0, |value| value, Filter::Bilinear);
            let same = |a: &Operation, b: &Operation| match (a, b) {
                (Operation::Warp(a, _), Operation::Warp(b, _)) => {
                    std::mem::discriminant(a) == std::mem::discriminant(b)
                }
                _ => std::mem::discriminant(a) == std::mem::discriminant(b),
            };
            check("operation", count(&|found| same(found, &example)), drawn.len(), 1.0 / 15.0);
        }
        let warps = count(&|found| matches!(found, Operation::Warp(..)));
        check("bicubic", count(&|found| matches!(found, Operation::Warp(_, Filter::Bicubic))), warps, 0.5);
        let turns: Vec<f64> = drawn
            .iter()
            .filter_map(|found| match found {
                Operation::Warp(Warp::Rotate(degrees), _) => Some(*degrees),
                _ => None,
            })
            .collect();
        check("negative", turns.iter().filter(|degrees| **degrees < 0.0).count(), turns.len(), 0.5);
        // Half of the normal distribution lies above the highest magnitude, 15.87 % below 9.5.
        check("magnitude 10", turns.iter().filter(|degrees| degrees.abs() == 30.0).count(), turns.len(), 0.5);
        check(
            "below 9.5",
            turns.iter().filter(|degrees| degrees.abs() < 28.5).count(),
            turns.len(),
            0.158_655,
        );
    }
}
