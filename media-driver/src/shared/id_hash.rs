//! A fast hash for ids that this driver assigned itself. It must not be used for ids that strangers choose, since they
//! could choose ids that all collide.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map whose keys are ids that this driver assigned.
pub type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// Spreads a number over all bits with one multiplication.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdHasher(u64);

/// An odd number without a pattern: 2^64 divided by the golden ratio.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64((*byte).into()));
    }

    #[inline]
    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(SPREAD);
    }

    #[inline]
    fn finish(&self) -> u64 {
        // The upper bits are mixed best, and hash tables use the lower ones.
        self.0.swap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn consecutive_numbers_fall_into_different_places() {
        let place = |number: u32| {
            let mut hasher = IdHasher::default();
            hasher.write_u32(number);
            hasher.finish() & 0xFF
        };
        let places: HashSet<u64> = (1..=128).map(place).collect();
        assert!(places.len() > 100, "{}", places.len());
        let map: IdMap<u32, u32> = (0..1_000).map(|number| (number, number + 1)).collect();
        assert!((0..1_000).all(|number| map.get(&number) == Some(&(number + 1))));
    }
}
