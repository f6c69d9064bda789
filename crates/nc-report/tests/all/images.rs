//! Mistakes and images of the smallest classes on the page of a run.

use nc_record::{ClassMistakes, Examples, ImageSample, Mistake, RunDir};
use nc_report::{RunReport, comparison_page};

use crate::{case::Case, pages::assert_whole, refusals::Refusals};

/// The head of a PNG file of this width.
fn image(class: usize, width: u32) -> ImageSample {
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    png.extend(width.to_be_bytes());
    png.extend(9u32.to_be_bytes());
    ImageSample::new(class, &png)
}

fn mistakes(class: usize, predicted: usize, probability: f64) -> ClassMistakes {
    let mistake = Mistake { predicted, probability, image: image(class, 8) };
    ClassMistakes { class, samples: 1200, wrong: 1034, images: vec![mistake] }
}

/// The page of a run of seven classes with `examples`.
fn page(examples: &Examples) -> String {
    let directory = tempfile::tempdir().unwrap();
    Case::new(7, 8, |class| 40 - 5 * class).run(directory.path(), "a", 2);
    RunDir::open(directory.path()).unwrap().write_json(RunDir::EXAMPLES, examples).unwrap();
    RunReport::read(directory.path()).unwrap().to_html().unwrap()
}

#[test]
fn mistakes_and_smallest_classes_are_shown_by_class() {
    let examples = Examples {
        mistakes: (0..6).map(|class| mistakes(class, 6, 0.987)).collect(),
        smallest: vec![image(6, 8), image(6, 80), image(5, 8)],
    };
    let page = page(&examples);
    assert_whole(&page.replace(" src=\"data:image/png;base64,", " data=\""));
    let places = [
        "<h2>Accuracy by class</h2>",
        "<h2>Most confident mistakes</h2>",
        "<h3>&lt;class&gt; 0 <small>1,034 of 1,200 wrong</small></h3>",
        "alt=\"&lt;class&gt; 0, predicted as &lt;class&gt; 6 with 98.7 %\">",
        "<figcaption><strong>98.7 %</strong> &lt;class&gt; 6</figcaption>",
        "<h3>&lt;class&gt; 3 ",
        "<summary>2 more classes</summary>",
        "<h3>&lt;class&gt; 4 ",
        "<h2>Training</h2>",
        "<summary>Training images of the smallest classes, without augmentation</summary>",
        "<h3>&lt;class&gt; 6 <small>10 training images, test accuracy ",
        "<h3>&lt;class&gt; 5 <small>15 training images, test accuracy ",
        "<summary>Configuration</summary>",
    ];
    let places: Vec<usize> =
        places.iter().map(|part| page.find(part).unwrap_or_else(|| panic!("no {part}"))).collect();
    assert!(places.is_sorted(), "{places:?}");
    assert_eq!(page.matches("<img ").count(), 9);
    assert_eq!(page.matches("<img class=\"smooth\"").count(), 1);
}

#[test]
fn runs_without_examples_and_damaged_images_render() {
    let whole = page(&Examples::default());
    assert_whole(&whole);
    assert!(!whole.contains("mistakes") && !whole.contains("smallest classes"));
    // Unknown classes, and no image.
    let mut unknown = mistakes(99, 98, 1.0);
    unknown.images.push(Mistake { image: ImageSample::new(99, b"GIF89a"), ..unknown.images[0].clone() });
    let examples = Examples { mistakes: vec![unknown], smallest: vec![image(99, 8)] };
    let page = page(&examples);
    assert!(page.contains("<h3>99 <small>") && page.contains("<strong>100.0 %</strong> 98"));
    assert_eq!(page.matches("<img ").count(), 1);
}

/// Twelve runs of a hundred classes: most bytes are maps of angles.
#[test]
fn comparisons_of_many_classes_stay_small() {
    let directory = tempfile::tempdir().unwrap();
    Case::new(100, 64, |class| 3 + 200 / (class + 1)).run(directory.path(), "a", 20);
    let run = RunReport::read(directory.path()).unwrap();
    let runs: Vec<RunReport> = (0..12)
        .map(|weight| RunReport {
            directory: weight.to_string().into(),
            config: format!("weight = {weight}"),
            ..run.clone()
        })
        .collect();
    let page = comparison_page(&runs).unwrap();
    assert_eq!(page.matches("<h3>a (").count(), 12);
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    let page = run.to_html().unwrap();
    assert!(page.len() < 500_000, "{} bytes", page.len());
}

pub(crate) fn refused(told: &mut Refusals) {
    let directory = tempfile::tempdir().unwrap();
    Case::new(3, 8, |_| 4).run(directory.path(), "a", 1);
    let examples = Examples { mistakes: vec![mistakes(0, 1, 1.5)], smallest: vec![] };
    RunDir::open(directory.path()).unwrap().write_json(RunDir::EXAMPLES, &examples).unwrap();
    told.add("a mistake of impossible probability", RunReport::read(directory.path()));
}
