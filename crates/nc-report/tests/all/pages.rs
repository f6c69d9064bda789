//! Reports of runs and feature sets of all sizes, including edge cases.

use nc_metrics::ClassMeans;
use nc_record::{Event, RunDir};
use nc_report::{
    AnalysisReport, Error, Ideal, RunReport, accuracy_rows, class_list, comparison_page, expert_table,
    figure_rows,
};

use crate::{case::Case, refusals::Refusals};

/// Elements without an end tag.
const VOID: [&str; 4] = ["meta", "!doctype", "br", "img"];

/// Asserts that elements are nested correctly, that nothing is loaded from elsewhere, and that the only script is the
/// page's own.
pub(crate) fn assert_whole(page: &str) {
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    let script = format!("<script>\n{}</script>\n", include_str!("../../src/html/script.js"));
    let style = format!("<style>\n{}</style>\n", include_str!("../../src/html/style.css"));
    assert_eq!((page.matches(&script).count(), page.matches(&style).count()), (1, 1));
    let page = page.replace(&script, "").replace(&style, "");
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
        assert_in_order(&page);
        assert!(page.contains("name = &quot;&lt;&amp;&gt;&quot;"));
        assert!(
            page.contains("Averaged weights of the last epoch: test accuracy 62.5 %; they are saved too.")
        );
        assert!(page.contains("averaged weights"), "no curve of the average");
        assert_eq!(
            page.contains("does not exist in"),
            case.counts().iter().filter(|&&n| n > 0).count() > case.dims + 1
        );
        for title in ["Test accuracy", "variation (NC1)", "Reliability", "Accuracy by class"] {
            let undefined = title.ends_with("(NC1)") && case.classes == 1;
            assert_eq!(page.contains(title), !undefined, "{title} of {} classes", case.classes);
        }
        // Angles and confusion.
        let grouped = page.matches("Each square combines 3 x 3 classes of similar size.").count();
        assert_eq!(grouped, if case.classes == 230 { 2 } else { 0 });
        assert!(page.len() < 4_000_000, "{} bytes", page.len());
    }
}

/// What matters most comes first.
fn assert_in_order(page: &str) {
    let parts = [
        "<h1>",
        "<div class=\"command\">",
        "<strong>Finished</strong>",
        "<dl class=\"tiles\">",
        "<h2>Accuracy by class</h2>",
        "<h3>Confusion</h3>",
        "<h2>Training</h2>",
        "<h2>Geometry of the training features</h2>",
        "<h2>Details</h2>",
        "<summary>Configuration</summary>",
    ];
    let at = |part: &&str| page.find(*part).unwrap_or_else(|| panic!("no {part}"));
    let places: Vec<usize> = parts.iter().map(at).collect();
    assert!(places.is_sorted(), "{places:?}");
    assert_eq!(page.matches("<dt>").count(), 4);
}

#[test]
fn values_at_the_pointer_are_those_drawn() {
    let directory = tempfile::tempdir().unwrap();
    Case::new(3, 8, |class| 200 >> class).run(directory.path(), "a", 4);
    let page = RunReport::read(directory.path()).unwrap().to_html().unwrap();
    let values = |title: &str| -> serde_json::Value {
        let (before, _) = page.split_once(&format!("<h3>{title}</h3>")).unwrap();
        let (_, json) = before.rsplit_once("data-values=\"").unwrap();
        serde_json::from_str(
            &json
                .split_once('"')
                .unwrap()
                .0
                .replace("&quot;", "\"")
                .replace("&lt;", "<")
                .replace("&gt;", ">"),
        )
        .unwrap()
    };
    let confusion = values("Confusion");
    let rows = confusion["values"].as_array().unwrap();
    for row in rows {
        let shares: f64 = row.as_array().unwrap().iter().map(|share| share.as_f64().unwrap()).sum();
        assert!((shares - 100.0).abs() < 0.2, "{row}");
    }
    assert_eq!(confusion["names"], serde_json::json!(["<class> 0", "<class> 1", "<class> 2"]));
    let rate = values("Learning rate");
    assert_eq!(rate["x"], "epoch");
    assert_eq!(rate["series"][0]["points"][0][0], 1.0);
    // Each series is a group, which the script can hide, with its name beside the line.
    let series = values("Test accuracy")["series"].as_array().unwrap().len();
    let (_, chart) = page.split_once("<h3>Test accuracy</h3>").unwrap();
    let (chart, _) = chart.split_once("</figure>").unwrap();
    assert_eq!(chart.matches("<g data-series=").count(), series);
    assert!(chart.contains("\nall\n</text>"), "{chart}");
}

#[test]
fn experts_are_compared_with_their_mean() {
    let case = Case::new(4, 8, |class| 400 >> class);
    let nc = case.set(true, true).geometry().unwrap();
    let angle = nc.train.nc2.centered_means.mean_nearest_angle_degrees.unwrap();
    let result = case.result("a", nc);
    let table = expert_table(&result.experts, &result.accuracy, &result.nc.train);
    let [titles, first, second, mean] = &table[..] else { panic!("{table:?}") };
    assert_eq!(titles[7..], ["as 1", "as 2"]);
    assert_eq!(first[..5], ["1", "37.5 %", "50.0 %", "–", "–"]);
    assert_eq!(
        (&second[5], &second[7..]),
        (&format!("{angle:.1}"), &["25.0 %".into(), "100.0 %".into()][..])
    );
    assert_eq!((mean[0].as_str(), &mean[1]), ("mean", &format!("{:.1} %", 100.0 * result.accuracy.top1)));
    assert!(expert_table(&[], &result.accuracy, &result.nc.train).is_empty());
}

#[test]
fn an_unfinished_run_renders() {
    let directory = tempfile::tempdir().unwrap();
    Case::new(4, 8, |class| 40 - 9 * class).run(directory.path(), "a", 3);
    std::fs::remove_file(directory.path().join(RunDir::RESULT)).unwrap();
    let report = RunReport::read(directory.path()).unwrap();
    let page = report.to_html().unwrap();
    assert_whole(&page);
    assert!(page.contains("Not finished. Epoch ") && page.contains("Training loss"));
    assert!(!page.contains("\"refresh\"") && page.contains("<pre>nclt train --resume "));
    let live = RunReport { live: true, ..report.clone() }.to_html().unwrap();
    assert_whole(&live);
    assert!(
        live.contains("\"refresh\"")
            && live.contains("In progress at ")
            && live.contains(" of this phase left")
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
    let runs: Vec<RunReport> = [("data/one", &case), ("data/two", &case), ("data/three", &other)]
        .into_iter()
        .map(|(name, case)| {
            case.run(&directory.path().join(name), name, 3);
            RunReport::read(&directory.path().join(name)).unwrap()
        })
        .collect();
    let page = comparison_page(&runs[..2]).unwrap();
    assert_whole(&page);
    assert!(page.contains("<h1>Comparison of 2 methods</h1>"));
    assert_eq!(page.matches("<div class=\"legend\">").count(), 1);
    assert!(page.contains("a: class weights, learning rate / 10 (epoch 3); b: phase second (epoch 4)"));
    assert!(page.contains("Norms of centred class means") && !page.contains("Differing settings"));
    assert!(page.contains("<td>one</td>") && page.contains("<td>two</td>"));
    // Directories disambiguate methods with the same name.
    case.run(&directory.path().join("again"), "data/one", 2);
    std::fs::write(directory.path().join("again").join(RunDir::CONFIG), "weight = 2\n").unwrap();
    let twins = [runs[0].clone(), RunReport::read(&directory.path().join("again")).unwrap()];
    let page = comparison_page(&twins).unwrap();
    assert!(page.contains(&format!("<td>one ({})</td>", directory.path().join("again").display())));
    assert!(page.contains("<td><code>weight</code></td><td>–</td><td>2</td>"), "{page}");
    // More methods than colours.
    let many: Vec<RunReport> = (0..8)
        .map(|weight| RunReport {
            directory: weight.to_string().into(),
            config: format!("weight = {weight}"),
            ..runs[0].clone()
        })
        .collect();
    let page = comparison_page(&many).unwrap();
    let legend = page.split_once("<div class=\"legend\">").unwrap().1.split_once("</div>").unwrap().0;
    assert_eq!(legend.matches("stroke-dasharray").count(), 1);
    // Norms by class size are drawn together only if the class sizes are equal.
    let page = comparison_page(&runs).unwrap();
    assert_whole(&page);
    assert!(!page.contains("Norms of centred class means"));
}

#[test]
fn seeds_of_a_configuration_are_averaged() {
    let directory = tempfile::tempdir().unwrap();
    Case::new(4, 8, |class| 40 - 9 * class).run(directory.path(), "a", 3);
    let run = RunReport::read(directory.path()).unwrap();
    let with = |config: &str, seed: u64, top1: f64| {
        let directory = format!("{config}{seed}").into();
        let mut run = RunReport { directory, config: format!("seed = {seed}\n{config}"), ..run.clone() };
        for event in &mut run.events {
            if let Event::RunStarted { seed: of_run, .. } = event {
                *of_run = seed;
            }
        }
        let result = run.result.as_mut().unwrap();
        (result.seed, result.accuracy.top1) = (seed, top1);
        run
    };
    // Differences of the pairs: 2 and 4 points; mean 3, standard error 1.
    let runs = [with("", 0, 0.5), with("", 1, 0.6), with("w = 1", 1, 0.64), with("w = 1", 0, 0.52)];
    let page = comparison_page(&runs).unwrap();
    assert_whole(&page);
    assert!(page.contains("<td>2</td><td>55.0 ± 7.1</td><td></td>"), "{page}");
    assert!(page.contains("<td>2</td><td class=\"best\">58.0 ± 8.5</td><td>+3.0 ± 1.0</td>"), "{page}");
    // Without common seeds, the difference of the means.
    let runs = [with("", 0, 0.5), with("w = 1", 1, 0.64)];
    assert!(
        comparison_page(&runs).unwrap().contains("<td class=\"best\">64.0</td><td>+14.0 (unpaired)</td>")
    );
    assert!(comparison_page(&runs[..1]).unwrap().contains("<h1>a, seed 0</h1>"));
    // Some pairs only.
    let page = comparison_page(&[with("", 0, 0.5), with("", 1, 0.6), with("w = 1", 1, 0.64)]).unwrap();
    assert!(page.contains("<td>+4.0 (1 pair)</td>"), "{page}");
    // A copy of a run counts once; another run of the same seed is not another sample.
    let copy = RunReport { directory: "copy".into(), ..runs[0].clone() };
    let mut again = RunReport { directory: "again".into(), ..runs[0].clone() };
    again.result.as_mut().unwrap().timing.seconds += 1.0;
    let page = comparison_page(&[runs[0].clone(), copy, again]).unwrap();
    assert!(page.contains("1 of the runs are copies of others"));
    assert!(page.contains("<td>a (0)</td><td>1</td>") && page.contains("<td>a (again)</td><td>1</td>"));
    // Seeds on other images are another method, without differences on other test images.
    let mut other = with("", 1, 0.9);
    other.result.as_mut().unwrap().data.test_hash = "other".into();
    let page = comparison_page(&[with("", 0, 0.5), other]).unwrap();
    assert!(page.contains("<code>test images</code>") && page.contains("accuracies cannot be compared"));
    assert!(!page.contains("<td class=\"best\">90.0") && !page.contains("+40.0"));
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

/// The ideal angle is that of the ETF, and Rankin's bound of 90 degrees if the dimension is too small for it.
#[test]
fn ideal_angles_fit_classes_and_dimensions() {
    for (classes, dims, ideal) in [(10, 64, "96.4"), (10, 9, "96.4"), (12, 8, "90.0")] {
        let analysis = Case::new(classes, dims, |_| 5).set(true, true).analyze().unwrap();
        let rows = figure_rows(&analysis.train.nc, None);
        let angles: Vec<String> = rows
            .iter()
            .filter(|row| row.title.ends_with("degrees"))
            .map(|row| row.ideal.to_string())
            .collect();
        assert_eq!(angles, [ideal; 4], "{classes} classes in {dims} dimensions");
    }
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
        // Tile, accuracy by class and by confidence; then the confusion matrix.
        let (set, other) = if with_test { ("test", "training") } else { ("training", "test") };
        let named = |set: &str| page.matches(&format!("\n{set} accuracy\n")).count();
        assert_eq!((named(set), named(other)), (if with_classifier { 2 } else { 0 }, 0));
        assert_eq!(page.contains(&format!("<dt>{set} accuracy</dt>")), with_classifier);
        let confused = format!("share of each class's {set} samples by predicted class");
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
    assert!(report.to_html().unwrap().contains("<td>1</td><td class=\"text\">&lt;bee&gt;</td><td>3</td>"));
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
