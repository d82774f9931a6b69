//! The clock for coarse stamps. A thread reads the system clock every millisecond and stores the time in a word, which
//! appenders read, because even the kernel's coarse clock takes as long as the rest of a small append. One thread
//! serves all journals of the process.
//!
//! ```text
//!  appender   reads the word; if that is empty, and once in 64 stamps in any case, reads the clock, and notes that it did
//!  thread     each millisecond: clock ──▶ word; if no appender has noted that for long, empties the word and looks less often
//! ```
//!
//! So an appender notices after 64 stamps that the thread gets no processor.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};

use crate::agent::{Backoff, IdleStrategy};
use crate::sync::{AtomicBool, AtomicI64, Ordering};
use crate::time::SystemClock;

/// The interval between two readings of the clock by the thread, in nanoseconds, and the longest interval while no
/// appender stamps.
const TICK_NS: i64 = 1_000_000;
const REST_NS: i64 = 8_000_000;
/// The word is emptied after this many intervals in a row in which no appender read the clock.
const SILENT_LOOKS: u32 = 100;
/// An appender reads the clock itself once in this many stamps.
const STAMPS_PER_READING: u32 = 64;
/// The value of the word while the thread does not maintain it.
const EMPTY: i64 = 0;

/// The clock of this process, if it is in use.
static RUNNING: Mutex<Weak<CoarseClock>> = Mutex::new(Weak::new());

/// A clock that is at most about a millisecond behind. A thread keeps it current while it is in use.
#[derive(Debug)]
pub(crate) struct CoarseClock {
    time: Arc<Time>,
    thread: Option<JoinHandle<()>>,
}

/// An appender's handle to the clock.
#[derive(Debug)]
pub(crate) struct CoarseStamps {
    time: Arc<Time>,
    /// The number of stamps until the appender reads the clock itself.
    left: u32,
    /// Keeps the thread alive.
    _clock: Arc<CoarseClock>,
}

/// The words that the thread and the appenders share. All accesses are relaxed, because no other data depends on the
/// time.
#[derive(Debug, Default)]
struct Time {
    /// Nanoseconds since 1970, or [`EMPTY`].
    now: AtomicI64,
    /// Whether an appender has read the clock since the thread last checked.
    is_wanted: AtomicBool,
    is_over: AtomicBool,
}

impl CoarseClock {
    /// The clock of this process.
    pub(crate) fn of_process() -> Arc<Self> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.upgrade().unwrap_or_else(|| {
            let clock = Arc::new(Self::start());
            *running = Arc::downgrade(&clock);
            clock
        })
    }

    fn start() -> Self {
        let time = Arc::<Time>::default();
        let kept = Arc::clone(&time);
        let thread = thread::Builder::new().name("journal-clock".to_owned()).spawn(move || {
            let mut idle = IdleStrategy::Backoff(Backoff::new(0, 0, TICK_NS, REST_NS));
            let mut silent = SILENT_LOOKS;
            while !kept.is_over.load(Ordering::Relaxed) {
                if kept.tick(&mut silent, read_clock) {
                    idle.reset();
                }
                idle.idle_once();
            }
        });
        // Without the thread the word stays empty, and every stamp reads the clock.
        Self { time, thread: thread.ok() }
    }

    /// Returns a handle for an appender.
    pub(crate) fn stamps(self: Arc<Self>) -> CoarseStamps {
        CoarseStamps { time: Arc::clone(&self.time), left: 0, _clock: self }
    }
}

impl Drop for CoarseClock {
    fn drop(&mut self) {
        self.time.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // The thread does not panic, and there is nobody to report to.
            let _ = thread.join();
        }
    }
}

impl CoarseStamps {
    /// The time in nanoseconds since 1970.
    pub(crate) fn next(&mut self) -> i64 {
        self.next_by(read_clock)
    }

    /// The time in nanoseconds since 1970, if it needs no reading of the clock.
    #[inline(always)]
    pub(crate) fn at_hand(&mut self) -> Option<i64> {
        let left = self.left.checked_sub(1)?;
        let now = self.time.now.load(Ordering::Relaxed);
        if now == EMPTY {
            return None;
        }
        self.left = left;
        Some(now)
    }

    fn next_by(&mut self, clock: impl FnOnce() -> i64) -> i64 {
        self.at_hand().unwrap_or_else(|| self.read(clock))
    }

    /// Reads the clock and marks it as wanted. Also stores the time for other appenders, if the thread maintains the
    /// word.
    #[cold]
    fn read(&mut self, clock: impl FnOnce() -> i64) -> i64 {
        self.left = STAMPS_PER_READING - 1;
        self.time.is_wanted.store(true, Ordering::Relaxed);
        let found = self.time.now.load(Ordering::Relaxed);
        let now = clock();
        if found != EMPTY {
            self.time.replace(found, now);
        }
        now
    }
}

impl Time {
    /// One turn of the thread. `silent` counts the turns in a row without a stamp. Returns false once no appender
    /// stamps any more.
    fn tick(&self, silent: &mut u32, clock: impl FnOnce() -> i64) -> bool {
        let found = self.now.load(Ordering::Relaxed);
        let is_wanted = self.is_wanted.swap(false, Ordering::Relaxed);
        *silent = if is_wanted { 0 } else { (*silent + 1).min(SILENT_LOOKS) };
        let is_kept = *silent < SILENT_LOOKS;
        if is_kept {
            self.replace(found, clock());
        } else {
            self.now.store(EMPTY, Ordering::Relaxed);
        }
        is_kept
    }

    /// Stores a time that was read after `found` was loaded from the word, unless the word has changed since. The other
    /// time may be newer, and an emptied word stays empty.
    fn replace(&self, found: i64, now: i64) {
        let _ = self.now.compare_exchange(found, now, Ordering::Relaxed, Ordering::Relaxed);
    }
}

fn read_clock() -> i64 {
    SystemClock.epoch_nanos_coarse().get()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamps(time: &Arc<Time>) -> CoarseStamps {
        Arc::new(CoarseClock { time: Arc::clone(time), thread: None }).stamps()
    }

    #[test]
    fn after_a_long_silence_nobody_keeps_the_word_and_stamps_are_readings_of_the_clock() {
        let (time, mut silent) = (Arc::default(), SILENT_LOOKS);
        let mut stamps = stamps(&time);
        assert!(!time.tick(&mut silent, || 10));
        assert_eq!([stamps.next_by(|| 11), stamps.next_by(|| 12)], [11, 12]);
        assert!(time.tick(&mut silent, || 13));
        assert_eq!([stamps.next_by(|| 14), stamps.next_by(|| 15)], [13, 13]);
        assert!(time.tick(&mut silent, || 16));
        for now in (17..).take(SILENT_LOOKS as usize - 2) {
            assert!(time.tick(&mut silent, || now));
        }
        assert_eq!(stamps.next_by(|| 1_000), i64::from(SILENT_LOOKS) + 14, "as of the last look");
        stamps.left = 0;
        assert_eq!(stamps.next_by(|| 1_000), 1_000);
        assert!(time.tick(&mut silent, || 1_001) && silent == 0);
        while time.tick(&mut silent, || 1_002) {}
        assert_eq!(stamps.next_by(|| 2_000), 2_000, "no old time is left behind");
    }

    #[test]
    fn a_thread_that_gets_no_processor_is_noticed() {
        let time = Arc::default();
        let mut stamps = stamps(&time);
        assert_eq!(stamps.next_by(|| 1), 1);
        time.tick(&mut 0, || 2);
        let found: Vec<_> = (3..).take(2 * STAMPS_PER_READING as usize).map(|now| stamps.next_by(|| now)).collect();
        let read = found.iter().zip(3..).filter(|&(&found, now)| found == now).count();
        assert_eq!((found[0], read), (2, 2), "{found:?}");
        assert!(found.is_sorted(), "what an appender reads, it and the others see: {found:?}");
    }

    #[test]
    fn an_older_reading_does_not_replace_a_newer_one() {
        let time = Arc::default();
        let (mut one, mut other) = (stamps(&time), stamps(&time));
        assert_eq!(one.next_by(|| 1), 1);
        time.tick(&mut 0, || 2);
        one.left = 0;
        // The thread is interrupted between its reading of the clock and its store.
        time.tick(&mut 0, || one.next_by(|| 7) - 1);
        other.left = 1;
        assert_eq!(other.next_by(|| 8), 7);
        // A clock that is set back is followed.
        time.tick(&mut 0, || 6);
        assert_eq!(one.next_by(|| 9), 6);
        // A word that was emptied meanwhile stays so.
        one.left = 0;
        let emptied = || {
            let mut silent = SILENT_LOOKS;
            assert!(time.tick(&mut silent, || 11) && silent == 0);
            while time.tick(&mut silent, || 12) {}
            13
        };
        assert_eq!(one.next_by(emptied), 13);
        assert_eq!(other.next_by(|| 14), 14);
    }

    #[test]
    fn the_process_has_one_clock_and_it_goes_by_the_wall() {
        let (one, other) = (CoarseClock::of_process(), CoarseClock::of_process());
        assert!(Arc::ptr_eq(&one, &other));
        // Another one, which ends with whoever has it last.
        let mut stamps = Arc::new(CoarseClock::start()).stamps();
        let end = read_clock() + 50_000_000;
        while stamps.next() < end {
            thread::yield_now();
        }
    }
}
