//! A counter of this client: a number that any process can watch. Any thread may set it. A call loads one word to find
//! the binding, then stores.

use std::sync::Arc;

use super::bound::{Bound, CounterShared};
use super::client_core::ClientCore;
use super::conductor::ResourceKey;
use crate::memory::OwnedWord;
use crate::types::{CounterId, RegistrationId};

/// A counter that this client added, or a static counter that it found.
///
/// Dropping the handle removes the counter, unless it is static: static counters outlive their clients. While the
/// client is closed or has no driver, the counter stores nothing. After a reconnection the same handle works again, on
/// a new counter that starts at 0.
///
/// ```
/// use gannet::{Client, Context};
/// # use gannet_driver::{MediaDriver, config::{DriverConfig, Profile}};
/// # let driver = MediaDriver::launch_embedded(DriverConfig::for_profile(Profile::Frugal))?;
/// # let client = Client::connect(Context::new().dir(driver.dir()))?;
///
/// let orders = client.add_counter(1000, b"key", "orders sent")?;
/// orders.add(3)?;
/// assert_eq!(client.counters().value(orders.id()), Some(3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Counter {
    shared: Arc<CounterShared>,
    core: Arc<ClientCore>,
    key: ResourceKey,
}

/// The counter cannot be used: its client is closed, or has no driver at the moment. Nothing was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the counter is closed")]
pub struct CounterClosed;

impl Counter {
    pub(super) fn from_bound(core: Arc<ClientCore>, key: ResourceKey, bound: Bound) -> Option<Self> {
        let Bound::Counter(shared) = bound else { return None };
        Some(Self { shared, core, key })
    }

    /// Returns the value, loaded with acquire ordering.
    ///
    /// # Errors
    ///
    /// [`CounterClosed`].
    #[inline]
    pub fn get(&self) -> Result<i64, CounterClosed> {
        Ok(self.value()?.load_acquire())
    }

    /// Sets the value with release ordering.
    ///
    /// # Errors
    ///
    /// [`CounterClosed`].
    #[inline]
    pub fn set(&self, value: i64) -> Result<(), CounterClosed> {
        self.value()?.store_release(value);
        Ok(())
    }

    /// Adds `delta` to the value atomically. Returns the previous value.
    ///
    /// # Errors
    ///
    /// [`CounterClosed`].
    #[inline]
    pub fn add(&self, delta: i64) -> Result<i64, CounterClosed> {
        Ok(self.value()?.fetch_add(delta))
    }

    /// Sets the value to `new` if it is `expected`, atomically. Returns whether it did.
    ///
    /// # Errors
    ///
    /// [`CounterClosed`].
    pub fn compare_and_set(&self, expected: i64, new: i64) -> Result<bool, CounterClosed> {
        Ok(self.value()?.compare_exchange(expected, new).is_ok())
    }

    /// Whether the counter cannot be used, because the client is closed or has no driver at the moment.
    pub fn is_closed(&self) -> bool {
        self.value().is_err()
    }

    /// The id of the counter. It changes with each reconnection.
    pub fn id(&self) -> CounterId {
        self.shared.bindings.newest().counter_id
    }

    /// The counter's registration id. For a static counter, the id that the application passed.
    pub fn registration_id(&self) -> RegistrationId {
        self.shared.bindings.newest().registration_id
    }

    /// The word with the value, if it still belongs to this counter. If this client was stopped for a while, the driver
    /// may have freed the counter, and another counter may use the word, before the client's conductor notices.
    #[inline(always)]
    fn value(&self) -> Result<&OwnedWord<i64>, CounterClosed> {
        match self.shared.bindings.current() {
            Some(binding) if binding.owner.load_relaxed() == binding.registration_id.get() => Ok(&binding.value),
            _ => Err(CounterClosed),
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.core.release(self.key, false);
    }
}
