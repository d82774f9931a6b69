//! The counters of a driver: their type ids, and the prefixes of their labels.

/// The type ids of a driver's counters. Applications use 1000 and up. All other ids that are not listed are reserved.
pub mod type_id {
    /// System counters: [`SystemCounter`](super::super::SystemCounter).
    pub const SYSTEM: i32 = 0;
    /// Publication limit.
    pub const PUBLISHER_LIMIT: i32 = 1;
    /// Sender position.
    pub const SENDER_POSITION: i32 = 2;
    /// The highest position that a receiver has received.
    pub const RECEIVER_HWM: i32 = 3;
    /// Subscriber position.
    pub const SUBSCRIBER_POSITION: i32 = 4;
    /// The position up to which a receiver has rebuilt the stream.
    pub const RECEIVER_POSITION: i32 = 5;
    /// The status of a send channel.
    pub const SEND_CHANNEL_STATUS: i32 = 6;
    /// The status of a receive channel.
    pub const RECEIVE_CHANNEL_STATUS: i32 = 7;
    /// Sender limit.
    pub const SENDER_LIMIT: i32 = 9;
    /// Congestion control per image.
    pub const PER_IMAGE: i32 = 10;
    /// The time at which a client last ran its conductor.
    pub const CLIENT_HEARTBEAT: i32 = 11;
    /// Producer position.
    pub const PUBLISHER_POSITION: i32 = 12;
    /// The number of sender back-pressure events.
    pub const SENDER_BPE: i32 = 13;
    /// Local socket address.
    pub const LOCAL_SOCKADDR: i32 = 14;
    /// The number of neighbours known to name resolution.
    pub const NAME_RESOLVER_NEIGHBORS: i32 = 15;
    /// The number of entries in the name resolution cache.
    pub const NAME_RESOLVER_CACHE_ENTRIES: i32 = 16;
    /// The number of receivers that flow control tracks.
    pub const FLOW_CONTROL_RECEIVERS: i32 = 17;
    /// The number of destinations of a multi-destination publication.
    pub const MDC_DESTINATIONS: i32 = 18;
    /// The number of NAKs that a sender received.
    pub const SENDER_NAKS_RECEIVED: i32 = 19;
    /// The number of NAKs that a receiver sent.
    pub const RECEIVER_NAKS_SENT: i32 = 20;
    /// A configured neighbour of name resolution.
    pub const BOOTSTRAP_NEIGHBOR: i32 = 21;
    /// The host that a name in a resolver's table stands for.
    pub const NAME_RESOLVER_TABLE_ENTRY: i32 = 2001;
    /// Since when a receiver holds back a publication. Specific to this driver. The number is far from the ids of other
    /// drivers, to avoid conflicts.
    pub const SENDER_HELD_BY: i32 = 1_000_001;
}

/// The values of channel status counters (types 6, 7 and 14), for the driver that stores them. To read them, use
/// [`ChannelStatus`](super::ChannelStatus).
pub mod channel_status {
    /// The endpoint is being set up.
    pub const INITIALISING: i64 = 0;
    /// The endpoint failed.
    pub const ERRORED: i64 = -1;
    /// The endpoint is active.
    pub const ACTIVE: i64 = 1;
    /// The endpoint is being closed.
    pub const CLOSING: i64 = 2;
}

/// Counters of one stream, except subscriber positions, whose labels contain more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamCounter {
    /// `pub-pos (concurrent)`: the position up to which publishers have claimed.
    ConcurrentPublisherPosition,
    /// `pub-pos (exclusive)`: the position up to which the publisher has claimed.
    ExclusivePublisherPosition,
    /// `pub-lmt`: the position limit of publishers.
    PublisherLimit,
    /// `snd-pos`: the position up to which the sender has sent.
    SenderPosition,
    /// `snd-lmt`: the position limit of the sender.
    SenderLimit,
    /// `snd-bpe`: the number of back-pressure events of the sender.
    SenderBpe,
    /// `snd-naks-received`.
    SenderNaksReceived,
    /// `fc-receivers`: the number of receivers that flow control tracks.
    FlowControlReceivers,
    /// `snd-held-by`: since when the receiver in the label holds back the sender, in milliseconds since 1970. 0 while
    /// none does. In place of the channel, the label has `ADDRESS receiver ID`, or `-`.
    SenderHeldBy,
    /// `rcv-hwm`: the highest position received.
    ReceiverHwm,
    /// `rcv-pos`: the position up to which the stream is complete.
    ReceiverPosition,
    /// `rcv-naks-sent`.
    ReceiverNaksSent,
    /// `rcv-cc-cubic-rtt`: the round-trip time measured by congestion control.
    CubicRtt,
    /// `rcv-cc-cubic-wnd`: the congestion window.
    CubicWindow,
}

impl StreamCounter {
    /// The type id.
    pub const fn type_id(self) -> i32 {
        match self {
            Self::ConcurrentPublisherPosition | Self::ExclusivePublisherPosition => type_id::PUBLISHER_POSITION,
            Self::PublisherLimit => type_id::PUBLISHER_LIMIT,
            Self::SenderPosition => type_id::SENDER_POSITION,
            Self::SenderLimit => type_id::SENDER_LIMIT,
            Self::SenderBpe => type_id::SENDER_BPE,
            Self::SenderNaksReceived => type_id::SENDER_NAKS_RECEIVED,
            Self::FlowControlReceivers => type_id::FLOW_CONTROL_RECEIVERS,
            Self::SenderHeldBy => type_id::SENDER_HELD_BY,
            Self::ReceiverHwm => type_id::RECEIVER_HWM,
            Self::ReceiverPosition => type_id::RECEIVER_POSITION,
            Self::ReceiverNaksSent => type_id::RECEIVER_NAKS_SENT,
            Self::CubicRtt | Self::CubicWindow => type_id::PER_IMAGE,
        }
    }

    /// The name at the start of the label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConcurrentPublisherPosition => "pub-pos (concurrent)",
            Self::ExclusivePublisherPosition => "pub-pos (exclusive)",
            Self::PublisherLimit => "pub-lmt",
            Self::SenderPosition => "snd-pos",
            Self::SenderLimit => "snd-lmt",
            Self::SenderBpe => "snd-bpe",
            Self::SenderNaksReceived => "snd-naks-received",
            Self::FlowControlReceivers => "fc-receivers",
            Self::SenderHeldBy => "snd-held-by",
            Self::ReceiverHwm => "rcv-hwm",
            Self::ReceiverPosition => "rcv-pos",
            Self::ReceiverNaksSent => "rcv-naks-sent",
            Self::CubicRtt => "rcv-cc-cubic-rtt",
            Self::CubicWindow => "rcv-cc-cubic-wnd",
        }
    }
}

/// Counters of one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChannelCounter {
    /// `snd-channel`: the status of a send channel.
    SendStatus,
    /// `rcv-channel`: the status of a receive channel.
    ReceiveStatus,
    /// `mdc-num-dest`: the number of destinations of a multi-destination publication.
    MdcDestinations,
}

impl ChannelCounter {
    /// The type id.
    pub const fn type_id(self) -> i32 {
        match self {
            Self::SendStatus => type_id::SEND_CHANNEL_STATUS,
            Self::ReceiveStatus => type_id::RECEIVE_CHANNEL_STATUS,
            Self::MdcDestinations => type_id::MDC_DESTINATIONS,
        }
    }

    /// The name at the start of the label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendStatus => "snd-channel",
            Self::ReceiveStatus => "rcv-channel",
            Self::MdcDestinations => "mdc-num-dest",
        }
    }
}

/// The status counters of local socket addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SockaddrCounter {
    /// `snd-local-sockaddr`.
    Send,
    /// `rcv-local-sockaddr`.
    Receive,
}

impl SockaddrCounter {
    /// The name at the start of the label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Send => "snd-local-sockaddr",
            Self::Receive => "rcv-local-sockaddr",
        }
    }
}
