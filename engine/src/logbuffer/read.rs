//! Reading an image. The handler sees each committed frame in the log itself, and the position moves once per call.
//! Images call this from one thread at a time; it never waits and never allocates.
//!
//! A poll stays within one term. It returns at the end of the term, and the next poll continues in the next term.

use crate::memory::OwnedWord;
use crate::types::{Position, SessionId, TermId};

use super::LogBuffers;
use super::fragment::Fragment;
use super::frame::{self, FRAME_ALIGNMENT};
use super::scan::{Consume, ForEver, Scan, Tenure};

/// A poll that has delivered more fragments than this is behind its publisher, and prefetches the line that is
/// [`EXPECTED_AHEAD`] bytes ahead. The line comes from another core, which takes longer than reading what is here. A
/// poll that keeps up does not prefetch, because that would take away lines that the publisher is about to write.
const BEHIND: usize = 8;
const EXPECTED_AHEAD: usize = 512;

/// Reads a log from a subscriber's position on.
#[derive(Debug)]
pub struct ImageReader {
    log: LogBuffers,
    position: OwnedWord<i64>,
    /// Where the last peek ended. A frame begins there or will, at least until the position has passed it.
    peeked: i64,
}

/// How a controlled poll continues after a fragment, as returned by its handler.
///
/// ```
/// use gannet::{Client, Context, ControlledAction};
/// # use gannet_driver::{MediaDriver, config::{DriverConfig, Profile}};
/// # let driver = MediaDriver::launch_embedded(DriverConfig::for_profile(Profile::Frugal))?;
/// # let client = Client::connect(Context::new().dir(driver.dir()))?;
///
/// let mut subscription = client.add_subscription("aeron:ipc", 1001)?;
/// let publication = client.add_publication("aeron:ipc?term-length=64k", 1001)?;
/// while publication.offer(b"job").is_err() {}
///
/// // The queue behind this subscriber is full at first, so the fragment is delivered again.
/// let (mut room, mut tries) = (false, 0);
/// while tries < 2 {
///     subscription.controlled_poll(
///         |_fragment| {
///             tries += 1;
///             if std::mem::replace(&mut room, true) { ControlledAction::Commit } else { ControlledAction::Abort }
///         },
///         10,
///     );
/// }
/// assert_eq!(subscription.images()[0].position().get(), 64);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlledAction {
    /// Continue with the next fragment.
    Continue,
    /// Return now. This fragment is consumed.
    Break,
    /// Return now. This fragment is not consumed, and the next poll delivers it again.
    Abort,
    /// Consume everything up to and including this fragment by updating the position at once. Then continue with the
    /// next.
    Commit,
}

/// A run of whole frames, headers included. It is only valid during the call of the handler.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// The frames as in the log.
    pub bytes: &'a [u8],
    /// The session id of the first frame.
    pub session_id: SessionId,
    /// The term id of the first frame.
    pub term_id: TermId,
    /// The position of the first frame.
    pub position: Position,
}

/// A place in the log with an invalid frame. Reading cannot continue past it. A process that can write the log has
/// damaged it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log is broken at position {position}: a frame of {length} bytes cannot be there; close the image")]
pub struct MalformedFrame {
    /// The position of the frame.
    pub position: Position,
    /// The length field of the frame, header included. 0 if no frame can start at the position.
    pub length: i32,
}

impl ImageReader {
    /// A reader of `log` at `position`, the subscriber's position counter.
    pub fn new(log: LogBuffers, position: OwnedWord<i64>) -> Self {
        let peeked = position.load_relaxed();
        Self { log, position, peeked }
    }

    /// Passes at most `limit` fragments to `handler`. Returns how many.
    ///
    /// If the handler panics, the fragment that it was given counts as consumed, in this and every other poll.
    #[inline]
    pub fn poll(&mut self, handler: impl FnMut(Fragment<'_>), limit: usize) -> usize {
        self.poll_within(ForEver, handler, i64::MAX, limit)
    }

    /// As [`Self::poll`], but stops before the first fragment that starts at `bound` or later. A fragment that starts
    /// before `bound` is delivered as a whole, even if it ends after it.
    #[inline]
    pub fn bounded_poll(&mut self, handler: impl FnMut(Fragment<'_>), bound: Position, limit: usize) -> usize {
        self.poll_within(ForEver, handler, bound.get(), limit)
    }

    /// As [`Self::poll`], but the handler's return value says how to continue after each fragment. See
    /// [`ControlledAction`].
    #[inline]
    pub fn controlled_poll(&mut self, handler: impl FnMut(Fragment<'_>) -> ControlledAction, limit: usize) -> usize {
        self.controlled_poll_within(ForEver, handler, i64::MAX, limit)
    }

    /// Combines [`Self::bounded_poll`] and [`Self::controlled_poll`].
    #[inline]
    pub fn bounded_controlled_poll(
        &mut self,
        handler: impl FnMut(Fragment<'_>) -> ControlledAction,
        bound: Position,
        limit: usize,
    ) -> usize {
        self.controlled_poll_within(ForEver, handler, bound.get(), limit)
    }

    /// Passes one block of whole frames, headers included, to `handler`. The block has at most `limit` bytes. Returns
    /// its length, or 0 if there is no frame or if the first is longer than the limit. A block ends before padding.
    /// Padding that comes first is a block of its own, however long it is.
    pub fn block_poll(&mut self, handler: impl FnOnce(Block<'_>), limit: usize) -> usize {
        self.block_poll_within(ForEver, handler, limit)
    }

    /// As [`Self::block_poll`], but only moves the position while the tenure holds.
    pub(crate) fn block_poll_within(
        &mut self,
        tenure: impl Tenure,
        handler: impl FnOnce(Block<'_>),
        limit: usize,
    ) -> usize {
        let Some(mut consume) = Consume::new(&self.log, &self.position, tenure) else { return 0 };
        let start = consume.scan.clone();
        let within = start.position().saturating_add(i64::try_from(limit).unwrap_or(i64::MAX));
        let mut first = None;
        loop {
            let before = consume.scan.clone();
            let Some(frame) = consume.scan.next() else { break };
            let padding = frame::is_padding(&frame);
            let is_alone = first.is_none() && padding;
            if !is_alone && (padding || consume.scan.position() > within) {
                consume.scan = before;
                break;
            }
            first.get_or_insert(frame);
            if padding {
                break;
            }
        }
        let Some(first) = first else { return 0 };
        let length = consume.scan.position().wrapping_sub(start.position()) as usize;
        let fragment = Fragment::new(first.header(), first.payload(), consume.scan.position().into());
        handler(Block {
            bytes: start.cursor().block(length),
            session_id: fragment.session_id(),
            term_id: fragment.term_id(),
            position: start.position().into(),
        });
        length
    }

    /// Passes the fragments from `from` to `bound` to the handler without consuming them. Returns the position at which
    /// the next peek may start. [`ControlledAction::Commit`] has the same effect as `Continue` here.
    ///
    /// Only fragments at or after this subscriber's position, and at most a term ahead, can be peeked. `from` must be
    /// that position, or one to which committed frames lead from there, such as the end of a fragment that was peeked.
    /// From anywhere else, nothing is peeked.
    pub fn peek(
        &mut self,
        from: Position,
        mut handler: impl FnMut(Fragment<'_>) -> ControlledAction,
        bound: Position,
    ) -> Position {
        let ahead = from.get().wrapping_sub(self.position().get());
        if !(0..=i64::from(self.log.term_length().get())).contains(&ahead) || !self.leads_to(from.get()) {
            return from;
        }
        let Self { log, peeked, .. } = self;
        let Some(mut scan) = Scan::new(log, from.get()) else { return from };
        let term_id = log.term_length().term_id(from, log.initial_term_id());
        // Moved before the handler is called, because the handler may panic.
        *peeked = from.get();
        while scan.position() < bound.get()
            && let Some(frame) = scan.next()
        {
            let fragment = Fragment::new(frame.header(), frame.payload(), scan.position().into());
            // The partition may still contain a frame of three terms ago, which the driver is about to clean.
            if fragment.term_id() != term_id {
                break;
            }
            if !frame::is_padding(&frame) {
                match handler(fragment) {
                    ControlledAction::Continue | ControlledAction::Commit => {}
                    ControlledAction::Break => {
                        *peeked = scan.position();
                        break;
                    }
                    ControlledAction::Abort => break,
                }
            }
            *peeked = scan.position();
        }
        Position::new(*peeked)
    }

    /// Whether committed frames lead to this position from the subscriber's, or from the end of the last peek. The bytes
    /// elsewhere may look like a frame and be part of a message, which a publisher may be writing at this moment.
    fn leads_to(&self, to: i64) -> bool {
        let position = self.position().get();
        let mut at = if (position..=to).contains(&self.peeked) { self.peeked } else { position };
        while at < to {
            let Some(mut scan) = Scan::new(&self.log, at) else { return false };
            while scan.position() < to && scan.next().is_some() {}
            if scan.position() == at {
                return false;
            }
            at = scan.position();
        }
        at == to
    }

    /// Whether there is something to read: a fragment, or padding to skip. An invalid frame does not count. Otherwise a
    /// waiting subscriber would spin forever.
    pub fn is_ready(&self) -> bool {
        Scan::new(&self.log, self.position.load_relaxed()).is_some_and(|mut scan| scan.next().is_some())
    }

    /// The subscriber's position.
    #[inline]
    pub fn position(&self) -> Position {
        Position::new(self.position.load_relaxed())
    }

    /// Checks whether the next frame is invalid, so that the image can never be read further. Polls treat an invalid
    /// frame as one that is not there yet. Call this occasionally, not for every poll.
    ///
    /// # Errors
    ///
    /// [`MalformedFrame`].
    pub fn check(&self) -> Result<(), MalformedFrame> {
        let position = self.position();
        let none = MalformedFrame { position, length: 0 };
        if position.get() < 0 || position.get() % FRAME_ALIGNMENT as i64 != 0 {
            return Err(none);
        }
        let mut scan = Scan::new(&self.log, position.get()).ok_or(none)?;
        let length = scan.peek_length();
        if length > 0 && scan.next().is_none() { Err(MalformedFrame { position, length }) } else { Ok(()) }
    }

    /// The log.
    pub fn log(&self) -> &LogBuffers {
        &self.log
    }

    /// As [`Self::bounded_poll`], but only moves the position while the tenure holds.
    #[inline(always)]
    pub(crate) fn poll_within(
        &mut self,
        tenure: impl Tenure,
        mut handler: impl FnMut(Fragment<'_>),
        bound: i64,
        limit: usize,
    ) -> usize {
        let Some(mut consume) = Consume::new(&self.log, &self.position, tenure) else { return 0 };
        let stop = consume.scan.remaining_at(bound);
        let mut fragments = 0;
        while fragments < limit
            && consume.scan.remaining() > stop
            && let Some(frame) = consume.scan.next()
        {
            if !frame::is_padding(&frame) {
                fragments += 1;
                if fragments > BEHIND {
                    consume.scan.cursor().expect(EXPECTED_AHEAD);
                }
                handler(Fragment::new(frame.header(), frame.payload(), consume.scan.position().into()));
            }
        }
        fragments
    }

    /// As [`Self::bounded_controlled_poll`], but only moves the position while the tenure holds.
    #[inline(always)]
    pub(crate) fn controlled_poll_within(
        &mut self,
        tenure: impl Tenure,
        mut handler: impl FnMut(Fragment<'_>) -> ControlledAction,
        bound: i64,
        limit: usize,
    ) -> usize {
        let Some(mut consume) = Consume::new(&self.log, &self.position, tenure) else { return 0 };
        let stop = consume.scan.remaining_at(bound);
        let mut fragments = 0;
        while fragments < limit && consume.scan.remaining() > stop {
            let before = consume.scan.clone();
            let Some(frame) = consume.scan.next() else { break };
            if frame::is_padding(&frame) {
                continue;
            }
            let fragment = Fragment::new(frame.header(), frame.payload(), consume.scan.position().into());
            match handler(fragment) {
                ControlledAction::Abort => {
                    consume.scan = before;
                    break;
                }
                ControlledAction::Break => {
                    fragments += 1;
                    break;
                }
                ControlledAction::Commit => consume.publish(),
                ControlledAction::Continue => {}
            }
            fragments += 1;
        }
        fragments
    }
}

#[cfg(all(test, not(engine_loom)))]
mod tests {
    use super::*;
    use crate::logbuffer::LogKind;
    use crate::logbuffer::testing::{TERM_LENGTH, TestLog, parameters};

    /// Trap 56: a poll ends with its term, and padding moves the position without counting as a fragment.
    #[test]
    fn trap_56_poll_stays_within_a_term_and_passes_padding() {
        let length = i64::from(TERM_LENGTH.get());
        let mut parameters = parameters(LogKind::Exclusive);
        parameters.start_position = Position::new(length - 192);
        let test = TestLog::with(&parameters);
        test.set_limit(2 * length);
        let mut appender = test.exclusive();
        appender.offer(b"last").unwrap();
        assert!(appender.offer(&[0; 1000]).is_err());
        appender.offer(b"next").unwrap();
        let mut reader = test.reader();
        assert_eq!(reader.poll(|fragment| assert_eq!(fragment.payload(), b"last"), 10), 1);
        assert_eq!(reader.position().get(), length);
        assert_eq!(reader.poll(|fragment| assert_eq!(fragment.payload(), b"next"), 10), 1);
    }

    /// Trap 57: the position moves once per poll, when the last handler has returned.
    #[test]
    fn trap_57_position_is_published_once_and_last() {
        let test = TestLog::new(LogKind::Exclusive);
        test.set_limit(1 << 15);
        let mut appender = test.exclusive();
        (0..3).for_each(|_| _ = appender.offer(&[5; 32]).unwrap());
        let count = test.reader().poll(|_| assert_eq!(test.subscriber.load_relaxed(), 0), 3);
        assert_eq!((count, test.subscriber.load_relaxed()), (3, 192));
    }

    /// A look ahead goes over padding, stops as its handler says and at its bound, and consumes nothing.
    #[test]
    fn a_peek_stops_as_it_is_told() {
        let test = TestLog::new(LogKind::Exclusive);
        test.set_limit(1 << 15);
        let mut appender = test.exclusive();
        appender.append_padding(100).unwrap();
        appender.offer(&[1; 32]).unwrap();
        appender.append_padding(32).unwrap();
        appender.offer(&[2; 32]).unwrap();
        appender.offer(&[3; 32]).unwrap();
        let peek = |from: i64, bound: i64, stop: ControlledAction| {
            let mut seen = Vec::new();
            let handler = |fragment: Fragment<'_>| {
                seen.push(fragment.payload()[0]);
                if fragment.payload()[0] == 2 { stop } else { ControlledAction::Commit }
            };
            let next = test.reader().peek(from.into(), handler, bound.into());
            assert_eq!(test.subscriber.load_relaxed(), 0);
            (seen, next.get())
        };
        assert_eq!(peek(0, i64::MAX, ControlledAction::Continue), (vec![1, 2, 3], 416));
        assert_eq!(peek(0, i64::MAX, ControlledAction::Break), (vec![1, 2], 352));
        assert_eq!(peek(0, i64::MAX, ControlledAction::Abort), (vec![1, 2], 288), "the padding before it is done with");
        assert_eq!(peek(160, 225, ControlledAction::Continue), (vec![1], 288));
        assert_eq!(peek(0, 160, ControlledAction::Continue), (vec![], 160));
        assert_eq!(peek(224, 224, ControlledAction::Continue), (vec![], 224));
        assert_eq!(peek(416, i64::MAX, ControlledAction::Continue), (vec![], 416));
    }

    /// What looks like a frame in the middle of a message is none, and its bytes may be lent to a publisher meanwhile.
    #[test]
    fn a_peek_starts_where_frames_lead_to() {
        let length = i64::from(TERM_LENGTH.get());
        let mut parameters = parameters(LogKind::Concurrent);
        parameters.start_position = Position::new(length - 192);
        let test = TestLog::with(&parameters);
        test.set_limit(2 * length);
        let appender = test.concurrent();
        let start = length - 192;
        let mut disguised = [0; 96];
        disguised[..4].copy_from_slice(&64_i32.to_le_bytes());
        disguised[4..8].copy_from_slice(&frame::DATA_UNFRAGMENTED.to_le_bytes());
        disguised[20..24].copy_from_slice(&parameters.initial_term_id.get().to_le_bytes());
        let mut reader = test.reader();
        let peek = |reader: &mut ImageReader, from: i64| {
            let mut seen = Vec::new();
            let handler = |fragment: Fragment<'_>| {
                seen.push(fragment.payload().len());
                ControlledAction::Continue
            };
            let next = reader.peek(from.into(), handler, i64::MAX.into()).get();
            (seen, next)
        };
        let mut claim = appender.try_claim(96).unwrap();
        claim.copy_from_slice(&disguised);
        for from in [start + 32, start + 64, start + 128] {
            assert_eq!(peek(&mut reader, from), (vec![], from), "with the claim open");
        }
        claim.commit().unwrap();
        for from in [start + 32, start + 64, start + 160] {
            assert_eq!(peek(&mut reader, from), (vec![], from), "with the claim committed");
        }
        assert_eq!(peek(&mut reader, start + 128), (vec![], start + 128));
        appender.offer(&[1; 32]).unwrap();
        while appender.offer(&[2; 16]).is_err() {}
        // From a place that no peek has returned, over the end of the term, and from where the last one ended.
        assert_eq!(peek(&mut test.reader(), length + 64), (vec![], length + 64));
        assert_eq!(peek(&mut test.reader(), length), (vec![16], length + 64));
        assert_eq!(peek(&mut reader, start + 128), (vec![32], length));
        assert_eq!(peek(&mut reader, length), (vec![16], length + 64));
        assert_eq!(peek(&mut reader, start), (vec![96, 32], length), "what lies before can be peeked again");
        // What the position has passed since is of no help.
        reader.poll(|_| (), 1);
        assert_eq!(peek(&mut reader, length), (vec![16], length + 64));
        assert_eq!(peek(&mut reader, start), (vec![], start), "it is consumed");
    }

    /// Padding is neither counted nor shown, and belongs to what is aborted behind it no more than to what was read before.
    #[test]
    fn actions_and_bounds_meet_padding() {
        let test = TestLog::new(LogKind::Exclusive);
        test.set_limit(1 << 15);
        let mut appender = test.exclusive();
        appender.offer(&[1; 32]).unwrap();
        appender.append_padding(32).unwrap();
        appender.offer(&[2; 32]).unwrap();
        appender.offer(&[3; 32]).unwrap();
        let poll = |actions: &[ControlledAction], bound: i64, limit| {
            let (mut actions, mut seen) = (actions.iter().copied(), Vec::new());
            let handler = |fragment: Fragment<'_>| {
                seen.push(fragment.payload()[0]);
                actions.next().unwrap_or(ControlledAction::Continue)
            };
            let count = test.reader().bounded_controlled_poll(handler, bound.into(), limit);
            (seen, count, test.subscriber.load_relaxed())
        };
        assert_eq!(poll(&[], 0, 10), (vec![], 0, 0));
        assert_eq!(poll(&[ControlledAction::Abort], 1, 10), (vec![1], 0, 0));
        assert_eq!(poll(&[], 64, 10), (vec![1], 1, 64), "padding at the bound is for the next poll");
        assert_eq!(poll(&[], 65, 10), (vec![], 0, 128), "and below it for this one, though there is nothing to show");
        assert_eq!(poll(&[ControlledAction::Abort], 4096, 10), (vec![2], 0, 128));
        assert_eq!(poll(&[ControlledAction::Break], 4096, 10), (vec![2], 1, 192));
        assert_eq!(poll(&[ControlledAction::Commit, ControlledAction::Abort], 4096, 0), (vec![], 0, 192));
        assert_eq!(poll(&[ControlledAction::Commit], 4096, 10), (vec![3], 1, 256));
    }

    /// Whoever reads blocks of a certain length gets past padding of any.
    #[test]
    fn padding_is_a_block_however_long_it_is() {
        let test = TestLog::new(LogKind::Exclusive);
        test.set_limit(1 << 15);
        let mut appender = test.exclusive();
        appender.offer(&[5; 32]).unwrap();
        appender.append_padding(1000).unwrap();
        appender.offer(&[5; 100]).unwrap();
        let lengths = [63, 64, 64, 64, 160].map(|limit| test.reader().block_poll(|_| {}, limit));
        assert_eq!(lengths, [0, 64, 1056, 0, 160]);
    }

    #[test]
    fn a_commit_publishes_at_once() {
        let test = TestLog::new(LogKind::Exclusive);
        test.set_limit(1 << 15);
        let mut appender = test.exclusive();
        (0..3).for_each(|_| _ = appender.offer(&[5; 32]).unwrap());
        let mut seen = Vec::new();
        test.reader().controlled_poll(
            |_| {
                seen.push(test.subscriber.load_relaxed());
                ControlledAction::Commit
            },
            10,
        );
        assert_eq!(seen, [0, 64, 128]);
        assert_eq!(test.subscriber.load_relaxed(), 192);
    }

    /// A handler that panics has consumed its fragment: the next poll goes on behind it.
    #[test]
    fn a_panic_does_not_repeat_the_fragment() {
        let test = TestLog::new(LogKind::Exclusive);
        test.set_limit(1 << 15);
        let mut appender = test.exclusive();
        (0..3).for_each(|_| _ = appender.offer(&[5; 32]).unwrap());
        let mut reader = test.reader();
        let mut fragments = 0;
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            reader.poll(
                |_| {
                    fragments += 1;
                    assert!(fragments < 2, "as it was told to");
                },
                10,
            )
        }));
        assert!(caught.is_err());
        assert_eq!(reader.position().get(), 128);
        assert_eq!(reader.poll(|_| {}, 10), 1);
    }

    /// Whatever length a frame claims to have, and wherever the position counter says that reading is, a reader stays within the log,
    /// comes back, and says what is wrong.
    #[test]
    fn broken_frames_and_positions_end_the_poll() {
        let length = TERM_LENGTH.get();
        for broken in [1, 31, length + 1, i32::MAX, 32, 33, length, 0, -1, i32::MIN] {
            for position in [0, 32, 1, -32, -1, i64::from(length) - 32, i64::MAX, i64::MAX - 31, i64::MIN] {
                let test = TestLog::new(LogKind::Exclusive);
                for term in 0..3 {
                    for at in (0..length as usize).step_by(32) {
                        test.log.term(term).word_at::<i32>(at).store_relaxed(broken);
                        test.log.term(term).word_at::<i32>(at + 4).store_relaxed(-1);
                    }
                }
                test.subscriber.store_relaxed(position);
                let mut reader = test.reader();
                let offset = (position & i64::from(length - 1)) as i32;
                let rest = length - offset;
                let can_be = (32..=rest).contains(&broken) && position % 32 == 0;
                let check = reader.check();
                assert_eq!(check.is_err(), !can_be && (broken > 0 || position % 32 != 0) || position < 0, "{check:?}");
                assert_eq!(reader.is_ready(), can_be, "{broken} at {position}");
                let mut bytes = 0;
                reader.poll(|fragment| bytes += fragment.payload().len(), 3);
                reader.controlled_poll(
                    |fragment| {
                        bytes += fragment.header().len();
                        ControlledAction::Abort
                    },
                    3,
                );
                reader.block_poll(|block| bytes += block.bytes.len(), usize::MAX);
                reader.peek(reader.position(), |_| ControlledAction::Continue, i64::MAX.into());
                if !can_be {
                    assert_eq!((bytes, test.subscriber.load_relaxed()), (0, position));
                }
            }
        }
    }
}
