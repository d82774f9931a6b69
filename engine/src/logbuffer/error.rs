//! Why an append did not happen, as small values for the hot path, and why an appender cannot be made.

/// Why a message was not published. Nothing was written then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// No subscriber is connected.
    #[error("no subscriber is connected")]
    NotConnected,
    /// The log has no room, because subscribers are behind; try again.
    #[error("subscribers have not yet made room")]
    BackPressured,
    /// The log moves on to its next term, by this call or another one; try again at once.
    #[error("the log is moving on to its next term")]
    AdminAction,
    /// The publication is closed.
    #[error("the publication is closed")]
    Closed,
    /// The stream has used up its positions; a new publication is needed.
    #[error("the stream has reached its last position")]
    MaxPositionExceeded,
    /// The message is longer than this operation can carry.
    #[error("a message of {length} bytes is longer than the {max} that fit")]
    MessageTooLong {
        /// The message's length in bytes; for a batch, of its frames.
        length: usize,
        /// The greatest length in bytes.
        max: usize,
    },
    /// The block does not continue the log: its first frame names another position or stream, it is not a run of whole
    /// frames, or it does not fit into the rest of the term.
    #[error("the block of frames does not continue this log")]
    MisplacedBlock,
    /// A batch of no messages was asked for.
    #[error("a batch needs at least one message")]
    EmptyBatch,
}

/// Why a log takes no (further) appender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppenderError {
    /// An exclusive appender needs the log for itself, and this process has another appender on it.
    #[error("cannot append to this log exclusively: it has another appender")]
    InUse,
    /// An exclusive appender has the log.
    #[error("cannot append to this log: an exclusive appender has it")]
    Exclusive,
    /// The log is an image: the driver rebuilds it from the network.
    #[error("cannot append to an image's log")]
    Image,
    /// The tail in the metadata is not one that a log can have.
    #[error("cannot append to this log: its tail {tail:#x} does not belong to term count {term_count}")]
    Malformed {
        /// The tail of the active term, as found.
        tail: i64,
        /// The active term count, as found.
        term_count: i32,
    },
}
