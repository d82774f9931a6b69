//! The driver's side of the counters: allocates, labels and frees them. Only the conductor calls it. It keeps its own
//! record of which counters exist and whose they are, and never relies on shared memory for that.

use std::collections::VecDeque;
use std::time::Duration;

use super::layout::{COPIED_KEY_LENGTH, CounterBuffers, CountersError, Place, STATE_ALLOCATED, STATE_RECLAIMED};
use super::{CounterKey, CounterLabel, CounterSpec, CountersReader};
use crate::memory::{AtomicBuffer, OwnedWord};
use crate::sync::{Ordering, fence};
use crate::time::EpochMillis;
use crate::types::{ClientId, CounterId, RegistrationId};

/// The only allocator of a pair of counter regions.
///
/// ```
/// use std::time::Duration;
///
/// use gannet::counters::{CounterSpec, CountersManager, type_id};
/// use gannet::memory::{AtomicBuffer, RawAccess};
/// use gannet::time::EpochMillis;
/// use gannet::types::ClientId;
///
/// // SAFETY: the counters have one manager, and nobody else knows the buffers.
/// let raw = unsafe { RawAccess::promised() };
/// let (metadata, values) = (AtomicBuffer::zeroed(4096, raw), AtomicBuffer::zeroed(1024, raw));
/// let mut counters = CountersManager::new(metadata, values, Duration::from_secs(1))?;
/// let id = counters.allocate(EpochMillis::new(0), &CounterSpec::client_heartbeat(ClientId::new(7)))?;
/// assert_eq!(counters.reader().get(id).unwrap().label.to_string(), "client-heartbeat: id=7");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CountersManager {
    buffers: CounterBuffers,
    /// What is allocated under each id that was ever used.
    allocated: Vec<Option<Allocated>>,
    /// In the order in which they were freed.
    freed: VecDeque<Freed>,
    reuse_timeout_ms: i64,
    /// The index at which the next check of states begins.
    next_checked: usize,
}

#[derive(Clone, Copy, Debug)]
struct Allocated {
    type_id: i32,
    registration_id: RegistrationId,
    owner_id: ClientId,
}

#[derive(Clone, Copy, Debug)]
struct Freed {
    id: CounterId,
    deadline: EpochMillis,
}

/// All counters are in use or in their cool-down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all {capacity} counters are in use or were freed too recently; enlarge the counters buffer or use fewer")]
pub struct CountersFull {
    /// The number of counters.
    pub capacity: usize,
}

impl CountersManager {
    /// Creates the manager of two zeroed regions. `reuse_timeout` is the cool-down: how long a freed record is not
    /// reused, because clients keep the address of a value and may still store to it. Zero is for tests.
    ///
    /// # Errors
    ///
    /// [`CountersError`] unless the regions have space for at least one counter, and the metadata has space for all
    /// values.
    pub fn new(metadata: AtomicBuffer, values: AtomicBuffer, reuse_timeout: Duration) -> Result<Self, CountersError> {
        let reuse_timeout_ms = i64::try_from(reuse_timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX);
        let buffers = CounterBuffers::new(metadata, values)?;
        Ok(Self { buffers, allocated: Vec::new(), freed: VecDeque::new(), reuse_timeout_ms, next_checked: 0 })
    }

    /// A reader of the same counters.
    pub fn reader(&self) -> CountersReader {
        CountersReader::over(self.buffers.clone())
    }

    /// The number of counters that fit into the regions.
    pub fn capacity(&self) -> usize {
        self.buffers.capacity()
    }

    /// The number of allocated counters.
    pub fn in_use(&self) -> usize {
        self.allocated.len() - self.freed.len()
    }

    /// Allocates a counter. It becomes visible as a whole.
    ///
    /// # Errors
    ///
    /// [`CountersFull`] if all records are in use or in their cool-down.
    pub fn allocate(&mut self, now: EpochMillis, spec: &CounterSpec) -> Result<CounterId, CountersFull> {
        let full = CountersFull { capacity: self.capacity() };
        let id = match self.take_freed(now) {
            Some(id) => id,
            None if self.allocated.len() < self.capacity() => {
                self.allocated.push(None);
                CounterId::new(self.allocated.len() as i32 - 1)
            }
            None => return Err(full),
        };
        let place = self.buffers.place(id).ok_or(full)?;
        self.write(place, spec);
        let CounterSpec { type_id, registration_id, owner_id, .. } = *spec;
        self.allocated[id.get() as usize] = Some(Allocated { type_id, registration_id, owner_id });
        Ok(id)
    }

    /// Frees a counter. Its record is reused after the cool-down. Returns false if there is no such counter.
    pub fn free(&mut self, now: EpochMillis, id: CounterId) -> bool {
        let Some((place, slot)) = self.buffers.place(id).zip(self.slot_mut(id)) else { return false };
        if slot.take().is_none() {
            return false;
        }
        let metadata = self.buffers.metadata();
        metadata.word(place.state()).store_relaxed(STATE_RECLAIMED);
        // ORDERING(counters.freed): Release fence. Pairs with the Acquire fence in `CountersReader::copy`; a reader that copies
        // anything stored from here on, be it by the next user of the record, finds that the counter has gone.
        fence(Ordering::Release);
        // Label, value, type and ids stay, so that a reader can still tell what a recently freed counter was.
        metadata.store_words_relaxed(place.key(), &CounterKey::default().as_bytes()[..COPIED_KEY_LENGTH]);
        let deadline = now.saturating_add_ms(self.reuse_timeout_ms);
        metadata.word(place.reuse_deadline()).store_relaxed(deadline.get());
        self.freed.push_back(Freed { id, deadline });
        true
    }

    /// Restores the states of counters that another process has overwritten. Returns how many. Checks `limit` records,
    /// and continues after them in the next call. A wrong state hides its counter from all readers. The state "unused"
    /// also hides all counters after it.
    pub fn restore_states(&mut self, limit: usize) -> usize {
        let used = self.allocated.len();
        let mut restored = 0;
        for _ in 0..limit.min(used) {
            let index = self.next_checked % used;
            self.next_checked = index + 1;
            let Some(place) = self.buffers.place(CounterId::new(index as i32)) else { continue };
            let state = if self.allocated[index].is_some() { STATE_ALLOCATED } else { STATE_RECLAIMED };
            let word = self.buffers.metadata().word(place.state());
            if word.load_relaxed() != state {
                // ORDERING(counters.state): Release. Pairs with the Acquire load in `CountersReader::state_at`;
                // publishes the whole counter to readers that see it only now.
                word.store_release(state);
                restored += 1;
            }
        }
        restored
    }

    /// The counter's value, for its writer. `None` if there is no such counter.
    pub fn value(&self, id: CounterId) -> Option<OwnedWord<i64>> {
        self.slot(id)?;
        Some(self.buffers.values().own(self.buffers.place(id)?.value()))
    }

    /// The counter with this type and registration id and the client that owns it, if there is one.
    pub fn find(&self, type_id: i32, registration_id: RegistrationId) -> Option<(CounterId, ClientId)> {
        self.allocated.iter().zip(0..).find_map(|(slot, id)| {
            let slot =
                slot.as_ref().filter(|slot| slot.type_id == type_id && slot.registration_id == registration_id)?;
            Some((CounterId::new(id), slot.owner_id))
        })
    }

    /// The registration id and the owner of a counter. `None` if there is no such counter.
    pub fn identity(&self, id: CounterId) -> Option<(RegistrationId, ClientId)> {
        self.slot(id).map(|slot| (slot.registration_id, slot.owner_id))
    }

    /// Replaces the label. Not for client heartbeats, whose label belongs to the client. Returns false if there is no
    /// such counter.
    pub fn set_label(&self, id: CounterId, label: &CounterLabel) -> bool {
        self.with_place(id, |place| self.buffers.store_label(place, label))
    }

    /// Appends to the label as much of the text as fits. Returns false if there is no such counter.
    pub fn append_label(&self, id: CounterId, text: &str) -> bool {
        self.with_place(id, |place| self.buffers.append_label(place, text.as_bytes()))
    }

    fn with_place(&self, id: CounterId, action: impl FnOnce(Place)) -> bool {
        match self.slot(id).and_then(|_| self.buffers.place(id)) {
            Some(place) => {
                action(place);
                true
            }
            None => false,
        }
    }

    fn slot(&self, id: CounterId) -> Option<&Allocated> {
        self.allocated.get(usize::try_from(id.get()).ok()?)?.as_ref()
    }

    fn slot_mut(&mut self, id: CounterId) -> Option<&mut Option<Allocated>> {
        self.allocated.get_mut(usize::try_from(id.get()).ok()?)
    }

    /// Takes the counter that was freed first, if its cool-down is over.
    fn take_freed(&mut self, now: EpochMillis) -> Option<CounterId> {
        let first = self.freed.front()?;
        if now >= first.deadline {
            return self.freed.pop_front().map(|freed| freed.id);
        }
        // Deadlines are in order unless the wall clock was set back in between. Only then may a later one have passed.
        if first.deadline.since(now) <= self.reuse_timeout_ms {
            return None;
        }
        let at = self.freed.iter().position(|freed| now >= freed.deadline)?;
        self.freed.remove(at).map(|freed| freed.id)
    }

    fn write(&self, place: Place, spec: &CounterSpec) {
        let (metadata, values) = (self.buffers.metadata(), self.buffers.values());
        // ORDERING(counters.registration): Release. Pairs with the Acquire load in `CountersReader::copy`; a reader
        // that finds the record without an owner also finds the previous counter freed.
        values.word(place.registration_id()).store_release(0);
        values.word(place.owner_id()).store_relaxed(spec.owner_id.get());
        values.word(place.reference_id()).store_relaxed(spec.reference_id);
        values.word(place.value()).store_relaxed(spec.value);
        metadata.word(place.type_id()).store_relaxed(spec.type_id);
        metadata.word(place.reuse_deadline()).store_relaxed(i64::MAX);
        metadata.store_words_relaxed(place.key(), &spec.key.as_bytes()[..COPIED_KEY_LENGTH]);
        self.buffers.store_label(place, &spec.label);
        // ORDERING(counters.registration): Release. Pairs with the Acquire load in `CountersReader::copy`; publishes
        // everything except the state.
        values.word(place.registration_id()).store_release(spec.registration_id.get());
        // ORDERING(counters.state): Release. Pairs with the Acquire load in `CountersReader::state_at`; publishes the whole counter.
        metadata.word(place.state()).store_release(STATE_ALLOCATED);
    }
}
