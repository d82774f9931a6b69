//! Repeats output until the user stops it. Used by the commands with `--watch`.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::cli::{Outcome, Output, Stop, positive_duration};
use crate::inspect::Driver;

/// The longest time until a request to stop is noticed.
const ATTENTION: Duration = Duration::from_millis(50);

/// Whether something is shown once or again and again.
#[derive(Debug, clap::Args)]
pub(super) struct Watch {
    /// Repeat at this interval until stopped
    #[arg(long, value_name = "INTERVAL", value_parser = positive_duration, num_args = 0..=1, default_missing_value = "1s")]
    watch: Option<Duration>,
}

impl Watch {
    /// Shows the driver in `dir` once, or at the interval until the user wants to stop.
    pub(super) fn show(
        &self,
        dir: &Path,
        out: &mut Output,
        mut once: impl FnMut(&Driver, &mut Output) -> Outcome,
    ) -> Outcome {
        let Some(interval) = self.watch else { return once(&Driver::open(dir)?, out) };
        let stop = Stop::listen()?;
        let mut driver = Driver::open(dir)?;
        loop {
            out.clear_screen()?;
            once(&driver, out)?;
            out.flush()?;
            if !pause(interval, &stop) {
                return Ok(());
            }
            driver.refresh()?;
        }
    }
}

/// Sleeps. Returns false as soon as the user wants to stop.
pub(super) fn pause(duration: Duration, stop: &Stop) -> bool {
    let deadline = Instant::now() + duration;
    while !stop.is_wanted() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        std::thread::sleep(left.min(ATTENTION));
    }
    false
}
