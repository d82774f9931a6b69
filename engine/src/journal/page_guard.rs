//! The checksum over the first words of a control page: whose page it is, what was chosen for the recording, and the boot
//! id. They change seldom, and a wrong one would change what appends promise, or what recovery believes. So whoever opens
//! a recording that nobody has open mends a flipped bit in them first: only one bit leads back to the checksum. Positions
//! change all the time and have none; `recovery` compares them with the frames.

use crate::memory::{AtomicBuffer, Field};

use super::checksum::crc32c;

/// The number of guarded bytes, from the beginning of the page.
const GUARDED: usize = 88;
const GUARD: Field<i32> = Field::at(GUARDED);

/// The guarded words, by their length: those of 4 bytes and those of 8.
const INTS: [Field<i32>; 6] = [Field::at(0), Field::at(4), Field::at(24), Field::at(28), Field::at(32), Field::at(36)];
const LONGS: [Field<i64>; 8] = [
    Field::at(8),
    Field::at(16),
    Field::at(40),
    Field::at(48),
    Field::at(56),
    Field::at(64),
    Field::at(72),
    Field::at(80),
];

/// The end of the checksum in the page.
pub(super) const GUARD_END: usize = GUARD.end();

const _: () = assert!(INTS.len() * 4 + LONGS.len() * 8 == GUARDED);

/// Stores the checksum of the words as they are. If two processes set a policy at the same time, it may be that of
/// neither; then it mends nothing, and the next process that recovers the recording stores it again.
pub(super) fn write(view: &AtomicBuffer) {
    view.word(GUARD).store_relaxed(guard(&guarded(view)).cast_signed());
}

/// Puts right a single bit that is not as it was when the checksum was stored. Does nothing if more is different, or if
/// there is no checksum, as in a page before version 1.3. The caller has the recording alone.
pub(super) fn mend(view: &AtomicBuffer) {
    let stored = view.word(GUARD).load_relaxed().cast_unsigned();
    let bytes = guarded(view);
    if stored == 0 || guard(&bytes) == stored {
        return;
    }
    let flipped = |bit: usize| {
        let mut bytes = bytes;
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    };
    if let Some(bytes) = (0..GUARDED * 8).map(flipped).find(|bytes| guard(bytes) == stored) {
        for field in INTS {
            view.word(field).store_relaxed(i32::from_le_bytes(at(&bytes, field.start())));
        }
        for field in LONGS {
            view.word(field).store_relaxed(i64::from_le_bytes(at(&bytes, field.start())));
        }
    }
}

/// The guarded bytes. Each word is loaded as it is stored, because a policy may be set meanwhile.
fn guarded(view: &AtomicBuffer) -> [u8; GUARDED] {
    let mut bytes = [0; GUARDED];
    for field in INTS {
        bytes[field.start()..field.end()].copy_from_slice(&view.word(field).load_relaxed().to_le_bytes());
    }
    for field in LONGS {
        bytes[field.start()..field.end()].copy_from_slice(&view.word(field).load_relaxed().to_le_bytes());
    }
    bytes
}

fn at<const LENGTH: usize>(bytes: &[u8; GUARDED], start: usize) -> [u8; LENGTH] {
    std::array::from_fn(|index| bytes[start + index])
}

/// The CRC-32C of the guarded bytes. Never 0, which means that there is none.
fn guard(bytes: &[u8; GUARDED]) -> u32 {
    crc32c(bytes).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bit_is_put_right_and_more_are_left_alone() {
        let view = AtomicBuffer::heap(128);
        for (number, field) in LONGS.into_iter().enumerate() {
            view.word(field).store_relaxed(0x0123_4567_89AB_CDEF_i64.rotate_left(number as u32 * 7));
        }
        mend(&view);
        let before = guarded(&view);
        write(&view);
        let flip = |bit: usize| {
            let mut byte = [0];
            view.get_bytes(bit / 8, &mut byte);
            view.put_bytes(bit / 8, &[byte[0] ^ 1 << (bit % 8)]);
        };
        for bit in 0..GUARD_END * 8 {
            flip(bit);
            mend(&view);
            assert!(guarded(&view) == before, "bit {bit}");
            write(&view);
        }
        for bits in [[0, 1], [5, 700], [450, 451]] {
            bits.into_iter().for_each(flip);
            let found = guarded(&view);
            mend(&view);
            assert!(guarded(&view) == found && found != before, "{bits:?}");
            bits.into_iter().for_each(flip);
        }
    }
}
