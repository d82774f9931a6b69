//! The conductor's configuration: plain values, which the reader of the driver's settings has checked. Each group goes
//! to the part of the conductor that uses it.

use std::path::PathBuf;

use gannet::channel_uri::{CongestionControl, FlowControlStrategy, Group};
use gannet::types::{Mtu, TermLength};

use crate::mailbox::CubicConfig;
use crate::resolver::ResolverConfig;

/// The conductor's settings. [`ConductorConfig::default`] gives the reference's values, in the current directory.
#[derive(Clone, Debug)]
pub struct ConductorConfig {
    /// How often timers are looked at and the heartbeat is stored, in nanoseconds (`aeron.timer.interval`).
    pub timer_interval_ns: i64,
    /// How long a client may be silent, in nanoseconds (`aeron.client.liveness.timeout`).
    pub client_liveness_timeout_ns: i64,
    /// How long an IPC publication admits no subscriber after it was rejected, in nanoseconds
    /// (`aeron.image.liveness.timeout`).
    pub image_liveness_timeout_ns: i64,
    /// A duty cycle that takes longer than this, in nanoseconds, is counted (`aeron.driver.conductor.cycle.threshold`).
    pub cycle_threshold_ns: i64,
    /// The session ids that are never given to a publication that states none: the lowest
    /// (`aeron.publication.reserved.session.id.low`).
    pub reserved_session_id_low: i32,
    /// The highest of them (`aeron.publication.reserved.session.id.high`).
    pub reserved_session_id_high: i32,
    /// Who may stop the driver.
    pub termination: TerminationPolicy,
    /// What the random choices start from: session ids, initial term ids.
    pub seed: u64,
    /// What publications are made of unless their channel says otherwise.
    pub publications: PublicationDefaults,
    /// What subscriptions are like unless their channel says otherwise.
    pub subscriptions: SubscriptionDefaults,
    /// Where and how logs are made.
    pub logs: LogConfig,
    /// What streams on the network are like unless their channel says otherwise.
    pub network: NetworkDefaults,
    /// How names are resolved before the operating system is asked.
    pub resolver: ResolverConfig,
    /// A look-up that takes longer than this, in nanoseconds, is counted (`aeron.name.resolver.threshold`).
    pub name_resolver_threshold_ns: i64,
    /// How much of everything there may be.
    pub capacity: Capacity,
}

/// What streams on the network are like unless their channel says otherwise.
#[derive(Clone, Debug)]
pub struct NetworkDefaults {
    /// `aeron.term.buffer.length`.
    pub term_length: TermLength,
    /// `aeron.mtu.length`.
    pub mtu: Mtu,
    /// What sockets buffer for sending, in bytes; 0 leaves it to the operating system (`aeron.socket.so_sndbuf`).
    pub send_buffer: u64,
    /// What sockets buffer for receiving, in bytes; 0 leaves it to the operating system (`aeron.socket.so_rcvbuf`).
    pub receive_buffer: u64,
    /// In bytes; 0 means half a term (`aeron.publication.term.window.length`).
    pub publication_window: i32,
    /// In bytes (`aeron.rcv.initial.window.length`).
    pub initial_window: i32,
    /// After how long a silent receiver counts as gone, in nanoseconds (`aeron.publication.connection.timeout`).
    pub connection_timeout_ns: i64,
    /// How often a receiver reports, in nanoseconds (`aeron.rcv.status.message.timeout`).
    pub status_message_timeout_ns: i64,
    /// How many datagrams of one publication are sent in one duty cycle
    /// (`aeron.network.publication.max.messages.per.send`).
    pub max_datagrams_per_cycle: usize,
    /// The strategy of groups (`aeron.multicast.FlowControl.supplier`).
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
    /// How many images one stream of an endpoint may have (`aeron.driver.stream.session.limit`).
    pub session_limit: usize,
    /// How often it is looked whether names lead elsewhere, in nanoseconds; 0 is never
    /// (`aeron.driver.reresolution.check.interval`).
    pub re_resolution_interval_ns: i64,
    /// The ports that publications with a control address of port 0 get, from the lowest to the highest; both 0 leave it to the
    /// operating system (`aeron.sender.wildcard.port.range`).
    pub sender_ports: (u16, u16),
    /// The same for subscriptions and their destinations (`aeron.receiver.wildcard.port.range`).
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

/// What publications are made of unless their channel says otherwise.
#[derive(Clone, Debug)]
pub struct PublicationDefaults {
    /// `aeron.ipc.term.buffer.length`.
    pub ipc_term_length: TermLength,
    /// `aeron.ipc.mtu.length`.
    pub ipc_mtu: Mtu,
    /// In bytes; 0 means half a term, which is also the most (`aeron.ipc.publication.term.window.length`).
    pub ipc_window: i32,
    /// In nanoseconds. IPC publications do not linger; their logs state it all the same
    /// (`aeron.publication.linger.timeout`).
    pub linger_timeout_ns: i64,
    /// How long a publisher may keep a claim before its stream is unblocked, in nanoseconds
    /// (`aeron.publication.unblock.timeout`).
    pub unblock_timeout_ns: i64,
    /// How long an untethered subscriber may be behind, in nanoseconds (`aeron.untethered.window.limit.timeout`).
    pub untethered_window_limit_timeout_ns: i64,
    /// How long it then still counts, in nanoseconds; as long as the above when not stated
    /// (`aeron.untethered.linger.timeout`).
    pub untethered_linger_timeout_ns: Option<i64>,
    /// How long it then stays away, in nanoseconds (`aeron.untethered.resting.timeout`).
    pub untethered_resting_timeout_ns: i64,
    /// `aeron.spies.simulate.connection`.
    pub spies_simulate_connection: bool,
    /// Whether the pages of a log are left to be faulted in by their first use; its space is reserved either way
    /// (`aeron.term.buffer.sparse.file`).
    pub sparse: bool,
}

/// What subscriptions are like unless their channel says otherwise.
#[derive(Clone, Debug)]
pub struct SubscriptionDefaults {
    /// Whether a subscriber holds its publishers back (`aeron.tether.subscriptions`).
    pub tether: bool,
    /// Whether an untethered one comes back after it fell behind (`aeron.rejoin.stream`).
    pub rejoin: bool,
}

/// Where and how logs are made.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// The directory `publications` of the driver's directory. Absolute, since its path travels to clients.
    pub directory: PathBuf,
    /// The directory `images`, for logs of images. Absolute, too.
    pub images: PathBuf,
    /// The permission bits of a log file, before the umask.
    pub mode: u32,
    /// What log files are padded to, in bytes (`aeron.file.page.size`).
    pub page_size: i32,
    /// A file system with less than this left, in bytes, is warned about
    /// (`aeron.low.file.store.warning.threshold`).
    pub low_space_warning: u64,
    /// How many logs are given to be deleted per duty cycle (`aeron.driver.resource.free.limit`).
    pub deletions_per_cycle: usize,
    /// The operating system's default socket buffers in bytes, which logs state for monitoring.
    pub default_socket_sndbuf: i32,
    /// As above, for receiving.
    pub default_socket_rcvbuf: i32,
}

/// How much of everything there may be. What would be one more is refused with an error; counters, of which each client
/// takes one and each publication two, bound the rest.
#[derive(Clone, Debug)]
pub struct Capacity {
    /// Clients (`gannet.max.clients`).
    pub clients: usize,
    /// Logs of publications, those that drain or wait to be deleted included (`gannet.max.publications`).
    pub publications: usize,
    /// Holds of clients on publications: shared ones are held several times (`gannet.max.publication.links`).
    pub publication_links: usize,
    /// Subscriptions (`gannet.max.subscriptions`).
    pub subscriptions: usize,
    /// Bytes of the logs of images together (`gannet.max.image.bytes`).
    pub image_bytes: u64,
}

/// Who may stop the driver by command (`aeron.driver.termination.validator`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TerminationPolicy {
    /// Nobody.
    Deny,
    /// Anybody.
    Allow,
    /// Whoever knows these bytes.
    Token(Box<[u8]>),
}

impl TerminationPolicy {
    /// Whether a request with this token is granted.
    pub fn permits(&self, token: &[u8]) -> bool {
        match self {
            Self::Deny => false,
            Self::Allow => true,
            // Compared in full whatever differs, so that the time taken says nothing about how much was right.
            Self::Token(expected) => {
                expected.len() == token.len()
                    && expected.iter().zip(token).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
            }
        }
    }

    /// What is said of a request that it does not grant. `gannet terminate` knows it by the name of the property.
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
            low_space_warning: 160 << 20,
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
