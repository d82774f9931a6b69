//! The wish to stop: SIGINT and SIGTERM let a command finish what it is doing; a second one ends it at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::TERM_SIGNALS;
use signal_hook::flag;

/// Whether the user wants the command to end.
#[derive(Debug, Clone)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Starts to listen for the wish. Before a command connects to its driver, or prints anything: whoever sees either may
    /// rely on it being heard.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let wish = Arc::new(AtomicBool::new(false));
        for signal in TERM_SIGNALS {
            // In this order: the first signal finds the wish unset and sets it, the second finds it set.
            flag::register_conditional_shutdown(*signal, 130, Arc::clone(&wish))?;
            flag::register(*signal, Arc::clone(&wish))?;
        }
        Ok(Self(wish))
    }

    /// Whether the wish was uttered.
    pub(crate) fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
