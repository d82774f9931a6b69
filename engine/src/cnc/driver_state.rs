//! Whether a driver is alive, judged by one look at its heartbeat alone. Process ids are reused, and may belong to other
//! namespaces.

use core::time::Duration;

use crate::time::EpochMillis;

/// The state of a driver according to its heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverState {
    /// The driver has not stored a heartbeat yet: it is still starting.
    Starting,
    /// The driver is alive.
    Alive {
        /// The age of the heartbeat in milliseconds. Negative if clocks disagree.
        age_ms: i64,
    },
    /// The heartbeat is further in the future than the driver timeout, because the wall clock was set back. The driver is
    /// alive if it soon stores another: see [`DriverWatch`](super::DriverWatch), for which a second is far enough.
    Ahead {
        /// How far in the future the heartbeat is, or was when it was first seen, in milliseconds.
        ahead_ms: i64,
    },
    /// The heartbeat is older than the driver timeout: the driver was killed or is suspended.
    Silent {
        /// The age of the heartbeat in milliseconds, or for how long it was seen not to change.
        age_ms: i64,
    },
    /// The driver was shut down cleanly.
    ShutDown,
}

impl DriverState {
    /// The heartbeat that a driver stores when it shuts down.
    pub const SHUT_DOWN_HEARTBEAT: EpochMillis = EpochMillis::new(-1);

    /// Determines the state from a heartbeat. A driver is alive if the heartbeat's age is at most the timeout, and if the
    /// heartbeat is no further than that in the future.
    pub fn judge(heartbeat: EpochMillis, now: EpochMillis, driver_timeout: Duration) -> Self {
        if heartbeat == Self::SHUT_DOWN_HEARTBEAT {
            return Self::ShutDown;
        }
        if heartbeat.get() == 0 {
            return Self::Starting;
        }
        let age_ms = now.since(heartbeat);
        if u128::from(age_ms.unsigned_abs()) <= driver_timeout.as_millis() {
            Self::Alive { age_ms }
        } else if age_ms > 0 {
            Self::Silent { age_ms }
        } else {
            Self::Ahead { ahead_ms: age_ms.saturating_neg() }
        }
    }

    /// Whether the directory is in use, or may be, so that a second driver must not start there.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Alive { .. } | Self::Ahead { .. })
    }
}
