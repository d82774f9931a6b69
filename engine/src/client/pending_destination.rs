//! A change of a publication's or subscription's destinations that was requested from the driver and may not have
//! happened yet.

use std::sync::Arc;

use super::client_core::ClientCore;
use super::conductor::{DestinationChange, ResourceKey};
use super::error::AddError;
use crate::types::{CorrelationId, RegistrationId};

/// A destination that is being added or removed. Dropping this does not stop the change, but its result is lost.
///
/// ```
/// use gannet::{Client, Context};
/// # use gannet_driver::{MediaDriver, config::{DriverConfig, Profile}};
/// # let driver = MediaDriver::launch_embedded(DriverConfig::for_profile(Profile::Frugal))?;
/// # let client = Client::connect(Context::new().dir(driver.dir()))?;
///
/// let publication = client.add_publication("aeron:udp?control-mode=manual|term-length=64k", 1001)?;
/// let mut pending = publication.async_add_destination("aeron:udp?endpoint=127.0.0.1:20121")?;
/// while !pending.poll()? {
///     std::thread::yield_now();
/// }
/// publication.remove_destination_by_id(pending.id())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PendingDestination {
    core: Arc<ClientCore>,
    id: CorrelationId,
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Pending,
    Done,
    Failed,
}

impl PendingDestination {
    /// Asks for a change without waiting for it.
    pub(super) fn begin(core: &Arc<ClientCore>, key: ResourceKey, change: DestinationChange) -> Result<Self, AddError> {
        let id = core.conductor().change_destination(key, change, core.now())?;
        Ok(Self { core: Arc::clone(core), id, outcome: Outcome::Pending })
    }

    /// Whether the driver has made the change. The conductor must run meanwhile. Unless the client has an invoker, the
    /// conductor's thread runs it.
    ///
    /// # Errors
    ///
    /// [`AddError`], returned once: the driver has refused, or did not answer in time, and may make the change yet.
    pub fn poll(&mut self) -> Result<bool, AddError> {
        if self.outcome == Outcome::Pending
            && let Some(answer) = self.core.conductor().answer_to(self.id)
        {
            self.outcome = if answer.is_ok() { Outcome::Done } else { Outcome::Failed };
            answer?;
        }
        Ok(self.outcome == Outcome::Done)
    }

    /// The id of the change. For a destination that is added, it becomes the destination's id.
    pub fn id(&self) -> RegistrationId {
        self.id.registration()
    }
}

impl Drop for PendingDestination {
    fn drop(&mut self) {
        if self.outcome == Outcome::Pending {
            self.core.conductor().forget(self.id);
        }
    }
}
