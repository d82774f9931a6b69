//! The driver's ids of a publication.

use crate::types::{CounterId, RegistrationId, SessionId};

/// The driver's ids of a publication in one session epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PublicationIds {
    pub(crate) registration_id: RegistrationId,
    pub(crate) original_registration_id: RegistrationId,
    pub(crate) session_id: SessionId,
    pub(crate) channel_status_id: CounterId,
    pub(crate) limit_id: CounterId,
    pub(crate) epoch: u32,
}
