use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{Event, Figures, Result, ShotAccuracy, Timing, atomic::refuse_link, error::io_error};

/// Writes a run's events as a TensorBoard event file: losses, learning rate, accuracies and neural-collapse metrics.
/// The step is the epoch, counted from 1 over all phases.
///
/// The file is a sequence of TFRecords (length, CRC of length, data, CRC of data), each with a protocol-buffer message
/// `tensorflow.Event`
/// (<https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto>).
#[derive(Debug)]
pub struct TensorBoard {
    path: PathBuf,
    file: File,
    /// Epochs of earlier phases and of the current one.
    before: usize,
    current: usize,
}

impl TensorBoard {
    /// Creates or overwrites the file and writes the `earlier` events of a resumed run. Their timestamps are
    /// reconstructed backwards from now by their durations.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io).
    pub fn create(path: &Path, earlier: &[Event]) -> Result<Self> {
        refuse_link(path)?;
        let file = File::create(path).map_err(io_error("create", path))?;
        let mut board = Self { path: path.to_owned(), file, before: 0, current: 0 };
        let mut time = now() - earlier.iter().map(seconds).sum::<f64>();
        board.write(&message(time, 0, |event| bytes(event, 3, b"brain.Event:2")))?;
        for event in earlier {
            time += seconds(event);
            board.append_at(time, event)?;
        }
        Ok(board)
    }

    /// Appends the scalars of `event`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io).
    pub fn append(&mut self, event: &Event) -> Result<()> {
        self.append_at(now(), event)
    }

    fn append_at(&mut self, time: f64, event: &Event) -> Result<()> {
        match event {
            Event::PhaseStarted { .. } => {
                self.before = self.before.saturating_add(self.current);
                self.current = 0;
            }
            // A phase may stop before its last epoch.
            Event::EpochFinished { epoch, .. } => self.current = epoch.saturating_add(1),
            _ => {}
        }
        let Some((epoch, scalars)) = scalars(event) else { return Ok(()) };
        let step = self.before.saturating_add(epoch).saturating_add(1) as u64;
        self.write(&message(time, step, |event| {
            let mut summary = vec![];
            for (tag, value) in scalars {
                let mut scalar = vec![];
                bytes(&mut scalar, 1, tag.as_bytes());
                fixed32(&mut scalar, 2, value as f32);
                bytes(&mut summary, 1, &scalar);
            }
            bytes(event, 5, &summary);
        }))
    }

    /// Writes one TFRecord with a single write call.
    fn write(&mut self, data: &[u8]) -> Result<()> {
        let length = (data.len() as u64).to_le_bytes();
        let mut record = Vec::with_capacity(data.len() + 16);
        record.extend(length);
        record.extend(masked_crc(&length).to_le_bytes());
        record.extend(data);
        record.extend(masked_crc(data).to_le_bytes());
        self.file.write_all(&record).map_err(io_error("append to", &self.path))
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// Duration of an event.
fn seconds(event: &Event) -> f64 {
    match event {
        Event::EpochFinished { timing: Timing { seconds, .. }, .. }
        | Event::Evaluated { timing: Timing { seconds, .. }, .. }
        | Event::Measured { timing: Timing { seconds, .. }, .. } => *seconds,
        _ => 0.0,
    }
}

/// Epoch of an event within its phase, and its scalars by tag.
fn scalars(event: &Event) -> Option<(usize, Figures)> {
    let mut scalars = Figures::new();
    let mut add = |tag: &str, value: Option<f64>| {
        scalars.extend(value.map(|value| (tag.to_owned(), value)));
    };
    let epoch = match event {
        Event::EpochFinished { epoch, learning_rate, losses, timing, .. } => {
            add("learning_rate", Some(*learning_rate));
            add("images_per_second", Some(timing.images_per_second));
            add("loss/total", Some(losses.total));
            for (name, value) in &losses.terms {
                add(&format!("loss/{name}"), Some(*value));
            }
            epoch
        }
        Event::Evaluated { epoch, test_accuracy, validation_accuracy, average, .. } => {
            let average = average.as_deref();
            for (set, accuracy) in [
                ("test", Some(test_accuracy)),
                ("validation", validation_accuracy.as_ref()),
                ("average/test", average.map(|average| &average.test_accuracy)),
                ("average/validation", average.and_then(|average| average.validation_accuracy.as_ref())),
            ] {
                let of = |group: fn(&ShotAccuracy) -> Option<f64>| accuracy.and_then(group);
                add(&format!("accuracy/{set}/all"), of(|accuracy| Some(accuracy.all)));
                add(&format!("accuracy/{set}/many"), of(|accuracy| accuracy.many));
                add(&format!("accuracy/{set}/medium"), of(|accuracy| accuracy.medium));
                add(&format!("accuracy/{set}/few"), of(|accuracy| accuracy.few));
            }
            epoch
        }
        Event::Measured { epoch, train, test, .. } => {
            for (set, figures) in [("train", train), ("test", test)] {
                for (name, &value) in figures {
                    add(&format!("{set}/{name}"), Some(value));
                }
            }
            epoch
        }
        _ => return None,
    };
    Some((*epoch, scalars))
}

/// Encodes a `tensorflow.Event`; `content` appends its payload field.
fn message(time: f64, step: u64, content: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut event = vec![];
    event.push(1 << 3 | 1); // wall_time, a double
    event.extend(time.to_le_bytes());
    event.push(2 << 3); // step, a varint
    varint(&mut event, step);
    content(&mut event);
    event
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a length-delimited field (bytes, string or message).
fn bytes(out: &mut Vec<u8>, field: u8, content: &[u8]) {
    out.push(field << 3 | 2);
    varint(out, content.len() as u64);
    out.extend(content);
}

fn fixed32(out: &mut Vec<u8>, field: u8, value: f32) {
    out.push(field << 3 | 5);
    out.extend(value.to_le_bytes());
}

/// Masked CRC32C, as TFRecord defines it: the mask protects CRCs over data that contains CRCs.
fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}
