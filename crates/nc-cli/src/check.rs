use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Result;
use nc_data::{FolderCheck, check_folder};
use nc_kernels::threads;
use nc_metrics::ShotGroup;

use crate::{compute::Threads, terminal::harmless};

/// Check an image folder without training.
///
/// Reads every image and reports counts by class and shot group, sizes, unreadable and unused files, and identical images
/// across splits and classes, each with what to do. The exit code is 1 if something must be fixed before training.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder with `train/CLASS/` and `test/CLASS/`, or `CLASS/`.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    #[command(flatten)]
    threads: Threads,
}

/// Paths listed of each finding.
const LISTED: usize = 10;

pub(crate) fn main(args: &Args) -> Result<ExitCode> {
    args.threads.start()?;
    let check = threads::install(|| check_folder(&args.directory))?;
    let mut text = String::new();
    counts(&mut text, &check);
    sizes(&mut text, &check);
    let must_fix = faults(&mut text, &check);
    advice(&mut text, &check, &args.directory, must_fix);
    std::io::stdout().lock().write_all(harmless(&text).as_bytes())?;
    Ok(if must_fix { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn counts(text: &mut String, check: &FolderCheck) {
    let width = check.classes.iter().map(|class| class.name.chars().count()).max().unwrap_or(0).clamp(5, 40);
    line(text, &format!("{:width$}   training   test   shot group", "class"));
    let mut groups = [0; 3];
    for class in &check.classes {
        let (place, group) = match ShotGroup::of(class.train) {
            ShotGroup::Many => (0, "many"),
            ShotGroup::Medium => (1, "medium"),
            ShotGroup::Few => (2, "few"),
        };
        groups[place] += 1;
        line(text, &format!("{:width$}   {:>8}   {:>4}   {group}", class.name, class.train, class.test));
    }
    let train: usize = check.classes.iter().map(|class| class.train).sum();
    let test: usize = check.classes.iter().map(|class| class.test).sum();
    let largest = check.classes.first().map_or(0, |class| class.train);
    let smallest = check.classes.last().map_or(0, |class| class.train);
    let [many, medium, few] = groups;
    line(text, "");
    line(
        text,
        &format!(
            "{train} training and {test} test images in {} classes: {many} many-shot (over 100 training images), {medium} \
             medium-shot (20 to 100), {few} few-shot (below 20)",
            check.classes.len()
        ),
    );
    if smallest > 0 {
        line(
            text,
            &format!("imbalance ratio {:.1} ({largest} to {smallest})", largest as f64 / smallest as f64),
        );
    }
}

fn sizes(text: &mut String, check: &FolderCheck) {
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
    line(text, &format!("{sizes}; {} grey, {} turned by their EXIF orientation", check.grey, check.turned));
}

/// Lists what is wrong; true if it must be fixed before training.
fn faults(text: &mut String, check: &FolderCheck) -> bool {
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
    let pair = |(one, other): &(PathBuf, PathBuf)| format!("{} = {}", one.display(), other.display());
    let pairs = |pairs: &[(PathBuf, PathBuf)]| pairs.iter().map(pair).collect::<Vec<_>>();
    let unreadable: Vec<String> = check.unreadable.iter().map(ToString::to_string).collect();
    let empty = |class: &&nc_data::ClassCheck| class.train == 0;
    let empty: Vec<String> = check.classes.iter().filter(empty).map(|class| class.name.clone()).collect();
    let must_fix = !unreadable.is_empty() || !empty.is_empty();
    list("unreadable images; remove or replace them", unreadable);
    list("classes without a readable training image; remove them or add images", empty);
    list(
        "test images are copies of training images, which inflates accuracy; remove them from one split",
        pairs(&check.copies_across),
    );
    list(
        "training images are copies of images of another class; keep the right one",
        pairs(&check.copies_between_classes),
    );
    if check.copies_within_classes > 0 {
        let copies = check.copies_within_classes;
        line(text, &format!("\n{copies} training images are copies of others of their class"));
    }
    must_fix
}

fn advice(text: &mut String, check: &FolderCheck, directory: &Path, must_fix: bool) {
    line(text, "");
    if must_fix {
        line(text, "Fix the unreadable images and empty classes above before training.");
        return;
    }
    if !check.has_test {
        line(text, "No test images: training holds out a fifth of each class (data.test_fraction).");
    }
    let size = if check.sizes.len() > 1 { " --set 'data.image_size=[64, 64]'" } else { "" };
    let directory = nc_record::shell_word(&directory.to_string_lossy());
    line(
        text,
        &format!("Ready: nclt train --preset image-folder/balanced-softmax --data-dir {directory}{size}"),
    );
}
