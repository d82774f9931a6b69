//! Transmits and completions: plain data that sender and receiver hand out and a transport carries out. A transport may
//! take its time. A transmit keeps the memory of its log alive until the transport has answered.

use std::cmp::Reverse;
use std::net::SocketAddr;

use gannet::logbuffer::LogBuffers;
use gannet::types::{Position, RegistrationId};

/// Names one endpoint of the driver: the sockets of one send channel or of one receive channel.
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

/// The longest frame of control that is handed over by value, in bytes.
pub const MAX_INLINE_FRAME: usize = 44;

/// A frame of control, by value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InlineFrame {
    bytes: [u8; MAX_INLINE_FRAME],
    length: u8,
}

impl InlineFrame {
    /// The frame that `write` writes, whose length it returns.
    ///
    /// # Panics
    ///
    /// When that is more than there is room for.
    pub fn new(write: impl FnOnce(&mut [u8]) -> usize) -> Self {
        let mut bytes = [0; MAX_INLINE_FRAME];
        let length = write(&mut bytes);
        assert!(length <= MAX_INLINE_FRAME, "a frame that fits");
        Self { bytes, length: length as u8 }
    }

    /// The frame as it is sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl std::fmt::Debug for InlineFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_bytes().fmt(f)
    }
}

/// What one datagram consists of.
#[derive(Clone, Debug)]
pub enum Content {
    /// Committed frames of a log, as they stand in it.
    Log {
        /// The log, which stays mapped until the transport has let go of this.
        log: LogBuffers,
        /// Where they start.
        position: Position,
        /// How many bytes are sent.
        length: usize,
    },
    /// A frame of control.
    Frame(InlineFrame),
    /// A frame of control that is longer than others: a rejection with its reason.
    Long(Box<[u8]>),
}

impl Content {
    /// How many bytes are sent.
    pub fn length(&self) -> usize {
        match self {
            Self::Log { length, .. } => *length,
            Self::Frame(frame) => frame.as_bytes().len(),
            Self::Long(bytes) => bytes.len(),
        }
    }
}

/// Whose a datagram is, for whoever is told what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransmitTag {
    /// New data of a publication, from this position on.
    Data {
        /// The publication's place in the sender.
        slot: u32,
        /// The publication.
        registration_id: RegistrationId,
        /// The position of the first byte.
        position: i64,
    },
    /// Anything that is not waited for: if it is lost, it is sent again in time.
    Control,
}

/// One datagram to be sent.
#[derive(Clone, Debug)]
pub struct Transmit {
    /// From which endpoint.
    pub endpoint: EndpointId,
    /// Where to.
    pub to: SocketAddr,
    /// What.
    pub content: Content,
    /// Whose.
    pub tag: TransmitTag,
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Whose it was.
    pub tag: TransmitTag,
    /// What the operating system did with it.
    pub outcome: Outcome,
}

/// What the operating system did with a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It took it.
    Sent,
    /// It had no room for it, and soon has.
    NoRoom,
    /// It does not send it, for a reason that does not pass by itself.
    Refused,
}

impl Completion {
    /// Whether the operating system took it.
    pub fn is_sent(&self) -> bool {
        self.outcome == Outcome::Sent
    }
}

/// Datagrams that wait for their transport. Made once, with room for so many; whoever finds it full goes on in the next duty
/// cycle.
#[derive(Debug)]
pub struct TransmitBatch {
    waiting: Vec<Transmit>,
    aside: Vec<Transmit>,
    capacity: usize,
}

impl TransmitBatch {
    /// A batch with room for `capacity` datagrams.
    pub fn new(capacity: usize) -> Self {
        Self { waiting: Vec::with_capacity(capacity), aside: Vec::with_capacity(capacity), capacity }
    }

    /// For how many more there is room.
    pub fn room(&self) -> usize {
        self.capacity - self.waiting.len() - self.aside.len()
    }

    /// Adds a datagram. Returns whether there was room.
    #[inline]
    pub fn push(&mut self, transmit: Transmit) -> bool {
        let fits = self.room() > 0;
        if fits {
            self.waiting.push(transmit);
        }
        fits
    }

    /// Sets the newest aside, which is the last of its stream for now, if any have come since there were `before`. The last one of a
    /// stream is mostly shorter than those before it. Between two streams' it would end what can be handed to the kernel in one piece;
    /// together with those of other streams there are pieces of them, too.
    pub fn set_last_aside(&mut self, before: usize) {
        if self.waiting.len() > before
            && let Some(last) = self.waiting.pop()
        {
            self.aside.push(last);
        }
    }

    /// What was set aside waits behind all others: of each endpoint and address the longest ones first.
    #[inline]
    pub fn take_up_what_is_aside(&mut self) {
        if self.aside.is_empty() {
            return;
        }
        // Mostly they are in order, and that is found out by looking through them once.
        self.aside.sort_unstable_by(|one, other| {
            let key = |transmit: &Transmit| (transmit.endpoint, transmit.to, Reverse(transmit.content.length()));
            key(one).cmp(&key(other))
        });
        self.waiting.append(&mut self.aside);
    }

    /// How many wait, without what was set aside.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Those that wait, oldest first.
    pub fn as_slice(&self) -> &[Transmit] {
        &self.waiting
    }

    /// Takes the first `count` out, oldest first; all, if there are fewer.
    pub fn drain_front(&mut self, count: usize) -> impl Iterator<Item = Transmit> + '_ {
        let count = count.min(self.waiting.len());
        self.waiting.drain(..count)
    }

    /// Drops all that wait.
    #[inline]
    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Takes all out, oldest first.
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
