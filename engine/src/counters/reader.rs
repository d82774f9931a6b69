//! The read-only view of the counters, for clients, tools and the driver itself. It never blocks the manager, and never
//! accepts a copy as whole if the manager may have been changing the counter.

use super::layout::{
    COPIED_KEY_LENGTH, CounterBuffers, CountersError, Place, STATE_ALLOCATED, STATE_RECLAIMED, STATE_UNUSED,
};
use super::{CounterKey, CounterLabel};
use crate::memory::AtomicBuffer;
#[cfg(not(engine_loom))]
use crate::memory::{OwnedWord, RawAccess};
use crate::sync::{Ordering, fence};
use crate::types::{ClientId, CounterId, RegistrationId};

/// Reads counters. A clone shares the memory.
#[derive(Clone, Debug)]
pub struct CountersReader {
    buffers: CounterBuffers,
}

/// A consistent copy of a counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterRecord {
    /// The counter's id, which is the index of its record.
    pub id: CounterId,
    /// The type id. See [`type_id`](super::type_id).
    pub type_id: i32,
    /// The key, which identifies the counter among those of its type.
    pub key: CounterKey,
    /// The label.
    pub label: CounterLabel,
    /// The registration id.
    pub registration_id: RegistrationId,
    /// The client that owns the counter. -1 for none.
    pub owner_id: ClientId,
    /// The id of a related object. See [`CounterSpec::reference_id`](super::CounterSpec::reference_id).
    pub reference_id: i64,
    /// The value at the time of the copy.
    pub value: i64,
}

/// The state of a counter's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterState {
    /// Never used, and neither is any record after it.
    Unused,
    /// Used by a counter.
    Allocated,
    /// Freed.
    Reclaimed,
}

/// The number of attempts to copy a counter that changes meanwhile. Each time another counter took over the record,
/// which is rare.
const ATTEMPTS: usize = 3;

impl CountersReader {
    /// A reader of the counters in these two regions.
    ///
    /// # Errors
    ///
    /// [`CountersError`] unless the regions have space for at least one counter, and the metadata has space for all
    /// values.
    pub fn new(metadata: AtomicBuffer, values: AtomicBuffer) -> Result<Self, CountersError> {
        CounterBuffers::new(metadata, values).map(Self::over)
    }

    pub(super) fn over(buffers: CounterBuffers) -> Self {
        Self { buffers }
    }

    /// The number of counters that fit into the regions. All ids are lower.
    pub fn capacity(&self) -> usize {
        self.buffers.capacity()
    }

    /// The state of a counter's record. `None` if the id is not valid.
    pub fn state(&self, id: CounterId) -> Option<CounterState> {
        self.state_at(self.buffers.place(id)?)
    }

    /// A copy of the counter, if it is allocated.
    pub fn get(&self, id: CounterId) -> Option<CounterRecord> {
        let place = self.buffers.place(id)?;
        for _ in 0..ATTEMPTS {
            if self.state_at(place) != Some(CounterState::Allocated) {
                return None;
            }
            if let Some(record) = self.copy(id, place) {
                return Some(record);
            }
        }
        None
    }

    /// Calls `action` for every allocated counter, in the order of their ids.
    pub fn for_each(&self, mut action: impl FnMut(&CounterRecord)) {
        for id in (0..self.capacity() as i32).map(CounterId::new) {
            // Ids are allocated densely, so no record after the first unused one is in use.
            if self.state(id) == Some(CounterState::Unused) {
                return;
            }
            if let Some(record) = self.get(id) {
                action(&record);
            }
        }
    }

    /// The first allocated counter with this type and registration id.
    pub fn find(&self, type_id: i32, registration_id: RegistrationId) -> Option<CounterId> {
        let (metadata, values) = (self.buffers.metadata(), self.buffers.values());
        (0..self.capacity() as i32)
            .map(CounterId::new)
            .map_while(|id| self.buffers.place(id).map(|place| (id, place)))
            .take_while(|&(_, place)| self.state_at(place) != Some(CounterState::Unused))
            .find(|&(_, place)| {
                self.state_at(place) == Some(CounterState::Allocated)
                    && metadata.word(place.type_id()).load_relaxed() == type_id
                    && values.word(place.registration_id()).load_relaxed() == registration_id.get()
            })
            .map(|(id, _)| id)
    }

    /// The counter's current value. `None` if the id is not valid.
    pub fn value(&self, id: CounterId) -> Option<i64> {
        // Acquire, because all positions and statuses are stored with Release. The code that stores one documents what
        // it publishes.
        Some(self.buffers.values().word(self.buffers.place(id)?.value()).load_acquire())
    }

    /// The counter's value as a word that keeps the memory alive, for handles that access it often. Such a word can also
    /// be stored to, and the positions and limits of logs are counters: they keep publishers away from what readers
    /// still look at.
    ///
    /// ```compile_fail,E0061
    /// # use gannet::{Client, ExclusivePublication};
    /// # fn overrun(client: &Client, publication: &ExclusivePublication) {
    /// let limit = client.counters().own_value(publication.position_limit_id()).expect("its counter");
    /// limit.store_release(i64::MAX);
    /// # }
    /// ```
    #[cfg(not(engine_loom))]
    pub fn own_value(&self, id: CounterId, _: RawAccess) -> Option<OwnedWord<i64>> {
        Some(self.buffers.values().own(self.buffers.place(id)?.value()))
    }

    /// The counter's registration id as a word that keeps the memory alive. With it a handle detects that its counter
    /// was taken away. It is on the same cache line as the value.
    #[cfg(all(feature = "client", not(engine_loom)))]
    pub(crate) fn own_registration_id(&self, id: CounterId) -> Option<OwnedWord<i64>> {
        Some(self.buffers.values().own(self.buffers.place(id)?.registration_id()))
    }

    /// Appends to a counter's label as much of the text as fits. A client does this with its own heartbeat counter.
    /// Returns false if there is no such counter.
    pub fn append_label(&self, id: CounterId, text: &str) -> bool {
        let Some(place) = self.buffers.place(id) else { return false };
        let allocated = self.state_at(place) == Some(CounterState::Allocated);
        if allocated {
            self.buffers.append_label(place, text.as_bytes());
        }
        allocated
    }

    /// The state. `None` for an invalid number.
    fn state_at(&self, place: Place) -> Option<CounterState> {
        // ORDERING(counters.state): Acquire. Pairs with the Release store in `CountersManager::write`; the counter is whole.
        match self.buffers.metadata().word(place.state()).load_acquire() {
            STATE_UNUSED => Some(CounterState::Unused),
            STATE_ALLOCATED => Some(CounterState::Allocated),
            STATE_RECLAIMED => Some(CounterState::Reclaimed),
            _ => None,
        }
    }

    /// Copies a counter that was allocated a moment ago. `None` if it changed meanwhile.
    fn copy(&self, id: CounterId, place: Place) -> Option<CounterRecord> {
        let (metadata, values) = (self.buffers.metadata(), self.buffers.values());
        // ORDERING(counters.registration): Acquire. Pairs with the Release stores in `CountersManager::write`; what is
        // copied below is not older than this id's counter.
        let registration_id = values.word(place.registration_id()).load_acquire();
        let mut key = CounterKey::default();
        metadata.load_words_relaxed(place.key(), &mut key.as_bytes_mut()[..COPIED_KEY_LENGTH]);
        let label = CounterLabel::fill(self.buffers.label_length(place), |bytes| {
            metadata.load_words_relaxed(place.label(), bytes);
        });
        let record = CounterRecord {
            id,
            type_id: metadata.word(place.type_id()).load_relaxed(),
            key,
            label,
            registration_id: RegistrationId::new(registration_id),
            owner_id: ClientId::new(values.word(place.owner_id()).load_relaxed()),
            reference_id: values.word(place.reference_id()).load_relaxed(),
            value: values.word(place.value()).load_relaxed(),
        };
        // ORDERING(counters.freed): Acquire fence. Pairs with the Release fence in `CountersManager::free`; if any word
        // of the copy was stored after the counter was freed, the state below shows it, or the registration id if the
        // record is in use again.
        fence(Ordering::Acquire);
        let unchanged = self.state_at(place) == Some(CounterState::Allocated)
            && values.word(place.registration_id()).load_relaxed() == registration_id;
        unchanged.then_some(record)
    }
}
