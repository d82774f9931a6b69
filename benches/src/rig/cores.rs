//! The two cores that the ends of a measurement run on. Every system of a run uses the same two.

use core_affinity::CoreId;

/// The cores of the two ends. `None` means that the scheduler places that end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cores {
    /// The core of the near end, which stamps, sends and measures.
    pub near: Option<usize>,
    /// The core of the far end, which reflects or consumes.
    pub far: Option<usize>,
}

impl Cores {
    /// Chooses the first and the last core that this process may use, since those are far apart on a machine with many.
    /// Does not pin on a machine with one core.
    pub fn choose() -> Self {
        match core_affinity::get_core_ids().unwrap_or_default().as_slice() {
            [first, .., last] => Self { near: Some(first.id), far: Some(last.id) },
            _ => Self { near: None, far: None },
        }
    }

    /// Describes the cores for reports, such as `cores 0 and 1`.
    pub fn describe(&self) -> String {
        match (self.near, self.far) {
            (Some(near), Some(far)) => format!("cores {near} and {far}"),
            _ => "not pinned".to_owned(),
        }
    }
}

/// Pins the calling thread. If the system refuses, the scheduler places the thread.
pub(crate) fn pin(core: Option<usize>) {
    if let Some(id) = core {
        core_affinity::set_for_current(CoreId { id });
    }
}

/// Idles an end that found nothing to do: an end with a core of its own spins, one that shares a core yields.
#[inline]
pub(crate) fn relax(core: Option<usize>) {
    if core.is_some() { std::hint::spin_loop() } else { std::thread::yield_now() }
}
