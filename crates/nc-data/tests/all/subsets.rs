use nc_data::{
    Dataset, ImageShape, Loader, LoaderConfig, Profile, Sampler, Subset, Transform, ViewConfig, rng::Purpose,
};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::refusals::Refusals;
use crate::support::{SMALL, bits, dataset, plain, sampled, shuffled};

const LONG_TAIL: Profile = Profile::Exponential { ratio: 10.0, largest: Some(20) };

#[test]
fn shuffled_copies_give_the_same_hash_and_batches() {
    let original = dataset(SMALL, &[30, 30, 30, 30]);
    let copy = shuffled(&original, 5);
    assert_ne!(original.labels(), copy.labels());
    for seed in 0..3 {
        let draw = |dataset| Subset::draw(dataset, &LONG_TAIL, seed).unwrap();
        let (ours, theirs) = (draw(&original), draw(&copy));
        assert_eq!(ours.hash(), theirs.hash());
        assert_ne!(ours.indices(), theirs.indices());
        let view = ViewConfig {
            transforms: vec![Transform::Crop { padding: 2 }, Transform::Flip],
            mixup_alpha: Some(0.5),
            ..sampled(Sampler::Reverse)
        };
        let config = LoaderConfig { views: vec![view], ..plain(3, 8) };
        let batches = |subset| bits(Loader::new(subset, config.clone()).unwrap().epoch(4));
        assert_eq!(batches(&ours), batches(&theirs));
    }
    assert_eq!(Subset::all(&original).hash(), Subset::all(&copy).hash());
}

#[test]
fn draws_are_seeded_without_replacement_and_match_the_profile() {
    let dataset = dataset(SMALL, &[30, 30, 30, 30]);
    let subset = Subset::draw(&dataset, &LONG_TAIL, 0).unwrap();
    assert_eq!(subset.class_counts(), [20, 9, 4, 2]);
    assert_eq!(subset.len(), 35);
    assert!(subset.labels().is_sorted());
    let mut indices = subset.indices().to_vec();
    indices.sort_unstable();
    indices.dedup();
    assert_eq!(indices.len(), 35);
    for (position, &index) in subset.indices().iter().enumerate() {
        assert_eq!(dataset.labels()[index], subset.labels()[position]);
        assert_eq!(dataset.image(index), subset.image(position));
    }
    assert_ne!(subset.indices(), Subset::draw(&dataset, &LONG_TAIL, 1).unwrap().indices());
}

/// Every image of a class is equally likely to be kept.
#[test]
fn draws_are_uniform_within_a_class() {
    let dataset = dataset(SMALL, &[10]);
    let mut kept = [0; 10];
    for seed in 0..2000 {
        let profile = Profile::Balanced { per_class: Some(3) };
        for &index in Subset::draw(&dataset, &profile, seed).unwrap().indices() {
            kept[index] += 1;
        }
    }
    // 600 +- 5 standard deviations of 20.5.
    assert!(kept.iter().all(|times| (498..=702).contains(times)), "{kept:?}");
}

#[test]
fn the_hash_follows_its_documentation() {
    let dataset = dataset(SMALL, &[2, 0, 1]);
    let subset = Subset::all(&dataset);
    let mut expected = Sha256::new();
    for value in [3u64, 5, 4, 3] {
        expected.update(value.to_le_bytes());
    }
    let mut digests: Vec<_> = [0, 1].map(|index| Sha256::digest(dataset.image(index))).into();
    digests.sort();
    expected.update(2u64.to_le_bytes());
    for digest in digests {
        expected.update(digest);
    }
    expected.update(0u64.to_le_bytes());
    expected.update(1u64.to_le_bytes());
    expected.update(Sha256::digest(dataset.image(2)));
    let expected: Vec<String> = expected.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(subset.hash(), expected.concat());
}

#[test]
fn the_hash_depends_on_pixels_labels_and_sizes() {
    let names = || vec!["a".to_owned(), "b".to_owned()];
    let hash = |height, width, pixels: [u8; 4], labels: [u32; 2]| {
        let shape = ImageShape { channels: 1, height, width };
        let dataset = Dataset::new(shape, pixels.into(), labels.into(), names()).unwrap();
        Subset::all(&dataset).hash().to_owned()
    };
    let hashes = [
        hash(1, 2, [1, 2, 3, 4], [0, 1]),
        hash(2, 1, [1, 2, 3, 4], [0, 1]),
        hash(1, 2, [1, 2, 3, 5], [0, 1]),
        hash(1, 2, [1, 2, 3, 4], [1, 0]),
        hash(1, 2, [1, 2, 3, 4], [0, 0]),
    ];
    for (index, hash) in hashes.iter().enumerate() {
        assert!(!hashes[index + 1..].contains(hash));
    }
}

pub(crate) fn refused(told: &mut Refusals) {
    let shape = ImageShape { channels: 1, height: 2, width: 3 };
    let huge = ImageShape { channels: usize::MAX, height: 2, width: 2 };
    for (tried, shape, pixels, labels, classes) in [
        ("one pixel too few", shape, 11, vec![0, 0], 1),
        ("a label beyond the classes", shape, 12, vec![0, 4], 3),
        ("a data set without classes", shape, 0, vec![], 0),
        ("images without pixels", ImageShape { width: 0, ..shape }, 0, vec![0], 1),
        ("images larger than any memory", huge, 4, vec![0], 1),
    ] {
        told.add(tried, Dataset::new(shape, vec![0; pixels], labels, vec!["a".to_owned(); classes]));
    }
    let all = Subset::all(&dataset(SMALL, &[2, 1]));
    told.add(
        "more images than there are",
        Subset::draw(all.dataset(), &Profile::Balanced { per_class: Some(2) }, 0),
    );
    for fraction in [0.0, 1.0, -0.5, f64::NAN] {
        told.add(format_args!("{fraction} of the images held out"), all.hold_out(fraction, 0, Purpose::Test));
    }
}

proptest! {
    #[test]
    fn subsets_are_independent_of_file_order(
        counts in proptest::collection::vec(1usize..12, 1..5), order in any::<u64>(), seed in any::<u64>(),
    ) {
        let original = dataset(ImageShape { channels: 1, height: 1, width: 2 }, &counts);
        let profile = Profile::Balanced { per_class: None };
        let ours = Subset::draw(&original, &profile, seed).unwrap();
        let theirs = Subset::draw(&shuffled(&original, order), &profile, seed).unwrap();
        prop_assert_eq!(ours.hash(), theirs.hash());
        for position in 0..ours.len() {
            prop_assert_eq!(ours.image(position), theirs.image(position));
        }
    }
}

#[test]
fn held_out_images_are_a_seeded_share_per_class_independent_of_order() {
    let counts = [40, 15, 5, 2, 1];
    let images = dataset(SMALL, &counts);
    let all = Subset::all(&images);
    let (rest, held_out) = all.hold_out(0.2, 4, Purpose::Validation).unwrap();
    assert_eq!(held_out.class_counts(), [8, 3, 1, 1, 0]);
    assert_eq!(rest.class_counts(), [32, 12, 4, 1, 1]);
    let mut places = [rest.indices(), held_out.indices()].concat();
    places.sort_unstable();
    assert_eq!(places, (0..63).collect::<Vec<_>>());

    let (again, again_held_out) =
        Subset::all(&shuffled(&images, 8)).hold_out(0.2, 4, Purpose::Validation).unwrap();
    assert_eq!((again.hash(), again_held_out.hash()), (rest.hash(), held_out.hash()));
    for (seed, purpose) in [(5, Purpose::Validation), (4, Purpose::Test)] {
        assert_ne!(all.hold_out(0.2, seed, purpose).unwrap().1.hash(), held_out.hash());
    }

    // Draws from the rest contain no held-out images.
    let drawn = rest.thinned(&Profile::Balanced { per_class: Some(1) }, 0).unwrap();
    assert!(drawn.indices().iter().all(|place| rest.indices().contains(place)));
}
