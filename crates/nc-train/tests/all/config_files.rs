//! Configuration files that are damaged, or made up.

use std::fs;

use nc_train::{Error, Experiment, Profile, Settings, ValidExperiment, presets};
use proptest::prelude::*;

fn read(text: &[u8]) -> Result<Experiment, Error> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    fs::write(&path, text).unwrap();
    Settings { config: Some(&path), ..Settings::default() }.resolve().map(ValidExperiment::into_inner)
}

/// Whether a refusal says which file, preset or setting it is about.
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

/// Its keys are others, and those of the preset's kind would be refused.
#[test]
fn a_section_of_another_kind_takes_the_place_of_the_preset_s() {
    let profile = |text: &str| read(text.as_bytes()).unwrap().data.profile;
    assert_eq!(profile("preset = \"cifar10-lt-r100/ce\"\ndata.profile.kind = \"full\"\n"), Profile::Full);
    assert_eq!(
        profile("preset = \"cifar10-lt-r100/ce\"\n[data.profile]\nkind = \"step\"\nratio = 10\n"),
        Profile::Step { ratio: 10.0, largest: None }
    );
    // One of the same kind is merged.
    assert_eq!(
        profile("preset = \"cifar10-lt-r100/ce\"\n[data.profile]\nkind = \"exponential\"\nlargest = 20\n"),
        Profile::Exponential { ratio: 100.0, largest: Some(20) }
    );
}

#[test]
fn depth_without_end_is_refused() {
    let dotted = vec!["a"; 100_000].join(".");
    for text in [format!("{dotted} = 1"), format!("[{dotted}]"), format!("a = {}", "[".repeat(100_000))] {
        let message = read(text.as_bytes()).unwrap_err().to_string();
        assert!(message.contains("config.toml") && message.contains("recur"), "{message:.100}");
    }
    let overrides = [format!("{dotted}=1")];
    let message =
        Settings { overrides: &overrides, ..Settings::default() }.resolve().unwrap_err().to_string();
    assert!(message.ends_with("has 99999 sections, no setting has more than 8"), "{message:.100}");
}

proptest! {
    #[test]
    fn changed_files_are_read_or_named(
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
    fn files_cut_off_are_refused_or_have_whole_phases(place: prop::sample::Index) {
        let text = whole();
        let last = text.rfind("[[phases]]").unwrap();
        let cut = &text[..place.index(text.trim_end().len())];
        match read(cut.as_bytes()) {
            Ok(experiment) => prop_assert!(cut.trim_end() == text[..last].trim_end(), "{experiment:?}"),
            Err(error) => prop_assert!(is_named(&error), "{error}"),
        }
    }

    #[test]
    fn any_text_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        prop_assert!(read(&bytes).is_err());
    }
}
