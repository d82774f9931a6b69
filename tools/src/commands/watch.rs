//! Showing something again and again until the user has seen enough. Called by the commands with `--watch`.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::cli::{Output, Stop};
use crate::inspect::Driver;

/// How long a wish to stop may go unnoticed.
const ATTENTION: Duration = Duration::from_millis(50);

/// Shows the driver in `dir` once, or every `interval` until the user wants to stop.
pub(super) fn show(
    dir: &Path,
    interval: Option<Duration>,
    out: &mut Output,
    mut once: impl FnMut(&Driver, &mut Output) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let Some(interval) = interval else { return once(&Driver::open(dir)?, out) };
    let stop = Stop::listen()?;
    let mut driver = Driver::open(dir)?;
    loop {
        out.clear_screen()?;
        once(&driver, out)?;
        out.flush()?;
        if !pause(interval, &stop) {
            return Ok(());
        }
        driver.refresh();
    }
}

/// Sleeps; false as soon as the user wants to stop.
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
