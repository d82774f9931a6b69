//! The systems under test, one per file. `driven` is shared by those whose threads also run their drivers. A system
//! opens its two ends once and keeps them for all rounds of a run.

pub mod driven;
pub mod floor;
pub mod gannet;
pub mod gannet_udp;
pub mod handover;
pub mod udp_floor;

use crate::rig::RigError;
use crate::rig::echo::{EchoOutcome, EchoPlan};
use crate::rig::measurement::Details;
use crate::rig::throughput::{ThroughputOutcome, ThroughputPlan};

/// The name of the physical floor in results. Every other system is compared with it.
pub const FLOOR: &str = "floor";

/// A system that a scenario can measure. Its methods are called once per round, outside the timed loops, so virtual
/// calls cost nothing.
pub trait System {
    /// The system's name in results: `gannet`, `floor`, or a peer's.
    fn name(&self) -> &str;

    /// One line about the settings of the system, for the report.
    fn describe(&self) -> String;

    /// Runs one round of round trips.
    ///
    /// # Errors
    ///
    /// [`RigError`] when the system fails, which ends the scenario.
    fn echo(&mut self, plan: &EchoPlan) -> Result<EchoOutcome, RigError>;

    /// Runs one round of throughput.
    ///
    /// # Errors
    ///
    /// [`RigError`] when the system fails, which ends the scenario.
    fn throughput(&mut self, plan: &ThroughputPlan) -> Result<ThroughputOutcome, RigError>;

    /// Keeps the system alive while other systems have their rounds, so that it does not time out. Called after each
    /// round.
    fn keep_alive(&mut self) {}

    /// The details that tell this system's results from others of its name.
    fn details(&self) -> Option<Details> {
        None
    }

    /// The number of system calls so far for sending and receiving, at the near end and at the far end, if the system
    /// counts them.
    fn calls(&self) -> Option<[u64; 2]> {
        None
    }
}
