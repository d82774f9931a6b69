//! Media drivers: [`DriverProcess`] is Aeron's or Gannet's as a child process; [`EmbeddedDriver`] is Aeron's inside this
//! process, as the program `peer-driver` and measurements on few cores need it.

mod embedded;
mod process;

pub use embedded::{DriverSettings, EmbeddedDriver, NetworkSettings};
pub use process::{DriverKind, DriverOptions, DriverProcess};

/// Which threads a driver has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadingMode {
    /// One for each of conductor, sender and receiver.
    Dedicated,
    /// Sender and receiver together.
    SharedNetwork,
    /// All together.
    Shared,
    /// None: whoever owns the driver calls it.
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

    /// The mode of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Dedicated, Self::SharedNetwork, Self::Shared, Self::Invoker].into_iter().find(|mode| mode.name() == name)
    }
}

/// The settings that name the idle strategy of each agent.
pub const IDLE_STRATEGY_PROPERTIES: [&str; 5] = [
    "aeron.conductor.idle.strategy",
    "aeron.sender.idle.strategy",
    "aeron.receiver.idle.strategy",
    "aeron.shared.idle.strategy",
    "aeron.sharednetwork.idle.strategy",
];

/// The environment variable that carries a property, as the C driver derives it.
pub fn environment_name(property: &str) -> String {
    property.to_uppercase().replace('.', "_")
}
