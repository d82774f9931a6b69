//! Adding and removing publications. Adding one that is not shared takes two steps: all checks are made and a log is
//! requested; once the log exists, everything else is made and announced. Until then nothing has changed, so a failure
//! leaves nothing behind (trap 74).

use gannet::channel_uri::{ChannelUri, Media};
use gannet::command::{AddPublication, Event, OnPublicationReady, RemovePublication, Text};
use gannet::counters::Stream;
use gannet::logbuffer::{LogBuffers, LogLayout};
use gannet::types::{ClientId, CorrelationId, CounterId, Position, RegistrationId, SessionId, TermId};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::conductor::Core;
use crate::conductor::awaiting_logs::AwaitingLog;
use crate::conductor::counters::{PublicationCounters, StreamCounters};
use crate::conductor::error::CommandError;
use crate::conductor::log_requests::{PublicationLog, StatedBuffers};
use crate::conductor::params::{IpcPublicationParams, Shared, Start};
use crate::ipc::{IpcPublication, NewIpcPublication};

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

    /// Refuses the command if the maximum number of publication handles is reached.
    pub(in crate::conductor) fn check_room_for_hold(&self) -> Result<(), CommandError> {
        let capacity = self.config.capacity.publication_links;
        if self.clients.publication_links() + self.awaiting_logs.len() >= capacity {
            return Err(CommandError::Full { what: "holds on publications", capacity });
        }
        Ok(())
    }

    /// Checks the prerequisites of a new publication, chooses its session id and initial term id, and requests its log.
    fn begin_publication(
        &mut self,
        command: &AddPublication<'_>,
        exclusive: bool,
        uri: &ChannelUri,
        params: IpcPublicationParams,
    ) -> Result<(), CommandError> {
        self.check_room_for_log("publications")?;
        let stream_id = command.stream_id;
        let is_used = |session_id| self.publications.is_taken(stream_id, session_id);
        let session_id = match params.session_id {
            Some(session_id) if is_used(session_id) => {
                return Err(CommandError::SessionClash { session_id, stream_id });
            }
            Some(session_id) => session_id,
            None => self.session_ids.peek(|id| is_used(id) || self.awaiting_logs.is_taken(id)),
        };
        self.check_answer(params.response_correlation_id, session_id)?;
        let start = self.start_of(&params);
        let request = self.config.logs.of_publication(&PublicationLog {
            registration_id: command.correlation_id.registration(),
            session_id,
            stream_id,
            exclusive,
            start,
            params: &params,
            max_resend: 0,
            group: false,
            is_response: false,
            buffers: StatedBuffers::default(),
        });
        self.awaiting_logs.push(AwaitingLog {
            client_id: command.client_id,
            correlation_id: command.correlation_id,
            stream_id,
            exclusive,
            uri: Box::new(uri.clone()),
            params: Box::new(params),
            endpoint: None,
            session_id,
            start,
            path: request.path.clone(),
            is_wanted: true,
        });
        self.logs.create(request);
        Ok(())
    }

    /// Refuses the command if the maximum number of logs is reached.
    pub(in crate::conductor) fn check_room_for_log(&self, what: &'static str) -> Result<(), CommandError> {
        let capacity = self.config.capacity.publications;
        let made = self.publications.len() + self.network.logs();
        if made + self.awaiting_logs.len() + self.logs.condemned() >= capacity {
            return Err(CommandError::Full { what, capacity });
        }
        Ok(())
    }

    /// The start of a new publication: as in the channel, or a random initial term.
    pub(in crate::conductor) fn start_of(&mut self, params: &IpcPublicationParams) -> Start {
        let anywhere = || Start { initial_term_id: TermId::new(self.random.i32(..)), position: Position::new(0) };
        params.start.unwrap_or_else(anywhere)
    }

    /// Refuses a response to a request that has one already.
    fn check_answer(&self, request: i64, session_id: SessionId) -> Result<(), CommandError> {
        match self.awaiting_response(request) {
            Some(subscription) if !self.subscriptions.could_bind_response(subscription, session_id) => {
                Err(CommandError::ResponseTaken { subscription })
            }
            _ => Ok(()),
        }
    }

    /// Creates and announces the publication for a log. An error leaves nothing behind but the log.
    pub(in crate::conductor) fn finish_publication(
        &mut self,
        made: &AwaitingLog,
        log: &LogBuffers,
    ) -> Result<(), CommandError> {
        let now = self.now;
        let registration_id = made.registration_id();
        let response_correlation_id = made.params.response_correlation_id;
        // Another publication may have responded to the request meanwhile.
        self.check_answer(response_correlation_id, made.session_id)?;
        let StreamCounters { position, limit } = self.counters.allocate_for_publication(
            now.epoch,
            &PublicationCounters {
                stream: Stream {
                    registration_id,
                    session_id: made.session_id,
                    stream_id: made.stream_id,
                    channel: made.uri.text(),
                },
                exclusive: made.exclusive,
                client_id: made.client_id,
                start: made.start.position,
            },
        )?;
        if let Err(error) = self.client(made.client_id) {
            self.counters.free(now.epoch, position.id);
            self.counters.free(now.epoch, limit.id);
            return Err(error);
        }
        self.take_session_id(made);
        self.publications.push(IpcPublication::new(
            NewIpcPublication {
                registration_id,
                session_id: made.session_id,
                stream_id: made.stream_id,
                exclusive: made.exclusive,
                response_correlation_id,
                start_position: made.start.position,
                window: made.params.window,
                unblock_timeout_ns: self.config.publications.unblock_timeout_ns,
                untethered: made.params.untethered,
                log: log.clone(),
                log_path: made.path.clone(),
                position,
                limit,
            },
            now.monotonic,
        ));
        if let Some(subscription) = self.awaiting_response(response_correlation_id) {
            self.subscriptions.bind_response(subscription, made.session_id);
        }
        self.hold_publication(made.client_id, made.correlation_id, registration_id);
        Ok(())
    }

    /// Adds a handle for the client. Tells the client, and then the subscribers (trap 24).
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
        // As in the reference, existing subscriptions do not get a prototype. Later ones may.
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

    /// Unmaps and deletes a log without a publication, in the helper thread.
    pub(in crate::conductor) fn give_up_log(
        &mut self,
        registration_id: RegistrationId,
        path: PathBuf,
        log: LogBuffers,
    ) {
        self.counters.on_unmapped(self.file_length(&log));
        self.logs.delete(registration_id, path, log);
    }

    /// The length of the log's file in bytes.
    pub(in crate::conductor) fn file_length(&self, log: &LogBuffers) -> usize {
        LogLayout { term_length: log.term_length(), page_size: self.config.logs.page_size }.file_length()
    }

    /// The subscription that waits for the response to this request, if the request is an IPC publication's.
    fn awaiting_response(&self, request: i64) -> Option<RegistrationId> {
        let request = self.publications.get(RegistrationId::new(request))?;
        Some(RegistrationId::new(request.response_correlation_id()))
    }

    /// Marks the session id that was chosen for a publication as used.
    pub(in crate::conductor) fn take_session_id(&mut self, made: &AwaitingLog) {
        if made.params.session_id.is_none() {
            self.session_ids.take(made.session_id);
        }
    }
}

/// The properties of an existing publication, for comparison with a new channel.
fn shared(publication: &IpcPublication) -> Shared {
    let log = publication.log();
    Shared {
        session_id: publication.session_id(),
        mtu: log.mtu() as i64,
        term_length: log.term_length(),
        start: Start { initial_term_id: log.initial_term_id(), position: publication.start_position() },
    }
}
