//! The wish to stop: SIGINT and SIGTERM let a command finish what it is doing; a second one, later, ends it at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gannet::time::{Clock, SystemClock};
use gannet_driver::StopWish;
use signal_hook::consts::TERM_SIGNALS;
use signal_hook::iterator::Signals;
use signal_hook::low_level::exit;

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
            let mut wish = StopWish::default();
            for _ in signals.forever() {
                if wish.is_uttered_again(SystemClock.monotonic()) {
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
