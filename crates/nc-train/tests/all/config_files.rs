//! Damaged and random configuration files.

use std::fs;

use nc_train::{Error, Experiment, Profile, Settings, ValidExperiment, presets};
use proptest::prelude::*;

fn read(text: &[u8]) -> Result<Experiment, Error> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    fs::write(&path, text).unwrap();
    Settings { config: Some(&path), ..Settings::default() }.resolve().map(ValidExperiment::into_inner)
}

/// Whether an error names the file, preset or setting.
fn is_named(error: &Error) -> bool {
    let text = error.to_string();
    let setting = text
        .split(':')
        .next()
        .is_some_and(|key| key.chars().all(|c| c.is_alphanumeric() || "._-".contains(c)));
    text.contains("config.toml") || text.contains("preset") || setting
}

fn whole() -> String {
    presets::find(presets::DEFAULT).unwrap().to_toml().unwrap()
}

/// Merging would keep keys of the preset's kind, which the new kind rejects.
#[test]
fn a_section_of_another_kind_replaces_the_presets() {
    let profile = |text: &str| read(text.as_bytes()).unwrap().data.profile;
    assert_eq!(profile("preset = \"cifar10-lt-r100/ce\"\ndata.profile.kind = \"full\"\n"), Profile::Full);
    assert_eq!(
        profile("preset = \"cifar10-lt-r100/ce\"\n[data.profile]\nkind = \"step\"\nratio = 10\n"),
        Profile::Step { ratio: 10.0, largest: None }
    );
    // A section of the same kind is merged.
    assert_eq!(
        profile("preset = \"cifar10-lt-r100/ce\"\n[data.profile]\nkind = \"exponential\"\nlargest = 20\n"),
        Profile::Exponential { ratio: 100.0, largest: Some(20) }
    );
}

#[test]
fn deep_nesting_is_rejected() {
    let dotted = vec!["a"; 100_000].join(".");
    for text in [format!("{dotted} = 1"), format!("[{dotted}]"), format!("a = {}", "[".repeat(100_000))] {
        let message = read(text.as_bytes()).unwrap_err().to_string();
        assert!(message.contains("config.toml") && message.contains("recur"), "{message:.100}");
    }
    let overrides = [format!("{dotted}=1")];
    let message =
        Settings { overrides: &overrides, ..Settings::default() }.resolve().unwrap_err().to_string();
    assert!(message.ends_with("expected at most 8 sections, found 99999"), "{message:.100}");
}

proptest! {
    #[test]
    fn corrupted_files_parse_or_give_a_named_error(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = whole().into_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        match read(&bytes) {
            Ok(experiment) => prop_assert_eq!(read(experiment.to_toml().unwrap().as_bytes()).unwrap(), experiment),
            Err(error) => prop_assert!(is_named(&error), "{error}"),
        }
    }

    #[test]
    fn truncated_files_are_rejected_unless_cut_between_phases(place: prop::sample::Index) {
        let text = whole();
        let last = text.rfind("[[phases]]").unwrap();
        let cut = &text[..place.index(text.trim_end().len())];
        match read(cut.as_bytes()) {
            Ok(experiment) => prop_assert!(cut.trim_end() == text[..last].trim_end(), "{experiment:?}"),
            Err(error) => prop_assert!(is_named(&error), "{error}"),
        }
    }

    #[test]
    fn random_bytes_are_rejected(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        prop_assert!(read(&bytes).is_err());
    }
}
