//! Feature files: round trips, NumPy files, corrupt files.

use std::path::{Path, PathBuf};

use nc_record::{Error, Features, Floats, TestFeatures};
use proptest::prelude::*;
use safetensors::{Dtype, tensor::TensorView};

use crate::refusals::Refusals;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn written(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("features");
    std::fs::write(&path, bytes).unwrap();
    (directory, path)
}

pub(crate) fn read(bytes: &[u8]) -> Result<Features, Error> {
    let (_directory, path) = written(bytes);
    Features::read(&path)
}

/// The reason for which a file is rejected, without its path.
fn reason(bytes: &[u8]) -> String {
    match read(bytes) {
        Err(Error::NotFeatures { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

/// Name, dtype, shape and bytes.
pub(crate) type Entry<'a> = (&'a str, Dtype, &'a [usize], &'a [u8]);

/// Builds a safetensors file.
pub(crate) fn file(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut views = vec![];
    for &(name, dtype, shape, bytes) in entries {
        views.push((name, TensorView::new(dtype, shape.to_vec(), bytes).unwrap()));
    }
    safetensors::serialize(views, None).unwrap()
}

pub(crate) fn example() -> Features {
    Features {
        classes: 2,
        dims: 3,
        features: (0..12).map(|i| i as f32 / 8.0 - 0.5).collect::<Vec<_>>().into(),
        labels: vec![0, 1, 1, 0],
        weight: Some([1.0, 2.0, 3.0, -1.0, -2.0, -3.0].map(|x: f32| x / 4.0).to_vec().into()),
        bias: Some(vec![0.5f32, -0.5].into()),
        class_counts: Some(vec![20, 2]),
        class_names: None,
        test: Some(TestFeatures {
            features: (0..4)
                .rev()
                .flat_map(|row| (0..3).map(move |i| (3 * row + i) as f32 / 8.0 - 0.5))
                .collect::<Vec<_>>()
                .into(),
            labels: vec![0, 1, 1, 0],
        }),
        ignored: vec![],
    }
}

#[test]
fn safetensors_files_round_trip() {
    let names = ["ant", "Käfer \"2\""].map(str::to_owned);
    let whole = Features { class_names: Some(names.to_vec()), ..example() };
    assert_eq!(read(&whole.to_safetensors().unwrap()).unwrap(), whole);
    let wide = [1e300, 2.0, 3.0].repeat(4);
    let wide = Features { features: wide.into(), bias: Some(vec![0.1, 0.2].into()), ..whole.clone() };
    assert_eq!(read(&wide.to_safetensors().unwrap()).unwrap(), wide);
    let whole = Features { class_names: None, ..whole };
    let least = Features { weight: None, bias: None, class_counts: None, test: None, ..whole };
    assert_eq!(read(&least.to_safetensors().unwrap()).unwrap(), least);
}

#[test]
fn numpy_files_are_read() {
    let whole = Features { ignored: vec!["something_else".into()], ..example() };
    assert_eq!(Features::read(&fixture("plain.npz")).unwrap(), whole);
    let least =
        Features { weight: None, bias: None, class_counts: None, test: None, ignored: vec![], ..whole };
    assert_eq!(Features::read(&fixture("big_endian.npz")).unwrap(), least);
    let wide = |floats: &Floats| Floats::F64(floats.to_f64().into_owned());
    let some = Features {
        features: wide(&least.features),
        weight: example().weight.as_ref().map(wide),
        ..least.clone()
    };
    assert_eq!(Features::read(&fixture("columns_first.npz")).unwrap(), some);
    let names = Some(vec!["ant".to_owned(), "Käfer".to_owned()]);
    for file in ["names.npz", "names_big_endian.npz"] {
        let named = Features { class_names: names.clone(), ..least.clone() };
        assert_eq!(Features::read(&fixture(file)).unwrap(), named, "{file}");
    }
}

#[test]
fn all_integer_and_float_widths_are_read() {
    let labels = |dtype, bytes: &[u8]| {
        let features = [0u8; 8]; // two zeros
        read(&file(&[("features", Dtype::F32, &[2, 1], &features), ("labels", dtype, &[2], bytes)]))
            .map(|features| features.labels)
    };
    assert_eq!(labels(Dtype::U8, &[1, 0]).unwrap(), [1, 0]);
    assert_eq!(labels(Dtype::I16, &[1, 0, 0, 0]).unwrap(), [1, 0]);
    assert_eq!(labels(Dtype::U32, &[1, 0, 0, 0, 0, 0, 0, 0]).unwrap(), [1, 0]);
    assert_eq!(labels(Dtype::I64, &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap(), [1, 0]);
    let features = |dtype, bytes: &[u8]| {
        read(&file(&[("features", dtype, &[1, 1], bytes), ("labels", Dtype::U8, &[1], &[0])]))
            .map(|features| features.features)
    };
    assert_eq!(features(Dtype::F16, &[0, 0xc0]).unwrap(), Floats::F32(vec![-2.0]));
    assert_eq!(features(Dtype::BF16, &[0x20, 0x41]).unwrap(), Floats::F32(vec![10.0]));
    assert_eq!(features(Dtype::F64, &1e-60f64.to_le_bytes()).unwrap(), Floats::F64(vec![1e-60]));
}

pub(crate) fn refused(told: &mut Refusals) {
    let values = [0u8; 24];
    let features = ("features", Dtype::F32, &[3, 2][..], &values[..]);
    let labels = |shape, bytes| ("labels", Dtype::U8, shape, bytes);
    let mut add = |tried: &str, entries: &[Entry<'_>]| told.add(tried, read(&file(entries)));
    for (tried, more) in [
        ("a weight of other dimensions", &[("weight", Dtype::F32, &[2, 3][..], &values[..])][..]),
        ("a bias without weight", &[("bias", Dtype::F32, &[2], &[0; 8])]),
        ("test labels without features", &[("test_labels", Dtype::U8, &[1], &[0])]),
        ("test features without labels", &[("test_features", Dtype::F32, &[1, 2], &[0; 8])]),
        ("a class without count", &[("class_counts", Dtype::U8, &[1], &[9])]),
        ("a weight of one dimension", &[("weight", Dtype::F32, &[8], &[0; 32])]),
        (
            "a count without class",
            &[("weight", Dtype::F32, &[2, 2], &[0; 16]), ("class_counts", Dtype::U8, &[3], &[1, 1, 1])],
        ),
    ] {
        add(tried, &[&[features, labels(&[3][..], &[0u8, 1, 0][..])][..], more].concat());
    }
    add("a label too few", &[features, labels(&[2], &[0, 1])]);
    add("more classes than samples", &[features, labels(&[3], &[0, 1, 200])]);
    add("labels that are no integers", &[features, ("labels", Dtype::F32, &[3], &[0; 12])]);
    for shape in [[0, 3], [3, 0]] {
        let empty = [("features", Dtype::F32, &shape[..], &[][..]), labels(&[0], &[])];
        add(&format!("features of shape {shape:?}"), &empty);
    }
    for (tried, names) in [
        ("a class name too few", r#"["ant"]"#),
        ("class names that are numbers", "[1, 2]"),
        ("a class name that moves the cursor", r#"["ant", "\u001b[2J"]"#),
    ] {
        let views = [features, labels(&[3], &[0, 1, 0])].map(|(name, dtype, shape, bytes)| {
            (name, TensorView::new(dtype, shape.to_vec(), bytes).unwrap())
        });
        let metadata = [("class_names".to_owned(), names.to_owned())].into();
        told.add(tried, read(&safetensors::serialize(views, Some(metadata)).unwrap()));
    }
    for name in ["negative_label.npz", "three_dimensions.npz", "text.npz", "names_as_numbers.npz"] {
        told.add(name, read(&std::fs::read(fixture(name)).unwrap()));
    }
}

#[test]
fn a_corrupt_byte_in_an_npz_file_is_detected() {
    // A byte of the features, which are stored uncompressed.
    let mut bytes = std::fs::read(fixture("plain.npz")).unwrap();
    let first = (-0.5f32).to_le_bytes();
    let at = bytes.windows(4).position(|window| window == first).unwrap();
    bytes[at] ^= 1;
    let found = reason(&bytes);
    assert!(found.starts_with("features: ") && found.to_lowercase().contains("checksum"), "{found}");
}

#[test]
fn bogus_sizes_allocate_no_memory() {
    let header = |json: &str| [&(json.len() as u64).to_le_bytes()[..], json.as_bytes()].concat();
    let found = reason(&[&(1u64 << 60).to_le_bytes()[..], b"{}"].concat());
    assert!(found.contains("a header of 1152921504606846976 bytes does not fit in 10"), "{found}");
    let huge = r#"{"features":{"dtype":"F32","shape":[1000000000000,1],"data_offsets":[0,4000000000000]}}"#;
    let found = reason(&header(huge));
    assert!(found.contains("expected 4000000000000 bytes of data, found 0"), "{found}");
    let overflowing =
        r#"{"features":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,0]}}"#;
    assert!(reason(&header(overflowing)).starts_with("not a safetensors or npz file"));

    // A zip file whose array header claims more data than the file has.
    let plain = std::fs::read(fixture("plain.npz")).unwrap();
    let claim = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at = plain.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        let mut changed = plain.clone();
        changed[at..at + from.len()].copy_from_slice(to.as_bytes());
        reason(&changed)
    };
    let found = claim("(4, 3), }      ", "(4, 9876543210)");
    assert!(found.starts_with("features: expected"), "{found}");
    let found = claim("(4, 3), }              ", "(9876543210, 987654321)");
    assert!(found.starts_with("features: "), "{found}");
}

proptest! {
    #[test]
    fn random_features_round_trip(
        (samples, dims, classes) in (1..6usize, 1..4usize, 1..4usize),
        values in proptest::collection::vec(-1e6..1e6f32, 60),
        with_classifier: bool,
    ) {
        let labels = |count: usize| (0..count).map(|sample| (sample % classes) as u32).collect::<Vec<_>>();
        let written = Features {
            classes,
            dims,
            features: values[..samples * dims].to_vec().into(),
            labels: labels(samples),
            weight: with_classifier.then(|| values[values.len() - classes * dims..].to_vec().into()),
            bias: with_classifier.then(|| values[..classes].to_vec().into()),
            class_counts: Some(vec![samples; classes]),
            class_names: with_classifier.then(|| vec!["a class".into(); classes]),
            test: Some(TestFeatures { features: values[..dims].to_vec().into(), labels: labels(1) }),
            ignored: vec![],
        };
        prop_assert_eq!(read(&written.to_safetensors().unwrap()).unwrap(), written);
    }

    #[test]
    fn truncated_files_are_rejected(place: prop::sample::Index, zip: bool) {
        let whole =
            if zip { std::fs::read(fixture("plain.npz")).unwrap() } else { example().to_safetensors().unwrap() };
        let cut = &whole[..place.index(whole.len())];
        let refused = read(cut);
        prop_assert!(matches!(refused, Err(Error::NotFeatures { .. })), "{refused:?}");
    }

    /// The reader never panics.
    #[test]
    fn random_bytes_are_read_or_rejected(bytes in proptest::collection::vec(any::<u8>(), 0..400), kind in 0..3) {
        let start: &[u8] = match kind { 0 => b"", 1 => b"PK\x03\x04", _ => b"\x20\0\0\0\0\0\0\0{\"features\":" };
        let _ = read(&[start, &bytes].concat());
    }

    #[test]
    fn mutated_files_are_read_or_rejected(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        zip: bool,
    ) {
        let mut bytes = if zip {
            std::fs::read(fixture("plain.npz")).unwrap()
        } else {
            example().to_safetensors().unwrap()
        };
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = read(&bytes);
    }
}
