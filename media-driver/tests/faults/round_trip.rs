//! Messages to a process in the role `echo` and back, through handles that are kept whatever happens to driver or
//! process.

use gannet::{Client, Publication, Subscription};

use crate::driver_process::await_that;

/// The streams that the echo receives on and answers on.
pub(crate) const TO_ECHO: i32 = 1001;
pub(crate) const FROM_ECHO: i32 = 1002;

/// The handles of this side.
pub(crate) struct RoundTrip {
    to: Publication,
    from: Subscription,
    number: u32,
}

impl RoundTrip {
    pub(crate) fn new(client: &Client) -> Self {
        Self {
            to: client.add_publication("aeron:ipc", TO_ECHO).unwrap(),
            from: client.add_subscription("aeron:ipc", FROM_ECHO).unwrap(),
            number: 0,
        }
    }

    /// Sends numbers until one comes back. Those sent before both streams are connected are lost.
    pub(crate) fn completes(&mut self) {
        let first = self.number;
        await_that("a message comes back", || {
            if self.to.offer(&self.number.to_le_bytes()).is_ok() {
                self.number += 1;
            }
            let mut came = false;
            self.from.poll(
                |fragment| {
                    let number = u32::from_le_bytes(fragment.payload().try_into().unwrap());
                    came |= (first..self.number).contains(&number);
                },
                10,
            );
            came
        });
    }
}
