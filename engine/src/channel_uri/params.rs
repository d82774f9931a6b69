//! The parameters of a channel in one table: key, field, form of the value, and which of two duplicates counts.

use super::ChannelUriError;
use super::address::{AddressForm, HostAndPort, Interface, InterfaceForm};
use super::flow_control::{FlowControl, FlowControlForm};
use super::form::{Bool, Byte, Duration, Form, Free, Int64, Size, TimeToLive};
use super::values::{
    AtsForm, CongestionControl, CongestionControlForm, ControlMode, ControlModeForm, Group, GroupForm, MaxResendForm,
    MtuForm, ResponseCorrelation, ResponseForm, SessionForm, SessionSelector, StreamIdForm, TIMESTAMP_LENGTH, Tags,
    TagsForm, TermIdForm, TermLengthForm, TermOffsetForm, TimestampForm, TimestampOffset,
};
use crate::types::{Mtu, StreamId, TermId, TermLength};

/// Which of two parameters with one key counts.
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

    /// The value that counts for `key`.
    pub(super) fn of<'a>(self, key: &str, pairs: &[(&'a str, &'a str)]) -> Option<&'a str> {
        let is_it = |pair: &&(&str, &str)| pair.0 == key;
        let pair = match self {
            Self::First => pairs.iter().find(is_it),
            Self::Last => pairs.iter().rfind(is_it),
        };
        pair.map(|pair| pair.1)
    }

    /// Whether the pair at `index` counts for its key.
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
        /// The parameters of a channel, typed. What is not stated is `None`, and its default is for the driver to know.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct ChannelParams {
            $($(#[$doc])* pub $field: Option<$value>,)+
        }

        /// Every key with a meaning, in canonical order.
        pub(super) const TABLE: &[(&str, Winner)] = &[$(($key, Winner::$winner),)+];

        impl ChannelParams {
            /// Reads every parameter and checks those that belong together against each other.
            pub(super) fn read(pairs: &[(&str, &str)]) -> Result<Self, ChannelUriError> {
                let params = Self { $($field: read::<$form>($key, Winner::$winner.of($key, pairs))?,)+ };
                params.check()?;
                Ok(params)
            }
        }
    };
}

parameters! {
    /// Where a publication sends to; where a subscription listens, or the group it joins.
    endpoint: HostAndPort = "endpoint", AddressForm, Last;
    /// A publication's own address, where receivers register; or the one that a subscription registers with.
    control: HostAndPort = "control", AddressForm, Last;
    /// Who says where a publication sends to, or what a subscription receives from.
    control_mode: ControlMode = "control-mode", ControlModeForm, Last;
    /// Names by which channels and publications refer to each other.
    tags: Tags = "tags", TagsForm, Last;
    /// The local interface.
    interface: Interface = "interface", InterfaceForm, Last;
    /// The time to live of multicast datagrams.
    ttl: u8 = "ttl", TimeToLive, Last;
    /// What people call the channel.
    alias: String = "alias", Free, First;
    /// The longest datagram, with the frame header.
    mtu: Mtu = "mtu", MtuForm, First;
    /// The length of each of the log's three terms.
    term_length: TermLength = "term-length", TermLengthForm, First;
    /// The id of the stream's first term. Stated together with `term_id` and `term_offset`, or not at all.
    init_term_id: TermId = "init-term-id", TermIdForm, First;
    /// The term that the publication starts in; not before the first.
    term_id: TermId = "term-id", TermIdForm, First;
    /// Where in that term the publication starts, in bytes: a multiple of 32, and at most the term length.
    term_offset: i32 = "term-offset", TermOffsetForm, First;
    /// A publication's session, or the one session that a subscription takes.
    session_id: SessionSelector = "session-id", SessionForm, First;
    /// The stream, which the command states as well.
    stream_id: StreamId = "stream-id", StreamIdForm, First;
    /// How long a drained network publication stays, in nanoseconds.
    linger_ns: i64 = "linger", Duration, First;
    /// Whether the end of a publication is signalled to its receivers.
    eos: bool = "eos", Bool, First;
    /// Whether log files are sparse.
    sparse: bool = "sparse", Bool, First;
    /// Whether loss is repaired; otherwise gaps are skipped.
    reliable: bool = "reliable", Bool, First;
    /// Whether the subscriber holds the stream back, however slow it is.
    tether: bool = "tether", Bool, First;
    /// Whether a new image is taken after one was lost.
    rejoin: bool = "rejoin", Bool, First;
    /// Whether a publication counts as connected through its spies.
    ssc: bool = "ssc", Bool, First;
    /// Whether receivers reckon with others when they report loss.
    group: Group = "group", GroupForm, First;
    /// How a publication with many receivers is paced.
    fc: FlowControl = "fc", FlowControlForm, First;
    /// The group that a receiver belongs to.
    gtag: i64 = "gtag", Int64, First;
    /// How a receiver sizes its window.
    cc: CongestionControl = "cc", CongestionControlForm, First;
    /// Whether the transport is secured. Always `false` when stated: it cannot be.
    ats: bool = "ats", AtsForm, First;
    /// The socket's send buffer, in bytes.
    so_sndbuf: u64 = "so-sndbuf", Size, First;
    /// The socket's receive buffer, in bytes.
    so_rcvbuf: u64 = "so-rcvbuf", Size, First;
    /// The IP type of service.
    so_tos: u8 = "so-tos", Byte, First;
    /// The receiver's window, in bytes.
    rcv_wnd: u64 = "rcv-wnd", Size, First;
    /// The publication's window, in bytes: at least the MTU, and at most half a term.
    pub_wnd: u64 = "pub-wnd", Size, First;
    /// Where the time at which the network received a datagram is written.
    media_rcv_ts_offset: TimestampOffset = "media-rcv-ts-offset", TimestampForm, First;
    /// Where the time at which the receiver received a datagram is written.
    channel_rcv_ts_offset: TimestampOffset = "channel-rcv-ts-offset", TimestampForm, First;
    /// Where the time at which the sender sent a datagram is written.
    channel_snd_ts_offset: TimestampOffset = "channel-snd-ts-offset", TimestampForm, First;
    /// The subscription or image that a publication answers.
    response_correlation_id: ResponseCorrelation = "response-correlation-id", ResponseForm, First;
    /// Where an archive is to answer; of no meaning to drivers.
    response_endpoint: String = "response-endpoint", Free, First;
    /// How long a unicast receiver waits before it reports loss, in nanoseconds.
    nak_delay_ns: i64 = "nak-delay", Duration, First;
    /// After how long an untethered subscriber that holds the stream back is let go, in nanoseconds.
    untethered_window_limit_timeout_ns: i64 = "untethered-window-limit-timeout", Duration, First;
    /// For how long it then still counts, in nanoseconds. 0 is as if not stated.
    untethered_linger_timeout_ns: i64 = "untethered-linger-timeout", Duration, First;
    /// After how long it may then join again, in nanoseconds.
    untethered_resting_timeout_ns: i64 = "untethered-resting-timeout", Duration, First;
    /// How many retransmissions may be pending at once, from 1 to 256.
    max_resend: u16 = "max-resend", MaxResendForm, First;
}

/// Where a publication starts when it does not start anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InitialPosition {
    /// The id of the stream's first term.
    pub initial_term_id: TermId,
    /// The term that the publication starts in.
    pub term_id: TermId,
    /// Where in that term, in bytes: a multiple of 32. Checked against a stated term length only.
    pub term_offset: i32,
}

impl ChannelParams {
    /// Where a publication starts, if that is stated.
    pub fn initial_position(&self) -> Option<InitialPosition> {
        Some(InitialPosition {
            initial_term_id: self.init_term_id?,
            term_id: self.term_id?,
            term_offset: self.term_offset?,
        })
    }

    /// Checks what depends on the MTU and the term length, with those that the publication is going to have: the stated
    /// ones, or else the driver's. Parsing has done so only as far as they are stated.
    ///
    /// # Errors
    ///
    /// [`ChannelUriError::Conflict`] when the window is less than the MTU or more than half a term, or when the starting
    /// offset is beyond the term.
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
