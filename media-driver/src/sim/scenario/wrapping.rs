//! Lets a stream begin shortly before its term ids wrap from the highest to the lowest, and many at positions that
//! need more than 32 bits. Some begin so late that their logs end before everything is published.
//!
//! ```text
//!    initial term id          term id: highest, or the one before    lowest
//!  --------|----- ... -----|------------|-x-----------------------|-----------
//!       position 0         begins here, often close to the end of the term
//! ```

use fastrand::Rng;

use super::plan::StreamPlan;

/// The terms that stay free after the begin of a stream. Only few of them are needed.
const FREE_TERMS: i32 = 256;
/// The last bytes of a term, in frames of the minimum length.
const LAST_FRAMES: i32 = 256;
const FRAME: i32 = 32;

/// Draws where a stream begins.
pub(super) fn wrap(stream: &mut StreamPlan, random: &mut Rng) {
    let term_length = stream.term_length;
    // The number of terms before the begin: few, as many as 31 to 33 bits of bytes are, any, or all but the last.
    let count = match random.u8(..5) {
        0 => random.i32(0..4),
        1 => ((1_i64 << random.u32(31..=33)) / i64::from(term_length)) as i32 - random.i32(0..3),
        2 => random.i32(0..i32::MAX - FREE_TERMS),
        3 => i32::MAX - FREE_TERMS,
        _ => {
            stream.may_end = true;
            i32::MAX - random.i32(0..2)
        }
    };
    let is_close = random.u8(..) < 192;
    let offset = if count == i32::MAX {
        // There is no other term, and the first message must have room.
        term_length - FRAME * random.i32(1_024..=2_048)
    } else if is_close {
        term_length - FRAME * random.i32(1..=LAST_FRAMES)
    } else {
        FRAME * random.i32(0..term_length / FRAME)
    };
    let term_id = i32::MAX - i32::from(random.u8(..) < 64);
    let initial = term_id.wrapping_sub(count);
    stream.publication.push_str(&format!("|init-term-id={initial}|term-id={term_id}|term-offset={offset}"));
}
