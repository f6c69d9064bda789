use std::{io::Write, path::PathBuf};

use anyhow::Result;
use nc_kernels::threads;
use nc_metrics::{Analysis, ClassMeans, Classifier, FeatureSet, Projection, Samples};
use nc_record::{Features, write_atomically};
use nc_report::{AccuracyRow, AnalysisReport, accuracy_rows, figure_rows};
use serde::Serialize;

use crate::{compute, summary::percent};

/// Measure neural collapse, accuracy and calibration of features from anywhere.
///
/// FILE is a safetensors or npz file with `features` (N, P) and `labels` (N); `weight` (K, P) and `bias` (K) of the last
/// layer, `class_counts` (K) of the training set, `test_features` (M, P) and `test_labels` (M) are used where they are
/// there. The features should be those of the training images, without augmentation and in evaluation mode.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The features.
    file: PathBuf,
    /// Also write every figure as JSON; - for standard output, in place of the table.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write a page with pictures, which needs no network.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    threads: compute::Threads,
}

/// Samples that are drawn in the plane.
const DRAWN: usize = 1000;

pub(crate) fn main(args: &Args) -> Result<()> {
    args.threads.start()?;
    threads::install(|| analyze(args))
}

fn analyze(args: &Args) -> Result<()> {
    let Features { classes, dims, features, labels, weight, bias, class_counts, test } =
        Features::read(&args.file)?;
    let classifier =
        weight.map(|weight| Classifier::new(&weight, bias.as_deref(), classes, dims)).transpose()?;
    let train = Samples { features: &features, labels: &labels };
    let set = FeatureSet {
        classes,
        dims,
        train,
        test: test.as_ref().map(|test| Samples { features: &test.features, labels: &test.labels }),
        classifier: classifier.as_ref(),
        training_counts: class_counts.as_deref(),
    };
    let analysis = set.analyze()?;
    let to_output = args.json.as_ref().is_some_and(|path| path.as_os_str() == "-");
    if !to_output {
        // First of all: a file that cannot be written must not cost the figures.
        print(&mut std::io::stdout().lock(), &analysis)?;
    }
    if args.json.is_some() || args.html.is_some() {
        let means = ClassMeans::of(&features, &labels, classes, dims)?;
        if let Some(path) = &args.html {
            let projection = Projection::of(train, &means, classifier.as_ref(), DRAWN)?;
            let name = args.file.file_name().unwrap_or_default().to_string_lossy();
            let report = AnalysisReport {
                name: &name,
                analysis: &analysis,
                class_counts: &class_counts.unwrap_or_else(|| counted(&labels, classes)),
                projection: projection.as_ref(),
            };
            write_atomically(path, report.to_html()?.as_bytes())?;
        }
        if let Some(path) = &args.json {
            let predictions =
                classifier.as_ref().map(|classifier| classifier.predictions(&features)).transpose()?;
            let json = serde_json::to_vec(&Json {
                analysis: &analysis,
                class_means: means.means().chunks(dims).collect(),
                mean_of_class_means: means.mean_of_class_means(),
                global_mean: means.global_mean(),
                predictions,
            })?;
            if to_output {
                let mut out = std::io::stdout().lock();
                out.write_all(&json)?;
                writeln!(out)?;
            } else {
                write_atomically(path, &json)?;
            }
        }
    }
    Ok(())
}

/// Everything, under the names that the figures have.
#[derive(Serialize)]
struct Json<'a> {
    #[serde(flatten)]
    analysis: &'a Analysis,
    /// Of the classes that have samples.
    class_means: Vec<&'a [f64]>,
    mean_of_class_means: &'a [f64],
    global_mean: &'a [f64],
    /// Of the classifier, for the training features.
    predictions: Option<Vec<u32>>,
}

fn counted(labels: &[u32], classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    for &label in labels {
        counts[label as usize] += 1;
    }
    counts
}

fn print(out: &mut dyn Write, analysis: &Analysis) -> std::io::Result<()> {
    let Analysis { train, test } = analysis;
    let (nc, test_nc) = (&train.nc, test.as_ref().map(|test| &test.nc));
    write!(out, "{} training features", nc.samples)?;
    if let Some(test) = test_nc {
        write!(out, " and {} test features", test.samples)?;
    }
    writeln!(out, " of {} dimensions, {} classes", nc.dims, nc.classes.len())?;
    if !nc.absent_classes.is_empty() {
        writeln!(out, "classes without training features, left out: {:?}", nc.absent_classes)?;
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
