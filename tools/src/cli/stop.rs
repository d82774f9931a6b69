//! The wish to stop, which lets a command finish what it is doing: SIGINT, SIGTERM or SIGHUP, heard as the driver hears them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gannet_driver::signals::StopSignals;

/// Whether the user wants the command to end.
#[derive(Debug, Clone)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Starts to listen for the wish. Before a command connects to its driver, or prints anything: whoever sees either may
    /// rely on it being heard.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let stop = Self(Arc::new(AtomicBool::new(false)));
        let heard = stop.clone();
        StopSignals::watch()?.call(move |_| heard.0.store(true, Ordering::Relaxed))?;
        Ok(stop)
    }

    /// Whether the wish was uttered.
    pub(crate) fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
