//! Reports of runs and feature sets of all sizes, including edge cases.

use nc_metrics::ClassMeans;
use nc_record::RunDir;
use nc_report::{
    AnalysisReport, Error, Ideal, RunReport, accuracy_rows, class_list, comparison_page, figure_rows,
};

use crate::{case::Case, refusals::Refusals};

/// Elements without an end tag.
const VOID: [&str; 3] = ["meta", "!doctype", "br"];

/// Asserts that elements are nested correctly and nothing is loaded from elsewhere.
fn assert_whole(page: &str) {
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    assert!(!page.contains("NaN") && !page.contains("inf\""), "a non-finite number");
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
fn runs_of_every_size_render() {
    // Long-tailed; one class; two classes; more classes than dimensions; more classes than squares of a heat map;
    // balanced; classes without samples.
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
        // Angles and confusion.
        let grouped = page.matches("Each square combines 3 x 3 classes of similar size.").count();
        assert_eq!(grouped, if case.classes == 230 { 2 } else { 0 });
        assert!(page.len() < 4_000_000, "{} bytes", page.len());
    }
}

#[test]
fn an_unfinished_run_renders() {
    let directory = tempfile::tempdir().unwrap();
    Case::new(4, 8, |class| 40 - 9 * class).run(directory.path(), "a", 3);
    std::fs::remove_file(directory.path().join(RunDir::RESULT)).unwrap();
    let report = RunReport::read(directory.path()).unwrap();
    let page = report.to_html().unwrap();
    assert_whole(&page);
    assert!(
        page.contains("Not finished. Epoch ")
            && page.contains("Training loss")
            && page.contains("\"refresh\"")
    );
    assert!(!page.contains("Confusion"));
    // An incomplete last line.
    let log = directory.path().join(RunDir::EVENTS);
    let events = std::fs::read_to_string(&log).unwrap();
    std::fs::write(&log, format!("{events}{{\"event\":\"eva")).unwrap();
    assert_eq!(RunReport::read(directory.path()).unwrap().events, report.events);
    let error = comparison_page(&[report.clone(), report]).unwrap_err();
    let named = directory.path().display().to_string();
    assert!(matches!(&error, Error::Unfinished { run } if *run == named), "{error}");
}

#[test]
fn comparison_pages_render() {
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
    // Directories disambiguate runs with the same name.
    case.run(&directory.path().join("again"), "one", 2);
    let twins = [runs[0].clone(), RunReport::read(&directory.path().join("again")).unwrap()];
    let again = format!("<th>one, seed 0 ({})</th>", directory.path().join("again").display());
    assert!(comparison_page(&twins).unwrap().contains(&again));
    // More runs than colours.
    let page = comparison_page(&vec![runs[0].clone(); 8]).unwrap();
    let (_, norms) = page.split_once("<h3>Norms of centred class means</h3>").unwrap();
    let (norms, _) = norms.split_once("</figure>").unwrap();
    assert_eq!(norms.matches("stroke-dasharray").count(), 1);
    // Norms by class size are drawn together only if the class sizes are equal.
    let page = comparison_page(&runs).unwrap();
    assert_whole(&page);
    assert!(!page.contains("Norms of centred class means"));
}

/// A metric renamed in nc-metrics would silently vanish from all reports.
#[test]
fn all_reported_metrics_exist() {
    let case = Case::new(6, 8, |class| [300, 150, 50, 30, 12, 8][class]);
    let analysis = case.set(true, true).analyze().unwrap();
    let rows = figure_rows(&analysis.train.nc, analysis.test.as_ref().map(|test| &test.nc));
    assert_eq!(rows.len(), 31, "{:?}", rows.iter().map(|row| row.key).collect::<Vec<_>>());
    // The squared error has no fixed value at collapse: the ridge term remains, and the classifier may be suboptimal.
    let of_error = || rows.iter().filter(|row| row.key.starts_with("mse."));
    assert_eq!(of_error().count(), 3);
    assert!(of_error().all(|row| row.ideal == Ideal::None));
    let figures = nc_record::figures(&analysis.train.nc);
    for curve in [
        "nc1.trace.class_weighted",
        "nc1.trace.sample_weighted",
        "nc2.centered_means.equinorm_cov",
        "nc2.weights.equinorm_cov",
        "nc2.centered_means.mean_nearest_angle_degrees",
        "nc2.weights.mean_nearest_angle_degrees",
        "nc3.duality_gap_squared",
        "nc4.mismatch",
    ] {
        assert!(figures.contains_key(curve), "{curve}");
    }
    assert_eq!(accuracy_rows(&analysis).len(), 12);
}

#[test]
fn feature_sets_render() {
    let case = Case::new(10, 64, |class| 300 / (class + 1));
    for (with_test, with_classifier) in [(true, true), (false, true), (false, false)] {
        let analysis = case.set(with_test, with_classifier).analyze().unwrap();
        let (counts, projection) = (case.counts(), case.projection());
        let report = AnalysisReport {
            name: "features.npz",
            analysis: &analysis,
            class_counts: &counts,
            class_names: None,
            projection: projection.as_ref(),
        };
        let page = report.to_html().unwrap();
        assert_whole(&page);
        assert_eq!(page.contains("Reliability"), with_classifier);
        let shares = page.contains("<td>accuracy, medium-shot classes (20 to 100)</td>");
        assert_eq!(shares, with_classifier);
        // Accuracy by class and by confidence; then the confusion matrix.
        let (set, other) = if with_test { ("test", "training") } else { ("training", "test") };
        let named = |set: &str| page.matches(&format!("{set} accuracy")).count();
        assert_eq!((named(set), named(other)), (if with_classifier { 2 } else { 0 }, 0));
        let confused = format!("{set} samples by true class, largest first");
        assert_eq!(page.contains(&confused), with_classifier);
        assert_eq!(page.contains("<th>test</th>"), with_test);
        let rows = figure_rows(&analysis.train.nc, None);
        let row = rows.iter().find(|row| row.key == "nc2.centered_means.mean_nearest_angle_degrees").unwrap();
        assert_eq!(row.train, analysis.train.nc.nc2.centered_means.mean_nearest_angle_degrees);
        assert_eq!(row.ideal.to_string(), "96.4");
        assert_eq!(rows.iter().any(|row| row.key.starts_with("nc3")), with_classifier);
    }
}

pub(crate) fn refused(told: &mut Refusals) {
    let case = Case::new(10, 64, |class| 300 / (class + 1));
    let analysis = case.set(true, true).analyze().unwrap();
    let (counts, mut projection) = (case.counts(), case.projection().unwrap());
    let report = AnalysisReport {
        name: "<f>",
        analysis: &analysis,
        class_counts: &counts[1..],
        class_names: None,
        projection: None,
    };
    told.add("training counts of other classes", report.to_html());
    let report = AnalysisReport { class_counts: &counts, ..report };
    report.to_html().unwrap();

    projection.classes.pop();
    let fewer = AnalysisReport { projection: Some(&projection), ..report };
    told.add("a projection with more means than classes", fewer.to_html());
    let mut damaged = analysis.clone();
    damaged.test.as_mut().unwrap().accuracy.as_mut().unwrap().confusion.pop();
    told.add("confusion that lost a class", AnalysisReport { analysis: &damaged, ..report }.to_html());
}

#[test]
fn feature_set_json_has_metrics_and_means() {
    let case = Case::new(3, 2, |class| 4 - class);
    let analysis = case.set(true, true).analyze().unwrap();
    let samples = case.samples();
    let means = ClassMeans::of(samples.features, samples.labels, case.classes, case.dims).unwrap();
    let counts = case.counts();
    let names = ["ant", "<bee>", "cat"].map(str::to_owned);
    let report = AnalysisReport {
        name: "f",
        analysis: &analysis,
        class_counts: &counts,
        class_names: Some(&names),
        projection: None,
    };
    assert!(report.to_html().unwrap().contains("<td>1</td><td>&lt;bee&gt;</td><td>3</td>"));
    assert_eq!(class_list(&[0, 2], report.class_names), "0 (ant), 2 (cat)");
    assert_eq!(class_list(&[0, 2], None), "0, 2");
    let json = |values: &[f64]| serde_json::to_string(values).unwrap();
    let figures = serde_json::to_string(&analysis).unwrap();
    let rows: Vec<String> = means.means().chunks(case.dims).map(json).collect();
    for (predictions, shown) in [(Some(&[2, 0, 1][..]), "[2,0,1]"), (None, "null")] {
        let expected = format!(
            "{},\"class_means\":[{}],\"mean_of_class_means\":{},\"global_mean\":{},\"class_names\":{},\
             \"predictions\":{shown}}}",
            figures.strip_suffix('}').unwrap(),
            rows.join(","),
            json(means.mean_of_class_means()),
            json(means.global_mean()),
            r#"["ant","<bee>","cat"]"#
        );
        assert_eq!(report.to_json(&means, predictions).unwrap(), expected);
    }
}
