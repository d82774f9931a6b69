//! The read-only view of the counters, for clients, tools and the driver itself. It never blocks the manager, and never
//! accepts a copy as whole if the manager may have been changing the counter.

use super::layout::{
    COPIED_KEY_LENGTH, CounterBuffers, CountersError, Place, STATE_ALLOCATED, STATE_RECLAIMED, STATE_UNUSED,
};
use super::{CounterKey, CounterLabel};
use crate::memory::{AtomicBuffer, OwnedWord};
use crate::sync::{Ordering, fence};
use crate::types::{ClientId, CounterId, RegistrationId};

/// Reads counters. Cloning it shares the memory.
#[derive(Clone, Debug)]
pub struct CountersReader {
    buffers: CounterBuffers,
}

/// A whole counter, copied out of shared memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterRecord {
    /// The index of its record.
    pub id: CounterId,
    /// What kind of counter: see [`type_id`](super::type_id).
    pub type_id: i32,
    /// What tells it from others of its kind.
    pub key: CounterKey,
    /// What people are shown.
    pub label: CounterLabel,
    /// Whose counter it is.
    pub registration_id: RegistrationId,
    /// The client it belongs to; -1 for none.
    pub owner_id: ClientId,
    /// What else it refers to.
    pub reference_id: i64,
    /// The value when it was copied.
    pub value: i64,
}

/// What a record is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterState {
    /// For nothing yet, nor is any record behind it.
    Unused,
    /// For a counter.
    Allocated,
    /// For a counter that was freed.
    Reclaimed,
}

/// How often a counter is copied again that was changed meanwhile. Each time another counter took its place: not so often.
const ATTEMPTS: usize = 3;

impl CountersReader {
    /// A reader of the counters in these two regions.
    ///
    /// # Errors
    ///
    /// [`CountersError`] unless they have room for one counter, and as much metadata as values.
    pub fn new(metadata: AtomicBuffer, values: AtomicBuffer) -> Result<Self, CountersError> {
        CounterBuffers::new(metadata, values).map(Self::over)
    }

    pub(super) fn over(buffers: CounterBuffers) -> Self {
        Self { buffers }
    }

    /// How many counters there is room for; ids are below it.
    pub fn capacity(&self) -> usize {
        self.buffers.capacity()
    }

    /// What the record is used for. Nothing if there can be no counter of this id.
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

    /// Shows every allocated counter, in the order of their ids.
    pub fn for_each(&self, mut action: impl FnMut(&CounterRecord)) {
        for id in (0..self.capacity() as i32).map(CounterId::new) {
            // Ids are handed out densely: behind the first record that was never used there is none that was.
            if self.state(id) == Some(CounterState::Unused) {
                return;
            }
            if let Some(record) = self.get(id) {
                action(&record);
            }
        }
    }

    /// The first allocated counter of this type and registration id.
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

    /// The counter's value now. Nothing if there can be no counter of this id.
    pub fn value(&self, id: CounterId) -> Option<i64> {
        // Acquire, as every position and status is stored with Release: whoever stores one says what it publishes.
        Some(self.buffers.values().word(self.buffers.place(id)?.value()).load_acquire())
    }

    /// The counter's value as a word that keeps the memory alive, for handles that read or store it all the time.
    pub fn own_value(&self, id: CounterId) -> Option<OwnedWord<i64>> {
        Some(self.buffers.values().own(self.buffers.place(id)?.value()))
    }

    /// The counter's registration id as a word that keeps the memory alive: a handle sees by it that its counter is still its
    /// own. It lies on the cache line of the value.
    pub fn own_registration_id(&self, id: CounterId) -> Option<OwnedWord<i64>> {
        Some(self.buffers.values().own(self.buffers.place(id)?.registration_id()))
    }

    /// Adds to a counter's label what fits: a client does so to its own heartbeat. False if there is no such counter.
    pub fn append_label(&self, id: CounterId, text: &str) -> bool {
        let Some(place) = self.buffers.place(id) else { return false };
        let allocated = self.state_at(place) == Some(CounterState::Allocated);
        if allocated {
            self.buffers.append_label(place, text.as_bytes());
        }
        allocated
    }

    /// The state, or nothing for a number that is none.
    fn state_at(&self, place: Place) -> Option<CounterState> {
        // ORDERING(counters.state): Acquire. Pairs with the Release store in `CountersManager::write`; the counter is whole.
        match self.buffers.metadata().word(place.state()).load_acquire() {
            STATE_UNUSED => Some(CounterState::Unused),
            STATE_ALLOCATED => Some(CounterState::Allocated),
            STATE_RECLAIMED => Some(CounterState::Reclaimed),
            _ => None,
        }
    }

    /// Copies a counter that was allocated a moment ago. Nothing if it changed meanwhile.
    fn copy(&self, id: CounterId, place: Place) -> Option<CounterRecord> {
        let (metadata, values) = (self.buffers.metadata(), self.buffers.values());
        // ORDERING(counters.registration): Acquire. Pairs with the Release stores in `CountersManager::write`; what is copied below
        // is no older than what belongs to this id.
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
        // ORDERING(counters.freed): Acquire fence. Pairs with the Release fence in `CountersManager::free`; if any word of the copy was
        // stored after the counter was freed, the state below tells, or if the record is in use again, the registration id.
        fence(Ordering::Acquire);
        let unchanged = self.state_at(place) == Some(CounterState::Allocated)
            && values.word(place.registration_id()).load_relaxed() == registration_id;
        unchanged.then_some(record)
    }
}
