//! The size of a receiver's window. The receiver owns one per image and asks it while it tracks the image. It never
//! touches the log and reads no clock. It is an enum, because the set is closed and it is asked on every duty cycle.

mod cubic;
mod static_window;

pub use cubic::Cubic;
pub use static_window::StaticWindow;

use gannet::time::MonotonicNanos;
use gannet::types::TermLength;

use crate::mailbox::CongestionRules;

/// What is known as an image is tracked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Where the slowest subscriber is.
    pub consumed: i64,
    /// The position of the status message that was scheduled last.
    pub scheduled: i64,
    /// A loss was found just now.
    pub loss_found: bool,
}

/// What the next status message is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The window in bytes.
    pub window: i32,
    /// Whether it is to go out whatever has been read.
    pub force: bool,
}

/// The congestion control of one image.
#[derive(Debug)]
pub enum CongestionControl {
    /// Always the same window.
    Static(StaticWindow),
    /// A window that grows and shrinks.
    Cubic(Cubic),
}

impl CongestionControl {
    /// That which the rules give, for a stream of a sender with this MTU.
    pub fn new(rules: CongestionRules, mtu: i32, term_length: TermLength, now: MonotonicNanos) -> Self {
        match rules {
            CongestionRules::Static(window) => Self::Static(StaticWindow::new(window, term_length)),
            CongestionRules::Cubic(config, window) => Self::Cubic(Cubic::new(config, window, mtu, term_length, now)),
        }
    }

    /// The window that the image starts with.
    pub fn initial_window(&self) -> i32 {
        match self {
            Self::Static(window) => window.get(),
            Self::Cubic(cubic) => cubic.window(),
        }
    }

    /// The largest window that it will ever have.
    pub fn max_window(&self) -> i32 {
        match self {
            Self::Static(window) => window.get(),
            Self::Cubic(cubic) => cubic.max_window(),
        }
    }

    /// The image was tracked.
    pub fn on_progress(&mut self, now: MonotonicNanos, progress: Progress) -> Decision {
        match self {
            Self::Static(window) => Decision { window: window.get(), force: false },
            Self::Cubic(cubic) => cubic.on_progress(now, progress),
        }
    }

    /// The round trip as it was measured last, in nanoseconds; 0 until then, and where it never is.
    pub fn rtt_ns(&self) -> i64 {
        match self {
            Self::Static(_) => 0,
            Self::Cubic(cubic) => cubic.measured_rtt_ns(),
        }
    }

    /// Whether the round trip is to be measured now. Whoever is told so sends a request.
    pub fn is_rtt_request_due(&mut self, now: MonotonicNanos) -> bool {
        match self {
            Self::Static(_) => false,
            Self::Cubic(cubic) => cubic.is_rtt_request_due(now),
        }
    }

    /// A round trip was measured.
    pub fn on_rtt(&mut self, now: MonotonicNanos, rtt_ns: i64) {
        match self {
            Self::Static(_) => {}
            Self::Cubic(cubic) => cubic.on_rtt(now, rtt_ns),
        }
    }
}

/// The largest window that a stream with this term length may have: more than half a term is taken for a lie (trap 30).
pub const fn clip_window(window: i32, term_length: TermLength) -> i32 {
    let half = term_length.get() / 2;
    if window < half { window } else { half }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trap 30: a window of more than half a term is an invalid packet at the sender.
    #[test]
    fn trap_30_windows_are_clipped_to_half_a_term() {
        assert_eq!(clip_window(128 << 10, TermLength::MIN), 32 << 10);
        assert_eq!(clip_window(128 << 10, TermLength::new(1 << 20).unwrap()), 128 << 10);
        assert_eq!(clip_window(8 << 10, TermLength::MIN), 8 << 10);
    }
}
