//! Media drivers. [`DriverProcess`] is Aeron's or Gannet's driver as a child process. [`EmbeddedDriver`] is Aeron's
//! driver inside this process, for the program `peer-driver` and for measurements on few cores.

mod embedded;
mod process;

pub use embedded::{DriverSettings, EmbeddedDriver, NetworkSettings};
pub use process::{DriverKind, DriverOptions, DriverProcess};

/// The threading mode of a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadingMode {
    /// A thread each for conductor, sender and receiver.
    Dedicated,
    /// One thread for the conductor, one for sender and receiver.
    SharedNetwork,
    /// One thread for all.
    Shared,
    /// No threads: the owner of the driver invokes it.
    Invoker,
}

impl ThreadingMode {
    /// The name in the setting `aeron.threading.mode`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dedicated => "DEDICATED",
            Self::SharedNetwork => "SHARED_NETWORK",
            Self::Shared => "SHARED",
            Self::Invoker => "INVOKER",
        }
    }

    /// The mode called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Dedicated, Self::SharedNetwork, Self::Shared, Self::Invoker].into_iter().find(|mode| mode.name() == name)
    }
}

/// The settings with the idle strategy of each agent.
pub const IDLE_STRATEGY_PROPERTIES: [&str; 5] = [
    "aeron.conductor.idle.strategy",
    "aeron.sender.idle.strategy",
    "aeron.receiver.idle.strategy",
    "aeron.shared.idle.strategy",
    "aeron.sharednetwork.idle.strategy",
];

/// The environment variable for a property, as the C driver derives it.
pub fn environment_name(property: &str) -> String {
    property.to_uppercase().replace('.', "_")
}
