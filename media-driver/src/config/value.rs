//! Conversion of a setting's text to a value and back: sizes, durations, numbers, words. The table uses it for every
//! source, so a spelling means the same everywhere. It reads nothing but its input.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use gannet::quantity::{format_duration_ns, format_size, parse_duration_ns, parse_size};
use gannet::types::{Mtu, SessionId, TermLength};

/// The form of a setting's text, for errors and the reference page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `true`, `on`, `1` or `false`, `off`, `0`.
    Flag,
    /// Bytes, with an optional suffix `k`, `m` or `g` in powers of 1024.
    Size,
    /// Nanoseconds, or a number with suffix `s`, `ms`, `us` or `ns`.
    Duration,
    /// Milliseconds, or a number with suffix `s`, `ms`, `us` or `ns`.
    Milliseconds,
    /// A whole number.
    Number,
    /// Free text.
    Text,
    /// A path.
    Path,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A CPU number, `-1` for none, or `auto`.
    Cpu,
    /// Two port numbers separated by a space.
    Ports,
}

impl Form {
    /// Formats a limit like a value of this form.
    pub(super) fn show_limit(self, limit: i128) -> String {
        match (self, u64::try_from(limit)) {
            (Self::Size, Ok(bytes)) => format_size(bytes),
            (Self::Duration | Self::Milliseconds, Ok(ns)) => show_duration(Duration::from_nanos(ns)),
            _ => limit.to_string(),
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("true, on, 1 or false, off, 0"),
            Self::Size => f.write_str("a number of bytes, optionally with suffix k, m or g"),
            Self::Duration => f.write_str("nanoseconds, or a number with suffix s, ms, us or ns"),
            Self::Milliseconds => f.write_str("milliseconds, or a number with suffix s, ms, us or ns"),
            Self::Number => f.write_str("a whole number"),
            Self::Text => f.write_str("text"),
            Self::Path => f.write_str("a path"),
            Self::Word(words) => write!(f, "one of {}", words.join(", ")),
            Self::Cpu => f.write_str("a CPU number, -1 for none, or auto"),
            Self::Ports => f.write_str("two port numbers separated by a space, the lower first"),
        }
    }
}

/// A type of a setting.
pub(super) trait Value: Sized {
    /// The form of its text.
    const FORM: Form;

    /// Parses the text. `None` if it is invalid.
    fn parse(text: &str) -> Option<Self>;

    /// Formats the value so that `parse` accepts it.
    fn show(&self) -> String;

    /// The number to which a setting's limits apply. `None` if they do not apply.
    fn magnitude(&self) -> Option<i128> {
        None
    }
}

/// A length in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteLength(u64);

impl ByteLength {
    /// A length in bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The length in bytes.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The length in bytes, as `usize`.
    pub const fn as_usize(self) -> usize {
        const _: () = assert!(size_of::<usize>() == size_of::<u64>(), "a 64-bit address space");
        self.0 as usize
    }
}

impl fmt::Display for ByteLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_size(self.0))
    }
}

/// A duration in milliseconds, in the configuration a plain number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Milliseconds(u64);

impl Milliseconds {
    /// A number of milliseconds.
    pub const fn new(ms: u64) -> Self {
        Self(ms)
    }

    /// The number of milliseconds.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// The ports for endpoints with port 0, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PortRange {
    /// The lowest port.
    pub low: u16,
    /// The highest port.
    pub high: u16,
}

/// The CPU of an agent's thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Cpu {
    /// Not pinned.
    #[default]
    Any,
    /// A CPU of its own, chosen at start from those that this process may use. Not pinned if there are too few.
    Auto,
    /// This CPU.
    Number(u16),
}

/// Defines an enum of words. The first spelling is shown, and all are parsed.
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

impl Value for bool {
    const FORM: Form = Form::Flag;

    fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "on" | "1" => Some(true),
            "false" | "off" | "0" => Some(false),
            _ => None,
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for ByteLength {
    const FORM: Form = Form::Size;

    fn parse(text: &str) -> Option<Self> {
        parse_size(text).ok().map(Self)
    }

    fn show(&self) -> String {
        format_size(self.0)
    }

    fn magnitude(&self) -> Option<i128> {
        Some(self.0.into())
    }
}

/// A length for which 0 means "not stated".
impl Value for Option<ByteLength> {
    const FORM: Form = Form::Size;

    fn parse(text: &str) -> Option<Self> {
        ByteLength::parse(text).map(|length| (length.get() != 0).then_some(length))
    }

    fn show(&self) -> String {
        self.map_or_else(|| "0".to_owned(), |length| length.show())
    }

    fn magnitude(&self) -> Option<i128> {
        Some(self.map_or(0, ByteLength::get).into())
    }
}

/// Sizes whose types have limits.
macro_rules! bounded_sizes {
    ($($size:ty)*) => {$(
        impl Value for $size {
            const FORM: Form = Form::Size;

            fn parse(text: &str) -> Option<Self> {
                Self::new(parse_size(text).ok()?.try_into().ok()?).ok()
            }

            fn show(&self) -> String {
                format_size(self.get().unsigned_abs().into())
            }

            fn magnitude(&self) -> Option<i128> {
                Some(self.get().into())
            }
        }
    )*};
}

bounded_sizes! { TermLength Mtu }

impl Value for Duration {
    const FORM: Form = Form::Duration;

    fn parse(text: &str) -> Option<Self> {
        parse_duration_ns(text).ok().map(|ns| Self::from_nanos(ns.unsigned_abs()))
    }

    fn show(&self) -> String {
        show_duration(*self)
    }

    fn magnitude(&self) -> Option<i128> {
        i128::try_from(self.as_nanos()).ok()
    }
}

/// An optional duration. An empty text or `-1` means none.
impl Value for Option<Duration> {
    const FORM: Form = Form::Duration;

    fn parse(text: &str) -> Option<Self> {
        match text {
            "" | "-1" => Some(None),
            _ => Duration::parse(text).map(Some),
        }
    }

    fn show(&self) -> String {
        self.map_or_else(|| "-1".to_owned(), |duration| duration.show())
    }

    fn magnitude(&self) -> Option<i128> {
        self.as_ref().and_then(Value::magnitude)
    }
}

impl Value for Milliseconds {
    const FORM: Form = Form::Milliseconds;

    fn parse(text: &str) -> Option<Self> {
        match text.parse() {
            Ok(ms) => Some(Self(ms)),
            Err(_) => Duration::parse(text).map(|duration| Self(duration.as_millis() as u64)),
        }
    }

    fn show(&self) -> String {
        self.0.to_string()
    }

    fn magnitude(&self) -> Option<i128> {
        Some(i128::from(self.0) * 1_000_000)
    }
}

macro_rules! numbers {
    ($($number:ty),+) => {$(
        impl Value for $number {
            const FORM: Form = Form::Number;

            fn parse(text: &str) -> Option<Self> {
                text.parse().ok()
            }

            fn show(&self) -> String {
                self.to_string()
            }

            fn magnitude(&self) -> Option<i128> {
                Some((*self).into())
            }
        }
    )+};
}
numbers!(i32, u32, i64, u64);

impl Value for SessionId {
    const FORM: Form = Form::Number;

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self::new)
    }

    fn show(&self) -> String {
        self.to_string()
    }

    fn magnitude(&self) -> Option<i128> {
        Some(self.get().into())
    }
}

/// An optional number. An empty text means none.
impl Value for Option<i64> {
    const FORM: Form = Form::Number;

    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
    }

    fn show(&self) -> String {
        self.map_or_else(String::new, |number| number.to_string())
    }

    fn magnitude(&self) -> Option<i128> {
        self.map(Into::into)
    }
}

/// A text. Empty if not set.
impl Value for String {
    const FORM: Form = Form::Text;

    fn parse(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }

    fn show(&self) -> String {
        self.clone()
    }
}

impl Value for Option<PathBuf> {
    const FORM: Form = Form::Path;

    fn parse(text: &str) -> Option<Self> {
        Some((!text.is_empty()).then(|| PathBuf::from(text)))
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(String::new, |path| path.display().to_string())
    }
}

impl Value for Cpu {
    const FORM: Form = Form::Cpu;

    fn parse(text: &str) -> Option<Self> {
        match text {
            "-1" => Some(Self::Any),
            "auto" => Some(Self::Auto),
            _ => text.parse().ok().map(Self::Number),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Any => "-1".to_owned(),
            Self::Auto => "auto".to_owned(),
            Self::Number(number) => number.to_string(),
        }
    }

    fn magnitude(&self) -> Option<i128> {
        match self {
            Self::Number(number) => Some((*number).into()),
            Self::Any | Self::Auto => None,
        }
    }
}

impl Value for Option<PortRange> {
    const FORM: Form = Form::Ports;

    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(None);
        }
        let (low, high) = text.split_once(' ')?;
        let range = PortRange { low: low.trim().parse().ok()?, high: high.trim().parse().ok()? };
        (range.low <= range.high).then_some(Some(range))
    }

    fn show(&self) -> String {
        self.map_or_else(String::new, |range| format!("{} {}", range.low, range.high))
    }
}

/// Formats a duration with the largest unit that divides it.
pub(super) fn show_duration(duration: Duration) -> String {
    format_duration_ns(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_numbers_count_the_unit_of_their_form() {
        assert_eq!(Duration::parse("1500"), Some(Duration::from_nanos(1500)));
        assert_eq!(Milliseconds::parse("10000"), Some(Milliseconds::new(10_000)));
        assert_eq!(Milliseconds::parse("10s"), Some(Milliseconds::new(10_000)));
        assert_eq!(ByteLength::parse("64K"), Some(ByteLength::new(65_536)));
        for text in ["", "-1", "1.5", "ten", "1 s"] {
            assert_eq!(Duration::parse(text), None, "{text}");
            assert_eq!(Milliseconds::parse(text), None, "{text}");
            assert_eq!(ByteLength::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_read_back() {
        fn both_ways<T: Value + PartialEq + std::fmt::Debug>(values: &[T]) {
            for value in values {
                assert_eq!(T::parse(&value.show()).as_ref(), Some(value), "{}", value.show());
            }
        }
        both_ways(&[Cpu::Any, Cpu::Auto, Cpu::Number(3)]);
        both_ways(&[None, Some(PortRange { low: 20_000, high: 20_100 })]);
        both_ways(&[None, Some(Duration::from_millis(1500))]);
        both_ways(&[None, Some(ByteLength::new(128 << 10))]);
        both_ways(&[None, Some(-7_i64)]);
        both_ways(&[ThreadingMode::Dedicated, ThreadingMode::Invoker]);
        both_ways(&[TermLength::MIN, TermLength::MAX]);
    }
}
