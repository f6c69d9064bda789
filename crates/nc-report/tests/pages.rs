//! Pages about runs and feature sets of all sizes, the smallest and the oddest among them.

use std::path::Path;

use nc_metrics::{Accuracy, Calibration, ClassMeans, Classifier, FeatureSet, Geometry, Projection, Samples};
use nc_record::{DataSummary, EpochLosses, Event, RunDir, RunResult, ShotAccuracy, Timing, figures};
use nc_report::{AnalysisReport, Error, RunReport, comparison_page, figure_rows};

/// Features of `classes` classes in `dims` dimensions: `count(k)` samples of class k about a point of its own.
struct Case {
    classes: usize,
    dims: usize,
    features: Vec<f32>,
    labels: Vec<u32>,
    classifier: Classifier,
}

impl Case {
    fn new(classes: usize, dims: usize, count: impl Fn(usize) -> usize) -> Self {
        let labels: Vec<u32> = (0..classes).flat_map(|class| vec![class as u32; count(class)]).collect();
        let wave = |a: usize, b: usize| ((a * 37 + b * 101 + a * b * 7) % 97) as f32 / 48.0 - 1.0;
        let feature = |(sample, &label): (usize, &u32)| -> Vec<f32> {
            (0..dims).map(|dim| 3.0 * wave(label as usize, dim) + wave(sample + 5, dim + 3)).collect()
        };
        let features = labels.iter().enumerate().flat_map(feature).collect();
        let weight: Vec<f32> = (0..classes * dims).map(|i| wave(i / dims, i % dims)).collect();
        Self {
            classes,
            dims,
            features,
            labels,
            classifier: Classifier::new(&weight, None, classes, dims).unwrap(),
        }
    }

    fn samples(&self) -> Samples<'_> {
        Samples { features: &self.features, labels: &self.labels }
    }

    fn set(&self, with_test: bool, with_classifier: bool) -> FeatureSet<'_> {
        FeatureSet {
            classes: self.classes,
            dims: self.dims,
            train: self.samples(),
            test: with_test.then(|| self.samples()),
            classifier: with_classifier.then_some(&self.classifier),
            training_counts: None,
        }
    }

    fn projection(&self) -> Option<Projection> {
        let means = ClassMeans::of(&self.features, &self.labels, self.classes, self.dims).unwrap();
        Projection::of(self.samples(), &means, Some(&self.classifier), 300).unwrap()
    }

    fn counts(&self) -> Vec<usize> {
        let count = |class| self.labels.iter().filter(|&&label| label as usize == class).count();
        (0..self.classes).map(count).collect()
    }

    /// A finished run of `epochs` epochs in the directory, and its events.
    fn run(&self, directory: &Path, name: &str, epochs: usize) {
        let run = RunDir::open(directory).unwrap();
        run.write(RunDir::CONFIG, b"name = \"<&>\"\n").unwrap();
        let geometry = self.set(true, true).geometry().unwrap();
        let timing = Timing { seconds: 1.0, images_per_second: 10.0 };
        let mut log = run.event_log().unwrap();
        let mut add = |event: &Event| log.append(event).unwrap();
        add(&Event::run_started(name.into(), 0, "hash".into(), self.counts(), 1, "test".into()));
        for phase in ["first", "second"] {
            add(&Event::PhaseStarted { phase: phase.into(), epochs, steps_per_epoch: 1 });
            for epoch in 0..epochs {
                let phase = phase.to_owned();
                let losses = EpochLosses { total: 2.0 / (epoch + 1) as f64, ..EpochLosses::default() };
                add(&Event::EpochFinished {
                    phase: phase.clone(),
                    epoch,
                    learning_rate: if epoch < 2 { 0.1 } else { 0.01 },
                    class_weights: epoch >= 2,
                    losses,
                    timing,
                });
                let accuracy = ShotAccuracy { all: 0.5, many: Some(0.75), medium: None, few: None };
                add(&Event::Evaluated {
                    phase: phase.clone(),
                    epoch,
                    test_accuracy: accuracy,
                    validation_accuracy: None,
                    timing,
                });
                let (train, test) = (figures(&geometry.train), figures(&geometry.test));
                add(&Event::Measured { phase, epoch, train, test, timing });
            }
        }
        if let Some(projection) = self.projection() {
            run.write_json(RunDir::PROJECTION, &projection).unwrap();
        }
        run.write_result(&self.result(name, geometry)).unwrap();
    }

    fn result(&self, name: &str, nc: Geometry) -> RunResult<Accuracy, Calibration, Geometry> {
        let logits: Vec<f32> = (0..self.labels.len() * self.classes).map(|i| (i % 7) as f32).collect();
        RunResult {
            format_version: RunResult::<(), (), ()>::FORMAT_VERSION,
            name: name.into(),
            seed: 0,
            run_hash: "0123456789".into(),
            data: DataSummary {
                source: "made up".into(),
                train_hash: "0123456789".into(),
                test_hash: "test".into(),
                class_counts: self.counts(),
                test_images: self.labels.len(),
            },
            epochs: vec![1, 1],
            accuracy: Accuracy::of(&logits, &self.labels, &self.counts()).unwrap(),
            calibration: Calibration::of(&logits, &self.labels, self.classes).unwrap(),
            nc,
            best_epoch: None,
            selected_epoch: None,
            timing: Timing::default(),
        }
    }
}

/// Elements without an end.
const VOID: [&str; 3] = ["meta", "!doctype", "br"];

/// Every element is closed in its order, and nothing is fetched from anywhere.
fn assert_whole(page: &str) {
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    assert!(!page.contains("NaN") && !page.contains("inf\""), "a number that is none");
    for loader in ["<script", "<link", "src=", "url(", "@import"] {
        assert!(!page.contains(loader), "{loader}");
    }
    let mut open: Vec<&str> = vec![];
    for tag in page.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap();
        let name = tag.split([' ', '\n']).next().unwrap();
        if let Some(closed) = name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed));
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert_eq!(open, [""; 0]);
}

#[test]
fn runs_of_every_size_have_a_page() {
    // Long-tailed; a single class; two; more classes than directions; more than there are squares in a drawing; equal
    // sizes; classes without samples.
    let cases = [
        (Case::new(10, 16, |class| 200 >> class | 3), 6),
        (Case::new(1, 3, |_| 5), 1),
        (Case::new(2, 1, |_| 2), 1),
        (Case::new(7, 3, |class| 30 - class), 2),
        (Case::new(230, 12, |class| 3 + 230 / (class + 1)), 1),
        (Case::new(5, 8, |_| 10), 3),
        (Case::new(6, 8, |class| if class % 2 == 0 { 40 } else { 0 }), 2),
    ];
    for (case, epochs) in cases {
        let directory = tempfile::tempdir().unwrap();
        case.run(directory.path(), "made/up", epochs);
        let report = RunReport::read(directory.path()).unwrap();
        let page = report.to_html().unwrap();
        assert_whole(&page);
        assert!(page.contains("<h1>made/up, seed 0</h1>"));
        assert!(page.contains("name = &quot;&lt;&amp;&gt;&quot;"));
        assert_eq!(
            page.contains("does not exist in"),
            case.counts().iter().filter(|&&n| n > 0).count() > case.dims + 1
        );
        for title in ["Test accuracy", "NC1, within over between", "Reliability", "Accuracy by class"] {
            let undefined = title.starts_with("NC1") && case.classes == 1;
            assert_eq!(page.contains(title), !undefined, "{title} of {} classes", case.classes);
        }
        assert!(page.len() < 4_000_000, "{} bytes", page.len());
    }
}

#[test]
fn a_run_under_way_has_a_page() {
    let directory = tempfile::tempdir().unwrap();
    Case::new(4, 8, |class| 40 - 9 * class).run(directory.path(), "a", 3);
    std::fs::remove_file(directory.path().join(RunDir::RESULT)).unwrap();
    let report = RunReport::read(directory.path()).unwrap();
    let page = report.to_html().unwrap();
    assert_whole(&page);
    assert!(page.contains("Not finished.") && page.contains("Training loss"));
    assert!(!page.contains("Confusion"));
    let error = comparison_page(&[report.clone(), report]).unwrap_err();
    assert!(matches!(error, Error::Unfinished { .. }), "{error}");
}

#[test]
fn runs_stand_side_by_side() {
    let directory = tempfile::tempdir().unwrap();
    let case = Case::new(4, 8, |class| 40 - 9 * class);
    let other = Case::new(5, 8, |class| 40 - 7 * class);
    let runs: Vec<RunReport> = [("one", &case), ("two", &case), ("three", &other)]
        .into_iter()
        .map(|(name, case)| {
            case.run(&directory.path().join(name), name, 3);
            RunReport::read(&directory.path().join(name)).unwrap()
        })
        .collect();
    let page = comparison_page(&runs[..2]).unwrap();
    assert_whole(&page);
    assert!(page.contains("<th>one, seed 0</th><th>two, seed 0</th>"));
    assert!(page.contains("a: class weights, rate / 10 (epoch 3); b: phase second (epoch 4)"));
    assert!(page.contains("Norms of centred class means"));
    // Norms by class size belong in one drawing only where the classes have the same sizes.
    let page = comparison_page(&runs).unwrap();
    assert_whole(&page);
    assert!(!page.contains("Norms of centred class means"));
}

#[test]
fn feature_sets_have_a_page() {
    let case = Case::new(10, 64, |class| 300 / (class + 1));
    for (with_test, with_classifier) in [(true, true), (false, true), (false, false)] {
        let analysis = case.set(with_test, with_classifier).analyze().unwrap();
        let (counts, projection) = (case.counts(), case.projection());
        let report = AnalysisReport {
            name: "features.npz",
            analysis: &analysis,
            class_counts: &counts,
            projection: projection.as_ref(),
        };
        let page = report.to_html().unwrap();
        assert_whole(&page);
        assert_eq!(page.contains("Reliability"), with_classifier);
        assert_eq!(page.contains("<th>test</th>"), with_test);
        let rows = figure_rows(&analysis.train.nc, None);
        let row = rows.iter().find(|row| row.key == "nc2.centered_means.mean_nearest_angle_degrees").unwrap();
        assert_eq!(row.train, analysis.train.nc.nc2.centered_means.mean_nearest_angle_degrees);
        assert_eq!(row.ideal.to_string(), "96.4");
        assert_eq!(rows.iter().any(|row| row.key.starts_with("nc3")), with_classifier);
    }
}
