//! Progress of a run on standard error: a progress bar on a terminal, otherwise one line per epoch.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use nc_data::LoadProgress;
use nc_record::{Event, Holder, RunDir, ShotAccuracy};
use nc_report::RunReport;
use nc_train::{Experiment, Observer, Resumed, Step};

use crate::{
    loading::Loading,
    summary::percent,
    terminal::{harmless, say},
};

const TEMPLATE: &str = "{bar:10.cyan} {wide_msg} {per_sec}, {eta} left";

pub(crate) struct Progress {
    /// Counts image files while they are read.
    loading: Loading,
    /// Counts training images.
    bar: ProgressBar,
    interactive: bool,
    started: Instant,
    /// Images trained on before this session.
    earlier: u64,
    /// Epochs of all phases, and of the current phase.
    epochs: usize,
    phase_epochs: usize,
    accuracy: Option<ShotAccuracy>,
    waiting: Waiting,
    /// Directory of the run.
    directory: Option<PathBuf>,
    page_written: Option<Instant>,
    /// Set when the run should stop.
    stop: Arc<AtomicBool>,
}

/// Time spent waiting for batches: a loader that is too slow for the device.
#[derive(Default)]
struct Waiting {
    /// Seconds of this epoch so far, and those spent waiting.
    seconds: f64,
    waited: f64,
    /// Share of the last whole epoch.
    last: Option<f64>,
}

impl Waiting {
    /// Smaller shares are not shown.
    const SHOWN: f64 = 0.05;

    fn add(&mut self, step: &Step<'_>) {
        self.seconds += step.seconds;
        self.waited += step.waited;
    }

    fn ends_epoch(&mut self) {
        let Self { seconds, waited, .. } = std::mem::take(self);
        self.last = (seconds > 0.0).then_some(waited / seconds);
    }

    /// The share of the last epoch or, in the first, of the time so far, as in `waiting for data 12 %, `.
    fn text(&self) -> String {
        let share = self.last.unwrap_or(self.waited / self.seconds.max(f64::MIN_POSITIVE));
        if share < Self::SHOWN {
            return String::new();
        }
        format!("waiting for data {:.0} %, ", 100.0 * share)
    }
}

impl Progress {
    pub(crate) fn new(experiment: &Experiment, stop: Arc<AtomicBool>) -> Self {
        let interactive = std::io::stderr().is_terminal();
        let bar = if interactive { ProgressBar::new(0) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            let per_second = |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{:.0} images/s", state.per_sec());
            };
            bar.set_style(style.with_key("per_sec", per_second));
        }
        let epochs = experiment.phases.iter().map(|phase| phase.epochs).sum();
        Self {
            loading: Loading::default(),
            bar,
            interactive,
            started: Instant::now(),
            earlier: 0,
            epochs,
            phase_epochs: 0,
            accuracy: None,
            waiting: Waiting::default(),
            directory: None,
            page_written: None,
            stop,
        }
    }

    /// Prints a line, above the bar if there is one.
    fn say(&self, line: &str) {
        if self.interactive {
            self.bar.println(harmless(line));
        } else {
            say(line);
        }
    }

    /// Updates the displayed state from an event.
    fn follow(&mut self, event: &Event) {
        match event {
            Event::RunStarted { class_counts, .. } => {
                self.bar.set_length((class_counts.iter().sum::<usize>() * self.epochs) as u64);
                self.started = Instant::now();
                self.bar.reset_eta();
            }
            Event::PhaseStarted { epochs, .. } => self.phase_epochs = *epochs,
            Event::EpochFinished { .. } => self.waiting.ends_epoch(),
            Event::Evaluated { test_accuracy, .. } => self.accuracy = Some(*test_accuracy),
            _ => {}
        }
    }

    /// Takes over the earlier `events` of the run, which trained on `images` images.
    fn catch_up(&mut self, events: &[Event], images: u64) {
        for event in events {
            self.follow(event);
        }
        self.earlier = images;
        self.bar.set_position(images);
        self.bar.reset_eta();
    }

    /// Writes the page of the run so far, if the last is some seconds old. An error must not end the training; the page of the
    /// finished run reports it.
    fn renew_page(&mut self) {
        const INTERVAL: Duration = Duration::from_secs(10);
        if let Some(directory) = &self.directory
            && self.page_written.is_none_or(|written| written.elapsed() >= INTERVAL)
        {
            let _ = RunReport::write_live_page(directory);
            self.page_written = Some(Instant::now());
        }
    }

    fn time_left(&self) -> HumanDuration {
        let done = self.bar.position().saturating_sub(self.earlier).max(1) as f64;
        let left = self.bar.length().unwrap_or(0) as f64 - self.bar.position() as f64;
        HumanDuration(Duration::from_secs_f64(self.started.elapsed().as_secs_f64() * left.max(0.0) / done))
    }
}

/// Clears the bar, and ends the reloading of the page of a run that stopped early.
impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        if let Some(directory) = &self.directory
            && !directory.join(RunDir::RESULT).exists()
        {
            let _ = RunReport::write_page(directory);
        }
    }
}

impl Observer for Progress {
    fn reads_headers(&mut self, images: usize) {
        self.loading.begins_headers(images);
    }

    fn reads_images(&mut self, images: usize, bytes: u64) {
        self.loading.begins(images, bytes);
    }

    fn images_read(&mut self, images: usize) {
        self.loading.decoded(images);
    }

    fn starts(&mut self, directory: &Path) {
        self.directory = Some(directory.to_owned());
        self.renew_page();
        self.say(&format!("report: {}", directory.join(RunDir::REPORT).display()));
    }

    fn note(&mut self, note: &str) {
        self.say(&format!("note: {note}"));
    }

    fn resumed(&mut self, resumed: &Resumed<'_>) {
        self.catch_up(resumed.events, resumed.images as u64);
        let Resumed { phase, epoch, step, .. } = resumed;
        self.say(&format!("resuming at {phase} {}/{}, after {step} steps", epoch + 1, self.phase_epochs));
    }

    fn continued(&mut self, events: &[Event]) {
        let images = |event: &Event| match event {
            Event::EpochFinished { timing, .. } => (timing.seconds * timing.images_per_second).round() as u64,
            _ => 0,
        };
        self.catch_up(events, events.iter().map(images).sum());
        self.say("reusing the first phases of a finished run");
    }

    fn watches(&mut self, holder: Option<&Holder>, time: Duration) {
        let holder = holder.map_or_else(|| "another process".into(), Holder::to_string);
        self.say(&format!(
            "{holder} may still hold the lock of this run: waiting {} s for a heartbeat",
            time.as_secs()
        ));
    }

    fn passed_over(&mut self, checkpoint: &nc_record::Error) {
        self.say(&format!("{checkpoint}; skipping it for the previous checkpoint, or else the start"));
    }

    fn wants_to_stop(&mut self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn step(&mut self, step: &Step<'_>) {
        self.bar.inc(step.images as u64);
        self.waiting.add(step);
        if self.interactive {
            let Step { phase, epoch, loss, learning_rate, .. } = step;
            let epochs = self.phase_epochs;
            let accuracy = self.accuracy.map(|a| format!("test {} ", percent(a.all))).unwrap_or_default();
            self.bar.set_message(format!(
                "{phase} {}/{epochs} loss {loss:.3} lr {learning_rate:.2e} {accuracy}{}",
                epoch + 1,
                self.waiting.text()
            ));
        }
    }

    fn event(&mut self, event: &Event) {
        self.follow(event);
        if matches!(event, Event::EpochFinished { .. } | Event::Evaluated { .. }) {
            self.renew_page();
        }
        match event {
            Event::RunStarted { name, seed, class_counts, parameters, .. } => {
                let images: usize = class_counts.iter().sum();
                let largest = class_counts.iter().max().unwrap_or(&0);
                let smallest = class_counts.iter().min().unwrap_or(&0);
                self.say(&format!(
                    "{name}, seed {seed}: {images} training images in {} classes of {largest} to {smallest}, \
                     {parameters} parameters",
                    class_counts.len()
                ));
            }
            Event::EpochFinished { phase, epoch, learning_rate, losses, timing, .. } if !self.interactive => {
                let term =
                    |name, value: Option<f64>| value.map(|v| format!(" {name} {v:.3}")).unwrap_or_default();
                self.say(&format!(
                    "{phase} {}/{}: loss {:.3}{}{}{}{}{} lr {learning_rate:.2e}, {:.0} images/s, {}{} left",
                    epoch + 1,
                    self.phase_epochs,
                    losses.total,
                    term("L_W", losses.term("within_class")),
                    term("L_B", losses.term("between_class")),
                    term("diversity", losses.term("diversity")),
                    term("contrast", losses.term("contrast")),
                    term("uniformity", losses.term("uniformity")),
                    timing.images_per_second,
                    self.waiting.text(),
                    self.time_left(),
                ));
            }
            Event::Evaluated { phase, epoch, test_accuracy, classifier, average, .. } => {
                let of = classifier.as_ref().map(|name| format!(" of the {name}")).unwrap_or_default();
                let accuracy = percent(test_accuracy.all);
                let average = average.as_deref().map(|average| percent(average.test_accuracy.all));
                let average = average.map(|share| format!(", of the averaged weights {share}"));
                let average = average.unwrap_or_default();
                self.say(&format!("{phase} {}: test accuracy{of} {accuracy}{average}", epoch + 1));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io, thread};

    use indicatif::{ProgressDrawTarget, TermLike};
    use nc_train::presets;

    use super::*;

    /// A terminal of 100 columns whose output is lost.
    #[derive(Debug)]
    struct Terminal;

    impl TermLike for Terminal {
        fn width(&self) -> u16 {
            100
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, _: &str) -> io::Result<()> {
            Ok(())
        }

        fn write_str(&self, _: &str) -> io::Result<()> {
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    /// With the bar drawn as often as in a terminal; the least of three means, because other processes may interrupt one.
    #[test]
    fn progress_of_a_step_takes_less_than_50_microseconds() {
        let mean = (0..3).map(|_| mean_time_of_a_step()).min().unwrap();
        assert!(mean < Duration::from_micros(50), "{mean:?}");
    }

    fn mean_time_of_a_step() -> Duration {
        let mut progress = Progress::new(&presets::find(presets::DEFAULT).unwrap(), Arc::default());
        progress.interactive = true;
        progress.bar.set_length(1_000_000);
        progress.bar.set_draw_target(ProgressDrawTarget::term_like_with_hz(Box::new(Terminal), 20));
        let mut taken = Duration::ZERO;
        for _ in 0..500 {
            thread::sleep(Duration::from_millis(1));
            let started = Instant::now();
            progress.step(&step(0.001, 0.0));
            taken += started.elapsed();
        }
        taken / 500
    }

    fn step(seconds: f64, waited: f64) -> Step<'static> {
        let (phase, learning_rate) = ("representation", 0.1);
        Step { phase, epoch: 0, step: 1, images: 8, loss: 1.0, learning_rate, seconds, waited }
    }

    #[test]
    fn waiting_is_shown_from_a_twentieth_on() {
        let mut waiting = Waiting::default();
        waiting.add(&step(1.0, 0.2));
        assert_eq!(waiting.text(), "waiting for data 20 %, ");
        waiting.add(&step(1.0, 0.04));
        assert_eq!(waiting.text(), "waiting for data 12 %, ");
        waiting.ends_epoch();
        waiting.add(&step(1.0, 0.9));
        assert_eq!(waiting.text(), "waiting for data 12 %, ", "that of the last epoch");
        waiting.ends_epoch();
        waiting.add(&step(1.0, 0.0));
        waiting.ends_epoch();
        assert_eq!(waiting.text(), "");
    }
}
