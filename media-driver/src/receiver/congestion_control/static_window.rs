//! A window that never changes. The dispatch of congestion controls calls this.

use gannet::types::TermLength;

use super::clip_window;

/// The window in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticWindow(i32);

impl StaticWindow {
    /// The window of the channel or the driver, limited to half a term.
    pub const fn new(window: i32, term_length: TermLength) -> Self {
        Self(clip_window(window, term_length))
    }

    /// The window in bytes.
    pub const fn get(self) -> i32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::congestion_control::{CongestionControl, Decision, Progress};
    use gannet::time::MonotonicNanos;

    #[test]
    fn it_never_changes_and_never_forces() {
        let term = TermLength::new(1 << 20).unwrap();
        let mut control = CongestionControl::Static(StaticWindow::new(128 << 10, term));
        assert_eq!((control.initial_window(), control.max_window()), (128 << 10, 128 << 10));
        for now in 0..3 {
            let progress = Progress { consumed: now * 64, scheduled: 0, loss_found: now == 1 };
            let decision = control.on_progress(MonotonicNanos::new(now), progress);
            assert_eq!(decision, Decision { window: 128 << 10, force: false });
        }
        assert!(!control.is_rtt_request_due(MonotonicNanos::new(i64::MAX)));
    }
}
