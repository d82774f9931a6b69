//! A window by the CUBIC rule (RFC 8312), in multiples of the sender's MTU. A loss takes a fifth of it away. Time
//! without loss brings it back, quickly at first, slowly around the point of the loss, then faster again. The dispatch
//! of congestion controls calls this.

use gannet::time::MonotonicNanos;
use gannet::types::TermLength;

use super::{Decision, Progress, clip_window};
use crate::mailbox::CubicConfig;

/// The CUBIC scaling constant.
const C: f64 = 0.4;
/// The share by which a loss reduces the window.
const B: f64 = 0.2;
/// The initial window, in multiples of the MTU.
const INITIAL_CWND: i32 = 10;
/// The number of round-trip times after which a request for a measurement counts as lost.
const RTT_TIMEOUT_MULTIPLE: i64 = 4;
const NANOS_PER_SECOND: f64 = 1e9;

/// The CUBIC congestion control of an image.
#[derive(Debug)]
pub struct Cubic {
    config: CubicConfig,
    mtu: i32,
    max_window: i32,
    max_cwnd: i32,
    cwnd: i32,
    /// The window at the last loss.
    w_max: i32,
    /// The number of seconds after a loss until the window is back at `w_max`.
    k: f64,
    last_loss: MonotonicNanos,
    last_update: MonotonicNanos,
    rtt_ns: i64,
    /// Whether the round-trip time was measured.
    has_rtt: bool,
    last_rtt_event: MonotonicNanos,
}

impl Cubic {
    /// For a stream with this MTU. `window` is the limit from the channel or the driver.
    pub fn new(config: CubicConfig, window: i32, mtu: i32, term_length: TermLength, now: MonotonicNanos) -> Self {
        let max_window = clip_window(window, term_length);
        let max_cwnd = (max_window / mtu.max(1)).max(1);
        let mut this = Self {
            config,
            mtu,
            max_window,
            max_cwnd,
            cwnd: INITIAL_CWND.min(max_cwnd),
            w_max: max_cwnd,
            k: 0.0,
            last_loss: now,
            last_update: now,
            rtt_ns: config.initial_rtt_ns,
            has_rtt: false,
            last_rtt_event: now,
        };
        this.k = this.seconds_to_w_max();
        this
    }

    /// The last measured round-trip time in nanoseconds. 0 before the first measurement.
    pub(super) fn measured_rtt_ns(&self) -> i64 {
        if self.has_rtt { self.rtt_ns } else { 0 }
    }

    /// The window in bytes. An MTU may be longer than half a term, which senders consider invalid (trap 30).
    pub(super) fn window(&self) -> i32 {
        self.cwnd.saturating_mul(self.mtu).min(self.max_window)
    }

    pub(super) fn max_window(&self) -> i32 {
        self.max_window
    }

    pub(super) fn on_progress(&mut self, now: MonotonicNanos, progress: Progress) -> Decision {
        let mut force = false;
        if progress.loss_found {
            force = true;
            self.w_max = self.cwnd;
            self.k = self.seconds_to_w_max();
            self.cwnd = ((f64::from(self.cwnd) * (1.0 - B)) as i32).max(1);
            self.last_loss = now;
        } else if self.cwnd < self.max_cwnd && self.last_update.saturating_add_ns(self.config.initial_rtt_ns) < now {
            let seconds = now.since(self.last_loss) as f64 / NANOS_PER_SECOND;
            let w_max = f64::from(self.w_max);
            let growth = (C * (seconds - self.k).powi(3)) as i32;
            let mut cwnd = self.w_max.saturating_add(growth).min(self.max_cwnd);
            if self.config.tcp_mode && f64::from(cwnd) < w_max {
                let rtt_seconds = self.rtt_ns.max(1) as f64 / NANOS_PER_SECOND;
                let reno = w_max * (1.0 - B) + (3.0 * B / (2.0 - B)) * (seconds / rtt_seconds);
                cwnd = cwnd.max(reno as i32).min(self.max_cwnd);
            }
            self.cwnd = cwnd.max(1);
            self.last_update = now;
        } else if self.cwnd == 1 && progress.consumed > progress.scheduled {
            force = true;
        }
        Decision { window: self.window(), force }
    }

    pub(super) fn is_rtt_request_due(&mut self, now: MonotonicNanos) -> bool {
        let timeout_ns = self.rtt_ns.max(self.config.initial_rtt_ns).saturating_mul(RTT_TIMEOUT_MULTIPLE);
        let due = self.config.measure_rtt && self.last_rtt_event.saturating_add_ns(timeout_ns) < now;
        if due {
            self.last_rtt_event = now;
        }
        due
    }

    /// Records a measured round-trip time. Nothing was asked if none is measured.
    pub(super) fn on_rtt(&mut self, now: MonotonicNanos, rtt_ns: i64) {
        if !self.config.measure_rtt {
            return;
        }
        self.rtt_ns = rtt_ns.max(0);
        self.has_rtt = true;
        self.last_rtt_event = now;
    }

    fn seconds_to_w_max(&self) -> f64 {
        (f64::from(self.w_max) * B / C).cbrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MTU: i32 = 1408;
    const RTT: i64 = 100_000;
    const TERM: i64 = 1 << 20;

    fn at(ns: i64) -> MonotonicNanos {
        MonotonicNanos::new(ns)
    }

    fn cubic(config: CubicConfig) -> Cubic {
        Cubic::new(config, 128 << 10, MTU, TermLength::new(TERM).unwrap(), at(0))
    }

    fn calm(consumed: i64) -> Progress {
        Progress { consumed, scheduled: 0, loss_found: false }
    }

    const LOSS: Progress = Progress { consumed: 0, scheduled: 0, loss_found: true };

    /// 14080 at first, 105600 one interval later, then up by one MTU at a time.
    #[test]
    fn it_starts_as_the_reference_was_seen_to() {
        let mut cubic = cubic(CubicConfig::default());
        assert_eq!(cubic.window(), 14_080);
        assert_eq!(cubic.on_progress(at(RTT), calm(0)).window, 14_080, "the interval has to pass");
        assert_eq!(cubic.on_progress(at(RTT + 1), calm(0)), Decision { window: 105_600, force: false });
        let mut windows = vec![105_600];
        for now in (2 * RTT..10_000_000_000).step_by(1_000_000) {
            let window = cubic.on_progress(at(now), calm(0)).window;
            if window != *windows.last().unwrap() {
                windows.push(window);
            }
        }
        assert!(windows.windows(2).all(|pair| pair[1] == pair[0] + MTU), "{windows:?}");
        assert_eq!(windows.last(), Some(&(93 * MTU)), "the most that fits 128 KiB");
    }

    #[test]
    fn a_loss_takes_a_fifth_and_forces() {
        let mut cubic = cubic(CubicConfig::default());
        cubic.on_progress(at(RTT + 1), calm(0));
        assert_eq!(cubic.on_progress(at(2 * RTT), LOSS), Decision { window: 60 * MTU, force: true });
        assert_eq!(cubic.on_progress(at(2 * RTT), LOSS).window, 48 * MTU);
        assert_eq!(cubic.w_max, 60);
    }

    #[test]
    fn a_window_of_one_forces_as_soon_as_something_was_read() {
        let mut cubic = cubic(CubicConfig::default());
        for _ in 0..100 {
            cubic.on_progress(at(0), LOSS);
        }
        assert_eq!(cubic.on_progress(at(0), calm(0)), Decision { window: MTU, force: false });
        assert_eq!(cubic.on_progress(at(0), calm(32)), Decision { window: MTU, force: true });
    }

    /// Senders refuse windows of more than half a term, however long their datagrams may be.
    #[test]
    fn the_window_is_at_most_half_a_term() {
        let new = |mtu| Cubic::new(CubicConfig::default(), 128 << 10, mtu, TermLength::MIN, at(0));
        assert_eq!(new(65_504).window(), 32 << 10);
        assert_eq!(new(32 << 10).window(), 32 << 10);
        assert_eq!(new(20_000).window(), 20_000);
    }

    /// Nobody has asked for an answer that comes although nothing is measured.
    #[test]
    fn answers_that_nobody_asked_for_are_ignored() {
        let mut cubic = cubic(CubicConfig { tcp_mode: true, ..CubicConfig::default() });
        cubic.on_rtt(at(5), 1);
        assert_eq!((cubic.measured_rtt_ns(), cubic.rtt_ns), (0, RTT));
    }

    #[test]
    fn in_tcp_mode_the_window_is_at_least_what_tcp_has() {
        let plain = CubicConfig::default();
        let tcp = CubicConfig { tcp_mode: true, ..plain };
        let after_loss = |config, later| {
            let mut cubic = cubic(config);
            cubic.on_progress(at(RTT + 1), calm(0));
            cubic.on_progress(at(2 * RTT), LOSS);
            cubic.on_progress(at(2 * RTT + later), calm(0)).window / MTU
        };
        assert_eq!(after_loss(plain, 20 * RTT), 75 - 14);
        assert_eq!(after_loss(tcp, 20 * RTT), 60 + 6, "0.8 × 75, and a third per round trip");
    }

    #[test]
    fn the_round_trip_is_measured_if_asked_for() {
        assert!(!cubic(CubicConfig::default()).is_rtt_request_due(at(i64::MAX / 2)));
        let mut cubic = cubic(CubicConfig { measure_rtt: true, ..CubicConfig::default() });
        assert!(!cubic.is_rtt_request_due(at(4 * RTT)));
        assert!(cubic.is_rtt_request_due(at(4 * RTT + 1)));
        assert!(!cubic.is_rtt_request_due(at(4 * RTT + 2)), "one is under way");
        cubic.on_rtt(at(500_000), 1_000_000);
        assert!(!cubic.is_rtt_request_due(at(500_000 + 4_000_000)));
        assert!(cubic.is_rtt_request_due(at(500_001 + 4_000_000)));
        cubic.on_rtt(at(0), i64::MIN);
        assert_eq!(cubic.rtt_ns, 0);
    }

    proptest! {
        /// Whatever happens, the window is at least one MTU and at most what was allowed.
        #[test]
        fn the_window_stays_in_bounds(
            steps in prop::collection::vec((0..2_000_000_000_i64, any::<bool>(), 0..1_000_000_i64), 1..200),
            mtu in (2..2047_i32).prop_map(|frames| frames * 32),
            tcp_mode: bool,
        ) {
            let config = CubicConfig { tcp_mode, measure_rtt: true, ..CubicConfig::default() };
            let mut cubic = Cubic::new(config, 128 << 10, mtu, TermLength::new(TERM).unwrap(), at(0));
            let mut now = 0;
            for (pause, loss_found, rtt_ns) in steps {
                now += pause;
                cubic.on_rtt(at(now), rtt_ns);
                let decision = cubic.on_progress(at(now), Progress { consumed: now, scheduled: 0, loss_found });
                prop_assert!((mtu..=128 << 10).contains(&decision.window));
            }
        }
    }
}
