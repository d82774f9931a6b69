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

/// Collects the parameters of a channel. Each is checked when the URI is built, by the same rules as a text.
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
    /// Where a publication sends to; where a subscription listens, or the group it joins.
    endpoint(address: impl Display) => "endpoint", address;
    /// A publication's own address, where receivers register; or the one that a subscription registers with.
    control(address: impl Display) => "control", address;
    /// Who says where a publication sends to, or what a subscription receives from.
    control_mode(mode: ControlMode) => "control-mode", match mode {
        ControlMode::Manual => "manual".to_owned(),
        ControlMode::Dynamic => "dynamic".to_owned(),
        ControlMode::Response => "response".to_owned(),
        ControlMode::Other(word) => word,
    };
    /// Names by which channels and publications refer to each other.
    tags(tags: Tags) => "tags", match tags {
        Tags { channel, entity: None } => channel.map_or(",".to_owned(), |tag| tag.to_string()),
        Tags { channel: None, entity: Some(entity) } => format!(",{entity}"),
        Tags { channel: Some(channel), entity: Some(entity) } => format!("{channel},{entity}"),
    };
    /// The local interface.
    interface(interface: impl Display) => "interface", interface;
    /// The time to live of multicast datagrams.
    ttl(hops: u8) => "ttl", hops;
    /// What people call the channel.
    alias(name: &str) => "alias", name;
    /// The longest datagram, with the frame header.
    mtu(mtu: Mtu) => "mtu", format_size(mtu.get().unsigned_abs().into());
    /// The length of each of the log's three terms.
    term_length(length: TermLength) => "term-length", format_size(length.get().unsigned_abs().into());
    /// A publication's session, or the one session that a subscription takes.
    session_id(session: SessionSelector) => "session-id", match session {
        SessionSelector::Id(id) => id.to_string(),
        SessionSelector::Tag(tag) => format!("tag:{tag}"),
    };
    /// The stream, which the command states as well.
    stream_id(id: StreamId) => "stream-id", id;
    /// How long a drained network publication stays.
    linger_ns(duration_ns: i64) => "linger", format_duration_ns(duration_ns);
    /// Whether the end of a publication is signalled to its receivers.
    eos(is_signalled: bool) => "eos", is_signalled;
    /// Whether log files are sparse.
    sparse(is_sparse: bool) => "sparse", is_sparse;
    /// Whether loss is repaired; otherwise gaps are skipped.
    reliable(is_reliable: bool) => "reliable", is_reliable;
    /// Whether the subscriber holds the stream back, however slow it is.
    tether(is_tethered: bool) => "tether", is_tethered;
    /// Whether a new image is taken after one was lost.
    rejoin(may_rejoin: bool) => "rejoin", may_rejoin;
    /// Whether a publication counts as connected through its spies.
    ssc(spies_count: bool) => "ssc", spies_count;
    /// Whether receivers reckon with others when they report loss.
    group(group: Group) => "group", match group {
        Group::Infer => "infer",
        Group::ForceTrue => "true",
        Group::ForceFalse => "false",
    };
    /// How a publication with many receivers is paced.
    fc(flow_control: FlowControl) => "fc", flow_control_text(flow_control);
    /// The group that a receiver belongs to.
    gtag(tag: i64) => "gtag", tag;
    /// How a receiver sizes its window.
    cc(congestion_control: CongestionControl) => "cc", match congestion_control {
        CongestionControl::Static => "static",
        CongestionControl::Cubic => "cubic",
    };
    /// Whether the transport is secured. Only `false` can be built.
    ats(is_secured: bool) => "ats", is_secured;
    /// The socket's send buffer.
    so_sndbuf(bytes: u64) => "so-sndbuf", format_size(bytes);
    /// The socket's receive buffer.
    so_rcvbuf(bytes: u64) => "so-rcvbuf", format_size(bytes);
    /// The IP type of service.
    so_tos(type_of_service: u8) => "so-tos", type_of_service;
    /// The receiver's window.
    rcv_wnd(bytes: u64) => "rcv-wnd", format_size(bytes);
    /// The publication's window: at least the MTU, and at most half a term.
    pub_wnd(bytes: u64) => "pub-wnd", format_size(bytes);
    /// Where the time at which the network received a datagram is written.
    media_rcv_ts_offset(offset: TimestampOffset) => "media-rcv-ts-offset", timestamp_text(offset);
    /// Where the time at which the receiver received a datagram is written.
    channel_rcv_ts_offset(offset: TimestampOffset) => "channel-rcv-ts-offset", timestamp_text(offset);
    /// Where the time at which the sender sent a datagram is written.
    channel_snd_ts_offset(offset: TimestampOffset) => "channel-snd-ts-offset", timestamp_text(offset);
    /// The subscription or image that a publication answers.
    response_correlation_id(of: ResponseCorrelation) => "response-correlation-id", match of {
        ResponseCorrelation::Id(id) => id.to_string(),
        ResponseCorrelation::Prototype => "prototype".to_owned(),
    };
    /// Where an archive is to answer; of no meaning to drivers.
    response_endpoint(address: impl Display) => "response-endpoint", address;
    /// How long a unicast receiver waits before it reports loss.
    nak_delay_ns(duration_ns: i64) => "nak-delay", format_duration_ns(duration_ns);
    /// After how long an untethered subscriber that holds the stream back is let go.
    untethered_window_limit_timeout_ns(duration_ns: i64) =>
        "untethered-window-limit-timeout", format_duration_ns(duration_ns);
    /// For how long it then still counts.
    untethered_linger_timeout_ns(duration_ns: i64) => "untethered-linger-timeout", format_duration_ns(duration_ns);
    /// After how long it may then join again.
    untethered_resting_timeout_ns(duration_ns: i64) => "untethered-resting-timeout", format_duration_ns(duration_ns);
    /// How many retransmissions may be pending at once, from 1 to 256.
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

    /// Whether to spy on this machine's publications of the channel.
    pub const fn spy(mut self, is_spy: bool) -> Self {
        self.spy = is_spy;
        self
    }

    /// Where a publication starts when it does not start anew: three parameters.
    pub fn initial_position(self, start: InitialPosition) -> Self {
        self.param("init-term-id", start.initial_term_id)
            .param("term-id", start.term_id)
            .param("term-offset", start.term_offset)
    }

    /// Any parameter, as text. Replaces what was set under that key.
    pub fn param(mut self, key: &str, value: impl Display) -> Self {
        let value = value.to_string();
        match self.pairs.iter_mut().find(|pair| pair.0 == key) {
            Some(pair) => pair.1 = value,
            None => self.pairs.push((key.to_owned(), value)),
        }
        self
    }

    /// Takes a parameter back.
    pub fn without(mut self, key: &str) -> Self {
        self.pairs.retain(|pair| pair.0 != key);
        self
    }

    /// The channel: known parameters in canonical order, then the others in the order in which they were set.
    ///
    /// # Errors
    ///
    /// Those of [`ChannelUri::parse`], and [`ChannelUriError::Separator`] when a key or value has a `|` in it, or a key
    /// a `=`.
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
    /// All that counts of a channel, the keys that nobody knows included.
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
