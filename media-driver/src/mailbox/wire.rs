//! Transmits and completions: plain data that sender and receiver hand out and a transport carries out. A transport may
//! take its time. A transmit keeps the memory of its log alive until the transport has answered.

use std::cmp::Reverse;
use std::net::SocketAddr;

use gannet::logbuffer::LogBuffers;
use gannet::types::{Position, RegistrationId};

/// The id of an endpoint: the sockets of one send channel or of one receive channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(u32);

impl EndpointId {
    /// Wraps a number that no other endpoint of this driver has had.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// The maximum length of a control frame that is passed by value, in bytes.
const MAX_INLINE_FRAME: usize = 44;

/// A control frame, by value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InlineFrame {
    bytes: [u8; MAX_INLINE_FRAME],
    length: u8,
}

impl InlineFrame {
    /// The frame that `write` writes. `write` returns its length.
    ///
    /// # Panics
    ///
    /// If the length exceeds the maximum.
    pub fn new(write: impl FnOnce(&mut [u8]) -> usize) -> Self {
        let mut bytes = [0; MAX_INLINE_FRAME];
        let length = write(&mut bytes);
        assert!(length <= MAX_INLINE_FRAME, "a frame that fits");
        Self { bytes, length: length as u8 }
    }

    /// The frame's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl std::fmt::Debug for InlineFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_bytes().fmt(f)
    }
}

/// The content of a datagram.
#[derive(Clone, Debug)]
pub enum Content {
    /// Committed frames of a log.
    Log {
        /// The log, which stays mapped until the transport has dropped this.
        log: LogBuffers,
        /// The position of the first frame.
        position: Position,
        /// The number of bytes.
        length: usize,
    },
    /// A control frame.
    Frame(InlineFrame),
    /// A control frame that exceeds the maximum for values: a rejection with its reason.
    Long(Box<[u8]>),
}

impl Content {
    /// The number of bytes.
    pub fn length(&self) -> usize {
        match self {
            Self::Log { length, .. } => *length,
            Self::Frame(frame) => frame.as_bytes().len(),
            Self::Long(bytes) => bytes.len(),
        }
    }
}

/// Identifies the origin of a datagram in its completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransmitTag {
    /// New data of a publication.
    Data {
        /// The index of the publication in the sender.
        slot: u32,
        /// The registration id of the publication.
        registration_id: RegistrationId,
        /// The position of the first byte.
        position: i64,
    },
    /// Any other frame. If it is lost, it is sent again in time.
    Control,
}

/// A datagram to send.
#[derive(Clone, Debug)]
pub struct Transmit {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The destination.
    pub to: SocketAddr,
    /// The content.
    pub content: Content,
    /// The origin.
    pub tag: TransmitTag,
}

/// The completion of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The origin.
    pub tag: TransmitTag,
    /// The outcome.
    pub outcome: Outcome,
}

/// What the operating system did with a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It accepted the datagram.
    Sent,
    /// It has no space at the moment.
    NoRoom,
    /// It does not send it, for a permanent reason.
    Refused,
}

impl Completion {
    /// Whether the operating system accepted it.
    pub fn is_sent(&self) -> bool {
        self.outcome == Outcome::Sent
    }
}

/// Datagrams for a transport. Created once with a fixed capacity. An agent that finds it full continues in the next
/// duty cycle.
#[derive(Debug)]
pub struct TransmitBatch {
    waiting: Vec<Transmit>,
    aside: Vec<Transmit>,
    capacity: usize,
}

impl TransmitBatch {
    /// A batch with space for `capacity` datagrams.
    pub fn new(capacity: usize) -> Self {
        Self { waiting: Vec::with_capacity(capacity), aside: Vec::with_capacity(capacity), capacity }
    }

    /// The number of datagrams for which there is space.
    pub fn room(&self) -> usize {
        self.capacity - self.waiting.len() - self.aside.len()
    }

    /// Adds a datagram. Returns false if there is no space.
    #[inline]
    pub fn push(&mut self, transmit: Transmit) -> bool {
        let fits = self.room() > 0;
        if fits {
            self.waiting.push(transmit);
        }
        fits
    }

    /// Sets the last datagram aside, if any were added since there were `before`. The last datagram of a stream is
    /// usually shorter than the others. Between the datagrams of two streams it would end a segmented message. Together
    /// with the last ones of other streams it can be part of one.
    pub fn set_last_aside(&mut self, before: usize) {
        if self.waiting.len() > before
            && let Some(last) = self.waiting.pop()
        {
            self.aside.push(last);
        }
    }

    /// Appends what was set aside after all others, by endpoint and address, the longest first.
    #[inline]
    pub fn take_up_what_is_aside(&mut self) {
        if self.aside.is_empty() {
            return;
        }
        // They are usually in order, which one pass detects.
        self.aside.sort_unstable_by(|one, other| {
            let key = |transmit: &Transmit| (transmit.endpoint, transmit.to, Reverse(transmit.content.length()));
            key(one).cmp(&key(other))
        });
        self.waiting.append(&mut self.aside);
    }

    /// The number of datagrams, without those set aside.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The datagrams, oldest first.
    pub fn as_slice(&self) -> &[Transmit] {
        &self.waiting
    }

    /// Removes the first `count` datagrams, oldest first, or all if there are fewer.
    pub fn drain_front(&mut self, count: usize) -> impl Iterator<Item = Transmit> + '_ {
        let count = count.min(self.waiting.len());
        self.waiting.drain(..count)
    }

    /// Drops all datagrams.
    #[inline]
    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Removes all datagrams, oldest first.
    pub fn drain(&mut self) -> impl Iterator<Item = Transmit> + '_ {
        self.waiting.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_bounded() {
        let mut batch = TransmitBatch::new(2);
        let transmit = Transmit {
            endpoint: EndpointId::new(1),
            to: ([127, 0, 0, 1], 40_123).into(),
            content: Content::Frame(InlineFrame::new(|bytes| {
                bytes[..2].copy_from_slice(&[7, 8]);
                2
            })),
            tag: TransmitTag::Control,
        };
        assert!(batch.push(transmit.clone()) && batch.push(transmit.clone()) && !batch.push(transmit));
        assert_eq!((batch.len(), batch.room()), (2, 0));
        let Content::Frame(frame) = &batch.as_slice()[0].content else { panic!("a frame") };
        assert_eq!(frame.as_bytes(), [7, 8]);
        assert_eq!(batch.drain().count(), 2);
        assert!(batch.is_empty());
    }

    /// Two streams with two long datagrams and a short one each, and one with the shortest: four of one length, then two of another.
    #[test]
    fn what_is_last_of_its_stream_leaves_together() {
        let mut batch = TransmitBatch::new(8);
        for (port, lengths) in [(1, vec![9, 9, 3]), (1, vec![1]), (2, vec![7]), (1, vec![9, 9, 3]), (1, vec![])] {
            let before = batch.len();
            for length in lengths {
                let content = Content::Long(vec![0; length].into());
                let to = ([127, 0, 0, 1], port).into();
                assert!(batch.push(Transmit { endpoint: EndpointId::new(1), to, content, tag: TransmitTag::Control }));
            }
            batch.set_last_aside(before);
        }
        assert_eq!((batch.room(), batch.len()), (0, 4), "what is aside takes room, too");
        batch.take_up_what_is_aside();
        let found = batch.as_slice().iter().map(|transmit| (transmit.to.port(), transmit.content.length()));
        let expected = [(1, 9), (1, 9), (1, 9), (1, 9), (1, 3), (1, 3), (1, 1), (2, 7)];
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }
}
