//! A shared field, declared once with its offset and width, so algorithms never add byte offsets by hand.

use core::marker::PhantomData;

/// The place of a value of type `T` in its structure.
///
/// ```
/// use gannet::memory::Field;
///
/// const TAILS: Field<[i64; 3]> = Field::at(0);
/// const ACTIVE_TERM_COUNT: Field<i32> = Field::at(24);
/// const _: () = assert!(TAILS.end() == ACTIVE_TERM_COUNT.start());
/// ```
#[derive(Debug)]
pub struct Field<T> {
    offset: usize,
    _type: PhantomData<fn() -> T>,
}

impl<T> Clone for Field<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Field<T> {}

impl<T> Field<T> {
    /// Declares a field at `offset` bytes from the start of its structure.
    pub const fn at(offset: usize) -> Self {
        Self { offset, _type: PhantomData }
    }

    /// The offset of the field's first byte.
    #[inline]
    pub const fn start(self) -> usize {
        self.offset
    }

    /// The offset after the field.
    #[inline]
    pub const fn end(self) -> usize {
        self.offset + size_of::<T>()
    }

    /// The same field in a structure that starts at `base`.
    #[inline]
    #[must_use]
    pub const fn from(self, base: usize) -> Self {
        Self::at(base + self.offset)
    }
}

impl<T, const N: usize> Field<[T; N]> {
    /// The element `index` of the array.
    ///
    /// # Panics
    ///
    /// If `index` is not below `N`.
    #[inline]
    pub const fn element(self, index: usize) -> Field<T> {
        assert!(index < N, "an element within the array");
        Field::at(self.offset + index * size_of::<T>())
    }
}
