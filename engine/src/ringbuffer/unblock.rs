//! Unblocks the ring after a dead or misbehaving producer. The driver's conductor calls this when the head has not
//! moved for a whole client liveness timeout while the tail is ahead. It never takes a record from a producer that has
//! shown that it is writing, unless that timeout has passed.
//!
//! A producer can die before it stores its length (zero), or while it writes (negative). The reference's rules handle
//! these cases. A process that breaks the protocol can also leave a length that no record can have. The consumer then
//! searches for the start of the next sound record: committed records, one right behind the other, up to the tail or
//! three in a row. It skips what lies before them, so the commands of other clients survive. Without such evidence, or with
//! a record before them that is being written, a producer behind may still be alive. The consumer then waits for more
//! records or for the timeout, and finally gives up all that was claimed in this lap, or what lies before the next sound
//! record. Each repair is counted.

use super::RingConsumer;
use super::consumer::Record;
use super::many_to_one::finish_record;
use crate::record::{ALIGNMENT, HEADER_LENGTH, PADDING_TYPE, occupied, type_offset};

/// The number of consecutive valid records that count as evidence if the tail is further away.
const SOUND_RUN: usize = 3;

impl RingConsumer {
    /// Removes what blocks the ring at the consumer's position. Returns whether it changed anything; if so, read again.
    pub fn unblock(&mut self) -> bool {
        let ring = self.ring.ring();
        let tail = ring.tail.load_relaxed();
        let Some(claimed) = ring.claimed(self.position, tail) else {
            self.reset_tail(tail);
            return true;
        };
        if ring.head.load_relaxed() != self.position {
            // ORDERING(rb.head): Release. Pairs with the Acquire load in `refresh_head`. Another process has
            // overwritten it; producers compute the free space from it.
            ring.head.store_release(self.position);
        }
        if claimed == 0 {
            return false;
        }
        let index = ring.index(self.position);
        let limit = (index + claimed).min(self.ring.capacity());
        match self.record_at(self.position) {
            Record::Complete { .. } => false,
            Record::Damaged => {
                self.give_up(claimed);
                true
            }
            Record::Incomplete => match ring.data.word_at::<i32>(index).load_relaxed() {
                0 => self.pad_unstarted(index, claimed),
                // Its producer was only slow, and has committed it since.
                1.. => false,
                negative => {
                    match self.unfinished_length(index, limit, negative) {
                        // A producer died while writing the record: its claim becomes padding.
                        Some(length) => self.pad(index, length),
                        None => self.give_up(claimed),
                    }
                    true
                }
            },
        }
    }

    /// The length of a record at `index` that a producer is writing, or died writing, if `found` there is one.
    fn unfinished_length(&self, index: usize, limit: usize, found: i32) -> Option<usize> {
        let length = self.checked_length(index, found.checked_neg()?, PADDING_TYPE)?;
        (occupied(length) <= limit - index).then_some(length)
    }

    /// Handles a producer that died before it began the record at `index`: the space up to the next record becomes
    /// padding. Records never wrap. So if everything is zero up to the end of the ring, a record was to start at index 0;
    /// if that one was not begun either, its space becomes padding as well. If the ring is so full of such claims that no
    /// record may ever follow, there is no point in waiting. The reference stays blocked in these cases.
    fn pad_unstarted(&mut self, index: usize, claimed: usize) -> bool {
        let capacity = self.ring.capacity();
        let ring = self.ring.ring();
        let to_end = capacity - index;
        // ORDERING(rb.record-started): Acquire. Pairs with the Release fence in `start_record`; if the word that was
        // found is inside a record that is being written, the second scan below finds that record's negative length.
        let is_used = |bytes: usize| ring.data.probe_acquire((index + bytes) & (capacity - 1)) != 0;
        let next = (ALIGNMENT..claimed)
            .step_by(ALIGNMENT)
            .find(|&bytes| is_used(bytes))
            .or_else(|| (capacity - claimed < occupied(HEADER_LENGTH + capacity / 8)).then_some(claimed.min(to_end)));
        let Some(next) = next else { return false };
        // The second scan, backwards. ORDERING(rb.record-started) is the first scan's; these loads only come after it.
        if (0..next).step_by(ALIGNMENT).rev().any(is_used) {
            return false;
        }
        if next > to_end {
            self.pad(0, next - to_end);
        }
        self.pad(index, next.min(to_end));
        true
    }

    fn pad(&self, index: usize, length: usize) {
        finish_record(self.ring.ring(), index, PADDING_TYPE, length as i32);
    }

    /// Skips a damaged record before the timeout has passed, if there is evidence of where the next valid one starts. See
    /// the module's documentation.
    pub(super) fn search_for_sound_record(&mut self) -> bool {
        let ring = self.ring.ring();
        let tail = ring.tail.load_relaxed();
        if self.searched_to == Some(tail) {
            return false;
        }
        self.searched_to = Some(tail);
        let Some(claimed) = ring.claimed(self.position, tail) else {
            self.reset_tail(tail);
            return true;
        };
        let found = self.sound_record(claimed, |at, limit| {
            let length = self.ring.ring().data.word_at::<i32>(at).load_relaxed();
            self.unfinished_length(at, limit, length).is_some()
        });
        if let Some(bytes) = found {
            self.skip(bytes);
        }
        found.is_some()
    }

    /// Skips a damaged record, because the timeout has passed, and with it everything before the next sound one.
    fn give_up(&mut self, claimed: usize) {
        let index = self.ring.ring().index(self.position);
        let to_limit = claimed.min(self.ring.capacity() - index);
        self.skip(self.sound_record(claimed, |_, _| false).unwrap_or(to_limit));
    }

    /// The number of bytes from the consumer's position to the next sound record, unless the search is to end at an index
    /// before it.
    fn sound_record(&self, claimed: usize, ends_at: impl Fn(usize, usize) -> bool) -> Option<usize> {
        let index = self.ring.ring().index(self.position);
        let limit = (index + claimed).min(self.ring.capacity());
        for at in (index + ALIGNMENT..limit).step_by(ALIGNMENT) {
            if self.is_sound_run(at, limit) {
                return Some(at - index);
            }
            if ends_at(at, limit) {
                return None;
            }
        }
        // Records never wrap, so one starts at index 0 if anything was claimed there.
        (index + claimed > limit && self.is_sound_run(0, index + claimed - limit)).then_some(limit - index)
    }

    /// Whether there are consecutive committed records from `index` to `limit`, or at least a run of them. The result
    /// is only a reason to read there; reading checks each record again.
    fn is_sound_run(&self, mut index: usize, limit: usize) -> bool {
        let data = &self.ring.ring().data;
        for _ in 0..SOUND_RUN {
            let length = data.word_at::<i32>(index).load_relaxed();
            let type_id = data.word_at::<i32>(type_offset(index)).load_relaxed();
            match self.checked_length(index, length, type_id) {
                Some(length) if occupied(length) <= limit - index && (type_id == PADDING_TYPE || type_id > 0) => {
                    index += occupied(length);
                }
                _ => return false,
            }
            if index == limit {
                return true;
            }
        }
        true
    }

    fn skip(&mut self, bytes: usize) {
        self.repairs += 1;
        self.publish(self.position + bytes as i64);
    }

    /// Another process has stored an impossible tail. Nothing in the ring can be trusted, so it is emptied.
    fn reset_tail(&mut self, found: i64) {
        self.repairs += 1;
        let ring = self.ring.ring();
        ring.data.zero(0, ring.capacity());
        // ORDERING(rb.head): Release. Pairs with the Acquire load in `refresh_head`; publishes the zeroes.
        ring.head.store_release(self.position);
        // If a producer has moved it meanwhile, the next call handles that.
        let _ = ring.tail.compare_exchange(found, self.position);
    }
}
