//! The project's own tasks: `cargo xtask TASK`.
//!
//! A task spawns cargo and `nclt`; nothing here builds Candle, so that tasks start at once.

mod bench;
mod build;
mod cargo;
mod check_cuda;
mod nclt;
mod package;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the trainer and train: the paper's method on the embedded data, or what the arguments say; with --cuda,
    /// --cudnn, --metal, --mkl or --accelerate, which `build` explains, on that device.
    Train(nclt::Args),
    /// Fetch public data sets and verify them: cifar10, cifar100, fashion-mnist or all.
    Download(nclt::Args),
    /// Run what is missing of the paper's tables and figures, and write them: `--scale smoke|quick|paper`.
    ReproduceTables(nclt::Args),
    Bench(bench::Args),
    Build(build::Args),
    /// Type-check the CUDA build on a machine without CUDA: a stand-in takes the compiler's place. Nothing it builds can
    /// run.
    CheckCuda,
    Package(package::Args),
    Test(test::Args),
}

/// An error is one line: what failed and why.
#[allow(clippy::print_stderr)]
fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    match task {
        Task::Train(args) => args.run_accelerated("train"),
        Task::Download(args) => args.run("download"),
        Task::ReproduceTables(args) => args.run_accelerated("reproduce-tables"),
        Task::Bench(args) => args.run(),
        Task::Build(args) => args.run(),
        Task::CheckCuda => check_cuda::run(),
        Task::Package(args) => args.run(),
        Task::Test(args) => args.run(),
    }
}
