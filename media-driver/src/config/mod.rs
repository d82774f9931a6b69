//! The driver's configuration: typed values in groups by owner, one table of their names, and their sources. `main.rs`
//! and embedders build a [`DriverConfig`], and agents take their part of it at construction. Nothing here touches the
//! operating system: texts come in, values and errors go out.
//!
//! ```
//! use gannet::types::TermLength;
//! use gannet_driver::config::{DriverConfig, Layers, Profile};
//!
//! // By fields.
//! let mut config = DriverConfig::for_profile(Profile::Frugal);
//! config.terms.ipc_term_length = TermLength::new(1 << 20)?;
//!
//! // By the names that the program takes.
//! let mut layers = Layers::new();
//! layers.define("gannet.profile=frugal");
//! layers.define("aeron.ipc.term.buffer.length=1m");
//! assert_eq!(layers.load()?.config, config);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod idle;
mod layers;
mod loaded;
mod names;
mod page;
mod profile;
mod properties;
mod property;
mod relations;
mod table;
mod value;
mod words;

pub use error::{ConfigError, ConfigErrors, Source, Stated};
pub use layers::Layers;
pub use loaded::Loaded;
pub use names::NameRow;
pub use page::page;
pub use property::{Effect, Limits, Property, Rule};
pub use table::{
    Buffers, Capacity, Directory, DriverConfig, Loss, Network, PROPERTIES, Process, Resolver, Streams, Terms, Threads,
    Timeouts,
};

pub use value::{ByteLength, Cpu, Form, Milliseconds, PortRange};
pub use words::{
    CongestionControlName, DirectoryAccess, FlowControlName, IdleStrategyName, Inferable, NameResolverName, Profile,
    TerminationValidator, ThreadNaming, ThreadingMode, TransportName, UnknownWord,
};
