//! An unrelated stream that must not be affected by the faults: a client on a thread of its own sends itself messages
//! through the driver, checks every byte, and counts them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gannet::{Client, ImageHandlers, OfferError, Publication, Subscription};

use crate::driver_process::{PATIENCE, await_that};
use crate::helper::context;
use crate::messages::{Received, message};

/// How often the stream is used: often enough that a fault coincides with it, seldom enough to leave the machine to the
/// others.
const PAUSE: Duration = Duration::from_millis(1);
const SENDER: u32 = 99;

/// The stream.
pub(crate) struct Healthy {
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    received: Arc<AtomicU32>,
    events: Arc<Mutex<Vec<String>>>,
}

impl Healthy {
    /// Starts the stream, and waits until messages arrive.
    pub(crate) fn start(dir: &Path, stream_id: i32) -> Self {
        let (stop, received) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let events = Arc::new(Mutex::new(Vec::new()));
        let note = |events: &Arc<Mutex<Vec<String>>>| {
            let events = Arc::clone(events);
            move |event: String| events.lock().unwrap_or_else(PoisonError::into_inner).push(event)
        };
        let (on_event, on_gone) = (note(&events), note(&events));
        let client = Client::connect(context(dir).on_event(move |event| on_event(event.to_string()))).unwrap();
        let publication = client.add_publication("aeron:ipc?term-length=64k", stream_id).unwrap();
        let handlers = ImageHandlers::new().unavailable(move |_| on_gone("it lost its image".to_owned()));
        let subscription = client.add_subscription_with("aeron:ipc", stream_id, handlers).unwrap();
        let run = {
            let (stop, received) = (Arc::clone(&stop), Arc::clone(&received));
            move || {
                run(&publication, subscription, &stop, &received);
                drop(client);
            }
        };
        let healthy = Self { thread: Some(std::thread::spawn(run)), stop, received, events };
        healthy.goes_on();
        healthy
    }

    /// Waits until enough messages have arrived from now on that all terms were used, and checks that nothing happened
    /// to the client.
    pub(crate) fn goes_on(&self) {
        let before = self.received.load(Ordering::Relaxed);
        await_that("the healthy stream goes on", || {
            self.check();
            self.received.load(Ordering::Relaxed).wrapping_sub(before) > 50
        });
    }

    /// Ends the stream, and checks that everything sent has arrived.
    pub(crate) fn finish(mut self) {
        self.goes_on();
        self.stop.store(true, Ordering::Relaxed);
        let outcome = self.thread.take().map(JoinHandle::join);
        assert!(matches!(outcome, Some(Ok(()))), "the healthy stream failed");
    }

    fn check(&self) {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(events.is_empty(), "the healthy client was told: {events:?}");
        let failed = self.thread.as_ref().is_some_and(JoinHandle::is_finished);
        assert!(!failed, "the healthy stream failed; its message is above");
    }
}

impl Drop for Healthy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(publication: &Publication, mut subscription: Subscription, stop: &AtomicBool, count: &AtomicU32) {
    let mut received = Received::default();
    let mut sent = 0;
    let mut last = Instant::now();
    while !stop.load(Ordering::Relaxed) || received.of(SENDER) != sent {
        assert!(last.elapsed() < PATIENCE, "{sent} sent, {} received", received.total());
        if !stop.load(Ordering::Relaxed) {
            match publication.offer(&message(SENDER, sent)) {
                Ok(_) => sent += 1,
                Err(OfferError::BackPressured | OfferError::AdminAction | OfferError::NotConnected) => {}
                Err(error) => panic!("{error}"),
            }
        }
        if subscription.poll(|fragment| received.take(fragment.payload()), 20) > 0 {
            last = Instant::now();
            count.store(received.total(), Ordering::Relaxed);
        }
        std::thread::sleep(PAUSE);
    }
}
