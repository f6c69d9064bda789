//! Creates the data set embedded in `nc-data` from the four official Fashion-MNIST files:
//!
//! ```sh
//! cargo run --release -p nc-data --example make_fashion_mnist_lt -- [SOURCE_DIR] [OUT_DIR]
//! ```
//!
//! `SOURCE_DIR` defaults to the directory of Debian's package `dataset-fashion-mnist`, `OUT_DIR` to
//! `data/fashion-mnist-lt`. Every run writes the same images.

use std::{
    error::Error,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use flate2::{Compression, GzBuilder};
use nc_data::{Profile, Subset, idx};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let source = args.next().unwrap_or_else(|| "/usr/share/datasets/fashion-mnist".into());
    let out = args.next().unwrap_or_else(|| "data/fashion-mnist-lt".into());

    make(&source, &out)
}

/// Draws the subsets of the official files in `source` and writes them to `out`.
pub(crate) fn make(source: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let source = idx::read_dir(source)?;
    let long_tail = Profile::Exponential { ratio: 100.0, largest: Some(1000) };
    let train = Subset::draw(&source.train, &long_tail, 0)?;
    let test = Subset::draw(&source.test, &Profile::Balanced { per_class: Some(200) }, 0)?;

    fs::create_dir_all(out)?;
    write(out, "train", &train)?;
    write(out, "t10k", &test)
}

/// Writes the images and labels of `subset` as two gzipped idx files.
fn write(out: &Path, prefix: &str, subset: &Subset) -> Result<(), Box<dyn Error>> {
    let shape = subset.dataset().shape();
    let images: Vec<u8> = (0..subset.len()).flat_map(|position| subset.image(position).to_vec()).collect();
    let labels: Vec<u8> = subset.labels().iter().map(|&label| label as u8).collect();
    let files = [
        (format!("{prefix}-images-idx3-ubyte.gz"), vec![subset.len(), shape.height, shape.width], images),
        (format!("{prefix}-labels-idx1-ubyte.gz"), vec![subset.len()], labels),
    ];
    for (name, dims, bytes) in files {
        let mut content = (0x0800 + dims.len() as u32).to_be_bytes().to_vec();
        for dim in dims {
            content.extend((dim as u32).to_be_bytes());
        }
        content.extend(bytes);
        // No name and no time in the header, so that equal content gives equal files.
        let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
        encoder.write_all(&content)?;
        fs::write(out.join(name), encoder.finish()?)?;
    }
    Ok(())
}
