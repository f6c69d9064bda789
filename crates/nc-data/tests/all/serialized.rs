use std::fmt::Debug;

use nc_data::{Interpolation, Profile, Sampler, Transform};
use schemars::{JsonSchema, schema_for};
use serde::{Serialize, de::DeserializeOwned};

/// Configuration hashes are computed from this text: a change here renames every run.
#[track_caller]
fn assert_text<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, text: &str) {
    assert_eq!(toml::to_string(value).unwrap(), text);
    assert_eq!(&toml::from_str::<T>(text).unwrap(), value);
}

#[test]
fn samplers_keep_their_toml() {
    assert_text(&Sampler::Uniform, "kind = \"uniform\"\n");
    assert_text(&Sampler::ClassBalanced, "kind = \"class-balanced\"\n");
    assert_text(&Sampler::EffectiveNumber { beta: 0.9999 }, "kind = \"effective-number\"\nbeta = 0.9999\n");
    assert_text(&Sampler::SquareRoot, "kind = \"square-root\"\n");
    assert_text(&Sampler::Reverse, "kind = \"reverse\"\n");
    assert_text(&Sampler::Progressive, "kind = \"progressive\"\n");
}

#[test]
fn profiles_keep_their_toml() {
    assert_text(&Profile::Full, "kind = \"full\"\n");
    assert_text(&Profile::Balanced { per_class: None }, "kind = \"balanced\"\n");
    assert_text(&Profile::Balanced { per_class: Some(7) }, "kind = \"balanced\"\nper_class = 7\n");
    assert_text(
        &Profile::Exponential { ratio: 100.0, largest: None },
        "kind = \"exponential\"\nratio = 100.0\n",
    );
    assert_text(
        &Profile::Step { ratio: 10.0, largest: Some(60) },
        "kind = \"step\"\nratio = 10.0\nlargest = 60\n",
    );
    assert_text(&Profile::Counts { counts: vec![3, 0] }, "kind = \"counts\"\ncounts = [3, 0]\n");
}

#[test]
fn transforms_keep_their_toml() {
    assert_text(&Transform::Crop { padding: 2 }, "kind = \"crop\"\npadding = 2\n");
    assert_text(&Transform::Flip, "kind = \"flip\"\n");
    assert_text(&Transform::Rotation { degrees: 15.0 }, "kind = \"rotation\"\ndegrees = 15.0\n");
    assert_text(
        &Transform::RandomResizedCrop {
            size: Some(224),
            smallest_area: 0.2,
            interpolation: Interpolation::Bilinear,
        },
        "kind = \"random-resized-crop\"\nsize = 224\nsmallest_area = 0.2\ninterpolation = \"bilinear\"\n",
    );
    assert_text(
        &Transform::Resize { size: 256, interpolation: Interpolation::Bicubic },
        "kind = \"resize\"\nsize = 256\ninterpolation = \"bicubic\"\n",
    );
    assert_text(&Transform::CenterCrop { size: 224 }, "kind = \"center-crop\"\nsize = 224\n");
    assert_text(
        &Transform::ColorJitter {
            brightness: 0.4,
            contrast: 0.3,
            saturation: 0.2,
            hue: 0.1,
            probability: 0.8,
        },
        "kind = \"color-jitter\"\nbrightness = 0.4\ncontrast = 0.3\nsaturation = 0.2\nhue = 0.1\nprobability = 0.8\n",
    );
    assert_text(&Transform::Grey { probability: 0.2 }, "kind = \"grey\"\nprobability = 0.2\n");
    assert_text(
        &Transform::GaussianBlur { probability: 0.5, smallest_sigma: 0.1, largest_sigma: 2.0 },
        "kind = \"gaussian-blur\"\nprobability = 0.5\nsmallest_sigma = 0.1\nlargest_sigma = 2.0\n",
    );
    assert_text(
        &Transform::RandAugment { layers: 2, magnitude: 10.0, deviation: 0.5, fill: [124, 116, 104] },
        "kind = \"rand-augment\"\nlayers = 2\nmagnitude = 10.0\ndeviation = 0.5\nfill = [124, 116, 104]\n",
    );
    assert_text(&Transform::AutoAugmentCifar10, "kind = \"auto-augment-cifar10\"\n");
    assert_text(&Transform::Cutout { length: 16 }, "kind = \"cutout\"\nlength = 16\n");
}

#[test]
fn absent_keys_of_transforms_have_defaults() {
    let jitter = Transform::ColorJitter {
        brightness: 0.0,
        contrast: 0.0,
        saturation: 0.0,
        hue: 0.0,
        probability: 1.0,
    };
    for (text, expected) in [
        ("kind = \"crop\"", Transform::Crop { padding: 4 }),
        ("kind = \"rotation\"", Transform::Rotation { degrees: 15.0 }),
        (
            "kind = \"random-resized-crop\"\nsize = 32",
            Transform::RandomResizedCrop {
                size: Some(32),
                smallest_area: 0.08,
                interpolation: Interpolation::Bilinear,
            },
        ),
        (
            "kind = \"random-resized-crop\"",
            Transform::RandomResizedCrop {
                size: None,
                smallest_area: 0.08,
                interpolation: Interpolation::Bilinear,
            },
        ),
        ("kind = \"color-jitter\"", jitter),
        ("kind = \"grey\"", Transform::Grey { probability: 0.2 }),
        (
            "kind = \"gaussian-blur\"",
            Transform::GaussianBlur { probability: 0.5, smallest_sigma: 0.1, largest_sigma: 2.0 },
        ),
        (
            "kind = \"rand-augment\"",
            Transform::RandAugment { layers: 2, magnitude: 10.0, deviation: 0.5, fill: [124, 116, 104] },
        ),
        ("kind = \"cutout\"", Transform::Cutout { length: 16 }),
    ] {
        assert_eq!(toml::from_str::<Transform>(text).unwrap(), expected);
    }
}

/// serde accepts unknown keys for a kind without keys; the schema does not.
#[test]
fn unknown_kinds_and_keys_are_refused() {
    for text in [
        "kind = \"effective-number\"\nbeta = 0.9\nratio = 2.0",
        "kind = \"effective-number\"",
        "kind = \"random\"",
        "",
    ] {
        assert!(toml::from_str::<Sampler>(text).is_err(), "{text}");
    }
    for text in ["kind = \"crop\"\nlength = 2", "kind = \"resize\"", "kind = \"blur\"", "padding = 4"] {
        assert!(toml::from_str::<Transform>(text).is_err(), "{text}");
    }
    for text in ["kind = \"balanced\"\nratio = 2.0", "kind = \"step\"\nlargest = 3", "kind = \"counts\"", ""]
    {
        assert!(toml::from_str::<Profile>(text).is_err(), "{text}");
    }
}

/// Each key of each kind as `kind.key: {limits}`; `?` marks optional keys.
fn limits<T: JsonSchema>() -> Vec<String> {
    let schema = schema_for!(T);
    let mut found = Vec::new();
    for variant in schema.get("oneOf").unwrap().as_array().unwrap() {
        assert_eq!(variant["additionalProperties"], false);
        assert!(variant["description"].is_string(), "{variant}");
        let required = variant["required"].as_array().unwrap();
        let keys = variant["properties"].as_object().unwrap();
        let kind = keys["kind"]["const"].as_str().unwrap();
        for (name, key) in keys.iter().filter(|(name, _)| *name != "kind") {
            assert!(key["description"].is_string(), "{key}");
            let absent = if required.iter().any(|key| key == name) { "" } else { "?" };
            let number = key.get("items").unwrap_or(key);
            let limits = ["minimum", "maximum", "exclusiveMaximum"]
                .iter()
                .filter_map(|limit| number.get(*limit).map(|value| format!(" {limit} {value}")));
            found.push(format!("{kind}.{name}{absent}:{}", limits.collect::<String>()));
        }
    }
    found
}

#[test]
fn schemas_declare_their_limits() {
    assert_eq!(limits::<Sampler>(), ["effective-number.beta: minimum 0 exclusiveMaximum 1"]);
    assert_eq!(
        limits::<Profile>(),
        [
            "balanced.per_class?: minimum 1 maximum 1000000000",
            "exponential.largest?: minimum 1 maximum 1000000000",
            "exponential.ratio: minimum 1 maximum 1000000.0",
            "step.largest?: minimum 1 maximum 1000000000",
            "step.ratio: minimum 1 maximum 1000000.0",
            "counts.counts: minimum 0 maximum 1000000000",
        ]
    );
    assert_eq!(
        limits::<Transform>(),
        [
            "crop.padding?: minimum 0 maximum 10000",
            "rotation.degrees?: minimum 0 maximum 180",
            "random-resized-crop.interpolation?:",
            "random-resized-crop.size?: minimum 1 maximum 10000",
            "random-resized-crop.smallest_area?: minimum 0 maximum 1",
            "resize.interpolation?:",
            "resize.size: minimum 1 maximum 10000",
            "center-crop.size: minimum 1 maximum 10000",
            "color-jitter.brightness?: minimum 0 maximum 10",
            "color-jitter.contrast?: minimum 0 maximum 10",
            "color-jitter.hue?: minimum 0 maximum 0.5",
            "color-jitter.probability?: minimum 0 maximum 1",
            "color-jitter.saturation?: minimum 0 maximum 10",
            "grey.probability?: minimum 0 maximum 1",
            "gaussian-blur.largest_sigma?: minimum 0 maximum 100",
            "gaussian-blur.probability?: minimum 0 maximum 1",
            "gaussian-blur.smallest_sigma?: minimum 0 maximum 100",
            "rand-augment.deviation?: minimum 0 maximum 10",
            "rand-augment.fill?: minimum 0 maximum 255",
            "rand-augment.layers?: minimum 1 maximum 100",
            "rand-augment.magnitude?: minimum 0 maximum 10",
            "cutout.length?: minimum 2 maximum 10000",
        ]
    );
}
