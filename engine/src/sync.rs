//! The only file that names atomic types: the standard ones in production, loom's in model builds (`--cfg
//! engine_loom`).

#[cfg(not(engine_loom))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, Ordering, fence};

#[cfg(not(engine_loom))]
pub(crate) use core::sync::atomic::compiler_fence;

#[cfg(engine_loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, Ordering};

/// A fence that a model can omit.
#[cfg(engine_loom)]
#[track_caller]
pub(crate) fn fence(ordering: Ordering) {
    use crate::weaken::{Operation, is_weakened};
    if !is_weakened(Operation::Fence, core::panic::Location::caller()) {
        loom::sync::atomic::fence(ordering);
    }
}
