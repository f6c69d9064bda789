use std::{fs, io::Write, path::Path};

use flate2::{Compression, write::GzEncoder};
use nc_data::{Error, Source, idx};
use proptest::prelude::*;

use crate::refusals::Refusals;

fn idx(dims: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut content = vec![0, 0, 8, dims.len() as u8];
    content.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
    content.extend(bytes);
    content
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Two training images of 2x3 and one test image.
fn valid() -> [Vec<u8>; 4] {
    [
        idx(&[2, 2, 3], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
        idx(&[2], &[0, 2]),
        idx(&[1, 2, 3], &[9; 6]),
        idx(&[1], &[1]),
    ]
}

fn write(directory: &Path, files: &[Vec<u8>; 4]) {
    for (name, bytes) in idx::FILES.iter().zip(files) {
        fs::write(directory.join(name), bytes).unwrap();
    }
}

fn read(files: &[Vec<u8>; 4]) -> Result<Source, Error> {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), files);
    idx::read_dir(directory.path())
}

/// Reads the valid files with number `index` replaced.
fn read_with(index: usize, bytes: Vec<u8>) -> Result<Source, Error> {
    let mut files = valid();
    files[index] = bytes;
    read(&files)
}

/// Downloads are in a subdirectory `fashion-mnist`.
#[test]
fn files_in_the_directory_take_precedence_over_subdirectories() {
    let directory = tempfile::tempdir().unwrap();
    let inside = directory.path().join("fashion-mnist");
    fs::create_dir(&inside).unwrap();
    write(&inside, &valid());
    assert!(!idx::read_dir(directory.path()).unwrap().train.is_empty());
    fs::write(inside.join(idx::FILES[0]), "others").unwrap();
    write(directory.path(), &valid());
    assert!(!idx::read_dir(directory.path()).unwrap().train.is_empty());
}

#[test]
fn plain_and_gzipped_files_read_the_same() {
    for zipped in [0usize, 0b0001, 0b1010, 0b1111] {
        let directory = tempfile::tempdir().unwrap();
        for (index, (name, bytes)) in idx::FILES.iter().zip(valid()).enumerate() {
            let (name, bytes) = if zipped >> index & 1 == 1 {
                (format!("{name}.gz"), gz(&bytes))
            } else {
                ((*name).into(), bytes)
            };
            fs::write(directory.path().join(name), bytes).unwrap();
        }
        let source = idx::read_dir(directory.path()).unwrap();
        assert_eq!(source.train.len(), 2);
        assert_eq!(source.train.image(1), [7, 8, 9, 10, 11, 12]);
        assert_eq!(source.train.labels(), [0, 2]);
        assert_eq!(source.train.class_counts(), [1, 0, 1]);
        assert_eq!(source.train.class_names(), ["0", "1", "2"]);
        assert_eq!(source.test.class_counts(), [0, 1, 0]);
        assert_eq!(source.train.shape().to_string(), "1x2x3");
        assert_eq!(source.name, directory.path().file_name().unwrap().to_str().unwrap());
        assert!(source.notes.is_empty());
        fs::write(directory.path().join(format!("{}.gz", idx::FILES[3])), gz(&valid()[3])).unwrap();
        let notes = idx::read_dir(directory.path()).unwrap().notes;
        assert_eq!(notes.len(), usize::from(zipped >> 3 & 1 == 0), "{notes:?}");
    }
}

#[test]
fn multi_member_gzip_files_are_read_completely() {
    let mut files = valid();
    let (head, tail) = files[0].split_at(15);
    files[0] = [gz(head), gz(tail)].concat();
    assert_eq!(read(&files).unwrap().train.image(0), [1, 2, 3, 4, 5, 6]);
}

pub(crate) fn refused(told: &mut Refusals) {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &valid());
    fs::remove_file(directory.path().join(idx::FILES[1])).unwrap();
    fs::remove_file(directory.path().join(idx::FILES[2])).unwrap();
    told.add("an idx directory that lacks two files", idx::read_dir(directory.path()));
    told.add("an idx directory that does not exist", idx::read_dir(&directory.path().join("nowhere")));
    let file = idx::read_dir(&directory.path().join(idx::FILES[0]));
    assert!(matches!(file, Err(Error::Read { .. })), "a file is not a directory: {file:?}");

    let images = |dims: &[u32], bytes: usize| idx(dims, &vec![0; bytes]);
    for (tried, index, bytes) in [
        ("an empty idx file", 0, vec![]),
        ("half an idx header", 1, vec![0, 0, 8, 1]),
        ("images of one dimension", 0, images(&[2, 6], 12)),
        ("images in place of labels", 1, images(&[2, 2, 3], 12)),
        ("one byte too many", 2, images(&[1, 2, 3], 7)),
        ("one byte too few", 0, images(&[2, 2, 3], 11)),
        ("more images than bytes", 0, images(&[1 << 31, 28, 28], 84)),
        ("more pixels than any memory", 0, images(&[u32::MAX; 3], 0)),
        ("more labels than images", 1, idx(&[3], &[0; 3])),
        ("a test label beyond the classes", 3, idx(&[1], &[3])),
        ("test images of another size", 2, images(&[1, 3, 2], 6)),
        ("no images", 0, images(&[0, 2, 3], 0)),
        ("a truncated gzip file", 0, gz(&valid()[0])[..20].to_vec()),
    ] {
        told.add(tried, read_with(index, bytes));
    }
}

#[test]
fn gzip_files_are_not_unpacked_beyond_their_header() {
    // Unpacking everything would find the damage at the end first.
    let mut bomb = gz(&[idx(&[2, 2, 3], &[1; 12]), vec![0; 1 << 24]].concat());
    let end = bomb.len() - 1;
    bomb[end] ^= 1;
    let Err(Error::Malformed { message, .. }) = read_with(0, bomb) else { panic!("the file is accepted") };
    assert!(message.ends_with("found more"), "{message}");
}

proptest! {
    #[test]
    fn truncated_files_are_refused(place: prop::sample::Index, index in 0usize..4, zipped: bool) {
        let mut files = valid();
        if zipped {
            files[index] = gz(&files[index]);
        }
        let place = place.index(files[index].len());
        files[index].truncate(place);
        let refused = read(&files);
        prop_assert!(matches!(refused, Err(Error::Malformed { .. })), "{refused:?}");
    }

    #[test]
    fn random_bytes_never_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..64), index in 0usize..4, kind in 0usize..3,
    ) {
        let mut files = valid();
        files[index] = match kind {
            0 => bytes,
            1 => gz(&bytes),
            // A valid start, so that parsing reaches the random bytes.
            _ => [&files[index][..4], &bytes].concat(),
        };
        let _ = read(&files);
    }

    #[test]
    fn changed_bytes_never_panic(place in any::<prop::sample::Index>(), value in any::<u8>(), index in 0usize..4) {
        let mut files = valid();
        let place = place.index(files[index].len());
        files[index][place] = value;
        let _ = read(&files);
        files[index] = gz(&files[index]);
        let place = place % files[index].len();
        files[index][place] ^= value;
        let _ = read(&files);
    }

    #[test]
    fn written_files_read_back(
        images in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 6), 0u8..5), 1..20),
    ) {
        let count = images.len() as u32;
        let pixels: Vec<u8> = images.iter().flat_map(|(pixels, _)| pixels.clone()).collect();
        let labels: Vec<u8> = images.iter().map(|&(_, label)| label).collect();
        let mut files = valid();
        files[0] = idx(&[count, 2, 3], &pixels);
        files[1] = gz(&idx(&[count], &labels));
        files[3] = idx(&[1], &[0]);
        let source = read(&files).unwrap();
        for (index, (pixels, label)) in images.iter().enumerate() {
            prop_assert_eq!(source.train.image(index), pixels);
            prop_assert_eq!(source.train.labels()[index], u32::from(*label));
        }
    }
}
