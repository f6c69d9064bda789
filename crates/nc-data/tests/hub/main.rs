//! Data sets read by candle-datasets from a hub cache of synthetic images (`make.py`), without network.

use std::{fs, path::Path, process::Command};

use nc_data::{
    Dataset, Source,
    cifar::{self, Cifar},
    hub,
};

/// Asserts the images written by `make.py`.
fn assert_made_up(dataset: &Dataset, numbers: &[usize]) {
    let shape = dataset.shape();
    assert_eq!(dataset.len(), numbers.len());
    for (index, &number) in numbers.iter().enumerate() {
        assert_eq!(dataset.labels()[index] as usize, number % 10);
        let mut pixels = dataset.image(index).iter();
        for channel in 0..shape.channels {
            for y in 0..shape.height {
                for x in 0..shape.width {
                    let expected = (3 * y + 5 * x + 31 * channel + 7 * number) % 256;
                    let found = pixels.next().copied().map(usize::from);
                    assert_eq!(found, Some(expected), "image {number}, {channel}, {y}, {x}");
                }
            }
        }
    }
}

fn assert_source(source: &Source, name: &str, shape: &str, last_class: &str) {
    assert_eq!(source.name, name);
    for (dataset, numbers) in [(&source.train, [0, 1, 2].as_slice()), (&source.test, &[3, 4])] {
        assert_eq!(dataset.shape().to_string(), shape);
        assert_eq!(dataset.num_classes(), 10);
        assert_eq!(dataset.class_names()[9], last_class);
        assert_made_up(dataset, numbers);
    }
}

/// Runs in a separate process because the cache path comes from the environment.
#[test]
#[ignore = "a helper of the test below"]
fn read_all() -> nc_data::Result<()> {
    assert_source(&hub::cifar10()?, "cifar10", "3x32x32", "truck");
    assert_source(&hub::mnist()?, "mnist", "1x28x28", "9");
    assert_source(&hub::fashion_mnist()?, "fashion-mnist", "1x28x28", "Ankle boot");
    Ok(())
}

#[test]
fn pixels_keep_their_positions() {
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hub/cache");
    let output = Command::new(std::env::current_exe().expect("the test runs from a file"))
        .args(["--exact", "read_all", "--ignored"])
        .env("HF_HUB_CACHE", cache)
        .output()
        .expect("the test program starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// Compares our CIFAR-10 reader with that of candle-datasets.
#[test]
fn cifar_reader_matches_candle_datasets() -> Result<(), Box<dyn std::error::Error>> {
    const RECORDS: usize = 10_000;
    const PIXELS: usize = 3072;
    let directory = tempfile::tempdir()?;
    let mut state = 1u32;
    for name in ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"]
    {
        let mut bytes = Vec::with_capacity(RECORDS * (1 + PIXELS));
        for index in 0..RECORDS * (1 + PIXELS) {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let random = (state >> 24) as u8;
            bytes.push(if index % (1 + PIXELS) == 0 { random % 10 } else { random });
        }
        fs::write(directory.path().join(name).with_extension("bin"), bytes)?;
    }
    let ours = cifar::read_dir(directory.path(), Cifar::Ten)?;
    let theirs = candle_datasets::vision::cifar::load_dir(directory.path())?;
    for (ours, images, labels) in [
        (&ours.train, &theirs.train_images, &theirs.train_labels),
        (&ours.test, &theirs.test_images, &theirs.test_labels),
    ] {
        assert_eq!(
            labels.to_vec1::<u8>()?,
            ours.labels().iter().map(|&label| label as u8).collect::<Vec<_>>()
        );
        assert_eq!(images.dims(), [ours.len(), 3, 32, 32]);
        for index in (0..ours.len()).step_by(7) {
            let theirs = images.get(index)?.flatten_all()?.to_vec1::<f32>()?;
            let theirs: Vec<u8> = theirs.iter().map(|value| (value * 255.0).round() as u8).collect();
            assert!(ours.image(index) == theirs, "image {index}");
        }
    }
    Ok(())
}
