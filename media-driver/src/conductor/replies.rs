//! The replies to the conductor's requests: each goes to the command or resource that waits for it.

use gannet::command::Text;
use gannet::logbuffer::LogBuffers;

use super::Core;
use super::awaiting_logs::AwaitingLog;
use super::error::CommandError;
use crate::mailbox::Reply;

impl Core {
    /// Handles a reply of the helper.
    pub(super) fn on_helper_reply(&mut self, reply: Reply) {
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
            // The sender does not depend on what its socket receives.
            Reply::Reconnected { .. } => {}
            Reply::NotReconnected { id, to } => self.on_not_reconnected(id, to),
            Reply::EndpointOpened { id, local } => self.on_endpoint_opened(id, local),
            Reply::EndpointNotOpened { id, error } => self.on_endpoint_not_opened(id, error),
            Reply::EndpointClosed { id } => self.on_endpoint_closed(id),
            Reply::LogCreated { registration_id, log, space_left } => {
                self.counters.on_mapped(self.file_length(&log));
                match self.awaiting_logs.take(registration_id) {
                    Some(awaiting) => self.on_publication_log(awaiting, log, space_left),
                    None => self.on_image_log(registration_id, log),
                }
            }
            Reply::LogNotCreated { registration_id, error } => match self.awaiting_logs.take(registration_id) {
                Some(awaiting) => self.refuse_publication(&awaiting, &error.into()),
                None => self.on_no_image_log(registration_id, &error.into()),
            },
            Reply::LogDeleted { registration_id } => self.logs.on_deleted(registration_id),
            Reply::LogNotDeleted { registration_id, path, error } => {
                self.counters.on_failed_deletion();
                let text = format!("(11) failed to delete the log {}: {error}; trying again", path.display());
                self.reporter.record(self.now.epoch, &self.counters, &text);
                self.logs.on_not_deleted(registration_id, path);
            }
        }
    }

    /// Handles the log of a publication. An error leaves nothing behind.
    fn on_publication_log(&mut self, awaiting: AwaitingLog, log: LogBuffers, space_left: Option<u64>) {
        let finished = match awaiting.endpoint {
            // Its client is gone and gets no response.
            _ if !awaiting.is_wanted => Err(CommandError::Closing),
            None => self.finish_publication(&awaiting, &log),
            Some(endpoint) => self.finish_network_publication(&awaiting, endpoint, &log),
        };
        match finished {
            Ok(()) => self.warn_if_low(space_left, &awaiting.path),
            Err(error) => {
                self.give_up_log(awaiting.registration_id(), awaiting.path.clone(), log);
                self.refuse_publication(&awaiting, &error);
            }
        }
    }

    /// Refuses a publication: tells its client, if it still exists, and closes its endpoint if it was opened for it.
    fn refuse_publication(&mut self, awaiting: &AwaitingLog, error: &CommandError) {
        if awaiting.is_wanted {
            let channel = Some(Text::from(awaiting.uri.text()));
            self.refuse(awaiting.command(), awaiting.correlation_id, channel, error);
        }
        if let Some(endpoint) = awaiting.endpoint {
            self.close_endpoint_if_unused(endpoint);
        }
    }
}
