//! The conductor's half of a counter.

use crate::client::epochs::Epochs;
use crate::memory::OwnedWord;
use crate::types::{CounterId, RegistrationId};

/// The half of a counter that the handle shares with the conductor.
#[derive(Debug)]
pub(crate) struct CounterShared {
    pub(crate) bindings: Epochs<CounterBinding>,
}

/// A counter's binding in one session epoch.
#[derive(Debug)]
pub(crate) struct CounterBinding {
    pub(crate) registration_id: RegistrationId,
    pub(crate) counter_id: CounterId,
    pub(crate) value: OwnedWord<i64>,
    /// The registration id in the counter's record: in the same cache line as the value.
    pub(crate) owner: OwnedWord<i64>,
}

impl CounterShared {
    pub(crate) fn new(binding: CounterBinding) -> Self {
        Self { bindings: Epochs::new(binding) }
    }

    pub(crate) fn renew(&self, binding: CounterBinding) {
        self.bindings.renew(binding);
    }

    pub(crate) fn close(&self) {
        self.bindings.close();
    }
}
