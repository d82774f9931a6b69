//! What every measurement uses: the schedule, the two ends, the loops that run them, and the output of results.

pub mod child;
pub mod cores;
pub mod echo;
pub mod environment;
pub mod histogram;
pub mod html;
pub mod measurement;
pub(crate) mod medians;
pub mod one_thread;
mod over;
pub mod schedule;
pub mod throughput;
pub mod transceiver;

/// Why a measurement failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RigError {
    /// A system could not be opened, or failed.
    #[error("{system}: {action}")]
    System {
        /// The system's name.
        system: String,
        /// What was attempted.
        action: String,
        /// The system's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Messages stopped arriving.
    #[error("{system}: {received} of {sent} messages arrived, and none for {patience_ms} ms")]
    Stalled {
        /// The system's name.
        system: String,
        /// Messages sent.
        sent: u64,
        /// Messages received.
        received: u64,
        /// How long the rig waited for the next one, in milliseconds.
        patience_ms: u64,
    },
    /// A message arrived out of order.
    #[error("{system}: message {found} arrived where {expected} was due")]
    OutOfOrder {
        /// The system's name.
        system: String,
        /// The number of the expected message.
        expected: u64,
        /// The number of the message that arrived.
        found: u64,
    },
    /// The run was ended before everything was measured.
    #[error("stopped before everything was measured")]
    Stopped,
    /// A report could not be written.
    #[error("cannot write {path}")]
    Report {
        /// The path of the file.
        path: std::path::PathBuf,
        /// The error of the operating system.
        #[source]
        source: std::io::Error,
    },
}

impl RigError {
    /// Creates a [`RigError::System`].
    pub fn system(
        system: impl Into<String>,
        action: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::System { system: system.into(), action: action.into(), source: source.into() }
    }
}
