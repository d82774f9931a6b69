//! A made-up market data feed, in which every byte follows from a message's number: whoever receives a message can tell
//! what it should have been. Sizes vary as a real feed's do; every so often comes a snapshot of several frames.
//!
//! ```text
//! 0        8        16       24
//! | number | due ns | entries | entry of 24 bytes: price i64, size u32, security u32, level u8, side u8, action u8, 5 zeroes | ...
//! ```

/// Bytes before the first entry.
const HEADER_LENGTH: usize = 24;
const ENTRY_LENGTH: usize = 24;
/// Updates have 1 to this many entries.
const MAX_UPDATE_ENTRIES: u64 = 12;
/// Every so many messages one is a snapshot, too long for one frame.
const SNAPSHOT_EVERY: u64 = 500;
const SNAPSHOT_ENTRIES: u64 = 150;

/// Writes message `number`, due at `due_ns`, into `message`.
pub(super) fn write(number: u64, due_ns: i64, message: &mut Vec<u8>) {
    let mut random = Random(number);
    let entries = if number % SNAPSHOT_EVERY == SNAPSHOT_EVERY - 1 {
        SNAPSHOT_ENTRIES
    } else {
        1 + random.next() % MAX_UPDATE_ENTRIES
    };
    message.clear();
    message.reserve(HEADER_LENGTH + entries as usize * ENTRY_LENGTH);
    message.extend(number.to_le_bytes());
    message.extend(due_ns.to_le_bytes());
    message.extend(entries.to_le_bytes());
    for level in 0..entries {
        let (price, rest) = (random.next(), random.next());
        message.extend((10_000_000_000 + price % 1_000_000_000).to_le_bytes());
        message.extend((rest as u32 % 10_000).to_le_bytes());
        message.extend(((rest >> 32) as u32 % 500).to_le_bytes());
        message.extend([level as u8, (rest & 1) as u8, (rest >> 1 & 3) as u8, 0, 0, 0, 0, 0]);
    }
}

/// The number and due time that a message claims to have; nothing if it is too short for a message.
pub(super) fn claim(message: &[u8]) -> Option<(u64, i64)> {
    let (number, rest) = message.split_first_chunk()?;
    Some((u64::from_le_bytes(*number), i64::from_le_bytes(*rest.first_chunk()?)))
}

/// SplitMix64: one multiplication away from a counter, and plenty random for prices.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_follows_from_its_number_and_differs_from_the_next() {
        let (mut first, mut again, mut next) = (Vec::new(), Vec::new(), Vec::new());
        write(7, 70, &mut first);
        write(7, 70, &mut again);
        write(8, 70, &mut next);
        assert_eq!(first, again);
        assert_ne!(first[HEADER_LENGTH..HEADER_LENGTH + 8], next[HEADER_LENGTH..HEADER_LENGTH + 8]);
        assert_eq!(claim(&first), Some((7, 70)));
        assert_eq!(claim(&first[..15]), None);
    }

    #[test]
    fn most_messages_are_small_and_some_take_several_frames() {
        let mut message = Vec::new();
        let lengths: Vec<_> = (0..1000)
            .map(|number| {
                write(number, 0, &mut message);
                message.len()
            })
            .collect();
        let snapshot = HEADER_LENGTH + SNAPSHOT_ENTRIES as usize * ENTRY_LENGTH;
        assert_eq!(lengths.iter().filter(|&&length| length == snapshot).count(), 2);
        let largest_update = HEADER_LENGTH + MAX_UPDATE_ENTRIES as usize * ENTRY_LENGTH;
        assert!(lengths.iter().all(|&length| length == snapshot || length <= largest_update));
    }
}
