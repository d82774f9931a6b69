//! The parameters of a channel in one table: key, field, format, and which of two duplicates is used.

use super::ChannelUriError;
use super::address::{AddressForm, HostAndPort, Interface, InterfaceForm};
use super::flow_control::{FlowControl, FlowControlForm};
use super::form::{Bool, Byte, Duration, Form, Free, Int64, Size, TimeToLive};
use super::values::{
    AtsForm, CongestionControl, CongestionControlForm, ControlMode, ControlModeForm, Group, GroupForm, MaxResendForm,
    MtuForm, ResponseCorrelation, ResponseForm, SessionForm, SessionSelector, SocketBufferForm, StreamIdForm,
    TIMESTAMP_LENGTH, Tags, TagsForm, TermIdForm, TermLengthForm, TermOffsetForm, TimestampForm, TimestampOffset,
};
use crate::types::{Mtu, StreamId, TermId, TermLength};

/// Which of two parameters with the same key is used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Winner {
    First,
    Last,
}

impl Winner {
    /// The rule for `key`.
    pub(super) fn at(key: &str) -> Self {
        TABLE.iter().find(|(known, _)| *known == key).map_or(Self::First, |(_, winner)| *winner)
    }

    /// The effective value of `key`.
    pub(super) fn of<'a>(self, key: &str, pairs: &[(&'a str, &'a str)]) -> Option<&'a str> {
        let is_it = |pair: &&(&str, &str)| pair.0 == key;
        let pair = match self {
            Self::First => pairs.iter().find(is_it),
            Self::Last => pairs.iter().rfind(is_it),
        };
        pair.map(|pair| pair.1)
    }

    /// Whether the pair at `index` is the effective one for its key.
    pub(super) fn is_won_by(self, index: usize, pairs: &[(&str, &str)]) -> bool {
        let rivals = match self {
            Self::First => &pairs[..index],
            Self::Last => &pairs[index + 1..],
        };
        rivals.iter().all(|rival| rival.0 != pairs[index].0)
    }
}

macro_rules! parameters {
    ($($(#[$doc:meta])* $field:ident: $value:ty = $key:literal, $form:ident, $winner:ident;)+) => {
        /// The typed parameters of a channel. A parameter that is not in the text is `None`. The driver knows the
        /// defaults.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct ChannelParams {
            $($(#[$doc])* pub $field: Option<$value>,)+
        }

        /// All known keys, in canonical order.
        pub(super) const TABLE: &[(&str, Winner)] = &[$(($key, Winner::$winner),)+];

        impl ChannelParams {
            /// Parses all parameters, and checks dependent ones against each other.
            pub(super) fn read(pairs: &[(&str, &str)]) -> Result<Self, ChannelUriError> {
                let params = Self { $($field: read::<$form>($key, Winner::$winner.of($key, pairs))?,)+ };
                params.check()?;
                Ok(params)
            }
        }
    };
}

parameters! {
    /// The address to which a publication sends. For a subscription, the address on which it listens or the group that
    /// it joins.
    endpoint: HostAndPort = "endpoint", AddressForm, Last;
    /// The address at which receivers register with a publication. For a subscription, the address at which it
    /// registers.
    control: HostAndPort = "control", AddressForm, Last;
    /// How the destinations of a publication or subscription are determined.
    control_mode: ControlMode = "control-mode", ControlModeForm, Last;
    /// The tags with which channels and publications refer to each other.
    tags: Tags = "tags", TagsForm, Last;
    /// The local interface.
    interface: Interface = "interface", InterfaceForm, Last;
    /// The time to live of multicast datagrams.
    ttl: u8 = "ttl", TimeToLive, Last;
    /// A name for the channel, for people.
    alias: String = "alias", Free, First;
    /// The length of the longest datagram in bytes, frame header included.
    mtu: Mtu = "mtu", MtuForm, First;
    /// The length of each of the log's three terms in bytes.
    term_length: TermLength = "term-length", TermLengthForm, First;
    /// The id of the stream's first term. Requires `term_id` and `term_offset`.
    init_term_id: TermId = "init-term-id", TermIdForm, First;
    /// The id of the term in which the publication starts. Not before the first term.
    term_id: TermId = "term-id", TermIdForm, First;
    /// The offset in that term at which the publication starts, in bytes: a multiple of 32, at most the term length.
    term_offset: i32 = "term-offset", TermOffsetForm, First;
    /// The session id of a publication. For a subscription, the only session id that it accepts.
    session_id: SessionSelector = "session-id", SessionForm, First;
    /// The stream id, which is also part of the command.
    stream_id: StreamId = "stream-id", StreamIdForm, First;
    /// How long a network publication lingers after it has been drained, in nanoseconds.
    linger_ns: i64 = "linger", Duration, First;
    /// Whether the end of the stream is signalled to receivers.
    eos: bool = "eos", Bool, First;
    /// Whether log files are sparse.
    sparse: bool = "sparse", Bool, First;
    /// Whether lost data is retransmitted. If not, gaps are skipped.
    reliable: bool = "reliable", Bool, First;
    /// Whether the subscriber exerts back pressure even if it is very slow.
    tether: bool = "tether", Bool, First;
    /// Whether the subscription accepts a new image after it lost one.
    rejoin: bool = "rejoin", Bool, First;
    /// Whether spies count as subscribers for the connection status of a publication.
    ssc: bool = "ssc", Bool, First;
    /// Whether receivers assume that other receivers report the same loss.
    group: Group = "group", GroupForm, First;
    /// The flow control strategy of a publication with several receivers.
    fc: FlowControl = "fc", FlowControlForm, First;
    /// The tag of the receiver's group.
    gtag: i64 = "gtag", Int64, First;
    /// The congestion control of a receiver.
    cc: CongestionControl = "cc", CongestionControlForm, First;
    /// Whether the transport is secured. Only `false` is supported.
    ats: bool = "ats", AtsForm, First;
    /// The size of the socket's send buffer in bytes.
    so_sndbuf: u64 = "so-sndbuf", SocketBufferForm, First;
    /// The size of the socket's receive buffer in bytes.
    so_rcvbuf: u64 = "so-rcvbuf", SocketBufferForm, First;
    /// The IP type of service.
    so_tos: u8 = "so-tos", Byte, First;
    /// The initial receiver window in bytes.
    rcv_wnd: u64 = "rcv-wnd", Size, First;
    /// The publication window in bytes: at least the MTU, at most half a term.
    pub_wnd: u64 = "pub-wnd", Size, First;
    /// The offset at which the network's receive time is written into a datagram.
    media_rcv_ts_offset: TimestampOffset = "media-rcv-ts-offset", TimestampForm, First;
    /// The offset at which the receiver's receive time is written into a datagram.
    channel_rcv_ts_offset: TimestampOffset = "channel-rcv-ts-offset", TimestampForm, First;
    /// The offset at which the sender's send time is written into a datagram.
    channel_snd_ts_offset: TimestampOffset = "channel-snd-ts-offset", TimestampForm, First;
    /// The subscription or image to which a publication responds.
    response_correlation_id: ResponseCorrelation = "response-correlation-id", ResponseForm, First;
    /// The address for an archive's responses. Drivers ignore it.
    response_endpoint: String = "response-endpoint", Free, First;
    /// How long a unicast receiver waits before it sends a NAK, in nanoseconds.
    nak_delay_ns: i64 = "nak-delay", Duration, First;
    /// How long an untethered subscriber may exert back pressure before it is released, in nanoseconds.
    untethered_window_limit_timeout_ns: i64 = "untethered-window-limit-timeout", Duration, First;
    /// How long a released subscriber lingers, in nanoseconds. 0 counts as not set.
    untethered_linger_timeout_ns: i64 = "untethered-linger-timeout", Duration, First;
    /// How long a released subscriber rests before it may rejoin, in nanoseconds.
    untethered_resting_timeout_ns: i64 = "untethered-resting-timeout", Duration, First;
    /// The maximum number of pending retransmits, from 1 to 256.
    max_resend: u16 = "max-resend", MaxResendForm, First;
}

/// The position at which a publication starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InitialPosition {
    /// The id of the stream's first term.
    pub initial_term_id: TermId,
    /// The id of the term in which the publication starts.
    pub term_id: TermId,
    /// The offset in that term in bytes: a multiple of 32. Parsing checks it only against a term length in the same
    /// channel.
    pub term_offset: i32,
}

impl ChannelParams {
    /// The initial position of a publication, if the channel has one.
    pub fn initial_position(&self) -> Option<InitialPosition> {
        Some(InitialPosition {
            initial_term_id: self.init_term_id?,
            term_id: self.term_id?,
            term_offset: self.term_offset?,
        })
    }

    /// Checks the parameters that depend on the MTU and the term length, given their effective values: those of the
    /// channel, or the driver's defaults. Parsing checks only against values in the channel.
    ///
    /// # Errors
    ///
    /// [`ChannelUriError::Conflict`] if the publication window is less than the MTU or more than half a term, or if the
    /// initial term offset is beyond the term.
    pub fn check_sizes(&self, mtu: Mtu, term_length: TermLength) -> Result<(), ChannelUriError> {
        self.check_mtu(mtu)?;
        self.check_term_length(term_length)
    }

    fn check(&self) -> Result<(), ChannelUriError> {
        self.check_position()?;
        self.mtu.map_or(Ok(()), |mtu| self.check_mtu(mtu))?;
        self.term_length.map_or(Ok(()), |length| self.check_term_length(length))?;
        self.check_timestamps()
    }

    fn check_position(&self) -> Result<(), ChannelUriError> {
        let stated = [
            ("init-term-id", self.init_term_id.is_some()),
            ("term-id", self.term_id.is_some()),
            ("term-offset", self.term_offset.is_some()),
        ];
        if stated.iter().any(|(_, is_stated)| *is_stated)
            && let Some((missing, _)) = stated.iter().find(|(_, is_stated)| !is_stated)
        {
            return Err(ChannelUriError::IncompletePosition { missing });
        }
        match self.initial_position() {
            Some(start) if start.term_id.wrapping_count_since(start.initial_term_id) < 0 => {
                Err(ChannelUriError::Conflict {
                    key: "term-id",
                    found: start.term_id.get().into(),
                    problem: format!(
                        "is before init-term-id={}, or 2^31 terms and more after it",
                        start.initial_term_id
                    ),
                })
            }
            _ => Ok(()),
        }
    }

    fn check_mtu(&self, mtu: Mtu) -> Result<(), ChannelUriError> {
        match self.pub_wnd {
            Some(window) if window < mtu.get().unsigned_abs().into() => Err(ChannelUriError::Conflict {
                key: "pub-wnd",
                found: window as i64,
                problem: format!("is less than the MTU, {mtu}"),
            }),
            _ => Ok(()),
        }
    }

    fn check_term_length(&self, term_length: TermLength) -> Result<(), ChannelUriError> {
        let half = u64::from(term_length.get().unsigned_abs() / 2);
        if let Some(window) = self.pub_wnd.filter(|window| *window > half) {
            let problem = format!("is more than half the term length, {term_length}");
            return Err(ChannelUriError::Conflict { key: "pub-wnd", found: window as i64, problem });
        }
        if let Some(offset) = self.term_offset.filter(|offset| *offset > term_length.get()) {
            let problem = format!("is more than the term length, {term_length}");
            return Err(ChannelUriError::Conflict { key: "term-offset", found: offset.into(), problem });
        }
        Ok(())
    }

    fn check_timestamps(&self) -> Result<(), ChannelUriError> {
        let stamps = [
            ("media-rcv-ts-offset", self.media_rcv_ts_offset),
            ("channel-rcv-ts-offset", self.channel_rcv_ts_offset),
            ("channel-snd-ts-offset", self.channel_snd_ts_offset),
        ];
        for (index, (key, stamp)) in stamps.iter().enumerate() {
            for (other_key, other) in &stamps[..index] {
                if let (Some(stamp), Some(other)) = (stamp, other)
                    && stamp.in_payload().abs_diff(other.in_payload()) < TIMESTAMP_LENGTH.unsigned_abs()
                {
                    let problem = format!("overlaps {other_key}");
                    return Err(ChannelUriError::Conflict { key, found: stamp.in_payload(), problem });
                }
            }
        }
        Ok(())
    }
}

fn read<F: Form>(key: &'static str, text: Option<&str>) -> Result<Option<F::Value>, ChannelUriError> {
    text.map(|text| F::read(text).ok_or_else(|| F::refusal(key, text))).transpose()
}
