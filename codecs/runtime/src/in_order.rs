//! The state of reading a message or an entry in order, from front to back: each part is checked when it is reached,
//! and nothing is walked twice. Used by generated decoders, whose type states how far they have read, as that of
//! encoders states how far they have written.

use crate::reader::Reader;

/// How far a message has been read: its block, and `STAGE` of the groups and data behind the block.
#[derive(Clone, Copy, Debug)]
pub struct InOrder<'a, const STAGE: usize = 0> {
    reader: Reader<'a>,
    version: u32,
}

/// How far an entry of a group has been read: its block, and `STAGE` of the groups and data behind the block.
#[derive(Debug)]
pub struct InEntry<'a, 'g, const STAGE: usize = 0> {
    pub(crate) reader: Reader<'a>,
    pub(crate) version: u32,
    pub(crate) place: &'g mut Place<'a>,
}

/// The position inside a group that is being read.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    /// Positioned before the entry that was handed out, until that entry ends.
    pub(crate) reader: Reader<'a>,
    pub(crate) handed_out: bool,
    /// Whether an entry may take no bytes at all.
    pub(crate) may_be_empty: bool,
}

impl<'a> InOrder<'a> {
    #[doc(hidden)]
    #[inline(always)]
    #[must_use]
    pub fn new(reader: Reader<'a>, version: u32) -> Self {
        Self { reader, version }
    }
}

impl<'a, const STAGE: usize> InOrder<'a, STAGE> {
    #[doc(hidden)]
    #[inline(always)]
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    #[doc(hidden)]
    #[inline(always)]
    #[must_use]
    pub fn at<const NEXT: usize>(self) -> InOrder<'a, NEXT> {
        InOrder { reader: self.reader, version: self.version }
    }

    #[doc(hidden)]
    #[inline(always)]
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.reader.rest()
    }
}

impl<'a, 'g, const STAGE: usize> InEntry<'a, 'g, STAGE> {
    #[doc(hidden)]
    #[inline(always)]
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    #[doc(hidden)]
    #[inline(always)]
    #[must_use]
    pub fn at<const NEXT: usize>(self) -> InEntry<'a, 'g, NEXT> {
        InEntry { reader: self.reader, version: self.version, place: self.place }
    }

    #[doc(hidden)]
    #[inline(always)]
    pub fn end(self) {
        // An entry that took no bytes stays handed out, so that it is skipped later: skipping counts it.
        self.place.handed_out = self.place.may_be_empty && self.reader.rest().len() == self.place.reader.rest().len();
        self.place.reader = self.reader;
    }
}

/// The state of reading, for a message or for an entry.
#[doc(hidden)]
pub trait Front<'a> {
    fn reader(&mut self) -> &mut Reader<'a>;
}

impl<'a, const STAGE: usize> Front<'a> for InOrder<'a, STAGE> {
    #[inline(always)]
    fn reader(&mut self) -> &mut Reader<'a> {
        &mut self.reader
    }
}

impl<'a, const STAGE: usize> Front<'a> for InEntry<'a, '_, STAGE> {
    #[inline(always)]
    fn reader(&mut self) -> &mut Reader<'a> {
        &mut self.reader
    }
}
