//! Time in the engine: nanoseconds of a monotonic clock for all deadlines, and milliseconds since 1970 for the few
//! words that other processes read. Agents get these values as arguments and read no clock. Only this file and the code
//! that owns a [`Clock`] read the time.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A time on the monotonic clock: nanoseconds since a start that is the same for the whole machine until it reboots.
/// Only comparable with times of the same clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct MonotonicNanos(i64);

/// A time on the wall clock: milliseconds since 1970, UTC. The clock may be set forwards or back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct EpochMillis(i64);

impl MonotonicNanos {
    /// A deadline that is never reached.
    pub const NEVER: Self = Self(i64::MAX);

    /// Wraps a number of nanoseconds.
    #[inline]
    pub const fn new(value_ns: i64) -> Self {
        Self(value_ns)
    }

    /// The number of nanoseconds.
    #[inline]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The time `duration_ns` later. Saturates at [`MonotonicNanos::NEVER`].
    #[inline]
    #[must_use]
    pub const fn saturating_add_ns(self, duration_ns: i64) -> Self {
        Self(self.0.saturating_add(duration_ns))
    }

    /// The number of nanoseconds since `earlier`. Negative if `earlier` is later.
    #[inline]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl EpochMillis {
    /// Wraps a number of milliseconds.
    #[inline]
    pub const fn new(value_ms: i64) -> Self {
        Self(value_ms)
    }

    /// The number of milliseconds.
    #[inline]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The time `duration_ms` later, saturating.
    #[inline]
    #[must_use]
    pub const fn saturating_add_ms(self, duration_ms: i64) -> Self {
        Self(self.0.saturating_add(duration_ms))
    }

    /// The number of milliseconds since `earlier`. Negative if `earlier` is later, or if the clock was set back.
    #[inline]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A time on the wall clock: nanoseconds since 1970, UTC, as in a journal's stamps. The clock may be set forwards or
/// back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct EpochNanos(i64);

impl EpochNanos {
    /// Wraps a number of nanoseconds.
    #[inline]
    pub const fn new(value_ns: i64) -> Self {
        Self(value_ns)
    }

    /// The number of nanoseconds.
    #[inline]
    pub const fn get(self) -> i64 {
        self.0
    }
}

/// A source of time. Agents never have one; the code that runs them does.
pub trait Clock {
    /// The present time on the monotonic clock.
    fn monotonic(&self) -> MonotonicNanos;

    /// The present time on the wall clock.
    fn epoch(&self) -> EpochMillis;
}

impl<C: Clock + ?Sized> Clock for &C {
    #[inline]
    fn monotonic(&self) -> MonotonicNanos {
        (**self).monotonic()
    }

    #[inline]
    fn epoch(&self) -> EpochMillis {
        (**self).epoch()
    }
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    #[inline]
    fn monotonic(&self) -> MonotonicNanos {
        (**self).monotonic()
    }

    #[inline]
    fn epoch(&self) -> EpochMillis {
        (**self).epoch()
    }
}

/// The operating system's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[inline]
    fn monotonic(&self) -> MonotonicNanos {
        let now = clock_now(rustix::time::ClockId::Monotonic);
        MonotonicNanos(now.tv_sec * 1_000_000_000 + now.tv_nsec)
    }

    #[inline]
    fn epoch(&self) -> EpochMillis {
        let now = clock_now(rustix::time::ClockId::Realtime);
        EpochMillis(now.tv_sec * 1_000 + now.tv_nsec / 1_000_000)
    }
}

impl SystemClock {
    /// The present time on the wall clock.
    #[inline]
    pub fn epoch_nanos(&self) -> EpochNanos {
        let now = clock_now(rustix::time::ClockId::Realtime);
        EpochNanos(now.tv_sec * 1_000_000_000 + now.tv_nsec)
    }

    /// The wall clock at the kernel's last tick, at most 1 to 4 ms ago. Costs a fifth of reading the exact time, or
    /// less.
    #[inline]
    pub fn epoch_nanos_coarse(&self) -> EpochNanos {
        let now = clock_now(rustix::time::ClockId::RealtimeCoarse);
        EpochNanos(now.tv_sec * 1_000_000_000 + now.tv_nsec)
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the clocks")]
#[inline]
fn clock_now(id: rustix::time::ClockId) -> rustix::time::Timespec {
    rustix::time::clock_gettime(id)
}

/// A clock that only advances when told to, for tests and simulations. Threads can share it by reference.
#[derive(Debug, Default)]
pub struct ManualClock {
    now: Mutex<ManualTime>,
}

#[derive(Clone, Copy, Debug, Default)]
struct ManualTime {
    monotonic_ns: i64,
    /// In nanoseconds, so that small steps add up.
    epoch_ns: i64,
}

impl ManualClock {
    /// A clock with these times.
    pub const fn new(monotonic: MonotonicNanos, epoch: EpochMillis) -> Self {
        let epoch_ns = epoch.0.saturating_mul(1_000_000);
        Self { now: Mutex::new(ManualTime { monotonic_ns: monotonic.0, epoch_ns }) }
    }

    /// Advances both clocks. Returns the new time.
    ///
    /// # Panics
    ///
    /// If the duration is negative, because a monotonic clock does not go back.
    pub fn advance_ns(&self, duration_ns: i64) -> MonotonicNanos {
        assert!(duration_ns >= 0, "a monotonic clock cannot go back by {duration_ns} ns");
        let mut now = self.lock();
        now.monotonic_ns = now.monotonic_ns.saturating_add(duration_ns);
        now.epoch_ns = now.epoch_ns.saturating_add(duration_ns);
        MonotonicNanos(now.monotonic_ns)
    }

    /// Sets the wall clock forwards or back, as an operator or a time daemon may at any moment.
    pub fn step_epoch_ms(&self, step_ms: i64) -> EpochMillis {
        let mut now = self.lock();
        now.epoch_ns = now.epoch_ns.saturating_add(step_ms.saturating_mul(1_000_000));
        now.epoch()
    }

    fn lock(&self) -> MutexGuard<'_, ManualTime> {
        // A panic cannot leave the two numbers in an inconsistent state that matters.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ManualTime {
    const fn epoch(self) -> EpochMillis {
        EpochMillis(self.epoch_ns.div_euclid(1_000_000))
    }
}

impl Clock for ManualClock {
    fn monotonic(&self) -> MonotonicNanos {
        MonotonicNanos(self.lock().monotonic_ns)
    }

    fn epoch(&self) -> EpochMillis {
        self.lock().epoch()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_saturate() {
        let now = MonotonicNanos::new(5);
        assert_eq!(now.saturating_add_ns(i64::MAX), MonotonicNanos::NEVER);
        assert_eq!(now.since(MonotonicNanos::new(3)), 2);
        assert_eq!(MonotonicNanos::new(i64::MIN).since(now), i64::MIN);
        assert_eq!(EpochMillis::new(1).saturating_add_ms(2).since(EpochMillis::new(10)), -7);
    }

    #[test]
    fn the_system_clock_goes_forwards_and_is_of_this_century() {
        let (first, second) = (SystemClock.monotonic(), SystemClock.monotonic());
        assert!(second >= first);
        let year_2020 = EpochMillis::new(1_577_836_800_000);
        let year_2100 = EpochMillis::new(4_102_444_800_000);
        assert!((year_2020..year_2100).contains(&SystemClock.epoch()));
        let before = SystemClock.epoch_nanos();
        let (coarse, precise) = (SystemClock.epoch_nanos_coarse(), SystemClock.epoch_nanos());
        assert!(coarse <= precise && precise.get() / 1_000_000 <= SystemClock.epoch().get());
        assert!(before.get() - coarse.get() < 10_000_000_000, "the tick before, however slow the machine");
    }

    #[test]
    fn a_manual_clock_moves_by_hand_only() {
        let clock = ManualClock::new(MonotonicNanos::new(100), EpochMillis::new(7));
        assert_eq!((clock.monotonic().get(), clock.epoch().get()), (100, 7));
        for _ in 0..4 {
            clock.advance_ns(250_000);
        }
        assert_eq!((clock.monotonic().get(), clock.epoch().get()), (1_000_100, 8));
        assert_eq!(clock.step_epoch_ms(-10).get(), -2);
        assert_eq!(clock.monotonic().get(), 1_000_100, "the wall clock steps alone");
    }
}
