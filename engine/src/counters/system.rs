//! The driver's own statistics: 46 counters whose ids are fixed, because they are allocated first and in this order.

use core::fmt::Write;

use super::label::CounterLabel;
use crate::types::CounterId;

/// What the labels of some system counters say about this driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemLabels<'a> {
    /// The version of the software.
    pub version: &'a str,
    /// The commit that it was built from.
    pub commit: &'a str,
    /// `DEDICATED`, `SHARED`, `SHARED_NETWORK` or `INVOKER`.
    pub threading_mode: &'a str,
    /// The name under which this driver is known to name resolution; may be empty.
    pub resolver_name: &'a str,
    /// The conductor's cycle time threshold, as `1s`.
    pub conductor_threshold: &'a str,
    /// The sender's cycle time threshold, as `1s`.
    pub sender_threshold: &'a str,
    /// The receiver's cycle time threshold, as `1s`.
    pub receiver_threshold: &'a str,
    /// The name resolver's time threshold, as `5s`.
    pub resolver_threshold: &'a str,
}

/// What follows the text of a label.
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
        /// A system counter. The number is its counter id, its registration id and its key.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(i32)]
        pub enum SystemCounter {
            $($(#[$doc])* $name = $id,)*
        }

        impl SystemCounter {
            /// All of them, in the order of their ids.
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
    /// Commands that did not fit in the receiver's queue at once.
    ReceiverProxyFails = 2, "Failed offers to ReceiverProxy", Nothing;
    /// Commands that did not fit in the sender's queue at once.
    SenderProxyFails = 3, "Failed offers to SenderProxy", Nothing;
    /// What sender and receiver had to tell the conductor that did not fit in its queue at once.
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
    /// Packets that made no sense.
    InvalidPackets = 14, "Invalid packets", Nothing;
    /// Errors logged.
    Errors = 15, "Errors", Version;
    /// Sends that the socket took only a part of.
    ShortSends = 16, "Short sends", Nothing;
    /// Log files that could not be deleted and were tried again.
    FreeFails = 17, "Failed attempts to free log buffers", Nothing;
    /// Times that a sender had to wait for its receivers.
    SenderFlowControlLimits = 18, "Sender flow control limits, i.e. back-pressure events", Nothing;
    /// Publications got going again after a publisher died.
    UnblockedPublications = 19, "Unblocked Publications", Nothing;
    /// Times the command ring was got going again after a client died.
    UnblockedCommands = 20, "Unblocked Control Commands", Nothing;
    /// Status messages from further away than the frames they answer could reach.
    PossibleTtlAsymmetry = 21, "Possible TTL Asymmetry", Nothing;
    /// Which idle strategy the controllable one is using.
    ControllableIdleStrategy = 22, "ControllableIdleStrategy status", Nothing;
    /// Gaps filled because the stream is unreliable.
    LossGapFills = 23, "Loss gap fills", Nothing;
    /// Clients that were given up.
    ClientTimeouts = 24, "Client liveness timeouts", Nothing;
    /// Names that resolved to another address than before.
    ResolutionChanges = 25, "Resolution changes: driverName=", ResolverName;
    /// The conductor's longest duty cycle.
    ConductorMaxCycleTime = 26, "Conductor max cycle time doing its work in ns: ", Mode;
    /// Duty cycles of the conductor that were too long.
    ConductorCycleTimeThresholdExceeded = 27, "Conductor work cycle exceeded threshold count: threshold=", ConductorThreshold;
    /// The sender's longest duty cycle.
    SenderMaxCycleTime = 28, "Sender max cycle time doing its work in ns: ", Mode;
    /// Duty cycles of the sender that were too long.
    SenderCycleTimeThresholdExceeded = 29, "Sender work cycle exceeded threshold count: threshold=", SenderThreshold;
    /// The receiver's longest duty cycle.
    ReceiverMaxCycleTime = 30, "Receiver max cycle time doing its work in ns: ", Mode;
    /// Duty cycles of the receiver that were too long.
    ReceiverCycleTimeThresholdExceeded = 31, "Receiver work cycle exceeded threshold count: threshold=", ReceiverThreshold;
    /// The longest that name resolution took.
    NameResolverMaxTime = 32, "NameResolver max time in ns", Nothing;
    /// Resolutions that took too long.
    NameResolverTimeThresholdExceeded = 33, "NameResolver exceeded threshold count: threshold=", ResolverThreshold;
    /// The software's version, as a semantic version.
    SoftwareVersion = 34, "Aeron software", Version;
    /// The length of all files that the driver has mapped.
    BytesCurrentlyMapped = 35, "Bytes currently mapped", Nothing;
    /// Bytes sent again.
    RetransmittedBytes = 36, "Retransmitted bytes", Nothing;
    /// NAKs that found every retransmission slot taken.
    RetransmitOverflow = 37, "Retransmit Pool Overflow count", Nothing;
    /// Error frames received.
    ErrorFramesReceived = 38, "Error Frames received", Nothing;
    /// Error frames sent.
    ErrorFramesSent = 39, "Error Frames sent", Nothing;
    /// Publications that ended by being revoked.
    PublicationsRevoked = 40, "Publications Revoked", Nothing;
    /// Images whose publication was revoked.
    PublicationImagesRevoked = 41, "Publication Images Revoked", Nothing;
    /// Images that a client rejected.
    ImagesRejected = 42, "Images rejected", Nothing;
    /// The version of the commands and events, as a semantic version. Decides what a client may ask for.
    ControlProtocolVersion = 43, "Control protocol version", Nothing;
    /// Status messages that were not acted on.
    StatusMessagesRejected = 44, "Status Messages rejected", Nothing;
    /// Requests that did not fit in the queue of the helper that does slow work. Stays 0 in Gannet's driver, whose conductor asks for no
    /// more than fits and keeps the others.
    NativeResourceProxyFails = 45, "Failed offers to NativeResourceAgentProxy", Nothing;
}

impl SystemCounter {
    /// Its counter id.
    #[inline]
    pub const fn id(self) -> CounterId {
        CounterId::new(self as i32)
    }

    /// Its label in this driver.
    pub fn label(self, labels: &SystemLabels<'_>) -> CounterLabel {
        let (text, suffix) = self.text();
        let mut label = CounterLabel::new(text.as_bytes());
        let mode = labels.threading_mode;
        // A label clips; it never fails.
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
