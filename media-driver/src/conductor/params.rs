//! The parameters of a channel, completed by the driver's defaults. The conductor calls this when a resource is added.
//! It only considers the channel and the defaults.

use gannet::channel_uri::{ChannelParams, ControlMode, InitialPosition, ResponseCorrelation, SessionSelector};
use gannet::types::{Mtu, Position, SessionId, TermId, TermLength};

use super::config::{PublicationDefaults, SubscriptionDefaults};
use super::error::CommandError;
use super::subscription_link::SessionChoice;
use crate::ipc::RESPONSE_PROTOTYPE;
use crate::shared::UntetheredTimeouts;

/// The value in a log that stands for no tag or correlation id.
pub(super) const NONE: i64 = -1;

/// The properties of a new IPC publication.
#[derive(Clone, Debug)]
pub(super) struct IpcPublicationParams {
    /// The longest frame.
    pub(super) mtu: Mtu,
    /// The length of each term.
    pub(super) term_length: TermLength,
    /// The publication window in bytes.
    pub(super) window: i32,
    /// Its initial position, if stated.
    pub(super) start: Option<Start>,
    /// Its session id, if stated.
    pub(super) session_id: Option<SessionId>,
    /// Its entity tag, or -1.
    pub(super) entity_tag: i64,
    /// The request to which it responds. -1 for none, -2 for a prototype.
    pub(super) response_correlation_id: i64,
    /// Only stored in its log. No effect for IPC.
    pub(super) linger_timeout_ns: i64,
    /// The timeouts of untethered subscribers.
    pub(super) untethered: UntetheredTimeouts,
    /// Whether the pages of its log are mapped on first use.
    pub(super) sparse: bool,
    /// Only stored in its log. No effect for IPC.
    pub(super) signal_eos: bool,
    /// Only stored in its log. No effect for IPC.
    pub(super) spies_simulate_connection: bool,
    /// The MTU, if stated.
    stated_mtu: Option<Mtu>,
    /// The term length, if stated.
    stated_term_length: Option<TermLength>,
    /// The initial position, if stated.
    stated_start: Option<InitialPosition>,
}

/// The initial position of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    /// The initial term id.
    pub(super) initial_term_id: TermId,
    /// The position.
    pub(super) position: Position,
}

/// The properties of an existing publication that a channel must match to share it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shared {
    pub(super) session_id: SessionId,
    pub(super) mtu: i64,
    pub(super) term_length: TermLength,
    pub(super) start: Start,
}

impl IpcPublicationParams {
    /// Reads the channel of an IPC publication.
    pub(super) fn read(params: &ChannelParams, defaults: &PublicationDefaults) -> Result<Self, CommandError> {
        let mtu = params.mtu.unwrap_or(defaults.ipc_mtu);
        let term_length = params.term_length.unwrap_or(defaults.ipc_term_length);
        params.check_sizes(mtu, term_length)?;
        let session_id = match params.session_id {
            Some(SessionSelector::Id(id)) => Some(id),
            Some(SessionSelector::Tag(tag)) => return Err(CommandError::UnknownSessionTag { tag }),
            None => None,
        };
        let response_correlation_id = match params.response_correlation_id {
            Some(ResponseCorrelation::Id(id)) => id,
            Some(ResponseCorrelation::Prototype) => RESPONSE_PROTOTYPE,
            None => NONE,
        };
        let start = params.initial_position().map(|at| start(at, term_length)).transpose()?;
        let half_term = term_length.get() / 2;
        let window = match params.pub_wnd {
            // At most half a term, as `check_sizes` has ensured.
            Some(window) => i32::try_from(window).unwrap_or(half_term),
            None if defaults.ipc_window > 0 => defaults.ipc_window.min(half_term),
            None => half_term,
        };
        Ok(Self {
            mtu,
            term_length,
            window,
            start,
            session_id,
            entity_tag: params.tags.and_then(|tags| tags.entity).unwrap_or(NONE),
            response_correlation_id,
            linger_timeout_ns: params.linger_ns.unwrap_or(defaults.linger_timeout_ns),
            untethered: untethered(params, defaults),
            sparse: params.sparse.unwrap_or(defaults.sparse),
            signal_eos: params.eos.unwrap_or(true),
            spies_simulate_connection: params.ssc.unwrap_or(defaults.spies_simulate_connection),
            stated_mtu: params.mtu,
            stated_term_length: params.term_length,
            stated_start: params.initial_position(),
        })
    }

    /// Checks the channel against the publication that it would share. Parameters that are not stated match.
    pub(super) fn check_shareable(&self, existing: &Shared) -> Result<(), CommandError> {
        fn check<T: PartialEq + Copy>(
            key: &'static str,
            stated: Option<T>,
            existing: T,
            show: impl Fn(T) -> i64,
        ) -> Result<(), CommandError> {
            match stated {
                Some(stated) if stated != existing => {
                    Err(CommandError::Mismatch { key, stated: show(stated), existing: show(existing) })
                }
                _ => Ok(()),
            }
        }
        check("session-id", self.session_id, existing.session_id, |id| id.get().into())?;
        check("mtu", self.stated_mtu.map(|mtu| i64::from(mtu.get())), existing.mtu, |mtu| mtu)?;
        check("term-length", self.stated_term_length, existing.term_length, |length| length.get().into())?;
        let initial_term_id = self.stated_start.map(|at| at.initial_term_id);
        check("init-term-id", initial_term_id, existing.start.initial_term_id, |id| id.get().into())?;
        // In terms of the existing length, because the channel need not state it.
        let position = self.stated_start.map(|at| position(at, existing.term_length));
        check("the position that term-id and term-offset give,", position, existing.start.position, Position::get)
    }
}

/// The timeouts of untethered subscribers, from the channel of a publication or of an image's subscription.
pub(super) fn untethered(params: &ChannelParams, defaults: &PublicationDefaults) -> UntetheredTimeouts {
    let window_limit_ns = params.untethered_window_limit_timeout_ns;
    let linger_ns = params.untethered_linger_timeout_ns.filter(|stated| *stated > 0);
    UntetheredTimeouts {
        window_limit_ns: window_limit_ns.unwrap_or(defaults.untethered_window_limit_timeout_ns),
        // If only the window limit timeout is stated, the linger timeout is the same.
        linger_ns: linger_ns
            .or(defaults.untethered_linger_timeout_ns)
            .or(window_limit_ns)
            .unwrap_or(defaults.untethered_window_limit_timeout_ns),
        resting_ns: params.untethered_resting_timeout_ns.unwrap_or(defaults.untethered_resting_timeout_ns),
    }
}

fn position(at: InitialPosition, term_length: TermLength) -> Position {
    term_length.position(at.term_id.wrapping_count_since(at.initial_term_id), at.term_offset)
}

fn start(at: InitialPosition, term_length: TermLength) -> Result<Start, CommandError> {
    let position = position(at, term_length);
    if position >= term_length.max_position() {
        return Err(CommandError::StartAtEnd { position });
    }
    Ok(Start { initial_term_id: at.initial_term_id, position })
}

/// The properties of a new IPC subscription.
#[derive(Clone, Copy, Debug)]
pub(super) struct IpcSubscriptionParams {
    /// The sessions that it wants.
    pub(super) session: SessionChoice,
    /// Whether it waits for the response to a request.
    pub(super) is_response: bool,
    /// Whether it exerts back pressure on its publishers.
    pub(super) tether: bool,
    /// Whether an untethered subscription may rejoin.
    pub(super) rejoin: bool,
}

impl IpcSubscriptionParams {
    /// Reads the channel of an IPC subscription.
    pub(super) fn read(params: &ChannelParams, defaults: &SubscriptionDefaults) -> Result<Self, CommandError> {
        let is_response = params.control_mode == Some(ControlMode::Response);
        let session = match params.session_id {
            Some(SessionSelector::Id(id)) => SessionChoice::Only(id),
            Some(SessionSelector::Tag(tag)) => return Err(CommandError::UnknownSessionTag { tag }),
            None if is_response => SessionChoice::Response,
            None => SessionChoice::Any,
        };
        Ok(Self {
            session,
            is_response,
            tether: params.tether.unwrap_or(defaults.tether),
            rejoin: params.rejoin.unwrap_or(defaults.rejoin),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gannet::channel_uri::ChannelUri;

    fn read(channel: &str) -> Result<IpcPublicationParams, CommandError> {
        let uri = ChannelUri::parse(channel).unwrap();
        IpcPublicationParams::read(uri.params(), &PublicationDefaults::default())
    }

    #[test]
    fn what_is_not_stated_is_the_drivers() {
        let params = read("aeron:ipc").unwrap();
        assert_eq!((params.mtu.get(), params.term_length.get(), params.window), (1408, 64 << 20, 32 << 20));
        assert_eq!((params.entity_tag, params.response_correlation_id), (-1, -1));
        assert_eq!(params.untethered.linger_ns, params.untethered.window_limit_ns);
        assert!(params.start.is_none() && params.session_id.is_none() && params.sparse && params.signal_eos);
    }

    #[test]
    fn a_configured_window_is_at_most_half_a_term() {
        let defaults = PublicationDefaults { ipc_window: 1 << 20, ..Default::default() };
        let window = |channel: &str| {
            IpcPublicationParams::read(ChannelUri::parse(channel).unwrap().params(), &defaults).unwrap().window
        };
        assert_eq!(window("aeron:ipc"), 1 << 20);
        assert_eq!(window("aeron:ipc?term-length=64k"), 32 << 10);
        assert_eq!(window("aeron:ipc?term-length=64k|pub-wnd=8k"), 8 << 10);
    }

    #[test]
    fn an_unstated_untethered_linger_is_as_long_as_the_window_limit() {
        let params = read("aeron:ipc?untethered-window-limit-timeout=500ms").unwrap();
        assert_eq!(params.untethered.linger_ns, 500_000_000);
        let params = read("aeron:ipc?untethered-linger-timeout=700ms").unwrap();
        assert_eq!((params.untethered.window_limit_ns, params.untethered.linger_ns), (5_000_000_000, 700_000_000));
    }

    #[test]
    fn a_start_position_is_in_terms_of_the_term_length() {
        let params = read("aeron:ipc?init-term-id=7|term-id=9|term-offset=128|term-length=128k").unwrap();
        let start = params.start.unwrap();
        assert_eq!((start.initial_term_id.get(), start.position.get()), (7, 262_272));
        let last = "aeron:ipc?init-term-id=0|term-id=2147483647|term-length=64k|term-offset=";
        assert!(read(&format!("{last}65472")).is_ok());
        let error = read(&format!("{last}65536")).unwrap_err();
        assert!(matches!(error, CommandError::StartAtEnd { .. }), "{error}");
    }

    #[test]
    fn a_tagged_session_needs_a_network_publication() {
        assert!(matches!(read("aeron:ipc?session-id=tag:7"), Err(CommandError::UnknownSessionTag { tag: 7 })));
    }

    #[test]
    fn sharing_compares_only_what_is_stated() {
        let existing = Shared {
            session_id: SessionId::new(5),
            mtu: 1408,
            term_length: TermLength::MIN,
            start: Start { initial_term_id: TermId::new(7), position: Position::new(131_200) },
        };
        let check = |rest: &str| {
            read(&format!("aeron:ipc?{rest}")).unwrap().check_shareable(&existing).map_err(|error| error.to_string())
        };
        for fine in [
            "alias=a",
            "session-id=5",
            "mtu=1408|term-length=64k",
            "init-term-id=7|term-id=9|term-offset=128|term-length=64k",
            "init-term-id=7|term-id=9|term-offset=128",
            "linger=1s|sparse=false|tags=4,5|pub-wnd=4k",
        ] {
            assert_eq!(check(fine), Ok(()), "{fine}");
        }
        for (bad, key) in [
            ("session-id=6", "session-id"),
            ("mtu=1344", "mtu"),
            ("term-length=128k", "term-length"),
            ("init-term-id=8|term-id=10|term-offset=128|term-length=64k", "init-term-id"),
            ("init-term-id=7|term-id=9|term-offset=0|term-length=64k", "term-offset"),
            ("init-term-id=7|term-id=8|term-offset=128|term-length=64k", "term-id"),
            ("init-term-id=7|term-id=8|term-offset=128", "term-id"),
        ] {
            let error = check(bad).unwrap_err();
            assert!(error.contains(key), "{bad}: {error}");
        }
    }

    #[test]
    fn a_response_subscription_waits_for_its_session() {
        let session = |channel: &str| {
            let uri = ChannelUri::parse(channel).unwrap();
            IpcSubscriptionParams::read(uri.params(), &SubscriptionDefaults::default()).unwrap().session
        };
        assert_eq!(session("aeron:ipc"), SessionChoice::Any);
        assert_eq!(session("aeron:ipc?session-id=-7"), SessionChoice::Only(SessionId::new(-7)));
        assert_eq!(session("aeron:ipc?control-mode=response"), SessionChoice::Response);
    }
}
