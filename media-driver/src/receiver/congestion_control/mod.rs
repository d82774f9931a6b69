//! The size of a receiver's window. The receiver owns one per image and asks it while it tracks the image. It never
//! touches the log and reads no clock. It is an enum, because the set is closed and it is asked on every duty cycle.

mod cubic;
mod static_window;

pub use cubic::Cubic;
pub use static_window::StaticWindow;

use gannet::time::MonotonicNanos;
use gannet::types::TermLength;

use crate::mailbox::CongestionRules;

/// The state of an image for the congestion control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The position of the slowest subscriber.
    pub consumed: i64,
    /// The position of the status message that was last scheduled.
    pub scheduled: i64,
    /// Whether a loss was just detected.
    pub loss_found: bool,
}

/// What the next status message contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The window in bytes.
    pub window: i32,
    /// Whether to send it regardless of the consumed position.
    pub force: bool,
}

/// The congestion control of an image.
#[derive(Debug)]
pub enum CongestionControl {
    /// A fixed window.
    Static(StaticWindow),
    /// The CUBIC algorithm.
    Cubic(Cubic),
}

impl CongestionControl {
    /// The congestion control according to the rules, for a stream with this MTU.
    pub fn new(rules: CongestionRules, mtu: i32, term_length: TermLength, now: MonotonicNanos) -> Self {
        match rules {
            CongestionRules::Static(window) => Self::Static(StaticWindow::new(window, term_length)),
            CongestionRules::Cubic(config, window) => Self::Cubic(Cubic::new(config, window, mtu, term_length, now)),
        }
    }

    /// The initial window of the image.
    pub fn initial_window(&self) -> i32 {
        match self {
            Self::Static(window) => window.get(),
            Self::Cubic(cubic) => cubic.window(),
        }
    }

    /// The maximum window of the image.
    pub fn max_window(&self) -> i32 {
        match self {
            Self::Static(window) => window.get(),
            Self::Cubic(cubic) => cubic.max_window(),
        }
    }

    /// Updates the window according to the state of the image.
    pub fn on_progress(&mut self, now: MonotonicNanos, progress: Progress) -> Decision {
        match self {
            Self::Static(window) => Decision { window: window.get(), force: false },
            Self::Cubic(cubic) => cubic.on_progress(now, progress),
        }
    }

    /// The last measured round-trip time in nanoseconds. 0 before the first measurement, or if it is never measured.
    pub fn rtt_ns(&self) -> i64 {
        match self {
            Self::Static(_) => 0,
            Self::Cubic(cubic) => cubic.measured_rtt_ns(),
        }
    }

    /// Whether to send a request for a round-trip measurement now.
    pub fn is_rtt_request_due(&mut self, now: MonotonicNanos) -> bool {
        match self {
            Self::Static(_) => false,
            Self::Cubic(cubic) => cubic.is_rtt_request_due(now),
        }
    }

    /// Records a measured round-trip time.
    pub fn on_rtt(&mut self, now: MonotonicNanos, rtt_ns: i64) {
        match self {
            Self::Static(_) => {}
            Self::Cubic(cubic) => cubic.on_rtt(now, rtt_ns),
        }
    }
}

/// The maximum window for a stream with this term length. Senders consider more than half a term invalid (trap 30).
pub const fn clip_window(window: i32, term_length: TermLength) -> i32 {
    let half = term_length.get() / 2;
    if window < half { window } else { half }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trap 30: a window of more than half a term is an invalid packet at the sender.
    #[test]
    fn wire_trap_30_windows_are_clipped_to_half_a_term() {
        assert_eq!(clip_window(128 << 10, TermLength::MIN), 32 << 10);
        assert_eq!(clip_window(128 << 10, TermLength::new(1 << 20).unwrap()), 128 << 10);
        assert_eq!(clip_window(8 << 10, TermLength::MIN), 8 << 10);
    }
}
