//! The one table of the driver's settings. The fields of [`DriverConfig`], their documentation and defaults, the names
//! for each source, the limits, and `docs/configuration.md` are made from it. A setting that is not in the table does
//! not exist. A setting in it is read, kept typed, and either acted on or reported at start as having no effect.
//!
//! Defaults are those of Aeron's driver; `profile.rs` has what Gannet's profiles change.

use std::path::PathBuf;
use std::time::Duration;

use gannet::types::{Mtu, SessionId, TermLength};

use super::property::{Effect, Limits, Property, Rule, set_field};
use super::value::{ByteLength, Cpu, Milliseconds, PortRange, Value};
use super::words::{
    CongestionControlName, DirectoryAccess, FlowControlName, IdleStrategyName, Inferable, NameResolverName, Profile,
    TerminationValidator, ThreadNaming, ThreadingMode, TransportName,
};

const AS_MANY_AS_THERE_ARE: Effect = Effect::Never("as many datagrams go in one call as are ready, up to 256");
const ONE_RECEIVER: Effect = Effect::Never("a unicast stream is paced by its one receiver");
const WHEN_DUE: Effect = Effect::Never("what is not urgent is done when it is due");
const TRIED_DIRECTLY: Effect = Effect::Never("set gannet.sockets.tried.directly instead");
const AS_MUCH_AS_THERE_IS: Effect = Effect::Never("every turn takes what there is, up to about 64 datagrams");
const PLUG_IN: Effect = Effect::Never("code built for the C driver cannot be loaded");
const EVENT_LOG: Effect = Effect::Never("the driver logs through its own log, see gannet.log");

const I31: i128 = i32::MAX as i128;
const I63: i128 = i64::MAX as i128;
const GIB: i128 = 1 << 30;
const MILLION: i128 = 1_000_000;
const MICROSECOND: i128 = 1_000;
const MILLISECOND: i128 = 1_000_000;

macro_rules! settings {
    ($(
        $(#[doc = $group_doc:literal])+
        $section:ident: $Group:ident {
            $(
                $(#[doc = $doc:literal])+
                $key:ident: $type:ty = $default:literal,
                    $property:literal / $variable:literal $(| $alias:literal)* $(, in $limits:expr)? $(, $effect:expr)?;
            )+
        }
    )+) => {
        $(
            $(#[doc = $group_doc])+
            #[derive(Clone, Debug, PartialEq)]
            pub struct $Group {
                $(
                    $(#[doc = $doc])+
                    #[doc = concat!("\n`", $property, "`, `", $variable, "`; default `", $default, "`.")]
                    pub $key: $type,
                )+
            }

            impl Default for $Group {
                fn default() -> Self {
                    Self { $($key: default_of($default)),+ }
                }
            }
        )+

        /// The settings of a driver: typed values, in groups by their owner.
        ///
        /// The default is the reference driver's, without a profile. [`super::Layers`] reads a configuration from its
        /// sources.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct DriverConfig {
            $($(#[doc = $group_doc])+ pub $section: $Group,)+
        }

        /// The groups in the order of the table, each with its description.
        pub(super) const SECTIONS: &[(&str, &str)] =
            &[$((stringify!($section), concat!($($group_doc),+))),+];

        /// Every setting, in the order of the reference page.
        pub static PROPERTIES: &[Property] = &[$($(
            Property {
                section: stringify!($section),
                key: stringify!($key),
                property: $property,
                variable: $variable,
                aliases: &[$($alias),*],
                default: $default,
                form: <$type as Value>::FORM,
                limits: settings!(@or Limits::NONE $(, $limits)?),
                effect: settings!(@or Effect::Now $(, $effect)?),
                doc: concat!($($doc, "\n"),+),
                set: |config, text, limits| set_field(&mut config.$section.$key, text, limits),
                show: |config| Value::show(&config.$section.$key),
            },
        )+)+];
    };
    (@or $default:expr) => { $default };
    (@or $default:expr, $stated:expr) => { $stated };
}

settings! {
    /// The driver directory: where it is, what happens to one that exists, who may use it.
    directory: Directory {
        /// The driver directory. By default `/dev/shm/aeron-<user>`, as for every client.
        dir: Option<PathBuf> = "", "aeron.dir" / "AERON_DIR";
        /// Warn at start when the directory already exists.
        warn_if_exists: bool = "false", "aeron.dir.warn.if.exists" / "AERON_DIR_WARN_IF_EXISTS";
        /// Empty an existing directory, whenever its driver was last alive. A directory that a running gannet-driver holds is
        /// refused in any case.
        delete_on_start: bool = "false", "aeron.dir.delete.on.start" / "AERON_DIR_DELETE_ON_START";
        /// Remove the directory when the driver stops.
        delete_on_shutdown: bool = "false", "aeron.dir.delete.on.shutdown" / "AERON_DIR_DELETE_ON_SHUTDOWN";
        /// Who besides the driver's user may use the driver: `private` gives directories 0700 and files 0600, `group` 0750
        /// and 0660. Clients of other users need `group` and must be in the driver's group: every client writes to the
        /// command file and to the logs.
        access: DirectoryAccess = "private", "gannet.dir.access" / "GANNET_DIR_ACCESS";
        /// How long the previous driver of a directory must have been silent before it counts as dead. Longer than
        /// `timer_interval`. Clients read the variable, too: they take milliseconds as a plain number only.
        driver_timeout: Milliseconds = "10000", "aeron.driver.timeout" / "AERON_DRIVER_TIMEOUT",
            in Limits::between(0, I63);
        /// The unit to which the lengths of the command file, the loss report and log files are rounded up. Values above 4 KiB are for file
        /// systems of huge pages.
        file_page_size: ByteLength = "4k", "aeron.file.page.size" / "AERON_FILE_PAGE_SIZE",
            in Limits::between(4 << 10, GIB).and(Rule::PowerOfTwo);
        /// Warn when a new log leaves little room in the directory's file system. A log for which there is no room is refused
        /// in any case: its space is reserved when it is made, so lack of room is an error and never a fault in a client.
        perform_storage_checks: bool = "true", "aeron.perform.storage.checks" / "AERON_PERFORM_STORAGE_CHECKS";
        /// Warn, in the error log, when a new log leaves this much room or less.
        low_file_store_warning_threshold: ByteLength = "160m",
            "aeron.low.file.store.warning.threshold" / "AERON_LOW_FILE_STORE_WARNING_THRESHOLD", in Limits::between(0, I63);
    }

    /// The regions of the command file, and the loss report.
    buffers: Buffers {
        /// The length of the ring buffer for clients' commands to the driver, including its 768-byte trailer.
        to_driver_length: ByteLength = "1049344", "aeron.conductor.buffer.length" / "AERON_CONDUCTOR_BUFFER_LENGTH",
            in Limits::between((1 << 20) + 768, I31).and(Rule::PowerOfTwoPlus(768));
        /// The length of the broadcast buffer for the driver's events to clients, including its 128-byte trailer.
        to_clients_length: ByteLength = "1048704", "aeron.clients.buffer.length" / "AERON_CLIENTS_BUFFER_LENGTH",
            in Limits::between((1 << 20) + 128, I31).and(Rule::PowerOfTwoPlus(128));
        /// The length of the buffer for the values of counters, 128 bytes each. Their metadata takes four times as much.
        counter_values_length: ByteLength = "8m", "aeron.counters.buffer.length" / "AERON_COUNTERS_BUFFER_LENGTH",
            in Limits::between(1 << 20, 500 << 20).and(Rule::MultipleOf(128));
        /// The length of the log of distinct errors.
        error_log_length: ByteLength = "4m", "aeron.error.buffer.length" / "AERON_ERROR_BUFFER_LENGTH",
            in Limits::between(4 << 20, I31).and(Rule::MultipleOf(64));
        /// The length of the loss report, which is a file of its own.
        loss_report_length: ByteLength = "1m", "aeron.loss.report.buffer.length" / "AERON_LOSS_REPORT_BUFFER_LENGTH",
            in Limits::between(1024, I31);
    }

    /// Terms, frames and publication windows.
    terms: Terms {
        /// The length of each of the three terms of a network publication's log.
        term_length: TermLength = "16m", "aeron.term.buffer.length" / "AERON_TERM_BUFFER_LENGTH",
            in Limits::between(64 << 10, GIB).and(Rule::PowerOfTwo);
        /// The length of each of the three terms of an IPC publication's log.
        ipc_term_length: TermLength = "64m", "aeron.ipc.term.buffer.length" / "AERON_IPC_TERM_BUFFER_LENGTH",
            in Limits::between(64 << 10, GIB).and(Rule::PowerOfTwo);
        /// Leave the pages of a new log to be faulted in on first use. When false, all pages of a new log are faulted in before
        /// its publication is ready: adding takes longer, and first use does not.
        sparse: bool = "true", "aeron.term.buffer.sparse.file" / "AERON_TERM_BUFFER_SPARSE_FILE";
        /// The greatest length of a datagram, and so of a frame on the network, including the frame's header.
        mtu: Mtu = "1408", "aeron.mtu.length" / "AERON_MTU_LENGTH",
            in Limits::between(Mtu::MIN.get() as i128, Mtu::MAX.get() as i128).and(Rule::MultipleOf(32));
        /// The greatest length of a frame of an IPC publication, including its header.
        ipc_mtu: Mtu = "1408", "aeron.ipc.mtu.length" / "AERON_IPC_MTU_LENGTH",
            in Limits::between(Mtu::MIN.get() as i128, Mtu::MAX.get() as i128).and(Rule::MultipleOf(32));
        /// How far a network publication's publishers may run ahead of its sender, and of its slowest spy; 0 is half a term,
        /// which is also the maximum.
        publication_window: Option<ByteLength> = "0",
            "aeron.publication.term.window.length" / "AERON_PUBLICATION_TERM_WINDOW_LENGTH", in Limits::between(0, GIB);
        /// How far an IPC publication may run ahead of its slowest subscriber; 0 is half a term, which is also the maximum.
        ipc_publication_window: Option<ByteLength> = "0",
            "aeron.ipc.publication.term.window.length" / "AERON_IPC_PUBLICATION_TERM_WINDOW_LENGTH",
            in Limits::between(0, GIB);
    }

    /// When something that is silent counts as gone, and how often the driver checks.
    timeouts: Timeouts {
        /// A client without a keepalive for this long counts as dead, and its resources are released. Longer than
        /// `timer_interval`.
        client_liveness: Duration = "10s", "aeron.client.liveness.timeout" / "AERON_CLIENT_LIVENESS_TIMEOUT",
            in Limits::between(MICROSECOND, I63);
        /// An image that receives nothing for this long is closed. Also how long a rejected IPC subscriber stays out.
        image_liveness: Duration = "10s", "aeron.image.liveness.timeout" / "AERON_IMAGE_LIVENESS_TIMEOUT",
            in Limits::between(MICROSECOND, I63);
        /// A publisher that leaves a claimed range unfinished for this long counts as dead, and the range is skipped. Longer
        /// than `client_liveness`.
        publication_unblock: Duration = "15s",
            "aeron.publication.unblock.timeout" / "AERON_PUBLICATION_UNBLOCK_TIMEOUT", in Limits::between(MICROSECOND, I63);
        /// A network publication whose receivers are silent for this long is no longer connected.
        publication_connection: Duration = "5s",
            "aeron.publication.connection.timeout" / "AERON_PUBLICATION_CONNECTION_TIMEOUT",
            in Limits::between(MICROSECOND, I63);
        /// How long a closed network publication stays, to answer requests for retransmission.
        publication_linger: Duration = "5s", "aeron.publication.linger.timeout" / "AERON_PUBLICATION_LINGER_TIMEOUT",
            in Limits::between(MICROSECOND, I63);
        /// How often the driver updates its heartbeat and checks for timeouts.
        timer_interval: Duration = "1s", "aeron.timer.interval" / "AERON_TIMER_INTERVAL",
            in Limits::between(MICROSECOND, I63);
        /// How long the record of a freed counter is not used again, since clients may still write to it.
        counter_free_to_reuse: Duration = "1s",
            "aeron.counters.free.to.reuse.timeout" / "AERON_COUNTERS_FREE_TO_REUSE_TIMEOUT", in Limits::between(0, I63);
        /// How long an untethered subscriber may hold a publication at its limit before it is set aside. Longer than
        /// `timer_interval`, like the next two.
        untethered_window_limit: Duration = "5s",
            "aeron.untethered.window.limit.timeout" / "AERON_UNTETHERED_WINDOW_LIMIT_TIMEOUT", in Limits::between(0, I63);
        /// How long an untethered subscriber that was set aside still counts, so that it can notice; `-1` for as long as
        /// `untethered_window_limit`.
        untethered_linger: Option<Duration> = "-1",
            "aeron.untethered.linger.timeout" / "AERON_UNTETHERED_LINGER_TIMEOUT", in Limits::between(0, I63);
        /// How long an untethered subscriber rests before it may join again.
        untethered_resting: Duration = "10s",
            "aeron.untethered.resting.timeout" / "AERON_UNTETHERED_RESTING_TIMEOUT", in Limits::between(0, I63);
        /// A duty cycle of the conductor that takes longer is counted.
        conductor_cycle_threshold: Duration = "100ms",
            "aeron.driver.conductor.cycle.threshold" / "AERON_DRIVER_CONDUCTOR_CYCLE_THRESHOLD", in Limits::between(0, I63);
        /// A duty cycle of the sender that takes longer is counted.
        sender_cycle_threshold: Duration = "100ms",
            "aeron.driver.sender.cycle.threshold" / "AERON_DRIVER_SENDER_CYCLE_THRESHOLD", in Limits::between(0, I63);
        /// A duty cycle of the receiver that takes longer is counted.
        receiver_cycle_threshold: Duration = "100ms",
            "aeron.driver.receiver.cycle.threshold" / "AERON_DRIVER_RECEIVER_CYCLE_THRESHOLD",
            in Limits::between(0, I63);
        /// A name resolution that takes longer is counted.
        name_resolver_threshold: Duration = "5s",
            "aeron.name.resolver.threshold" / "AERON_DRIVER_NAME_RESOLVER_THRESHOLD"
            | "aeron.driver.name.resolver.threshold", in Limits::between(0, I63);
    }

    /// Defaults for streams whose channels do not say otherwise.
    streams: Streams {
        /// Let a publication with spies but no receivers count as connected, and run.
        spies_simulate_connection: bool = "false",
            "aeron.spies.simulate.connection" / "AERON_SPIES_SIMULATE_CONNECTION";
        /// Recover lost frames. When false, gaps are filled with padding.
        reliable: bool = "true", "aeron.reliable.stream" / "AERON_RELIABLE_STREAM";
        /// Let a subscriber that does not keep up hold its publisher back. When false it is set aside instead.
        tether: bool = "true", "aeron.tether.subscriptions" / "AERON_TETHER_SUBSCRIPTIONS";
        /// Let a subscription join a stream again after it was set aside or lost it.
        rejoin: bool = "true", "aeron.rejoin.stream" / "AERON_REJOIN_STREAM";
        /// Whether receivers act as a group, so that they spread their requests for retransmission.
        receiver_group: Inferable = "infer",
            "aeron.receiver.group.consideration" / "AERON_RECEIVER_GROUP_CONSIDERATION";
        /// The tag that receivers put into their status messages.
        receiver_group_tag: Option<i64> = "", "aeron.receiver.group.tag" / "AERON_RECEIVER_GROUP_TAG",
            in Limits::between(-I63 - 1, I63);
        /// The tag of the receivers that tagged flow control takes into account.
        flow_control_group_tag: i64 = "-1", "aeron.flow.control.group.tag" / "AERON_FLOW_CONTROL_GROUP_TAG",
            in Limits::between(-I63 - 1, I63);
        /// How many receivers a publication needs to be connected, with `min` and tagged flow control.
        flow_control_group_min_size: u32 = "0",
            "aeron.flow.control.group.min.size" / "AERON_FLOW_CONTROL_GROUP_MIN_SIZE", in Limits::between(0, I31);
        /// How long flow control waits for a silent receiver.
        flow_control_receiver_timeout: Duration = "5s",
            "aeron.flow.control.receiver.timeout" / "AERON_FLOW_CONTROL_RECEIVER_TIMEOUT", in Limits::between(0, I63);
        /// Flow control of unicast channels.
        unicast_flow_control: FlowControlName = "unicast_max",
            "aeron.unicast.FlowControl.supplier" / "AERON_UNICAST_FLOWCONTROL_SUPPLIER", ONE_RECEIVER;
        /// Flow control of multicast channels.
        multicast_flow_control: FlowControlName = "multicast_max",
            "aeron.multicast.FlowControl.supplier" / "AERON_MULTICAST_FLOWCONTROL_SUPPLIER";
        /// How much a unicast publication retransmits at most for one NAK, in receiver windows.
        unicast_retransmit_window_multiple: u32 = "16",
            "aeron.unicast.flow.control.rrwm" / "AERON_UNICAST_FLOW_CONTROL_RRWM", in Limits::between(1, I31);
        /// How much a multicast publication retransmits at most for one NAK, in receiver windows.
        multicast_retransmit_window_multiple: u32 = "4",
            "aeron.multicast.flow.control.rrwm" / "AERON_MULTICAST_FLOW_CONTROL_RRWM", in Limits::between(1, I31);
        /// Congestion control of images. `default` and `static` are the same: a window of constant length.
        congestion_control: CongestionControlName = "default",
            "aeron.CongestionControl.supplier" / "AERON_CONGESTIONCONTROL_SUPPLIER";
        /// Whether CUBIC congestion control measures the round-trip time.
        cubic_measure_rtt: bool = "false",
            "aeron.CubicCongestionControl.measureRtt" / "AERON_CUBICCONGESTIONCONTROL_MEASURERTT";
        /// The round-trip time that CUBIC congestion control starts with.
        cubic_initial_rtt: Duration = "100us",
            "aeron.CubicCongestionControl.initialRtt" / "AERON_CUBICCONGESTIONCONTROL_INITIALRTT",
            in Limits::between(0, I63);
        /// Whether CUBIC congestion control uses its TCP-friendly mode.
        cubic_tcp_mode: bool = "false", "aeron.CubicCongestionControl.tcpMode" / "AERON_CUBICCONGESTIONCONTROL_TCPMODE";
        /// How many retransmissions a publication to a group of receivers may have under way at once. A publication to one
        /// receiver has one.
        max_resend: u32 = "16", "aeron.max.resend" / "AERON_MAX_RESEND", in Limits::between(1, 256);
        /// How long a publication waits before it retransmits, to a group as well.
        retransmit_unicast_delay: Duration = "0ns",
            "aeron.retransmit.unicast.delay" / "AERON_RETRANSMIT_UNICAST_DELAY", in Limits::between(0, I63);
        /// How long after a retransmission the same range is not retransmitted again, to a group as well.
        retransmit_unicast_linger: Duration = "10ms",
            "aeron.retransmit.unicast.linger" / "AERON_RETRANSMIT_UNICAST_LINGER",
            in Limits::between(MICROSECOND, I63);
        /// How long a unicast receiver waits before it sends a NAK for missing data.
        nak_unicast_delay: Duration = "1us", "aeron.nak.unicast.delay" / "AERON_NAK_UNICAST_DELAY",
            in Limits::between(MICROSECOND, I63);
        /// How long a unicast receiver waits before it repeats a NAK, as a multiple of that delay.
        nak_unicast_retry_delay_ratio: u64 = "100",
            "aeron.nak.unicast.retry.delay.ratio" / "AERON_NAK_UNICAST_RETRY_DELAY_RATIO", in Limits::between(1, I63);
        /// How many receivers a multicast group is expected to have.
        nak_multicast_group_size: u32 = "10",
            "aeron.nak.multicast.group.size" / "AERON_NAK_MULTICAST_GROUP_SIZE", in Limits::between(1, I31);
        /// The longest time that a multicast receiver waits before it sends a NAK for missing data.
        nak_multicast_max_backoff: Duration = "10ms",
            "aeron.nak.multicast.max.backoff" / "AERON_NAK_MULTICAST_MAX_BACKOFF", in Limits::between(MICROSECOND, I63);
        /// How often a receiver sends a status message when nothing else causes one.
        status_message_timeout: Duration = "200ms",
            "aeron.rcv.status.message.timeout" / "AERON_RCV_STATUS_MESSAGE_TIMEOUT",
            in Limits::between(MICROSECOND, I63);
        /// The lowest of the session ids that the driver itself never chooses.
        reserved_session_id_low: SessionId = "-1",
            "aeron.publication.reserved.session.id.low" / "AERON_PUBLICATION_RESERVED_SESSION_ID_LOW",
            in Limits::between(-I31 - 1, I31);
        /// The highest of the session ids that the driver itself never chooses. At least the lowest.
        reserved_session_id_high: SessionId = "1000",
            "aeron.publication.reserved.session.id.high" / "AERON_PUBLICATION_RESERVED_SESSION_ID_HIGH",
            in Limits::between(-I31 - 1, I31);
        /// How many sessions of one stream a receive endpoint follows.
        stream_session_limit: u32 = "2147483647",
            "aeron.driver.stream.session.limit" / "AERON_DRIVER_STREAM_SESSION_LIMIT", in Limits::between(1, I31);
    }

    /// The maximum number of each kind of resource that the driver keeps for clients. A command that would exceed one
    /// of these limits is answered with an error that names the limit, and counted; existing resources are not
    /// affected. Counters are limited by `counter_values_length`: each client takes one, each IPC publication two, each
    /// network publication six to eight, each image three, or five with CUBIC, each subscriber one per image or
    /// publication that it reads, and each endpoint one, one more for each of its sockets, and one for its destinations if
    /// it is a publication's and may have several.
    capacity: Capacity {
        /// Clients.
        clients: u32 = "4096", "gannet.max.clients" / "GANNET_MAX_CLIENTS", in Limits::between(1, MILLION);
        /// Logs of publications, including those that are draining or waiting to be deleted.
        publications: u32 = "16384", "gannet.max.publications" / "GANNET_MAX_PUBLICATIONS", in Limits::between(1, MILLION);
        /// Handles of clients to publications: several share the log of a concurrent publication.
        publication_links: u32 = "65536", "gannet.max.publication.links" / "GANNET_MAX_PUBLICATION_LINKS",
            in Limits::between(1, MILLION);
        /// Subscriptions.
        subscriptions: u32 = "65536", "gannet.max.subscriptions" / "GANNET_MAX_SUBSCRIPTIONS",
            in Limits::between(1, MILLION);
        /// The maximum total length of the logs of all images, which senders on other hosts cause the driver to create;
        /// 0 for seven eighths of the directory's file system. A session that finds no room is refused, and the error
        /// log says so.
        image_bytes: ByteLength = "0", "gannet.max.image.bytes" / "GANNET_MAX_IMAGE_BYTES", in Limits::between(0, I63);
        /// How many names name resolution remembers from other drivers. Further ones are dropped, and the error log says so.
        resolver_names: u32 = "4096", "gannet.max.resolver.names" / "GANNET_MAX_RESOLVER_NAMES", in Limits::between(1, MILLION);
        /// How many other drivers name resolution sends its names to. Further ones get none, and the error log says so.
        resolver_neighbors: u32 = "1024", "gannet.max.resolver.neighbors" / "GANNET_MAX_RESOLVER_NEIGHBORS",
            in Limits::between(1, MILLION);
    }

    /// Faults injected into arriving datagrams, to test streams on a bad network. There are none by default; if there
    /// are any, the driver says so at start and in the label of its version. Shares are in parts per million.
    loss: Loss {
        /// The share of datagrams that are lost.
        drop_ppm: u32 = "0", "gannet.loss.drop.ppm" / "GANNET_LOSS_DROP_PPM", in Limits::between(0, MILLION);
        /// The share of datagrams that arrive twice.
        duplicate_ppm: u32 = "0", "gannet.loss.duplicate.ppm" / "GANNET_LOSS_DUPLICATE_PPM", in Limits::between(0, MILLION);
        /// The share of datagrams that arrive late, and so behind others.
        delay_ppm: u32 = "0", "gannet.loss.delay.ppm" / "GANNET_LOSS_DELAY_PPM", in Limits::between(0, MILLION);
        /// The maximum delay of these datagrams.
        max_delay: Duration = "1ms", "gannet.loss.max.delay" / "GANNET_LOSS_MAX_DELAY",
            in Limits::between(0, 4_000 * MILLISECOND);
        /// The seed of the random choices, so that a run can be repeated.
        seed: u64 = "1", "gannet.loss.seed" / "GANNET_LOSS_SEED", in Limits::between(0, u64::MAX as i128);
    }

    /// Sockets, and how much of them one duty cycle handles.
    network: Network {
        /// The receiver window that an image starts with; at most half a term is used. If it exceeds
        /// `so_rcvbuf`, channels that state neither are refused, and the driver warns at start.
        initial_window: ByteLength = "128k", "aeron.rcv.initial.window.length" / "AERON_RCV_INITIAL_WINDOW_LENGTH",
            in Limits::between(256, I31);
        /// The receive buffer of sockets; 0 for the system's default.
        so_rcvbuf: Option<ByteLength> = "128k", "aeron.socket.so_rcvbuf" / "AERON_SOCKET_SO_RCVBUF",
            in Limits::between(0, I31);
        /// The send buffer of sockets; 0 for the system's default. If `mtu` exceeds it, channels that state neither
        /// are refused, and the driver warns at start.
        so_sndbuf: Option<ByteLength> = "0", "aeron.socket.so_sndbuf" / "AERON_SOCKET_SO_SNDBUF",
            in Limits::between(0, I31);
        /// How many routers a multicast datagram may pass; 0 for the system's default.
        multicast_ttl: u32 = "0", "aeron.socket.multicast.ttl" / "AERON_SOCKET_MULTICAST_TTL",
            in Limits::between(0, 255);
        /// The type of service (TOS) of datagrams; -1 for the system's default.
        tos: i32 = "-1", "aeron.socket.tos" / "AERON_SOCKET_TOS", in Limits::between(-1, 255);
        /// Connect the sockets of publications to one receiver or one group.
        connect: bool = "true", "aeron.driver.connect" / "AERON_DRIVER_CONNECT";
        /// How many duty cycles that send something may pass before the sender polls for status messages.
        send_to_status_poll_ratio: u32 = "6", "aeron.send.to.status.poll.ratio" / "AERON_SEND_TO_STATUS_POLL_RATIO",
            in Limits::between(1, I31);
        /// How many times the receiver polls for data before it does work that is not urgent.
        receiver_poll_to_slow_work_ratio: u32 = "10",
            "aeron.receiver.poll.to.slow.work.ratio" / "AERON_RECEIVER_POLL_TO_SLOW_WORK_RATIO",
            in Limits::between(1, I31), WHEN_DUE;
        /// The maximum number of datagrams that the sender submits at once.
        sender_io_vector_capacity: u32 = "4",
            "aeron.sender.io.vector.capacity" / "AERON_SENDER_IO_VECTOR_CAPACITY", in Limits::between(1, 64), AS_MANY_AS_THERE_ARE;
        /// The maximum number of datagrams that the receiver takes at once.
        receiver_io_vector_capacity: u32 = "4",
            "aeron.receiver.io.vector.capacity" / "AERON_RECEIVER_IO_VECTOR_CAPACITY", in Limits::between(1, 64), AS_MANY_AS_THERE_ARE;
        /// How much of one publication is sent before the next has its turn. Aeron's driver counts datagrams, Gannet's
        /// counts 16 datagrams as one, since the system takes many in one call.
        publication_max_messages_per_send: u32 = "4",
            "aeron.network.publication.max.messages.per.send" / "AERON_NETWORK_PUBLICATION_MAX_MESSAGES_PER_SEND",
            in Limits::between(1, 64);
        /// The ports for publications whose control address has port 0; by default any.
        sender_wildcard_port_range: Option<PortRange> = "",
            "aeron.sender.wildcard.port.range" / "AERON_SENDER_WILDCARD_PORT_RANGE";
        /// The ports for subscriptions whose endpoint has port 0; by default any.
        receiver_wildcard_port_range: Option<PortRange> = "",
            "aeron.receiver.wildcard.port.range" / "AERON_RECEIVER_WILDCARD_PORT_RANGE";
        /// Up to how many sockets are polled one by one, instead of asking the system which of them have data.
        poller_iteration_threshold: u32 = "5",
            "aeron.udp.channel.transport.poller.iteration.threshold"
            / "AERON_UDP_CHANNEL_TRANSPORT_POLLER_ITERATION_THRESHOLD", in Limits::between(0, I31), TRIED_DIRECTLY;
        /// How often one socket is read before the next has its turn.
        poller_socket_poll_limit: u32 = "4",
            "aeron.udp.channel.transport.poller.socket.poll.limit"
            / "AERON_UDP_CHANNEL_TRANSPORT_POLLER_SOCKET_POLL_LIMIT", in Limits::between(1, 16), AS_MUCH_AS_THERE_IS;
        /// The C driver's transport for data.
        transport_bindings: String = "default",
            "aeron.udp.channel.transport.bindings.media" / "AERON_UDP_CHANNEL_TRANSPORT_BINDINGS_MEDIA", PLUG_IN;
        /// The C driver's transport for name resolution.
        conductor_transport_bindings: String = "default",
            "aeron.conductor.udp.channel.transport.bindings.media"
            / "AERON_CONDUCTOR_UDP_CHANNEL_TRANSPORT_BINDINGS_MEDIA", PLUG_IN;
        /// The C driver's interceptors of outgoing datagrams.
        outgoing_interceptors: String = "",
            "aeron.udp.channel.outgoing.interceptors" / "AERON_UDP_CHANNEL_OUTGOING_INTERCEPTORS", PLUG_IN;
        /// The C driver's interceptors of incoming datagrams.
        incoming_interceptors: String = "",
            "aeron.udp.channel.incoming.interceptors" / "AERON_UDP_CHANNEL_INCOMING_INTERCEPTORS", PLUG_IN;
    }

    /// Names and addresses.
    resolver: Resolver {
        /// How names in channels are resolved before the operating system is asked: `default` for not at all, `driver` for names
        /// that drivers tell each other, or `csv_table` for the table in `init_args`.
        supplier: NameResolverName = "default", "aeron.name.resolver.supplier" / "AERON_NAME_RESOLVER_SUPPLIER";
        /// The table for `csv_table`: `name,initial host,re-resolution host` for each name, with rows separated by `|`. Each name has
        /// a counter of type 2001: while that is 0 the name resolves to the first host, while it is 1 to the second, and while it
        /// is -1 to none.
        init_args: String = "", "aeron.name.resolver.init.args" / "AERON_NAME_RESOLVER_INIT_ARGS";
        /// The name by which other drivers know this one, with supplier `driver`: a channel that has it as its host leads to this driver.
        name: String = "", "aeron.driver.resolver.name" / "AERON_DRIVER_RESOLVER_NAME";
        /// The `host:port` of this machine on which this driver listens for the names of others.
        interface: String = "", "aeron.driver.resolver.interface" / "AERON_DRIVER_RESOLVER_INTERFACE";
        /// The `host:port` of the drivers to send this driver's name to first, separated by commas; at most 20.
        bootstrap_neighbor: String = "",
            "aeron.driver.resolver.bootstrap.neighbor" / "AERON_DRIVER_RESOLVER_BOOTSTRAP_NEIGHBOR";
        /// How long a silent neighbor is remembered.
        neighbor_timeout: Duration = "10s",
            "aeron.driver.resolver.neighbor.timeout" / "AERON_DRIVER_RESOLVER_NEIGHBOR_TIMEOUT",
            in Limits::between(MILLISECOND, I63);
        /// How often this driver sends its name.
        self_resolution_interval: Duration = "1s",
            "aeron.driver.resolver.self.resolution.interval" / "AERON_DRIVER_RESOLVER_SELF_RESOLUTION_INTERVAL",
            in Limits::between(MILLISECOND, I63);
        /// How often this driver passes on the names that it knows.
        neighbor_resolution_interval: Duration = "2s",
            "aeron.driver.resolver.neighbor.resolution.interval" / "AERON_DRIVER_RESOLVER_NEIGHBOR_RESOLUTION_INTERVAL",
            in Limits::between(MILLISECOND, I63);
        /// How often the names of the bootstrap neighbors are looked up again.
        bootstrap_neighbor_resolution_interval: Duration = "10s",
            "aeron.driver.resolver.bootstrap.neighbor.resolution.interval"
            / "AERON_DRIVER_RESOLVER_BOOTSTRAP_NEIGHBOR_RESOLUTION_INTERVAL",
            in Limits::between(MILLISECOND, I63);
        /// How often the names of endpoints with silent peers are looked up again; 0 for never.
        re_resolution_check_interval: Duration = "1s",
            "aeron.driver.reresolution.check.interval" / "AERON_DRIVER_RERESOLUTION_CHECK_INTERVAL",
            in Limits::between(0, I63);
    }

    /// Threads: which agents share one, what they do when idle, where they run.
    threads: Threads {
        /// Which agents share a thread.
        mode: ThreadingMode = "DEDICATED", "aeron.threading.mode" / "AERON_THREADING_MODE";
        /// How threads are named: `classic` as in `conductor`, `new` as in `aeron-md-cnd`.
        naming: ThreadNaming = "classic", "aeron.thread.naming" / "AERON_THREAD_NAMING";
        /// What the conductor does when idle on a thread of its own.
        conductor_idle: IdleStrategyName = "backoff", "aeron.conductor.idle.strategy" / "AERON_CONDUCTOR_IDLE_STRATEGY";
        /// How the conductor's idle strategy is set: `spins-yields-min park-max park` for `backoff`, as in
        /// `10-20-1us-1ms`; a duration for `sleep-ns`; nothing for the others.
        conductor_idle_args: String = "",
            "aeron.conductor.idle.strategy.init.args" / "AERON_CONDUCTOR_IDLE_STRATEGY_INIT_ARGS";
        /// What the sender does when idle on a thread of its own.
        sender_idle: IdleStrategyName = "backoff", "aeron.sender.idle.strategy" / "AERON_SENDER_IDLE_STRATEGY";
        /// How the sender's idle strategy is set.
        sender_idle_args: String = "",
            "aeron.sender.idle.strategy.init.args" / "AERON_SENDER_IDLE_STRATEGY_INIT_ARGS";
        /// What the receiver does when idle on a thread of its own.
        receiver_idle: IdleStrategyName = "backoff",
            "aeron.receiver.idle.strategy" / "AERON_RECEIVER_IDLE_STRATEGY";
        /// How the receiver's idle strategy is set.
        receiver_idle_args: String = "",
            "aeron.receiver.idle.strategy.init.args" / "AERON_RECEIVER_IDLE_STRATEGY_INIT_ARGS";
        /// What the thread of mode `SHARED` does when idle.
        shared_idle: IdleStrategyName = "backoff", "aeron.shared.idle.strategy" / "AERON_SHARED_IDLE_STRATEGY";
        /// How the idle strategy of mode `SHARED` is set.
        shared_idle_args: String = "",
            "aeron.shared.idle.strategy.init.args" / "AERON_SHARED_IDLE_STRATEGY_INIT_ARGS";
        /// What the thread of sender and receiver does when idle in mode `SHARED_NETWORK`.
        shared_network_idle: IdleStrategyName = "backoff",
            "aeron.sharednetwork.idle.strategy" / "AERON_SHAREDNETWORK_IDLE_STRATEGY";
        /// How the idle strategy of that thread is set.
        shared_network_idle_args: String = "",
            "aeron.sharednetwork.idle.strategy.init.args" / "AERON_SHAREDNETWORK_IDLE_STRATEGY_INIT_ARGS";
        /// What the C driver's helper thread does when idle. Gannet's is woken when there is work.
        helper_idle: IdleStrategyName = "sleep-ns",
            "aeron.driver.native.resource.agent.idle.strategy" / "AERON_DRIVER_NATIVE_RESOURCE_AGENT_IDLE_STRATEGY",
            Effect::Never("the helper thread sleeps until it has work");
        /// How the idle strategy of the C driver's helper thread is set.
        helper_idle_args: String = "1ms",
            "aeron.driver.native.resource.agent.idle.strategy.init.args"
            / "AERON_DRIVER_NATIVE_RESOURCE_AGENT_IDLE_STRATEGY_INIT_ARGS",
            Effect::Never("the helper thread sleeps until it has work");
        /// The CPU of the conductor's thread, and of the one thread of mode `SHARED`. `auto` chooses one at start.
        conductor_cpu: Cpu = "-1", "aeron.conductor.cpu.affinity" / "AERON_CONDUCTOR_CPU_AFFINITY";
        /// The CPU of the sender's thread, and of the thread that sender and receiver share.
        sender_cpu: Cpu = "-1", "aeron.sender.cpu.affinity" / "AERON_SENDER_CPU_AFFINITY";
        /// The CPU of the receiver's thread.
        receiver_cpu: Cpu = "-1", "aeron.receiver.cpu.affinity" / "AERON_RECEIVER_CPU_AFFINITY";
        /// The CPU of the helper thread, which makes and deletes logs.
        helper_cpu: Cpu = "-1",
            "aeron.driver.native.resource.agent.cpu.affinity" / "AERON_DRIVER_NATIVE_RESOURCE_AGENT_CPU_AFFINITY";
        /// Count CPU numbers from 0 among the CPUs that this process may use.
        cpuset_offsets: bool = "false",
            "aeron.thread.affinity.use.cpuset.offsets" / "AERON_THREAD_AFFINITY_USE_CPUSET_OFFSETS"
            | "AERON_DRIVER_CPUSET_AFFINITY";
        /// Refuse to start for what would otherwise be a warning about pinning, such as two threads on one CPU, or too few CPUs
        /// for `auto`.
        cpuset_warnings_as_errors: bool = "false",
            "aeron.thread.affinity.fail.on.validation.errors" / "AERON_THREAD_AFFINITY_FAIL_ON_VALIDATION_ERRORS"
            | "AERON_DRIVER_CPUSET_WARNINGS_AS_ERRORS";
    }

    /// The process as a whole.
    process: Process {
        /// Threading mode, idle strategies, pinning and pre-faulting by name: `low-latency`, `balanced` or `frugal`.
        /// Any other setting wins over the profile.
        profile: Profile = "balanced", "gannet.profile" / "GANNET_PROFILE";
        /// How datagrams are sent and received: `auto` for io_uring where the system has and allows it and plain sockets elsewhere, or one of
        /// `io_uring` and `sockets`. With `io_uring` the driver does not start where that cannot be used.
        transport: TransportName = "auto", "gannet.transport" / "GANNET_TRANSPORT";
        /// Use UDP segmentation offload: hand runs of datagrams of equal length to the system in one piece, which it cuts up, and
        /// take runs that it has put together on arrival.
        segmentation_offload: bool = "true", "gannet.segmentation.offload" / "GANNET_SEGMENTATION_OFFLOAD";
        /// Up to how many sockets the sender and the receiver each poll one after another, which finds a datagram
        /// soonest. With more sockets, io_uring or epoll reports which have data.
        sockets_tried_directly: u32 = "5", "gannet.sockets.tried.directly" / "GANNET_SOCKETS_TRIED_DIRECTLY",
            in Limits::between(0, 1024);
        /// Print the configuration at start, each value with its source.
        print_configuration: bool = "false", "aeron.print.configuration" / "AERON_PRINT_CONFIGURATION";
        /// What is logged to standard error, in the form `level` or `target=level,...`.
        log: String = "info", "gannet.log" / "GANNET_LOG";
        /// Whether a client's request to terminate the driver is granted: `deny`, `allow`, or `token` for requests that
        /// carry the configured token.
        termination_validator: TerminationValidator = "deny",
            "aeron.driver.termination.validator" / "AERON_DRIVER_TERMINATION_VALIDATOR";
        /// The token that a request to terminate must carry when the validator is `token`.
        termination_token: String = "", "gannet.termination.token" / "GANNET_TERMINATION_TOKEN";
        /// How many released logs the conductor gives to the helper thread per duty cycle, to be deleted.
        resource_free_limit: u32 = "1", "aeron.driver.resource.free.limit" / "AERON_DRIVER_RESOURCE_FREE_LIMIT",
            in Limits::between(1, I31);
        /// Experimental features of Aeron's drivers.
        experimental_features: bool = "false",
            "aeron.enable.experimental.features" / "AERON_ENABLE_EXPERIMENTAL_FEATURES",
            Effect::Never("there are none");
        /// Libraries that the C driver loads.
        dynamic_libraries: String = "", "aeron.driver.dynamic.libraries" / "AERON_DRIVER_DYNAMIC_LIBRARIES", PLUG_IN;
        /// A function that the C driver calls on each new thread.
        agent_on_start_function: String = "",
            "aeron.agent.on.start.function" / "AERON_AGENT_ON_START_FUNCTION", PLUG_IN;
        /// Which events the C driver logs.
        event_log: String = "", "aeron.event.log" / "AERON_EVENT_LOG", EVENT_LOG;
        /// Which events the C driver does not log.
        event_log_disable: String = "", "aeron.event.log.disable" / "AERON_EVENT_LOG_DISABLE", EVENT_LOG;
        /// Where the C driver logs events.
        event_log_filename: String = "", "aeron.event.log.filename" / "AERON_EVENT_LOG_FILENAME", EVENT_LOG;
        /// How long that file may get.
        event_log_file_max_length: Option<ByteLength> = "0",
            "aeron.event.log.file.max.length" / "AERON_EVENT_LOG_FILE_MAX_LENGTH", in Limits::between(0, I63), EVENT_LOG;
    }
}

/// Parses the text of a default.
fn default_of<T: Value>(text: &'static str) -> T {
    T::parse(text).expect("the table's defaults are of their form, as its tests make sure")
}

/// The index of the setting with this name.
pub(super) fn find(name: &str) -> Option<usize> {
    PROPERTIES.iter().position(|property| property.is_named(name))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_default_is_of_its_form_and_within_its_limits() {
        let mut config = DriverConfig::default();
        for property in PROPERTIES {
            assert_eq!((property.set)(&mut config, property.default, property.limits), Ok(()), "{property}");
            assert_eq!(property.show(&config), property.default, "{property} is shown as its default is written");
        }
        assert_eq!(config, DriverConfig::default());
    }

    #[test]
    fn every_name_means_one_setting() {
        let mut seen = HashSet::new();
        for property in PROPERTIES {
            let names: HashSet<String> = [property.property, property.variable]
                .into_iter()
                .chain(property.aliases.iter().copied())
                .map(|name| name.replace('.', "_").to_ascii_uppercase())
                .collect();
            for name in names {
                assert!(seen.insert(name.clone()), "{name} is in the table twice");
            }
        }
    }

    /// Every variable that the reference driver reads.
    #[test]
    fn every_driver_setting_of_the_reference_is_known() {
        let listed = "AERON_DIR AERON_DIR_WARN_IF_EXISTS AERON_DIR_DELETE_ON_START AERON_DIR_DELETE_ON_SHUTDOWN \
            AERON_CONDUCTOR_BUFFER_LENGTH AERON_CLIENTS_BUFFER_LENGTH AERON_COUNTERS_BUFFER_LENGTH \
            AERON_ERROR_BUFFER_LENGTH AERON_LOSS_REPORT_BUFFER_LENGTH AERON_FILE_PAGE_SIZE \
            AERON_PERFORM_STORAGE_CHECKS AERON_LOW_FILE_STORE_WARNING_THRESHOLD AERON_TERM_BUFFER_SPARSE_FILE \
            AERON_PRINT_CONFIGURATION AERON_DRIVER_TIMEOUT AERON_TERM_BUFFER_LENGTH AERON_IPC_TERM_BUFFER_LENGTH \
            AERON_MTU_LENGTH AERON_IPC_MTU_LENGTH AERON_PUBLICATION_TERM_WINDOW_LENGTH \
            AERON_IPC_PUBLICATION_TERM_WINDOW_LENGTH AERON_RCV_INITIAL_WINDOW_LENGTH AERON_SOCKET_SO_RCVBUF \
            AERON_SOCKET_SO_SNDBUF AERON_SOCKET_MULTICAST_TTL AERON_CLIENT_LIVENESS_TIMEOUT \
            AERON_IMAGE_LIVENESS_TIMEOUT AERON_PUBLICATION_UNBLOCK_TIMEOUT AERON_PUBLICATION_CONNECTION_TIMEOUT \
            AERON_PUBLICATION_LINGER_TIMEOUT AERON_TIMER_INTERVAL AERON_COUNTERS_FREE_TO_REUSE_TIMEOUT \
            AERON_UNTETHERED_WINDOW_LIMIT_TIMEOUT AERON_UNTETHERED_LINGER_TIMEOUT AERON_UNTETHERED_RESTING_TIMEOUT \
            AERON_RCV_STATUS_MESSAGE_TIMEOUT AERON_FLOW_CONTROL_RECEIVER_TIMEOUT \
            AERON_DRIVER_RERESOLUTION_CHECK_INTERVAL AERON_DRIVER_CONDUCTOR_CYCLE_THRESHOLD \
            AERON_DRIVER_SENDER_CYCLE_THRESHOLD AERON_DRIVER_RECEIVER_CYCLE_THRESHOLD \
            AERON_DRIVER_NAME_RESOLVER_THRESHOLD aeron.name.resolver.threshold \
            AERON_DRIVER_RESOLVER_NEIGHBOR_TIMEOUT AERON_DRIVER_RESOLVER_SELF_RESOLUTION_INTERVAL \
            AERON_DRIVER_RESOLVER_NEIGHBOR_RESOLUTION_INTERVAL \
            AERON_DRIVER_RESOLVER_BOOTSTRAP_NEIGHBOR_RESOLUTION_INTERVAL AERON_SPIES_SIMULATE_CONNECTION \
            AERON_RELIABLE_STREAM AERON_TETHER_SUBSCRIPTIONS AERON_REJOIN_STREAM AERON_RECEIVER_GROUP_CONSIDERATION \
            AERON_RECEIVER_GROUP_TAG AERON_FLOW_CONTROL_GROUP_TAG AERON_FLOW_CONTROL_GROUP_MIN_SIZE \
            AERON_UNICAST_FLOWCONTROL_SUPPLIER aeron.unicast.FlowControl.supplier \
            AERON_MULTICAST_FLOWCONTROL_SUPPLIER aeron.unicast.flow.control.rrwm aeron.multicast.flow.control.rrwm \
            AERON_CONGESTIONCONTROL_SUPPLIER AERON_MAX_RESEND AERON_RETRANSMIT_UNICAST_DELAY \
            AERON_RETRANSMIT_UNICAST_LINGER AERON_NAK_UNICAST_DELAY AERON_NAK_UNICAST_RETRY_DELAY_RATIO \
            AERON_NAK_MULTICAST_GROUP_SIZE AERON_NAK_MULTICAST_MAX_BACKOFF \
            AERON_PUBLICATION_RESERVED_SESSION_ID_LOW AERON_PUBLICATION_RESERVED_SESSION_ID_HIGH \
            AERON_DRIVER_STREAM_SESSION_LIMIT AERON_THREADING_MODE AERON_THREAD_NAMING AERON_CONDUCTOR_IDLE_STRATEGY \
            AERON_SENDER_IDLE_STRATEGY AERON_RECEIVER_IDLE_STRATEGY AERON_SHARED_IDLE_STRATEGY \
            AERON_SHAREDNETWORK_IDLE_STRATEGY AERON_CONDUCTOR_IDLE_STRATEGY_INIT_ARGS \
            AERON_SENDER_IDLE_STRATEGY_INIT_ARGS AERON_RECEIVER_IDLE_STRATEGY_INIT_ARGS \
            AERON_SHARED_IDLE_STRATEGY_INIT_ARGS AERON_SHAREDNETWORK_IDLE_STRATEGY_INIT_ARGS \
            AERON_DRIVER_NATIVE_RESOURCE_AGENT_IDLE_STRATEGY AERON_DRIVER_NATIVE_RESOURCE_AGENT_IDLE_STRATEGY_INIT_ARGS \
            AERON_CONDUCTOR_CPU_AFFINITY AERON_SENDER_CPU_AFFINITY AERON_RECEIVER_CPU_AFFINITY \
            AERON_DRIVER_NATIVE_RESOURCE_AGENT_CPU_AFFINITY AERON_DRIVER_CPUSET_AFFINITY \
            AERON_DRIVER_CPUSET_WARNINGS_AS_ERRORS AERON_SEND_TO_STATUS_POLL_RATIO AERON_SENDER_IO_VECTOR_CAPACITY \
            AERON_RECEIVER_IO_VECTOR_CAPACITY AERON_NETWORK_PUBLICATION_MAX_MESSAGES_PER_SEND \
            AERON_DRIVER_RESOURCE_FREE_LIMIT AERON_DRIVER_CONNECT AERON_DRIVER_TERMINATION_VALIDATOR \
            AERON_DRIVER_RESOLVER_NAME AERON_DRIVER_RESOLVER_INTERFACE AERON_DRIVER_RESOLVER_BOOTSTRAP_NEIGHBOR \
            AERON_NAME_RESOLVER_SUPPLIER AERON_NAME_RESOLVER_INIT_ARGS AERON_SENDER_WILDCARD_PORT_RANGE \
            AERON_RECEIVER_WILDCARD_PORT_RANGE AERON_ENABLE_EXPERIMENTAL_FEATURES AERON_DRIVER_DYNAMIC_LIBRARIES \
            AERON_AGENT_ON_START_FUNCTION AERON_UDP_CHANNEL_TRANSPORT_BINDINGS_MEDIA \
            AERON_CONDUCTOR_UDP_CHANNEL_TRANSPORT_BINDINGS_MEDIA AERON_UDP_CHANNEL_OUTGOING_INTERCEPTORS \
            AERON_UDP_CHANNEL_INCOMING_INTERCEPTORS AERON_EVENT_LOG AERON_EVENT_LOG_DISABLE AERON_EVENT_LOG_FILENAME \
            AERON_EVENT_LOG_FILE_MAX_LENGTH";
        for name in listed.split_whitespace() {
            assert_eq!(PROPERTIES.iter().filter(|property| property.is_named(name)).count(), 1, "{name}");
        }
    }

    #[test]
    fn java_names_fold_into_the_variables_except_where_the_table_says() {
        for property in PROPERTIES {
            let folded = property.property.replace('.', "_").to_ascii_uppercase();
            assert!(folded == property.variable || folded == "AERON_NAME_RESOLVER_THRESHOLD", "{property}");
        }
    }
}
