use std::{io::Write, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, ensure};
use nc_data::{Groups, ImageCheck, ImageFiles, check_images, counted, folder, list, skip_list};
use nc_kernels::threads;

use crate::{
    check_report::{Checked, Source, report},
    compute::Threads,
    loading::Loading,
    terminal::{harmless, say},
};

/// Check images without training: an image folder, a directory of image lists, or tar archives.
///
/// Reads every image and reports counts by class and shot group, sizes, unreadable and unused files, and identical images
/// across sets and classes, each with what to do. The exit code is 1 if something must be fixed before training.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder with `train/CLASS/`, `val/CLASS/` and `test/CLASS/`, or `CLASS/`; the same in a `.tar` file or as `train.tar`,
    /// `val.tar` and `test.tar`; or a directory with image lists.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// How to read DIR [default: image-list if the first image of its training list exists].
    #[arg(long, value_name = "SOURCE")]
    source: Option<Source>,
    /// Groups of images, as data.groups in training: directory, column or file-name=SEPARATOR.
    #[arg(long, value_name = "GROUPS", value_parser = parse_groups)]
    groups: Option<Groups>,
    /// List of images to leave out, as data.skip in training.
    #[arg(long, value_name = "FILE")]
    skip: Option<PathBuf>,
    /// Write the unreadable images to a list for data.skip. Images of --skip are included.
    #[arg(long, value_name = "FILE")]
    write_skip: Option<PathBuf>,
    #[command(flatten)]
    threads: Threads,
}

fn parse_groups(text: &str) -> Result<Groups, String> {
    match text.split_once('=') {
        None if text == "directory" => Ok(Groups::Directory),
        None if text == "column" => Ok(Groups::Column),
        Some(("file-name", until)) if !until.is_empty() => Ok(Groups::FileName { until: until.to_owned() }),
        _ => Err("expected directory, column or file-name=SEPARATOR, as in file-name=_".into()),
    }
}

pub(crate) fn main(args: &Args) -> Result<ExitCode> {
    args.threads.start()?;
    let source = args.source()?;
    let mut files: ImageFiles = match source {
        Source::ImageFolder => folder::find(&args.directory)?,
        Source::ImageList => list::find(&args.directory)?,
    };
    if let Some(groups) = &args.groups {
        ensure!(
            *groups != Groups::Column || source == Source::ImageList,
            "--groups column: image-folder has no columns; use directory or file-name=SEPARATOR"
        );
        files.group_by(groups)?;
    }
    if let Some(list) = &args.skip {
        files.skip(list)?;
    }
    // Lists are read as their authors do, without EXIF orientation.
    let upright = source == Source::ImageFolder;
    let check: ImageCheck = threads::install(|| check_images(files, upright, &mut Loading::default()));
    let checked = Checked {
        check: &check,
        directory: &args.directory,
        source,
        groups: args.groups.as_ref(),
        skip: args.skip.as_deref(),
        is_default: args.is_default(source),
    };
    let (text, must_fix) = report(&checked);
    std::io::stdout().lock().write_all(harmless(&text).as_bytes())?;
    if let Some(path) = &args.write_skip {
        let before = args.skip.as_deref().map(std::fs::read_to_string).transpose()?.unwrap_or_default();
        let text = skip_list(&before, &check.skip_lines);
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        let images = counted(check.skip_lines.len(), "unreadable image", "unreadable images");
        say(&format!("wrote {images} to {}; check the rest with --skip", path.display()));
        let others = check.unreadable.len() - check.skip_lines.len();
        if others > 0 {
            let paths = counted(others, "path", "paths");
            say(&format!("left out {paths} not in UTF-8 or with a line break; rename the files"));
        }
    }
    Ok(if must_fix { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl Args {
    /// The given source, or else what is in the directory.
    fn source(&self) -> Result<Source> {
        if let Some(source) = self.source {
            return Ok(source);
        }
        if !list::has_lists(&self.directory)? {
            return Ok(Source::ImageFolder);
        }
        say("checking the lists of this directory; --source image-folder checks its class directories");
        Ok(Source::ImageList)
    }

    /// Whether training reads the directory as `source` without being told.
    fn is_default(&self, source: Source) -> bool {
        let has_lists = || list::has_lists(&self.directory).ok();
        self.source.is_none() || has_lists() == Some(source == Source::ImageList)
    }
}
