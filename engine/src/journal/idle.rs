//! How the threads of a journal wait for each other.

use crate::agent::{Backoff, IdleStrategy};

/// Sleeps for 0.5 ms and then longer. No append waits with this strategy.
pub(crate) fn idle_strategy() -> IdleStrategy {
    IdleStrategy::Backoff(Backoff::new(0, 0, 500_000, 8_000_000))
}
