//! Hold-out of images in groups, see [`Subset::hold_out`](crate::Subset::hold_out).

use std::collections::BTreeMap;

use rand::seq::SliceRandom;

use crate::{
    hold_out::{Image, held_out_count, split_images},
    rng::{Purpose, stream},
};

/// The images of each class kept and held out; `groups[i]` is the group of image i, if the images are in groups.
pub(crate) fn split(
    classes: Vec<Vec<Image>>,
    groups: Option<&[u32]>,
    fraction: f64,
    seed: u64,
    purpose: Purpose,
) -> (Vec<Vec<Image>>, Vec<Vec<Image>>) {
    let Some(groups) = groups else { return split_images(classes, fraction, seed, purpose) };
    let is_held_out = choose(&classes, groups, fraction, seed, purpose);
    let is_kept = |image: &Image| !is_held_out[groups[image.index] as usize];
    classes.into_iter().map(|images| images.into_iter().partition(is_kept)).unzip()
}

/// The images of a group.
struct Group {
    /// Images of each class in it.
    sizes: BTreeMap<usize, usize>,
    number: u32,
    held_out: bool,
}

/// Chooses groups, and returns for each number of a group whether it is held out. `classes[k]` holds the images of class k,
/// `numbers[i]` is the number of the group of image i.
///
/// Classes are visited from the smallest to the largest. The groups of a class, ordered by the digests of their images, are
/// shuffled by the stream of the class. A group is held out if that brings the numbers of held-out images of its classes
/// closer to those wanted, summed over its classes, and if each of its classes keeps another group. A class that then has
/// no held-out group holds out the smallest that its classes can spare.
fn choose(classes: &[Vec<Image>], numbers: &[u32], fraction: f64, seed: u64, purpose: Purpose) -> Vec<bool> {
    let mut groups = sorted_groups(classes, numbers);
    let mut of_class = vec![vec![]; classes.len()];
    for (place, group) in groups.iter().enumerate() {
        for &class in group.sizes.keys() {
            of_class[class].push(place);
        }
    }
    // Images that each class is yet to hold out, negative for too many, and groups that it keeps.
    let mut wanted: Vec<i64> =
        classes.iter().map(|images| held_out_count(images.len(), fraction) as i64).collect();
    let mut kept: Vec<usize> = of_class.iter().map(Vec::len).collect();
    let can_be_spared =
        |group: &Group, kept: &[usize]| !group.held_out && group.sizes.keys().all(|&class| kept[class] > 1);
    let hold_out = |group: &mut Group, wanted: &mut [i64], kept: &mut [usize]| {
        group.held_out = true;
        for (&class, &images) in &group.sizes {
            wanted[class] -= images as i64;
            kept[class] -= 1;
        }
    };
    let mut by_size: Vec<usize> = (0..classes.len()).collect();
    by_size.sort_by_key(|&class| classes[class].len());
    for class in by_size {
        let mut drawn = of_class[class].clone();
        drawn.shuffle(&mut stream(seed, purpose, 0, class as u64));
        for &place in &drawn {
            let closer = |(&class, &images): (&usize, &usize)| {
                wanted[class].abs() - (wanted[class] - images as i64).abs()
            };
            let group = &mut groups[place];
            if can_be_spared(group, &kept) && group.sizes.iter().map(closer).sum::<i64>() > 0 {
                hold_out(group, &mut wanted, &mut kept);
            }
        }
        if drawn.iter().all(|&place| !groups[place].held_out) {
            let spared = drawn.iter().filter(|&&place| can_be_spared(&groups[place], &kept));
            if let Some(&place) = spared.min_by_key(|&&place| groups[place].sizes.values().sum::<usize>()) {
                hold_out(&mut groups[place], &mut wanted, &mut kept);
            }
        }
    }
    let mut held_out = vec![false; numbers.iter().max().map_or(0, |&most| most as usize + 1)];
    for group in groups {
        held_out[group.number as usize] = group.held_out;
    }
    held_out
}

/// All groups, ordered by the digests and classes of their images, so that neither file order nor numbers matter.
fn sorted_groups(classes: &[Vec<Image>], numbers: &[u32]) -> Vec<Group> {
    let mut contents: BTreeMap<u32, Vec<_>> = BTreeMap::new();
    for (class, images) in classes.iter().enumerate() {
        for image in images {
            contents.entry(numbers[image.index]).or_default().push((image.digest, class));
        }
    }
    let mut contents: Vec<_> = contents.into_iter().map(|(number, images)| (images, number)).collect();
    for (images, _) in &mut contents {
        images.sort_unstable();
    }
    contents.sort_unstable();
    let group = |(images, number): (Vec<(_, usize)>, u32)| {
        let mut sizes = BTreeMap::new();
        for (_, class) in images {
            *sizes.entry(class).or_default() += 1;
        }
        Group { sizes, number, held_out: false }
    };
    contents.into_iter().map(group).collect()
}
