//! The input specification in the metadata of weights.

use std::collections::BTreeMap;

use nc_record::{InputSpec, Resize};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

fn spec() -> InputSpec {
    InputSpec {
        classes: vec!["ant".into(), "\"bee\"".into()],
        channels: 3,
        height: 32,
        width: 48,
        resize: Some(Resize::CoverAndCrop),
        mean: vec![0.1, 0.2, 1.0 / 3.0],
        std: vec![0.5, 1.0, 2.0],
    }
}

fn weights() -> Vec<u8> {
    let view = TensorView::new(Dtype::F32, vec![2], &[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    safetensors::serialize(BTreeMap::from([("weight", view)]), None).unwrap()
}

#[test]
fn the_specification_round_trips_and_tensors_are_unchanged() {
    assert_eq!(InputSpec::of_weights(&weights()).unwrap(), None);
    let with = spec().add_to(&weights()).unwrap();
    assert_eq!(InputSpec::of_weights(&with).unwrap(), Some(spec()));
    let tensors = SafeTensors::deserialize(&with).unwrap();
    assert_eq!(tensors.tensor("weight").unwrap().data(), [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn invalid_specifications_are_rejected() {
    let edit = |change: &dyn Fn(&mut InputSpec)| {
        let mut spec = spec();
        change(&mut spec);
        InputSpec::of_weights(&spec.add_to(&weights()).unwrap()).unwrap_err()
    };
    for (reason, message) in [
        (edit(&|spec| spec.classes.clear()), "at least one name"),
        (edit(&|spec| spec.classes[1] = "ant".into()), "classes[1]: duplicate class name \"ant\""),
        (edit(&|spec| spec.height = 0), "3x0x48"),
        (edit(&|spec| spec.channels = 2), "2x32x48"),
        (edit(&|spec| spec.std.truncate(2)), "expected 3 values each, found 3 and 2"),
        (edit(&|spec| spec.std[0] = 0.0), "positive std"),
    ] {
        assert!(reason.starts_with("metadata \"input\": ") && reason.contains(message), "{reason}");
    }
    assert!(InputSpec::of_weights(b"no weights").is_err());
}
