//! Builds a channel URI from values, in one canonical order, for clients and tools.

use core::fmt::Display;

use super::params::TABLE;
use super::parse::{SCHEME, SPY_PREFIX, effective_pairs};
use super::{
    ChannelUri, ChannelUriError, CongestionControl, ControlMode, FlowControl, FlowControlStrategy, Group,
    InitialPosition, Media, ResponseCorrelation, SessionSelector, Tags, TimestampOffset,
};
use crate::quantity::{format_duration_ns, format_size};
use crate::types::{Mtu, StreamId, TermLength};

/// Builds a channel URI from parameters. [`Self::build`] checks them by the rules for a text.
///
/// ```
/// # use gannet::channel_uri::ChannelUriBuilder;
/// # use gannet::types::TermLength;
/// let uri = ChannelUriBuilder::udp().term_length(TermLength::MIN).endpoint("localhost:40456").linger_ns(5_000_000).build()?;
/// assert_eq!(uri.text(), "aeron:udp?endpoint=localhost:40456|term-length=64k|linger=5ms");
/// # Ok::<(), gannet::channel_uri::ChannelUriError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct ChannelUriBuilder {
    spy: bool,
    media: Media,
    pairs: Vec<(String, String)>,
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident($value:ident: $type:ty) => $key:literal, $text:expr;)+) => {
        impl ChannelUriBuilder {
            $(
                $(#[$doc])*
                pub fn $name(self, $value: $type) -> Self {
                    self.param($key, $text)
                }
            )+
        }
    };
}

setters! {
    /// The address to which a publication sends. For a subscription, the address on which it listens or the group that
    /// it joins.
    endpoint(address: impl Display) => "endpoint", address;
    /// The address at which receivers register with a publication. For a subscription, the address at which it
    /// registers.
    control(address: impl Display) => "control", address;
    /// How the destinations of a publication or subscription are determined.
    control_mode(mode: ControlMode) => "control-mode", match mode {
        ControlMode::Manual => "manual".to_owned(),
        ControlMode::Dynamic => "dynamic".to_owned(),
        ControlMode::Response => "response".to_owned(),
        ControlMode::Other(word) => word,
    };
    /// The tags with which channels and publications refer to each other.
    tags(tags: Tags) => "tags", match tags {
        Tags { channel, entity: None } => channel.map_or(",".to_owned(), |tag| tag.to_string()),
        Tags { channel: None, entity: Some(entity) } => format!(",{entity}"),
        Tags { channel: Some(channel), entity: Some(entity) } => format!("{channel},{entity}"),
    };
    /// The local interface.
    interface(interface: impl Display) => "interface", interface;
    /// The time to live of multicast datagrams.
    ttl(hops: u8) => "ttl", hops;
    /// A name for the channel, for people.
    alias(name: &str) => "alias", name;
    /// The length of the longest datagram, frame header included.
    mtu(mtu: Mtu) => "mtu", format_size(mtu.get().unsigned_abs().into());
    /// The length of each of the log's three terms.
    term_length(length: TermLength) => "term-length", format_size(length.get().unsigned_abs().into());
    /// The session id of a publication. For a subscription, the only session id that it accepts.
    session_id(session: SessionSelector) => "session-id", match session {
        SessionSelector::Id(id) => id.to_string(),
        SessionSelector::Tag(tag) => format!("tag:{tag}"),
    };
    /// The stream id, which is also part of the command.
    stream_id(id: StreamId) => "stream-id", id;
    /// How long a network publication lingers after it has been drained.
    linger_ns(duration_ns: i64) => "linger", format_duration_ns(duration_ns);
    /// Whether the end of the stream is signalled to receivers.
    eos(is_signalled: bool) => "eos", is_signalled;
    /// Whether log files are sparse.
    sparse(is_sparse: bool) => "sparse", is_sparse;
    /// Whether lost data is retransmitted. If not, gaps are skipped.
    reliable(is_reliable: bool) => "reliable", is_reliable;
    /// Whether the subscriber exerts back pressure even if it is very slow.
    tether(is_tethered: bool) => "tether", is_tethered;
    /// Whether the subscription accepts a new image after it lost one.
    rejoin(may_rejoin: bool) => "rejoin", may_rejoin;
    /// Whether spies count as subscribers for the connection status of a publication.
    ssc(spies_count: bool) => "ssc", spies_count;
    /// Whether receivers assume that other receivers report the same loss.
    group(group: Group) => "group", match group {
        Group::Infer => "infer",
        Group::ForceTrue => "true",
        Group::ForceFalse => "false",
    };
    /// The flow control strategy of a publication with several receivers.
    fc(flow_control: FlowControl) => "fc", flow_control_text(flow_control);
    /// The tag of the receiver's group.
    gtag(tag: i64) => "gtag", tag;
    /// The congestion control of a receiver.
    cc(congestion_control: CongestionControl) => "cc", match congestion_control {
        CongestionControl::Static => "static",
        CongestionControl::Cubic => "cubic",
    };
    /// Whether the transport is secured. Only `false` is supported.
    ats(is_secured: bool) => "ats", is_secured;
    /// The size of the socket's send buffer.
    so_sndbuf(bytes: u64) => "so-sndbuf", format_size(bytes);
    /// The size of the socket's receive buffer.
    so_rcvbuf(bytes: u64) => "so-rcvbuf", format_size(bytes);
    /// The IP type of service.
    so_tos(type_of_service: u8) => "so-tos", type_of_service;
    /// The initial receiver window.
    rcv_wnd(bytes: u64) => "rcv-wnd", format_size(bytes);
    /// The publication window: at least the MTU, at most half a term.
    pub_wnd(bytes: u64) => "pub-wnd", format_size(bytes);
    /// The offset at which the network's receive time is written into a datagram.
    media_rcv_ts_offset(offset: TimestampOffset) => "media-rcv-ts-offset", timestamp_text(offset);
    /// The offset at which the receiver's receive time is written into a datagram.
    channel_rcv_ts_offset(offset: TimestampOffset) => "channel-rcv-ts-offset", timestamp_text(offset);
    /// The offset at which the sender's send time is written into a datagram.
    channel_snd_ts_offset(offset: TimestampOffset) => "channel-snd-ts-offset", timestamp_text(offset);
    /// The subscription or image to which a publication responds.
    response_correlation_id(of: ResponseCorrelation) => "response-correlation-id", match of {
        ResponseCorrelation::Id(id) => id.to_string(),
        ResponseCorrelation::Prototype => "prototype".to_owned(),
    };
    /// The address for an archive's responses. Drivers ignore it.
    response_endpoint(address: impl Display) => "response-endpoint", address;
    /// How long a unicast receiver waits before it sends a NAK.
    nak_delay_ns(duration_ns: i64) => "nak-delay", format_duration_ns(duration_ns);
    /// How long an untethered subscriber may exert back pressure before it is released.
    untethered_window_limit_timeout_ns(duration_ns: i64) =>
        "untethered-window-limit-timeout", format_duration_ns(duration_ns);
    /// How long a released subscriber lingers.
    untethered_linger_timeout_ns(duration_ns: i64) => "untethered-linger-timeout", format_duration_ns(duration_ns);
    /// How long a released subscriber rests before it may rejoin.
    untethered_resting_timeout_ns(duration_ns: i64) => "untethered-resting-timeout", format_duration_ns(duration_ns);
    /// The maximum number of pending retransmits, from 1 to 256.
    max_resend(count: u16) => "max-resend", count;
}

impl ChannelUriBuilder {
    /// A channel through shared memory.
    pub const fn ipc() -> Self {
        Self { spy: false, media: Media::Ipc, pairs: Vec::new() }
    }

    /// A channel over UDP.
    pub const fn udp() -> Self {
        Self { spy: false, media: Media::Udp, pairs: Vec::new() }
    }

    /// Whether the channel is a spy on this machine's publications.
    pub const fn spy(mut self, is_spy: bool) -> Self {
        self.spy = is_spy;
        self
    }

    /// The position at which a publication starts. Sets three parameters.
    pub fn initial_position(self, start: InitialPosition) -> Self {
        self.param("init-term-id", start.initial_term_id)
            .param("term-id", start.term_id)
            .param("term-offset", start.term_offset)
    }

    /// Sets any parameter as text. Replaces an earlier value of the key.
    pub fn param(mut self, key: &str, value: impl Display) -> Self {
        let value = value.to_string();
        match self.pairs.iter_mut().find(|pair| pair.0 == key) {
            Some(pair) => pair.1 = value,
            None => self.pairs.push((key.to_owned(), value)),
        }
        self
    }

    /// Removes a parameter.
    pub fn without(mut self, key: &str) -> Self {
        self.pairs.retain(|pair| pair.0 != key);
        self
    }

    /// Builds the channel: known parameters in canonical order, then the others in the order in which they were set.
    ///
    /// # Errors
    ///
    /// As [`ChannelUri::parse`], and [`ChannelUriError::Separator`] if a key or value contains `|`, or a key contains
    /// `=`.
    pub fn build(&self) -> Result<ChannelUri, ChannelUriError> {
        for (key, value) in &self.pairs {
            if key.contains(['|', '=']) || value.contains('|') {
                return Err(ChannelUriError::Separator { key: key.clone(), value: value.clone() });
            }
        }
        let rank = |key: &str| TABLE.iter().position(|(known, _)| *known == key).unwrap_or(TABLE.len());
        let mut pairs: Vec<_> = self.pairs.iter().collect();
        pairs.sort_by_key(|pair| rank(&pair.0));

        let media = match self.media {
            Media::Ipc => "ipc",
            Media::Udp => "udp",
        };
        let mut text = format!("{}{SCHEME}{media}", if self.spy { SPY_PREFIX } else { "" });
        for (index, (key, value)) in pairs.into_iter().enumerate() {
            text.push(if index == 0 { '?' } else { '|' });
            text.push_str(key);
            text.push('=');
            text.push_str(value);
        }
        ChannelUri::parse(&text)
    }
}

impl From<&ChannelUri> for ChannelUriBuilder {
    /// Copies all effective parameters of a channel, unknown keys included.
    fn from(uri: &ChannelUri) -> Self {
        let pairs = effective_pairs(uri.text()).map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Self { spy: uri.is_spy(), media: uri.media(), pairs }
    }
}

fn timestamp_text(offset: TimestampOffset) -> String {
    match offset {
        TimestampOffset::Reserved => "reserved".to_owned(),
        TimestampOffset::Payload(offset) => offset.to_string(),
    }
}

fn flow_control_text(flow_control: FlowControl) -> String {
    let mut text = match flow_control.strategy {
        FlowControlStrategy::Max => "max",
        FlowControlStrategy::Min => "min",
        FlowControlStrategy::Tagged => "tagged",
    }
    .to_owned();
    match (flow_control.group_tag, flow_control.group_min_size) {
        (None, None) => {}
        (Some(tag), None) => text.push_str(&format!(",g:{tag}")),
        (None, Some(size)) => text.push_str(&format!(",g:/{size}")),
        (Some(tag), Some(size)) => text.push_str(&format!(",g:{tag}/{size}")),
    }
    if let Some(timeout_ns) = flow_control.receiver_timeout_ns {
        text.push_str(&format!(",t:{}", format_duration_ns(timeout_ns)));
    }
    if let Some(multiple) = flow_control.retransmit_window_multiple {
        text.push_str(&format!(",rrwm:{multiple}"));
    }
    text
}
