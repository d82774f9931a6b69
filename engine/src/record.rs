//! The records of ring buffers and broadcast buffers. Each has a header, which contains its length and its type, and a
//! payload. The capacity of the buffer is a power of two.

use crate::memory::align_up;

/// The length of a record's header in bytes: its length, header included, then its type, both `i32`.
pub(crate) const HEADER_LENGTH: usize = 8;
/// The alignment of records in bytes.
pub(crate) const ALIGNMENT: usize = 8;
const TYPE_OFFSET: usize = 4;

/// The type of a padding record.
pub(crate) const PADDING_TYPE: i32 = -1;

pub(crate) const LEAST_CAPACITY: usize = 64;
pub(crate) const GREATEST_CAPACITY: usize = 1 << 30;

/// The capacity of a buffer of `length` bytes that ends in a trailer. `None` if no buffer has this length.
pub(crate) fn capacity(length: usize, trailer_length: usize) -> Option<usize> {
    let capacity = length.checked_sub(trailer_length)?;
    (capacity.is_power_of_two() && (LEAST_CAPACITY..=GREATEST_CAPACITY).contains(&capacity)).then_some(capacity)
}

/// The length in bytes of the longest payload in a buffer of this capacity, as in the reference.
#[inline]
pub(crate) const fn max_message_length(capacity: usize) -> usize {
    capacity / 8
}

/// The offset of the record at a position. Within the capacity, whatever the position.
#[inline]
pub(crate) const fn index(position: i64, capacity: usize) -> usize {
    (position as usize) & (capacity - 1)
}

/// The offset of the type field of the record at `index`. Its length field is at `index`.
#[inline]
pub(crate) const fn type_offset(index: usize) -> usize {
    index + TYPE_OFFSET
}

/// The number of bytes that a record of `length` bytes, header included, occupies.
#[inline]
pub(crate) const fn occupied(length: usize) -> usize {
    align_up(length, ALIGNMENT)
}

/// Whether a record can start at the position: positions begin at 0 and grow by multiples of the alignment.
#[inline]
pub(crate) const fn is_record_start(position: i64) -> bool {
    position >= 0 && position % ALIGNMENT as i64 == 0
}
