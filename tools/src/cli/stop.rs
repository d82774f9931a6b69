//! The wish to stop: SIGINT and SIGTERM let a command finish what it is doing; a second one, later, ends it at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use signal_hook::consts::TERM_SIGNALS;
use signal_hook::iterator::Signals;
use signal_hook::low_level::exit;

/// Signals that come so soon after the first are one wish with it: `timeout` sends every signal twice, to the process and to its group.
const TOGETHER: Duration = Duration::from_millis(500);

/// Whether the user wants the command to end.
#[derive(Debug, Clone)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Starts to listen for the wish. Before a command connects to its driver, or prints anything: whoever sees either may
    /// rely on it being heard.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let stop = Self(Arc::new(AtomicBool::new(false)));
        let mut signals = Signals::new(TERM_SIGNALS)?;
        let heard = stop.clone();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let mut first = None;
            for _ in signals.forever() {
                if is_uttered_again(&mut first, Instant::now()) {
                    exit(130);
                }
                heard.0.store(true, Ordering::Relaxed);
            }
        })?;
        Ok(stop)
    }

    /// Whether the wish was uttered.
    pub(crate) fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Notes a signal, and says whether the wish was uttered before.
fn is_uttered_again(first: &mut Option<Instant>, now: Instant) -> bool {
    now.saturating_duration_since(*first.get_or_insert(now)) >= TOGETHER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_is_sent_twice_at_once_is_one_wish() {
        let (mut first, start) = (None, Instant::now());
        let millis = [0, 0, 1, 499, 500, 60_000];
        let again = millis.map(|ms| is_uttered_again(&mut first, start + Duration::from_millis(ms)));
        assert_eq!(again, [false, false, false, false, true, true]);
    }
}
