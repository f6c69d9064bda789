use std::collections::BTreeMap;

use nc_data::{Augment, Dataset, ImageShape, Loader, LoaderConfig, Normalize, Sampler, Subset, ViewConfig};

use crate::refusals::Refusals;
use crate::support::{bits, first_view, plain, sampled, values};

const SHAPE: ImageShape = ImageShape { channels: 2, height: 4, width: 5 };

/// One image with distinct nonzero pixels.
fn image() -> Subset {
    let pixels = (1..=SHAPE.values() as u8).collect();
    Subset::all(&Dataset::new(SHAPE, pixels, vec![0], vec!["only".into()]).unwrap())
}

fn augmented(augment: Augment) -> Vec<ViewConfig> {
    vec![ViewConfig { augment: Some(augment), ..sampled(Sampler::Uniform) }]
}

fn loader(augment: Augment) -> Loader {
    Loader::new(&image(), LoaderConfig { views: augmented(augment), ..plain(SHAPE.channels, 1) }).unwrap()
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
    let loader = loader(Augment { crop_padding: padding, flip: true });
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
    let still = loader(Augment { crop_padding: 0, flip: false });
    let mirrored = loader(Augment { crop_padding: 0, flip: true });
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

/// As in torchvision: zeros are padded to the pixels, so the border is normalised like black.
#[test]
fn padding_is_black_before_normalisation() {
    let normalize = Normalize { mean: vec![0.5, 0.25], std: vec![0.5, 0.125] };
    let views = augmented(Augment { crop_padding: 3, flip: false });
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

fn padded(crop_padding: usize) -> nc_data::Result<Loader> {
    let views = augmented(Augment { crop_padding, flip: true });
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
