//! What runs: an [`Agent`] does a bounded amount of work per call and never waits; an [`AgentRunner`] calls it from a
//! thread of its own, an [`AgentInvoker`] from whatever thread its owner chooses. What a thread does between two calls that
//! found nothing to do is its [`IdleStrategy`].
//!
//! An agent here is the outermost layer of one: it holds the clock and the system's resources, and hands the time and
//! what arrived to the values inside it, which do no I/O and read no clock.

mod idle_strategy;
mod invoker;
mod runner;

pub use idle_strategy::{Backoff, IdleStrategy, IdleStrategyError};
pub use invoker::AgentInvoker;
pub use runner::{AgentPanic, AgentRunner};

/// Something that does a bounded amount of work each time that it is asked to.
///
/// All four methods are called from one thread.
pub trait Agent {
    /// What people call it; the name of its thread, of which Linux shows 15 bytes.
    fn name(&self) -> &str;

    /// Called once, before any work.
    fn on_start(&mut self) {}

    /// Does what there is to do, but not for long, and returns how many things that were. 0 lets the thread idle.
    ///
    /// # Errors
    ///
    /// [`Finished`] when there will never be work again. Failures are the agent's own to report, in its error log.
    fn do_work(&mut self) -> Result<usize, Finished>;

    /// Called once, after the last work. Not called after a panic, which leaves an agent in no state to work.
    fn on_close(&mut self) {}
}

/// An agent has come to its end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished;
