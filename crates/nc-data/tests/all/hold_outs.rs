//! Hold-outs of images in groups.

use std::collections::{BTreeMap, BTreeSet};

use nc_data::{Dataset, ImageShape, Profile, Subset, fashion_mnist_lt, rng::Purpose};
use proptest::prelude::*;

use crate::support::{dataset, permuted};

const TINY: ImageShape = ImageShape { channels: 1, height: 2, width: 4 };

/// Images in groups; `groups[k]` holds the sizes of the groups of class k.
fn grouped(groups: &[Vec<usize>]) -> Dataset {
    let counts: Vec<usize> = groups.iter().map(|sizes| sizes.iter().sum()).collect();
    let sizes = groups.iter().flatten().enumerate();
    let numbers = sizes.flat_map(|(number, &size)| vec![number as u32; size]).collect();
    dataset(TINY, &counts).with_groups(numbers).unwrap()
}

fn hold_out(images: &Dataset, fraction: f64, seed: u64) -> (Subset, Subset) {
    Subset::all(images).hold_out(fraction, seed, Purpose::Test).unwrap()
}

/// Sizes of the groups of a class in a subset, by number.
fn sizes(subset: &Subset, class: u32) -> BTreeMap<u32, usize> {
    let groups = subset.dataset().groups().unwrap();
    let mut sizes = BTreeMap::new();
    for (&index, _) in subset.indices().iter().zip(subset.labels()).filter(|(_, label)| **label == class) {
        *sizes.entry(groups[index]).or_default() += 1;
    }
    sizes
}

/// Hashes of runs depend on these draws.
#[test]
fn hold_outs_without_groups_are_those_of_earlier_versions() {
    let all = Subset::all(&fashion_mnist_lt().unwrap().train);
    let (rest, held_out) = all.hold_out(0.1, 3, Purpose::Validation).unwrap();
    // Of version 0.1.0: nclt train --set 'data.validation={fraction=0.1, seed=3}'.
    let drawn = rest.thinned(&Profile::Full, 0).unwrap();
    assert_eq!(&drawn.hash()[..16], "e6cced47ca08f3bd");
    assert_eq!(held_out.class_counts(), [100, 60, 36, 22, 13, 8, 5, 3, 2, 1]);
}

#[test]
fn a_class_of_one_group_is_kept_whole_and_of_two_split() {
    let images = grouped(&[vec![9], vec![1, 7], vec![1], vec![3, 3, 3, 3]]);
    for seed in 0..20 {
        let (rest, held_out) = hold_out(&images, 0.2, seed);
        assert_eq!(held_out.class_counts()[0], 0);
        assert_eq!(rest.class_counts()[2], 1);
        // 2 of 8 are wanted: the group of one comes closer than none, that of seven does not.
        assert_eq!(held_out.class_counts()[1], 1);
        // 2 of 12 are wanted.
        assert_eq!(held_out.class_counts()[3], 3);
        assert_eq!(held_out.group_counts().unwrap(), [0, 1, 0, 1]);
    }
}

/// Two of eight images are wanted, and each group has four: one must go nevertheless.
#[test]
fn the_smallest_group_goes_if_all_are_too_large() {
    let (_, held_out) = hold_out(&grouped(&[vec![20, 19, 21], vec![4, 4]]), 0.1, 0);
    assert_eq!(held_out.class_counts(), [19, 4]);
}

#[test]
fn every_group_can_be_drawn() {
    let images = grouped(&[vec![2; 6]]);
    let drawn = (0..100).flat_map(|seed| sizes(&hold_out(&images, 0.2, seed).1, 0).into_keys());
    assert_eq!(drawn.collect::<BTreeSet<_>>().len(), 6);
}

/// Group 0 is the only one of class 2 and group 1 that of class 3, so that neither may leave training.
#[test]
fn groups_of_several_classes_stay_on_one_side() {
    let images = dataset(TINY, &[6, 4, 2, 2]);
    let numbers = vec![0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 0, 0, 1, 1];
    let images = images.with_groups(numbers).unwrap();
    for seed in 0..20 {
        let (rest, held_out) = hold_out(&images, 0.5, seed);
        assert_eq!(held_out.class_counts(), [0, 2, 0, 0]);
        assert_eq!(rest.group_counts().unwrap(), [2, 1, 1, 1]);
    }
    // A group of several classes is held out if it brings all of them closer.
    let images = dataset(TINY, &[8, 8]).with_groups((0..16).map(|index| index % 4).collect()).unwrap();
    let (_, held_out) = hold_out(&images, 0.25, 1);
    assert_eq!(held_out.class_counts(), [2, 2]);
}

proptest! {
    #[test]
    fn groups_stay_whole_and_shares_are_met(
        groups in proptest::collection::vec(proptest::collection::vec(1usize..9, 1..7), 1..5),
        percent in 1u32..100, seed in any::<u64>(), order in any::<u64>(),
    ) {
        let fraction = f64::from(percent) / 100.0;
        let images = grouped(&groups);
        let (rest, held_out) = hold_out(&images, fraction, seed);
        prop_assert_eq!(rest.len() + held_out.len(), images.len());
        for (class, of_class) in groups.iter().enumerate() {
            let (kept, out) = (sizes(&rest, class as u32), sizes(&held_out, class as u32));
            prop_assert!(kept.keys().all(|group| !out.contains_key(group)));
            prop_assert!(!kept.is_empty());
            prop_assert_eq!(out.is_empty(), of_class.len() == 1);
            // No further group comes closer to the number wanted, unless it is the last.
            let images: usize = of_class.iter().sum();
            let wanted = nc_data::held_out_count(images, fraction);
            let taken: usize = out.values().sum();
            if kept.len() > 1 {
                let closer = |size: &usize| (taken + size).abs_diff(wanted) < taken.abs_diff(wanted);
                prop_assert!(!kept.values().any(closer), "{of_class:?} {taken} of {wanted}");
            }
        }
        // Neither the order of files nor the numbers of groups matter.
        let (again, again_held_out) = hold_out(&permuted(&images, order), fraction, seed);
        prop_assert_eq!(again.hash(), rest.hash());
        prop_assert_eq!(again_held_out.hash(), held_out.hash());
    }
}
