//! The idle strategy of each thread of a driver, which depends on how the agents share threads. Used when threads are
//! started.

use gannet::agent::{IdleStrategy, IdleStrategyError};

use super::table::Threads;
use super::words::{IdleStrategyName, ThreadingMode};

impl Threads {
    /// The idle strategy of the conductor's thread: its own, or that of mode `SHARED`.
    ///
    /// # Errors
    ///
    /// If the strategy's arguments are invalid. Never for a validated configuration.
    pub fn conductor_idle_strategy(&self) -> Result<IdleStrategy, IdleStrategyError> {
        match self.mode {
            ThreadingMode::Dedicated | ThreadingMode::SharedNetwork => {
                idle_strategy(self.conductor_idle, &self.conductor_idle_args)
            }
            // A program that invokes the driver on its own thread uses the strategy of a thread that runs all agents.
            ThreadingMode::Shared | ThreadingMode::Invoker => idle_strategy(self.shared_idle, &self.shared_idle_args),
        }
    }

    /// The idle strategy of the sender's thread. If sender and receiver share a thread, the strategy of that thread.
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

    /// The idle strategy of the receiver's own thread.
    ///
    /// # Errors
    ///
    /// As [`Threads::conductor_idle_strategy`].
    pub fn receiver_idle_strategy(&self) -> Result<IdleStrategy, IdleStrategyError> {
        idle_strategy(self.receiver_idle, &self.receiver_idle_args)
    }
}

/// The strategy with this name and these arguments, if there are any.
pub(super) fn idle_strategy(name: IdleStrategyName, args: &str) -> Result<IdleStrategy, IdleStrategyError> {
    IdleStrategy::named(name.as_str(), (!args.is_empty()).then_some(args))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each of the five settings its own, so that one taken for another shows.
    #[test]
    fn each_thread_idles_as_the_mode_says() {
        let names = |mode| {
            let threads = Threads {
                mode,
                conductor_idle: IdleStrategyName::Noop,
                sender_idle: IdleStrategyName::Spin,
                receiver_idle: IdleStrategyName::Yield,
                shared_idle: IdleStrategyName::Backoff,
                shared_idle_args: "10-20-1us-1ms".to_owned(),
                shared_network_idle: IdleStrategyName::Sleep,
                shared_network_idle_args: "4ms".to_owned(),
                ..Threads::default()
            };
            let strategies =
                [threads.conductor_idle_strategy(), threads.sender_idle_strategy(), threads.receiver_idle_strategy()];
            strategies.map(|strategy| strategy.unwrap().to_string())
        };
        assert_eq!(names(ThreadingMode::Dedicated), ["noop", "spin", "yield"]);
        assert_eq!(names(ThreadingMode::SharedNetwork)[..2], ["noop", "sleep-ns:4ms"]);
        assert_eq!(names(ThreadingMode::Shared)[0], "backoff:10-20-1us-1ms");
        assert_eq!(names(ThreadingMode::Invoker)[0], "backoff:10-20-1us-1ms");
    }
}
