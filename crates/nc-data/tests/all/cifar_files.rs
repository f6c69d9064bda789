use std::{fs, path::Path};

use nc_data::{
    Dataset, Error, Source, Subset,
    cifar::{self, Cifar},
    folder,
};
use proptest::prelude::*;

use crate::{refusals::Refusals, support::picture};

const TEN: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];

/// A record whose pixel `i` of channel `c` is a function of `first`, `i` and `c`.
fn record(labels: &[u8], first: u8) -> Vec<u8> {
    let pixels = (0..3u8).flat_map(|channel| {
        (0..1024u16).map(move |pixel| first.wrapping_add(pixel as u8).wrapping_mul(channel + 1))
    });
    labels.iter().copied().chain(pixels).collect()
}

/// One to six records in the six files of CIFAR-10.
fn write_ten(directory: &Path) {
    for (number, name) in TEN.iter().enumerate() {
        let records = (0..=number).flat_map(|index| record(&[(number + index) as u8 % 10], index as u8));
        fs::write(directory.join(name), records.collect::<Vec<u8>>()).unwrap();
    }
}

fn write_hundred(directory: &Path) {
    fs::write(directory.join("train.bin"), [record(&[19, 99], 5), record(&[0, 7], 6)].concat()).unwrap();
    fs::write(directory.join("test.bin"), record(&[3, 42], 7)).unwrap();
}

#[test]
fn files_of_any_length_are_read_in_order() {
    let directory = tempfile::tempdir().unwrap();
    write_ten(directory.path());
    let source = cifar::read_dir(directory.path(), Cifar::Ten).unwrap();
    assert_eq!((source.train.len(), source.test.len()), (1 + 2 + 3 + 4 + 5, 6));
    assert_eq!(source.train.shape().to_string(), "3x32x32");
    assert_eq!(source.train.labels()[..6], [0, 1, 2, 2, 3, 4]);
    assert_eq!(source.train.image(2), &record(&[2], 1)[1..]);
    assert_eq!(source.test.labels(), [5, 6, 7, 8, 9, 0]);
    assert_eq!(source.train.class_names()[..2], ["airplane", "automobile"]);
}

/// A run on either gives the same weights.
#[test]
fn binaries_and_png_files_give_the_same_subset() {
    let directory = tempfile::tempdir().unwrap();
    let mut ten = [[0, 3], [4, 7], [9, 1], [2, 8], [6, 5], [1, 2]];
    for (labels, name) in ten.iter_mut().zip(TEN) {
        let records = labels.map(|label| record(&[label], label.wrapping_mul(29)));
        fs::write(directory.path().join(name), records.concat()).unwrap();
    }
    let binary = cifar::read_dir(directory.path(), Cifar::Ten).unwrap();
    let folders = tempfile::tempdir().unwrap();
    let write = |part: &str, images: &Dataset| {
        for (class, name) in images.class_names().iter().enumerate() {
            let class_directory = folders.path().join(part).join(name);
            for index in (0..images.len()).filter(|&index| images.labels()[index] as usize == class) {
                fs::create_dir_all(&class_directory).unwrap();
                picture(images, index).save(class_directory.join(format!("{}.png", 99 - index))).unwrap();
            }
        }
    };
    write("train", &binary.train);
    write("test", &binary.test);
    let png = folder::read_dir(folders.path(), nc_data::ImageOptions::default()).unwrap();
    assert_eq!(png.train.class_names(), binary.train.class_names());
    assert_eq!(Subset::all(&png.train).hash(), Subset::all(&binary.train).hash());
}

#[test]
fn cifar_100_uses_fine_labels() {
    let directory = tempfile::tempdir().unwrap();
    write_hundred(directory.path());
    let source = cifar::read_dir(directory.path(), Cifar::Hundred).unwrap();
    assert_eq!((source.train.labels(), source.test.labels()), (&[99, 7][..], &[42][..]));
    assert_eq!(source.train.image(0), &record(&[19, 99], 5)[2..]);
    assert_eq!((source.train.num_classes(), source.train.class_names()[99].as_str()), (100, "worm"));
}

#[test]
fn the_official_subdirectory_is_found() {
    let directory = tempfile::tempdir().unwrap();
    for (cifar, name, write) in [
        (Cifar::Ten, "cifar-10-batches-bin", write_ten as fn(&Path)),
        (Cifar::Hundred, "cifar-100-binary", write_hundred),
    ] {
        let inside = directory.path().join(name);
        fs::create_dir(&inside).unwrap();
        write(&inside);
        let found = cifar::read_dir(directory.path(), cifar).unwrap();
        assert!(!found.train.is_empty());
        // Files in the directory take precedence over the subdirectory.
        write(directory.path());
        fs::write(inside.join(if cifar == Cifar::Ten { TEN[0] } else { "train.bin" }), "unfinished").unwrap();
        assert_eq!(cifar::read_dir(directory.path(), cifar).unwrap().train.labels(), found.train.labels());
    }
}

pub(crate) fn refused(told: &mut Refusals) {
    let directory = tempfile::tempdir().unwrap();
    write_ten(directory.path());
    fs::remove_file(directory.path().join(TEN[1])).unwrap();
    fs::remove_file(directory.path().join(TEN[5])).unwrap();
    told.add("a CIFAR-10 directory that lacks two files", cifar::read_dir(directory.path(), Cifar::Ten));
    let nowhere = directory.path().join("nowhere");
    told.add("a CIFAR-10 directory that does not exist", cifar::read_dir(&nowhere, Cifar::Ten));
    for (tried, name, bytes) in [
        ("a truncated record", TEN[3], &record(&[1], 0)[..3072]),
        ("a batch without records", TEN[5], &[]),
        ("a label beyond the classes", TEN[0], &[record(&[9], 0), record(&[10], 0)].concat()),
    ] {
        write_ten(directory.path());
        fs::write(directory.path().join(name), bytes).unwrap();
        told.add(tried, cifar::read_dir(directory.path(), Cifar::Ten));
    }
    told.add("a fine label beyond the classes", read_hundred(&record(&[0, 100], 0)));
}

/// Reads CIFAR-100 with these training records.
fn read_hundred(train: &[u8]) -> Result<Source, Error> {
    let directory = tempfile::tempdir().unwrap();
    write_hundred(directory.path());
    fs::write(directory.path().join("train.bin"), train).unwrap();
    cifar::read_dir(directory.path(), Cifar::Hundred)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn written_records_read_back(records in proptest::collection::vec((any::<u8>(), 0..100u8, any::<u8>()), 1..5)) {
        let bytes: Vec<u8> = records.iter().flat_map(|&(coarse, fine, first)| record(&[coarse, fine], first)).collect();
        let train = read_hundred(&bytes).unwrap().train;
        prop_assert_eq!(train.len(), records.len());
        for (index, (_, fine, first)) in records.iter().enumerate() {
            prop_assert_eq!(train.labels()[index], u32::from(*fine));
            prop_assert_eq!(train.image(index), &record(&[], *first));
        }
    }

    #[test]
    fn truncated_records_are_refused(place in 0..3074usize, whole in 0..3usize) {
        let bytes = record(&[0, 1], 0).repeat(whole + 1);
        let read = read_hundred(&bytes[..whole * 3074 + place]);
        prop_assert_eq!(read.is_ok(), place == 0 && whole > 0);
    }

    #[test]
    fn only_labels_out_of_range_are_refused(place in 0..6148usize, value: u8) {
        let mut bytes = record(&[0, 1], 0).repeat(2);
        bytes[place] = value;
        let is_label = place % 3074 == 1;
        prop_assert_eq!(read_hundred(&bytes).is_ok(), !is_label || value < 100);
    }
}
