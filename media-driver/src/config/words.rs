//! The settings whose values are words: each an enum, with the spellings that the reference knows. The first spelling is
//! the one that is shown.

use std::fmt;
use std::str::FromStr;

use super::value::{Form, Value};

/// A text that is none of a setting's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one of {}", .expected.join(", "))]
pub struct UnknownWord {
    /// The words.
    pub expected: &'static [&'static str],
}

/// Defines an enum of words, which are all parsed.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal $(| $other:literal)*),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// All values.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word of the value.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                <Self as Value>::parse(text).ok_or(UnknownWord { expected: &[$($word),+] })
            }
        }

        impl Value for $name {
            const FORM: Form = Form::Word(&[$($word),+]);

            fn parse(text: &str) -> Option<Self> {
                match text {
                    $($word $(| $other)* => Some(Self::$variant),)+
                    _ => None,
                }
            }

            fn show(&self) -> String {
                self.as_str().to_owned()
            }
        }
    };
}

words! {
    /// A named combination of threading mode, idle strategies, pinning and pre-faulting.
    Profile {
        /// A thread for each agent, pinned and spinning. The pages of buffers are mapped when they are created.
        LowLatency = "low-latency",
        /// Sender and receiver share a thread. Agents back off when idle. Suitable for two cores.
        Balanced = "balanced",
        /// One thread that sleeps when idle, for laptops, test machines, and containers with a CPU quota.
        Frugal = "frugal",
    }
}
words! {
    /// Which agents share a thread. The words are the reference's, and are part of counter labels.
    ThreadingMode {
        /// A thread each for conductor, sender and receiver.
        Dedicated = "DEDICATED" | "dedicated",
        /// One thread for the conductor, one for sender and receiver.
        SharedNetwork = "SHARED_NETWORK" | "shared-network" | "shared_network",
        /// One thread for all.
        Shared = "SHARED" | "shared",
        /// No thread: the application's thread runs all agents.
        Invoker = "INVOKER" | "invoker",
    }
}
words! {
    /// How the driver's threads are named.
    ThreadNaming {
        /// By role: `conductor`.
        Classic = "classic",
        /// With a common prefix: `aeron-md-cnd`. Easy to recognise in a process with other threads.
        New = "new",
    }
}
words! {
    /// The idle strategy of an agent's thread.
    IdleStrategyName {
        /// Starts the next duty cycle at once, without even a pause instruction.
        Noop = "noop" | "aeron_idle_strategy_noop" | "org.agrona.concurrent.NoOpIdleStrategy",
        /// Executes a pause instruction.
        Spin = "spin" | "aeron_idle_strategy_busy_spinning" | "org.agrona.concurrent.BusySpinIdleStrategy",
        /// Yields the rest of its time slice.
        Yield = "yield" | "aeron_idle_strategy_yielding" | "org.agrona.concurrent.YieldingIdleStrategy",
        /// Spins, then yields, then sleeps for increasing times.
        Backoff = "backoff" | "aeron_idle_strategy_backoff" | "org.agrona.concurrent.BackoffIdleStrategy",
        /// Sleeps for a fixed time.
        Sleep = "sleep-ns" | "sleep" | "sleeping" | "aeron_idle_strategy_sleeping"
            | "org.agrona.concurrent.SleepingIdleStrategy",
    }
}
words! {
    /// Which users besides the driver's may use the driver.
    DirectoryAccess {
        /// None: directories 0700, files 0600.
        Private = "private",
        /// The directory's group: directories 0750, files 0660. Clients of other users need it, because every client
        /// writes to the command file and to the logs.
        Group = "group",
    }
}
words! {
    /// The transport of datagrams.
    TransportName {
        /// io_uring if the operating system has and permits it, otherwise plain sockets.
        Auto = "auto",
        /// io_uring. The driver does not start without it.
        IoUring = "io_uring" | "io-uring",
        /// Plain sockets.
        Sockets = "sockets",
    }
}
words! {
    /// Whether a request to terminate the driver is permitted.
    TerminationValidator {
        /// Never.
        Deny = "deny" | "aeron_driver_termination_validator_default_deny" | "io.aeron.driver.DefaultDenyTerminationValidator",
        /// Always.
        Allow = "allow" | "aeron_driver_termination_validator_default_allow"
            | "io.aeron.driver.DefaultAllowTerminationValidator",
        /// If it has the configured token.
        Token = "token",
    }
}
words! {
    /// A property of receivers that is stated or inferred from the channel.
    Inferable {
        /// True.
        True = "true",
        /// False.
        False = "false",
        /// Inferred from the channel: true for multicast.
        Infer = "infer",
    }
}
words! {
    /// The receiver that limits a publication.
    FlowControlName {
        /// The only receiver of a unicast channel.
        UnicastMax = "unicast_max" | "aeron_unicast_flow_control_strategy_supplier"
            | "io.aeron.driver.DefaultUnicastFlowControlSupplier",
        /// The fastest receiver.
        MulticastMax = "multicast_max" | "aeron_max_multicast_flow_control_strategy_supplier"
            | "io.aeron.driver.DefaultMulticastFlowControlSupplier" | "io.aeron.driver.MaxMulticastFlowControlSupplier",
        /// The slowest receiver.
        MulticastMin = "multicast_min" | "aeron_min_flow_control_strategy_supplier"
            | "io.aeron.driver.MinMulticastFlowControlSupplier",
        /// The slowest receiver with the group tag.
        MulticastTagged = "multicast_tagged" | "aeron_tagged_flow_control_strategy_supplier"
            | "io.aeron.driver.TaggedMulticastFlowControlSupplier",
    }
}
words! {
    /// The congestion control of images.
    CongestionControlName {
        /// As in the channel's `cc` parameter. Without it, a static window.
        Default = "default" | "aeron_congestion_control_default_strategy_supplier"
            | "io.aeron.driver.DefaultCongestionControlSupplier",
        /// A static window.
        Static = "static" | "aeron_static_window_congestion_control_strategy_supplier",
        /// CUBIC.
        Cubic = "cubic" | "aeron_cubic_congestion_control_strategy_supplier"
            | "io.aeron.driver.ext.CubicCongestionControlSupplier",
    }
}
words! {
    /// The name resolution before the operating system's.
    NameResolverName {
        /// None.
        Default = "default" | "aeron_default_name_resolver_supplier",
        /// Names that drivers tell each other.
        Driver = "driver" | "aeron_driver_name_resolver_supplier",
        /// A table of names.
        CsvTable = "csv_table" | "aeron_csv_table_name_resolver_supplier",
    }
}
