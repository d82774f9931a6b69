//! The driver's own statistics: 46 counters whose ids are fixed, because they are allocated first and in this order.

use core::fmt::Write;

use super::label::CounterLabel;
use crate::types::CounterId;

/// The parts of system counters' labels that depend on the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemLabels<'a> {
    /// The version of the software.
    pub version: &'a str,
    /// The commit that it was built from.
    pub commit: &'a str,
    /// `DEDICATED`, `SHARED`, `SHARED_NETWORK` or `INVOKER`.
    pub threading_mode: &'a str,
    /// The driver's name in name resolution. May be empty.
    pub resolver_name: &'a str,
    /// The conductor's cycle time threshold, such as `1s`.
    pub conductor_threshold: &'a str,
    /// The sender's cycle time threshold, such as `1s`.
    pub sender_threshold: &'a str,
    /// The receiver's cycle time threshold, such as `1s`.
    pub receiver_threshold: &'a str,
    /// The name resolver's time threshold, such as `5s`.
    pub resolver_threshold: &'a str,
}

/// The end of a label.
#[derive(Clone, Copy)]
enum Suffix {
    Nothing,
    Version,
    Mode,
    ResolverName,
    ConductorThreshold,
    SenderThreshold,
    ReceiverThreshold,
    ResolverThreshold,
}

macro_rules! system_counters {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $text:literal, $suffix:ident;)*) => {
        /// A system counter. Its number is also its counter id, its registration id and its key.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(i32)]
        pub enum SystemCounter {
            $($(#[$doc])* $name = $id,)*
        }

        impl SystemCounter {
            /// All system counters, in the order of their ids.
            pub const ALL: [Self; 46] = [$(Self::$name,)*];

            const fn text(self) -> (&'static str, Suffix) {
                match self {
                    $(Self::$name => ($text, Suffix::$suffix),)*
                }
            }
        }
    };
}

system_counters! {
    /// Bytes sent over the network.
    BytesSent = 0, "Bytes sent", Nothing;
    /// Bytes received from the network.
    BytesReceived = 1, "Bytes received", Nothing;
    /// Commands to the receiver that did not fit into its queue at the first attempt.
    ReceiverProxyFails = 2, "Failed offers to ReceiverProxy", Nothing;
    /// Commands to the sender that did not fit into its queue at the first attempt.
    SenderProxyFails = 3, "Failed offers to SenderProxy", Nothing;
    /// Commands of the sender and the receiver to the conductor that did not fit into its queue at the first attempt.
    ConductorProxyFails = 4, "Failed offers to DriverConductorProxy", Nothing;
    /// NAKs sent.
    NaksSent = 5, "NAKs sent", Nothing;
    /// NAKs received.
    NaksReceived = 6, "NAKs received", Nothing;
    /// Status messages sent.
    StatusMessagesSent = 7, "Status Messages sent", Nothing;
    /// Status messages received.
    StatusMessagesReceived = 8, "Status Messages received", Nothing;
    /// Heartbeats sent.
    HeartbeatsSent = 9, "Heartbeats sent", Nothing;
    /// Heartbeats received.
    HeartbeatsReceived = 10, "Heartbeats received", Nothing;
    /// Retransmits sent.
    RetransmitsSent = 11, "Retransmits sent", Nothing;
    /// Frames that arrived below the window.
    FlowControlUnderRuns = 12, "Flow control under runs", Nothing;
    /// Frames that arrived above the window.
    FlowControlOverRuns = 13, "Flow control over runs", Nothing;
    /// Invalid packets received.
    InvalidPackets = 14, "Invalid packets", Nothing;
    /// Errors recorded in the error log.
    Errors = 15, "Errors", Version;
    /// Sends of which the socket accepted only a part.
    ShortSends = 16, "Short sends", Nothing;
    /// Failed attempts to delete a log file.
    FreeFails = 17, "Failed attempts to free log buffers", Nothing;
    /// How often a sender had to wait for its receivers.
    SenderFlowControlLimits = 18, "Sender flow control limits, i.e. back-pressure events", Nothing;
    /// Publications unblocked after a publisher died.
    UnblockedPublications = 19, "Unblocked Publications", Nothing;
    /// How often the command ring was unblocked after a client died.
    UnblockedCommands = 20, "Unblocked Control Commands", Nothing;
    /// Status messages that came from further away than the stream's TTL reaches.
    PossibleTtlAsymmetry = 21, "Possible TTL Asymmetry", Nothing;
    /// The idle strategy in use, if it is controllable.
    ControllableIdleStrategy = 22, "ControllableIdleStrategy status", Nothing;
    /// Gaps filled because the stream is not reliable.
    LossGapFills = 23, "Loss gap fills", Nothing;
    /// Clients that were timed out.
    ClientTimeouts = 24, "Client liveness timeouts", Nothing;
    /// Names that resolved to a new address.
    ResolutionChanges = 25, "Resolution changes: driverName=", ResolverName;
    /// The conductor's longest duty cycle, in nanoseconds.
    ConductorMaxCycleTime = 26, "Conductor max cycle time doing its work in ns: ", Mode;
    /// Duty cycles of the conductor that exceeded the threshold.
    ConductorCycleTimeThresholdExceeded = 27, "Conductor work cycle exceeded threshold count: threshold=", ConductorThreshold;
    /// The sender's longest duty cycle, in nanoseconds.
    SenderMaxCycleTime = 28, "Sender max cycle time doing its work in ns: ", Mode;
    /// Duty cycles of the sender that exceeded the threshold.
    SenderCycleTimeThresholdExceeded = 29, "Sender work cycle exceeded threshold count: threshold=", SenderThreshold;
    /// The receiver's longest duty cycle, in nanoseconds.
    ReceiverMaxCycleTime = 30, "Receiver max cycle time doing its work in ns: ", Mode;
    /// Duty cycles of the receiver that exceeded the threshold.
    ReceiverCycleTimeThresholdExceeded = 31, "Receiver work cycle exceeded threshold count: threshold=", ReceiverThreshold;
    /// The longest name resolution, in nanoseconds.
    NameResolverMaxTime = 32, "NameResolver max time in ns", Nothing;
    /// Name resolutions that exceeded the threshold.
    NameResolverTimeThresholdExceeded = 33, "NameResolver exceeded threshold count: threshold=", ResolverThreshold;
    /// The software's version, as a semantic version.
    SoftwareVersion = 34, "Aeron software", Version;
    /// The total length of all files that the driver has mapped, in bytes.
    BytesCurrentlyMapped = 35, "Bytes currently mapped", Nothing;
    /// Bytes retransmitted.
    RetransmittedBytes = 36, "Retransmitted bytes", Nothing;
    /// NAKs for which there was no free retransmit.
    RetransmitOverflow = 37, "Retransmit Pool Overflow count", Nothing;
    /// Error frames received.
    ErrorFramesReceived = 38, "Error Frames received", Nothing;
    /// Error frames sent.
    ErrorFramesSent = 39, "Error Frames sent", Nothing;
    /// Publications that were revoked.
    PublicationsRevoked = 40, "Publications Revoked", Nothing;
    /// Images whose publication was revoked.
    PublicationImagesRevoked = 41, "Publication Images Revoked", Nothing;
    /// Images that a client rejected.
    ImagesRejected = 42, "Images rejected", Nothing;
    /// The version of the commands and events, as a semantic version. Clients use it to see which commands the driver
    /// supports.
    ControlProtocolVersion = 43, "Control protocol version", Nothing;
    /// Status messages that were ignored.
    StatusMessagesRejected = 44, "Status Messages rejected", Nothing;
    /// Requests that did not fit into the queue of the helper for slow work. Always 0 in Gannet's driver, whose
    /// conductor sends only as many requests as fit and keeps the others.
    NativeResourceProxyFails = 45, "Failed offers to NativeResourceAgentProxy", Nothing;
}

impl SystemCounter {
    /// The counter's id.
    #[inline]
    pub const fn id(self) -> CounterId {
        CounterId::new(self as i32)
    }

    /// The counter's label in this driver.
    pub fn label(self, labels: &SystemLabels<'_>) -> CounterLabel {
        let (text, suffix) = self.text();
        let mut label = CounterLabel::new(text.as_bytes());
        let mode = labels.threading_mode;
        // Cannot fail, because a label clips.
        let _ = match suffix {
            Suffix::Nothing => Ok(()),
            Suffix::Version => write!(label, ": version={} commit={}", labels.version, labels.commit),
            Suffix::Mode => write!(label, "{mode}"),
            Suffix::ResolverName => write!(label, "{}", labels.resolver_name),
            Suffix::ConductorThreshold => write!(label, "{} {mode}", labels.conductor_threshold),
            Suffix::SenderThreshold => write!(label, "{} {mode}", labels.sender_threshold),
            Suffix::ReceiverThreshold => write!(label, "{} {mode}", labels.receiver_threshold),
            Suffix::ResolverThreshold => write!(label, "{}", labels.resolver_threshold),
        };
        label
    }
}
