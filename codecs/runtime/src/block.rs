//! Values at fixed offsets of a block whose length is known at compile time. An access outside the block does not
//! compile, and one inside it needs no check.

mod sealed {
    pub trait Sealed {}
}

/// The byte order of a schema, as a type.
pub trait Order: sealed::Sealed {
    /// Whether the most significant byte comes first.
    const BIG: bool;
}

/// The least significant byte first.
#[derive(Debug)]
pub enum LittleEndian {}

/// The most significant byte first.
#[derive(Debug)]
pub enum BigEndian {}

impl sealed::Sealed for LittleEndian {}
impl sealed::Sealed for BigEndian {}

impl Order for LittleEndian {
    const BIG: bool = false;
}

impl Order for BigEndian {
    const BIG: bool = true;
}

/// A number type of SBE.
pub trait Primitive: sealed::Sealed + Copy {
    /// The size on the wire, in bytes.
    const SIZE: usize;

    #[doc(hidden)]
    fn read<O: Order>(bytes: &[u8]) -> Self;

    #[doc(hidden)]
    fn write<O: Order>(self, bytes: &mut [u8]);

    /// The number as a length or a count. A number that is not a length, such as a negative one, becomes the greatest
    /// possible length, which no buffer holds.
    fn to_length(self) -> usize;

    /// Converts a length or a count to this type. One that does not fit becomes the greatest value of the type.
    fn from_length(length: usize) -> Self;
}

macro_rules! primitives {
    ($($primitive:ty, $size:literal, $to:expr, $from:expr;)*) => {$(
        impl sealed::Sealed for $primitive {}

        impl Primitive for $primitive {
            const SIZE: usize = $size;

            #[inline(always)]
            fn read<O: Order>(bytes: &[u8]) -> Self {
                let mut raw = [0; $size];
                raw.copy_from_slice(&bytes[..$size]);
                if O::BIG { Self::from_be_bytes(raw) } else { Self::from_le_bytes(raw) }
            }

            #[inline(always)]
            fn write<O: Order>(self, bytes: &mut [u8]) {
                let raw = if O::BIG { self.to_be_bytes() } else { self.to_le_bytes() };
                bytes[..$size].copy_from_slice(&raw);
            }

            #[inline]
            fn to_length(self) -> usize {
                $to(self)
            }

            #[inline]
            fn from_length(length: usize) -> Self {
                $from(length)
            }
        }
    )*};
}

macro_rules! integers {
    ($($primitive:ty, $size:literal;)*) => {
        primitives! {$(
            $primitive, $size,
            |value| usize::try_from(value).unwrap_or(usize::MAX),
            |length| <$primitive>::try_from(length).unwrap_or(<$primitive>::MAX);
        )*}
    };
}

integers! { u8, 1; i8, 1; u16, 2; i16, 2; u32, 4; i32, 4; u64, 8; i64, 8; }
// Lengths are never floats; the schema compiler refuses them.
primitives! {
    f32, 4, |_| usize::MAX, |_| Self::NAN;
    f64, 8, |_| usize::MAX, |_| Self::NAN;
}

/// Converts a number of a header to an id or a version. A number that is neither becomes the greatest `u32`, which no
/// schema uses.
#[inline]
#[must_use]
pub fn id(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Reads the number at offset `AT`.
#[inline(always)]
#[must_use]
pub fn get<T: Primitive, O: Order, const AT: usize, const N: usize>(block: &[u8; N]) -> T {
    const { assert!(AT + T::SIZE <= N, "the field is inside its block") };
    T::read::<O>(&block[AT..AT + T::SIZE])
}

/// Writes the number at offset `AT`.
#[inline(always)]
pub fn put<T: Primitive, O: Order, const AT: usize, const N: usize>(block: &mut [u8; N], value: T) {
    const { assert!(AT + T::SIZE <= N, "the field is inside its block") };
    value.write::<O>(&mut block[AT..AT + T::SIZE]);
}

/// Reads `LENGTH` numbers from offset `AT` on.
#[inline(always)]
#[must_use]
pub fn get_array<T: Primitive, O: Order, const LENGTH: usize, const AT: usize, const N: usize>(
    block: &[u8; N],
) -> [T; LENGTH] {
    const { assert!(AT + T::SIZE * LENGTH <= N, "the field is inside its block") };
    core::array::from_fn(|index| T::read::<O>(&block[AT + index * T::SIZE..]))
}

/// Writes `LENGTH` numbers from offset `AT` on.
#[inline(always)]
pub fn put_array<T: Primitive, O: Order, const LENGTH: usize, const AT: usize, const N: usize>(
    block: &mut [u8; N],
    values: [T; LENGTH],
) {
    const { assert!(AT + T::SIZE * LENGTH <= N, "the field is inside its block") };
    for (index, value) in values.into_iter().enumerate() {
        value.write::<O>(&mut block[AT + index * T::SIZE..]);
    }
}

/// The `LENGTH` bytes from offset `AT` on.
#[inline(always)]
#[must_use]
pub fn bytes<const LENGTH: usize, const AT: usize, const N: usize>(block: &[u8; N]) -> &[u8; LENGTH] {
    const { assert!(AT + LENGTH <= N, "the field is inside its block") };
    match block[AT..].first_chunk() {
        Some(bytes) => bytes,
        None => unreachable!("checked when this was compiled"),
    }
}

/// The `LENGTH` bytes from offset `AT` on, for writing.
#[inline(always)]
pub fn bytes_mut<const LENGTH: usize, const AT: usize, const N: usize>(block: &mut [u8; N]) -> &mut [u8; LENGTH] {
    const { assert!(AT + LENGTH <= N, "the field is inside its block") };
    match block[AT..].first_chunk_mut() {
        Some(bytes) => bytes,
        None => unreachable!("checked when this was compiled"),
    }
}

/// The bytes of a field that only newer writers send. `None` when the writer's version does not have the field or the
/// block is too short for it.
#[inline(always)]
#[must_use]
pub fn part<const LENGTH: usize>(block: &[u8], at: usize, sent: bool) -> Option<&[u8; LENGTH]> {
    if sent { block.get(at..)?.first_chunk() } else { None }
}

/// The text in a field of fixed length: the bytes before the first NUL.
///
/// # Errors
///
/// The bytes before the first NUL are not UTF-8.
pub fn fixed_text(bytes: &[u8]) -> Result<&str, core::str::Utf8Error> {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    core::str::from_utf8(&bytes[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_where_they_were_put_in_both_orders() {
        let mut block = [0; 12];
        put::<u32, LittleEndian, 1, 12>(&mut block, 0x0102_0304);
        put_array::<i16, BigEndian, 3, 5, 12>(&mut block, [-2, 3, 4]);
        assert_eq!(block, [0, 4, 3, 2, 1, 0xFF, 0xFE, 0, 3, 0, 4, 0]);
        assert_eq!(get::<u32, LittleEndian, 1, 12>(&block), 0x0102_0304);
        assert_eq!(get_array::<i16, BigEndian, 3, 5, 12>(&block), [-2, 3, 4]);
        assert_eq!(bytes::<2, 3, 12>(&block), &[2, 1]);
    }

    #[test]
    fn a_part_is_there_only_when_sent_and_whole() {
        assert_eq!(part::<2>(&[1, 2, 3], 1, true), Some(&[2, 3]));
        assert_eq!(part::<2>(&[1, 2, 3], 1, false), None);
        assert_eq!(part::<2>(&[1, 2, 3], 2, true), None);
        assert_eq!(part::<2>(&[1, 2, 3], 9, true), None);
    }

    #[test]
    fn lengths_that_are_none_fit_no_buffer() {
        assert_eq!((-1_i8).to_length(), usize::MAX);
        assert_eq!(u8::from_length(300), 255);
    }

    #[test]
    fn text_ends_at_the_first_nul() {
        assert_eq!(fixed_text(b"ab\0c"), Ok("ab"));
        assert_eq!(fixed_text(b"abc"), Ok("abc"));
        assert!(fixed_text(b"\xFF").is_err());
    }
}
