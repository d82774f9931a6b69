//! Cache lines: alignment to them, and rounding up to a multiple.

/// The unit in which cores exchange memory, in bytes. Words with different writers are on different cache lines.
pub const CACHE_LINE_LENGTH: usize = 64;

/// Rounds `value` up to a multiple of `alignment`, which must be a power of two.
#[inline]
pub const fn align_up(value: usize, alignment: usize) -> usize {
    debug_assert!(alignment.is_power_of_two());
    (value + alignment - 1) & !(alignment - 1)
}
