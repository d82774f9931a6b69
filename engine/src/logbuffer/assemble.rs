//! Putting fragmented messages back together. Wrapped around an application's handler and given to a poll: a message that came as
//! one frame is handed on where it is, one that came as several is gathered in a buffer that is kept for the next.

use std::collections::HashMap;

use crate::types::{Position, SessionId};

use super::fragment::Fragment;
use super::frame::{FRAME_ALIGNMENT, FRAME_HEADER_LENGTH, flags};
use super::message::fragmented_length;
use super::read::ControlledAction;

/// The most bytes that any message has. What claims to be longer comes from a broken publisher.
const MAX_MESSAGE_LENGTH: usize = 16 << 20;

/// Reassembles messages for [`poll`](super::ImageReader::poll) and its kin.
///
/// One assembler serves all images of a subscription: it tells their sessions apart.
#[derive(Debug, Default)]
pub struct FragmentAssembler {
    sessions: HashMap<SessionId, Assembly>,
}

/// Reassembles messages for controlled polls. Only whole messages ask the handler how to go on.
#[derive(Debug, Default)]
pub struct ControlledFragmentAssembler {
    sessions: HashMap<SessionId, Assembly>,
}

/// One session's message, as far as it has come.
#[derive(Debug)]
struct Assembly {
    /// The first fragment's header.
    header: [u8; FRAME_HEADER_LENGTH],
    /// Where the first fragment starts.
    begin: Position,
    /// What each fragment but the last carries.
    max_payload: usize,
    /// The end of the last fragment that was gathered, where the next must start; none while no message is being gathered.
    expected: Option<Position>,
    payload: Vec<u8>,
}

impl FragmentAssembler {
    /// An assembler with nothing gathered.
    pub fn new() -> Self {
        Self::default()
    }

    /// The handler to give to a poll, which calls `handler` with whole messages.
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
            } else if let Some(assembly) = gather(&mut self.sessions, fragment) {
                assembly.with_message(fragment, &mut handler);
                assembly.reset();
            }
        }
    }

    /// Lets go of what was gathered for a session: its image is gone.
    pub fn free_session(&mut self, session_id: SessionId) -> bool {
        self.sessions.remove(&session_id).is_some()
    }

    /// Lets go of everything.
    pub fn clear(&mut self) {
        self.sessions.clear();
    }
}

impl ControlledFragmentAssembler {
    /// An assembler with nothing gathered.
    pub fn new() -> Self {
        Self::default()
    }

    /// The handler to give to a controlled poll, which calls `handler` with whole messages. When that aborts a message, its last
    /// fragment will be handed over again, and then the whole message.
    #[inline]
    pub fn assemble(
        &mut self,
        mut handler: impl FnMut(Fragment<'_>) -> ControlledAction,
    ) -> impl FnMut(Fragment<'_>) -> ControlledAction {
        move |fragment| {
            if fragment.is_unfragmented() {
                return handler(fragment);
            }
            let Some(assembly) = gather(&mut self.sessions, fragment) else { return ControlledAction::Continue };
            let action = assembly.with_message(fragment, &mut handler);
            match action {
                ControlledAction::Abort => assembly.take_back(fragment),
                _ => assembly.reset(),
            }
            action
        }
    }

    /// Lets go of what was gathered for a session: its image is gone.
    pub fn free_session(&mut self, session_id: SessionId) -> bool {
        self.sessions.remove(&session_id).is_some()
    }

    /// Lets go of everything.
    pub fn clear(&mut self) {
        self.sessions.clear();
    }
}

/// Adds a fragment to its session's message. The assembly, if that is whole now.
#[cold]
fn gather<'a>(sessions: &'a mut HashMap<SessionId, Assembly>, fragment: Fragment<'_>) -> Option<&'a mut Assembly> {
    if fragment.flags() & flags::BEGIN != 0 {
        sessions.entry(fragment.session_id()).or_insert_with(Assembly::new).begin(fragment);
        return None;
    }
    // The middle of a message whose beginning was never seen: this subscriber joined late.
    let assembly = sessions.get_mut(&fragment.session_id())?;
    if assembly.expected != Some(start_of(fragment))
        || assembly.payload.len() + fragment.payload().len() > MAX_MESSAGE_LENGTH
    {
        // A fragment is missing between: the rest must not complete a message that it is no part of.
        assembly.reset();
        return None;
    }
    assembly.payload.extend_from_slice(fragment.payload());
    assembly.expected = Some(fragment.position());
    (fragment.flags() & flags::END != 0).then_some(assembly)
}

/// The position where the fragment's frame starts.
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

    /// Forgets the last fragment again: it will come once more.
    fn take_back(&mut self, last: Fragment<'_>) {
        self.payload.truncate(self.payload.len() - last.payload().len());
        self.expected = Some(start_of(last));
    }

    /// Calls `handler` with the whole message that `last` completed.
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
