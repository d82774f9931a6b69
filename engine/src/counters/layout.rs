//! The layout of a counter's fields, for the manager and the readers only. Every id is checked here, once.

use super::label::{CounterLabel, LABEL_LENGTH};
use crate::memory::{AtomicBuffer, Field};
use crate::types::CounterId;

/// The length of a counter's record in the metadata region, in bytes.
pub const COUNTER_METADATA_LENGTH: usize = 512;
/// The length of a counter's record in the values region, in bytes.
pub const COUNTER_VALUE_LENGTH: usize = 128;

pub(super) const KEY_LENGTH: usize = 112;
/// How much of a key is stored and loaded: all of it. Models use two words, because they explore each combination of
/// what the loads can return.
pub(super) const COPIED_KEY_LENGTH: usize = if cfg!(engine_loom) { 8 } else { KEY_LENGTH };

const STATE: Field<i32> = Field::at(0);
const TYPE_ID: Field<i32> = Field::at(4);
const REUSE_DEADLINE: Field<i64> = Field::at(8);
const KEY: Field<[u8; KEY_LENGTH]> = Field::at(16);
const LABEL_BYTES: Field<i32> = Field::at(128);
const LABEL: Field<[u8; LABEL_LENGTH]> = Field::at(132);
const _: () = assert!(REUSE_DEADLINE.end() == KEY.start() && KEY.end() == LABEL_BYTES.start());
const _: () = assert!(LABEL_BYTES.end() == LABEL.start() && LABEL.end() == COUNTER_METADATA_LENGTH);

const VALUE: Field<i64> = Field::at(0);
const REGISTRATION_ID: Field<i64> = Field::at(8);
const OWNER_ID: Field<i64> = Field::at(16);
const REFERENCE_ID: Field<i64> = Field::at(24);
const _: () = assert!(REFERENCE_ID.end() <= COUNTER_VALUE_LENGTH);

/// This record was never used, and neither was any after it.
pub(super) const STATE_UNUSED: i32 = 0;
pub(super) const STATE_ALLOCATED: i32 = 1;
/// The record was freed. It may be in its cool-down.
pub(super) const STATE_RECLAIMED: i32 = -1;

/// The lengths of the two regions are not valid for counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "counters are impossible with {values} bytes for values and {metadata} bytes for metadata: there must be room for at \
     least one value of {COUNTER_VALUE_LENGTH} bytes, and 4 times as much for metadata"
)]
pub struct CountersError {
    /// The length of the values region in bytes.
    pub values: usize,
    /// The length of the metadata region in bytes.
    pub metadata: usize,
}

/// The two regions.
#[derive(Clone, Debug)]
pub(super) struct CounterBuffers {
    metadata: AtomicBuffer,
    values: AtomicBuffer,
    capacity: usize,
}

/// A counter's place in both regions. Only created from a checked id.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    metadata: usize,
    value: usize,
}

impl Place {
    pub(super) const fn state(self) -> Field<i32> {
        STATE.from(self.metadata)
    }

    pub(super) const fn type_id(self) -> Field<i32> {
        TYPE_ID.from(self.metadata)
    }

    pub(super) const fn reuse_deadline(self) -> Field<i64> {
        REUSE_DEADLINE.from(self.metadata)
    }

    pub(super) const fn key(self) -> usize {
        KEY.from(self.metadata).start()
    }

    pub(super) const fn label_length(self) -> Field<i32> {
        LABEL_BYTES.from(self.metadata)
    }

    pub(super) const fn label(self) -> usize {
        LABEL.from(self.metadata).start()
    }

    pub(super) const fn value(self) -> Field<i64> {
        VALUE.from(self.value)
    }

    pub(super) const fn registration_id(self) -> Field<i64> {
        REGISTRATION_ID.from(self.value)
    }

    pub(super) const fn owner_id(self) -> Field<i64> {
        OWNER_ID.from(self.value)
    }

    pub(super) const fn reference_id(self) -> Field<i64> {
        REFERENCE_ID.from(self.value)
    }
}

impl CounterBuffers {
    pub(super) fn new(metadata: AtomicBuffer, values: AtomicBuffer) -> Result<Self, CountersError> {
        let capacity = (values.len() / COUNTER_VALUE_LENGTH).min(i32::MAX as usize);
        if capacity == 0 || metadata.len() / COUNTER_METADATA_LENGTH < capacity {
            return Err(CountersError { values: values.len(), metadata: metadata.len() });
        }
        Ok(Self { metadata, values, capacity })
    }

    /// The number of counters that fit into the regions.
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn metadata(&self) -> &AtomicBuffer {
        &self.metadata
    }

    pub(super) fn values(&self) -> &AtomicBuffer {
        &self.values
    }

    /// The place of the counter with this id, if the id is valid.
    pub(super) fn place(&self, id: CounterId) -> Option<Place> {
        let index = usize::try_from(id.get()).ok().filter(|&index| index < self.capacity)?;
        Some(Place { metadata: index * COUNTER_METADATA_LENGTH, value: index * COUNTER_VALUE_LENGTH })
    }

    /// The length of the label, limited to the maximum.
    pub(super) fn label_length(&self, place: Place) -> usize {
        // ORDERING(counters.label): Acquire. Pairs with the Release stores in `store_label` and `append_label`; the
        // bytes below that length are complete.
        usize::try_from(self.metadata.word(place.label_length()).load_acquire()).unwrap_or(0).min(LABEL_LENGTH)
    }

    pub(super) fn store_label(&self, place: Place, label: &CounterLabel) {
        self.metadata.store_words_relaxed(place.label(), label.as_bytes());
        // ORDERING(counters.label): Release. Pairs with the Acquire load in `label_length`; publishes the bytes.
        self.metadata.word(place.label_length()).store_release(label.as_bytes().len() as i32);
    }

    /// Appends to the label as much of the text as fits.
    pub(super) fn append_label(&self, place: Place, text: &[u8]) {
        let length = self.label_length(place);
        let text = &text[..text.len().min(LABEL_LENGTH - length)];
        // Whole words are stored, so the label's last word is stored again with its old bytes.
        let kept = length % 4;
        let mut bytes = [0; LABEL_LENGTH + 4];
        self.metadata.load_words_relaxed(place.label() + length - kept, &mut bytes[..kept]);
        bytes[kept..kept + text.len()].copy_from_slice(text);
        self.metadata.store_words_relaxed(place.label() + length - kept, &bytes[..kept + text.len()]);
        // ORDERING(counters.label): Release. Pairs with the Acquire load in `label_length`; publishes the bytes.
        self.metadata.word(place.label_length()).store_release((length + text.len()) as i32);
    }
}
