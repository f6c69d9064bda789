use std::{borrow::Cow, io::Write, path::PathBuf};

use anyhow::{Context, Result, ensure};
use nc_kernels::threads;
use nc_metrics::{Analysis, ClassMeans, Classifier, FeatureSet, Projection, Samples, Scalar};
use nc_record::{Features, Floats};
use nc_report::{AccuracyRow, AnalysisReport, accuracy_rows, class_list, figure_rows};

use crate::{compute, output, summary::percent, terminal::say};

/// Measure neural collapse, accuracy and calibration of features from any framework.
///
/// FILE is a safetensors or npz file with `features` (N, P) and `labels` (N), and optionally `weight` (K, P) and `bias`
/// (K) of the last layer, `class_counts` (K) of the training set, `test_features` (M, P), `test_labels` (M) and
/// `class_names` (K; in a safetensors file a JSON array in the metadata). Extract `features` from the training images
/// in evaluation mode, without augmentation. 64-bit features are measured in 64-bit precision.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Feature file, safetensors or npz.
    file: PathBuf,
    /// Also write all metrics as JSON; - prints the JSON in place of the table.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write a self-contained HTML page with plots; - prints the page in place of the table.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    threads: compute::Threads,
}

/// Number of samples in the plot of projected features.
const DRAWN: usize = 1000;

pub(crate) fn main(args: &Args) -> Result<()> {
    args.threads.start()?;
    threads::install(|| analyze(args))
}

fn analyze(args: &Args) -> Result<()> {
    let outputs = || [&args.json, &args.html].into_iter().flatten();
    outputs().try_for_each(|path| output::check(path))?;
    ensure!(
        outputs().filter(|path| output::is_stdout(path)).count() < 2,
        "--json and --html cannot both be written to standard output"
    );
    let file = Features::read(&args.file)?;
    if !file.ignored.is_empty() {
        let names: Vec<String> = file.ignored.iter().map(|name| name.escape_debug().to_string()).collect();
        say(&format!("{}: ignored entries: {}", args.file.display(), names.join(", ")));
    }
    let test = file.test.as_ref().map(|test| &test.features);
    if let (Some(train), Some(test)) = (file.features.as_f32(), test.map_or(Some(&[][..]), Floats::as_f32)) {
        measure(args, &file, train, test)
    } else {
        measure(args, &file, &file.features.to_f64(), &test.map_or_else(Cow::default, Floats::to_f64))
    }
}

/// Analyses `file`, with its features converted to one scalar type.
fn measure<T: Scalar>(args: &Args, file: &Features, train: &[T], test: &[T]) -> Result<()> {
    let Features { classes, dims, ref labels, ref class_counts, .. } = *file;
    let outputs = || [&args.json, &args.html].into_iter().flatten();
    let in_file = || args.file.display().to_string();
    let bias = file.bias.as_ref().map(Floats::to_f64);
    let classifier =
        file.weight.as_ref().map(|w| Classifier::new(&w.to_f64(), bias.as_deref(), classes, dims));
    let classifier = classifier.transpose().with_context(in_file)?;
    let train = Samples { features: train, labels };
    let set = FeatureSet {
        classes,
        dims,
        train,
        test: file.test.as_ref().map(|file| Samples { features: test, labels: &file.labels }),
        classifier: classifier.as_ref(),
        training_counts: class_counts.as_deref(),
    };
    let analysis = set.analyze().with_context(in_file)?;
    let found = analysis.train.nc.classes.len();
    ensure!(found >= 2, "{}: expected features of at least two classes, found {found}", in_file());
    let names = file.class_names.as_deref();
    if !outputs().any(|path| output::is_stdout(path)) {
        // Print first, so that a failed file write does not lose the metrics.
        print(&mut std::io::stdout().lock(), &analysis, names)?;
    }
    if args.json.is_some() || args.html.is_some() {
        let means = ClassMeans::of(train.features, labels, classes, dims)?;
        let projection = match args.html {
            Some(_) => Projection::of(train, &means, classifier.as_ref(), DRAWN)?,
            None => None,
        };
        let report = AnalysisReport {
            name: &args.file.file_name().unwrap_or_default().to_string_lossy(),
            analysis: &analysis,
            class_counts: &class_counts.clone().unwrap_or_else(|| counted(labels, classes)),
            class_names: names,
            projection: projection.as_ref(),
        };
        if let Some(path) = &args.json {
            let predictions =
                classifier.as_ref().map(|classifier| classifier.predictions(train.features)).transpose()?;
            let json = report.to_json(&means, predictions.as_deref())?;
            output::write(path, format!("{json}\n").as_bytes())?;
        }
        if let Some(path) = &args.html {
            output::write(path, report.to_html()?.as_bytes())?;
        }
    }
    Ok(())
}

fn counted(labels: &[u32], classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    for &label in labels {
        counts[label as usize] += 1;
    }
    counts
}

fn print(out: &mut dyn Write, analysis: &Analysis, names: Option<&[String]>) -> std::io::Result<()> {
    let Analysis { train, test } = analysis;
    let (nc, test_nc) = (&train.nc, test.as_ref().map(|test| &test.nc));
    write!(out, "{} training features", nc.samples)?;
    if let Some(test) = test_nc {
        write!(out, " and {} test features", test.samples)?;
    }
    writeln!(out, " of {} dimensions, {} classes", nc.dims, nc.classes.len())?;
    if !nc.absent_classes.is_empty() {
        let absent = class_list(&nc.absent_classes, names);
        writeln!(out, "classes without training features, left out: {absent}")?;
    }
    let mut row = |title: &str, train: &str, test: &str, ideal: &str| {
        let test = if test_nc.is_some() { format!(" {test:>10}") } else { String::new() };
        writeln!(out, "{}", format!("{title:<54} {train:>10}{test}  {ideal}").trim_end())
    };
    row("", "training", "test", "at collapse")?;
    let number = |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.4}"));
    for figure in figure_rows(nc, test_nc) {
        row(figure.title, &number(figure.train), &number(figure.test), &figure.ideal.to_string())?;
    }
    for AccuracyRow { title, train, test } in accuracy_rows(analysis) {
        let show = |share: Option<f64>| share.map_or_else(|| "-".into(), percent);
        row(title, &show(train), &show(test), "")?;
    }
    if !nc.etf_exists {
        let (classes, dims) = (nc.classes.len(), nc.dims);
        write!(out, "{classes} classes have no simplex ETF in {dims} dimensions (it needs {})", classes - 1)?;
        if let Some(angle) = nc.largest_min_angle_degrees {
            write!(out, "; the smallest angle can at most be {angle:.1} degrees")?;
        }
        writeln!(out)?;
    }
    Ok(())
}
