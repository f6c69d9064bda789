use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use nc_data::list::ImageList;

use crate::terminal::show;

/// Check an image list ("path label" lines): every line well formed, every image there, every class with one.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The list.
    list: PathBuf,
    /// The directory that its paths start from [default: the list's].
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// It is a list of test images, which need not be of all classes.
    #[arg(long)]
    test: bool,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let list = ImageList::read(&args.list)?;
    let root = match &args.root {
        Some(root) => root.clone(),
        None => args.list.parent().map_or_else(PathBuf::new, PathBuf::from),
    };
    let missing = list.missing(&root);
    for entry in &missing {
        show(&format!("line {}: {} is missing", entry.line, root.join(&entry.path).display()));
    }
    let images = list.entries().len();
    if !missing.is_empty() {
        bail!("{} of {images} images are missing", missing.len());
    }
    if !args.test {
        list.classes().context("cannot be trained on (--test checks a list of test images)")?;
    }
    show(&format!("{images} images, all there"));
    Ok(())
}
