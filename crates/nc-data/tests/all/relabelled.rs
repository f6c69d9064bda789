//! Changes of classes and channels.

use nc_data::{Dataset, ImageShape, Subset};

use crate::refusals::Refusals;
use crate::support::{SMALL, dataset};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn named(counts: &[usize], of_classes: &[&str]) -> Dataset {
    let images = dataset(SMALL, counts);
    let pixels = (0..images.len()).flat_map(|index| images.image(index).to_vec()).collect();
    Dataset::new(SMALL, pixels, images.labels().to_vec(), names(of_classes)).unwrap()
}

#[test]
fn classes_are_matched_by_name() {
    let images = named(&[3, 2, 0], &["bee", "ant", "cat"]);
    let relabelled = images.with_classes(&names(&["ant", "bee", "dog"])).unwrap();
    assert_eq!(relabelled.class_counts(), [2, 3, 0]);
    assert_eq!(relabelled.labels(), [1, 1, 1, 0, 0]);
    assert_eq!(relabelled.image(4), images.image(4));
    // The order of classes is part of a subset's hash, and matching restores it.
    let back = relabelled.with_classes(images.class_names()).unwrap();
    assert_eq!(Subset::all(&back).hash(), Subset::all(&images).hash());
    assert_ne!(Subset::all(&relabelled).hash(), Subset::all(&images).hash());
}

#[test]
fn grey_images_become_colour_images_of_equal_channels() {
    let grey = dataset(ImageShape { channels: 1, ..SMALL }, &[2, 1]);
    let colour = grey.with_channels(3).unwrap();
    assert_eq!((colour.shape(), colour.labels()), (SMALL, grey.labels()));
    assert_eq!(colour.image(2), grey.image(2).repeat(3));
    assert_eq!(colour.with_channels(3).unwrap().image(0), colour.image(0));
}

#[test]
fn copies_are_images_equal_in_every_pixel() {
    let all = Subset::all(&dataset(SMALL, &[4, 2]));
    assert_eq!((all.copies_in(&all), all.copies_in(&Subset::all(&dataset(SMALL, &[0, 0])))), (6, 0));
    let (train, held_out) = all.hold_out(0.5, 0, nc_data::rng::Purpose::Test).unwrap();
    assert_eq!(held_out.copies_in(&train), 0);
}

pub(crate) fn refused(told: &mut Refusals) {
    let images = named(&[1, 1], &["ant", "bee"]);
    told.add("classes that lack one that has images", images.with_classes(&names(&["bee", "cat"])));
    told.add("duplicate class names", images.with_classes(&names(&["ant", "bee", "ant"])));
    told.add("colour images converted to grey", images.with_channels(1));
}
