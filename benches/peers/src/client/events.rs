//! UNSAFE FENCE: the events that a C client reports from its conductor, in order. The callbacks must never unwind into
//! the C code, and never call it, except to read the facts of the image of the event.
#![allow(unsafe_code, reason = "callbacks from the C client")]

use super::text;
use rusteron_client::bindings as c;
use std::ffi::{c_char, c_int, c_void};
use std::slice;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The identity of an image, as the C client knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFacts {
    /// The registration id of the subscription that the image belongs to.
    pub subscription_registration_id: i64,
    /// The image's correlation id.
    pub correlation_id: i64,
    /// The publisher's session id.
    pub session_id: i32,
    /// The stream position at which the subscriber joined.
    pub join_position: i64,
    /// The source: `aeron:ipc`, or an address and port.
    pub source_identity: String,
    /// The length of a term in bytes.
    pub term_length: usize,
    /// The MTU: the length of the longest frame in bytes, header included.
    pub mtu_length: usize,
    /// The stream's first term id.
    pub initial_term_id: i32,
    /// The id of the counter with the subscriber's position.
    pub subscriber_position_id: i32,
}

/// An event that the C client reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An image became available.
    AvailableImage(ImageFacts),
    /// An image became unavailable.
    UnavailableImage(ImageFacts),
    /// A counter of any client became available.
    AvailableCounter {
        /// Its registration id.
        registration_id: i64,
        /// Its counter id.
        counter_id: i32,
    },
    /// A counter of any client became unavailable.
    UnavailableCounter {
        /// Its registration id.
        registration_id: i64,
        /// Its counter id.
        counter_id: i32,
    },
    /// The error handler was called.
    Error {
        /// The C client's error code: 1000 and above for errors that end the client, negative for Aeron's other codes,
        /// else `errno`.
        code: i32,
        /// The error text.
        message: String,
    },
    /// A receiver reported an error about one of this client's publications.
    PublicationError {
        /// The publication's original registration id.
        registration_id: i64,
        /// The publication's session id.
        session_id: i32,
        /// The publication's stream id.
        stream_id: i32,
        /// The error code; 13 for a rejected image.
        code: i32,
        /// The receiver's text.
        message: String,
    },
    /// The client was closed, by itself or by the application.
    Closed,
}

/// The events of one client, oldest first.
#[derive(Debug, Default)]
pub struct EventLog {
    events: Mutex<Vec<Event>>,
    arrived: Condvar,
}

impl EventLog {
    /// All events so far.
    pub fn all(&self) -> Vec<Event> {
        self.lock().clone()
    }

    /// The number of events so far that `wanted` accepts.
    pub fn count(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.lock().iter().filter(|event| wanted(event)).count()
    }

    /// Waits for an event that `wanted` accepts, and returns the first such one. Events from before the call count too.
    /// Returns `None` after `timeout`.
    pub fn wait_for(&self, timeout: Duration, wanted: impl Fn(&Event) -> bool) -> Option<Event> {
        let deadline = Instant::now() + timeout;
        let mut events = self.lock();
        loop {
            if let Some(event) = events.iter().find(|event| wanted(event)) {
                return Some(event.clone());
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            events = self.arrived.wait_timeout(events, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn push(&self, event: Event) {
        self.lock().push(event);
        self.arrived.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a context report to `events`, which the caller must keep alive until the client is closed.
pub(super) fn register(context: *mut c::aeron_context_t, events: &Arc<EventLog>) -> Result<(), c_int> {
    let log = pointer(events);
    // SAFETY: the context is open; `log` points to an EventLog that the client's core holds until after it has closed
    // the client, which is the last moment at which a callback runs.
    let returned = unsafe {
        [
            c::aeron_context_set_error_handler(context, Some(on_error), log),
            c::aeron_context_set_publication_error_frame_handler(context, Some(on_publication_error), log),
            c::aeron_context_set_on_available_counter(context, Some(on_available_counter), log),
            c::aeron_context_set_on_unavailable_counter(context, Some(on_unavailable_counter), log),
            c::aeron_context_set_on_close_client(context, Some(on_close), log),
        ]
    };
    returned.into_iter().find(|&code| code < 0).map_or(Ok(()), Err)
}

/// The pointer that is passed to callbacks.
pub(super) fn pointer(events: &Arc<EventLog>) -> *mut c_void {
    Arc::as_ptr(events).cast_mut().cast()
}

/// The log behind a callback's pointer.
///
/// # Safety
///
/// `clientd` came from [`pointer`], and that log is alive.
unsafe fn log<'a>(clientd: *mut c_void) -> &'a EventLog {
    // SAFETY: the caller's promise; an EventLog is only ever shared.
    unsafe { &*clientd.cast::<EventLog>() }
}

/// Reads the facts of an image.
///
/// # Safety
///
/// Image and subscription are alive during the call.
pub(super) unsafe fn image_facts(
    subscription: *mut c::aeron_subscription_t,
    image: *mut c::aeron_image_t,
) -> ImageFacts {
    // SAFETY: both structs are plain data for which zero is a value, the calls fill them in, and the caller promises
    // that the objects are alive; the source identity is text that belongs to the image.
    unsafe {
        let mut of_image: c::aeron_image_constants_t = std::mem::zeroed();
        c::aeron_image_constants(image, &mut of_image);
        let mut of_subscription: c::aeron_subscription_constants_t = std::mem::zeroed();
        c::aeron_subscription_constants(subscription, &mut of_subscription);
        ImageFacts {
            subscription_registration_id: of_subscription.registration_id,
            correlation_id: of_image.correlation_id,
            session_id: of_image.session_id,
            join_position: of_image.join_position,
            source_identity: text(of_image.source_identity),
            term_length: of_image.term_buffer_length,
            mtu_length: of_image.mtu_length,
            initial_term_id: of_image.initial_term_id,
            subscriber_position_id: of_image.subscriber_position_id,
        }
    }
}

pub(super) unsafe extern "C" fn on_available_image(
    clientd: *mut c_void,
    subscription: *mut c::aeron_subscription_t,
    image: *mut c::aeron_image_t,
) {
    // SAFETY: `register` and `add_subscription` pass the log; the C client passes objects that are alive.
    unsafe { log(clientd).push(Event::AvailableImage(image_facts(subscription, image))) }
}

pub(super) unsafe extern "C" fn on_unavailable_image(
    clientd: *mut c_void,
    subscription: *mut c::aeron_subscription_t,
    image: *mut c::aeron_image_t,
) {
    // SAFETY: as for `on_available_image`.
    unsafe { log(clientd).push(Event::UnavailableImage(image_facts(subscription, image))) }
}

unsafe extern "C" fn on_available_counter(
    clientd: *mut c_void,
    _reader: *mut c::aeron_counters_reader_t,
    registration_id: i64,
    counter_id: i32,
) {
    // SAFETY: `register` passes the log.
    unsafe { log(clientd) }.push(Event::AvailableCounter { registration_id, counter_id });
}

unsafe extern "C" fn on_unavailable_counter(
    clientd: *mut c_void,
    _reader: *mut c::aeron_counters_reader_t,
    registration_id: i64,
    counter_id: i32,
) {
    // SAFETY: `register` passes the log.
    unsafe { log(clientd) }.push(Event::UnavailableCounter { registration_id, counter_id });
}

unsafe extern "C" fn on_error(clientd: *mut c_void, code: c_int, message: *const c_char) {
    // SAFETY: `register` passes the log; the message is a C string for the length of the call.
    unsafe { log(clientd).push(Event::Error { code, message: text(message) }) }
}

unsafe extern "C" fn on_publication_error(clientd: *mut c_void, values: *mut c::aeron_publication_error_values_t) {
    // SAFETY: `register` passes the log; `values` is alive for the call and followed by its text, whose length it
    // states. The struct is packed, hence the reads by value.
    unsafe {
        let length = usize::try_from((*values).error_message_length).unwrap_or(0);
        let message = slice::from_raw_parts((&raw const (*values).error_message).cast::<u8>(), length);
        log(clientd).push(Event::PublicationError {
            registration_id: (*values).registration_id,
            session_id: (*values).session_id,
            stream_id: (*values).stream_id,
            code: (*values).error_code,
            message: String::from_utf8_lossy(message).into_owned(),
        });
    }
}

unsafe extern "C" fn on_close(clientd: *mut c_void) {
    // SAFETY: `register` passes the log.
    unsafe { log(clientd) }.push(Event::Closed);
}
