//! UNSAFE FENCE: Aeron's C client, wrapped just enough for tests and measurements.
//!
//! Every handle keeps its client's C object alive, so handles and client may be dropped in any order. Reports of the C
//! code's conductor thread are kept in one [`EventLog`] per client.
//!
//! The types express the C code's own rules. A concurrent publication may be shared between threads; an exclusive
//! publication, a subscription and its images are used by one thread at a time. A fragment's bytes are valid during one
//! call of the handler, and the wrapper must never lend memory for longer.
#![allow(unsafe_code, reason = "calls of the C client, which is the peer under test")]

mod claim;
mod counter;
mod destinations;
mod events;
mod publication;
mod subscription;

use crate::error::PeerError;
use rusteron_client::bindings as c;
use std::ffi::{CStr, CString, c_char, c_int};
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

pub use claim::Claim;
pub use counter::{Counter, CounterRecord};
pub use events::{Event, EventLog, ImageFacts};
pub use publication::{ExclusivePublication, OfferError, Publication, PublicationFacts};
pub use subscription::{Action, ControlledFragmentAssembler, Fragment, FragmentAssembler, Image, Subscription};

/// The default time to wait for an answer of the driver.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(180);

/// The options of a client. The defaults are those of the C client.
#[derive(Clone, Debug, Default)]
pub struct ClientOptions {
    /// The client's name, shown in its heartbeat counter's label.
    pub name: Option<String>,
    /// The greatest age of the driver's heartbeat, and the time to wait for an answer (C default: 10 s).
    pub driver_timeout: Option<Duration>,
    /// How often the client stores its heartbeat (C default: 500 ms).
    pub keepalive_interval: Option<Duration>,
    /// How long the conductor's thread sleeps between duty cycles (C default: 16 ms).
    pub idle_sleep: Option<Duration>,
    /// Whether the caller runs the conductor with [`Client::service`] instead of the C client's own thread.
    pub invoked: bool,
}

/// A connected C client.
#[derive(Clone, Debug)]
pub struct Client {
    core: Arc<ClientCore>,
}

/// The C objects of one client. They are closed when the last handle is dropped.
#[derive(Debug)]
struct ClientCore {
    client: NonNull<c::aeron_t>,
    context: NonNull<c::aeron_context_t>,
    events: Arc<EventLog>,
    /// Present if the caller runs the conductor: only one call at a time may then touch the conductor's state.
    invoked: Option<Mutex<()>>,
}

// SAFETY: the C client takes calls from any thread (its conductor has a queue for them), except in the invoked form,
// where every call of this wrapper that reaches the conductor holds `invoked`.
unsafe impl Send for ClientCore {}
// SAFETY: as for Send.
unsafe impl Sync for ClientCore {}

impl ClientOptions {
    /// The default options with a long timeout, for tests: a busy machine may not run the driver for a while.
    pub fn patient() -> Self {
        Self { driver_timeout: Some(Duration::from_secs(60)), ..Self::default() }
    }
}

impl ClientCore {
    fn lock(&self) -> Option<MutexGuard<'_, ()>> {
        self.invoked.as_ref().map(|mutex| mutex.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn service(&self) -> Result<usize, PeerError> {
        let _guard = self.lock();
        // SAFETY: the client is open until this core is dropped, and the lock keeps other callers out.
        let worked = unsafe { c::aeron_main_do_work(self.client.as_ptr()) };
        check(worked, || "running the client's conductor".into()).map(|worked| worked as usize)
    }

    /// Calls `poll` until it returns 1 or fails, or until `timeout`. 0 means "not yet".
    fn await_answer(
        &self,
        attempted: impl Fn() -> String,
        timeout: Duration,
        mut poll: impl FnMut() -> c_int,
    ) -> Result<(), PeerError> {
        let start = Instant::now();
        loop {
            let polled = {
                let _guard = self.lock();
                poll()
            };
            if check(polled, &attempted)? > 0 {
                return Ok(());
            }
            if start.elapsed() > timeout {
                return Err(PeerError::no_answer(attempted(), timeout));
            }
            if self.invoked.is_some() {
                self.service()?;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for ClientCore {
    fn drop(&mut self) {
        // SAFETY: every handle holds this core, so nothing uses the client or its context any more; the client is
        // closed before the context that it refers to. A failure leaves only memory behind, and there is nobody to tell.
        unsafe {
            c::aeron_close(self.client.as_ptr());
            c::aeron_context_close(self.context.as_ptr());
        }
    }
}

impl Client {
    /// Connects to the driver in `dir` with the C client's defaults.
    pub fn connect(dir: &Path) -> Result<Self, PeerError> {
        Self::connect_with(dir, &ClientOptions::default())
    }

    /// Connects to the driver in `dir`. Waits up to the driver timeout for the driver.
    pub fn connect_with(dir: &Path, options: &ClientOptions) -> Result<Self, PeerError> {
        let attempted = || format!("connecting to the driver in {}", dir.display());
        let dir_text = c_text(&dir.to_string_lossy(), attempted)?;
        let name_text = options.name.as_deref().map(|name| c_text(name, attempted)).transpose()?;
        let events = Arc::new(EventLog::default());
        let mut context = ptr::null_mut();
        // SAFETY: `context` is a place for the pointer that the call stores.
        check(unsafe { c::aeron_context_init(&mut context) }, attempted)?;
        let context = NonNull::new(context).expect("a context that was made without an error");
        let made = configure(context, &dir_text, name_text.as_deref(), options, &events, attempted)
            .and_then(|()| start(context, attempted));
        match made {
            Ok(client) => {
                let invoked = options.invoked.then(|| Mutex::new(()));
                Ok(Self { core: Arc::new(ClientCore { client, context, events, invoked }) })
            }
            Err(error) => {
                // SAFETY: no client came of it, so nothing else refers to the context.
                unsafe { c::aeron_context_close(context.as_ptr()) };
                Err(error)
            }
        }
    }

    /// The events that the C client has reported so far.
    pub fn events(&self) -> &EventLog {
        &self.core.events
    }

    /// The client id that identifies this client to the driver.
    pub fn client_id(&self) -> i64 {
        // SAFETY: the client is open until the core is dropped.
        unsafe { c::aeron_client_id(self.core.client.as_ptr()) }
    }

    /// Whether the client closed itself, as it does after a timeout of the driver or of the client.
    pub fn is_closed(&self) -> bool {
        // SAFETY: as for `client_id`.
        unsafe { c::aeron_is_closed(self.core.client.as_ptr()) }
    }

    /// Runs one duty cycle of the conductor, and returns its work count. Only for a client with
    /// [`invoked`](ClientOptions::invoked); the C client refuses it otherwise.
    pub fn service(&self) -> Result<usize, PeerError> {
        self.core.service()
    }

    /// Asks the driver for an unused session id on `stream_id`.
    pub fn next_available_session_id(&self, stream_id: i32) -> Result<i32, PeerError> {
        let attempted = || format!("asking for a session id on stream {stream_id}");
        let mut pending = ptr::null_mut();
        let guard = self.core.lock();
        // SAFETY: the client is open, and `pending` is a place for the pointer that the call stores.
        let returned = unsafe { c::aeron_async_next_session_id(&mut pending, self.core.client.as_ptr(), stream_id) };
        check(returned, attempted)?;
        drop(guard);
        let mut session_id = 0;
        // SAFETY: `pending` came from the call above and is polled until it is answered, no longer.
        self.core.await_answer(attempted, ANSWER_TIMEOUT, || unsafe {
            c::aeron_async_next_session_id_poll(&mut session_id, pending)
        })?;
        Ok(session_id)
    }
}

fn configure(
    context: NonNull<c::aeron_context_t>,
    dir: &CStr,
    name: Option<&CStr>,
    options: &ClientOptions,
    events: &Arc<EventLog>,
    attempted: impl Fn() -> String + Copy,
) -> Result<(), PeerError> {
    let context = context.as_ptr();
    // SAFETY: the context is open and not yet used by a client; texts are copied by the calls.
    unsafe {
        check(c::aeron_context_set_dir(context, dir.as_ptr()), attempted)?;
        if let Some(name) = name {
            check(c::aeron_context_set_client_name(context, name.as_ptr()), attempted)?;
        }
        if let Some(timeout) = options.driver_timeout {
            check(c::aeron_context_set_driver_timeout_ms(context, timeout.as_millis() as u64), attempted)?;
        }
        if let Some(interval) = options.keepalive_interval {
            check(c::aeron_context_set_keepalive_interval_ns(context, interval.as_nanos() as u64), attempted)?;
        }
        if let Some(sleep) = options.idle_sleep {
            check(c::aeron_context_set_idle_sleep_duration_ns(context, sleep.as_nanos() as u64), attempted)?;
        }
        check(c::aeron_context_set_use_conductor_agent_invoker(context, options.invoked), attempted)?;
    }
    events::register(context, events).map_err(|code| refused(code, attempted()))
}

fn start(
    context: NonNull<c::aeron_context_t>,
    attempted: impl Fn() -> String,
) -> Result<NonNull<c::aeron_t>, PeerError> {
    let mut client = ptr::null_mut();
    // SAFETY: the context is complete, and `client` is a place for the pointer that the call stores.
    check(unsafe { c::aeron_init(&mut client, context.as_ptr()) }, &attempted)?;
    // SAFETY: the client was just made and not yet started.
    if let Err(error) = check(unsafe { c::aeron_start(client) }, &attempted) {
        // SAFETY: as above; nothing else knows the client.
        unsafe { c::aeron_close(client) };
        return Err(error);
    }
    Ok(NonNull::new(client).expect("a client that was made without an error"))
}

/// Converts a negative return value to the calling thread's C error.
fn check(returned: c_int, attempted: impl FnOnce() -> String) -> Result<c_int, PeerError> {
    if returned < 0 { Err(refused(returned, attempted())) } else { Ok(returned) }
}

/// The calling thread's C error. `fallback` is its code if the C code set none.
fn refused(fallback: c_int, attempted: String) -> PeerError {
    // SAFETY: both calls read thread-local state of the C code; the text is copied before anything can change it.
    let (code, message) = unsafe { (c::aeron_errcode(), text(c::aeron_errmsg())) };
    PeerError::Refused { attempted, code: if code == 0 { fallback } else { code }, message }
}

fn c_text(text: &str, attempted: impl FnOnce() -> String) -> Result<CString, PeerError> {
    CString::new(text).map_err(|_| PeerError::NulInText { attempted: attempted() })
}

/// Copies a C string. A null pointer gives an empty text.
///
/// # Safety
///
/// `text` is null or points to a NUL-terminated string that nobody changes during the call.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
