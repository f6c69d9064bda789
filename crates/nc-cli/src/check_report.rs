//! The report of `nclt check`.

use std::path::Path;

use nc_data::{ClassCheck, Copied, Groups, ImageCheck, Set, held_out_count};
use nc_metrics::ShotGroup;
use nc_record::shell_word;
use nc_train::presets::OwnImages;

use crate::loading::shown_bytes;

/// How images are named.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Source {
    ImageFolder,
    ImageList,
}

/// Findings, and how the images were read.
pub(crate) struct Checked<'a> {
    pub(crate) check: &'a ImageCheck,
    pub(crate) directory: &'a Path,
    pub(crate) source: Source,
    pub(crate) groups: Option<&'a Groups>,
}

/// Entries listed of each finding.
const LISTED: usize = 10;

/// The share that the presets of image folders hold out for testing.
const TEST_FRACTION: f64 = 0.2;

/// The text, and whether something must be fixed before training.
pub(crate) fn report(checked: &Checked<'_>) -> (String, bool) {
    let mut text = String::new();
    counts(&mut text, checked.check);
    sizes(&mut text, checked);
    let must_fix = faults(&mut text, checked.check);
    advice(&mut text, checked, must_fix);
    (text, must_fix)
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn counts(text: &mut String, check: &ImageCheck) {
    let width = check.classes.iter().map(|class| class.name.chars().count()).max().unwrap_or(0).clamp(5, 40);
    let has_groups = check.classes.iter().any(|class| class.groups.is_some());
    let groups = if has_groups { "   groups" } else { "" };
    line(text, &format!("{:width$}   training{groups}   validation   test   shot group", "class"));
    let mut shots = [0; 3];
    for class in &check.classes {
        let (place, group) = match ShotGroup::of(class.train) {
            ShotGroup::Many => (0, "many"),
            ShotGroup::Medium => (1, "medium"),
            ShotGroup::Few => (2, "few"),
        };
        shots[place] += 1;
        let groups = class.groups.map_or_else(String::new, |groups| format!("   {groups:>6}"));
        let ClassCheck { name, train, validation, test, .. } = class;
        line(text, &format!("{name:width$}   {train:>8}{groups}   {validation:>10}   {test:>4}   {group}"));
    }
    let sum = |of: fn(&ClassCheck) -> usize| check.classes.iter().map(of).sum::<usize>();
    let (train, validation, test) =
        (sum(|class| class.train), sum(|class| class.validation), sum(|class| class.test));
    let [many, medium, few] = shots;
    line(
        text,
        &format!(
            "\n{train} training, {validation} validation and {test} test images in {} classes: {many} many-shot (over 100 \
             training images), {medium} medium-shot (20 to 100), {few} few-shot (below 20)",
            check.classes.len()
        ),
    );
    let largest = check.classes.first().map_or(0, |class| class.train);
    let smallest = check.classes.last().map_or(0, |class| class.train);
    if smallest > 0 {
        line(
            text,
            &format!("imbalance ratio {:.1} ({largest} to {smallest})", largest as f64 / smallest as f64),
        );
    }
}

fn sizes(text: &mut String, checked: &Checked<'_>) {
    let check = checked.check;
    let show = |(height, width): &(usize, usize)| format!("{height}x{width}");
    let sizes = match (check.sizes.keys().next(), check.sizes.keys().next_back()) {
        (Some(size), Some(last)) if size == last => format!("all images are {} (height x width)", show(size)),
        (Some(_), Some(_)) => {
            let sides = || check.sizes.keys().map(|(height, width)| *height.min(width));
            let (least, most) = (sides().min().unwrap_or(0), sides().max().unwrap_or(0));
            format!("{} sizes, shorter sides of {least} to {most} pixels", check.sizes.len())
        }
        _ => return,
    };
    let turned = match (check.turned, checked.source) {
        (0, _) => "0 turned by their EXIF orientation".to_owned(),
        (turned, Source::ImageFolder) => format!("{turned} turned by their EXIF orientation"),
        (turned, Source::ImageList) => {
            format!(
                "{turned} with an EXIF orientation, which lists ignore without data.exif_orientation=true"
            )
        }
    };
    line(text, &format!("{sizes}; {} grey, {turned}", check.grey));
    let images: usize = check.sizes.values().sum();
    let channels = if check.grey == images { 1 } else { 3 };
    let memory = |height: usize, width: usize| shown_bytes((images * channels * height * width) as u64);
    if scales(check) {
        const SIDE: usize = OwnImages::SIDE;
        let memory = memory(SIDE, SIDE);
        line(
            text,
            &format!(
                "{memory} of memory for the images at {SIDE}x{SIDE} pixels, to which training scales them"
            ),
        );
    } else if let Some((height, width)) = check.sizes.keys().next() {
        line(text, &format!("{} of memory for the images", memory(*height, *width)));
    }
}

/// True if training scales the images, unless data.image_size says otherwise.
fn scales(check: &ImageCheck) -> bool {
    check.sizes.len() > 1 || check.sizes.keys().any(|(height, width)| *height.max(width) > OwnImages::SIDE)
}

/// Lists what is wrong; true if it must be fixed before training.
fn faults(text: &mut String, check: &ImageCheck) -> bool {
    for note in &check.notes {
        line(text, &format!("note: {note}"));
    }
    let mut list = |title: &str, items: Vec<String>| {
        if !items.is_empty() {
            line(text, &format!("\n{} {title}:", items.len()));
            for item in items.iter().take(LISTED) {
                line(text, &format!("  {item}"));
            }
            if items.len() > LISTED {
                line(text, &format!("  and {} more", items.len() - LISTED));
            }
        }
    };
    let unreadable: Vec<String> = check.unreadable.iter().map(ToString::to_string).collect();
    let empty = |class: &&ClassCheck| class.train == 0;
    let empty: Vec<String> = check.classes.iter().filter(empty).map(|class| class.name.clone()).collect();
    let mut must_fix = !unreadable.is_empty() || !empty.is_empty();
    list("unreadable images; remove or replace them", unreadable);
    list("classes without a readable training image; remove them or add images", empty);
    let across = |set: Set, original: Set| {
        let pairs =
            check.copies_across.iter().filter(|pair| pair.set == set && pair.original_set == original);
        let other = |pair: &Copied| if pair.same_class { "" } else { ", of another class" };
        pairs.map(|pair| shown_pair(pair) + other(pair)).collect::<Vec<_>>()
    };
    for (set, original, effect) in [
        (Set::Test, Set::Training, "which inflates accuracy"),
        (Set::Validation, Set::Training, "which inflates accuracy"),
        (Set::Test, Set::Validation, "so test images take part in choosing an epoch"),
    ] {
        let title =
            format!("{set} images are copies of {original} images, {effect}; remove them from one set");
        list(&title, across(set, original));
    }
    list(
        "training images are copies of images of another class; keep the right one",
        check.copies_between_classes.iter().map(shown_pair).collect(),
    );
    if check.copies_within_classes > 0 {
        let copies = check.copies_within_classes;
        line(text, &format!("\n{copies} training images are copies of others of their class"));
    }
    if check.classes.len() < 2 {
        line(text, "\nThere is a single class; training needs at least two.");
        must_fix = true;
    }
    if !check.has_test && check.classes.iter().all(|class| spare_units(class) < 2) {
        let of = if check.classes.iter().any(|class| class.groups.is_some()) { "groups" } else { "images" };
        line(text, &format!("\nThere are no test images, and no class has two {of} to hold one out."));
        must_fix = true;
    }
    must_fix
}

fn shown_pair(pair: &Copied) -> String {
    format!("{} = {}", pair.path.display(), pair.original.display())
}

/// Groups of a class or, without groups, images: what a hold-out takes whole.
fn spare_units(class: &ClassCheck) -> usize {
    class.groups.unwrap_or(class.train)
}

fn advice(text: &mut String, checked: &Checked<'_>, must_fix: bool) {
    let Checked { check, directory, groups, .. } = checked;
    line(text, "");
    if must_fix {
        line(
            text,
            "Fix the errors above before training: unreadable images, empty classes, too few classes or images.",
        );
        return;
    }
    if !check.has_test {
        line(text, "No test images: training holds out a fifth of each class (data.test_fraction).");
        line(text, &left(check, TEST_FRACTION, "testing"));
    }
    if check.has_validation {
        line(
            text,
            "The validation images select an epoch; set data.validation only to choose another measure.",
        );
    } else {
        line(
            text,
            &format!(
                "No validation images: training holds out {:.0} % of each class to choose an epoch (data.validation.fraction).",
                100.0 * OwnImages::VALIDATION_FRACTION
            ),
        );
        line(text, &left(check, OwnImages::VALIDATION_FRACTION, "validation"));
    }
    let mut command = format!("nclt train --data-dir {}", shell_word(&directory.to_string_lossy()));
    if let Some(groups) = groups {
        let value = match groups {
            Groups::Directory => r#"{kind="directory"}"#.to_owned(),
            Groups::Column => r#"{kind="column"}"#.to_owned(),
            Groups::FileName { until } => format!(r#"{{kind="file-name", until={until:?}}}"#),
        };
        command = format!("{command} --set {}", shell_word(&format!("data.groups={value}")));
    }
    line(text, &format!("Ready: {command}"));
    line(text, &format!("Several methods: {}", command.replacen("train", "compare", 1)));
}

/// What a hold-out leaves of the smallest class.
fn left(check: &ImageCheck, fraction: f64, purpose: &str) -> String {
    let single = check.classes.iter().filter(|class| spare_units(class) < 2);
    let single: Vec<&str> = single.map(|class| class.name.as_str()).collect();
    let unit = if check.classes.iter().any(|class| class.groups.is_some()) { "group" } else { "image" };
    let smallest = check.classes.iter().filter(|class| spare_units(class) >= 2);
    let smallest = smallest.min_by_key(|class| class.train).map_or_else(String::new, |class| {
        let ClassCheck { name, train, groups, .. } = class;
        if let Some(groups) = groups {
            return format!("  smallest class with two groups, {name:?}: {train} images in {groups} groups");
        }
        let count = held_out_count(*train, fraction);
        format!(
            "  smallest class with two images, {name:?}: {} to train on, {count} for {purpose}",
            train - count
        )
    });
    match single.len() {
        0 => smallest,
        1..=3 => format!("{smallest}\n  none of the classes of one {unit}: {}", single.join(", ")),
        more => format!(
            "{smallest}\n  none of the {more} classes of one {unit}, among them {}",
            single[..3].join(", ")
        ),
    }
}
