//! Which two cores the ends of a measurement run on. Every system of a run gets the same two.

use core_affinity::CoreId;

/// The cores of the two ends. Nothing for an end means that the scheduler places it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cores {
    /// Where the near end runs: the one that stamps, sends and measures.
    pub near: Option<usize>,
    /// Where the far end runs: the one that reflects or consumes.
    pub far: Option<usize>,
}

impl Cores {
    /// The first and the last core that this process may use, which lie apart where the machine has many; no pinning on
    /// a machine with one.
    pub fn choose() -> Self {
        match core_affinity::get_core_ids().unwrap_or_default().as_slice() {
            [first, .., last] => Self { near: Some(first.id), far: Some(last.id) },
            _ => Self { near: None, far: None },
        }
    }

    /// `cores 0 and 1`, for reports.
    pub fn describe(&self) -> String {
        match (self.near, self.far) {
            (Some(near), Some(far)) => format!("cores {near} and {far}"),
            _ => "not pinned".to_owned(),
        }
    }
}

/// Pins the calling thread; where the system refuses, the thread stays where the scheduler puts it.
pub(crate) fn pin(core: Option<usize>) {
    if let Some(id) = core {
        core_affinity::set_for_current(CoreId { id });
    }
}

/// What an end does when it finds nothing: one with a core of its own spins, one that shares a core leaves it to others.
#[inline]
pub(crate) fn relax(core: Option<usize>) {
    if core.is_some() { std::hint::spin_loop() } else { std::thread::yield_now() }
}
