use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use nc_data::download::{Entry, Fetcher, File, Manifest, install, is_installed};
use nc_train::DataSource;

use crate::terminal::show;

/// Download public data sets, verify their checksums and install them where `nclt train` finds them.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Data sets: cifar10, cifar100, fashion-mnist or all.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Directory of all data sets [default: NCLT_DATA_DIR if set, otherwise `nclt` in the user's data directory].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Install local files without network access: an archive, or a directory with all files of the data set.
    #[arg(long, value_name = "PATH")]
    from: Option<PathBuf>,
    /// Custom manifest of files, mirrors and digests, in the format of `data/manifest.toml`.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

/// Download name of `source`; `None` if it is not downloadable.
pub(crate) fn name(source: DataSource) -> Option<&'static str> {
    match source {
        DataSource::Cifar10 => Some("cifar10"),
        DataSource::Cifar100 => Some("cifar100"),
        DataSource::Idx => Some("fashion-mnist"),
        DataSource::FashionMnistLt
        | DataSource::ImageFolder
        | DataSource::ImageList
        | DataSource::HubCifar10
        | DataSource::HubMnist
        | DataSource::HubFashionMnist => None,
    }
}

/// Default data directory.
pub(crate) fn default_dir() -> Result<PathBuf> {
    if let Some(directory) = std::env::var_os("NCLT_DATA_DIR").filter(|directory| !directory.is_empty()) {
        return Ok(directory.into());
    }
    let directory =
        dirs::data_local_dir().context("cannot determine the user's data directory: set --data-dir DIR")?;
    Ok(directory.join("nclt"))
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let manifest = match &args.manifest {
        Some(path) => Manifest::read(path)?,
        None => Manifest::built_in()?,
    };
    let data = match &args.data_dir {
        Some(directory) => directory.clone(),
        None => default_dir()?,
    };
    for (name, entry) in wanted(&manifest, &args.names)? {
        let directory = data.join(&entry.directory);
        if is_installed(entry, &data) {
            show(&format!("{name}: already in {}", directory.display()));
            continue;
        }
        for file in &entry.files {
            match &args.from {
                Some(from) => install(entry, file, &local(from, name, entry, file)?, &data)?,
                None => fetch(entry, file, &data)?,
            }
        }
        show(&format!("{name}: {} in {}", entry.about, directory.display()));
    }
    Ok(())
}

/// The entries selected by `names`, without duplicates.
fn wanted<'a>(manifest: &'a Manifest, names: &[String]) -> Result<Vec<(&'a str, &'a Entry)>> {
    if let Some(name) = names.iter().find(|name| *name != "all" && !manifest.entries.contains_key(*name)) {
        let known: Vec<&str> = manifest.entries.keys().map(String::as_str).collect();
        bail!("unknown data set {name:?}; expected one of {}, all", known.join(", "))
    }
    let entries = manifest.entries.iter().map(|(name, entry)| (name.as_str(), entry));
    Ok(entries.filter(|(known, _)| names.iter().any(|name| name == "all" || name == known)).collect())
}

/// Local path of `file`.
fn local(from: &Path, name: &str, entry: &Entry, file: &File) -> Result<PathBuf> {
    if from.is_dir() {
        return Ok(from.join(&file.name));
    }
    if entry.files.len() > 1 {
        let files: Vec<&str> = entry.files.iter().map(|file| file.name.as_str()).collect();
        bail!(
            "--from {}: expected a directory with the files of {name}: {}",
            from.display(),
            files.join(", ")
        );
    }
    Ok(from.to_owned())
}

fn fetch(entry: &Entry, file: &File, data: &Path) -> Result<()> {
    let bar =
        if std::io::stderr().is_terminal() { ProgressBar::new(file.size) } else { ProgressBar::hidden() };
    if let Ok(style) =
        ProgressStyle::with_template("{bar:20.cyan} {bytes}/{total_bytes} {bytes_per_sec} {msg}")
    {
        bar.set_style(style);
    }
    bar.set_message(file.name.clone());
    let done = Fetcher::default().install(entry, file, data, &mut |bytes| bar.set_position(bytes));
    bar.finish_and_clear();
    Ok(done?)
}
