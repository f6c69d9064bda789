use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::cargo::workspace;

/// Take screenshots of HTML pages in Chromium: three widths in both themes as PNG, and as printed as PDF.
///
/// Needs Node.js 20 or newer and npm, which installs Chromium (65 MB) to target/tools at first use. A page that is wider
/// than the window or has a script error is an error.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Pages [default: those committed in docs and results].
    pages: Vec<PathBuf>,
    /// Output directory.
    #[arg(long, value_name = "DIR", default_value = "target/screenshots")]
    out: PathBuf,
    /// Renew the picture in the README instead.
    #[arg(long, conflicts_with_all = ["pages", "out"])]
    readme: bool,
}

/// Pages of the repository; the README shows the top of the first.
const PAGES: [&str; 4] = [
    "docs/pages/fashion-mnist-lt-nc-drw-crt.html",
    "docs/pages/comparison.html",
    "results/index.html",
    "results/paper/tables.html",
];
const PICTURE: &str = "docs/images/run-page.png";

impl Args {
    pub(crate) fn run(self) -> Result<()> {
        let committed = PAGES.map(|page| workspace().join(page));
        let tools = install()?;
        let mut command = Command::new("node");
        command.arg(tools.join("screenshots.js"));
        if self.readme {
            command.arg("--picture").arg(workspace().join(PICTURE)).arg(&committed[0]);
        } else {
            fs::create_dir_all(&self.out).with_context(|| format!("cannot create {}", self.out.display()))?;
            let pages = if self.pages.is_empty() { committed.to_vec() } else { self.pages };
            command.arg(&self.out).args(pages);
        }
        run(&mut command)
    }
}

/// Installs Chromium and its driver; returns their directory.
fn install() -> Result<PathBuf> {
    let (source, tools) =
        (workspace().join("xtask/screenshots"), workspace().join("target/tools/screenshots"));
    fs::create_dir_all(&tools)?;
    for file in ["package.json", "package-lock.json", "screenshots.js"] {
        fs::copy(source.join(file), tools.join(file)).with_context(|| format!("cannot copy {file}"))?;
    }
    if !is_installed(&tools) {
        run(Command::new("npm").args(["ci", "--silent", "--no-audit", "--no-fund"]).current_dir(&tools))?;
    }
    Ok(tools)
}

/// True if npm installed exactly what the lock file lists.
fn is_installed(tools: &Path) -> bool {
    let marker = tools.join("node_modules/.package-lock.json");
    let modified = |path: PathBuf| fs::metadata(path).and_then(|file| file.modified()).ok();
    modified(marker) > modified(workspace().join("xtask/screenshots/package-lock.json"))
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .with_context(|| format!("cannot start {program}; screenshots need Node.js 20 or newer with npm"))?;
    ensure!(status.success(), "{program} failed ({status})");
    Ok(())
}
