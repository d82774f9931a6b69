//! A resource that was requested from the driver and may not exist yet. This is the non-blocking form of adding: the
//! application requests, continues, and polls for the result.

use std::marker::PhantomData;
use std::sync::Arc;

use super::bound::Bound;
use super::client_core::ClientCore;
use super::conductor::{ResourceKey, Wanted};
use super::counter::Counter;
use super::error::AddError;
use super::exclusive_publication::ExclusivePublication;
use super::publication::Publication;
use super::subscription::Subscription;

/// A publication, subscription or counter that the driver was asked for. Dropping the pending handle removes it again.
///
/// ```
/// use gannet::{Client, Context};
/// # use gannet_driver::{MediaDriver, config::{DriverConfig, Profile}};
/// # let driver = MediaDriver::launch_embedded(DriverConfig::for_profile(Profile::Frugal))?;
///
/// // This client has no thread: whoever uses it runs its conductor.
/// let client = Client::connect(Context::new().dir(driver.dir()).use_conductor_invoker())?;
/// let mut pending = client.async_add_publication("aeron:ipc?term-length=64k", 1001)?;
/// let publication = loop {
///     client.invoke();
///     if let Some(publication) = pending.poll()? {
///         break publication;
///     }
/// };
/// assert_eq!(publication.channel(), "aeron:ipc?term-length=64k");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "what is not polled never arrives; dropping it gives it back"]
pub struct Pending<T> {
    pub(super) core: Arc<ClientCore>,
    /// Until the driver's answer was handed over.
    key: Option<ResourceKey>,
    _handle: PhantomData<fn() -> T>,
}

/// What can be added.
pub(super) trait Handle: Sized {
    /// The handle around its shared half, unless that is of another kind.
    fn from_bound(core: Arc<ClientCore>, key: ResourceKey, bound: Bound) -> Option<Self>;
}

macro_rules! handles {
    ($($handle:ty),+) => {
        $(impl Handle for $handle {
            fn from_bound(core: Arc<ClientCore>, key: ResourceKey, bound: Bound) -> Option<Self> {
                <$handle>::from_bound(core, key, bound)
            }
        }

        impl Pending<$handle> {
            /// The handle, once the driver has answered. `Ok(None)` before that, and after the handle was returned. The
            /// conductor must run meanwhile. Unless the client has an invoker, the conductor's thread runs it.
            ///
            /// # Errors
            ///
            /// [`AddError`], returned once.
            pub fn poll(&mut self) -> Result<Option<$handle>, AddError> {
                self.poll_handle()
            }
        })+
    };
}

handles!(Publication, ExclusivePublication, Subscription, Counter);

impl ClientCore {
    /// Adds and waits; again as long as the driver says that what it needs is only still going away (trap 28).
    pub(super) fn add_and_wait<T: Handle>(self: &Arc<Self>, wanted: impl Fn() -> Wanted) -> Result<T, AddError> {
        let deadline = self.deadline();
        loop {
            let key = self.add_when_there_is_room(&wanted, deadline)?;
            match Pending::new(Arc::clone(self), key).wait() {
                Err(error) if error.may_pass() && self.now() < deadline => self.pass_time(),
                outcome => return outcome,
            }
        }
    }
}

impl<T> Pending<T> {
    pub(super) fn new(core: Arc<ClientCore>, key: ResourceKey) -> Self {
        Self { core, key: Some(key), _handle: PhantomData }
    }

    /// Whether the result, a handle or an error, is still to be returned.
    pub fn is_pending(&self) -> bool {
        self.key.is_some()
    }

    pub(super) fn wait(mut self) -> Result<T, AddError>
    where
        T: Handle,
    {
        let key = self.key.expect("not polled yet");
        // A handler that runs meanwhile may panic; then what was asked for is given back with `self`.
        let outcome = self.core.wait_for(|conductor| conductor.added(key));
        self.key = None;
        let bound = outcome.map_err(|(error, _)| error)?;
        Ok(T::from_bound(Arc::clone(&self.core), key, bound).expect("the conductor binds what was asked for"))
    }

    pub(super) fn poll_handle(&mut self) -> Result<Option<T>, AddError>
    where
        T: Handle,
    {
        let Some(key) = self.key else { return Ok(None) };
        match self.core.added(key) {
            None => Ok(None),
            Some(outcome) => {
                self.key = None;
                Ok(T::from_bound(Arc::clone(&self.core), key, outcome?))
            }
        }
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.core.release(key, false);
        }
    }
}
