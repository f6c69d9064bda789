use std::{io::Write, path::PathBuf};

use anyhow::{Result, bail};
use nc_data::list::ImageList;

/// Check an image list ("path label" lines): every line well formed, every image there.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The list.
    list: PathBuf,
    /// The directory that its paths start from [default: the list's].
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let list = ImageList::read(&args.list)?;
    let root = match &args.root {
        Some(root) => root.clone(),
        None => args.list.parent().map_or_else(PathBuf::new, PathBuf::from),
    };
    let missing = list.missing(&root);
    let mut out = std::io::stdout().lock();
    for entry in &missing {
        writeln!(out, "line {}: {} is missing", entry.line, root.join(&entry.path).display())?;
    }
    let images = list.entries().len();
    if !missing.is_empty() {
        bail!("{} of {images} images are missing", missing.len());
    }
    writeln!(out, "{images} images, all there")?;
    Ok(())
}
