//! Inserting received frames into an image's log. The driver's receiver calls this for every datagram that it accepts.
//! Only the cleaning conductor also writes to that log.
//!
//! ```text
//! before  | frames that are read | .............. nothing yet ............... | frames behind a gap |
//! insert  |                      |        2 copied: frame | frame | frame     |
//!                                 1 its length was zero   3 and is stored last, releasing
//! ```
//!
//! The later frames of the datagram are in place before the length of the first is stored. So a scan of the term sees
//! the whole datagram or nothing of it.

use crate::memory::Partition;
use crate::types::Position;

use super::LogBuffers;
use super::frame::{self, FRAME_HEADER_LENGTH, LENGTH};

/// Inserts a datagram of data at `at`, the position of its first frame. Returns true if it was inserted. Returns false
/// if a frame is there already, which is kept, so the datagram is a duplicate. Only the first frame of the datagram is
/// looked up.
///
/// The caller must have checked the datagram's frames with [`crate::protocol::extent`]: they are whole, belong to this
/// stream, and stay within the term. The caller must also keep to the announced window: not below the position that
/// subscribers have consumed, and at most half a term beyond it. And it must drop a datagram that starts below the
/// rebuilt position, because what looks like a missing frame there is part of a frame that a subscriber may be reading.
/// A datagram that does not fit into the term is not inserted.
pub fn rebuild(log: &LogBuffers, at: Position, datagram: &[u8]) -> bool {
    let term_length = log.term_length();
    if at.get() < 0 || datagram.len() < FRAME_HEADER_LENGTH {
        return false;
    }
    let partition = Partition::of_term_count(term_length.term_count(at));
    let Some(space) = log.terms().space(partition, term_length.offset(at) as usize, datagram.len()) else {
        return false;
    };
    // No ordering is needed: this thread stored what may be there, and cleaning came before the status message that
    // allowed this frame.
    if space.word(LENGTH).load_relaxed() != 0 {
        return false;
    }
    space.put_frames(datagram);
    frame::commit_block(&space, datagram);
    true
}

#[cfg(all(test, not(engine_loom)))]
mod tests {
    use super::*;
    use crate::logbuffer::LogKind;
    use crate::logbuffer::testing::{TERM_LENGTH, TestLog};
    use crate::logbuffer::{committed, sendable};

    const LENGTH: i64 = TERM_LENGTH.get() as i64;

    /// A publication with these messages, and its image with nothing.
    fn pair(messages: &[&[u8]]) -> (TestLog, TestLog) {
        let sender = TestLog::new(LogKind::Exclusive);
        sender.set_limit(LENGTH);
        let mut appender = sender.exclusive();
        messages.iter().for_each(|message| _ = appender.offer(message).unwrap());
        (sender, TestLog::new(LogKind::Image))
    }

    fn datagram(sender: &TestLog, from: i64, most: usize) -> Vec<u8> {
        let found = sendable(&sender.log, Position::new(from), most);
        committed(&sender.log, Position::new(from), found.wire).unwrap().to_vec()
    }

    fn messages(image: &TestLog) -> Vec<Vec<u8>> {
        image.drain().into_iter().map(|(payload, _)| payload).collect()
    }

    #[test]
    fn an_image_is_the_publication_byte_for_byte() {
        let (sender, image) = pair(&[b"one", &[7; 200], b""]);
        assert!(rebuild(&image.log, Position::new(0), &datagram(&sender, 0, 1408)));
        let bytes = |test: &TestLog| {
            let mut bytes = vec![0; LENGTH as usize];
            test.log.term(0).get_bytes(0, &mut bytes);
            bytes
        };
        assert!(bytes(&sender) == bytes(&image));
        assert_eq!(messages(&image), [b"one".to_vec(), vec![7; 200], vec![]]);
    }

    /// Trap 20: the first copy is kept.
    #[test]
    fn wire_trap_20_a_duplicate_changes_nothing() {
        let (sender, image) = pair(&[b"one", b"two"]);
        let mut bytes = datagram(&sender, 0, 64);
        assert!(rebuild(&image.log, Position::new(0), &bytes));
        bytes[32] = b'X';
        assert!(!rebuild(&image.log, Position::new(0), &bytes));
        assert_eq!(messages(&image), [b"one"]);
    }

    /// Trap 11: of a datagram the first frame alone is looked for.
    #[test]
    fn wire_trap_11_only_the_first_frame_is_looked_for() {
        let (sender, image) = pair(&[b"one", b"two", b"three"]);
        assert!(rebuild(&image.log, Position::new(64), &datagram(&sender, 64, 64)));
        assert!(
            rebuild(&image.log, Position::new(0), &datagram(&sender, 0, 1408)),
            "its second frame is there already"
        );
        assert_eq!(messages(&image), [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]);
    }

    /// A frame goes where its position says and nowhere else: not to the start of the term, and not out of it. A bug that a peer shipped:
    /// a block went to the start of the term whatever its offset.
    #[test]
    fn wire_trap_06_a_block_goes_to_its_own_offset() {
        let (sender, image) = pair(&[b"one", b"two"]);
        let second = datagram(&sender, 64, 64);
        assert!(rebuild(&image.log, Position::new(2 * LENGTH + 64), &second));
        assert_eq!(image.log.term(2).word_at::<i32>(64).load_relaxed(), 35);
        assert!((0..2).all(|term| image.log.term(term).word_at::<i32>(64).load_relaxed() == 0));
        for (at, length) in [(-64, 64), (33, 64), (LENGTH - 32, 64), (0, 0), (0, 31), (0, 33), (i64::MIN, 64)] {
            assert!(!rebuild(&image.log, Position::new(at), &second[..length.min(64)]), "{length} at {at}");
        }
        assert!(messages(&image).is_empty());
    }
}
