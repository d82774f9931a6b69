//! Queues between the threads of a driver: the standard library's channels, with a count of all messages ever put in.
//! An agent checks all its queues in every turn, and nearly always they are empty. The count shows that by one load,
//! while a channel needs a fence.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, TrySendError, channel, sync_channel};

use crossbeam_utils::CachePadded;

/// The number of elements that were sent, plus the number of senders that were dropped.
type Posted = Arc<CachePadded<AtomicUsize>>;

/// The sending end.
#[derive(Clone, Debug)]
pub(super) struct Inlet<S> {
    sender: S,
    posted: Posted,
}

/// The receiving end.
#[derive(Debug)]
pub(super) struct Outlet<T> {
    receiver: Receiver<T>,
    posted: Posted,
    /// The value of `posted` that was seen last.
    seen: usize,
}

/// The other end of the queue is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EndGone;

/// A queue for at most this many elements.
pub(super) fn bounded<T>(limit: usize) -> (Inlet<SyncSender<T>>, Outlet<T>) {
    let (sender, receiver) = sync_channel(limit);
    ends(sender, receiver)
}

/// A queue whose users bound the number of elements.
pub(super) fn unbounded<T>() -> (Inlet<Sender<T>>, Outlet<T>) {
    let (sender, receiver) = channel();
    ends(sender, receiver)
}

fn ends<S, T>(sender: S, receiver: Receiver<T>) -> (Inlet<S>, Outlet<T>) {
    let posted = Posted::default();
    (Inlet { sender, posted: Arc::clone(&posted) }, Outlet { receiver, posted, seen: 0 })
}

impl<S> Inlet<S> {
    fn post(&self) {
        // ORDERING(driver.queue): Release. Pairs with the acquiring load in `Outlet::take`: whoever sees the count
        // finds in the channel what was sent before.
        self.posted.fetch_add(1, Ordering::Release);
    }
}

impl<T> Inlet<SyncSender<T>> {
    /// Sends an element, or returns it if the queue is full.
    pub(super) fn try_give(&self, what: T) -> Result<Option<T>, EndGone> {
        match self.sender.try_send(what) {
            Ok(()) => {
                self.post();
                Ok(None)
            }
            Err(TrySendError::Full(what)) => Ok(Some(what)),
            Err(TrySendError::Disconnected(_)) => Err(EndGone),
        }
    }
}

impl<T> Inlet<Sender<T>> {
    /// Sends an element.
    pub(super) fn give(&self, what: T) -> Result<(), EndGone> {
        self.sender.send(what).map_err(|_| EndGone)?;
        self.post();
        Ok(())
    }
}

impl<S> Drop for Inlet<S> {
    fn drop(&mut self) {
        // So that the receiving end checks the channel again, until it finds all senders gone.
        self.post();
    }
}

impl<T> Outlet<T> {
    /// Whether to check the channel, because something was sent or a sender was dropped. Called in every turn.
    #[inline]
    pub(super) fn has_news(&self) -> bool {
        // ORDERING(driver.queue): Acquire. Pairs with `Inlet::post`.
        self.posted.load(Ordering::Acquire) != self.seen
    }

    /// Takes the next element, if there is one.
    pub(super) fn take(&mut self) -> Result<Option<T>, EndGone> {
        if !self.has_news() {
            return Ok(None);
        }
        match self.receiver.try_recv() {
            Ok(found) => {
                self.seen = self.seen.wrapping_add(1);
                Ok(Some(found))
            }
            // One of several senders was dropped, or the last one is just being dropped. No element is missed, because
            // it was in the channel before it was counted.
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(EndGone),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_comes_out_in_order() {
        let (inlet, mut outlet) = bounded(2);
        assert_eq!(outlet.take(), Ok(None));
        assert_eq!([inlet.try_give(1), inlet.try_give(2), inlet.try_give(3)], [Ok(None), Ok(None), Ok(Some(3))]);
        assert_eq!([outlet.take(), outlet.take(), outlet.take()], [Ok(Some(1)), Ok(Some(2)), Ok(None)]);
        assert_eq!(inlet.try_give(4), Ok(None));
        assert_eq!([outlet.take(), outlet.take()], [Ok(Some(4)), Ok(None)]);
    }

    #[test]
    fn an_end_that_is_gone_is_missed_after_what_it_left() {
        let (inlet, mut outlet) = bounded(2);
        assert_eq!(inlet.try_give(1), Ok(None));
        drop(inlet);
        assert_eq!([outlet.take(), outlet.take(), outlet.take()], [Ok(Some(1)), Err(EndGone), Err(EndGone)]);
        let (inlet, outlet) = unbounded();
        drop(outlet);
        assert_eq!(inlet.give(1), Err(EndGone));
    }

    #[test]
    fn one_inlet_of_two_may_go() {
        let (inlet, mut outlet) = unbounded();
        drop(inlet.clone());
        assert_eq!(outlet.take(), Ok(None));
        assert_eq!(inlet.give(1), Ok(()));
        assert_eq!([outlet.take(), outlet.take()], [Ok(Some(1)), Ok(None)]);
        drop(inlet);
        assert_eq!(outlet.take(), Err(EndGone));
    }

    #[test]
    fn nothing_is_overlooked_between_threads() {
        let (inlet, mut outlet) = bounded(4);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for number in 0..1000 {
                    while inlet.try_give(number).expect("the other end is there").is_some() {
                        std::thread::yield_now();
                    }
                }
            });
            let mut expected = 0;
            loop {
                match outlet.take() {
                    Ok(Some(number)) => {
                        assert_eq!(number, expected);
                        expected += 1;
                    }
                    Ok(None) => std::thread::yield_now(),
                    Err(EndGone) => break,
                }
            }
            assert_eq!(expected, 1000);
        });
    }
}
