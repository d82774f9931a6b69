//! What the receiver knows about an idle image, so that it need not look at the image. It may have thousands of them.

use gannet::time::MonotonicNanos;

/// A deadline that has always passed.
pub(super) const AT_ONCE: MonotonicNanos = MonotonicNanos::new(i64::MIN);

/// How long an image needs no turn, if nothing arrives for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rest {
    pub(super) reads: i64,
    pub(super) until: MonotonicNanos,
}

impl Rest {
    /// No rest: the image needs a turn.
    pub(super) const OVER: Self = Self { reads: i64::MIN, until: AT_ONCE };
    /// An endless rest, where there is no image.
    pub(super) const FOR_EVER: Self = Self { reads: i64::MAX, until: MonotonicNanos::NEVER };

    /// More data has arrived, and nothing is missing, so there is nothing to do until subscribers have read beyond
    /// `reads`.
    #[inline]
    pub(super) fn on_more(&mut self, reads: i64) {
        if self.reads == i64::MAX {
            self.reads = reads;
        }
    }

    /// Whether the image still rests, if nothing has arrived. `consumed` returns the subscribers' position.
    #[inline]
    pub(super) fn lasts(&self, now: MonotonicNanos, consumed: impl FnOnce() -> i64) -> bool {
        // The two are in different cache lines.
        now < self.until && (self.reads == i64::MAX || consumed() <= self.reads)
    }
}
