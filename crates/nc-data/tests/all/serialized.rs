use std::fmt::Debug;

use nc_data::{Profile, Sampler};
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
}
