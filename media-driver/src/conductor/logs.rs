//! The log files that the conductor creates and deletes: requests to be sent, replies to be handled, and failed
//! deletions to be retried. Their number is limited by the number of publications.

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;

use gannet::logbuffer::LogBuffers;
use gannet::types::RegistrationId;

use crate::mailbox::{CreateLog, DELETIONS_LIMIT, DeleteLog, IN_FLIGHT_LIMIT, Reply, Request};

/// The conductor's requests and replies for logs.
#[derive(Debug)]
pub(super) struct Logs {
    /// Requests for logs of publications.
    create: VecDeque<CreateLog>,
    /// Requests for logs of images, and the one that is being executed.
    create_for_images: VecDeque<CreateLog>,
    image_in_flight: Option<RegistrationId>,
    delete: VecDeque<DeleteLog>,
    /// Failed deletions. The next timer tick retries them.
    failed: Vec<DeleteLog>,
    /// All logs that are to be deleted.
    condemned: HashSet<RegistrationId>,
    in_flight: usize,
    deletions_in_flight: usize,
    replies: VecDeque<Reply>,
    deletions_per_cycle: usize,
    deletions_left: usize,
}

impl Logs {
    pub(super) fn new(deletions_per_cycle: usize) -> Self {
        Self {
            create: VecDeque::new(),
            create_for_images: VecDeque::new(),
            image_in_flight: None,
            delete: VecDeque::new(),
            failed: Vec::new(),
            condemned: HashSet::new(),
            in_flight: 0,
            deletions_in_flight: 0,
            replies: VecDeque::new(),
            deletions_per_cycle: deletions_per_cycle.max(1),
            deletions_left: 0,
        }
    }

    /// Begins a duty cycle.
    pub(super) fn begin_cycle(&mut self) {
        self.deletions_left = self.deletions_per_cycle;
    }

    /// Requests a log for a publication.
    pub(super) fn create(&mut self, request: CreateLog) {
        self.create.push_back(request);
    }

    /// Requests a log for an image. Only a few are pending at a time. Remote senders determine their number and length,
    /// so they are created one after the other, after those of commands.
    pub(super) fn create_for_image(&mut self, request: CreateLog) {
        self.create_for_images.push_back(request);
    }

    /// Requests the deletion of a log.
    pub(super) fn delete(&mut self, registration_id: RegistrationId, path: PathBuf, log: LogBuffers) {
        self.condemned.insert(registration_id);
        self.delete.push_back(DeleteLog { registration_id, path, log: Some(log) });
    }

    /// The number of logs that wait for deletion.
    pub(super) fn condemned(&self) -> usize {
        self.condemned.len()
    }

    /// Whether the log of this publication waits for deletion.
    pub(super) fn is_condemned(&self, registration_id: RegistrationId) -> bool {
        self.condemned.contains(&registration_id)
    }

    /// Whether there may be requests to send.
    #[inline]
    pub(super) fn has_requests(&self) -> bool {
        !(self.create.is_empty() && self.create_for_images.is_empty() && self.delete.is_empty())
    }

    /// Takes the next request, if the other side has space for it. Endpoints come first, because a command waits for
    /// them.
    pub(super) fn poll_request(&mut self, endpoint: impl FnOnce() -> Option<Request>) -> Option<Request> {
        if self.in_flight >= IN_FLIGHT_LIMIT {
            return None;
        }
        let request = if let Some(request) = endpoint() {
            request
        } else if let Some(create) = self.create.pop_front() {
            Request::CreateLog(create)
        } else if self.image_in_flight.is_none()
            && let Some(create) = self.create_for_images.pop_front()
        {
            self.image_in_flight = Some(create.registration_id);
            Request::CreateLog(create)
        } else if self.deletions_left > 0 && self.deletions_in_flight < DELETIONS_LIMIT {
            let delete = self.delete.pop_front()?;
            self.deletions_left -= 1;
            self.deletions_in_flight += 1;
            Request::DeleteLog(delete)
        } else {
            return None;
        };
        self.in_flight += 1;
        Some(request)
    }

    /// Accepts a reply. The next duty cycle handles it.
    pub(super) fn on_reply(&mut self, reply: Reply) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Reply::LogCreated { registration_id, .. } | Reply::LogNotCreated { registration_id, .. } = &reply {
            self.image_in_flight.take_if(|image| image == registration_id);
        }
        if matches!(reply, Reply::LogDeleted { .. } | Reply::LogNotDeleted { .. }) {
            self.deletions_in_flight = self.deletions_in_flight.saturating_sub(1);
        }
        self.replies.push_back(reply);
    }

    /// Whether there are replies to handle.
    #[inline]
    pub(super) fn has_replies(&self) -> bool {
        !self.replies.is_empty()
    }

    /// Takes the next reply.
    pub(super) fn next_reply(&mut self) -> Option<Reply> {
        self.replies.pop_front()
    }

    /// Records that a log was deleted.
    pub(super) fn on_deleted(&mut self, registration_id: RegistrationId) {
        self.condemned.remove(&registration_id);
    }

    /// Records that a log could not be deleted.
    pub(super) fn on_not_deleted(&mut self, registration_id: RegistrationId, path: PathBuf) {
        self.failed.push(DeleteLog { registration_id, path, log: None });
    }

    /// Retries failed deletions.
    pub(super) fn retry(&mut self) {
        self.delete.extend(self.failed.drain(..));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::{EndpointId, Side};
    use gannet::logbuffer::{LogKind, LogParameters};
    use gannet::types::{SessionId, StreamId, TermId, TermLength};

    fn logs_with_deletions(count: i64, per_cycle: usize) -> Logs {
        let parameters = LogParameters::ipc(
            LogKind::Concurrent,
            TermLength::MIN,
            SessionId::new(1),
            StreamId::new(1),
            TermId::new(0),
        );
        let log = LogBuffers::heap(&parameters, crate::raw_access::RAW);
        let mut logs = Logs::new(per_cycle);
        for id in 0..count {
            logs.delete(RegistrationId::new(id), PathBuf::from(format!("{id}")), log.clone());
        }
        logs
    }

    fn sent(logs: &mut Logs) -> usize {
        logs.begin_cycle();
        std::iter::from_fn(|| logs.poll_request(|| None)).count()
    }

    #[test]
    fn deletions_are_spread_over_duty_cycles() {
        let mut logs = logs_with_deletions(3, 1);
        assert_eq!((sent(&mut logs), sent(&mut logs)), (1, 1));
        logs.on_reply(Reply::LogDeleted { registration_id: RegistrationId::new(0) });
        assert_eq!((sent(&mut logs), sent(&mut logs)), (1, 0));
        assert_eq!(logs.condemned(), 3, "until they are gone");
        logs.on_deleted(RegistrationId::new(1));
        assert!(logs.condemned() == 2 && !logs.is_condemned(RegistrationId::new(1)));
    }

    #[test]
    fn no_more_is_asked_for_than_the_mailbox_holds() {
        let mut logs = logs_with_deletions(100, 100);
        assert_eq!((sent(&mut logs), sent(&mut logs)), (DELETIONS_LIMIT, 0), "what nobody waits for leaves room");
        logs.on_reply(Reply::LogDeleted { registration_id: RegistrationId::new(0) });
        assert_eq!(sent(&mut logs), 1);
        let closes = || Some(Request::CloseEndpoint(Side::Send, EndpointId::new(1)));
        let others = std::iter::from_fn(|| logs.poll_request(closes)).take(100).count();
        assert_eq!(others, IN_FLIGHT_LIMIT - DELETIONS_LIMIT);
    }

    #[test]
    fn a_deletion_that_failed_is_tried_again() {
        let mut logs = logs_with_deletions(1, 1);
        assert_eq!(sent(&mut logs), 1);
        logs.on_not_deleted(RegistrationId::new(0), PathBuf::from("0"));
        assert_eq!(sent(&mut logs), 0, "not at once");
        logs.retry();
        logs.begin_cycle();
        let request = logs.poll_request(|| None);
        assert!(matches!(request, Some(Request::DeleteLog(DeleteLog { log: None, .. }))), "{request:?}");
        assert!(logs.is_condemned(RegistrationId::new(0)));
    }
}
