//! A publisher of a run, which has a log, and its holders, which publish into it: one if the publication is exclusive,
//! else several, and some of them abandon claims.

use std::mem;

use fastrand::Rng;
use gannet::logbuffer::{ConcurrentAppender, FRAME_ALIGNMENT, FRAME_HEADER_LENGTH, OfferError, PARTITION_COUNT};
use gannet::types::{CorrelationId, Position};

use super::plan::{Place, StreamPlan};
use crate::sim::{SimAppender, SimPublication};

/// The maximum number of claims that a holder abandons.
const MOST_ABANDONED: u32 = 3;
/// Messages up to this length are claimed; they fit a frame of any MTU that is drawn.
const CLAIMED: usize = 1_300;

/// A publisher of a stream: everything that is published into one log.
pub(super) struct Publisher {
    pub(super) stream: usize,
    /// Its index in the plan of the stream.
    pub(super) number: usize,
    pub(super) holders: Vec<Holder>,
    /// Whether its destinations were added.
    pub(super) is_directed: bool,
    /// The end of its session, once all have sent everything.
    pub(super) end: Option<i64>,
}

/// A handle of a publication.
pub(super) struct Holder {
    pub(super) place: Place,
    /// Its index in the plan of the publisher.
    pub(super) number: usize,
    pub(super) correlation_id: CorrelationId,
    pub(super) said: u32,
    /// The number of claims that it never commits.
    pub(super) abandoned: u32,
    pub(super) has_left: bool,
    /// The position after its last message.
    last: i64,
    /// Whether the log has no position for its next message.
    is_at_the_end: bool,
}

impl Publisher {
    /// The number of messages that each holder has published.
    pub(super) fn said(&self) -> Vec<u32> {
        self.holders.iter().map(|holder| holder.said).collect()
    }

    /// Whether its log ended before everything was published. That of one holder is that of all.
    pub(super) fn has_log_ended(&self) -> bool {
        self.holders.iter().any(|holder| holder.is_at_the_end)
    }

    /// Whether a subscriber that waits for these messages, one of each holder, has received all that was published.
    pub(super) fn is_all_of_it(&self, next: &[Option<u32>]) -> bool {
        let has_all = |holder: &Holder| next[holder.number].unwrap_or(0) == holder.said;
        self.holders.iter().any(|holder| holder.said > 0) && self.holders.iter().all(has_all)
    }
}

impl Holder {
    pub(super) fn new(place: Place, number: usize, correlation_id: CorrelationId) -> Self {
        Self { place, number, correlation_id, said: 0, abandoned: 0, has_left: false, last: 0, is_at_the_end: false }
    }

    /// Whether it has published everything, or as much as the log can have.
    pub(super) fn is_done(&self, stream: &StreamPlan) -> bool {
        self.said == stream.messages || self.is_at_the_end
    }

    /// The position after its last message.
    pub(super) fn last(&self) -> i64 {
        self.last
    }

    /// Publishes its next messages, as far as there is space. Returns how many.
    pub(super) fn speak(
        &mut self,
        publisher: usize,
        stream: &StreamPlan,
        random: &mut Rng,
        publication: &mut SimPublication,
    ) -> Result<u32, OfferError> {
        let before = self.said;
        while !self.is_done(stream) && random.u8(..) < 160 {
            let message = message(publisher, self.number, self.said, stream.longest);
            let result = match &mut publication.appender {
                SimAppender::Concurrent(appender) => self.speak_among_others(&message, stream, random, appender),
                alone => alone.offer(&message),
            };
            match result {
                Ok(position) => {
                    self.said += 1;
                    self.last = position.get();
                }
                Err(OfferError::AdminAction) => {}
                Err(OfferError::MaxPositionExceeded) if stream.may_end => self.is_at_the_end = true,
                Err(OfferError::BackPressured | OfferError::NotConnected) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(self.said - before)
    }

    /// Publishes a message in one of the ways that there are, perhaps after a claim that is aborted or abandoned.
    fn speak_among_others(
        &mut self,
        message: &[u8],
        stream: &StreamPlan,
        random: &mut Rng,
        appender: &ConcurrentAppender,
    ) -> Result<Position, OfferError> {
        match random.u8(..) {
            0..12 if stream.abandons && self.abandoned < MOST_ABANDONED => {
                let length = random.usize(..CLAIMED);
                mem::forget(appender.try_claim(length)?);
                self.abandoned += 1;
                if random.bool() {
                    unbegin(appender, length);
                }
                appender.offer(message)
            }
            12..24 => {
                appender.try_claim(random.usize(..CLAIMED))?.abort();
                appender.offer(message)
            }
            24..120 if message.len() <= CLAIMED => {
                let mut claim = appender.try_claim(message.len())?;
                claim.copy_from_slice(message);
                let committed = claim.commit();
                Ok(committed.expect("nobody takes over a claim that is open for no time"))
            }
            _ => appender.offer(message),
        }
    }
}

/// Leaves the last claim as a publisher does that dies before it has begun the frame.
fn unbegin(appender: &ConcurrentAppender, length: usize) {
    let log = appender.log();
    let claimed = (FRAME_HEADER_LENGTH + length).next_multiple_of(FRAME_ALIGNMENT);
    let begin = Position::new(appender.position().get() - claimed as i64);
    let partition = log.term_length().term_count(begin) as usize % PARTITION_COUNT;
    log.term(partition).zero(log.term_length().offset(begin) as usize, FRAME_HEADER_LENGTH);
}

/// The bits of a message's number that tell the holder.
const HOLDER_SHIFT: u32 = 24;

/// A message of a holder, whose content identifies it.
pub(super) fn message(publisher: usize, holder: usize, number: u32, longest: usize) -> Vec<u8> {
    let name = (holder as u32) << HOLDER_SHIFT | number;
    let mut random = Rng::with_seed((publisher as u64) << 32 | u64::from(name));
    let longest = if random.u8(..) < 200 { longest.min(1_300) } else { longest };
    let mut message = vec![random.u8(..); random.usize(4..longest)];
    message[..4].copy_from_slice(&name.to_le_bytes());
    message
}

/// The holder and the number that a message states, if it is long enough for them.
pub(super) fn name_of(message: &[u8]) -> Option<(usize, u32)> {
    let name = u32::from_le_bytes(*message.first_chunk()?);
    Some(((name >> HOLDER_SHIFT) as usize, name & ((1 << HOLDER_SHIFT) - 1)))
}
