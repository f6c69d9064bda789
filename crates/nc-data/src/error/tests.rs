#[macro_use]
#[path = "../../../../tests/worded.rs"]
mod worded;

use std::{fs, io};

use candle_core::Device;

use super::Error;
use crate::{
    Augment, Dataset, ImageShape, Loader, LoaderConfig, Normalize, Profile, Sampler, Subset,
    cifar::{self, Cifar},
    folder, idx, list,
    rng::Purpose,
};

#[test]
fn every_error_is_worded_as_it_is_kept() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    // Messages are kept as they are on systems that separate names by slashes.
    let root = directory.path();
    let at = |name: &str| -> io::Result<_> {
        let path = root.join(name);
        fs::create_dir(&path)?;
        Ok(path)
    };
    let idx_of = |name: &str, images: &[u8], labels: &[u8]| -> io::Result<_> {
        let path = at(name)?;
        for part in ["train", "t10k"] {
            fs::write(path.join(format!("{part}-images-idx3-ubyte")), images)?;
            fs::write(path.join(format!("{part}-labels-idx1-ubyte")), labels)?;
        }
        Ok(idx::read_dir(&path).unwrap_err())
    };
    let images = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 7, 8];
    let cifar_of = |name: &str, batch: &[u8]| -> io::Result<_> {
        let path = at(name)?;
        for file in
            ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"]
        {
            fs::write(path.join(format!("{file}.bin")), batch)?;
        }
        Ok(cifar::read_dir(&path, Cifar::Ten).unwrap_err())
    };
    let empty = at("empty")?;
    let folder = at("folder")?;
    for (class, side) in [("cat", 2), ("dog", 3)] {
        fs::create_dir(folder.join(class))?;
        image::GrayImage::new(side, 2).save(folder.join(class).join("1.png"))?;
    }
    let hollow = at("hollow")?;
    fs::create_dir(hollow.join("cat"))?;
    let sets = at("sets")?;
    fs::create_dir(sets.join("training"))?;
    let broken = at("broken")?;
    fs::create_dir(broken.join("cat"))?;
    fs::write(broken.join("cat/1.png"), "no image")?;
    let lists = at("lists")?;
    fs::write(lists.join("train.txt"), "a.png 0\nb.png\n")?;
    let gaps = at("gaps")?;
    fs::write(gaps.join("train.txt"), "a.png 0\nb.png 2\n")?;
    let nothing = at("nothing")?;
    fs::write(nothing.join("train.txt"), "\n")?;

    let shape = ImageShape { channels: 1, height: 2, width: 2 };
    let names = || vec!["cat".to_owned(), "dog".to_owned()];
    let dataset = Dataset::new(shape, vec![0; 12], vec![0, 0, 1], names())?;
    let subset = Subset::all(&dataset);
    let drawn = |profile| Subset::draw(&dataset, &profile, 0).unwrap_err();
    let config = || LoaderConfig {
        batch_size: 2,
        augment: None,
        normalize: Normalize { mean: vec![0.5], std: vec![0.5] },
        mixup_alpha: None,
        seed: 0,
        workers: 1,
        device: Device::Cpu,
    };
    let loader = |config| Loader::new(&subset, Sampler::Uniform, config).err().unwrap();
    let wide = Augment { crop_padding: 2, flip: false };
    assert_worded!(
        Error {
            Read, MissingFiles, Malformed, Write, Download, Hub, ImageSizes, Dataset,
            TooFewImages, Profile, Config, LoaderThread, LoaderDied, Candle,
        },
        vec![
            ("a directory that is not there", idx::read_dir(&root.join("none")).unwrap_err()),
            ("an empty directory for idx files", idx::read_dir(&empty).unwrap_err()),
            ("an empty directory for CIFAR-10", cifar::read_dir(&empty, Cifar::Ten).unwrap_err()),
            ("an empty directory for classes", folder::read_dir(&empty, None).unwrap_err()),
            ("an empty directory for lists", list::read_dir(&empty, None).unwrap_err()),
            ("images in place of labels", idx_of("swapped", &images, &images)?),
            ("labels that are too few", idx_of("few", &images, &[0, 0, 8, 1, 0, 0, 0, 1, 0])?),
            ("images cut off", idx_of("cut", &images[..17], &[0, 0, 8, 1, 0, 0, 0, 2, 0, 1])?),
            ("half of a batch", cifar_of("half", &[0; 1000])?),
            ("a label beyond the classes", cifar_of("label", &[10; 3073])?),
            ("a class without images", folder::read_dir(&hollow, None).unwrap_err()),
            ("a training set under another name", folder::read_dir(&sets, None).unwrap_err()),
            ("an image that is none", folder::read_dir(&broken, None).unwrap_err()),
            ("a line without label", list::read_dir(&lists, None).unwrap_err()),
            ("labels with a gap", list::read_dir(&gaps, None).unwrap_err()),
            ("an empty list", list::read_dir(&nothing, None).unwrap_err()),
            ("a disk that is full", Error::Write {
                path: "data/cifar-10-binary.tar.gz".into(),
                source: io::ErrorKind::StorageFull.into(),
            }),
            ("mirrors that are gone", Error::Download {
                name: "cifar-10-binary.tar.gz".into(),
                reasons: "https://one.example: HTTP status 404; https://two.example: ended after 7 of 9 bytes".into(),
            }),
            ("a hub that is not reached", Error::Hub {
                name: "cifar10",
                source: candle_core::Error::Msg("request error: connection refused".into()),
            }),
            ("images of two sizes", folder::read_dir(&folder, None).unwrap_err()),
            ("pixels that are too few", Dataset::new(shape, vec![0; 11], vec![0; 3], names()).unwrap_err()),
            ("a label without class", Dataset::new(shape, vec![0; 4], vec![2], names()).unwrap_err()),
            ("no classes", Dataset::new(shape, vec![], vec![], vec![]).unwrap_err()),
            ("more than there is", drawn(Profile::Balanced { per_class: Some(2) })),
            ("a ratio the wrong way round", drawn(Profile::Exponential { ratio: 0.1, largest: None })),
            ("a ratio too large", drawn(Profile::Step { ratio: 100.0, largest: Some(2) })),
            ("the size of an empty class", Profile::Balanced { per_class: None }.counts(&[3, 0]).unwrap_err()),
            ("counts of other classes", drawn(Profile::Counts(vec![1]))),
            ("nothing at all", drawn(Profile::Counts(vec![0, 0]))),
            ("batches of nothing", loader(LoaderConfig { batch_size: 0, ..config() })),
            ("a crop beyond the image", loader(LoaderConfig { augment: Some(wide), ..config() })),
            ("a strange alpha", loader(LoaderConfig { mixup_alpha: Some(-1.0), ..config() })),
            ("means of other channels", loader(LoaderConfig {
                normalize: Normalize { mean: vec![0.5; 3], std: vec![0.5; 3] },
                ..config()
            })),
            ("a deviation of zero", loader(LoaderConfig {
                normalize: Normalize { mean: vec![0.5], std: vec![0.0] },
                ..config()
            })),
            ("all of it held out", subset.hold_out(1.0, 0, Purpose::Test).unwrap_err()),
            ("threads that the system denies", Error::LoaderThread {
                threads: 64,
                source: io::ErrorKind::OutOfMemory.into(),
            }),
            ("threads that end", Error::LoaderDied),
            ("a tensor that does not fit", candle_core::Error::Msg("out of memory".into()).into()),
        ], in root
    );
    Ok(())
}
