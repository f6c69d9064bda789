//! Comparison of training steps between this working tree and another revision.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::{
    files::printed,
    program::{Rounds, build, middle, run_for},
};
use crate::cargo::workspace;

/// Median times of a training step, in milliseconds, by round.
#[derive(Serialize)]
pub(super) struct Comparison {
    network: String,
    rounds: Rounds,
    /// Commit of the other revision.
    commit: String,
    this_tree: Vec<f64>,
    other: Vec<f64>,
    ratio: Ratio,
}

/// Step time of this tree divided by that of the other revision, each ratio from two consecutive runs.
#[derive(Debug, PartialEq, Serialize)]
struct Ratio {
    median: f64,
    least: f64,
    greatest: f64,
}

impl Comparison {
    /// Builds the programs of this tree and of `revision`, and alternates them.
    pub(super) fn measure(revision: &str, network: &str, rounds: Rounds) -> Result<Self> {
        let commit = commit(revision)?;
        let home = workspace().join("target/against");
        let other = build(&check_out(&commit, &home)?, &home.join("target"))?;
        let ours = build(&workspace(), &workspace().join("target"))?;
        let mut times = [vec![], vec![]];
        for round in 0..rounds.count {
            // The order A B B A cancels a drift of the machine's speed.
            let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
            for which in order {
                let mut program = Command::new([&ours, &other][which]);
                let figures = run_for(&["median_ms"], &mut program, "train", network, rounds)?;
                times[which].push(figures["median_ms"]);
            }
        }
        let [this_tree, other] = times;
        let ratio = Ratio::of(&this_tree, &other).context("no round was measured")?;
        Ok(Self { network: network.to_owned(), rounds, commit, this_tree, other, ratio })
    }

    pub(super) fn text(&self) -> String {
        let Rounds { threads, steps, .. } = self.rounds;
        let mut text = format!(
            "training step of {}, {threads} threads, median of {steps} steps\nround   this tree  {:>12.9}   ratio\n",
            self.network, self.commit
        );
        for (round, (this, other)) in self.this_tree.iter().zip(&self.other).enumerate() {
            let _ = writeln!(text, "{:5}  {this:7.1} ms  {other:9.1} ms   {:.3}", round + 1, this / other);
        }
        let Ratio { median, least, greatest } = self.ratio;
        let verdict = self.ratio.verdict();
        text + &format!("ratio {median:.3} ({least:.3} to {greatest:.3}): {verdict}\n")
    }
}

impl Ratio {
    /// Ratio of paired times; `None` without a pair.
    fn of(this_tree: &[f64], other: &[f64]) -> Option<Self> {
        let ratios: Vec<f64> = this_tree.iter().zip(other).map(|(this, other)| this / other).collect();
        let least = ratios.iter().copied().min_by(f64::total_cmp)?;
        let greatest = ratios.iter().copied().max_by(f64::total_cmp)?;
        Some(Self { median: middle(ratios)?, least, greatest })
    }

    fn verdict(&self) -> String {
        let percent = 100.0 * (self.median - 1.0).abs();
        if self.least > 1.0 {
            format!("this tree is {percent:.1} % slower")
        } else if self.greatest < 1.0 {
            format!("this tree is {percent:.1} % faster")
        } else {
            "no clear difference: the rounds disagree on which is faster".to_owned()
        }
    }
}

/// Full commit hash of `revision`.
fn commit(revision: &str) -> Result<String> {
    let name = format!("{revision}^{{commit}}");
    let output = git().args(["rev-parse", "--verify", "--end-of-options", &name]).output();
    let output = output.context("cannot start git")?;
    ensure!(output.status.success(), "--against {revision}: not a commit of this repository");
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Checks out `commit` below `home` and returns its workspace. Unchanged files keep their modification times, so cargo
/// does not rebuild them.
fn check_out(commit: &str, home: &Path) -> Result<PathBuf> {
    let tree = home.join("tree");
    let mut git = git();
    if tree.join(".git").exists() {
        git.arg("-C").arg(&tree).args(["checkout", "--quiet", "--force", "--detach", commit]);
    } else {
        // --force, because git may still list a worktree in a deleted target directory.
        git.args(["worktree", "add", "--quiet", "--force", "--detach"]).arg(&tree).arg(commit);
    }
    printed(&mut git).with_context(|| format!("cannot check out {commit}"))?;
    Ok(tree)
}

fn git() -> Command {
    let mut git = Command::new("git");
    git.current_dir(workspace());
    git
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(this_tree: &[f64], other: &[f64]) -> Ratio {
        Ratio::of(this_tree, other).unwrap()
    }

    /// The second round is slow for both programs, so the ratio of their medians would be another.
    #[test]
    fn ratios_are_paired_by_round() {
        let found = ratio(&[110.0, 300.0, 120.0], &[100.0, 250.0, 100.0]);
        assert_eq!(found, Ratio { median: 1.2, least: 1.1, greatest: 1.2 });
        assert_eq!(ratio(&[1.0, 3.0], &[2.0, 2.0]).median, 1.0);
        assert_eq!(Ratio::of(&[], &[]), None);
    }

    #[test]
    fn a_program_is_faster_only_if_faster_in_every_round() {
        let verdict = |this: &[f64]| ratio(this, &[100.0; 3]).verdict();
        assert_eq!(verdict(&[101.0, 102.0, 104.0]), "this tree is 2.0 % slower");
        assert_eq!(verdict(&[99.0, 98.5, 97.0]), "this tree is 1.5 % faster");
        assert!(verdict(&[99.0, 98.0, 100.5]).starts_with("no clear difference"));
    }

    #[test]
    fn text_shows_each_round() {
        let compared = Comparison {
            network: "resnet32".into(),
            rounds: Rounds { threads: 2, steps: 15, count: 2 },
            commit: "0123456789abcdef".into(),
            this_tree: vec![121.0, 119.0],
            other: vec![110.0, 1000.0 / 8.0],
            ratio: ratio(&[121.0, 119.0], &[110.0, 125.0]),
        };
        assert_eq!(
            compared.text(),
            "training step of resnet32, 2 threads, median of 15 steps\n\
             round   this tree     012345678   ratio\n    \
                 1    121.0 ms      110.0 ms   1.100\n    \
                 2    119.0 ms      125.0 ms   0.952\n\
             ratio 1.026 (0.952 to 1.100): no clear difference: the rounds disagree on which is faster\n"
        );
    }
}
