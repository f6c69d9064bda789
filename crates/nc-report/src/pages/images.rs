//! Images on the page of a run: training images, mistakes, and images of the smallest classes.

use std::fmt::Write;

use nc_record::{ClassMistakes, Examples, ImageSample, Mistake};

use crate::{
    format::thousands,
    html::{escape, folded},
    pages::{
        finished::{Finished, class_names},
        snapshot::class_name,
        tiles::percent,
    },
};

/// Classes whose mistakes are shown unfolded.
const UNFOLDED: usize = 4;

/// Images at least this wide in pixels are smoothed; of smaller ones, the pixels are shown.
const SMOOTH: u32 = 56;

/// Training images as the network saw them; empty without any.
pub(crate) fn training_images(training: &[ImageSample], names: &[String]) -> String {
    let image = |sample: &ImageSample| {
        let name = escape(&class_name(sample.class, names));
        figure(sample, &name, &name)
    };
    let images: String = training.iter().filter_map(image).collect();
    if images.is_empty() {
        return images;
    }
    format!(
        "<section>\n<h2>Training images as the network saw them</h2>\n<p class=\"notes\">First epoch, largest and \
         smallest classes, before normalisation and mix-up.</p>\n<div class=\"images\">\n{images}</div>\n</section>\n"
    )
}

/// The most confident mistakes of each class; empty without any.
pub(crate) fn mistakes(examples: &Examples, result: &Finished) -> String {
    let names = class_names(result);
    let image = |class: &str, mistake: &Mistake| {
        let predicted = escape(&class_name(mistake.predicted, names));
        let probability = percent(Some(mistake.probability));
        let alt = format!("{class}, predicted as {predicted} with {probability}");
        figure(&mistake.image, &alt, &format!("<strong>{probability}</strong> {predicted}"))
    };
    let class = |of: &ClassMistakes| {
        let name = escape(&class_name(of.class, names));
        let images: String = of.images.iter().filter_map(|mistake| image(&name, mistake)).collect();
        let detail = format!("{} of {} wrong", thousands(of.wrong), thousands(of.samples));
        if images.is_empty() { images } else { group(&name, &detail, &images) }
    };
    let groups: Vec<String> = examples.mistakes.iter().map(class).filter(|group| !group.is_empty()).collect();
    let (first, rest) = groups.split_at(groups.len().min(UNFOLDED));
    if first.is_empty() {
        return String::new();
    }
    let mut out = format!(
        "<section>\n<h2>Most confident mistakes</h2>\n<p class=\"notes\">Test images of the classes with the most mistakes. \
         Below each image: probability and name of the class that the final network predicts.</p>\n{}",
        in_columns(first)
    );
    let title = if rest.len() == 1 { "1 more class".into() } else { format!("{} more classes", rest.len()) };
    folded(&mut out, &title, &in_columns(rest));
    out.push_str("</section>\n");
    out
}

/// Training images of the smallest classes without augmentation; empty without any.
pub(crate) fn smallest_classes(examples: &Examples, result: &Finished) -> String {
    let class = |images: &[ImageSample]| {
        let class = images.first()?.class;
        let name = escape(&class_name(class, class_names(result)));
        let figures: String = images.iter().filter_map(|image| figure(image, &name, "")).collect();
        let count = *result.data.class_counts.get(class)?;
        let accuracy = percent(result.accuracy.per_class.get(class).copied().flatten());
        let images = if count == 1 { "image" } else { "images" };
        let detail = format!("{} training {images}, test accuracy {accuracy}", thousands(count));
        (!figures.is_empty()).then(|| group(&name, &detail, &figures))
    };
    let groups: Vec<String> =
        examples.smallest.chunk_by(|one, next| one.class == next.class).filter_map(class).collect();
    in_columns(&groups)
}

/// An image with `alt` and `caption`, given as HTML; none if it is damaged.
fn figure(sample: &ImageSample, alt: &str, caption: &str) -> Option<String> {
    let url = sample.data_url()?;
    let smooth = if sample.width()? < SMOOTH { "" } else { " class=\"smooth\"" };
    let caption =
        if caption.is_empty() { String::new() } else { format!("<figcaption>{caption}</figcaption>") };
    Some(format!("<figure><img{smooth} src=\"{url}\" alt=\"{alt}\">{caption}</figure>\n"))
}

/// Images of a class; `name` and `images` are HTML.
fn group(name: &str, detail: &str, images: &str) -> String {
    format!(
        "<div class=\"group\">\n<h3>{name} <small>{detail}</small></h3>\n<div class=\"images\">\n{images}</div>\n</div>\n"
    )
}

fn in_columns(groups: &[String]) -> String {
    let mut out = String::new();
    if !groups.is_empty() {
        // Writing to a string cannot fail.
        let _ = write!(out, "<div class=\"groups\">\n{}</div>\n", groups.concat());
    }
    out
}
