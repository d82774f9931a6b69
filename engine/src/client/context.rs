//! The settings and handlers of a client before it connects. Nothing is opened here.

use core::fmt;
use core::time::Duration;
use std::path::{Path, PathBuf};

use super::error::ClientError;
use super::event::{ClientEvent, CounterEvent, PublicationErrorFrame};
use super::image_info::ImageInfo;
use crate::cnc::default_directory;

/// The settings and handlers of a [`Client`](super::Client). Chain the methods, then pass the context to
/// [`Client::connect`](super::Client::connect).
///
/// ```
/// use std::time::Duration;
/// use gannet::Context;
///
/// let context = Context::new()
///     .dir("/dev/shm/example")
///     .client_name("prices")
///     .driver_timeout(Duration::from_secs(2))
///     .on_event(|event| eprintln!("{event}"));
/// assert_eq!(context.get_dir(), std::path::Path::new("/dev/shm/example"));
/// ```
#[derive(Default)]
pub struct Context {
    pub(super) settings: Settings,
    pub(super) handlers: Handlers,
    pub(super) driver_invoker: Option<DriverInvoker>,
}

/// Runs the driver once, and returns how much it did.
pub(super) type DriverInvoker = Box<dyn FnMut() -> usize + Send>;

/// The settings of a client; see the methods of [`Context`].
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) dir: PathBuf,
    pub(super) driver_timeout: Duration,
    pub(super) keepalive_interval: Duration,
    pub(super) idle_sleep: Duration,
    pub(super) resource_linger: Duration,
    pub(super) client_name: String,
    pub(super) conductor: ConductorMode,
    pub(super) reconnect_in_place: bool,
    pub(super) pre_touch_mapped_memory: bool,
}

/// Who runs a client's conductor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConductorMode {
    Thread,
    Invoker,
}

/// A handler, if one was set.
pub(super) type Handler<F> = Option<Box<F>>;

/// The handlers of a client. The conductor calls them one at a time, and never while it holds its lock.
#[derive(Default)]
pub(super) struct Handlers {
    pub(super) event: Handler<dyn FnMut(&ClientEvent) + Send>,
    pub(super) error: Handler<dyn FnMut(&ClientError) + Send>,
    pub(super) publication_error: Handler<dyn FnMut(&PublicationErrorFrame) + Send>,
    pub(super) available_image: Handler<dyn FnMut(&ImageInfo) + Send>,
    pub(super) unavailable_image: Handler<dyn FnMut(&ImageInfo) + Send>,
    pub(super) available_counter: Handler<dyn FnMut(CounterEvent) + Send>,
    pub(super) unavailable_counter: Handler<dyn FnMut(CounterEvent) + Send>,
    pub(super) close: Handler<dyn FnMut() + Send>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            dir: default_dir(),
            driver_timeout: Duration::from_secs(10),
            keepalive_interval: Duration::from_millis(500),
            idle_sleep: Duration::from_millis(16),
            resource_linger: Duration::from_secs(3),
            client_name: String::new(),
            conductor: ConductorMode::Thread,
            reconnect_in_place: false,
            pre_touch_mapped_memory: false,
        }
    }
}

/// The longest client name in bytes: more would not fit the heartbeat counter's label.
const MAX_CLIENT_NAME_LENGTH: usize = 100;

impl Context {
    /// The default settings. Each method below states its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// The driver's directory. Default: `AERON_DIR` if it is set, else `/dev/shm/aeron-` followed by the user's name.
    /// See [`default_directory`].
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.settings.dir = dir.into();
        self
    }

    /// The driver's directory as set.
    pub fn get_dir(&self) -> &Path {
        &self.settings.dir
    }

    /// How long the client waits for a driver when connecting, and for each answer of the driver. Also the age of the
    /// driver's heartbeat beyond which the client considers the driver dead. Default 10 s, at least 1 ms. Drivers
    /// update their heartbeat once a second. A shorter timeout detects a dead driver sooner, but may mistake a slow
    /// driver for a dead one.
    #[must_use]
    pub fn driver_timeout(mut self, timeout: Duration) -> Self {
        self.settings.driver_timeout = timeout.max(Duration::from_millis(1));
        self
    }

    /// How often the client updates its heartbeat and checks the driver's. Default 500 ms. The client uses at most a
    /// quarter of the driver's client liveness timeout.
    #[must_use]
    pub fn keepalive_interval(mut self, interval: Duration) -> Self {
        self.settings.keepalive_interval = interval;
        self
    }

    /// How long the conductor's thread sleeps when it has nothing to do, and how often it checks timeouts. Default 16
    /// ms. The client uses at most a quarter of the driver's client liveness timeout. A shorter sleep makes images
    /// appear and disappear sooner, at the cost of more wake-ups.
    #[must_use]
    pub fn idle_sleep(mut self, sleep: Duration) -> Self {
        self.settings.idle_sleep = sleep.max(Duration::from_micros(100));
        self
    }

    /// How long the client keeps a log mapped after its last user is gone. Default 3 s. The client never unmaps a log
    /// that a handle still uses. The linger has two purposes: a log that is added again is still mapped, and the
    /// conductor spends the time for unmapping instead of the application. Logs of more than 8 MiB are unmapped by a
    /// separate thread, `gannet-unmap`.
    #[must_use]
    pub fn resource_linger(mut self, linger: Duration) -> Self {
        self.settings.resource_linger = linger;
        self
    }

    /// Whether the client fetches all pages of a log when it maps the log. No offer or poll then waits for a page
    /// fault. Adding a publication and receiving a new image take longer: tens of milliseconds for a log of 192 MiB.
    /// Sparse log files occupy their full length on disk. Default: false. The conductor then fetches the pages of logs
    /// that are not sparse, 64 KiB per duty cycle.
    #[must_use]
    pub fn pre_touch_mapped_memory(mut self, pre_touch: bool) -> Self {
        self.settings.pre_touch_mapped_memory = pre_touch;
        self
    }

    /// The client's name, shown in the label of its heartbeat counter. Default: none. Only the first 100 bytes are
    /// kept.
    #[must_use]
    pub fn client_name(mut self, name: &str) -> Self {
        let mut end = name.len().min(MAX_CLIENT_NAME_LENGTH);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        self.settings.client_name = name[..end].to_owned();
        self
    }

    /// Starts no conductor thread. The application runs the conductor instead: it calls
    /// [`Client::invoke`](super::Client::invoke) many times per keepalive interval. Calls that wait for the driver also
    /// run the conductor.
    #[must_use]
    pub fn use_conductor_invoker(mut self) -> Self {
        self.settings.conductor = ConductorMode::Invoker;
        self
    }

    /// Sets a function that runs the driver. Calls of the client that wait, for the driver's answer or for messages,
    /// call it meanwhile. Use it for a driver in the same process that no other thread runs at that time. `invoke` must
    /// not call the client.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use gannet::{Client, Context};
    /// use gannet_driver::{MediaDriver, config::{DriverConfig, Profile, ThreadingMode}};
    ///
    /// let mut config = DriverConfig::for_profile(Profile::Frugal);
    /// config.threads.mode = ThreadingMode::Invoker;
    /// let driver = Arc::new(Mutex::new(MediaDriver::launch_embedded(config)?));
    /// let dir = driver.lock().unwrap().dir().to_owned();
    /// let invoke = {
    ///     let driver = Arc::clone(&driver);
    ///     move || driver.lock().unwrap().invoke()
    /// };
    ///
    /// // There is one thread, and it is driver and client in turn.
    /// let client = Client::connect(Context::new().dir(dir).use_conductor_invoker().driver_invoker(invoke))?;
    /// let publication = client.add_publication("aeron:ipc?term-length=64k", 1001)?;
    /// # drop((publication, client));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn driver_invoker(mut self, invoke: impl FnMut() -> usize + Send + 'static) -> Self {
        self.driver_invoker = Some(Box::new(invoke));
        self
    }

    /// Whether the client reconnects by itself after it lost its driver or its driver timed it out. It then adds
    /// everything again, and the same handles work again. Default: false. The handles then stay closed until
    /// [`Client::reconnect`](super::Client::reconnect) is called. In both cases positions restart, undelivered messages
    /// are lost, and images are new.
    ///
    /// A publication with a `response-correlation-id` is added again with the new id, if the id belonged to something
    /// that this client added. If it belonged to an image or to another client, a new driver does not get the
    /// publication again; see [`AddError::StaleResponse`](super::AddError::StaleResponse).
    #[must_use]
    pub fn reconnect_in_place(mut self, reconnect: bool) -> Self {
        self.settings.reconnect_in_place = reconnect;
        self
    }

    /// Called for events that concern the client as a whole.
    ///
    /// Handlers run one at a time and may call the client. They run on the conductor's thread, or on a thread that is
    /// closing or dropping a handle or is inside a call that waits for the driver. Do not hold a lock during such calls
    /// if a handler takes the same lock. If a handler panics on the conductor's thread, the client closes for good, and
    /// calls no handler any more. All this is true of every handler of the client.
    #[must_use]
    pub fn on_event(mut self, handler: impl FnMut(&ClientEvent) + Send + 'static) -> Self {
        self.handlers.event = Some(Box::new(handler));
        self
    }

    /// Called for errors that no call of the application can return. Default: prints them to standard error.
    #[must_use]
    pub fn on_error(mut self, handler: impl FnMut(&ClientError) + Send + 'static) -> Self {
        self.handlers.error = Some(Box::new(handler));
        self
    }

    /// Called when a subscriber rejects an image of a publication of this client.
    #[must_use]
    pub fn on_publication_error(mut self, handler: impl FnMut(&PublicationErrorFrame) + Send + 'static) -> Self {
        self.handlers.publication_error = Some(Box::new(handler));
        self
    }

    /// Called when a subscription of this client gets an image, unless the subscription has a handler of its own.
    #[must_use]
    pub fn on_available_image(mut self, handler: impl FnMut(&ImageInfo) + Send + 'static) -> Self {
        self.handlers.available_image = Some(Box::new(handler));
        self
    }

    /// Called when a subscription of this client loses an image, unless the subscription has a handler of its own.
    #[must_use]
    pub fn on_unavailable_image(mut self, handler: impl FnMut(&ImageInfo) + Send + 'static) -> Self {
        self.handlers.unavailable_image = Some(Box::new(handler));
        self
    }

    /// Called when the driver has allocated a counter for any of its clients.
    #[must_use]
    pub fn on_available_counter(mut self, handler: impl FnMut(CounterEvent) + Send + 'static) -> Self {
        self.handlers.available_counter = Some(Box::new(handler));
        self
    }

    /// Called when the driver is about to free a counter of any of its clients.
    #[must_use]
    pub fn on_unavailable_counter(mut self, handler: impl FnMut(CounterEvent) + Send + 'static) -> Self {
        self.handlers.unavailable_counter = Some(Box::new(handler));
        self
    }

    /// Called once, when the client has closed for good.
    #[must_use]
    pub fn on_close(mut self, handler: impl FnMut() + Send + 'static) -> Self {
        self.handlers.close = Some(Box::new(handler));
        self
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The default directory of client and driver.
fn default_dir() -> PathBuf {
    if let Some(dir) = std::env::var_os("AERON_DIR").filter(|dir| !dir.is_empty()) {
        return dir.into();
    }
    default_directory()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client that is told nothing meets a driver that is told nothing.
    #[test]
    fn clients_look_where_drivers_are() {
        let expected = std::env::var_os("AERON_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
        assert_eq!(Context::new().get_dir(), expected.unwrap_or_else(default_directory));
    }

    #[test]
    fn a_long_client_name_is_cut_between_characters() {
        let name = "ä".repeat(60);
        let context = Context::new().client_name(&format!("x{name}"));
        assert_eq!(context.settings.client_name.len(), 99);
    }
}
