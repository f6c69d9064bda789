use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::cargo::{Cargo, workspace};

/// Measure speed: kernels, losses, metrics and loader one by one, or whole steps.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(clap::Subcommand)]
enum What {
    Step(Step),
}

/// Time a whole training step and an evaluation pass, batch 128, 3x32x32; and, as shares of a step, what
/// L_W and L_B take and how long the program waits for the loader.
#[derive(clap::Args)]
struct Step {
    /// Alternate with the same work in PyTorch (channels last), run by this Python.
    #[arg(long, value_name = "PYTHON")]
    against_torch: Option<PathBuf>,
    /// The network.
    #[arg(long, default_value = "resnet32", value_parser = ["resnet32", "resnet18"])]
    model: String,
    /// Threads of each program.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Steps of each round, after three to warm up.
    #[arg(long, default_value_t = 15)]
    steps: usize,
    /// Rounds; a figure is the median of its rounds.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn run(self) -> Result<()> {
        match self.what {
            Some(What::Step(step)) => step.run(),
            None => {
                let crates = ["nc-kernels", "nc-losses", "nc-metrics", "nc-data"];
                Cargo::new(["bench", "--benches"])
                    .args(crates.map(|name| format!("--package={name}").into()).into())
                    .run()
            }
        }
    }
}

/// What a program printed: a name and a number a line.
type Figures = BTreeMap<String, f64>;

impl Step {
    fn run(&self) -> Result<()> {
        Cargo::new(["build", "--release", "--package", "nc-train", "--example", "step"]).run()?;
        let ours = Path::new("target/release/examples").join(format!("step{}", std::env::consts::EXE_SUFFIX));
        let ours = workspace().join(ours);
        let script = workspace().join("xtask/bench/step.py");
        let mut sections = vec![];
        for mode in ["train", "eval"] {
            let (mut our_rounds, mut torch_rounds) = (vec![], vec![]);
            for _ in 0..self.rounds.max(1) {
                our_rounds.push(self.measure(&mut Command::new(&ours), mode)?);
                if let Some(python) = &self.against_torch {
                    torch_rounds.push(self.measure(Command::new(python).arg(&script), mode)?);
                }
            }
            let torch = (!torch_rounds.is_empty()).then(|| median(&torch_rounds));
            sections.push((mode, median(&our_rounds), torch));
        }
        let shares = self.measure(&mut Command::new(&ours), "shares")?;
        if self.json { print(&json(&sections, &shares)) } else { print(&text(&sections, &shares)) }
    }

    fn measure(&self, command: &mut Command, mode: &str) -> Result<Figures> {
        let program = command.get_program().display().to_string();
        let output = command
            .args([mode, &self.model, &self.threads.to_string(), &self.steps.to_string()])
            .output()
            .with_context(|| format!("cannot start {program}"))?;
        if !output.status.success() {
            bail!("{program} failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let figure = |line: &str| {
            line.split_once(' ').and_then(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        };
        Ok(text.lines().filter_map(figure).collect())
    }
}

/// Of each figure, its median over the rounds.
fn median(rounds: &[Figures]) -> Figures {
    let names = rounds.first().into_iter().flat_map(|round| round.keys());
    names
        .map(|name| {
            let mut values: Vec<f64> = rounds.iter().filter_map(|round| round.get(name).copied()).collect();
            values.sort_by(f64::total_cmp);
            (name.clone(), values[values.len() / 2])
        })
        .collect()
}

type Section<'a> = (&'a str, Figures, Option<Figures>);

fn ratio(ours: &Figures, torch: &Figures) -> Option<f64> {
    Some(ours.get("median_ms")? / torch.get("median_ms")?)
}

fn json(sections: &[Section<'_>], shares: &Figures) -> String {
    let object = |figures: &Figures| {
        let fields: Vec<String> =
            figures.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        format!("{{{}}}", fields.join(", "))
    };
    let section = |(mode, ours, torch): &Section<'_>| {
        let mut fields = vec![format!("\"ours\": {}", object(ours))];
        if let Some(torch) = torch {
            fields.push(format!("\"torch\": {}", object(torch)));
            fields.extend(ratio(ours, torch).map(|ratio| format!("\"ratio\": {ratio:.3}")));
        }
        format!("\"{mode}\": {{{}}}", fields.join(", "))
    };
    let shares = format!("\"shares\": {}", object(shares));
    format!("{{{}}}\n", sections.iter().map(section).chain([shares]).collect::<Vec<_>>().join(", "))
}

fn text(sections: &[Section<'_>], shares: &Figures) -> String {
    let mut lines = vec![];
    for (mode, ours, torch) in sections {
        for (who, figures) in [("ours", Some(ours)), ("PyTorch", torch.as_ref())] {
            let Some(figures) = figures else { continue };
            let figure = |name: &str| figures.get(name).copied().unwrap_or(f64::NAN);
            let (median, least, peak) = (figure("median_ms"), figure("min_ms"), figure("peak_mb"));
            lines.push(format!(
                "{mode:5} {who:8} median {median:8.1} ms   least {least:8.1} ms   peak {peak:6.0} MB"
            ));
        }
        if let Some(ratio) = torch.as_ref().and_then(|torch| ratio(ours, torch)) {
            lines.push(format!("{mode:5} ratio    {ratio:.2}"));
        }
    }
    for (name, percent) in shares {
        let words = name.replace("_percent", "").replace('_', " ");
        lines.push(format!("{words}: {percent:.2} % of a step"));
    }
    lines.join("\n") + "\n"
}

fn print(text: &str) -> Result<()> {
    use std::io::Write;
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}
