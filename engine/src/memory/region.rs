//! The memory of a view: bytes that stay in place as long as any view of them exists.
#![allow(unsafe_code, reason = "UNSAFE FENCE: allocates and frees the memory that views point into")]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::Arc;

use super::{AtomicBuffer, MappedFile};

/// Bytes at a fixed address, initially zero: a mapped file, or memory of this process with the same alignment.
#[derive(Debug)]
pub(crate) struct Region(Bytes);

#[derive(Debug)]
enum Bytes {
    Mapped(MappedFile),
    Heap { start: NonNull<u8>, layout: Layout },
}

// SAFETY: a region is an address, a length and the right to free them. Its bytes are only reached through views, whose
// words are atomics and whose bulk copies are ordered by the protocols built on them; freeing needs the last owner.
unsafe impl Send for Region {}
// SAFETY: as above; no method of a shared region touches its bytes.
unsafe impl Sync for Region {}

/// The alignment of memory that is not mapped: a page, like that of a mapping.
const HEAP_ALIGNMENT: usize = 4096;

impl Region {
    /// A region over a mapped file.
    pub(crate) fn mapped(file: MappedFile) -> Arc<Self> {
        Arc::new(Self(Bytes::Mapped(file)))
    }

    /// A zeroed region of `length` bytes in the memory of this process, for tests and for queues between its agents.
    ///
    /// # Panics
    ///
    /// If `length` is zero or more than half the address space.
    pub(crate) fn heap(length: usize) -> Arc<Self> {
        let layout = Layout::from_size_align(length, HEAP_ALIGNMENT).expect("a length that fits the address space");
        assert!(length > 0, "a region has at least one byte");
        // SAFETY: the layout's size is not zero.
        let start = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        Arc::new(Self(Bytes::Heap { start, layout }))
    }

    /// The region's length in bytes.
    pub(super) fn len(&self) -> usize {
        match &self.0 {
            Bytes::Mapped(file) => file.len(),
            Bytes::Heap { layout, .. } => layout.size(),
        }
    }

    /// A view of the whole region.
    pub(crate) fn view(self: &Arc<Self>) -> AtomicBuffer {
        AtomicBuffer::whole(Arc::clone(self))
    }

    /// Releases the pages of a mapping. See [`AtomicBuffer::vacate`].
    #[cfg(feature = "client")]
    pub(super) fn vacate(&self) {
        if let Bytes::Mapped(file) = &self.0 {
            file.vacate();
        }
    }

    /// Waits until a range is on stable storage. Does nothing for memory of this process.
    #[cfg(feature = "journal")]
    pub(super) fn sync(&self, offset: usize, len: usize) -> std::io::Result<()> {
        match &self.0 {
            Bytes::Mapped(file) => file.sync(offset, len),
            Bytes::Heap { .. } => Ok(()),
        }
    }

    /// Maps all pages of a mapping. Returns false if that is not possible.
    #[cfg(feature = "client")]
    pub(super) fn populate(&self) -> bool {
        match &self.0 {
            Bytes::Mapped(file) => file.populate(),
            Bytes::Heap { .. } => false,
        }
    }

    /// Maps the pages of a mapping's range that are in memory. See [`MappedFile::fetch`].
    #[cfg(feature = "client")]
    pub(super) fn fetch(&self, offset: usize, len: usize) {
        if let Bytes::Mapped(file) = &self.0 {
            file.fetch(offset, len);
        }
    }

    /// Prepares the pages of a mapping's range for stores. See [`MappedFile::expect_stores`].
    #[cfg(feature = "journal")]
    pub(super) fn expect_stores(&self, offset: usize, len: usize) {
        if let Bytes::Mapped(file) = &self.0 {
            file.expect_stores(offset, len);
        }
    }

    /// Whether no page of a guarded mapping was replaced. See [`MappedFile::guarded`].
    #[cfg(feature = "journal")]
    pub(super) fn is_intact(&self) -> bool {
        match &self.0 {
            Bytes::Mapped(file) => file.is_intact(),
            Bytes::Heap { .. } => true,
        }
    }

    /// The start of the bytes: page-aligned, and valid for reads and writes of `len` bytes until the region is dropped.
    pub(super) fn start(&self) -> NonNull<u8> {
        match &self.0 {
            Bytes::Mapped(file) => file.start(),
            Bytes::Heap { start, .. } => *start,
        }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        if let Bytes::Heap { start, layout } = self.0 {
            // SAFETY: `start` came from `alloc_zeroed` with this layout, and every view holds a reference to the region,
            // so none is left.
            unsafe { dealloc(start.as_ptr(), layout) };
        }
    }
}
