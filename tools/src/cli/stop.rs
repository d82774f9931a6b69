//! The user's request to stop, which lets a command finish its current work: SIGINT, SIGTERM or SIGHUP, handled as in
//! the driver.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gannet_driver::signals::StopSignals;

/// Whether the user has asked the command to end. One that does not [`listen`](Self::listen) never hears of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Starts to listen for the request. Call it before a command connects to its driver or prints anything, so that a
    /// request is heard from then on.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let stop = Self::default();
        let heard = stop.clone();
        StopSignals::watch()?.call(move |_| heard.0.store(true, Ordering::Relaxed))?;
        Ok(stop)
    }

    /// Whether the user has asked to stop.
    pub(crate) fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
