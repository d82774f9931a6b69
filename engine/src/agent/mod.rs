//! Agents and their threads. An [`Agent`] does a bounded amount of work per call and never waits. An [`AgentRunner`]
//! calls it on a thread of its own; an [`AgentInvoker`] calls it on a thread that its owner chooses. The
//! [`IdleStrategy`] decides what the thread does after a call that found no work.
//!
//! An agent here is an outermost layer: it holds the clock and the system's resources, and passes the time and the
//! input to the values inside it, which do no I/O and read no clock.

mod idle_strategy;
mod invoker;
mod runner;

pub use idle_strategy::{Backoff, IdleStrategy, IdleStrategyError};
pub use invoker::AgentInvoker;
pub use runner::{AgentPanic, AgentRunner};

/// Work that is done in duty cycles, a bounded amount in each.
///
/// One thread calls all four methods.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use gannet::agent::{Agent, AgentRunner, Finished, IdleStrategy};
///
/// struct Count {
///     total: Arc<AtomicU64>,
/// }
///
/// impl Agent for Count {
///     fn name(&self) -> &str {
///         "count"
///     }
///
///     fn do_work(&mut self) -> Result<usize, Finished> {
///         let before = self.total.fetch_add(1, Ordering::Relaxed);
///         if before < 1000 { Ok(1) } else { Err(Finished) }
///     }
/// }
///
/// let total = Arc::new(AtomicU64::new(0));
/// let agent = Count { total: Arc::clone(&total) };
/// let mut runner = AgentRunner::start(agent, IdleStrategy::default(), || {})?;
/// while runner.is_running() {
///     std::thread::yield_now();
/// }
/// runner.close()?;
/// assert_eq!(total.load(Ordering::Relaxed), 1001);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Agent {
    /// The agent's name, also used for its thread. Linux shows 15 bytes of it.
    fn name(&self) -> &str;

    /// Called once, before the first duty cycle.
    fn on_start(&mut self) {}

    /// Runs one duty cycle: does a bounded amount of work. Returns the work count. After 0 the thread idles.
    ///
    /// # Errors
    ///
    /// [`Finished`] if there will never be work again. An agent reports its own failures, for example in an error log.
    fn do_work(&mut self) -> Result<usize, Finished>;

    /// Called once, after the last duty cycle. Not called after a panic.
    fn on_close(&mut self) {}
}

/// Signals that an agent has finished and will never have work again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished;
