//! Builds the requests for the logs of publications and images, with the contents of their metadata, for all kinds of
//! logs. Does not send requests itself.

use std::path::{Path, PathBuf};

use gannet::logbuffer::{LogKind, LogParameters};
use gannet::memory::Reserve;
use gannet::protocol::Setup;
use gannet::types::{Position, RegistrationId, SessionId, StreamId};

use super::config::LogConfig;
use super::params::{IpcPublicationParams, Start};
use crate::channel::UdpChannel;
use crate::mailbox::CreateLog;
use crate::shared::UntetheredTimeouts;

/// The properties of a publication that needs a log.
#[derive(Debug)]
pub(super) struct PublicationLog<'a> {
    pub(super) registration_id: RegistrationId,
    pub(super) session_id: SessionId,
    pub(super) stream_id: StreamId,
    pub(super) exclusive: bool,
    pub(super) start: Start,
    pub(super) params: &'a IpcPublicationParams,
    /// The maximum number of pending retransmits. No effect for IPC.
    pub(super) max_resend: i32,
    /// Whether it has group semantics.
    pub(super) group: bool,
    /// Whether it answers the subscribers of another channel. Never for IPC.
    pub(super) is_response: bool,
    pub(super) buffers: StatedBuffers,
}

/// The socket buffers that the channel of an endpoint asks for, in bytes. 0 for the driver's and for IPC.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StatedBuffers {
    send: i32,
    receive: i32,
}

impl StatedBuffers {
    pub(super) fn of(channel: &UdpChannel) -> Self {
        let bytes = |stated: Option<u64>| stated.map_or(0, |bytes| i32::try_from(bytes).unwrap_or(i32::MAX));
        Self { send: bytes(channel.params().so_sndbuf), receive: bytes(channel.params().so_rcvbuf) }
    }
}

/// The properties of an image that needs a log.
#[derive(Debug)]
pub(super) struct ImageLog<'a> {
    pub(super) registration_id: RegistrationId,
    pub(super) setup: &'a Setup,
    pub(super) join_position: Position,
    /// What the channel or the driver allows, in bytes. May be more than the terms do.
    pub(super) window: i32,
    /// Whether it has group semantics.
    pub(super) group: bool,
    pub(super) buffers: StatedBuffers,
    pub(super) rejoin: bool,
    pub(super) tether: bool,
    pub(super) reliable: bool,
    pub(super) sparse: bool,
    pub(super) untethered: UntetheredTimeouts,
}

impl LogConfig {
    /// The request for the log of a publication, IPC or network.
    pub(super) fn of_publication(&self, new: &PublicationLog<'_>) -> CreateLog {
        let params = new.params;
        let kind = if new.exclusive { LogKind::Exclusive } else { LogKind::Concurrent };
        self.request(
            &self.directory,
            LogParameters {
                registration_id: new.registration_id,
                mtu: params.mtu.get(),
                start_position: new.start.position,
                publication_window: params.window,
                max_resend: new.max_resend,
                entity_tag: params.entity_tag,
                response_correlation_id: params.response_correlation_id,
                linger_timeout_ns: params.linger_timeout_ns,
                untethered_window_limit_timeout_ns: params.untethered.window_limit_ns,
                untethered_linger_timeout_ns: params.untethered.linger_ns,
                untethered_resting_timeout_ns: params.untethered.resting_ns,
                group: new.group,
                is_response: new.is_response,
                socket_send_buffer: new.buffers.send,
                socket_receive_buffer: new.buffers.receive,
                sparse: params.sparse,
                signal_eos: params.signal_eos,
                spies_simulate_connection: params.spies_simulate_connection,
                ..LogParameters::ipc(kind, params.term_length, new.session_id, new.stream_id, new.start.initial_term_id)
            },
        )
    }

    /// The request for the log of an image.
    pub(super) fn of_image(&self, new: &ImageLog<'_>) -> CreateLog {
        let setup = new.setup;
        self.request(
            &self.images,
            LogParameters {
                registration_id: new.registration_id,
                mtu: setup.mtu,
                start_position: new.join_position,
                publication_window: 0,
                receiver_window: new.window,
                socket_send_buffer: new.buffers.send,
                socket_receive_buffer: new.buffers.receive,
                entity_tag: 0,
                response_correlation_id: 0,
                linger_timeout_ns: 0,
                untethered_window_limit_timeout_ns: new.untethered.window_limit_ns,
                untethered_linger_timeout_ns: new.untethered.linger_ns,
                untethered_resting_timeout_ns: new.untethered.resting_ns,
                group: new.group,
                rejoin: new.rejoin,
                reliable: new.reliable,
                tether: new.tether,
                signal_eos: false,
                sparse: new.sparse,
                ..LogParameters::ipc(
                    LogKind::Image,
                    setup.term_length,
                    setup.session_id,
                    setup.stream_id,
                    setup.initial_term_id,
                )
            },
        )
    }

    /// The part of a request that is the same for all logs.
    fn request(&self, directory: &Path, parameters: LogParameters) -> CreateLog {
        let registration_id = parameters.registration_id;
        CreateLog {
            registration_id,
            path: log_path(directory, registration_id),
            mode: self.mode,
            reserve: if parameters.sparse { Reserve::Space } else { Reserve::SpaceAndPages },
            parameters: LogParameters {
                page_size: self.page_size,
                os_default_send_buffer: self.default_socket_sndbuf,
                os_default_receive_buffer: self.default_socket_rcvbuf,
                ..parameters
            },
        }
    }
}

fn log_path(directory: &Path, registration_id: RegistrationId) -> PathBuf {
    directory.join(format!("{registration_id}.logbuffer"))
}
