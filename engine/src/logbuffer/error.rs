//! Why an append failed, as small values for the hot path, and why an appender cannot be created.

/// Why a message was not published. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// No subscriber is connected.
    #[error("no subscriber is connected")]
    NotConnected,
    /// The log has no space, because subscribers are behind. Try again.
    #[error("subscribers have not yet made room")]
    BackPressured,
    /// The log is rotating to its next term. Try again at once.
    #[error("the log is moving on to its next term")]
    AdminAction,
    /// The publication is closed.
    #[error("the publication is closed")]
    Closed,
    /// The stream has reached its maximum position. A new publication is needed.
    #[error("the stream has reached its last position")]
    MaxPositionExceeded,
    /// The message is longer than this operation allows.
    #[error("a message of {length} bytes is longer than the {max} that fit")]
    MessageTooLong {
        /// The message's length in bytes. For a batch, the length of its frames.
        length: usize,
        /// The maximum length in bytes.
        max: usize,
    },
    /// The block does not continue the log: its first frame has another position or stream, it does not consist of
    /// whole frames, or it does not fit into the rest of the term.
    #[error("the block of frames does not continue this log")]
    MisplacedBlock,
    /// A batch without messages.
    #[error("a batch needs at least one message")]
    EmptyBatch,
}

/// Why an appender cannot be created for a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppenderError {
    /// An exclusive appender must be alone, and this process has another appender for the log.
    #[error("cannot append to this log exclusively: it has another appender")]
    InUse,
    /// The log has an exclusive appender.
    #[error("cannot append to this log: an exclusive appender has it")]
    Exclusive,
    /// The log is an image, which the driver rebuilds from the network.
    #[error("cannot append to an image's log")]
    Image,
    /// The tail in the metadata is invalid.
    #[error("cannot append to this log: its tail {tail:#x} does not belong to term count {term_count}")]
    Malformed {
        /// The tail of the active term.
        tail: i64,
        /// The active term count.
        term_count: i32,
    },
}
