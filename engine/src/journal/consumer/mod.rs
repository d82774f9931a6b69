//! Consuming a journal safely, a small library over tailers and named cursors. Each message is handled at least once
//! and retried a bounded number of times. If that does not help, it goes to a journal of dead letters with the reason.
//! Duplicates are skipped.
//!
//! | Safety net | File |
//! | --- | --- |
//! | at least once: read, handle, commit | `worker` |
//! | messages that could not be handled | `dead_letter` |
//! | messages that were handled before | `window` |
//!
//! All state is in the journal's files: the cursor has the position up to which messages are handled, a dead letter is
//! a message like any other, and the window of keys is read again from the messages in front of the cursor.

mod dead_letter;
mod window;
mod worker;

pub use dead_letter::{DeadLetter, DeadLetters};
pub use window::Window;
pub use worker::{Consumer, ConsumerError, Processed};
