use nc_data::{
    ImageShape, Interpolation, Loader, LoaderConfig, Plan, Sample, Sampler, Subset, Transform, ViewConfig,
    rng::{Purpose, stream, transform_stream},
};
use proptest::prelude::*;
use rand::Rng;

use crate::refusals::Refusals;
use crate::support::{SMALL, bits, dataset, plain, sampled, subset};

const SHAPE: ImageShape = ImageShape { channels: 3, height: 9, width: 8 };
const JITTER: Transform =
    Transform::ColorJitter { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1, probability: 0.8 };
const BLUR: Transform = Transform::GaussianBlur { probability: 0.5, smallest_sigma: 0.5, largest_sigma: 2.0 };
/// Filled with grey, so that grey images are filled alike.
const RAND_AUGMENT: Transform =
    Transform::RandAugment { layers: 2, magnitude: 9.0, deviation: 0.5, fill: [117; 3] };

/// One of each kind.
const ALL: [Transform; 12] = [
    Transform::Crop { padding: 2 },
    Transform::Flip,
    Transform::Rotation { degrees: 40.0 },
    Transform::RandomResizedCrop {
        size: Some(9),
        smallest_area: 0.2,
        interpolation: Interpolation::Bilinear,
    },
    Transform::Resize { size: 10, interpolation: Interpolation::Bilinear },
    Transform::CenterCrop { size: 8 },
    JITTER,
    Transform::Grey { probability: 0.2 },
    BLUR,
    RAND_AUGMENT,
    Transform::AutoAugmentCifar10,
    Transform::Cutout { length: 4 },
];

fn config(transforms: &[Transform]) -> LoaderConfig {
    let first = ViewConfig { transforms: transforms.to_vec(), ..sampled(Sampler::Uniform) };
    let second = ViewConfig { plan: Plan::SameAs(0), ..first.clone() };
    LoaderConfig { views: vec![first, second], seed: 5, ..plain(SHAPE.channels, 4) }
}

fn loader(transforms: &[Transform]) -> Loader {
    Loader::new(&subset(SHAPE, &[9, 2]), config(transforms)).unwrap()
}

/// All images of view 0 in `epochs` epochs.
fn samples(transforms: &[Transform], epochs: usize) -> Vec<Sample> {
    let loader = loader(transforms);
    (0..epochs).flat_map(|epoch| loader.samples(0, epoch, 0..11).unwrap()).collect()
}

/// Any list in which crop and flip occur at most once.
fn any_list() -> impl Strategy<Value = Vec<Transform>> {
    proptest::collection::vec(0..ALL.len(), 0..6).prop_map(|kinds| {
        let once = |(place, kind): &(usize, usize)| *kind >= 2 || !kinds[..*place].contains(kind);
        kinds.iter().copied().enumerate().filter(once).map(|(_, kind)| ALL[kind]).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Any number of workers and any first batch give the same images, which are also those of `samples`.
    #[test]
    fn batches_match_samples(list in any_list(), workers in 0usize..4, first in 0usize..4, epoch in 0usize..3) {
        let whole = bits(loader(&list).epoch(epoch));
        let many = LoaderConfig { workers, ..config(&list) };
        let many = Loader::new(&subset(SHAPE, &[9, 2]), many).unwrap();
        prop_assert_eq!(&bits(many.epoch_from(epoch, first)), &whole[first..]);
        for view in [0, 1] {
            let values = many.image_shape(view).values();
            let images = whole.iter().flat_map(|batch| batch[view].0.chunks(values).zip(&batch[view].2));
            let shown = many.samples(view, epoch, 0..11).unwrap();
            prop_assert_eq!(shown.len(), images.clone().count());
            for (sample, (image, &position)) in shown.iter().zip(images) {
                let pixels: Vec<u8> = image.iter().map(|&bits| f32::from_bits(bits).round() as u8).collect();
                prop_assert_eq!((sample.position, &sample.pixels), (position, &pixels));
            }
        }
    }

    /// Grey images are transformed like colour images of three equal channels.
    #[test]
    fn grey_images_match_colour_images(list in any_list(), epoch in 0usize..3) {
        let shape = ImageShape { channels: 1, ..SHAPE };
        let grey = dataset(shape, &[1; 6]);
        let colour = grey.with_channels(3).unwrap();
        let [grey, colour] = [(grey, 1), (colour, 3)].map(|(images, channels)| {
            let config = LoaderConfig { normalize: plain(channels, 4).normalize, ..config(&list) };
            Loader::new(&Subset::all(&images), config).unwrap().samples(1, epoch, 0..6).unwrap()
        });
        for (grey, colour) in grey.iter().zip(&colour) {
            prop_assert_eq!(grey.position, colour.position);
            prop_assert_eq!(&grey.pixels.repeat(3), &colour.pixels);
        }
    }

    /// Transforms that draw but do nothing show whether they move the draws of others.
    #[test]
    fn a_transform_moves_no_draws_of_others(list in any_list(), idle in 0usize..4, place in 0usize..6) {
        let idle = [
            Transform::Rotation { degrees: 0.0 },
            Transform::ColorJitter { brightness: 0.0, contrast: 0.0, saturation: 0.0, hue: 0.0, probability: 0.5 },
            Transform::Grey { probability: 0.0 },
            Transform::GaussianBlur { probability: 0.5, smallest_sigma: 0.0, largest_sigma: 0.0 },
        ][idle];
        let mut longer: Vec<Transform> = list.clone();
        longer.retain(|transform| transform.stream_kind() != idle.stream_kind());
        let expected = samples(&longer, 1);
        longer.insert(place.min(longer.len()), idle);
        prop_assert_eq!(samples(&longer, 1), expected);
    }
}

/// The hole of each cut-out follows from its documented stream, whatever surrounds it; so do crop and flip.
#[test]
fn transforms_draw_from_their_documented_streams() {
    let cutout = Transform::Cutout { length: 4 };
    let crop_and_flip = [Transform::Crop { padding: 2 }, Transform::Flip];
    let hole = |occurrence: u32, place: usize| {
        let mut rng = transform_stream(5, 12, occurrence, 0, place as u64);
        let (row, column) = (rng.random_range(0..9usize), rng.random_range(0..8usize));
        move |y: usize, x: usize| (y + 2 >= row && y < row + 2) && (x + 2 >= column && x < column + 2)
    };
    let plain = samples(&crop_and_flip, 1);
    let cut = samples(&[&crop_and_flip[..], &[cutout, cutout]].concat(), 1);
    let changed =
        samples(&[&[BLUR, JITTER][..], &crop_and_flip[..], &[RAND_AUGMENT, cutout, cutout]].concat(), 1);
    for place in 0..11 {
        let (first, second) = (hole(0, place), hole(1, place));
        for index in 0..SHAPE.values() {
            let (y, x) = (index / 8 % 9, index % 8);
            if first(y, x) || second(y, x) {
                assert_eq!((cut[place].pixels[index], changed[place].pixels[index]), (0, 0));
            } else {
                assert_eq!(cut[place].pixels[index], plain[place].pixels[index]);
            }
        }
    }
    assert_ne!(cut, changed);

    // Crop and flip draw top, left and flip, in this order.
    let unchanged = samples(&[], 1);
    for (place, (sample, original)) in plain.iter().zip(&unchanged).enumerate() {
        let mut rng = stream(5, Purpose::Augment, 0, place as u64);
        let (top, left): (usize, usize) = (rng.random_range(0..=4), rng.random_range(0..=4));
        let mirrored: bool = rng.random();
        for index in 0..SHAPE.values() {
            let (channel, y, x) = (index / 72, index / 8 % 9, index % 8);
            let (y, x) = (y + top, if mirrored { 7 - x } else { x } + left);
            let inside = (2..11).contains(&y) && (2..10).contains(&x);
            let expected = if inside { original.pixels[channel * 72 + (y - 2) * 8 + x - 2] } else { 0 };
            assert_eq!(sample.pixels[index], expected);
        }
    }
}

/// A longer list crops and flips like the short one, in either order of the two.
#[test]
fn longer_lists_crop_and_flip_alike() {
    let (crop, flip, idle) =
        (Transform::Crop { padding: 3 }, Transform::Flip, Transform::Rotation { degrees: 0.0 });
    assert_eq!(samples(&[crop, flip, idle], 3), samples(&[crop, flip], 3));
    assert_eq!(samples(&[idle, crop], 3), samples(&[crop], 3));
    assert_eq!(samples(&[idle, flip], 3), samples(&[flip], 3));
    assert_eq!(samples(&[flip, crop], 3), samples(&[flip, idle, crop], 3));
    assert_ne!(samples(&[flip, crop], 3), samples(&[crop, flip], 3));
}

#[test]
fn lists_set_the_size_of_the_images() {
    let shape = |transforms: &[Transform]| loader(transforms).image_shape(0).to_string();
    let (resize, crop) = (
        Transform::Resize { size: 20, interpolation: Interpolation::Bilinear },
        Transform::CenterCrop { size: 12 },
    );
    assert_eq!(shape(&[]), "3x9x8");
    assert_eq!(shape(&[resize]), "3x22x20");
    assert_eq!(shape(&[resize, crop]), "3x12x12");
    let part = |size| Transform::RandomResizedCrop {
        size,
        smallest_area: 0.08,
        interpolation: Interpolation::Bilinear,
    };
    assert_eq!(shape(&[part(Some(15)), Transform::Flip]), "3x15x15");
    assert_eq!(shape(&[part(None)]), "3x9x8");
    let pixels = |transforms: &[Transform]| {
        samples(transforms, 1).into_iter().map(|sample| sample.pixels).collect::<Vec<_>>()
    };
    assert!(
        pixels(&[part(None)])
            .iter()
            .zip(pixels(&[]))
            .all(|(part, whole)| part.len() == whole.len() && *part != whole)
    );
    for batch in loader(&[resize, crop, Transform::Crop { padding: 11 }]).epoch(0) {
        let view = batch.unwrap().into_first();
        assert_eq!(view.images.dims(), [view.labels.len(), 3, 12, 12]);
    }
}

/// The share of images that a transform changes, within 5 standard deviations.
#[test]
fn transforms_are_applied_with_their_probability() {
    let epochs = 400;
    let before = samples(&[], epochs);
    let n = before.len() as f64;
    for (transform, probability) in [
        (Transform::Flip, 0.5),
        (Transform::Grey { probability: 0.2 }, 0.2),
        (JITTER, 0.8),
        (BLUR, 0.5),
        (Transform::Grey { probability: 1.0 }, 1.0),
        (Transform::Grey { probability: 0.0 }, 0.0),
    ] {
        let after = samples(&[transform], epochs);
        let changed = before.iter().zip(&after).filter(|(before, after)| before != after).count() as f64;
        let deviation = (n * probability * (1.0 - probability)).sqrt();
        assert!((changed - n * probability).abs() <= 5.0 * deviation, "{transform:?}: {changed} of {n}");
    }
}

/// The centre of a hole of two pixels follows from its extent.
#[test]
fn holes_are_uniform_over_the_image() {
    let mut holes = [[0; 8]; 9];
    let epochs = 700;
    for sample in samples(&[Transform::Cutout { length: 2 }], epochs) {
        // No pixel of the images is black in all channels.
        let is_black = |index: &usize| (0..3).all(|channel| sample.pixels[channel * 72 + index] == 0);
        let black: Vec<usize> = (0..72).filter(is_black).collect();
        let last = black[black.len() - 1];
        holes[last / 8][last % 8] += 1;
    }
    // 107 expected each, within 5 standard deviations of 10.3.
    assert!(holes.iter().flatten().all(|count| (56..=158).contains(count)), "{holes:?}");
}

pub(crate) fn refused(told: &mut Refusals) {
    let all = subset(SMALL, &[3]);
    let mut add = |tried: &str, transforms: &[Transform]| {
        let view = ViewConfig { transforms: transforms.to_vec(), ..sampled(Sampler::Uniform) };
        told.add(tried, Loader::new(&all, LoaderConfig { views: vec![view], ..plain(3, 1) }));
    };
    let (crop, flip) = (Transform::Crop { padding: 1 }, Transform::Flip);
    add("two crops", &[crop, flip, crop]);
    add("two flips", &[flip, flip]);
    add("a padding of a smaller crop", &[Transform::CenterCrop { size: 2 }, Transform::Crop { padding: 2 }]);
    for degrees in [-1.0, 180.5, f64::NAN] {
        add(&format!("a rotation by {degrees}"), &[Transform::Rotation { degrees }]);
    }
    for size in [0, 10_001] {
        add(
            &format!("a random part of size {size}"),
            &[Transform::RandomResizedCrop {
                size: Some(size),
                smallest_area: 0.1,
                interpolation: Interpolation::Bilinear,
            }],
        );
        add(
            &format!("a shorter side of {size}"),
            &[Transform::Resize { size, interpolation: Interpolation::Bilinear }],
        );
        add(&format!("a centre of size {size}"), &[Transform::CenterCrop { size }]);
    }
    for smallest_area in [-0.1, 1.5, f64::NAN] {
        let crop = Transform::RandomResizedCrop {
            size: Some(4),
            smallest_area,
            interpolation: Interpolation::Bilinear,
        };
        add(&format!("a random part of area {smallest_area}"), &[crop]);
    }
    let [brightness, contrast, saturation, hue, probability] = [0.4, 0.4, 0.4, 0.1, 0.8];
    let jitter = Transform::ColorJitter { brightness: -0.1, contrast, saturation, hue, probability };
    add("a negative brightness", &[jitter]);
    let jitter = Transform::ColorJitter { brightness, contrast: f64::INFINITY, saturation, hue, probability };
    add("an infinite contrast", &[jitter]);
    let jitter = Transform::ColorJitter { brightness, contrast, saturation: 11.0, hue, probability };
    add("a saturation of 11", &[jitter]);
    let jitter = Transform::ColorJitter { brightness, contrast, saturation, hue: 0.6, probability };
    add("a hue of 0.6", &[jitter]);
    let jitter = Transform::ColorJitter { brightness, contrast, saturation, hue, probability: f64::NAN };
    add("a probability of jitter that is not a number", &[jitter]);
    add("a probability of grey above 1", &[Transform::Grey { probability: 1.5 }]);
    for (probability, smallest_sigma, largest_sigma) in [(2.0, 0.1, 2.0), (0.5, 3.0, 2.0), (0.5, 0.1, 101.0)]
    {
        let blur = Transform::GaussianBlur { probability, smallest_sigma, largest_sigma };
        add(&format!("a blur of {probability}, {smallest_sigma}, {largest_sigma}"), &[blur]);
    }
    for (layers, magnitude, deviation) in [(0, 10.0, 0.5), (2, 11.0, 0.5), (2, 10.0, -0.5)] {
        let augment = Transform::RandAugment { layers, magnitude, deviation, fill: [0; 3] };
        add(&format!("RandAugment of {layers}, {magnitude}, {deviation}"), &[augment]);
    }
    add("a hole of 1 pixel", &[Transform::Cutout { length: 1 }]);

    let channels = subset(ImageShape { channels: 2, ..SMALL }, &[3]);
    let view = ViewConfig { transforms: vec![Transform::Cutout { length: 2 }], ..sampled(Sampler::Uniform) };
    let config = LoaderConfig { views: vec![view], ..plain(2, 1) };
    told.add("a cut-out of images of two channels", Loader::new(&channels, config));
}
