//! The project's own tasks: `cargo xtask TASK`.
//!
//! A task spawns cargo and `nclt`. Nothing here depends on Candle, so tasks start without compiling it.

mod bench;
mod build;
mod cargo;
mod check_cuda;
mod gpu_check;
mod kernels;
mod nclt;
mod package;
mod screenshots;
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
    /// Build `nclt` and train: by default, the paper's method on the embedded data. --cuda, --cudnn, --metal, --mkl and
    /// --accelerate select the accelerator, as in `build`.
    Train(nclt::Args),
    /// Download and verify public data sets: cifar10, cifar100, fashion-mnist or all.
    Download(nclt::Args),
    /// Train the missing runs of the paper's tables and figures and write them: `--scale smoke|quick|quick-bf16|paper|paper-bf16`.
    ReproduceTables(nclt::Args),
    Bench(bench::Args),
    Build(build::Args),
    /// Type-check the CUDA build without CUDA, with a stand-in for nvcc. The result cannot run.
    CheckCuda,
    GpuCheck(gpu_check::Args),
    Kernels(kernels::Args),
    Package(package::Args),
    Screenshots(screenshots::Args),
    Test(test::Args),
}

/// Prints an error with its causes on one line.
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
        Task::GpuCheck(args) => args.run(),
        Task::Kernels(args) => args.run(),
        Task::Package(args) => args.run(),
        Task::Screenshots(args) => args.run(),
        Task::Test(args) => args.run(),
    }
}
