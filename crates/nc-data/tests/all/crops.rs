use std::collections::BTreeMap;

use nc_data::{
    Dataset, ImageShape, Loader, LoaderConfig, Normalize, Plan, Sampler, Subset,
    Transform::{self, Crop, Flip},
    ViewConfig,
};
use sha2::{Digest, Sha256};

use crate::refusals::Refusals;
use crate::support::{bits, first_view, plain, sampled, subset, values};

const SHAPE: ImageShape = ImageShape { channels: 2, height: 4, width: 5 };

/// One image with distinct nonzero pixels.
fn image() -> Subset {
    let pixels = (1..=SHAPE.values() as u8).collect();
    Subset::all(&Dataset::new(SHAPE, pixels, vec![0], vec!["only".into()]).unwrap())
}

fn transformed(transforms: &[Transform]) -> Vec<ViewConfig> {
    vec![ViewConfig { transforms: transforms.to_vec(), ..sampled(Sampler::Uniform) }]
}

fn loader(transforms: &[Transform]) -> Loader {
    Loader::new(&image(), LoaderConfig { views: transformed(transforms), ..plain(SHAPE.channels, 1) })
        .unwrap()
}

/// Reference crop: pad, crop, flip.
fn by_definition(padding: usize, top: usize, left: usize, mirrored: bool) -> Vec<f32> {
    let (subset, ImageShape { channels, height, width }) = (image(), SHAPE);
    let pixel = |c: usize, y: usize, x: usize| {
        let inside = (padding..padding + height).contains(&y) && (padding..padding + width).contains(&x);
        let index = || (c * height + y - padding) * width + x - padding;
        if inside { f32::from(subset.image(0)[index()]) } else { 0.0 }
    };
    let mut out = Vec::new();
    for c in 0..channels {
        for y in 0..height {
            for x in 0..width {
                out.push(pixel(c, top + y, left + if mirrored { width - 1 - x } else { x }));
            }
        }
    }
    out
}

#[test]
fn all_crops_and_flips_are_equally_likely() {
    let padding = 2;
    let mut expected = BTreeMap::new();
    for top in 0..=2 * padding {
        for left in 0..=2 * padding {
            for mirrored in [false, true] {
                let key: Vec<u32> = by_definition(padding, top, left, mirrored)
                    .iter()
                    .map(|value| value.round() as u32)
                    .collect();
                assert!(expected.insert(key, 0).is_none());
            }
        }
    }
    let loader = loader(&[Crop { padding }, Flip]);
    let epochs = 5000;
    for epoch in 0..epochs {
        let view = first_view(loader.epoch(epoch));
        let key: Vec<u32> = values(&view).iter().map(|value| value.round() as u32).collect();
        *expected.get_mut(&key).expect("a crop by definition") += 1;
    }
    // 100 expected each, within 5 standard deviations of 9.9.
    assert_eq!(expected.len(), 50);
    assert!(expected.values().all(|times| (51..=149).contains(times)), "{:?}", expected.values());
}

#[test]
fn flip_and_crop_can_be_disabled() {
    let still = loader(&[]);
    let mirrored = loader(&[Flip]);
    let (image, mirror) = (by_definition(0, 0, 0, false), by_definition(0, 0, 0, true));
    let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4);
    let mut mirrors = 0;
    for epoch in 0..400 {
        assert!(close(&values(&first_view(still.epoch(epoch))), &image));
        let found = values(&first_view(mirrored.epoch(epoch)));
        mirrors += usize::from(close(&found, &mirror));
        assert!(close(&found, &mirror) || close(&found, &image));
    }
    assert!((150..=250).contains(&mirrors), "{mirrors} of 400 mirrored");
}

/// Reproducibility of recorded runs: a change here changes every run with crop or flip.
#[test]
fn crops_and_flips_keep_their_recorded_digests() {
    // Channels, height, width, padding; digests with crop and flip, crop, flip, neither.
    for (channels, height, width, padding, digests) in [
        (
            3,
            32,
            32,
            4,
            [
                [223, 235, 167, 230, 90, 193, 180, 156],
                [191, 18, 57, 166, 41, 223, 251, 198],
                [175, 108, 7, 31, 179, 65, 150, 87],
                [31, 147, 77, 76, 160, 133, 99, 210],
            ],
        ),
        (
            1,
            28,
            28,
            2,
            [
                [132, 36, 15, 185, 29, 65, 35, 214],
                [196, 87, 63, 170, 24, 31, 79, 209],
                [193, 233, 38, 95, 218, 23, 19, 251],
                [229, 215, 207, 31, 135, 223, 2, 35],
            ],
        ),
        (
            2,
            5,
            4,
            3,
            [
                [242, 76, 3, 53, 61, 91, 69, 48],
                [183, 192, 231, 124, 50, 23, 191, 121],
                [90, 38, 194, 25, 159, 171, 164, 5],
                [40, 108, 62, 70, 143, 210, 209, 249],
            ],
        ),
        (
            3,
            6,
            9,
            0,
            [
                [22, 19, 71, 85, 210, 113, 83, 29],
                [168, 126, 142, 52, 157, 213, 193, 187],
                [22, 19, 71, 85, 210, 113, 83, 29],
                [168, 126, 142, 52, 157, 213, 193, 187],
            ],
        ),
    ] {
        let all = subset(ImageShape { channels, height, width }, &[7, 4]);
        let lists = [vec![Crop { padding }, Flip], vec![Crop { padding }], vec![Flip], vec![]];
        for (transforms, expected) in lists.into_iter().zip(digests) {
            let first = ViewConfig { transforms, ..sampled(Sampler::Uniform) };
            let second = ViewConfig { plan: Plan::SameAs(0), ..first.clone() };
            let config = LoaderConfig { views: vec![first, second], seed: 11, ..plain(channels, 4) };
            let mut digest = Sha256::new();
            for (images, ..) in bits(Loader::new(&all, config).unwrap().epoch(3)).into_iter().flatten() {
                digest.update(images.into_iter().flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
            }
            assert_eq!(digest.finalize()[..8], expected, "{channels}x{height}x{width}");
        }
    }
}

/// As in torchvision: zeros are padded to the pixels, so the border is normalised like black.
#[test]
fn padding_is_black_before_normalisation() {
    let normalize = Normalize { mean: vec![0.5, 0.25], std: vec![0.5, 0.125] };
    let views = transformed(&[Crop { padding: 3 }]);
    let loader =
        Loader::new(&image(), LoaderConfig { views, normalize, ..plain(SHAPE.channels, 1) }).unwrap();
    let mut smallest = [f32::INFINITY; 2];
    for epoch in 0..50 {
        let found = values(&first_view(loader.epoch(epoch)));
        for (plane, smallest) in found.chunks(20).zip(&mut smallest) {
            *smallest = plane.iter().fold(*smallest, |a, &b| a.min(b));
        }
    }
    assert_eq!(smallest, [-1.0, -2.0]);
}

#[test]
fn normalisation_matches_pytorch() {
    let normalize = Normalize { mean: vec![0.4914, 0.4822], std: vec![0.2023, 0.1994] };
    let config = LoaderConfig { normalize, ..plain(SHAPE.channels, 1) };
    let loader = Loader::sequential(&image(), config).unwrap();
    let found = values(&first_view(loader.epoch(0)));
    assert_eq!(found[0], (1.0f32 / 255.0 - 0.4914) / 0.2023);
    assert_eq!(found[20], (21.0f32 / 255.0 - 0.4822) / 0.1994);
}

#[test]
fn normalisation_statistics_of_a_subset() {
    let shape = ImageShape { channels: 2, height: 1, width: 2 };
    let pixels = vec![0, 255, 7, 7, 255, 0, 7, 7];
    let dataset = Dataset::new(shape, pixels, vec![0, 1], vec!["a".into(), "b".into()]).unwrap();
    let subset = Subset::all(&dataset);
    // The second channel is constant.
    let normalize = Normalize::of(&subset);
    assert_eq!(normalize, Normalize { mean: vec![0.5, 7.0 / 255.0], std: vec![0.5, 1.0] });
    let config = LoaderConfig { normalize, ..plain(2, 2) };
    let found = values(&first_view(Loader::sequential(&subset, config).unwrap().epoch(0)));
    assert_eq!((found[2], found[3]), (0.0, 0.0));
    assert!(found[..2].iter().all(|value| value.abs() == 1.0));
}

fn padded(padding: usize) -> nc_data::Result<Loader> {
    let views = transformed(&[Crop { padding }, Flip]);
    Loader::new(&image(), LoaderConfig { views, ..plain(2, 1) })
}

#[test]
fn padding_may_be_one_pixel_less_than_the_image() {
    assert_eq!(bits(padded(3).unwrap().epoch(0)).len(), 1);
}

pub(crate) fn refused(told: &mut Refusals) {
    for padding in [4, 9, usize::MAX] {
        told.add(format_args!("a crop padding of {padding}"), padded(padding));
    }
}
