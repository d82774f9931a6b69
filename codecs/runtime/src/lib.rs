//! The runtime of generated SBE codecs. It needs no standard library, does not allocate and has no dependencies. It
//! reads and writes only slices, and every access is inside a block whose length was checked when the block was
//! wrapped.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;

mod block;
mod blocks_in_order;
mod entries;
mod entries_in_order;
mod error;
#[cfg(feature = "serde")]
pub mod forms;
mod in_order;
pub mod json;
mod message;
mod message_header;
mod reader;
mod writer;

#[cfg(feature = "alloc")]
#[doc(no_inline)]
pub use alloc::vec::Vec;
pub use block::{
    BigEndian, LittleEndian, Order, Primitive, bytes, bytes_mut, fixed_text, get, get_array, id, part, put, put_array,
};
pub use blocks_in_order::BlocksInOrder;
pub use entries::{Entries, EntriesIter, Entry};
pub use entries_in_order::{EntriesInOrder, Nested};
pub use error::{DecodeError, EncodeError};
pub use in_order::{Front, InEntry, InOrder};
pub use message::Message;
pub use message_header::{HeaderError, MessageHeader};
pub use reader::Reader;
#[cfg(feature = "serde")]
#[doc(no_inline)]
pub use serde;
pub use writer::{Done, Writer, put_text};
