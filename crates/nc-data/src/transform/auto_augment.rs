//! AutoAugment's policy for CIFAR-10.

use rand::Rng;

use super::{
    operation::Operation,
    warp::{Filter, Warp},
};

/// Colour of the pixels outside a warped image.
pub(super) const FILL: [u8; 3] = [128; 3];

/// Name of an operation of the policy.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Name {
    AutoContrast,
    Equalize,
    Invert,
    Posterize,
    Solarize,
    Brightness,
    Color,
    Contrast,
    Sharpness,
    Rotate,
    ShearY,
    TranslateX,
    TranslateY,
}
use Name::{
    AutoContrast, Brightness, Color, Contrast, Equalize, Invert, Posterize, Rotate, Sharpness, ShearY,
    Solarize, TranslateX, TranslateY,
};

/// The 25 sub-policies: two operations each, with probability in tenths and level from 0 to 9.
const POLICY: [[(Name, u32, u8); 2]; 25] = [
    [(Invert, 1, 7), (Contrast, 2, 6)],
    [(Rotate, 7, 2), (TranslateX, 3, 9)],
    [(Sharpness, 8, 1), (Sharpness, 9, 3)],
    [(ShearY, 5, 8), (TranslateY, 7, 9)],
    [(AutoContrast, 5, 8), (Equalize, 9, 2)],
    [(ShearY, 2, 7), (Posterize, 3, 7)],
    [(Color, 4, 3), (Brightness, 6, 7)],
    [(Sharpness, 3, 9), (Brightness, 7, 9)],
    [(Equalize, 6, 5), (Equalize, 5, 1)],
    [(Contrast, 6, 7), (Sharpness, 6, 5)],
    [(Color, 7, 7), (TranslateX, 5, 8)],
    [(Equalize, 3, 7), (AutoContrast, 4, 8)],
    [(TranslateY, 4, 3), (Sharpness, 2, 6)],
    [(Brightness, 9, 6), (Color, 2, 8)],
    [(Solarize, 5, 2), (Invert, 0, 3)],
    [(Equalize, 2, 0), (AutoContrast, 6, 0)],
    [(Equalize, 2, 8), (Equalize, 6, 4)],
    [(Color, 9, 9), (Equalize, 6, 6)],
    [(AutoContrast, 8, 4), (Solarize, 2, 8)],
    [(Brightness, 1, 3), (Color, 7, 0)],
    [(Solarize, 4, 5), (AutoContrast, 9, 3)],
    [(TranslateY, 9, 9), (TranslateY, 7, 9)],
    [(AutoContrast, 9, 2), (Solarize, 8, 3)],
    [(Equalize, 8, 8), (Invert, 1, 3)],
    [(TranslateY, 7, 9), (AutoContrast, 9, 1)],
];

/// Draws a sub-policy, and which of its two operations are applied with which sign.
pub(super) fn draw<R: Rng>(rng: &mut R) -> impl Iterator<Item = Operation> + use<R> {
    let pair = POLICY[rng.random_range(0..POLICY.len())];
    let drawn = pair.map(|(name, tenths, level)| {
        let applied = rng.random_ratio(tenths, 10);
        let negative = rng.random();
        applied.then(|| operation(name, level, negative))
    });
    drawn.into_iter().flatten()
}

fn operation(name: Name, level: u8, negative: bool) -> Operation {
    let share = f64::from(level) / 9.0;
    let signed = |value: f64| if negative { -value } else { value };
    let factor = 1.0 + signed(0.9 * share);
    let shift = signed(150.0 / 331.0 * share);
    match name {
        AutoContrast => Operation::AutoContrast,
        Equalize => Operation::Equalize,
        Invert => Operation::Invert,
        Posterize => Operation::Posterize { bits: (8.0 - 4.0 * share).round() as u32 },
        Solarize => Operation::Solarize { threshold: 256.0 * (1.0 - share) },
        Brightness => Operation::Brightness(factor),
        Color => Operation::Saturation(factor),
        Contrast => Operation::Contrast(factor),
        Sharpness => Operation::Sharpness(factor),
        // The sign is not drawn: the published implementations always rotate counter-clockwise.
        Rotate => Operation::Warp(Warp::Rotate(30.0 * share), Filter::Nearest),
        ShearY => Operation::Warp(Warp::ShearY(signed(0.3 * share)), Filter::Bicubic),
        TranslateX => Operation::Warp(Warp::TranslateX(shift), Filter::Nearest),
        TranslateY => Operation::Warp(Warp::TranslateY(shift), Filter::Nearest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    #[test]
    fn arguments_follow_the_level() {
        let bits = |level| operation(Posterize, level, false);
        for (level, expected) in [8, 8, 7, 7, 6, 6, 5, 5, 4, 4].into_iter().enumerate() {
            assert_eq!(bits(level as u8), Operation::Posterize { bits: expected });
        }
        assert_eq!(
            operation(Solarize, 3, true),
            Operation::Solarize { threshold: 256.0 * (1.0 - 3.0 / 9.0) }
        );
        assert_eq!(operation(Color, 9, false), Operation::Saturation(1.9));
        assert_eq!(operation(Sharpness, 9, true), Operation::Sharpness(1.0 - 0.9));
        let rotated = Operation::Warp(Warp::Rotate(30.0), Filter::Nearest);
        assert_eq!([false, true].map(|negative| operation(Rotate, 9, negative)), [rotated; 2]);
        let moved = Operation::Warp(Warp::TranslateX(-150.0 / 331.0), Filter::Nearest);
        assert_eq!(operation(TranslateX, 9, true), moved);
    }

    /// Frequencies of the drawn operations against the policy, by operation and level.
    #[test]
    fn draws_follow_the_policy() {
        let mut rng = stream(0, Purpose::Transform, 0, 0);
        let draws = 50_000;
        let drawn: Vec<Operation> = (0..draws).flat_map(|_| draw(&mut rng)).collect();
        let mut operations: Vec<(Name, u8)> = Vec::new();
        for (name, _, level) in POLICY.into_iter().flatten() {
            // Operations without an argument are the same at each level.
            let level = if matches!(name, AutoContrast | Equalize | Invert) { 0 } else { level };
            if !operations.contains(&(name, level)) {
                operations.push((name, level));
            }
        }
        let mut seen = 0;
        for &(name, level) in &operations {
            let of = |negative| operation(name, level, negative);
            let [plus, minus] = [false, true]
                .map(|negative| drawn.iter().filter(|found| **found == of(negative)).count() as f64);
            let has_sign = of(false) != of(true);
            let share: f64 = POLICY
                .into_iter()
                .flatten()
                .filter(|&(other, _, at)| operation(other, at, false) == of(false))
                .map(|(_, tenths, _)| f64::from(tenths) / 250.0)
                .sum();
            let (expected, spread) = (f64::from(draws) * share, 5.0 * (f64::from(draws) * share).sqrt());
            let found = if has_sign { plus + minus } else { plus };
            assert!((found - expected).abs() <= spread, "{name:?} {level}: {found}, expected {expected}");
            if has_sign {
                assert!((plus - minus).abs() <= spread, "{name:?} {level}: {plus} and {minus}");
            }
            seen += found as usize;
        }
        assert_eq!(seen, drawn.len());
    }
}
