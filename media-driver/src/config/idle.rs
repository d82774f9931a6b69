//! What each thread of a driver does when idle, by the mode in which its agents share threads. Asked when threads are started.

use gannet::agent::{IdleStrategy, IdleStrategyError};

use super::table::Threads;
use super::value::{IdleStrategyName, ThreadingMode};

impl Threads {
    /// What the conductor's thread does when idle: its own strategy, or that of mode `SHARED`.
    ///
    /// # Errors
    ///
    /// When the strategy's arguments are not of its form; never for a configuration that was checked.
    pub fn conductor_idle_strategy(&self) -> Result<IdleStrategy, IdleStrategyError> {
        match self.mode {
            ThreadingMode::Dedicated | ThreadingMode::SharedNetwork => {
                idle_strategy(self.conductor_idle, &self.conductor_idle_args)
            }
            // Who invokes the driver on a thread of its own idles as one that runs all agents.
            ThreadingMode::Shared | ThreadingMode::Invoker => idle_strategy(self.shared_idle, &self.shared_idle_args),
        }
    }

    /// What the thread that runs the sender does when idle; that of sender and receiver, where they share one.
    ///
    /// # Errors
    ///
    /// As [`Threads::conductor_idle_strategy`].
    pub fn sender_idle_strategy(&self) -> Result<IdleStrategy, IdleStrategyError> {
        match self.mode {
            ThreadingMode::SharedNetwork => idle_strategy(self.shared_network_idle, &self.shared_network_idle_args),
            _ => idle_strategy(self.sender_idle, &self.sender_idle_args),
        }
    }

    /// What the thread that runs the receiver alone does when idle.
    ///
    /// # Errors
    ///
    /// As [`Threads::conductor_idle_strategy`].
    pub fn receiver_idle_strategy(&self) -> Result<IdleStrategy, IdleStrategyError> {
        idle_strategy(self.receiver_idle, &self.receiver_idle_args)
    }
}

/// The strategy of that name, with its arguments where there are any.
pub(super) fn idle_strategy(name: IdleStrategyName, args: &str) -> Result<IdleStrategy, IdleStrategyError> {
    IdleStrategy::named(name.as_str(), (!args.is_empty()).then_some(args))
}
