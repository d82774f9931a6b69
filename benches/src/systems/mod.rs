//! The systems under test, one per file. A system opens its two ends once and keeps them for all rounds of a run.

pub mod floor;
pub mod gannet;

use crate::rig::RigError;
use crate::rig::echo::{EchoOutcome, EchoPlan};
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
}
