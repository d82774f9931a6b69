//! Views of shared memory. Each access is checked once, its ordering is in the method's name, and no reference to the
//! bytes is handed out by a safe method.

mod atomic_buffer;
mod cache_lines;
mod copy;
mod span;
mod word;

pub use atomic_buffer::AtomicBuffer;
pub use cache_lines::CacheLines;
pub(crate) use span::Lent;
pub(super) use span::Span;
pub use word::{OwnedWord, SharedWord, Word};
