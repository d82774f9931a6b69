//! Tests with processes that append to a journal, read it and prune it, and are killed at any moment, also while they
//! open and recover it and while others continue. Messages for which `append` returned are there once and in order.
//! Other messages are complete or absent, and so are batches of messages. A reader with a named cursor misses nothing. A
//! consumer handles each message or puts it aside, and once unless it was killed over it.
//!
//! When a process is killed depends on what it has done, so each of them does something on a slow machine too: one in
//! five is opening the journal, and the others have appended, read or pruned a random amount. Those that open it, and some
//! pruners, stop by themselves at a random call of the storage, and are killed there.
//!
//! By default there is a small number of kills. The long run has a thousand:
//!
//! ```sh
//! GANNET_TEST_JOURNAL_KILLS=1000 cargo test --release -p gannet --test journal -- --nocapture killed::
//! ```

mod alone;
mod consumers;
mod process;
mod roles;
mod together;

/// The number of processes to kill, if not the default.
const KILLS: &str = "GANNET_TEST_JOURNAL_KILLS";

/// Messages of the test's own process have appender numbers from here on.
const BYSTANDERS: u64 = 1_000_000;

/// The number of processes to kill.
fn kills(default: u64) -> u64 {
    std::env::var(KILLS).ok().and_then(|kills| kills.parse().ok()).unwrap_or(default)
}

/// Numbers that look random, the same ones each time.
fn random(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    }
}
