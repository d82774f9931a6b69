//! Reassembling fragmented messages. An assembler wraps the application's handler and is passed to a poll. It hands on
//! a message of one frame in place. It gathers a message of several frames in a buffer, which it reuses for the next.

use std::collections::HashMap;

use crate::types::{Position, SessionId, TermLength};

use super::fragment::Fragment;
use super::frame::{FRAME_ALIGNMENT, FRAME_HEADER_LENGTH, flags};
use super::message::fragmented_length;
use super::read::ControlledAction;

/// The maximum length of a message in bytes. A longer one comes from a broken publisher.
const MAX_MESSAGE_LENGTH: usize = TermLength::MAX.max_message_length();

/// The number of sessions for which an assembler keeps buffers. Publishers come and go, and a broken one may invent
/// sessions. If there are more, the assembler drops the session that was silent for longest.
const MAX_SESSIONS: usize = 1024;

/// The number of bytes that an assembler keeps in total. If there are more, it drops sessions in the same order, except
/// the one with the newest fragment, so a single message always fits.
const MAX_KEPT_BYTES: usize = 256 << 20;

/// Reassembles messages that arrive as several fragments, for [`poll`](super::ImageReader::poll) and similar methods.
///
/// One assembler serves all images of a subscription, because it distinguishes sessions. It keeps buffers for at most
/// 1,024 sessions, and at most 256 MiB in total. Beyond that, it drops the incomplete message of the session that was
/// silent for longest, as if the subscriber had joined too late for it.
///
/// It also drops messages of more than 16 MiB, which no publisher sends. [`Self::dropped`] counts the messages dropped
/// because of these limits.
#[derive(Debug, Default)]
pub struct FragmentAssembler {
    sessions: Sessions,
}

/// Reassembles messages for controlled polls. The handler is only called with complete messages, and its result says
/// how to continue. The limits are those of [`FragmentAssembler`].
#[derive(Debug, Default)]
pub struct ControlledFragmentAssembler {
    sessions: Sessions,
}

/// The sessions that have sent fragments.
#[derive(Debug, Default)]
struct Sessions {
    assemblies: HashMap<SessionId, Assembly>,
    /// The capacity of all buffers, in bytes.
    kept_bytes: usize,
    /// Counts fragments, to order the sessions by their last one.
    clock: u64,
    /// The number of messages dropped because of the limits.
    dropped: u64,
}

/// The incomplete message of a session.
#[derive(Debug)]
struct Assembly {
    /// The header of the first fragment.
    header: [u8; FRAME_HEADER_LENGTH],
    /// The position of the first fragment.
    begin: Position,
    /// The payload length of each fragment except the last.
    max_payload: usize,
    /// The end of the last gathered fragment, where the next one must start. `None` while no message is being gathered.
    expected: Option<Position>,
    payload: Vec<u8>,
    /// The value of [`Sessions::clock`] at the session's last fragment.
    touched: u64,
}

impl FragmentAssembler {
    /// An assembler without fragments.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a handler for a poll, which calls `handler` with complete messages.
    ///
    /// ```no_run
    /// # fn poll(image: &mut gannet::logbuffer::ImageReader) {
    /// let mut assembler = gannet::logbuffer::FragmentAssembler::new();
    /// image.poll(assembler.assemble(|message| println!("{} bytes", message.payload().len())), 10);
    /// # }
    /// ```
    #[inline]
    pub fn assemble(&mut self, mut handler: impl FnMut(Fragment<'_>)) -> impl FnMut(Fragment<'_>) {
        move |fragment| {
            if fragment.is_unfragmented() {
                handler(fragment);
            } else if let Some(assembly) = self.sessions.gather(fragment) {
                assembly.with_message(fragment, &mut handler);
                assembly.reset();
            }
        }
    }

    /// Drops the fragments of a session, for example because its image is closed. Returns whether there were any.
    pub fn free_session(&mut self, session_id: SessionId) -> bool {
        self.sessions.remove(session_id)
    }

    /// Drops all fragments.
    pub fn clear(&mut self) {
        self.sessions.clear();
    }

    /// The number of messages that were dropped because they were longer than 16 MiB, or because too many sessions had
    /// incomplete messages. Messages that lack a fragment do not count.
    pub fn dropped(&self) -> u64 {
        self.sessions.dropped
    }
}

impl ControlledFragmentAssembler {
    /// An assembler without fragments.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a handler for a controlled poll, which calls `handler` with complete messages. If `handler` aborts a
    /// message, the last fragment is delivered again, and then the complete message.
    #[inline]
    pub fn assemble(
        &mut self,
        mut handler: impl FnMut(Fragment<'_>) -> ControlledAction,
    ) -> impl FnMut(Fragment<'_>) -> ControlledAction {
        move |fragment| {
            if fragment.is_unfragmented() {
                return handler(fragment);
            }
            let Some(assembly) = self.sessions.gather(fragment) else { return ControlledAction::Continue };
            let action = assembly.with_message(fragment, &mut handler);
            match action {
                ControlledAction::Abort => assembly.take_back(fragment),
                _ => assembly.reset(),
            }
            action
        }
    }

    /// Drops the fragments of a session, for example because its image is closed. Returns whether there were any.
    pub fn free_session(&mut self, session_id: SessionId) -> bool {
        self.sessions.remove(session_id)
    }

    /// Drops all fragments.
    pub fn clear(&mut self) {
        self.sessions.clear();
    }

    /// The number of messages that were dropped because they were longer than 16 MiB, or because too many sessions had
    /// incomplete messages. Messages that lack a fragment do not count.
    pub fn dropped(&self) -> u64 {
        self.sessions.dropped
    }
}

impl Sessions {
    /// Adds a fragment to its session's message. Returns the assembly if the message is complete.
    #[cold]
    fn gather(&mut self, fragment: Fragment<'_>) -> Option<&mut Assembly> {
        let session_id = fragment.session_id();
        self.clock += 1;
        let begins = fragment.flags() & flags::BEGIN != 0;
        let length = fragment.payload().len();
        let is_known = self.assemblies.contains_key(&session_id);
        if begins && !is_known {
            if length > MAX_MESSAGE_LENGTH {
                self.dropped += 1;
                return None;
            }
            if self.assemblies.len() >= MAX_SESSIONS {
                self.remove_stalest(session_id);
            }
        }
        let assembly = if begins {
            self.assemblies.entry(session_id).or_insert_with(Assembly::new)
        } else {
            // Ignored if it is the middle of a message whose beginning was never seen, because the subscriber joined
            // late.
            self.assemblies.get_mut(&session_id)?
        };
        assembly.touched = self.clock;
        let goes_on = assembly.expected == Some(start_of(fragment));
        if !begins && !goes_on {
            // A fragment between is missing, so this one belongs to another message.
            assembly.reset();
            return None;
        }
        let gathered = if begins { 0 } else { assembly.payload.len() };
        if gathered + length > MAX_MESSAGE_LENGTH {
            assembly.reset();
            self.dropped += 1;
            return None;
        }
        let capacity = assembly.payload.capacity();
        if begins {
            assembly.begin(fragment);
        } else {
            assembly.payload.extend_from_slice(fragment.payload());
            assembly.expected = Some(fragment.position());
        }
        self.kept_bytes += assembly.payload.capacity() - capacity;
        while self.kept_bytes > MAX_KEPT_BYTES && self.remove_stalest(session_id) {}
        let assembly = self.assemblies.get_mut(&session_id)?;
        (!begins && fragment.flags() & flags::END != 0).then_some(assembly)
    }

    /// Drops a session. Returns false if there was none.
    fn remove(&mut self, session_id: SessionId) -> bool {
        let removed = self.assemblies.remove(&session_id);
        self.kept_bytes -= removed.as_ref().map_or(0, |assembly| assembly.payload.capacity());
        removed.is_some()
    }

    /// Drops the session that was silent for longest, but not `spared`. Returns false if there is no other.
    fn remove_stalest(&mut self, spared: SessionId) -> bool {
        let others = self.assemblies.iter().filter(|(session_id, _)| **session_id != spared);
        let stalest = others.min_by_key(|(_, assembly)| assembly.touched).map(|(session_id, _)| *session_id);
        let Some(stalest) = stalest else { return false };
        self.dropped += u64::from(self.assemblies[&stalest].expected.is_some());
        self.remove(stalest)
    }

    fn clear(&mut self) {
        *self = Self { dropped: self.dropped, ..Self::default() };
    }
}

/// The position at which the fragment's frame starts.
fn start_of(fragment: Fragment<'_>) -> Position {
    let occupied = fragment.frame_length().next_multiple_of(FRAME_ALIGNMENT);
    Position::new(fragment.position().get().wrapping_sub(occupied as i64))
}

impl Assembly {
    fn new() -> Self {
        Self {
            header: [0; FRAME_HEADER_LENGTH],
            begin: Position::new(0),
            max_payload: 0,
            expected: None,
            payload: Vec::new(),
            touched: 0,
        }
    }

    fn begin(&mut self, fragment: Fragment<'_>) {
        self.header = *fragment.header();
        self.begin = start_of(fragment);
        self.max_payload = fragment.payload().len().max(1);
        self.expected = Some(fragment.position());
        self.payload.clear();
        self.payload.extend_from_slice(fragment.payload());
    }

    fn reset(&mut self) {
        self.expected = None;
        self.payload.clear();
    }

    /// Removes the last fragment again, because it will be delivered once more.
    fn take_back(&mut self, last: Fragment<'_>) {
        self.payload.truncate(self.payload.len() - last.payload().len());
        self.expected = Some(start_of(last));
    }

    /// Calls `handler` with the complete message that ends with `last`.
    fn with_message<R>(&mut self, last: Fragment<'_>, handler: &mut impl FnMut(Fragment<'_>) -> R) -> R {
        let mut header = self.header;
        let length = (FRAME_HEADER_LENGTH + self.payload.len()) as i32;
        header[..4].copy_from_slice(&length.to_le_bytes());
        header[5] |= last.flags();
        let length = fragmented_length(self.payload.len(), self.max_payload);
        let position = Position::new(self.begin.get().wrapping_add(length as i64));
        handler(Fragment::new(&header, &self.payload, position))
    }
}

#[cfg(all(test, not(engine_loom)))]
mod tests {
    use super::*;
    use crate::logbuffer::testing::TestLog;
    use crate::logbuffer::{ImageReader, LogKind};

    fn message(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at * 7 + length) as u8).collect()
    }

    fn log(lengths: &[usize]) -> (TestLog, Vec<(Vec<u8>, Position)>) {
        let test = TestLog::new(LogKind::Exclusive);
        test.set_limit(1 << 16);
        let mut appender = test.exclusive();
        let sent = lengths.iter().map(|&length| (message(length), appender.offer(&message(length)).unwrap())).collect();
        (test, sent)
    }

    #[test]
    fn messages_of_every_size_arrive_whole() {
        let (test, sent) = log(&[0, 1376, 1377, 2752, 2753, 3000, 5, 8192]);
        let mut assembler = FragmentAssembler::new();
        let mut found = Vec::new();
        let mut reader = test.reader();
        while reader.poll(
            assembler.assemble(|message| {
                assert_eq!(message.flags(), flags::UNFRAGMENTED);
                assert_eq!(message.frame_length(), FRAME_HEADER_LENGTH + message.payload().len());
                found.push((message.payload().to_vec(), message.position()));
            }),
            2,
        ) > 0
        {}
        assert_eq!(found, sent);
        assert!(assembler.free_session(test.log.session_id()));
    }

    /// Trap 58: a begin without its rest is not completed by a later message's end.
    #[test]
    fn trap_58_stale_fragments_are_dropped() {
        let (test, sent) = log(&[3000, 3000, 10]);
        let mut assembler = FragmentAssembler::new();
        let mut found = Vec::new();
        let mut handler = assembler.assemble(|message| found.push((message.payload().to_vec(), message.position())));
        // The first message's begin, then the second one's middle and end, as after a loss.
        for (from, count) in [(0, 1), (3104 + 1408, 2)] {
            test.subscriber.store_relaxed(from);
            ImageReader::new(test.log.clone(), test.subscriber.clone()).poll(&mut handler, count);
        }
        // Its end alone, then what follows.
        test.reader().poll(&mut handler, 10);
        drop(handler);
        assert_eq!(found, sent[2..]);
    }

    /// The frame of a session's fragment, `length` bytes of payload that start at `begin`.
    fn header(session_id: i32, flags: u8, length: usize) -> [u8; FRAME_HEADER_LENGTH] {
        let mut header = [0; FRAME_HEADER_LENGTH];
        header[..4].copy_from_slice(&((FRAME_HEADER_LENGTH + length) as i32).to_le_bytes());
        header[5] = flags;
        header[12..16].copy_from_slice(&session_id.to_le_bytes());
        header
    }

    /// Gives the assembler one fragment that ends at `end`; the length of the message that it completes.
    fn give(assembler: &mut FragmentAssembler, session_id: i32, flags: u8, payload: &[u8], end: i64) -> Option<usize> {
        let mut found = None;
        let header = header(session_id, flags, payload.len());
        assembler.assemble(|message| found = Some(message.payload().len()))(Fragment::new(
            &header,
            payload,
            Position::new(end),
        ));
        found
    }

    #[test]
    fn sessions_that_are_made_up_take_no_more_room() {
        let mut assembler = FragmentAssembler::new();
        let payload = [7; 96];
        for session_id in 0..3_000 {
            assert_eq!(give(&mut assembler, session_id, flags::BEGIN, &payload, 128), None);
            // One that goes on all the while is kept.
            let flags = if session_id == 0 { flags::BEGIN } else { 0 };
            give(&mut assembler, -1, flags, &[7; 32], 64 * i64::from(session_id + 1));
        }
        assert_eq!(assembler.sessions.assemblies.len(), MAX_SESSIONS);
        assert_eq!(assembler.dropped(), 3_001 - MAX_SESSIONS as u64);
        assert_eq!(give(&mut assembler, 2_999, flags::END, &payload, 256), Some(192), "the last is there");
        assert_eq!(give(&mut assembler, 1, flags::END, &payload, 256), None, "the first has gone");
        let whole = give(&mut assembler, -1, flags::END, &[7; 32], 64 * 3_001);
        assert_eq!(whole, Some(32 * 3_001));
    }

    #[test]
    fn long_messages_that_never_end_take_no_more_room() {
        let mut assembler = FragmentAssembler::new();
        let payload = vec![7; 8 << 20];
        let occupied = (payload.len() + FRAME_HEADER_LENGTH) as i64;
        for session_id in 0..100 {
            give(&mut assembler, session_id, flags::BEGIN, &payload, occupied);
            let kept: usize = assembler.sessions.assemblies.values().map(|assembly| assembly.payload.capacity()).sum();
            assert_eq!(kept, assembler.sessions.kept_bytes);
            assert!(kept <= MAX_KEPT_BYTES);
        }
        assert_eq!(give(&mut assembler, 99, flags::END, &payload, 2 * occupied), Some(16 << 20));
        for session_id in 0..100 {
            assembler.free_session(SessionId::new(session_id));
        }
        assert_eq!(assembler.sessions.kept_bytes, 0);
    }

    /// Nobody sends a frame that long, but whoever may write a log can put one there.
    #[test]
    fn fragments_of_too_long_messages_are_not_kept() {
        let longest = vec![7; MAX_MESSAGE_LENGTH];
        let too_long = vec![7; MAX_MESSAGE_LENGTH + 1];
        let occupied = |length: usize| (length + FRAME_HEADER_LENGTH).next_multiple_of(FRAME_ALIGNMENT) as i64;
        let (long_end, longer_end) = (occupied(longest.len()), occupied(too_long.len()));
        let mut assembler = FragmentAssembler::new();
        for session_id in 0..100 {
            assert_eq!(give(&mut assembler, session_id, flags::BEGIN, &too_long, longer_end), None);
            assert_eq!(give(&mut assembler, session_id, flags::END, &[7], longer_end + 64), None);
        }
        assert_eq!((assembler.sessions.kept_bytes, assembler.sessions.assemblies.len()), (0, 0));
        assert_eq!(assembler.dropped(), 100);

        // Neither does one make a session's buffer longer, or complete the message before it.
        give(&mut assembler, 1, flags::BEGIN, &[7; 32], 64);
        let kept = assembler.sessions.kept_bytes;
        assert_eq!(give(&mut assembler, 1, flags::BEGIN, &too_long, 64 + longer_end), None);
        assert_eq!(give(&mut assembler, 1, flags::END, &[7; 32], 128), None);
        assert_eq!((assembler.sessions.kept_bytes, assembler.dropped()), (kept, 101));
        // The longest message that there may be.
        assert_eq!(give(&mut assembler, 1, flags::BEGIN, &longest, long_end), None);
        assert_eq!(give(&mut assembler, 1, flags::END, &[], long_end + 32), Some(MAX_MESSAGE_LENGTH));
        assert_eq!(give(&mut assembler, 1, flags::BEGIN, &longest, long_end), None);
        assert_eq!(give(&mut assembler, 1, flags::END, &[7], long_end + 64), None);
        assert_eq!(assembler.dropped(), 102);
    }

    #[test]
    fn an_aborted_message_comes_again() {
        let (test, sent) = log(&[3000, 20]);
        let mut assembler = ControlledFragmentAssembler::new();
        let mut found = Vec::new();
        let mut aborts = 2;
        for _ in 0..4 {
            test.reader().controlled_poll(
                assembler.assemble(|message| {
                    if aborts > 0 {
                        aborts -= 1;
                        return ControlledAction::Abort;
                    }
                    found.push((message.payload().to_vec(), message.position()));
                    ControlledAction::Break
                }),
                10,
            );
        }
        assert_eq!(found, sent);
    }
}
