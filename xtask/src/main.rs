//! The project's own tasks: `cargo xtask TASK`.
//!
//! A task spawns cargo and `nclt`; nothing here builds Candle, so that tasks start at once.

mod bench;
mod cargo;
mod check;
mod download;
mod test;
mod train;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    Train(train::Args),
    Download(download::Args),
    Bench(bench::Args),
    Check(check::Args),
    Test(test::Args),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().task {
        Task::Train(args) => args.run(),
        Task::Download(args) => args.run(),
        Task::Bench(args) => args.run(),
        Task::Check(args) => args.run(),
        Task::Test(args) => args.run(),
    }
}
