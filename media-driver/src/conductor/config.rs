//! The conductor's configuration: plain values that were checked when the driver's settings were read. Each group
//! belongs to the part of the conductor that uses it.

use std::path::PathBuf;

use gannet::channel_uri::{CongestionControl, FlowControlStrategy, Group};
use gannet::types::{Mtu, TermLength};

use crate::mailbox::CubicConfig;
use crate::resolver::ResolverConfig;

/// The conductor's settings. [`ConductorConfig::default`] has the reference's values, with the current directory.
#[derive(Clone, Debug)]
pub struct ConductorConfig {
    /// The interval of timer ticks and heartbeats, in nanoseconds (`aeron.timer.interval`).
    pub timer_interval_ns: i64,
    /// The client liveness timeout, in nanoseconds (`aeron.client.liveness.timeout`).
    pub client_liveness_timeout_ns: i64,
    /// How long a rejected IPC publication admits no subscriber, in nanoseconds (`aeron.image.liveness.timeout`).
    pub image_liveness_timeout_ns: i64,
    /// Duty cycles that take longer than this are counted, in nanoseconds (`aeron.driver.conductor.cycle.threshold`).
    pub cycle_threshold_ns: i64,
    /// The lowest session id that the driver never chooses (`aeron.publication.reserved.session.id.low`).
    pub reserved_session_id_low: i32,
    /// The highest session id that the driver never chooses (`aeron.publication.reserved.session.id.high`).
    pub reserved_session_id_high: i32,
    /// Which clients may terminate the driver.
    pub termination: TerminationPolicy,
    /// The seed of random choices: session ids and initial term ids.
    pub seed: u64,
    /// Defaults of publications whose channels do not state them.
    pub publications: PublicationDefaults,
    /// Defaults of subscriptions whose channels do not state them.
    pub subscriptions: SubscriptionDefaults,
    /// The settings of log files.
    pub logs: LogConfig,
    /// Defaults of network streams whose channels do not state them.
    pub network: NetworkDefaults,
    /// The settings of name resolution.
    pub resolver: ResolverConfig,
    /// Name resolutions that take longer than this are counted, in nanoseconds (`aeron.name.resolver.threshold`).
    pub name_resolver_threshold_ns: i64,
    /// The limits of resources.
    pub capacity: Capacity,
}

/// Defaults of network streams whose channels do not state them.
#[derive(Clone, Debug)]
pub struct NetworkDefaults {
    /// `aeron.term.buffer.length`.
    pub term_length: TermLength,
    /// `aeron.mtu.length`.
    pub mtu: Mtu,
    /// The sockets' send buffer in bytes. 0 leaves it to the operating system (`aeron.socket.so_sndbuf`).
    pub send_buffer: u64,
    /// The sockets' receive buffer in bytes. 0 leaves it to the operating system (`aeron.socket.so_rcvbuf`).
    pub receive_buffer: u64,
    /// In bytes. 0 means half a term (`aeron.publication.term.window.length`).
    pub publication_window: i32,
    /// In bytes (`aeron.rcv.initial.window.length`).
    pub initial_window: i32,
    /// How long receivers may be silent before a publication is no longer connected, in nanoseconds
    /// (`aeron.publication.connection.timeout`).
    pub connection_timeout_ns: i64,
    /// The maximum interval between a receiver's status messages, in nanoseconds (`aeron.rcv.status.message.timeout`).
    pub status_message_timeout_ns: i64,
    /// The maximum number of datagrams of a publication per duty cycle
    /// (`aeron.network.publication.max.messages.per.send`).
    pub max_datagrams_per_cycle: usize,
    /// The flow control of multicast (`aeron.multicast.FlowControl.supplier`).
    pub multicast_flow_control: FlowControlStrategy,
    /// In nanoseconds (`aeron.flow.control.receiver.timeout`).
    pub receiver_timeout_ns: i64,
    /// `aeron.flow.control.group.min.size`.
    pub group_min_size: i32,
    /// `aeron.flow.control.group.tag`.
    pub flow_control_group_tag: i64,
    /// `aeron.receiver.group.tag`.
    pub receiver_group_tag: Option<i64>,
    /// `aeron.unicast.flow.control.rrwm`.
    pub unicast_retransmit_windows: i64,
    /// `aeron.multicast.flow.control.rrwm`.
    pub group_retransmit_windows: i64,
    /// In nanoseconds (`aeron.retransmit.unicast.delay`).
    pub retransmit_delay_ns: i64,
    /// In nanoseconds (`aeron.retransmit.unicast.linger`).
    pub retransmit_linger_ns: i64,
    /// `aeron.max.resend`.
    pub max_resend: u16,
    /// `aeron.reliable.stream`.
    pub reliable: bool,
    /// `aeron.receiver.group.consideration`.
    pub group: Group,
    /// `aeron.CongestionControl.supplier`.
    pub congestion_control: CongestionControl,
    /// `aeron.CubicCongestionControl.*`.
    pub cubic: CubicConfig,
    /// In nanoseconds (`aeron.nak.unicast.delay`).
    pub nak_delay_ns: i64,
    /// `aeron.nak.unicast.retry.delay.ratio`.
    pub nak_retry_ratio: i64,
    /// `aeron.nak.multicast.group.size`.
    pub nak_group_size: i32,
    /// In nanoseconds (`aeron.nak.multicast.max.backoff`).
    pub nak_max_backoff_ns: i64,
    /// The maximum number of images per stream of an endpoint (`aeron.driver.stream.session.limit`).
    pub session_limit: usize,
    /// The interval at which names are resolved again, in nanoseconds. 0 for never
    /// (`aeron.driver.reresolution.check.interval`).
    pub re_resolution_interval_ns: i64,
    /// The lowest and the highest port for publications whose control address has port 0. If both are 0, the operating
    /// system chooses (`aeron.sender.wildcard.port.range`).
    pub sender_ports: (u16, u16),
    /// The lowest and the highest port for subscriptions and their destinations (`aeron.receiver.wildcard.port.range`).
    pub receiver_ports: (u16, u16),
}

impl Default for NetworkDefaults {
    fn default() -> Self {
        Self {
            term_length: TermLength::new(16 << 20).expect("a power of two"),
            mtu: Mtu::DEFAULT,
            send_buffer: 0,
            receive_buffer: 0,
            publication_window: 0,
            initial_window: 128 << 10,
            connection_timeout_ns: 5_000_000_000,
            status_message_timeout_ns: 200_000_000,
            max_datagrams_per_cycle: 4,
            multicast_flow_control: FlowControlStrategy::Max,
            receiver_timeout_ns: 5_000_000_000,
            group_min_size: 0,
            flow_control_group_tag: -1,
            receiver_group_tag: None,
            unicast_retransmit_windows: 16,
            group_retransmit_windows: 4,
            retransmit_delay_ns: 0,
            retransmit_linger_ns: 10_000_000,
            max_resend: 16,
            reliable: true,
            group: Group::Infer,
            congestion_control: CongestionControl::Static,
            cubic: CubicConfig::default(),
            nak_delay_ns: 1_000,
            nak_retry_ratio: 100,
            nak_group_size: 10,
            nak_max_backoff_ns: 10_000_000,
            session_limit: i32::MAX as usize,
            re_resolution_interval_ns: 1_000_000_000,
            sender_ports: (0, 0),
            receiver_ports: (0, 0),
        }
    }
}

/// Defaults of publications whose channels do not state them.
#[derive(Clone, Debug)]
pub struct PublicationDefaults {
    /// `aeron.ipc.term.buffer.length`.
    pub ipc_term_length: TermLength,
    /// `aeron.ipc.mtu.length`.
    pub ipc_mtu: Mtu,
    /// In bytes. 0 means half a term, which is also the maximum (`aeron.ipc.publication.term.window.length`).
    pub ipc_window: i32,
    /// In nanoseconds. IPC publications do not linger, but their logs contain this value
    /// (`aeron.publication.linger.timeout`).
    pub linger_timeout_ns: i64,
    /// How long a claim may be open before the stream is unblocked, in nanoseconds
    /// (`aeron.publication.unblock.timeout`).
    pub unblock_timeout_ns: i64,
    /// How long an untethered subscriber may exert back pressure before it is released, in nanoseconds
    /// (`aeron.untethered.window.limit.timeout`).
    pub untethered_window_limit_timeout_ns: i64,
    /// How long a released subscriber lingers, in nanoseconds. `None` for the same time as above
    /// (`aeron.untethered.linger.timeout`).
    pub untethered_linger_timeout_ns: Option<i64>,
    /// How long a released subscriber rests, in nanoseconds (`aeron.untethered.resting.timeout`).
    pub untethered_resting_timeout_ns: i64,
    /// `aeron.spies.simulate.connection`.
    pub spies_simulate_connection: bool,
    /// Whether the pages of a log are mapped on first use. Its space is reserved in either case
    /// (`aeron.term.buffer.sparse.file`).
    pub sparse: bool,
}

/// Defaults of subscriptions whose channels do not state them.
#[derive(Clone, Debug)]
pub struct SubscriptionDefaults {
    /// Whether subscribers exert back pressure (`aeron.tether.subscriptions`).
    pub tether: bool,
    /// Whether an untethered subscriber may rejoin (`aeron.rejoin.stream`).
    pub rejoin: bool,
}

/// The settings of log files.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// The directory `publications` within the driver's directory. Absolute, because clients get its path.
    pub directory: PathBuf,
    /// The directory `images`, for the logs of images. Also absolute.
    pub images: PathBuf,
    /// The permission bits of a log file.
    pub mode: u32,
    /// The page size to which the length of log files is rounded up, in bytes (`aeron.file.page.size`).
    pub page_size: i32,
    /// The free space of the file system at which the driver warns, in bytes
    /// (`aeron.low.file.store.warning.threshold`). `None` if it never does (`aeron.perform.storage.checks`).
    pub low_space_warning: Option<u64>,
    /// The maximum number of logs that are passed on for deletion per duty cycle (`aeron.driver.resource.free.limit`).
    pub deletions_per_cycle: usize,
    /// The operating system's default send buffer in bytes, which logs contain for monitoring.
    pub default_socket_sndbuf: i32,
    /// The operating system's default receive buffer in bytes, which logs contain for monitoring.
    pub default_socket_rcvbuf: i32,
}

/// The limits of resources. A command beyond a limit is refused with an error. Other resources are limited by the
/// counters, of which each client takes one and each publication two.
#[derive(Clone, Debug)]
pub struct Capacity {
    /// The maximum number of clients (`gannet.max.clients`).
    pub clients: usize,
    /// The maximum number of publication logs, including those that are draining or waiting for deletion
    /// (`gannet.max.publications`).
    pub publications: usize,
    /// The maximum number of clients' publication handles. A shared publication has several
    /// (`gannet.max.publication.links`).
    pub publication_links: usize,
    /// The maximum number of subscriptions (`gannet.max.subscriptions`).
    pub subscriptions: usize,
    /// The maximum number of bytes in the logs of all images (`gannet.max.image.bytes`).
    pub image_bytes: u64,
}

/// Which clients may terminate the driver (`aeron.driver.termination.validator`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TerminationPolicy {
    /// None.
    Deny,
    /// All.
    Allow,
    /// Those that send this token.
    Token(Box<[u8]>),
}

impl TerminationPolicy {
    /// Whether a request with this token is permitted.
    pub fn permits(&self, token: &[u8]) -> bool {
        match self {
            Self::Deny => false,
            Self::Allow => true,
            // Always compares the whole token, so that the duration does not reveal how much of it was right.
            Self::Token(expected) => {
                expected.len() == token.len()
                    && expected.iter().zip(token).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
            }
        }
    }

    /// The error message for a request that is not permitted. `gannet terminate` recognises it by the property's name.
    pub(super) const fn refusal(&self) -> &'static str {
        match self {
            Self::Token(_) => {
                "refused, as aeron.driver.termination.validator is 'token' and the token is not the driver's"
            }
            _ => {
                "refused, as aeron.driver.termination.validator is 'deny'; with 'allow' or 'token' the driver grants it"
            }
        }
    }
}

const SECOND_NS: i64 = 1_000_000_000;

impl Default for ConductorConfig {
    fn default() -> Self {
        Self {
            timer_interval_ns: SECOND_NS,
            client_liveness_timeout_ns: 10 * SECOND_NS,
            image_liveness_timeout_ns: 10 * SECOND_NS,
            cycle_threshold_ns: SECOND_NS / 10,
            reserved_session_id_low: -1,
            reserved_session_id_high: 1000,
            termination: TerminationPolicy::Deny,
            seed: 0,
            network: NetworkDefaults::default(),
            resolver: ResolverConfig::default(),
            name_resolver_threshold_ns: 5 * SECOND_NS,
            publications: PublicationDefaults::default(),
            subscriptions: SubscriptionDefaults::default(),
            logs: LogConfig::default(),
            capacity: Capacity::default(),
        }
    }
}

impl Default for PublicationDefaults {
    fn default() -> Self {
        const IPC_TERM_LENGTH: TermLength = match TermLength::new(64 << 20) {
            Ok(length) => length,
            Err(_) => unreachable!(),
        };
        const IPC_MTU: Mtu = match Mtu::new(1408) {
            Ok(mtu) => mtu,
            Err(_) => unreachable!(),
        };
        Self {
            ipc_term_length: IPC_TERM_LENGTH,
            ipc_mtu: IPC_MTU,
            ipc_window: 0,
            linger_timeout_ns: 5 * SECOND_NS,
            unblock_timeout_ns: 15 * SECOND_NS,
            untethered_window_limit_timeout_ns: 5 * SECOND_NS,
            untethered_linger_timeout_ns: None,
            untethered_resting_timeout_ns: 10 * SECOND_NS,
            spies_simulate_connection: false,
            sparse: true,
        }
    }
}

impl Default for SubscriptionDefaults {
    fn default() -> Self {
        Self { tether: true, rejoin: true }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("publications"),
            images: PathBuf::from("images"),
            mode: 0o600,
            page_size: 4096,
            low_space_warning: Some(160 << 20),
            deletions_per_cycle: 1,
            default_socket_sndbuf: 0,
            default_socket_rcvbuf: 0,
        }
    }
}

impl Default for Capacity {
    fn default() -> Self {
        Self {
            clients: 4096,
            publications: 16_384,
            publication_links: 65_536,
            subscriptions: 65_536,
            image_bytes: u64::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_must_be_right_in_full() {
        assert!(!TerminationPolicy::Deny.permits(b""));
        assert!(TerminationPolicy::Allow.permits(b"anything"));
        let token = TerminationPolicy::Token(Box::from(*b"secret"));
        assert!(token.permits(b"secret"));
        for wrong in [&b"secre"[..], b"secret ", b"Secret", b""] {
            assert!(!token.permits(wrong));
        }
    }
}
