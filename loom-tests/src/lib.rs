//! Loom models that run the engine's shipping code over tiny buffers: how they are run, and what they must show.
//!
//! A model states which outcomes it may have. `check` explores its interleavings: nothing else may occur, and each of them
//! must. `must_fail` explores it again with one ordering left out and expects that it fails.
//!
//! Everything here needs model builds (`--cfg engine_loom`); see the README.
#![cfg(engine_loom)]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

/// How far a model is explored.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How often a thread may be interrupted where it could have gone on; none for every interleaving.
    pub preemptions: Option<usize>,
}

impl Bounds {
    /// Every interleaving.
    pub const NONE: Self = Self { preemptions: None };

    /// Every interleaving with at most this many preemptions. Bugs that need more are rare, and two find nearly all that are
    /// known; each model says why it needs a bound.
    pub const fn preemptions(count: usize) -> Self {
        Self { preemptions: Some(count) }
    }
}

/// Explores a model, whose value is its outcome: each must be one of `allowed`, and each of those must occur.
///
/// # Panics
///
/// When that is not so, or when the model panics, races or deadlocks.
pub fn check<T: Ord + Clone + Debug + Send + Sync + 'static>(
    bounds: Bounds,
    allowed: &[T],
    model: impl Fn() -> T + Send + Sync + 'static,
) {
    let seen: Arc<Mutex<BTreeMap<T, usize>>> = Arc::default();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = bounds.preemptions;
    let outcomes = Arc::clone(&seen);
    let expected = allowed.to_vec();
    builder.check(move || {
        let outcome = model();
        assert!(expected.contains(&outcome), "{outcome:?} is not one of {expected:?}");
        *outcomes.lock().expect("no panic while it is held").entry(outcome).or_default() += 1;
    });
    let seen = seen.lock().expect("no panic while it is held");
    println!("{} interleavings: {seen:?}", seen.values().sum::<usize>());
    for outcome in allowed {
        assert!(seen.contains_key(outcome), "{outcome:?} never occurred, only {seen:?}");
    }
}

/// Runs a check with one ordering left out, and expects it to fail. `target` is `label:operation`; see
/// [`gannet::weaken::weakened`].
///
/// # Panics
///
/// When the check passes all the same, or never came to an operation of that name.
pub fn must_fail(target: &str, check: impl FnOnce()) {
    let (result, met) = gannet::weaken::weakened(target, || catch_unwind(AssertUnwindSafe(check)));
    assert!(met, "nothing in this model is {target}");
    assert!(result.is_err(), "the model does not depend on {target}");
}

/// Points of several threads that may come in any order, for models whose outcomes depend on it.
///
/// Loom tries another order of two accesses when they conflict, but it compares each access only with the last one to the same
/// word. Where a thread reads a word and then updates it, the read hides the conflict of the update with what came before.
#[derive(Clone, Debug, Default)]
pub struct Crossing {
    passed: loom::sync::Arc<loom::sync::atomic::AtomicUsize>,
}

impl Crossing {
    /// Passes this point before or after other threads pass theirs. Orders nothing.
    pub fn pass(&self) {
        self.passed.fetch_add(1, loom::sync::atomic::Ordering::Relaxed);
    }
}
