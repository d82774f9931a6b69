//! Support for the loom models, which run the engine's shipping code over tiny buffers.
//!
//! A model states its allowed outcomes. `check` explores its interleavings: no other outcome may occur, and every
//! allowed one must. `must_fail` explores it again with one ordering weakened, and expects the check to fail.
//!
//! Everything here needs a model build (`--cfg engine_loom`); see the README.
#![cfg(engine_loom)]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

/// The limits of the exploration of a model.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How often threads may be preempted. `None` explores every interleaving.
    pub preemptions: Option<usize>,
}

impl Bounds {
    /// No limits: every interleaving is explored.
    pub const NONE: Self = Self { preemptions: None };

    /// Explores interleavings with at most `count` preemptions. Bugs that need more are rare, and two preemptions find
    /// nearly all known ones. Each model says why it needs a bound.
    pub const fn preemptions(count: usize) -> Self {
        Self { preemptions: Some(count) }
    }
}

/// Explores a model, which returns its outcome. Each outcome must be one of `allowed`, and each of `allowed` must
/// occur.
///
/// # Panics
///
/// When an outcome is not allowed or an allowed one does not occur, or when the model panics, has a data race or
/// deadlocks.
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

/// Runs a check with orderings weakened or updates split, and expects it to fail. `target` is `label:operation`; see
/// [`gannet::weaken::weakened`].
///
/// # Panics
///
/// When the check passes nevertheless, or never reached an operation of such a name.
pub fn must_fail(target: &str, check: impl FnOnce()) {
    let (result, met) = gannet::weaken::weakened(target, || catch_unwind(AssertUnwindSafe(check)));
    assert!(met, "nothing in this model is {target}");
    assert!(result.is_err(), "the model does not depend on {target}");
}

/// A point that several threads pass in any order, for models whose outcomes depend on that order.
///
/// Loom explores another order of two accesses when they conflict, but compares each access only with the last one to
/// the same word. Where a thread reads a word and then updates it, the read hides the conflict of the update with
/// earlier accesses.
#[derive(Clone, Debug, Default)]
pub struct Crossing {
    passed: loom::sync::Arc<loom::sync::atomic::AtomicUsize>,
}

impl Crossing {
    /// Passes the point before or after other threads pass theirs. It has no effect on memory ordering.
    pub fn pass(&self) {
        self.passed.fetch_add(1, loom::sync::atomic::Ordering::Relaxed);
    }
}
