//! The ids of a publication at the driver.

use crate::types::{CounterId, RegistrationId, SessionId};

/// What the driver calls a publication, in one session epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PublicationIds {
    pub(crate) registration_id: RegistrationId,
    pub(crate) original_registration_id: RegistrationId,
    pub(crate) session_id: SessionId,
    pub(crate) channel_status_id: CounterId,
    pub(crate) limit_id: CounterId,
    pub(crate) epoch: u32,
}
