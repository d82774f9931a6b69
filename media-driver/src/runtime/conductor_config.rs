//! Builds the conductor's configuration from the driver's: durations in nanoseconds, paths, and values of the operating
//! system. Called once, at start.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use gannet::channel_uri::{CongestionControl, FlowControlStrategy, Group};

use crate::conductor::{
    Capacity, ConductorConfig, LogConfig, NetworkDefaults, PublicationDefaults, SubscriptionDefaults, TerminationPolicy,
};
use crate::config::{
    ByteLength, CongestionControlName, DriverConfig, FlowControlName, Inferable, PortRange, TerminationValidator,
};
use crate::io::directory::DriverDirectory;
use crate::io::socket_defaults::SocketDefaults;
use crate::mailbox::CubicConfig;
use crate::resolver::ResolverConfig;

/// The conductor's configuration, from a validated driver configuration.
pub(super) fn conductor_config(
    config: &DriverConfig,
    directory: &DriverDirectory,
    sockets: SocketDefaults,
    resolver: ResolverConfig,
) -> ConductorConfig {
    let DriverConfig { terms, timeouts, streams, process, capacity, .. } = config;
    ConductorConfig {
        timer_interval_ns: ns(timeouts.timer_interval),
        client_liveness_timeout_ns: ns(timeouts.client_liveness),
        image_liveness_timeout_ns: ns(timeouts.image_liveness),
        cycle_threshold_ns: ns(timeouts.conductor_cycle_threshold),
        reserved_session_id_low: streams.reserved_session_id_low.get(),
        reserved_session_id_high: streams.reserved_session_id_high.get(),
        termination: match process.termination_validator {
            TerminationValidator::Deny => TerminationPolicy::Deny,
            TerminationValidator::Allow => TerminationPolicy::Allow,
            TerminationValidator::Token => TerminationPolicy::Token(process.termination_token.as_bytes().into()),
        },
        seed: random_seed(),
        publications: PublicationDefaults {
            ipc_term_length: terms.ipc_term_length,
            ipc_mtu: terms.ipc_mtu,
            // At most 1 GiB, as limited by the table.
            ipc_window: terms
                .ipc_publication_window
                .map_or(0, |window| i32::try_from(window.get()).unwrap_or(i32::MAX)),
            linger_timeout_ns: ns(timeouts.publication_linger),
            unblock_timeout_ns: ns(timeouts.publication_unblock),
            untethered_window_limit_timeout_ns: ns(timeouts.untethered_window_limit),
            untethered_linger_timeout_ns: timeouts.untethered_linger.map(ns),
            untethered_resting_timeout_ns: ns(timeouts.untethered_resting),
            spies_simulate_connection: streams.spies_simulate_connection,
            sparse: terms.sparse,
        },
        network: network_defaults(config),
        resolver,
        name_resolver_threshold_ns: ns(timeouts.name_resolver_threshold),
        subscriptions: SubscriptionDefaults { tether: streams.tether, rejoin: streams.rejoin },
        logs: LogConfig {
            directory: directory.publications(),
            images: directory.images(),
            mode: directory.file_mode(),
            // At most 1 GiB, as limited by the table.
            page_size: i32::try_from(config.directory.file_page_size.get()).unwrap_or(4096),
            low_space_warning: config
                .directory
                .perform_storage_checks
                .then_some(config.directory.low_file_store_warning_threshold.get()),
            deletions_per_cycle: process.resource_free_limit as usize,
            default_socket_sndbuf: sockets.sndbuf,
            default_socket_rcvbuf: sockets.rcvbuf,
        },
        capacity: Capacity {
            clients: capacity.clients as usize,
            publications: capacity.publications as usize,
            publication_links: capacity.publication_links as usize,
            subscriptions: capacity.subscriptions as usize,
            image_bytes: match capacity.image_bytes.get() {
                0 => directory.file_system_bytes().map_or(u64::MAX, |bytes| bytes / 8 * 7),
                bytes => bytes,
            },
        },
    }
}

/// In the reference, a message is one datagram. Here a message may be many datagrams, into which the kernel splits it.
const DATAGRAMS_PER_MESSAGE: usize = 16;

/// The defaults of network streams.
fn network_defaults(config: &DriverConfig) -> NetworkDefaults {
    let DriverConfig { terms, timeouts, streams, network, resolver, .. } = config;
    // All of these are below 2^31, as limited by the table.
    let bytes = |length: ByteLength| i32::try_from(length.get()).unwrap_or(i32::MAX);
    let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    NetworkDefaults {
        term_length: terms.term_length,
        mtu: terms.mtu,
        send_buffer: network.so_sndbuf.map_or(0, ByteLength::get),
        receive_buffer: network.so_rcvbuf.map_or(0, ByteLength::get),
        publication_window: terms.publication_window.map_or(0, bytes),
        initial_window: bytes(network.initial_window),
        connection_timeout_ns: ns(timeouts.publication_connection),
        status_message_timeout_ns: ns(streams.status_message_timeout),
        max_datagrams_per_cycle: network.publication_max_messages_per_send as usize * DATAGRAMS_PER_MESSAGE,
        receiver_timeout_ns: ns(streams.flow_control_receiver_timeout),
        group_min_size: number(streams.flow_control_group_min_size),
        flow_control_group_tag: streams.flow_control_group_tag,
        receiver_group_tag: streams.receiver_group_tag,
        unicast_retransmit_windows: streams.unicast_retransmit_window_multiple.into(),
        group_retransmit_windows: streams.multicast_retransmit_window_multiple.into(),
        retransmit_delay_ns: ns(streams.retransmit_unicast_delay),
        retransmit_linger_ns: ns(streams.retransmit_unicast_linger),
        max_resend: streams.max_resend as u16,
        reliable: streams.reliable,
        group: match streams.receiver_group {
            Inferable::True => Group::ForceTrue,
            Inferable::False => Group::ForceFalse,
            Inferable::Infer => Group::Infer,
        },
        multicast_flow_control: match streams.multicast_flow_control {
            FlowControlName::MulticastMin => FlowControlStrategy::Min,
            FlowControlName::MulticastTagged => FlowControlStrategy::Tagged,
            // As in the reference, the strategy of unicast channels is equivalent to that of the fastest receiver.
            FlowControlName::MulticastMax | FlowControlName::UnicastMax => FlowControlStrategy::Max,
        },
        congestion_control: match streams.congestion_control {
            CongestionControlName::Cubic => CongestionControl::Cubic,
            CongestionControlName::Default | CongestionControlName::Static => CongestionControl::Static,
        },
        cubic: CubicConfig {
            initial_rtt_ns: ns(streams.cubic_initial_rtt),
            measure_rtt: streams.cubic_measure_rtt,
            tcp_mode: streams.cubic_tcp_mode,
        },
        nak_delay_ns: ns(streams.nak_unicast_delay),
        nak_retry_ratio: i64::try_from(streams.nak_unicast_retry_delay_ratio).unwrap_or(i64::MAX),
        nak_group_size: number(streams.nak_multicast_group_size),
        nak_max_backoff_ns: ns(streams.nak_multicast_max_backoff),
        session_limit: streams.stream_session_limit as usize,
        re_resolution_interval_ns: ns(resolver.re_resolution_check_interval),
        sender_ports: ports(network.sender_wildcard_port_range),
        receiver_ports: ports(network.receiver_wildcard_port_range),
    }
}

/// The lowest and the highest port of a range. Both are 0 without a range.
fn ports(range: Option<PortRange>) -> (u16, u16) {
    range.map_or((0, 0), |range| (range.low, range.high))
}

/// The duration in nanoseconds, saturating.
pub(super) fn ns(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// Different for each driver, so that the session ids of consecutive drivers differ.
fn random_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}
