//! Progress of reading image files on standard error: a line before they are decoded and, on a terminal, a bar after a second
//! of reading headers or images.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use nc_data::LoadProgress;

use crate::terminal::say;

const TEMPLATE: &str = "{bar:10.cyan} {human_pos} of {human_len} images, {eta} left";

/// Loads shorter than this have no bar.
const BAR_AFTER: Duration = Duration::from_secs(1);

/// The images of one load.
#[derive(Default)]
pub(crate) struct Loading {
    images: u64,
    done: u64,
    started: Option<Instant>,
    bar: Option<ProgressBar>,
}

impl LoadProgress for Loading {
    fn begins_headers(&mut self, images: usize) {
        self.clear();
        (self.images, self.done, self.started) = (images as u64, 0, Some(Instant::now()));
    }

    fn begins(&mut self, images: usize, bytes: u64) {
        self.begins_headers(images);
        let memory = if bytes > 0 { format!(" ({} in memory)", shown_bytes(bytes)) } else { String::new() };
        say(&format!("reading {} images{memory}", HumanCount(self.images)));
    }

    fn decoded(&mut self, images: usize) {
        self.done += images as u64;
        let is_slow = self.started.is_some_and(|started| started.elapsed() >= BAR_AFTER);
        if self.bar.is_none() && is_slow && self.done < self.images && std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(self.images).with_elapsed(BAR_AFTER);
            if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
                bar.set_style(style);
            }
            self.bar = Some(bar);
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
        }
        if self.done >= self.images {
            self.clear();
        }
    }
}

impl Loading {
    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// Clears the bar of a load that failed.
impl Drop for Loading {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Bytes in decimal units, as in `373 MB`.
pub(crate) fn shown_bytes(bytes: u64) -> String {
    let bytes = bytes as f64;
    if bytes >= 1e9 {
        format!("{:.1} GB", bytes / 1e9)
    } else if bytes >= 1e6 {
        format!("{:.0} MB", bytes / 1e6)
    } else {
        format!("{:.0} kB", (bytes / 1e3).ceil())
    }
}

#[cfg(test)]
mod tests {
    use super::shown_bytes;

    #[test]
    fn bytes_have_decimal_units() {
        let shown = [30, 372_768_768, 12_300_000_000].map(shown_bytes);
        assert_eq!(shown, ["1 kB", "373 MB", "12.3 GB"]);
    }
}
