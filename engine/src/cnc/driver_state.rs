//! Whether a driver is alive, judged by its heartbeat alone. Process ids are reused, and may belong to other
//! namespaces.

use core::time::Duration;

use crate::time::EpochMillis;

/// What a driver's heartbeat says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverState {
    /// It has not beaten yet: the driver is still starting.
    Starting,
    /// The driver lives.
    Alive {
        /// How long ago it showed that, in milliseconds; negative if clocks disagree.
        age_ms: i64,
    },
    /// The driver has shown no life for longer than the driver timeout: it was killed, or is stopped.
    Silent {
        /// For how long, in milliseconds.
        age_ms: i64,
    },
    /// The driver was shut down in good order.
    ShutDown,
}

impl DriverState {
    /// What a driver stores as its heartbeat when it shuts down.
    pub const SHUT_DOWN_HEARTBEAT: EpochMillis = EpochMillis::new(-1);

    /// Judges a heartbeat. A driver is alive up to and including the timeout.
    pub fn judge(heartbeat: EpochMillis, now: EpochMillis, driver_timeout: Duration) -> Self {
        if heartbeat == Self::SHUT_DOWN_HEARTBEAT {
            return Self::ShutDown;
        }
        if heartbeat.get() == 0 {
            return Self::Starting;
        }
        let age_ms = now.since(heartbeat);
        if u128::try_from(age_ms).is_ok_and(|age| age > driver_timeout.as_millis()) {
            Self::Silent { age_ms }
        } else {
            Self::Alive { age_ms }
        }
    }

    /// Whether the directory is taken: a second driver must not start there.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Alive { .. })
    }
}
