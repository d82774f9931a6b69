//! Fills a buffer from the front. Used by generated encoders, which take each block as a whole.

use crate::block::{Order, Primitive};
use crate::error::EncodeError;

/// The remaining part of a buffer, and how much of the buffer is written.
#[derive(Debug)]
pub struct Writer<'a> {
    rest: &'a mut [u8],
    /// The length of the whole buffer. The number of bytes written is the difference to what is left.
    room: usize,
}

/// Proof that all of an entry is written. Only a finished entry returns one, so an entry cannot be left incomplete.
#[derive(Debug)]
pub struct Done<'a> {
    writer: Writer<'a>,
}

impl<'a> Writer<'a> {
    /// Creates a writer that starts at the beginning of `buffer`.
    #[inline]
    pub fn new(buffer: &'a mut [u8]) -> Self {
        let room = buffer.len();
        Self { rest: buffer, room }
    }

    /// The number of bytes taken so far.
    #[must_use]
    #[inline]
    pub fn written(&self) -> usize {
        self.room - self.rest.len()
    }

    /// Takes the next `N` bytes, for the caller to write.
    ///
    /// # Errors
    ///
    /// Fewer bytes are left. The writer is of no further use then.
    #[inline]
    pub fn take<const N: usize>(&mut self, what: &'static str) -> Result<&'a mut [u8; N], EncodeError> {
        let found = self.rest.len();
        match core::mem::take(&mut self.rest).split_first_chunk_mut() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(EncodeError::BufferTooShort { what, needed: N, found }),
        }
    }

    /// Writes variable-length data behind its length, which is a `T`.
    ///
    /// # Errors
    ///
    /// The data is longer than `most`, or does not fit the buffer.
    #[inline]
    pub fn put_data<T: Primitive, O: Order>(
        &mut self,
        what: &'static str,
        data: &[u8],
        most: usize,
    ) -> Result<(), EncodeError> {
        if data.len() > most {
            return Err(EncodeError::TooLong { what, most, found: data.len() });
        }
        let (needed, found) = (T::SIZE + data.len(), self.rest.len());
        let Some((place, rest)) = core::mem::take(&mut self.rest).split_at_mut_checked(needed) else {
            return Err(EncodeError::BufferTooShort { what, needed, found });
        };
        let (length, body) = place.split_at_mut(T::SIZE);
        T::from_length(data.len()).write::<O>(length);
        body.copy_from_slice(data);
        self.rest = rest;
        Ok(())
    }

    /// A writer over the rest of the buffer, with a count of its own. Call [`skip`](Self::skip) on this writer for the
    /// bytes that the new one takes.
    #[doc(hidden)]
    #[inline]
    #[must_use]
    pub fn reborrow(&mut self) -> Writer<'_> {
        Writer::new(self.rest)
    }

    /// Skips `length` bytes that a reborrowed writer has written.
    #[doc(hidden)]
    #[inline]
    pub fn skip(&mut self, length: usize) {
        if length > 0 {
            self.rest = core::mem::take(&mut self.rest).get_mut(length..).unwrap_or_default();
        }
    }

    #[doc(hidden)]
    #[inline]
    #[must_use]
    pub fn done(self) -> Done<'a> {
        Done { writer: self }
    }
}

impl<'a> Done<'a> {
    #[doc(hidden)]
    #[inline]
    #[must_use]
    pub fn written(&self) -> usize {
        self.writer.written()
    }

    #[doc(hidden)]
    #[inline]
    #[must_use]
    pub fn into_writer(self) -> Writer<'a> {
        self.writer
    }
}

/// Writes text to a field of fixed length and pads it with NULs.
///
/// # Errors
///
/// The text is longer than the field. Nothing is written then.
#[inline]
pub fn put_text(field: &mut [u8], what: &'static str, text: &[u8]) -> Result<(), EncodeError> {
    let most = field.len();
    let Some((start, rest)) = field.split_at_mut_checked(text.len()) else {
        return Err(EncodeError::TooLong { what, most, found: text.len() });
    };
    start.copy_from_slice(text);
    rest.fill(0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::LittleEndian;

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut buffer = [0; 5];
        let mut writer = Writer::new(&mut buffer);
        writer.take::<2>("block").expect("two of five fit");
        let short = EncodeError::BufferTooShort { what: "data", needed: 4, found: 3 };
        assert_eq!(writer.put_data::<u8, LittleEndian>("data", b"abc", 254), Err(short));

        let mut writer = Writer::new(&mut buffer);
        let long = EncodeError::TooLong { what: "data", most: 2, found: 3 };
        assert_eq!(writer.put_data::<u8, LittleEndian>("data", b"abc", 2), Err(long));
        writer.put_data::<u8, LittleEndian>("data", b"abc", 254).expect("it fits");
        assert_eq!(writer.written(), 4);
        assert_eq!(buffer, [3, b'a', b'b', b'c', 0]);
    }

    #[test]
    fn shorter_text_is_padded() {
        let mut field = [9; 4];
        put_text(&mut field, "f", b"ab").expect("it fits");
        assert_eq!(&field, b"ab\0\0");
        assert!(put_text(&mut field, "f", b"abcde").is_err());
        assert_eq!(&field, b"ab\0\0");
    }
}
