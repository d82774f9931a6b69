//! The doorbell: how a publisher wakes a subscriber that fell asleep over an empty log, at no cost while nobody sleeps.
//!
//! ```text
//!  log metadata, offset 512:  waiters, a bit per bell      CnC header, bytes 64..128:  16 bells, a counter each
//!
//!  publisher                                  subscriber that finds nothing
//!  commit a frame                             note its bell's count
//!  light barrier  (no instruction)            set its bell's bit in the waiters of each of its logs
//!  any waiters? ── usually none               heavy barrier  (a system call)
//!     └─ some: clear all their bits,          a frame after all? then read it
//!        count their bells up, wake           else sleep while the bell's count is unchanged
//! ```
//!
//! Each side stores and then looks. Without a barrier between the two on both sides, both may look too early, and the
//! wake-up is lost. The heavy barrier also takes effect on the publisher's processor, so the publisher needs none of
//! its own: it pays for one load of a line that nobody else touches. Aeron's publishers never ring, so a sleep is
//! always bounded. `docs/decisions/0002-doorbell.md` has the reasons.
//!
//! Publishers call [`Doorbell`], subscribers [`Bell`]. A waiter that dies leaves at most one bit, which the next ring
//! takes.

#[cfg(not(engine_loom))]
use core::time::Duration;

use crate::memory::{AtomicBuffer, Field, OwnedWord};

use super::LogBuffers;
use super::parameters::LogKind;

/// The number of bells. Subscribers that share a bell are all woken when it rings.
const BELLS: usize = 16;
/// The offset of the bells in the header of the CnC file. Aeron only uses the header's first 52 bytes.
const FIRST_BELL: usize = 64;
/// The bits of a waiters word that stand for bells. Another process may have set other bits.
const ALL_BELLS: i32 = (1 << BELLS) - 1;

#[cfg(not(engine_loom))]
/// The shortest and the longest sleep if publishers may not ring. This is the delay of a message from an Aeron
/// publisher.
const UNCERTAIN_SLEEP: [Duration; 2] = [Duration::from_micros(50), Duration::from_millis(1)];
#[cfg(not(engine_loom))]
/// The longest sleep if all publishers ring. Covers a publisher that dies between committing and ringing.
const CERTAIN_SLEEP: Duration = Duration::from_millis(50);

/// A log's doorbell.
#[derive(Clone, Debug)]
pub struct Doorbell {
    waiters: OwnedWord<i32>,
    all_ring: OwnedWord<i32>,
    bells: AtomicBuffer,
    /// Whether the publisher must execute a full barrier itself.
    full_barrier: bool,
}

/// The bell on which a subscriber sleeps.
#[derive(Clone, Debug)]
pub struct Bell {
    word: OwnedWord<i32>,
    bit: i32,
}

/// The state that a subscriber recorded before its last look.
#[derive(Clone, Copy, Debug)]
pub struct Drowsy {
    count: i32,
    #[cfg_attr(engine_loom, allow(dead_code, reason = "a model's subscriber never sleeps"))]
    certain: bool,
}

impl Doorbell {
    /// The doorbell of `log`. `cnc_header` is the header of its driver's CnC file, which contains the bells.
    pub fn of_log(log: &LogBuffers, cnc_header: &AtomicBuffer) -> Self {
        let (waiters, all_ring) = log.metadata().doorbell();
        Self::new(waiters, all_ring, cnc_header.clone())
    }

    /// A doorbell with these words. `bells` has the layout of the CnC header.
    pub fn new(waiters: OwnedWord<i32>, all_ring: OwnedWord<i32>, bells: AtomicBuffer) -> Self {
        assert!(bells.len() >= FIRST_BELL + BELLS * size_of::<i32>(), "room for the bells");
        Self { waiters, all_ring, bells, full_barrier: !barrier::allow_light() }
    }

    /// Declares that this log has only publishers that ring, if `kind` implies that there is only one publisher.
    pub fn promise_to_ring(&self, kind: LogKind) {
        if kind == LogKind::Exclusive {
            self.all_ring.store_relaxed(1);
        }
    }

    /// Wakes all subscribers that sleep over this log. Call it after each commit.
    #[inline(always)]
    pub fn after_commit(&self) {
        // ORDERING(doorbell.asleep): light barrier, after the Release store that commits the frame. Pairs with the heavy barrier
        // in `Bell::doze`: either this load sees the waiter's bit, or the waiter's last look sees the frame.
        barrier::light(self.full_barrier);
        if self.waiters.load_relaxed() != 0 {
            self.ring();
        }
    }

    /// Wakes all waiters. One publisher rings for each bit. A waiter sets its bit again before it sleeps again.
    #[cold]
    fn ring(&self) {
        let mut waiters = self.waiters.load_relaxed();
        // ORDERING(doorbell.asleep): AcqRel exchange. Pairs with the exchange in `Bell::doze`; the bell was read before its bit
        // was set, so counting it up below ends that sleep or prevents it.
        while let Err(found) = self.waiters.compare_exchange(waiters, 0) {
            waiters = found;
        }
        for index in (0..BELLS).filter(|index| waiters & ALL_BELLS & (1 << index) != 0) {
            Bell::at(&self.bells, index).ring();
        }
    }
}

impl Bell {
    /// The bell of the subscriber with this number. `cnc_header` is the header of its driver's CnC file.
    pub fn new(cnc_header: &AtomicBuffer, number: i64) -> Self {
        Self::at(cnc_header, number.rem_euclid(BELLS as i64) as usize)
    }

    fn at(cnc_header: &AtomicBuffer, index: usize) -> Self {
        let word = cnc_header.own(Field::at(FIRST_BELL + index * size_of::<i32>()));
        Self { word, bit: 1 << index }
    }

    /// Announces that the subscriber is about to sleep over these logs. It must check for frames once more after this,
    /// and then either read them or call [`sleep`](Self::sleep).
    pub fn doze<'a>(&self, logs: impl IntoIterator<Item = &'a Doorbell>) -> Drowsy {
        // ORDERING(doorbell.rung): Acquire. Pairs with the addition in `ring`; a ring after this load ends the sleep.
        let count = self.word.load_acquire();
        let mut certain = true;
        for log in logs {
            let mut waiters = log.waiters.load_relaxed();
            // ORDERING(doorbell.asleep): AcqRel exchange. Pairs with the load in `after_commit` and the exchange in
            // `Doorbell::ring`.
            while let Err(found) = log.waiters.compare_exchange(waiters, waiters | self.bit) {
                waiters = found;
            }
            certain &= log.all_ring.load_relaxed() == 1;
        }
        // ORDERING(doorbell.asleep): heavy barrier. Pairs with the light barrier in `after_commit`.
        certain &= barrier::heavy();
        Drowsy { count, certain }
    }

    /// Whether the bell has rung since `since`.
    pub fn was_rung(&self, since: Drowsy) -> bool {
        // ORDERING(doorbell.rung): Acquire. Pairs with the addition in `ring`.
        self.word.load_acquire() != since.count
    }

    /// Sleeps until the bell rings, at most for `longest`, and for a shorter time if publishers may not ring. `turn`
    /// counts the sleeps since the last message; they become longer.
    #[cfg(not(engine_loom))]
    pub fn sleep(&self, since: Drowsy, turn: u32, longest: Duration) {
        let bound = if since.certain {
            CERTAIN_SLEEP
        } else {
            let [least, most] = UNCERTAIN_SLEEP;
            least.saturating_mul(1 << turn.min(16)).min(most)
        };
        self.word.sleep_while(since.count, longest.min(bound));
    }

    /// Wakes all subscribers that sleep on this bell or are about to.
    pub fn ring(&self) {
        // ORDERING(doorbell.rung): AcqRel addition. Pairs with the loads in `doze` and `was_rung`, and with the
        // kernel's own load of the word before it suspends a thread.
        self.word.fetch_add(1);
        #[cfg(not(engine_loom))]
        self.word.wake_all();
    }
}

/// The pair of barriers. Loom has no one-sided barriers, so a model has a full barrier on both sides.
mod barrier {
    #[cfg(not(engine_loom))]
    pub(super) use crate::memory::{
        allow_light_barriers as allow_light, heavy_barrier as heavy, light_barrier as light,
    };

    #[cfg(engine_loom)]
    pub(super) fn allow_light() -> bool {
        true
    }

    #[cfg(engine_loom)]
    pub(super) fn light(_full: bool) {
        // ORDERING(doorbell.light): SeqCst fence, for the model. Pairs with that of `heavy`.
        crate::sync::fence(crate::sync::Ordering::SeqCst);
    }

    #[cfg(engine_loom)]
    pub(super) fn heavy() -> bool {
        // ORDERING(doorbell.heavy): SeqCst fence, for the model. Pairs with that of `light`.
        crate::sync::fence(crate::sync::Ordering::SeqCst);
        true
    }
}

#[cfg(all(test, not(engine_loom)))]
mod tests {
    use super::*;
    use crate::logbuffer::ConcurrentAppender;
    use crate::logbuffer::testing::TestLog;
    use crate::time::{Clock, SystemClock};

    const HEADER_LENGTH: usize = 128;

    #[test]
    fn a_ring_takes_the_bits_and_counts_the_bells() {
        let test = TestLog::new(LogKind::Concurrent);
        let header = AtomicBuffer::heap(HEADER_LENGTH);
        let doorbell = Doorbell::of_log(&test.log, &header);
        let bells = [3, 19, -1].map(|number| Bell::new(&header, number));
        let dozing = bells.each_ref().map(|bell| bell.doze([&doorbell]));
        assert_eq!(doorbell.waiters.load_relaxed(), 1 << 3 | 1 << 15);
        doorbell.after_commit();
        assert_eq!(doorbell.waiters.load_relaxed(), 0);
        for (bell, since) in bells.iter().zip(dozing) {
            assert!(bell.was_rung(since));
            // Returns at once, or this test takes for ever.
            bell.sleep(since, 20, Duration::from_secs(3600));
        }
        let since = bells[0].doze([]);
        doorbell.after_commit();
        assert!(!bells[0].was_rung(since), "nobody waits at this door");
    }

    #[test]
    fn bits_that_are_no_bells_are_ignored() {
        let test = TestLog::new(LogKind::Concurrent);
        let header = AtomicBuffer::heap(HEADER_LENGTH);
        let doorbell = Doorbell::of_log(&test.log, &header);
        doorbell.waiters.store_relaxed(-1 << BELLS);
        doorbell.after_commit();
        assert_eq!(doorbell.waiters.load_relaxed(), 0);
    }

    #[test]
    fn sleeps_are_bounded_by_who_may_not_ring() {
        let header = AtomicBuffer::heap(HEADER_LENGTH);
        for (kind, certain) in [(LogKind::Concurrent, false), (LogKind::Exclusive, true)] {
            let test = TestLog::new(kind);
            let doorbell = Doorbell::of_log(&test.log, &header);
            doorbell.promise_to_ring(kind);
            let bell = Bell::new(&header, 1);
            let since = bell.doze([&doorbell]);
            assert_eq!(since.certain, certain && barrier::heavy());
        }
        let bell = Bell::new(&header, 1);
        let since = Drowsy { count: 0, certain: false };
        bell.sleep(since, 0, Duration::from_secs(3600));
        bell.sleep(Drowsy { certain: true, ..since }, 0, Duration::from_secs(3600));
    }

    /// A publisher that looks at the waiters only after it has committed wakes a subscriber that looked before, every time:
    /// nobody else ends these sleeps.
    #[test]
    fn a_sleeper_is_woken_by_each_message() {
        const MESSAGES: u32 = 2_000;
        /// Longer than anybody waits for a processor.
        const FOR_EVER: Duration = Duration::from_secs(300);
        let test = TestLog::new(LogKind::Exclusive);
        let header = AtomicBuffer::heap(HEADER_LENGTH);
        let doorbell = Doorbell::of_log(&test.log, &header);
        doorbell.promise_to_ring(LogKind::Exclusive);
        let bell = Bell::new(&header, 7);
        // The reader's turn in a game of ping-pong: an answer lets the publisher go on.
        let answered = std::sync::Barrier::new(2);
        test.set_limit(i64::MAX);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let appender = ConcurrentAppender::new(&test.log, test.limit.clone()).unwrap();
                for _ in 0..MESSAGES {
                    while appender.offer(b"").is_err() {}
                    doorbell.after_commit();
                    answered.wait();
                }
            });
            let mut reader = test.reader();
            let mut received = 0;
            while received < MESSAGES {
                let fragments = reader.poll(|_| {}, 1);
                if fragments > 0 {
                    received += 1;
                    answered.wait();
                    continue;
                }
                let since = bell.doze([&doorbell]);
                let begun = SystemClock.monotonic();
                while !reader.is_ready() && !bell.was_rung(since) {
                    bell.word.sleep_while(since.count, FOR_EVER);
                    let slept = Duration::from_nanos(SystemClock.monotonic().since(begun).unsigned_abs());
                    assert!(slept < FOR_EVER, "a wake-up was lost after {received} messages");
                }
            }
        });
    }
}
