use nc_data::Profile;
use proptest::prelude::*;

use crate::refusals::Refusals;

fn exponential(ratio: f64) -> Profile {
    Profile::Exponential { ratio, largest: None }
}

/// Published totals of the long-tailed CIFAR sets (LDAM and later papers).
#[test]
fn cifar_totals_match_the_literature() {
    let total =
        |ratio, available: &[usize]| -> usize { exponential(ratio).counts(available).unwrap().iter().sum() };
    for (ratio, cifar10, cifar100) in
        [(10.0, 20431, 19573), (50.0, 13996, 12608), (100.0, 12406, 10847), (200.0, 11203, 9502)]
    {
        assert_eq!(total(ratio, &[5000; 10]), cifar10, "CIFAR10-LT, ratio {ratio}");
        assert_eq!(total(ratio, &[500; 100]), cifar100, "CIFAR100-LT, ratio {ratio}");
    }
    let counts = exponential(100.0).counts(&[5000; 10]).unwrap();
    assert_eq!(counts, [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]);
}

#[test]
fn whole_quotients_stay_whole() {
    // Powers such as 0.01^(1/2) are not exact in binary.
    assert_eq!(exponential(100.0).counts(&[1000; 3]).unwrap(), [1000, 100, 10]);
    assert_eq!(
        exponential(1e6).counts(&[1_000_000; 7]).unwrap(),
        [1_000_000, 100_000, 10_000, 1000, 100, 10, 1]
    );
    assert_eq!(exponential(3.0).counts(&[300; 2]).unwrap(), [300, 100]);
    assert_eq!(Profile::Step { ratio: 0.1 / 0.01, largest: None }.counts(&[70; 2]).unwrap(), [70, 7]);
}

#[test]
fn full_balanced_counts_and_step_profiles() {
    let available = [9, 7, 8];
    assert_eq!(Profile::Full.counts(&available).unwrap(), available);
    assert_eq!(Profile::Balanced { per_class: None }.counts(&available).unwrap(), [7; 3]);
    assert_eq!(Profile::Balanced { per_class: Some(2) }.counts(&available).unwrap(), [2; 3]);
    assert_eq!(Profile::Counts { counts: vec![1, 0, 8] }.counts(&available).unwrap(), [1, 0, 8]);
    let step = Profile::Step { ratio: 100.0, largest: Some(5000) };
    assert_eq!(step.counts(&[5000; 4]).unwrap(), [5000, 5000, 50, 50]);
    assert_eq!(exponential(100.0).counts(&[5000]).unwrap(), [5000]); // one class
}

pub(crate) fn refused(told: &mut Refusals) {
    for (profile, available) in [
        (Profile::Balanced { per_class: Some(8) }, &[9, 7][..]),
        (Profile::Balanced { per_class: None }, &[9, 0, 7]),
        (Profile::Counts { counts: vec![1] }, &[9, 7]),
        (Profile::Counts { counts: vec![0, 0] }, &[1, 1]),
        (exponential(100.0), &[50; 3]),
        (exponential(2.0), &[9, 0, 7]),
        (Profile::Step { ratio: 2.0, largest: None }, &[9, 0, 7]),
        (Profile::Full, &[]),
        (Profile::Full, &[0]),
    ] {
        told.add(format_args!("{profile:?} of {available:?}"), profile.counts(available));
    }
    for ratio in [0.5, 0.0, -1.0, f64::NAN, f64::INFINITY] {
        told.add(format_args!("an imbalance ratio of {ratio}"), exponential(ratio).counts(&[9, 7]));
    }
}

/// Integer reference: the largest n with n^(K-1) r^k <= n_max^(K-1).
fn exact(largest: u128, ratio: u128, classes: u32, class: u32) -> usize {
    let fits = |n: &u128| n.pow(classes - 1) * ratio.pow(class) <= largest.pow(classes - 1);
    (0..=largest).rev().find(fits).unwrap() as usize
}

proptest! {
    #[test]
    fn exponential_counts_are_exact_floors(largest in 100usize..2000, ratio in 1usize..100, classes in 2usize..7) {
        let profile = Profile::Exponential { ratio: ratio as f64, largest: Some(largest) };
        let counts = profile.counts(&vec![largest; classes]).unwrap();
        for (class, &count) in counts.iter().enumerate() {
            let expected = exact(largest as u128, ratio as u128, classes as u32, class as u32);
            prop_assert_eq!(count, expected, "class {}", class);
        }
    }

    #[test]
    fn step_counts_have_two_sizes(largest in 1000usize..5000, ratio in 1usize..1000, classes in 2usize..20) {
        let profile = Profile::Step { ratio: ratio as f64, largest: Some(largest) };
        let counts = profile.counts(&vec![largest; classes]).unwrap();
        prop_assert!(counts[..classes / 2].iter().all(|&count| count == largest));
        prop_assert!(counts[classes / 2..].iter().all(|&count| count == largest / ratio));
    }

    #[test]
    fn no_profile_panics_or_exceeds_the_available_images(
        kind in 0usize..5,
        ratio in any::<f64>(),
        number in proptest::option::of(any::<usize>()),
        counts in proptest::collection::vec(0usize..30, 0..6),
        available in proptest::collection::vec(0usize..30, 0..6),
    ) {
        let profile = match kind {
            0 => Profile::Full,
            1 => Profile::Balanced { per_class: number },
            2 => Profile::Exponential { ratio, largest: number },
            3 => Profile::Step { ratio, largest: number },
            _ => Profile::Counts { counts },
        };
        if let Ok(kept) = profile.counts(&available) {
            prop_assert_eq!(kept.len(), available.len());
            prop_assert!(kept.iter().zip(&available).all(|(kept, there)| kept <= there));
        }
    }
}
