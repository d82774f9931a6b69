//! Copying and zeroing bytes faster than the general functions, for the lengths and the uses that messages have.
#![allow(unsafe_code, reason = "UNSAFE FENCE: moves bytes between addresses that were checked")]

/// Zeroes `len` bytes with stores that bypass the caches.
///
/// # Safety
///
/// The range must be valid for `len` bytes.
#[cfg(target_arch = "x86_64")]
pub(super) unsafe fn stream_zeroes(to: *mut u8, len: usize) {
    use core::arch::x86_64::{__m128i, _mm_setzero_si128, _mm_sfence, _mm_stream_si128};
    const LANE: usize = size_of::<__m128i>();
    let head = to.align_offset(LANE).min(len);
    let streamed = (len - head) / LANE * LANE;
    // SAFETY: the three parts make up the range; the middle one starts aligned and is whole lanes long. Every x86-64 processor
    // has SSE2. These stores are not ordered with those that follow, as ordinary ones are: the fence sees to that.
    unsafe {
        core::ptr::write_bytes(to, 0, head);
        for at in (head..head + streamed).step_by(LANE) {
            _mm_stream_si128(to.add(at).cast(), _mm_setzero_si128());
        }
        core::ptr::write_bytes(to.add(head + streamed), 0, len - head - streamed);
        _mm_sfence();
    }
}

/// As above, for processors on which the C library's `memset` is best.
///
/// # Safety
///
/// The range must be valid for `len` bytes.
#[cfg(not(target_arch = "x86_64"))]
pub(super) unsafe fn stream_zeroes(to: *mut u8, len: usize) {
    // SAFETY: as the caller says.
    unsafe { core::ptr::write_bytes(to, 0, len) };
}

/// Copies `len` bytes between ranges that do not overlap. Up to 128 bytes are copied with a few moves that overlap each
/// other.
///
/// # Safety
///
/// Both ranges must be valid for `len` bytes.
#[inline(always)]
pub(super) unsafe fn copy_forward(from: *const u8, to: *mut u8, len: usize) {
    type Vector = [u8; 16];
    /// Copies the first and the last `T` of the range, which together cover it.
    ///
    /// # Safety
    ///
    /// Both ranges must be valid for `len` bytes, and `len` must be one to two times the size of `T`.
    #[inline(always)]
    unsafe fn ends<T: Copy>(from: *const u8, to: *mut u8, len: usize) {
        let last = len - size_of::<T>();
        // SAFETY: as the caller says; both are read before either is written.
        unsafe {
            let (first, second) = (from.cast::<T>().read_unaligned(), from.add(last).cast::<T>().read_unaligned());
            to.cast::<T>().write_unaligned(first);
            to.add(last).cast::<T>().write_unaligned(second);
        }
    }
    // The lengths that messages mostly have come first.
    // SAFETY: each arm is for the lengths that it can move.
    unsafe {
        if len >= 16 {
            if len <= 32 {
                ends::<Vector>(from, to, len);
            } else if len <= 64 {
                ends::<[Vector; 2]>(from, to, len);
            } else if len <= 128 {
                ends::<[Vector; 4]>(from, to, len);
            } else {
                core::ptr::copy_nonoverlapping(from, to, len);
            }
        } else if len >= 8 {
            ends::<u64>(from, to, len);
        } else if len >= 4 {
            ends::<u32>(from, to, len);
        } else if len >= 2 {
            ends::<u16>(from, to, len);
        } else if len == 1 {
            *to = *from;
        }
    }
}
