//! The systems under test, one per file; `driven` is what those have in common whose threads run their drivers, too. A
//! system opens its two ends once and keeps them for all rounds of a run.

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

/// Name of the physical floor in results; every other system is compared with it.
pub const FLOOR: &str = "floor";

/// What can be measured in a scenario. Calls arrive once per round, outside the timed loops, so a virtual call costs nothing.
pub trait System {
    /// The system's name in results: `gannet`, `floor`, or a peer's.
    fn name(&self) -> &str;

    /// One line on how the system is set up, for the report.
    fn describe(&self) -> String;

    /// Runs one round of round trips.
    ///
    /// # Errors
    ///
    /// [`RigError`] when the system does not work; the scenario ends.
    fn echo(&mut self, plan: &EchoPlan) -> Result<EchoOutcome, RigError>;

    /// Runs one round of throughput.
    ///
    /// # Errors
    ///
    /// [`RigError`] when the system does not work; the scenario ends.
    fn throughput(&mut self, plan: &ThroughputPlan) -> Result<ThroughputOutcome, RigError>;

    /// What it needs while other systems have their rounds, which it may otherwise be taken for dead for. Called after each round.
    fn keep_alive(&mut self) {}

    /// What sets this system apart from others of its name, for its results.
    fn details(&self) -> Option<Details> {
        None
    }

    /// System calls made so far for sending and receiving, at the near end and at the far end, where the system counts them.
    fn calls(&self) -> Option<[u64; 2]> {
        None
    }
}
