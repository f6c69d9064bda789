//! The TensorBoard file, read back by an independent reader.

use std::path::Path;

use nc_record::{AverageAccuracy, EpochLosses, Event, Figures, ShotAccuracy, TensorBoard, Timing};

/// Bitwise CRC32C.
fn crc32c(data: &[u8]) -> u32 {
    let bit = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    !data.iter().fold(!0, |crc: u32, &byte| (0..8).fold(crc ^ u32::from(byte), bit))
}

/// Parses a protocol-buffer message into field numbers and contents.
fn fields(mut message: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut fields = vec![];
    while let [key, rest @ ..] = message {
        let varint = |bytes: &[u8]| {
            let length = bytes.iter().take_while(|&&byte| byte >= 0x80).count() + 1;
            let value =
                bytes[..length].iter().rev().fold(0u64, |value, byte| value << 7 | u64::from(byte & 0x7f));
            (value, length)
        };
        let (content, rest) = match key & 7 {
            0 => {
                let (value, length) = varint(rest);
                (value.to_le_bytes().to_vec(), &rest[length..])
            }
            1 => (rest[..8].to_vec(), &rest[8..]),
            2 => {
                let (size, length) = varint(rest);
                let rest = &rest[length..];
                (rest[..size as usize].to_vec(), &rest[size as usize..])
            }
            5 => (rest[..4].to_vec(), &rest[4..]),
            other => panic!("wire type {other}"),
        };
        fields.push((key >> 3, content));
        message = rest;
    }
    fields
}

/// Tag, step and value of each scalar in order, and the time of each event.
fn scalars(path: &Path) -> (Vec<(String, u64, f32)>, Vec<f64>) {
    let bytes = std::fs::read(path).unwrap();
    let mut rest = &bytes[..];
    let (mut scalars, mut times) = (vec![], vec![]);
    let masked = |data: &[u8]| crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8);
    let word = |bytes: &[u8]| u32::from_le_bytes(bytes[..4].try_into().unwrap());
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        assert_eq!(word(&rest[8..]), masked(&rest[..8]));
        let data = &rest[12..12 + length];
        assert_eq!(word(&rest[12 + length..]), masked(data));
        rest = &rest[16 + length..];
        let event = fields(data);
        let of = |number| event.iter().find(|(field, _)| *field == number).map(|(_, content)| &content[..]);
        times.push(f64::from_le_bytes(of(1).unwrap().try_into().unwrap()));
        let step = u64::from_le_bytes(of(2).unwrap().try_into().unwrap());
        match (of(3), of(5)) {
            (Some(version), None) => assert_eq!((version, step), (&b"brain.Event:2"[..], 0)),
            (None, Some(summary)) => {
                for (number, value) in fields(summary) {
                    assert_eq!(number, 1);
                    let value = fields(&value);
                    assert_eq!((value[0].0, value[1].0), (1, 2));
                    let tag = String::from_utf8(value[0].1.clone()).unwrap();
                    scalars.push((tag, step, f32::from_le_bytes(value[1].1[..].try_into().unwrap())));
                }
            }
            other => panic!("{other:?}"),
        }
    }
    (scalars, times)
}

fn events() -> Vec<Event> {
    let timing = Timing { seconds: 60.0, images_per_second: 200.0 };
    let phase = |name: &str, epochs| Event::PhaseStarted { phase: name.into(), epochs, steps_per_epoch: 1 };
    let epoch = |name: &str, epoch, total| Event::EpochFinished {
        phase: name.into(),
        epoch,
        learning_rate: 0.5,
        class_weights: false,
        losses: EpochLosses {
            total,
            terms: [("supervised".into(), total), ("between_class".into(), -1.5)].into(),
        },
        timing,
    };
    let accuracy = ShotAccuracy { all: 0.75, balanced: None, many: Some(1.0), medium: None, few: Some(0.25) };
    vec![
        phase("first", 2),
        epoch("first", 0, 2.0),
        epoch("first", 1, 1.0),
        Event::Evaluated {
            phase: "first".into(),
            epoch: 1,
            test_accuracy: accuracy,
            validation_accuracy: None,
            classifier: None,
            average: Some(Box::new(AverageAccuracy { test_accuracy: accuracy, validation_accuracy: None })),
            timing,
        },
        phase("second", 1),
        epoch("second", 0, 0.5),
        Event::Measured {
            phase: "second".into(),
            epoch: 0,
            train: Figures::from([("nc4.mismatch".into(), 0.125)]),
            test: Figures::new(),
            timing,
        },
    ]
}

#[test]
fn all_scalars_are_written_with_their_epoch() {
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.out.tfevents.1");
    let mut board = TensorBoard::create(&path, &[]).unwrap();
    for event in events() {
        board.append(&event).unwrap();
    }
    let (found, _) = scalars(&path);
    let of = |tag: &str| -> Vec<(u64, f32)> {
        found.iter().filter(|(name, ..)| name == tag).map(|&(_, step, value)| (step, value)).collect()
    };
    assert_eq!(of("loss/total"), [(1, 2.0), (2, 1.0), (3, 0.5)]);
    assert_eq!(of("loss/between_class"), [(1, -1.5), (2, -1.5), (3, -1.5)]);
    assert_eq!(of("learning_rate"), [(1, 0.5), (2, 0.5), (3, 0.5)]);
    assert_eq!(of("accuracy/test/all"), [(2, 0.75)]);
    assert_eq!(of("accuracy/test/few"), [(2, 0.25)]);
    assert_eq!(of("accuracy/average/test/all"), [(2, 0.75)]);
    assert_eq!(of("train/nc4.mismatch"), [(3, 0.125)]);
    assert_eq!((of("loss/within_class"), of("accuracy/test/medium")), (vec![], vec![]));
}

#[test]
fn a_resumed_run_writes_the_same_scalars() {
    let directory = tempfile::tempdir().unwrap();
    let (whole, resumed) = (directory.path().join("whole"), directory.path().join("resumed"));
    TensorBoard::create(&whole, &events()).unwrap();
    let (earlier, later) = (&events()[..3], &events()[3..]);
    std::fs::write(&resumed, "a partial file of the interrupted run").unwrap();
    let mut board = TensorBoard::create(&resumed, earlier).unwrap();
    for event in later {
        board.append(event).unwrap();
    }
    assert_eq!(scalars(&whole).0, scalars(&resumed).0);
    // Reconstructed times are one event duration (60 s) apart.
    let (_, times) = scalars(&whole);
    let steps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(steps.len(), 5);
    assert!(steps.iter().all(|step| (step - 60.0).abs() < 1e-3), "{steps:?}");
}
