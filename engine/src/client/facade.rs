//! The client as the application holds it: connects, adds resources, closes. If the client has a thread, that runs the
//! conductor.

use core::time::Duration;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use super::client_core::ClientCore;
use super::conductor::{Conductor, ConductorSettings, ImageHandlers as SharedHandlers, Wanted};
use super::context::{ConductorMode, Context, Settings};
use super::counter::Counter;
use super::error::{AddError, ConnectError};
use super::exclusive_publication::ExclusivePublication;
use super::find_driver::{DriverDirectory, wait_for_driver};
use super::image_info::ImageInfo;
#[cfg(feature = "journal")]
use super::patient::Patient;
use super::pending::Pending;
use super::publication::Publication;
use super::subscription::Subscription;
use crate::counters::CountersReader;
use crate::logbuffer::LogBuffers;
use crate::memory::{FileAccess, RawAccess};
use crate::time::SystemClock;
use crate::types::{ClientId, CorrelationId, RegistrationId, SessionId, StreamId};

/// A connection to a driver. It adds publications, subscriptions and counters.
///
/// Threads can share a client by reference. Dropping the client closes it and all its handles. Closed handles are safe
/// to use, and to drop in any order.
///
/// ```
/// use gannet::{Client, Context};
/// # use gannet_driver::{MediaDriver, config::{DriverConfig, Profile}};
/// # let driver = MediaDriver::launch_embedded(DriverConfig::for_profile(Profile::Frugal))?;
///
/// let client = Client::connect(Context::new().dir(driver.dir()).client_name("example"))?;
/// let publication = client.add_publication("aeron:ipc?term-length=64k", 1001)?;
/// assert_eq!(publication.stream_id().get(), 1001);
/// drop(client);
/// assert!(publication.is_closed());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Client {
    core: Arc<ClientCore>,
    thread: Option<JoinHandle<()>>,
}

/// Handlers for one subscription, which replace the client's handlers.
///
/// ```
/// use std::sync::mpsc::channel;
/// use gannet::{Client, Context, ImageHandlers};
/// # use gannet_driver::{MediaDriver, config::{DriverConfig, Profile}};
/// # let driver = MediaDriver::launch_embedded(DriverConfig::for_profile(Profile::Frugal))?;
/// # let client = Client::connect(Context::new().dir(driver.dir()))?;
///
/// let (sessions, seen) = channel();
/// let handlers = ImageHandlers::new().available(move |image| drop(sessions.send(image.session_id())));
/// let subscription = client.add_subscription_with("aeron:ipc", 1001, handlers)?;
/// let publication = client.add_publication("aeron:ipc?term-length=64k", 1001)?;
/// assert_eq!(seen.recv()?, publication.session_id());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct ImageHandlers {
    shared: SharedHandlers,
}

impl ImageHandlers {
    /// No handlers. For a handler that is not set, the client's handler is called.
    pub fn new() -> Self {
        Self::default()
    }

    /// Called when the subscription gets an image.
    #[must_use]
    pub fn available(mut self, handler: impl FnMut(&ImageInfo) + Send + 'static) -> Self {
        self.shared.available = Some(Arc::new(Mutex::new(Box::new(handler))));
        self
    }

    /// Called when the subscription loses an image.
    #[must_use]
    pub fn unavailable(mut self, handler: impl FnMut(&ImageInfo) + Send + 'static) -> Self {
        self.shared.unavailable = Some(Arc::new(Mutex::new(Box::new(handler))));
        self
    }
}

impl core::fmt::Debug for ImageHandlers {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ImageHandlers").finish_non_exhaustive()
    }
}

impl Client {
    /// Connects to the driver in the context's directory. Waits for the driver up to the driver timeout.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] says what the client found instead of a running driver.
    pub fn connect(context: Context) -> Result<Self, ConnectError> {
        let Context { settings, handlers, mut driver_invoker } = context;
        let clock = SystemClock;
        let directory = || DriverDirectory::new(settings.dir.clone(), settings.driver_timeout);
        let link = wait_for_driver(&mut directory(), &clock, &mut driver_invoker)?;
        let conductor = Conductor::new(
            conductor_settings(&settings),
            link,
            Box::new(directory()),
            Box::new(|path| LogBuffers::open(path, FileAccess::ReadWrite, RawAccess::ENGINE)),
            crate::time::Clock::monotonic(&clock),
        );
        let core = Arc::new(ClientCore::new(
            conductor,
            handlers,
            Box::new(clock),
            settings.conductor == ConductorMode::Invoker,
            driver_invoker,
        ));
        let thread = match settings.conductor {
            ConductorMode::Invoker => None,
            ConductorMode::Thread => {
                let core = Arc::clone(&core);
                let run = move || run_conductor(&core, settings.idle_sleep);
                let thread = thread::Builder::new().name("gannet-client".to_owned()).spawn(run);
                Some(thread.map_err(ConnectError::Thread)?)
            }
        };
        Ok(Self { core, thread })
    }

    /// Runs one duty cycle of the conductor, and the handlers that are due. Returns the amount of work done, 0 for
    /// none. For clients with [`Context::use_conductor_invoker`]. Other clients may call it as well.
    pub fn invoke(&self) -> usize {
        self.core.service()
    }

    /// Adds a publication that several publishers can share, and waits for the driver's answer. Handlers may call this
    /// method.
    ///
    /// This call and all others that wait run the client's conductor meanwhile. If the same thread also has to invoke
    /// the driver, set [`Context::driver_invoker`] or use the calls that do not wait.
    ///
    /// # Errors
    ///
    /// [`AddError`]: the driver refused, or could not be asked.
    pub fn add_publication(&self, channel: &str, stream_id: i32) -> Result<Publication, AddError> {
        self.core
            .add_and_wait(|| Wanted::Publication { channel: channel.to_owned(), stream_id: StreamId::new(stream_id) })
    }

    /// Adds a publication with a log of its own, and waits for the driver's answer. An exclusive publication is faster
    /// than a shared one.
    ///
    /// # Errors
    ///
    /// As [`Self::add_publication`].
    pub fn add_exclusive_publication(&self, channel: &str, stream_id: i32) -> Result<ExclusivePublication, AddError> {
        self.core.add_and_wait(|| Wanted::ExclusivePublication {
            channel: channel.to_owned(),
            stream_id: StreamId::new(stream_id),
        })
    }

    /// Adds a subscription, and waits for the driver's answer. Its images may appear a little later.
    ///
    /// # Errors
    ///
    /// As [`Self::add_publication`].
    pub fn add_subscription(&self, channel: &str, stream_id: i32) -> Result<Subscription, AddError> {
        self.add_subscription_with(channel, stream_id, ImageHandlers::new())
    }

    /// Adds a subscription with its own handlers, and waits for the driver's answer.
    ///
    /// # Errors
    ///
    /// As [`Self::add_publication`].
    pub fn add_subscription_with(
        &self,
        channel: &str,
        stream_id: i32,
        handlers: ImageHandlers,
    ) -> Result<Subscription, AddError> {
        let ImageHandlers { shared } = handlers;
        self.core.add_and_wait(|| Wanted::Subscription {
            channel: channel.to_owned(),
            stream_id: StreamId::new(stream_id),
            handlers: shared.clone(),
        })
    }

    /// Adds a counter that lives as long as its handle and this client, and waits for the driver's answer. Only the
    /// first 112 bytes of the key and the first 380 bytes of the label are kept. Type ids below 1000 are reserved.
    ///
    /// # Errors
    ///
    /// As [`Self::add_publication`].
    pub fn add_counter(&self, type_id: i32, key: &[u8], label: &str) -> Result<Counter, AddError> {
        self.core.add_and_wait(|| Wanted::Counter { type_id, key: key.to_owned(), label: label.to_owned() })
    }

    /// Finds or adds a static counter, and waits for the driver's answer. A static counter outlives its clients. Every
    /// client finds it by its type and `registration_id`.
    ///
    /// # Errors
    ///
    /// As [`Self::add_publication`].
    pub fn add_static_counter(
        &self,
        type_id: i32,
        registration_id: i64,
        key: &[u8],
        label: &str,
    ) -> Result<Counter, AddError> {
        self.core.add_and_wait(|| Wanted::StaticCounter {
            registration_id: RegistrationId::new(registration_id),
            type_id,
            key: key.to_owned(),
            label: label.to_owned(),
        })
    }

    /// As [`Self::add_publication`], without waiting.
    ///
    /// # Errors
    ///
    /// [`AddError`] when the driver could not be asked.
    pub fn async_add_publication(&self, channel: &str, stream_id: i32) -> Result<Pending<Publication>, AddError> {
        self.ask(Wanted::Publication { channel: channel.to_owned(), stream_id: StreamId::new(stream_id) })
    }

    /// As [`Self::add_exclusive_publication`], without waiting.
    ///
    /// # Errors
    ///
    /// [`AddError`] when the driver could not be asked.
    pub fn async_add_exclusive_publication(
        &self,
        channel: &str,
        stream_id: i32,
    ) -> Result<Pending<ExclusivePublication>, AddError> {
        self.ask(Wanted::ExclusivePublication { channel: channel.to_owned(), stream_id: StreamId::new(stream_id) })
    }

    /// As [`Self::add_subscription_with`], without waiting.
    ///
    /// # Errors
    ///
    /// [`AddError`] when the driver could not be asked.
    pub fn async_add_subscription(
        &self,
        channel: &str,
        stream_id: i32,
        handlers: ImageHandlers,
    ) -> Result<Pending<Subscription>, AddError> {
        let (channel, stream_id) = (channel.to_owned(), StreamId::new(stream_id));
        self.ask(Wanted::Subscription { channel, stream_id, handlers: handlers.shared })
    }

    /// As [`Self::add_static_counter`], without waiting.
    ///
    /// # Errors
    ///
    /// [`AddError`] when the driver could not be asked.
    pub fn async_add_static_counter(
        &self,
        type_id: i32,
        registration_id: i64,
        key: &[u8],
        label: &str,
    ) -> Result<Pending<Counter>, AddError> {
        let registration_id = RegistrationId::new(registration_id);
        self.ask(Wanted::StaticCounter { registration_id, type_id, key: key.to_owned(), label: label.to_owned() })
    }

    /// As [`Self::add_counter`], without waiting.
    ///
    /// # Errors
    ///
    /// [`AddError`] when the driver could not be asked.
    pub fn async_add_counter(&self, type_id: i32, key: &[u8], label: &str) -> Result<Pending<Counter>, AddError> {
        self.ask(Wanted::Counter { type_id, key: key.to_owned(), label: label.to_owned() })
    }

    /// Asks the driver for a session id that no publication on the stream uses. If the driver is too old to know this
    /// command, the client picks a random session id.
    ///
    /// # Errors
    ///
    /// As [`Self::add_publication`].
    pub fn next_session_id(&self, stream_id: i32) -> Result<SessionId, AddError> {
        self.core.next_session_id(StreamId::new(stream_id))
    }

    /// Returns a number that no other client of the same driver gets, for example to correlate requests and responses.
    pub fn next_correlation_id(&self) -> CorrelationId {
        self.core.conductor().link().next_correlation_id()
    }

    /// All counters of the driver and its clients. The reader keeps working while the driver is gone. Some time after a
    /// reconnection it becomes empty. Call this method again then.
    pub fn counters(&self) -> CountersReader {
        self.core.counters()
    }

    /// The client's id at its driver. It changes with each reconnection.
    pub fn client_id(&self) -> ClientId {
        self.core.conductor().client_id()
    }

    /// The number of times that the client has reconnected.
    pub fn epoch(&self) -> u32 {
        self.core.conductor().epoch()
    }

    /// Whether the client is closed for good.
    pub fn is_closed(&self) -> bool {
        self.core.conductor().is_closed()
    }

    /// Whether the client has a driver.
    pub fn is_connected(&self) -> bool {
        self.core.conductor().is_connected()
    }

    /// Makes a client that lost its driver, or that its driver timed out, reconnect and add everything again as soon as
    /// there is a driver. [`ClientEvent::Reconnected`](super::ClientEvent::Reconnected) reports when that is done.
    /// Returns whether the client was without a driver. See [`Context::reconnect_in_place`].
    pub fn reconnect(&self) -> bool {
        self.core.reconnect()
    }

    /// Closes the client, as dropping it does.
    pub fn close(self) {}

    /// As [`Self::async_add_exclusive_publication`], and again while an endpoint is still closing.
    #[cfg(feature = "journal")]
    pub(crate) fn patiently_add_exclusive_publication(
        &self,
        channel: &str,
        stream_id: i32,
    ) -> Result<Patient<ExclusivePublication>, AddError> {
        let wanted = |channel, stream_id| Wanted::ExclusivePublication { channel, stream_id };
        Patient::new(&self.core, channel, stream_id, wanted)
    }

    /// As [`Self::async_add_subscription`], and again while an endpoint is still closing.
    #[cfg(feature = "journal")]
    pub(crate) fn patiently_add_subscription(
        &self,
        channel: &str,
        stream_id: i32,
    ) -> Result<Patient<Subscription>, AddError> {
        let wanted =
            |channel, stream_id| Wanted::Subscription { channel, stream_id, handlers: SharedHandlers::default() };
        Patient::new(&self.core, channel, stream_id, wanted)
    }

    fn ask<T>(&self, wanted: Wanted) -> Result<Pending<T>, AddError> {
        Ok(Pending::new(Arc::clone(&self.core), self.core.add(wanted)?))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.core.close();
        if let Some(thread) = self.thread.take() {
            // A client may be dropped by one of its own handlers, and a thread cannot wait for itself.
            if thread.thread().id() != thread::current().id() {
                // It panicked only if a handler did, and its message has been printed.
                let _ = thread.join();
            }
        }
    }
}

fn conductor_settings(settings: &Settings) -> ConductorSettings {
    let ns = |duration: Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    ConductorSettings {
        driver_timeout_ns: ns(settings.driver_timeout),
        keepalive_interval_ns: ns(settings.keepalive_interval),
        check_interval_ns: ns(settings.idle_sleep),
        resource_linger_ns: ns(settings.resource_linger),
        client_name: settings.client_name.clone(),
        reconnect_in_place: settings.reconnect_in_place,
        pre_touch_mapped_memory: settings.pre_touch_mapped_memory,
    }
}

/// The conductor's thread.
fn run_conductor(core: &ClientCore, idle_sleep: Duration) {
    /// Closes the client if a handler panics: nobody would run its conductor any more. No handler is called for that: a
    /// second panic would end the process.
    struct CloseOnPanic<'a>(&'a ClientCore);
    impl Drop for CloseOnPanic<'_> {
        fn drop(&mut self) {
            if thread::panicking() {
                self.0.close_quietly();
            }
        }
    }
    let _guard = CloseOnPanic(core);
    while !core.is_closed() {
        if core.service() == 0 {
            core.idle(idle_sleep);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_may_be_sent_and_what_may_be_shared_is_sync() {
        fn may_be_sent<T: Send>() {}
        fn may_be_shared<T: Send + Sync>() {}
        may_be_shared::<Client>();
        may_be_shared::<Publication>();
        may_be_shared::<Counter>();
        may_be_shared::<crate::client::ImageInfo>();
        may_be_sent::<ExclusivePublication>();
        may_be_sent::<Subscription>();
        may_be_sent::<Pending<Publication>>();
        may_be_sent::<crate::client::ClientEvent>();
        may_be_sent::<AddError>();
    }
}
