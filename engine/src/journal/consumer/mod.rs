//! Safety nets for those who consume a journal, a small library over tailers and named cursors: each message at least once, retried a
//! bounded number of times, put into a journal of its own with the reason if that did not help, and duplicates passed over.
//!
//! | Net | File |
//! | --- | --- |
//! | at least once: read, handle, commit | `worker` |
//! | messages that could not be handled | `dead_letter` |
//! | messages that were handled before | `window` |
//!
//! What these keep is in files of the journal only: a cursor says what is done with, a dead letter is a message like any other, and
//! the window of keys is read again from what is in front of the cursor.

mod dead_letter;
mod window;
mod worker;

pub use dead_letter::{DeadLetter, DeadLetters};
pub use window::Window;
pub use worker::{Consumer, ConsumerError, Processed};
