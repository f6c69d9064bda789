use std::{
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail, ensure};
use nc_data::counted;
use nc_kernels::threads;
use nc_record::{RunDir, shell_word, write_atomically};
use nc_report::{Ranking, RunReport, TestSummary, comparison_page};
use nc_train::{
    DataFacts, DataSource, Error, Experiment, Finished, Keep, RunOptions, RunResult, Settings, Speed,
    ValidExperiment, epochs_within,
    presets::{self, ImageDirectory},
    queue::{QueuedRun, Runs},
};

use crate::{
    loading::Loading,
    queue,
    summary::percent,
    terminal::{harmless, say, show},
};

const EXAMPLES: &str = "\
Examples:
  # Seven methods with three seeds on your images, in photos/CLASS or photos/train/CLASS
  nclt compare --data-dir photos

  # In half an hour, two of them
  nclt compare --data-dir photos --methods ce,balanced-softmax --minutes 30

  # On the embedded Fashion-MNIST-LT
  nclt compare --data fashion-mnist-lt --epochs 10";

/// Train several methods with several seeds on the same images, and recommend one.
///
/// Validation images choose the epoch of each run and rank the methods by balanced accuracy; test images are only
/// reported. Repeat an interrupted command to continue: finished runs are kept, and several machines may work in the same
/// directory.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Data set of the presets [default: your own images in --data-dir].
    #[arg(long, value_name = "NAME")]
    data: Option<String>,
    /// Methods, separated by commas, with parts added by +; `nclt presets` lists them.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = presets::COMPARED.map(String::from))]
    methods: Vec<String>,
    /// Seeds of initialisation, data order, augmentation and mix-up, separated by commas; the split of the images does not
    /// change.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = [0, 1, 2], value_parser = queue::parse_seed())]
    seeds: Vec<u64>,
    /// Override one setting of all methods, as in `--set model.backbone=resnet32`.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    overrides: Vec<String>,
    /// Epochs of the first phase [default: for your own images, by their number].
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Choose the number of epochs so that all runs together take about this long here. A repeated command keeps it.
    #[arg(long, value_name = "N", conflicts_with = "epochs", value_parser = clap::value_parser!(u32).range(1..))]
    minutes: Option<u32>,
    /// Start each run from the weights in this safetensors file, as `nclt train --init-from`.
    #[arg(long, value_name = "FILE")]
    init_from: Option<PathBuf>,
    /// Directory of the runs and of the page that compares them.
    #[arg(long, value_name = "DIR", default_value = "comparison")]
    out: PathBuf,
    #[command(flatten)]
    queue: queue::Args,
}

/// Memory of a Slurm task beside the images.
const GIGABYTES: usize = 4;

pub(crate) fn main(args: &Args) -> Result<ExitCode> {
    let comparison = args.comparison()?;
    let missing = comparison.missing()?.len();
    if args.queue.slurm {
        if missing == 0 {
            show("no runs missing");
            return Ok(ExitCode::SUCCESS);
        }
        let gigabytes = GIGABYTES + comparison.images_in_memory().div_ceil(1 << 30);
        std::fs::create_dir_all(&args.out)
            .with_context(|| format!("cannot create {}", args.out.display()))?;
        let path = args.out.join("slurm.sh");
        write_atomically(&path, args.queue.slurm_script(missing, gigabytes)?.as_bytes())?;
        let missing = counted(missing, "run", "runs");
        show(&format!("{missing} missing: sbatch {}", shell_word(&path.to_string_lossy())));
        return Ok(ExitCode::SUCCESS);
    }
    let epochs = comparison.runs.first().map_or(0, |run| run.experiment.phases[0].epochs);
    let runs = counted(comparison.runs.len(), "run", "runs");
    let summary = format!("{runs} of {}; {missing} missing", counted(epochs, "epoch", "epochs"));
    let directories: Vec<PathBuf> = comparison.runs.iter().map(|run| run.directory.clone()).collect();
    let Some(worked) = args.queue.work(comparison, &summary, None, args.init_from.as_deref())? else {
        return Ok(ExitCode::SUCCESS);
    };
    let finished = directories.iter().filter(|directory| directory.join(RunDir::RESULT).exists());
    let runs: Vec<RunReport> =
        finished.map(|directory| Ok(RunReport::read(directory)?)).collect::<Result<_>>()?;
    if !runs.is_empty() {
        let page = args.out.join("comparison.html");
        write_atomically(&page, comparison_page(&runs)?.as_bytes())?;
        if runs.len() == directories.len() && !worked.has_failures() {
            tell(&runs)?;
        }
        show(&page.display().to_string());
    }
    Ok(worked.end())
}

/// Prints the ranking and the recommendation.
fn tell(runs: &[RunReport]) -> Result<()> {
    let Some(ranking) = Ranking::of(runs) else {
        show("no recommendation: it takes two methods or more, and runs with the same validation images");
        return Ok(());
    };
    let mut out = std::io::stdout().lock();
    let width = ranking.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).max(6);
    writeln!(
        out,
        "\n{:width$}  {:<21} {:>7} {:>10} {:>7} {:>7} {:>7} {:>7} {:>7}",
        "method", "validation, balanced", "test", "balanced", "many", "medium", "few", "worst", "ECE"
    )?;
    for row in &ranking.rows {
        let deviation = row.deviation.map_or_else(String::new, |share| format!("± {:.1}", 100.0 * share));
        write!(out, "{:width$}  {:>13} {deviation:<7}", harmless(&row.name), percent(row.mean))?;
        let TestSummary { all, balanced, many, medium, few, worst_class, ece } = row.test;
        let shown = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), percent);
        write!(out, " {:>7} {:>10}", shown(all), shown(balanced))?;
        for share in [many, medium, few, worst_class, ece] {
            write!(out, " {:>7}", shown(share))?;
        }
        writeln!(out)?;
    }
    writeln!(out, "\n{}", harmless(&ranking.recommendation()))?;
    if let Some(best) = ranking.rows.first() {
        let run = shell_word(&best.best_run.to_string_lossy());
        writeln!(out, "To use it: nclt predict {run} IMAGE\n")?;
    }
    Ok(())
}

/// A run of a comparison.
struct ComparedRun {
    name: String,
    experiment: ValidExperiment,
    key: String,
    needs: Option<String>,
    directory: PathBuf,
}

impl QueuedRun for ComparedRun {
    fn experiment(&self) -> &ValidExperiment {
        &self.experiment
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn key(&self) -> &str {
        &self.key
    }

    fn needs(&self) -> Option<&str> {
        self.needs.as_deref()
    }
}

/// The runs of a comparison. A run is recorded by its result on the same test images.
struct Comparison {
    runs: Vec<ComparedRun>,
    /// All runs have the same images.
    facts: DataFacts,
}

impl Comparison {
    /// Bytes of the images that a run holds in memory; 0 if they are streamed.
    fn images_in_memory(&self) -> usize {
        if self.runs.iter().any(|run| run.experiment.data.streaming.is_some()) {
            return 0;
        }
        (self.facts.train_images + self.facts.evaluated_images) * self.facts.shape.values()
    }
}

impl Runs for Comparison {
    type Run = ComparedRun;
    type Error = Error;

    fn runs(&self) -> &[ComparedRun] {
        &self.runs
    }

    fn missing(&self) -> nc_train::Result<Vec<usize>> {
        // Training refuses a run on other test images.
        let unfinished = |position: &usize| {
            let result: nc_record::Result<RunResult> = RunDir::read_result(&self.runs[*position].directory);
            result.map_or(true, |result| result.data.test_hash != self.facts.test_hash)
        };
        Ok((0..self.runs.len()).filter(unfinished).collect())
    }

    fn directory(&self, run: &ComparedRun, _: &str) -> PathBuf {
        run.directory.clone()
    }

    fn facts(&self, _: &ComparedRun) -> Option<&DataFacts> {
        Some(&self.facts)
    }

    fn purpose(&self, run: &ComparedRun) -> String {
        run.directory.display().to_string()
    }

    fn record(&self, _: &ComparedRun, finished: &Finished, _: &RunOptions) -> nc_train::Result<bool> {
        if let Err(error) = RunReport::write_page(&finished.directory) {
            say(&format!("cannot write the page of {}: {error}", finished.directory.display()));
        }
        Ok(true)
    }
}

impl Args {
    fn comparison(&self) -> Result<Comparison> {
        let images = self.queue.compute.images()?;
        ensure!(
            self.data.is_some() || images.is_some(),
            "set --data-dir to the directory of your images, or --data to a data set of `nclt presets`"
        );
        let full = self.experiments(images.as_ref(), self.epochs)?;
        let [first, ..] = &full[..] else {
            anyhow::bail!("--methods: expected at least one method, found none")
        };
        let (options, data_dirs) = self.queue.compute.start_all(&[first.data.source], None)?;
        let data_dir = data_dirs.get(&first.data.source).cloned().flatten();
        let progress = &mut Loading::default();
        let facts = threads::install(|| DataFacts::read(&first.data, data_dir.as_deref(), progress))?;
        ensure!(
            facts.validation_hash.is_some()
                || full.iter().all(|experiment| experiment.evaluation.keep != Keep::Best),
            "methods are compared on validation images, but no class has one to hold out; add images, or give \
             validation images"
        );
        let experiments = match self.minutes {
            None => full,
            Some(minutes) => {
                let of = minutes_key(&full, &facts)?;
                let epochs = self.kept_epochs(minutes, &of, || {
                    let speed = threads::install(|| Speed::measure(first, &facts, &options.device))?;
                    let seconds = |epochs| scaled_seconds(&full, epochs, speed, &facts);
                    Ok(epochs_within(60.0 * f64::from(minutes), seconds))
                })?;
                self.experiments(images.as_ref(), Some(epochs))?
            }
        };
        let mut runs: Vec<ComparedRun> = vec![];
        for experiment in experiments {
            let hash = facts.run_hash(&experiment)?;
            let directory = nc_train::run_directory(&self.out.join("runs"), &experiment, &hash);
            let key = experiment.hash("")?;
            let shorter = experiment.shorter().map(|shorter| shorter.hash("")).transpose()?;
            let needs = shorter.filter(|shorter| runs.iter().any(|run| run.key == *shorter));
            let name = experiment.name.clone();
            ensure!(runs.iter().all(|run| run.key != key), "{name} seed {}: given twice", experiment.seed);
            runs.push(ComparedRun { name, experiment, key, needs, directory });
        }
        Ok(Comparison { runs, facts })
    }

    /// The experiments, seed by seed, shorter ones before those that continue them.
    fn experiments(
        &self,
        images: Option<&ImageDirectory>,
        epochs: Option<usize>,
    ) -> Result<Vec<ValidExperiment>> {
        let data = match (&self.data, images) {
            (Some(data), _) => data.as_str(),
            (None, Some(images)) => presets::data_set_of(images.source()?),
            (None, None) => "",
        };
        // Validation images choose the epoch that a run keeps; --set may change that.
        let mut overrides = vec!["evaluation.keep=best".to_owned()];
        let own_images = [DataSource::ImageFolder, DataSource::ImageList].map(presets::data_set_of);
        if !own_images.contains(&data) {
            overrides.push("data.validation.fraction=0.15".to_owned());
        }
        if let Some(weights) = &self.init_from {
            overrides.push(format!("model.init_sha256={:?}", nc_train::weights_sha256(weights)?));
        }
        overrides.extend(self.overrides.iter().cloned());
        let mut experiments = vec![];
        for &seed in &self.seeds {
            let mut of_seed = vec![];
            for method in &self.methods {
                let preset = format!("{data}/{method}");
                let settings = Settings {
                    preset: Some(&preset),
                    config: None,
                    overrides: &overrides,
                    epochs,
                    seed: Some(seed),
                    images,
                };
                of_seed.push(settings.resolve()?);
            }
            of_seed.sort_by_key(|experiment| (experiment.phases.len(), experiment.post_hoc.is_some()));
            experiments.extend(of_seed);
        }
        Ok(experiments)
    }

    /// The number of epochs that an earlier call with `minutes` chose for the runs `of`, else that of `choose`, which is then
    /// stored: other machines, and the same at another time, would measure another speed.
    fn kept_epochs(&self, minutes: u32, of: &str, choose: impl FnOnce() -> Result<usize>) -> Result<usize> {
        let path = self.out.join("epochs");
        if let Some(epochs) = kept_epochs(&path, minutes, of)? {
            return Ok(epochs);
        }
        let epochs = choose()?;
        if self.queue.dry_run {
            return Ok(epochs);
        }
        std::fs::create_dir_all(&self.out)
            .with_context(|| format!("cannot create {}", self.out.display()))?;
        match std::fs::File::create_new(&path) {
            Ok(mut file) => {
                file.write_all(format!("{epochs} epochs within {minutes} minutes of {of}\n").as_bytes())?;
                Ok(epochs)
            }
            // Another machine was faster.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Ok(kept_epochs(&path, minutes, of)?.unwrap_or(epochs))
            }
            Err(error) => Err(error).with_context(|| format!("cannot write {}", path.display())),
        }
    }
}

/// Identifies images, methods, seeds and settings of a comparison.
fn minutes_key(experiments: &[ValidExperiment], facts: &DataFacts) -> Result<String> {
    let hashes = experiments.iter().map(|experiment| Ok(facts.run_hash(experiment)?));
    let hashes: Vec<String> = hashes.collect::<Result<_>>()?;
    Ok(experiments[0].hash(&hashes.concat())?)
}

/// The number of epochs in the file at `path`, if it exists; it must have been chosen for `minutes` and the runs `of`.
fn kept_epochs(path: &Path, minutes: u32, of: &str) -> Result<Option<usize>> {
    let Ok(text) = std::fs::read_to_string(path) else { return Ok(None) };
    let shown = path.display();
    let (Some(epochs), Some(kept)) = parse_kept(&text) else {
        bail!("{shown}: expected a number of epochs, found {:?}; remove the file", text.trim())
    };
    ensure!(
        kept == minutes,
        "{shown}: earlier runs have {epochs} epochs, chosen by --minutes {kept}; repeat that, or use another --out"
    );
    // Earlier versions did not store the runs.
    ensure!(
        text.split_whitespace().nth(6).is_none_or(|kept| kept == of),
        "{shown}: {epochs} epochs were chosen for other images, methods, seeds or settings; use another --out"
    );
    Ok(Some(epochs))
}

/// Epochs and minutes of `12 epochs within 30 minutes`.
fn parse_kept(text: &str) -> (Option<usize>, Option<u32>) {
    let mut words = text.split_whitespace();
    (words.next().and_then(|word| word.parse().ok()), words.nth(2).and_then(|word| word.parse().ok()))
}

/// Estimated seconds of all `experiments` with `epochs` epochs each. Runs that continue another one train only their last
/// phase.
fn scaled_seconds(experiments: &[ValidExperiment], epochs: usize, speed: Speed, facts: &DataFacts) -> f64 {
    let seconds = |experiment: &ValidExperiment| {
        let shorter = experiment.shorter().filter(|shorter| {
            experiments
                .iter()
                .any(|other| Experiment { name: shorter.name.clone(), ..(**other).clone() } == *shorter)
        });
        let first = shorter.map_or(0, |shorter| shorter.phases.len());
        let mut scaled = (**experiment).clone();
        scaled.scale_epochs(epochs);
        speed.seconds(&scaled, first, facts)
    };
    experiments.iter().map(seconds).sum()
}
