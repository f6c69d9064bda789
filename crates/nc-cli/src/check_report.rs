//! The report of `nclt check`.

use std::path::Path;

use nc_data::{ClassCheck, Copied, Groups, HeldOut, ImageCheck, Set, counted};
use nc_metrics::ShotGroup;
use nc_record::shell_word;
use nc_train::{
    DataSource,
    presets::{self, OwnImages},
};

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
    /// List of images that are left out.
    pub(crate) skip: Option<&'a Path>,
    /// Whether training reads the directory as `source` without being told.
    pub(crate) is_default: bool,
}

/// Entries listed of each finding that may stay. Of those that must be fixed, all are listed.
const LISTED: usize = 10;

/// The text, and whether something must be fixed before training.
pub(crate) fn report(checked: &Checked<'_>) -> (String, bool) {
    let mut text = String::new();
    let hold_outs = HoldOuts::of(checked.check);
    counts(&mut text, checked.check, &hold_outs);
    sizes(&mut text, checked);
    let must_fix = faults(&mut text, checked.check, &hold_outs);
    if must_fix {
        line(&mut text, "\nFix the errors above before training.");
    } else {
        advice(&mut text, checked, &hold_outs);
    }
    (text, must_fix)
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn counts(text: &mut String, check: &ImageCheck, hold_outs: &HoldOuts) {
    let width = check.classes.iter().map(|class| class.name.chars().count()).max().unwrap_or(0).clamp(5, 40);
    let has_groups = check.classes.iter().any(|class| class.groups.is_some());
    let groups = if has_groups { "   groups" } else { "" };
    line(text, &format!("{:width$}   training{groups}   validation   test   shot group", "class"));
    let mut shots = [0; 3];
    for (class, left) in check.classes.iter().zip(&hold_outs.classes) {
        let (place, group) = match ShotGroup::of(left.training_images) {
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
    let holds_out = hold_outs.test.is_some() || hold_outs.validation.is_some();
    let after = if holds_out { "after hold-outs, " } else { "" };
    line(
        text,
        &format!(
            "\n{train} training, {validation} validation and {test} test images in {}: {after}{many} many-shot (over 100 \
             training images), {medium} medium-shot (20 to 100), {few} few-shot (below 20)",
            counted(check.classes.len(), "class", "classes")
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

/// Hold-outs of training with the presets of one's own images.
struct HoldOuts {
    /// Share held out for testing, if there are no test images.
    test: Option<f64>,
    /// Share of the rest held out for validation, if there are no validation images and a class has `enough` images.
    validation: Option<f64>,
    /// Images that a class needs for one in each set.
    enough: usize,
    /// The sets of each class.
    classes: Vec<HeldOut>,
}

impl HoldOuts {
    fn of(check: &ImageCheck) -> Self {
        let test = (!check.has_test).then_some(OwnImages::TEST_FRACTION);
        let enough = OwnImages::enough_for_validation(check.has_test);
        let holds_out = !check.has_validation && check.classes.iter().any(|class| class.train >= enough);
        let validation = holds_out.then_some(OwnImages::VALIDATION_FRACTION);
        Self { test, validation, enough, classes: check.hold_outs(test, validation) }
    }

    /// True if there are no images for testing.
    fn lacks_test(&self) -> bool {
        self.test.is_some() && self.classes.iter().all(|class| class.test == 0)
    }

    /// True if training fails, because no images can be held out for validation.
    fn lacks_validation(&self) -> bool {
        self.validation.is_some() && self.classes.iter().all(|class| class.validation == 0)
    }
}

/// Lists errors, copies and notes; true if something must be fixed before training.
fn faults(text: &mut String, check: &ImageCheck, hold_outs: &HoldOuts) -> bool {
    for note in &check.notes {
        line(text, &format!("note: {note}"));
    }
    let mut list_up_to = |most: usize, one: &str, many: &str, items: &[String]| {
        if !items.is_empty() {
            line(text, &format!("\n{}:", counted(items.len(), one, many)));
            for item in items.iter().take(most) {
                line(text, &format!("  {item}"));
            }
            if items.len() > most {
                line(text, &format!("  and {} more", items.len() - most));
            }
        }
    };
    let unreadable: Vec<String> = check.unreadable.iter().map(ToString::to_string).collect();
    let empty = |class: &&ClassCheck| class.train == 0;
    let empty: Vec<String> = check.classes.iter().filter(empty).map(|class| class.name.clone()).collect();
    let mut must_fix = false;
    for (one, many, items) in [
        (
            "unreadable image; remove or replace it, or leave it out with --write-skip",
            "unreadable images; remove or replace them, or leave them out with --write-skip",
            &unreadable,
        ),
        (
            "class directory cannot be used; remove it or add images",
            "class directories cannot be used; remove them or add images",
            &check.unusable_classes,
        ),
        (
            "class without a readable training image; remove it or add images",
            "classes without a readable training image; remove them or add images",
            &empty,
        ),
    ] {
        list_up_to(usize::MAX, one, many, items);
        must_fix |= !items.is_empty();
    }
    let mut list = |one: &str, many: &str, items: &[String]| list_up_to(LISTED, one, many, items);
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
        list(
            &format!("{set} image is a copy of a {original} image, {effect}; remove it from one set"),
            &format!("{set} images are copies of {original} images, {effect}; remove them from one set"),
            &across(set, original),
        );
    }
    let between_classes: Vec<String> = check.copies_between_classes.iter().map(shown_pair).collect();
    list(
        "training image is a copy of an image of another class; keep the right one",
        "training images are copies of images of another class; keep the right ones",
        &between_classes,
    );
    if check.copies_within_classes > 0 {
        let copies = counted(
            check.copies_within_classes,
            "training image is a copy of another of its class",
            "training images are copies of others of their class",
        );
        line(text, &format!("\n{copies}"));
    }
    if check.classes.len() < 2 {
        line(text, &format!("\nTraining needs at least two classes, found {}.", check.classes.len()));
        must_fix = true;
    }
    if hold_outs.lacks_test() {
        let units = units(check);
        line(text, &format!("\nThere are no test images, and no class has two {units} to hold one out."));
        must_fix = true;
    }
    must_fix
}

fn shown_pair(pair: &Copied) -> String {
    format!("{} = {}", pair.path.display(), pair.original.display())
}

/// The units that hold-outs take whole.
fn units(check: &ImageCheck) -> &'static str {
    if check.classes.iter().any(|class| class.groups.is_some()) { "groups" } else { "images" }
}

/// Hold-outs, and the commands to train and to compare methods.
fn advice(text: &mut String, checked: &Checked<'_>, hold_outs: &HoldOuts) {
    let Checked { check, directory, source, groups, skip, is_default } = checked;
    line(text, "");
    if hold_outs.test.is_some() {
        line(text, "No test images: training holds out a fifth of each class (data.test_fraction).");
    }
    line(text, &validation(check, hold_outs));
    left(text, check, hold_outs);
    let without = |of: fn(&ClassCheck) -> usize| {
        let names = check.classes.iter().filter(|class| of(class) == 0).map(|class| class.name.as_str());
        a_few_classes(&names.collect::<Vec<_>>())
    };
    let validation = without(|class| class.validation).filter(|_| check.has_validation);
    let test = without(|class| class.test).filter(|_| check.has_test);
    for (set, classes) in [("validation", validation), ("test", test)] {
        if let Some(classes) = classes {
            line(text, &format!("No {set} images of {classes}."));
        }
    }
    let copies: usize = hold_outs.classes.iter().map(|class| class.copies).sum();
    if copies > 0 {
        let held_out = counted(
            copies,
            "image that training would hold out is a copy of one that it trains on",
            "images that training would hold out are copies of some that it trains on",
        );
        line(
            text,
            &format!(
                "About {held_out}, which inflates accuracy: remove copies, or keep them together by data.groups."
            ),
        );
    }
    let mut options = format!("--data-dir {}", shell_word(&directory.to_string_lossy()));
    if let Some(groups) = groups {
        let value = match groups {
            Groups::Directory => r#"{kind="directory"}"#.to_owned(),
            Groups::Column => r#"{kind="column"}"#.to_owned(),
            Groups::FileName { until } => format!(r#"{{kind="file-name", until={until:?}}}"#),
        };
        options = format!("{options} --set {}", shell_word(&format!("data.groups={value}")));
    }
    if let Some(list) = skip {
        // data.skip is relative to the images.
        let list = std::path::absolute(list).unwrap_or_else(|_| list.to_path_buf());
        options = format!("{options} --set {}", shell_word(&format!("data.skip={}", list.display())));
    }
    if hold_outs.lacks_validation() {
        options = format!("{options} --set data.validation=none --set evaluation.keep=last");
    }
    let source = match source {
        Source::ImageFolder => DataSource::ImageFolder,
        Source::ImageList => DataSource::ImageList,
    };
    let named =
        |option: &str, name: &str| if *is_default { String::new() } else { format!("{option} {name} ") };
    line(text, &format!("Ready: nclt train {}{options}", named("--preset", presets::default_of(source))));
    // Methods are compared on validation images.
    if check.has_validation || hold_outs.classes.iter().any(|class| class.validation > 0) {
        let data = named("--data", presets::data_set_of(source));
        line(text, &format!("Several methods: nclt compare {data}{options}"));
    }
}

/// The source of validation images, or the reason for training without.
fn validation(check: &ImageCheck, hold_outs: &HoldOuts) -> String {
    if check.has_validation {
        return "The validation images select an epoch; set data.validation only to choose another measure."
            .into();
    }
    let Some(fraction) = hold_outs.validation else {
        return format!(
            "No validation images: every class has fewer than {} images, so training holds out none and keeps the last epoch.",
            hold_outs.enough
        );
    };
    if hold_outs.lacks_validation() {
        let (units, left) = (units(check), if check.has_test { "" } else { " left" });
        return format!(
            "No validation images: no class has two {units}{left} to hold one out, so train without and keep the last epoch."
        );
    }
    let of = if check.has_test { "each class" } else { "the rest of each class" };
    format!(
        "No validation images: training holds out {:.0} % of {of} to choose an epoch (data.validation.fraction).",
        100.0 * fraction
    )
}

/// Images of a class in a set.
type Count = fn(&HeldOut) -> usize;

/// Lists the sets of the smallest class after hold-outs, and the classes that hold out none.
fn left(text: &mut String, check: &ImageCheck, hold_outs: &HoldOuts) {
    let mut sets: Vec<(&str, Count)> = vec![];
    if hold_outs.validation.is_some() && !hold_outs.lacks_validation() {
        sets.push(("validation", |held_out| held_out.validation));
    }
    if hold_outs.test.is_some() {
        sets.push(("testing", |held_out| held_out.test));
    }
    let classes = || check.classes.iter().zip(&hold_outs.classes);
    let smallest = classes().min_by_key(|(class, _)| (class.groups.unwrap_or(class.train), class.train));
    if let Some((ClassCheck { name, train, groups, .. }, left)) = smallest.filter(|_| !sets.is_empty()) {
        let (all, about) = match groups {
            Some(groups) => (counted(*groups, "group", "groups"), "about "),
            None => (counted(*train, "image", "images"), ""),
        };
        let held_out = sets.iter().map(|(purpose, of)| format!(", {} for {purpose}", of(left)));
        let held_out: String = held_out.collect();
        let train = left.train;
        line(text, &format!("  smallest class {name:?} of {all}: {about}{train} for training{held_out}"));
    }
    for (purpose, of) in sets {
        let without = classes().filter(|(_, held_out)| of(held_out) == 0);
        let without: Vec<&str> = without.map(|(class, _)| class.name.as_str()).collect();
        if let Some(classes) = a_few_classes(&without) {
            line(text, &format!("  none for {purpose} of {classes}"));
        }
    }
}

/// Up to three classes by name, or the number of classes and the first three; `None` without classes.
fn a_few_classes(names: &[&str]) -> Option<String> {
    match names {
        [] => None,
        [_] | [_, _] | [_, _, _] => Some(names.join(", ")),
        _ => Some(format!("{} classes, among them {}", names.len(), names[..3].join(", "))),
    }
}
