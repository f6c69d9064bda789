use rand::{Rng, seq::SliceRandom};

use super::operation::Operation;

/// Draws torchvision's `ColorJitter`: a random order of the four operations, then the factors of brightness, contrast,
/// saturation and hue. An operation of strength 0 is left out.
pub(super) fn draw(
    [brightness, contrast, saturation, hue]: [f64; 4],
    rng: &mut impl Rng,
) -> impl Iterator<Item = Operation> {
    let mut order = [0, 1, 2, 3];
    order.shuffle(rng);
    let mut factor = |strength: f64| {
        let from = (1.0 - strength).max(0.0);
        (strength > 0.0).then(|| from + (1.0 + strength - from) * rng.random::<f64>())
    };
    let operations = [
        factor(brightness).map(Operation::Brightness),
        factor(contrast).map(Operation::Contrast),
        factor(saturation).map(Operation::Saturation),
        (hue > 0.0).then(|| Operation::Hue(hue * (2.0 * rng.random::<f64>() - 1.0))),
    ];
    order.into_iter().filter_map(move |index| operations[index])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    #[test]
    fn orders_and_factors_are_uniform() {
        let mut rng = stream(0, Purpose::Transform, 0, 0);
        let (mut first, mut sums) = ([0; 4], [0.0; 4]);
        let draws = 10_000;
        for _ in 0..draws {
            let drawn: Vec<Operation> = draw([0.4, 0.2, 1.5, 0.1], &mut rng).collect();
            assert_eq!(drawn.len(), 4);
            for (place, operation) in drawn.into_iter().enumerate() {
                let (index, position) = match operation {
                    Operation::Brightness(factor) => (0, (factor - 0.6) / 0.8),
                    Operation::Contrast(factor) => (1, (factor - 0.8) / 0.4),
                    Operation::Saturation(factor) => (2, factor / 2.5),
                    Operation::Hue(share) => (3, (share + 0.1) / 0.2),
                    other => panic!("{other:?}"),
                };
                assert!((-1e-12..1.0 + 1e-12).contains(&position), "{operation:?}");
                first[index] += usize::from(place == 0);
                sums[index] += position;
            }
        }
        // 2500 with a standard deviation of 43; the mean of a uniform number has one of 0.289 / 100.
        assert!(first.iter().all(|count| (2284..=2716).contains(count)), "{first:?}");
        assert!(sums.iter().all(|sum| (sum / f64::from(draws) - 0.5).abs() < 0.0145), "{sums:?}");
    }

    #[test]
    fn strengths_of_0_are_left_out() {
        let mut rng = stream(0, Purpose::Transform, 0, 0);
        assert_eq!(draw([0.0; 4], &mut rng).count(), 0);
        let [Operation::Contrast(_)] = draw([0.0, 0.4, 0.0, 0.0], &mut rng).collect::<Vec<_>>()[..] else {
            panic!("expected contrast alone")
        };
    }
}
