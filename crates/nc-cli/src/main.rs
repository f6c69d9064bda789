//! `nclt`: train and inspect long-tailed classifiers.

// The linker drops a library that no code references.
#[cfg(feature = "accelerate")]
extern crate accelerate_src as _;
#[cfg(feature = "mkl")]
extern crate intel_mkl_src as _;

mod analyze;
mod check;
mod check_list;
mod check_report;
mod compare;
mod compute;
mod config;
mod download;
mod duration;
mod eval;
mod export;
mod export_features;
mod loading;
mod message;
mod output;
mod predict;
mod presets;
mod progress;
mod queue;
mod report;
mod reproduce_tables;
mod run;
mod signals;
mod summary;
mod terminal;
mod train;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use nc_kernels::allocator::{MiMalloc, keep_freed_memory};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Long-tailed image classification with neural-collapse regularisation (Liu et al., AISTATS 2023).
#[derive(Parser)]
#[command(name = "nclt", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Train(train::Args),
    Eval(eval::Args),
    Export(export::Args),
    Predict(predict::Args),
    ExportFeatures(export_features::Args),
    Analyze(analyze::Args),
    Report(report::Args),
    Download(download::Args),
    Check(check::Args),
    CheckList(check_list::Args),
    Compare(compare::Args),
    Presets(presets::Args),
    Config(config::Args),
    ReproduceTables(reproduce_tables::Args),
}

fn main() -> ExitCode {
    keep_freed_memory();
    let done = |()| ExitCode::SUCCESS;
    let result = match Cli::parse().command {
        Command::Train(args) => train::main(&args),
        Command::Eval(args) => eval::main(&args).map(done),
        Command::Export(args) => export::main(&args).map(done),
        Command::Predict(args) => predict::main(&args),
        Command::ExportFeatures(args) => export_features::main(&args).map(done),
        Command::Analyze(args) => analyze::main(&args).map(done),
        Command::Report(args) => report::main(&args).map(done),
        Command::Download(args) => download::main(&args).map(done),
        Command::Check(args) => check::main(&args),
        Command::CheckList(args) => check_list::main(&args).map(done),
        Command::Compare(args) => compare::main(&args),
        Command::Presets(args) => presets::main(&args).map(done),
        Command::Config(args) => config::main(&args).map(done),
        Command::ReproduceTables(args) => reproduce_tables::main(&args),
    };
    match result {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::say(&format!("error: {}", message::message(&error)));
            ExitCode::FAILURE
        }
    }
}

/// True if the reader of standard output is gone, as in `nclt presets | head -1`. Status output on standard error never
/// fails.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::Cli;

    /// Clap checks this only in debug builds, by a panic at startup.
    #[test]
    fn argument_group_names_are_unique() {
        for command in Cli::command().get_subcommands() {
            let mut seen = BTreeSet::new();
            for group in command.get_groups() {
                assert!(seen.insert(group.get_id().as_str()), "{}: {}", command.get_name(), group.get_id());
            }
        }
    }
}
