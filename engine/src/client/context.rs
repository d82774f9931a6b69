//! The settings and handlers of a client before it connects. Nothing is opened here.

use core::fmt;
use core::time::Duration;
use std::path::{Path, PathBuf};

use super::error::ClientError;
use super::event::{ClientEvent, CounterEvent, PublicationErrorFrame};
use super::image::ImageInfo;
use crate::cnc::default_directory;

/// How a [`Client`](super::Client) behaves. Built by chaining, then given to
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

/// What a client calls. Run one at a time, by whoever runs the conductor, which is never inside its lock then.
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
    /// All defaults, which each method below states.
    pub fn new() -> Self {
        Self::default()
    }

    /// The driver's directory. Default: `AERON_DIR` if that is set, else `/dev/shm/aeron-` followed by the user's name;
    /// see [`default_directory`].
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.settings.dir = dir.into();
        self
    }

    /// The directory as set.
    pub fn get_dir(&self) -> &Path {
        &self.settings.dir
    }

    /// How long to wait for a driver when connecting, and for its answers; and how old its heartbeat may get before the
    /// driver counts as dead. Default 10 s, at least 1 ms. A shorter timeout finds a dead driver sooner, but may take a
    /// slow one for dead: drivers update their heartbeat once a second.
    #[must_use]
    pub fn driver_timeout(mut self, timeout: Duration) -> Self {
        self.settings.driver_timeout = timeout.max(Duration::from_millis(1));
        self
    }

    /// How often the client updates its heartbeat, and checks that of its driver. Default 500 ms; at most a quarter of
    /// the driver's client liveness timeout, whatever is set here.
    #[must_use]
    pub fn keepalive_interval(mut self, interval: Duration) -> Self {
        self.settings.keepalive_interval = interval;
        self
    }

    /// How long the conductor's thread sleeps when it has nothing to do, and how often it checks timeouts. Default 16
    /// ms; at most a quarter of the driver's client liveness timeout, whatever is set here. With a shorter sleep images
    /// come and go sooner, at the cost of more wake-ups.
    #[must_use]
    pub fn idle_sleep(mut self, sleep: Duration) -> Self {
        self.settings.idle_sleep = sleep.max(Duration::from_micros(100));
        self
    }

    /// How long the mapping of a log is kept after its last user has gone. Default 3 s. A mapping is never taken from a
    /// handle that still uses it. The linger has two purposes: a log that is added again is still mapped, and unmapping
    /// costs the conductor time instead of the application. Logs of more than 8 MiB are unmapped on a thread of their
    /// own, `gannet-unmap`.
    #[must_use]
    pub fn resource_linger(mut self, linger: Duration) -> Self {
        self.settings.resource_linger = linger;
        self
    }

    /// Whether all pages of a log are fetched when it is mapped, so that no first use of one takes longer than the next. Adding a
    /// publication and meeting an image take as long as that does, tens of milliseconds for logs of 192 MiB; and files that their
    /// driver has made sparse take up all their space. Default false: then the conductor fetches the pages of logs that are not
    /// sparse in the turns that follow, 64 KiB in each.
    #[must_use]
    pub fn pre_touch_mapped_memory(mut self, pre_touch: bool) -> Self {
        self.settings.pre_touch_mapped_memory = pre_touch;
        self
    }

    /// The client's name, which is shown in the label of its heartbeat counter. Default none; at most 100 bytes are
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

    /// Starts no thread. Instead the application runs the conductor, by calling
    /// [`Client::invoke`](super::Client::invoke) many times per keepalive interval. Calls that wait for the driver also
    /// run it.
    #[must_use]
    pub fn use_conductor_invoker(mut self) -> Self {
        self.settings.conductor = ConductorMode::Invoker;
        self
    }

    /// Has whoever waits in a call of the client, for the driver's answer or for something to read, run the driver meanwhile: for a
    /// driver in the same process that nobody else runs at that time. `invoke` must not call the client.
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

    /// Whether a client that lost its driver, or that its driver timed out, connects again by itself and adds
    /// everything again, so that the same handles work again. Default false: the handles stay closed until
    /// [`Client::reconnect`](super::Client::reconnect) is called. Either way positions restart, undelivered messages
    /// are lost, and images are new ones.
    ///
    /// A publication with a `response-correlation-id` is added again with the new id, if the id was that of something
    /// that this client has added. If it was that of an image or of another client, the publication does not come back
    /// with another driver ([`AddError::StaleResponse`](super::AddError::StaleResponse)).
    #[must_use]
    pub fn reconnect_in_place(mut self, reconnect: bool) -> Self {
        self.settings.reconnect_in_place = reconnect;
        self
    }

    /// Called for what happens to the client as a whole.
    ///
    /// All handlers run one at a time, and may call the client. They run on the conductor's thread, or on a thread that
    /// is inside a call that waits for the driver, or that closes or drops a handle. So do not hold a lock during such
    /// calls that a handler also takes.
    #[must_use]
    pub fn on_event(mut self, handler: impl FnMut(&ClientEvent) + Send + 'static) -> Self {
        self.handlers.event = Some(Box::new(handler));
        self
    }

    /// Called for errors that no call of the application can return. Default: printed to standard error.
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

    /// Called when the driver has allocated a counter, for any of its clients.
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

/// Where client and driver meet unless they are told otherwise.
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
