//! Publications come and go. Adding one that is not shared takes two steps: what can be checked is checked and a log is asked
//! for; once it is there, everything else is made and announced. Until then nothing has changed, so that whatever fails
//! leaves nothing behind.

use gannet::channel_uri::{ChannelUri, Media};
use gannet::command::{AddPublication, Event, OnPublicationReady, RemovePublication, Text};
use gannet::counters::Stream;
use gannet::logbuffer::{LogBuffers, LogLayout};
use gannet::types::{ClientId, CorrelationId, CounterId, Position, RegistrationId, SessionId, StreamId, TermId};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::conductor::Core;
use crate::conductor::counters::{PublicationCounters, StreamCounters};
use crate::conductor::error::CommandError;
use crate::conductor::log_requests::PublicationLog;
use crate::conductor::params::{IpcPublicationParams, Shared, Start};
use crate::ipc::{IpcPublication, NewIpcPublication};
use crate::mailbox::Reply;

/// A publication whose log is being made.
#[derive(Debug)]
pub(in crate::conductor) struct PendingPublication {
    client_id: ClientId,
    correlation_id: CorrelationId,
    stream_id: StreamId,
    channel: Box<str>,
    exclusive: bool,
    params: IpcPublicationParams,
    session_id: SessionId,
    start: Start,
    path: PathBuf,
}

impl PendingPublication {
    pub(in crate::conductor) fn registration_id(&self) -> RegistrationId {
        self.correlation_id.registration()
    }

    fn command(&self) -> &'static str {
        if self.exclusive { "ADD_EXCLUSIVE_PUBLICATION" } else { "ADD_PUBLICATION" }
    }
}

impl Core {
    pub(super) fn add_publication(
        &mut self,
        command: &AddPublication<'_>,
        exclusive: bool,
    ) -> Result<(), CommandError> {
        let uri = self.read_channel(command.channel)?;
        if uri.is_spy() {
            return Err(CommandError::SpyPublication);
        }
        if uri.media() == Media::Udp {
            return self.add_network_publication(command, exclusive, &uri);
        }
        let params = IpcPublicationParams::read(uri.params(), &self.config.publications)?;
        self.check_unused(command.correlation_id.registration())?;
        self.check_room_for_hold()?;
        if !exclusive
            && let Some(existing) = self.publications.shareable(command.stream_id, params.response_correlation_id)
        {
            params.check_shareable(&shared(existing))?;
            let original = existing.registration_id();
            self.client(command.client_id)?;
            self.hold_publication(command.client_id, command.correlation_id, original);
            return Ok(());
        }
        self.begin_publication(command, exclusive, &uri, params)
    }

    /// Refuses one hold on publications more than there may be.
    pub(in crate::conductor) fn check_room_for_hold(&self) -> Result<(), CommandError> {
        let capacity = self.config.capacity.publication_links;
        if self.clients.publication_links() >= capacity {
            return Err(CommandError::Full { what: "holds on publications", capacity });
        }
        Ok(())
    }

    /// Checks what a new publication needs, chooses its session and its first term, and asks for its log.
    fn begin_publication(
        &mut self,
        command: &AddPublication<'_>,
        exclusive: bool,
        uri: &ChannelUri,
        params: IpcPublicationParams,
    ) -> Result<(), CommandError> {
        let capacity = self.config.capacity.publications;
        if self.publications.len() + self.network.logs() + self.logs.condemned() >= capacity {
            return Err(CommandError::Full { what: "publications", capacity });
        }
        let is_used = |session_id| self.publications.is_taken(command.stream_id, session_id);
        let session_id = match params.session_id {
            Some(session_id) if is_used(session_id) => {
                return Err(CommandError::SessionClash { session_id, stream_id: command.stream_id });
            }
            Some(session_id) => session_id,
            None => self.session_ids.peek(is_used),
        };
        if let Some(subscription) = self.awaiting_response(params.response_correlation_id)
            && !self.subscriptions.could_bind_response(subscription, session_id)
        {
            return Err(CommandError::ResponseTaken { subscription });
        }
        let start = params
            .start
            .unwrap_or_else(|| Start { initial_term_id: TermId::new(self.random.i32(..)), position: Position::new(0) });
        let registration_id = command.correlation_id.registration();
        let request = self.config.logs.of_publication(&PublicationLog {
            registration_id,
            session_id,
            stream_id: command.stream_id,
            exclusive,
            start,
            params: &params,
            max_resend: 0,
            group: false,
        });
        let path = request.path.clone();
        self.logs.create(request);
        self.pending = Some(PendingPublication {
            client_id: command.client_id,
            correlation_id: command.correlation_id,
            stream_id: command.stream_id,
            channel: uri.text().into(),
            exclusive,
            params,
            session_id,
            start,
            path,
        });
        Ok(())
    }

    /// The outside has answered.
    pub(in crate::conductor) fn on_helper_reply(&mut self, reply: Reply) {
        match reply {
            Reply::ChannelResolved { id, channel, lookups_ns } => {
                lookups_ns.into_iter().for_each(|took_ns| self.on_lookup(took_ns));
                self.on_channel_resolved(id, channel);
            }
            Reply::HostResolved { index, address, lookup_ns } => {
                self.on_lookup(lookup_ns);
                self.network.on_other_lookup();
                self.on_host_resolved(index, address);
            }
            // What the sender does is not changed by what its socket hears.
            Reply::Reconnected { .. } => {}
            Reply::NotReconnected { id, to } => self.on_not_reconnected(id, to),
            Reply::EndpointOpened { id, local } => self.on_endpoint_opened(id, local),
            Reply::EndpointNotOpened { id, error } => self.on_endpoint_not_opened(id, error),
            Reply::EndpointClosed { id } => self.on_endpoint_closed(id),
            Reply::LogCreated { registration_id, log, space_left } => {
                self.counters.on_mapped(self.file_length(&log));
                if self.awaits_network_log(registration_id) {
                    self.on_network_log(log);
                    return;
                }
                let Some(log) = self.on_image_log(registration_id, log) else { return };
                let Some(pending) = self.take_pending(registration_id) else { return };
                if let Err(error) = self.finish_publication(&pending, &log) {
                    self.give_up_log(registration_id, pending.path.clone(), log);
                    self.refuse_pending(&pending, &error);
                } else {
                    self.warn_if_low(space_left, &pending.path);
                }
            }
            Reply::LogNotCreated { registration_id, error } if self.awaits_network_log(registration_id) => {
                self.on_no_network_log(&error.into());
            }
            Reply::LogNotCreated { registration_id, error } => {
                let error = CommandError::from(error);
                if self.on_no_image_log(registration_id, &error) {
                    return;
                }
                let Some(pending) = self.take_pending(registration_id) else { return };
                self.refuse_pending(&pending, &error);
            }
            Reply::LogDeleted { registration_id } => self.logs.on_deleted(registration_id),
            Reply::LogNotDeleted { registration_id, path, error } => {
                self.counters.on_failed_deletion();
                let text = format!("(11) failed to delete the log {}: {error}; trying again", path.display());
                self.reporter.record(self.now.epoch, &self.counters, &text);
                self.logs.on_not_deleted(registration_id, path);
            }
        }
    }

    /// Makes and announces the publication whose log is there. An error leaves nothing behind but the log.
    fn finish_publication(&mut self, pending: &PendingPublication, log: &LogBuffers) -> Result<(), CommandError> {
        let now = self.now;
        let registration_id = pending.correlation_id.registration();
        let StreamCounters { position, limit } = self.counters.allocate_for_publication(
            now.epoch,
            &PublicationCounters {
                stream: Stream {
                    registration_id,
                    session_id: pending.session_id,
                    stream_id: pending.stream_id,
                    channel: &pending.channel,
                },
                exclusive: pending.exclusive,
                client_id: pending.client_id,
                start: pending.start.position,
            },
        )?;
        if let Err(error) = self.client(pending.client_id) {
            self.counters.free(now.epoch, position.id);
            self.counters.free(now.epoch, limit.id);
            return Err(error);
        }
        self.session_ids_after(pending);
        let response_correlation_id = pending.params.response_correlation_id;
        self.publications.push(IpcPublication::new(
            NewIpcPublication {
                registration_id,
                session_id: pending.session_id,
                stream_id: pending.stream_id,
                exclusive: pending.exclusive,
                response_correlation_id,
                start_position: pending.start.position,
                window: pending.params.window,
                unblock_timeout_ns: self.config.publications.unblock_timeout_ns,
                untethered: pending.params.untethered,
                log: log.clone(),
                log_path: pending.path.clone(),
                position,
                limit,
            },
            now.monotonic,
        ));
        if let Some(subscription) = self.awaiting_response(response_correlation_id) {
            self.subscriptions.bind_response(subscription, pending.session_id);
        }
        self.hold_publication(pending.client_id, pending.correlation_id, registration_id);
        Ok(())
    }

    /// The client holds the publication from now on: it is told so, and then its subscribers are.
    fn hold_publication(&mut self, client_id: ClientId, correlation_id: CorrelationId, original: RegistrationId) {
        let (Some(client), Some(publication)) = (self.clients.get(client_id), self.publications.get_mut(original))
        else {
            return;
        };
        client.publications.insert(correlation_id.registration(), original);
        publication.add_reference();
        let is_prototype = publication.is_prototype();
        let ready = OnPublicationReady {
            correlation_id,
            registration_id: original,
            session_id: publication.session_id(),
            stream_id: publication.stream_id(),
            limit_id: publication.limit_counter().id,
            channel_status_id: CounterId::NONE,
            log_file: Text::new(publication.log_path().as_os_str().as_bytes()),
        };
        self.events.send(&if publication.is_exclusive() {
            Event::ExclusivePublicationReady(ready)
        } else {
            Event::PublicationReady(ready)
        });
        // As in the reference, a prototype is given to nobody who was there before; who comes later may have it.
        if !is_prototype {
            self.link_publication(original);
        }
    }

    pub(super) fn remove_publication(&mut self, command: &RemovePublication) -> Result<(), CommandError> {
        let registration_id = command.registration_id;
        let unknown = CommandError::UnknownPublication { registration_id };
        let Some(client) = self.clients.get(command.client_id) else { return Err(unknown) };
        let Some(original) = client.publications.remove(&registration_id) else { return Err(unknown) };
        if let Some(publication) = self.publications.get_mut(original) {
            if command.revoke {
                publication.revoke();
            }
            publication.remove_reference();
        } else {
            self.release_network_publication(original, command.revoke);
        }
        self.succeed(command.correlation_id);
        Ok(())
    }

    /// A log that has no publication, or none any more, is unmapped and deleted elsewhere.
    pub(in crate::conductor) fn give_up_log(
        &mut self,
        registration_id: RegistrationId,
        path: PathBuf,
        log: LogBuffers,
    ) {
        self.counters.on_unmapped(self.file_length(&log));
        self.logs.delete(registration_id, path, log);
    }

    /// How long the log's file is, in bytes.
    fn file_length(&self, log: &LogBuffers) -> usize {
        LogLayout { term_length: log.term_length(), page_size: self.config.logs.page_size }.file_length()
    }

    /// The subscription that waits for the answer to this request, if it is the request of an IPC publication.
    fn awaiting_response(&self, request: i64) -> Option<RegistrationId> {
        let request = self.publications.get(RegistrationId::new(request))?;
        Some(RegistrationId::new(request.response_correlation_id()))
    }

    fn session_ids_after(&mut self, pending: &PendingPublication) {
        if pending.params.session_id.is_none() {
            self.session_ids.take(pending.session_id);
        }
    }

    fn take_pending(&mut self, registration_id: RegistrationId) -> Option<PendingPublication> {
        self.pending.take_if(|pending| pending.correlation_id.registration() == registration_id)
    }

    fn refuse_pending(&mut self, pending: &PendingPublication, error: &CommandError) {
        let channel = Some(Text::from(&*pending.channel));
        self.refuse(pending.command(), pending.correlation_id, channel, error);
    }
}

/// What a live publication is, to be compared with what another one states.
fn shared(publication: &IpcPublication) -> Shared {
    let log = publication.log();
    Shared {
        session_id: publication.session_id(),
        mtu: log.mtu() as i64,
        term_length: log.term_length(),
        start: Start { initial_term_id: log.initial_term_id(), position: publication.start_position() },
    }
}
