//! The common beat of periodic traffic. Sender and receiver round times up to it, so that the datagrams of a thousand
//! streams leave together, and arrive together. It is never used for traffic that somebody waits for.

use gannet::time::MonotonicNanos;

/// The interval of the beat in nanoseconds: a twentieth of the interval of heartbeats.
const BEAT_NS: i64 = 5_000_000;

/// The first beat at or after this time.
pub fn next_beat(at: MonotonicNanos) -> MonotonicNanos {
    let into_beat = at.get().rem_euclid(BEAT_NS);
    if into_beat == 0 { at } else { at.saturating_add_ns(BEAT_NS - into_beat) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_move_to_the_next_beat() {
        let beat = |ns| next_beat(MonotonicNanos::new(ns)).get();
        assert_eq!([0, 1, BEAT_NS - 1, BEAT_NS, BEAT_NS + 1].map(beat), [0, BEAT_NS, BEAT_NS, BEAT_NS, 2 * BEAT_NS]);
        assert_eq!([-1, -BEAT_NS, -BEAT_NS - 1].map(beat), [0, -BEAT_NS, -BEAT_NS]);
        assert_eq!(beat(i64::MAX), i64::MAX, "never");
        assert!(beat(i64::MIN) < -BEAT_NS, "at once");
    }
}
