use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use nc_data::{counted, list::ImageList};

use crate::terminal::show;

/// Check an image list ("path label" lines, or CSV) for malformed lines, missing images and empty classes.
///
/// Images may be in tar archives: `train/ant/1.jpg` in `train.tar`. Official lists of ImageNet-LT, iNaturalist 2018 and
/// Places-LT are recognised.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Image list.
    list: PathBuf,
    /// Directory that the paths are relative to [default: the directory of the list].
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Allow empty classes, as in a list of test images.
    #[arg(long)]
    test: bool,
}

/// Missing images that are listed.
const SHOWN: usize = 20;

pub(crate) fn main(args: &Args) -> Result<()> {
    let list = ImageList::read(&args.list)?;
    let root = match &args.root {
        Some(root) => root.clone(),
        None => args.list.parent().map_or_else(PathBuf::new, PathBuf::from),
    };
    if let Some(recognized) = list.recognize()? {
        show(&recognized.to_string());
    }
    let missing = list.missing(&root)?;
    for entry in missing.iter().take(SHOWN) {
        show(&format!("line {}: {} is missing", entry.line, root.join(&entry.path).display()));
    }
    if missing.len() > SHOWN {
        show(&format!("and {} more", missing.len() - SHOWN));
    }
    let images = counted(list.entries().len(), "image", "images");
    if !missing.is_empty() {
        bail!("{} of {images} missing", missing.len());
    }
    if !args.test {
        list.class_names().context("not usable for training (for a list of test images, add --test)")?;
    }
    show(&format!("{images}, all present"));
    Ok(())
}
