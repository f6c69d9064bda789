use nc_data::{Loader, LoaderConfig, Sampler, Subset};
use proptest::prelude::*;

use crate::refusals::Refusals;
use crate::support::{SMALL, plain, sampled, subset};

const COUNTS: [usize; 5] = [400, 120, 0, 30, 3];
/// Number of epochs for the progressive sampler.
const EPOCHS: Option<usize> = Some(4);

fn all() -> [Sampler; 6] {
    [
        Sampler::Uniform,
        Sampler::ClassBalanced,
        Sampler::EffectiveNumber { beta: 0.99 },
        Sampler::SquareRoot,
        Sampler::Reverse,
        Sampler::Progressive,
    ]
}

/// Number of draws of each image in the plans of these seeds and epochs.
fn drawn(subset: &Subset, sampler: Sampler, plans: &[(u64, usize)]) -> Vec<usize> {
    let mut drawn = vec![0; subset.len()];
    for position in plans.iter().flat_map(|&(seed, epoch)| sampler.plan(subset, seed, epoch, EPOCHS).unwrap())
    {
        drawn[position as usize] += 1;
    }
    drawn
}

/// Asserts a binomial count within five standard deviations.
fn assert_frequency(drawn: usize, of: usize, probability: f64, what: &str) {
    let (expected, n) = (of as f64 * probability, of as f64);
    let bound = 5.0 * (n * probability * (1.0 - probability)).sqrt() + 1e-9;
    assert!(
        (drawn as f64 - expected).abs() <= bound,
        "{what}: {drawn} drawn of {of}, expected {expected:.1}"
    );
}

/// Asserts that the images of a class are equally likely: chi-square of n_k - 1 degrees of freedom, and none left out.
fn assert_even(drawn: &[usize], what: &str) {
    let (sum, images) = (drawn.iter().sum::<usize>() as f64, drawn.len() as f64);
    let expected = sum / images;
    let chi_square: f64 = drawn.iter().map(|&n| (n as f64 - expected).powi(2) / expected).sum();
    let bound = images + 5.0 * (2.0 * images).sqrt() + 20.0;
    assert!(chi_square < bound, "{what}: chi-square {chi_square:.0} for {images} images");
    assert!(expected < 20.0 || drawn.iter().all(|&n| n > 0), "{what}: an image is never drawn");
}

#[test]
fn class_probabilities_follow_their_formulas() {
    let close = |sampler: Sampler, epoch: usize, expected: [f64; 5]| {
        let found = sampler.class_probabilities(&COUNTS, epoch, EPOCHS).unwrap();
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{sampler:?}: {found} is not {expected}");
        }
    };
    let n = 553.0;
    close(Sampler::Uniform, 0, [400.0 / n, 120.0 / n, 0.0, 30.0 / n, 3.0 / n]);
    close(Sampler::ClassBalanced, 0, [0.25, 0.25, 0.0, 0.25, 0.25]);
    let inverse = [1.0 / 400.0, 1.0 / 120.0, 0.0, 1.0 / 30.0, 1.0 / 3.0];
    let total: f64 = inverse.iter().sum();
    close(Sampler::Reverse, 0, inverse.map(|weight| weight / total));
    let root = [20.0, 120.0f64.sqrt(), 0.0, 30.0f64.sqrt(), 3.0f64.sqrt()];
    let total: f64 = root.iter().sum();
    close(Sampler::SquareRoot, 0, root.map(|weight| weight / total));
    // (1 - beta) / (1 - beta^n) is 1 over the sum of beta^i, i < n.
    let effective =
        COUNTS.map(|n| n as f64 / (0..n as i32).map(|i| 0.99f64.powi(i)).sum::<f64>().max(1e-300));
    let total: f64 = effective.iter().sum();
    close(Sampler::EffectiveNumber { beta: 0.99 }, 0, effective.map(|weight| weight / total));
    close(Sampler::EffectiveNumber { beta: 0.0 }, 0, [400.0 / n, 120.0 / n, 0.0, 30.0 / n, 3.0 / n]);
    close(Sampler::EffectiveNumber { beta: 1.0 }, 0, [0.25, 0.25, 0.0, 0.25, 0.25]);
}

#[test]
fn progressive_interpolates_from_uniform_to_balanced() {
    let of =
        |epoch, epochs| Sampler::Progressive.class_probabilities(&[30, 10], epoch, Some(epochs)).unwrap();
    let at = |epoch| of(epoch, 5);
    assert_eq!(at(0), [0.75, 0.25]);
    assert_eq!(at(2), [0.625, 0.375]);
    assert_eq!(at(4), [0.5, 0.5]);
    assert_eq!(at(9), [0.5, 0.5]);
    for epochs in [0, 1] {
        assert_eq!(of(0, epochs), [0.75, 0.25]);
    }
}

#[test]
fn classes_and_images_are_drawn_with_their_probabilities() {
    let subset = subset(SMALL, &COUNTS);
    for sampler in all() {
        // One epoch per seed, because progressive sampling changes with the epoch.
        for epoch in [0, 2, 3] {
            let plans: Vec<_> = (0..60).map(|seed| (seed, epoch)).collect();
            let draws = subset.len() * plans.len();
            let drawn = drawn(&subset, sampler, &plans);
            let probabilities = sampler.class_probabilities(&COUNTS, epoch, EPOCHS).unwrap();
            let mut start = 0;
            for (class, (&count, probability)) in COUNTS.iter().zip(probabilities).enumerate() {
                let images = &drawn[start..start + count];
                start += count;
                let what = format!("{sampler:?}, class {class}");
                assert_frequency(images.iter().sum(), draws, probability, &what);
                if count > 0 {
                    assert_even(images, &what);
                }
            }
        }
    }
}

#[test]
fn uniform_shuffles_all_images_differently_each_epoch() {
    let subset = subset(SMALL, &COUNTS);
    assert!(drawn(&subset, Sampler::Uniform, &[(7, 0), (7, 1), (7, 2)]).iter().all(|&times| times == 3));
    let plan = |seed, epoch| Sampler::Uniform.plan(&subset, seed, epoch, None).unwrap();
    assert_ne!(plan(7, 0), plan(7, 1));
    assert_ne!(plan(7, 0), plan(8, 0));
}

/// Reproducibility of recorded runs: a change here changes every run.
#[test]
fn plans_keep_their_recorded_positions() {
    let subset = subset(SMALL, &COUNTS);
    let first = |sampler: Sampler| sampler.plan(&subset, 0, 3, EPOCHS).unwrap()[..6].to_vec();
    assert_eq!(first(Sampler::Uniform), [451, 507, 277, 141, 173, 350]);
    assert_eq!(first(Sampler::ClassBalanced), [552, 187, 31, 516, 473, 552]);
}

pub(crate) fn refused(told: &mut Refusals) {
    let subset = subset(SMALL, &COUNTS);
    for beta in [-0.1, 1.1, f64::NAN] {
        let sampler = Sampler::EffectiveNumber { beta };
        let config = LoaderConfig { views: vec![sampled(sampler)], ..plain(3, 2) };
        told.add(format_args!("a sampler of beta {beta}"), Loader::new(&subset, config));
        assert!(sampler.plan(&subset, 0, 0, None).is_err());
        assert!(sampler.class_probabilities(&COUNTS, 0, None).is_err());
    }
}

#[test]
fn progressive_sampling_needs_the_number_of_epochs() {
    let subset = subset(SMALL, &COUNTS);
    let sampler = Sampler::Progressive;
    let config = LoaderConfig { views: vec![sampled(sampler)], ..plain(3, 7) };
    for error in [
        Loader::new(&subset, config.clone()).unwrap_err(),
        sampler.plan(&subset, 0, 0, None).unwrap_err(),
        sampler.class_probabilities(&COUNTS, 0, None).unwrap_err(),
    ] {
        assert_eq!(error.to_string(), "the progressive sampler needs the number of epochs, found none");
    }
    let loader = Loader::new(&subset, LoaderConfig { epochs: EPOCHS, ..config }).unwrap();
    let positions = loader.epoch(2).flat_map(|batch| batch.unwrap().into_first().positions);
    assert_eq!(positions.collect::<Vec<_>>(), sampler.plan(&subset, 0, 2, EPOCHS).unwrap());
}

proptest! {
    #[test]
    fn probabilities_sum_to_one_and_empty_classes_are_never_drawn(
        counts in proptest::collection::vec(0usize..40, 1..12),
        which in 0usize..6,
        epoch in 0usize..6,
        seed in any::<u64>(),
    ) {
        prop_assume!(counts.iter().any(|&count| count > 0));
        let (sampler, subset) = (all()[which], subset(SMALL, &counts));
        let probabilities = sampler.class_probabilities(&counts, epoch, EPOCHS).unwrap();
        prop_assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        for (probability, &count) in probabilities.iter().zip(&counts) {
            prop_assert_eq!(*probability > 0.0, count > 0);
        }
        let plan = sampler.plan(&subset, seed, epoch, EPOCHS).unwrap();
        prop_assert_eq!(plan.len(), subset.len());
        prop_assert!(plan.iter().all(|&position| (position as usize) < subset.len()));
        prop_assert_eq!(plan, sampler.plan(&subset, seed, epoch, EPOCHS).unwrap());
    }

    #[test]
    fn probabilities_are_never_nan(
        counts in proptest::collection::vec(0usize..5, 0..5), beta in 0.0..=1.0f64, epochs in any::<usize>(),
        epoch in any::<usize>(),
    ) {
        for sampler in [Sampler::EffectiveNumber { beta }, Sampler::Progressive, Sampler::Reverse] {
            let probabilities = sampler.class_probabilities(&counts, epoch, Some(epochs)).unwrap();
            prop_assert!(probabilities.iter().all(|probability| !probability.is_nan()));
        }
    }
}
