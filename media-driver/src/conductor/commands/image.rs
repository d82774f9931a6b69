//! Rejecting an image: its publisher is told, and it is removed from all its subscribers.

use std::net::{Ipv4Addr, SocketAddr};

use gannet::command::{ErrorCode, Event, OnPublicationError, RejectImage};
use gannet::types::RegistrationId;

use crate::conductor::Core;
use crate::conductor::error::CommandError;

/// The maximum length of the reason in bytes.
const MAX_REASON: usize = 1023;

/// The id that stands for none: an IPC image has no receiver, group or destination.
const NONE: i64 = -1;

impl Core {
    pub(super) fn reject_image(&mut self, command: &RejectImage<'_>) -> Result<(), CommandError> {
        let length = command.reason.as_bytes().len();
        if length > MAX_REASON {
            return Err(CommandError::ReasonTooLong { length, most: MAX_REASON });
        }
        let image = command.image_correlation_id;
        if self.reject_network_image(image, command.reason.as_bytes()) {
            self.succeed(command.correlation_id);
            return Ok(());
        }
        // An IPC image has its publication's id.
        let until = self.now.monotonic.saturating_add_ns(self.config.image_liveness_timeout_ns);
        let Some(publication) = self.publications.get_mut(image.registration()) else {
            return Err(CommandError::UnknownImage { image });
        };
        let event = OnPublicationError {
            registration_id: publication.registration_id(),
            destination_registration_id: RegistrationId::new(NONE),
            session_id: publication.session_id(),
            stream_id: publication.stream_id(),
            receiver_id: NONE,
            group_tag: NONE,
            source: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
            error_code: ErrorCode::ImageRejected,
            message: command.reason,
        };
        let lose_image = publication.reject(until);
        self.events.send(&Event::PublicationError(event));
        self.counters.on_image_rejected();
        if lose_image {
            self.take_image_from_all(image.registration());
            self.free_subscribers(image.registration());
        }
        self.succeed(command.correlation_id);
        Ok(())
    }
}
