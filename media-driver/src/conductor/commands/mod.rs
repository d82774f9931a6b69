//! Commands: read, carried out and answered one at a time, in the order of the ring. Commands that wait for a name or a
//! log are the exception: commands of other clients pass them. Each file is named after the resource that its commands
//! act on.

mod client;
mod counter;
mod image;
mod publication;
mod session_id;
mod subscription;

use gannet::command::{Command, Event, MalformedCommand, OnOperationSuccess, Text};
use gannet::types::{ClientId, CorrelationId, RegistrationId};

use super::Core;
use super::clients::Client;
use super::deferred::Record;
use super::error::CommandError;

/// The correlation id in the response to a command whose own id cannot be read.
const NO_CORRELATION: CorrelationId = CorrelationId::new(0);

impl Core {
    /// Executes a command of the ring, or defers it. `bytes` is a private copy with untrusted content.
    pub(super) fn on_command(&mut self, type_id: i32, bytes: &[u8]) {
        match Command::decode(type_id, bytes) {
            Ok(command) if self.stays_behind(&command) => {
                if !self.deferred.push(command.client_id(), type_id, bytes) {
                    let full = CommandError::ManyWait { what: "commands of its client" };
                    self.refuse(command.name(), command.correlation_id(), channel_of(&command), &full);
                }
            }
            decoded => self.perform(decoded, bytes),
        }
    }

    /// Executes a deferred command.
    pub(super) fn on_deferred(&mut self, record: &Record) {
        self.perform(Command::decode(record.type_id, &record.bytes), &record.bytes);
    }

    fn perform(&mut self, decoded: Result<Command<'_>, MalformedCommand>, bytes: &[u8]) {
        match decoded {
            Ok(command) => {
                if let Err(error) = self.carry_out(&command) {
                    self.refuse(command.name(), command.correlation_id(), channel_of(&command), &error);
                }
            }
            Err(malformed) => {
                // The reference's driver does not respond. A response saves the client from its timeout, if the record
                // contains a correlation id.
                let correlation_id = Command::correlation_id_of(bytes).unwrap_or(NO_CORRELATION);
                self.refuse("command", correlation_id, None, &malformed.into());
            }
        }
    }

    /// Whether a command must be deferred: behind an earlier command of its client that waits for a name or a log, or
    /// behind another client's publication that waits for its log. Commands that are valid independently of earlier
    /// ones are not deferred.
    fn stays_behind(&self, command: &Command<'_>) -> bool {
        let holds_always =
            matches!(command, Command::ClientKeepalive(_) | Command::ClientClose(_) | Command::TerminateDriver(_));
        let client_id = command.client_id();
        !holds_always
            && (self.is_waiting(client_id) || self.deferred.holds(client_id) || self.awaiting_logs.holds_back(command))
    }

    /// Whether a command of this client waits for a name or a log.
    fn is_waiting(&self, client_id: ClientId) -> bool {
        self.network.is_waiting(client_id) || self.awaiting_logs.is_waiting(client_id)
    }

    /// Takes the next deferred command that need not wait any more.
    pub(super) fn take_deferred(&mut self) -> Option<Record> {
        let Self { deferred, network, awaiting_logs, .. } = self;
        deferred.take(|client_id, record| {
            let holds_back = |command: Command<'_>| awaiting_logs.holds_back(&command);
            network.is_waiting(client_id)
                || awaiting_logs.is_waiting(client_id)
                || Command::decode(record.type_id, &record.bytes).is_ok_and(holds_back)
        })
    }

    fn carry_out(&mut self, command: &Command<'_>) -> Result<(), CommandError> {
        match command {
            Command::AddPublication(command) => self.add_publication(command, false),
            Command::AddExclusivePublication(command) => self.add_publication(command, true),
            Command::RemovePublication(command) => self.remove_publication(command),
            Command::AddSubscription(command) => self.add_subscription(command),
            Command::RemoveSubscription(command) => self.remove_subscription(command),
            Command::AddCounter(command) => self.add_counter(command),
            Command::AddStaticCounter(command) => self.add_static_counter(command),
            Command::RemoveCounter(command) => self.remove_counter(command),
            Command::ClientKeepalive(command) => {
                self.on_client_keepalive(command.client_id);
                Ok(())
            }
            Command::ClientClose(command) => {
                self.on_client_close(command.client_id);
                Ok(())
            }
            Command::TerminateDriver(command) => {
                self.on_terminate(command.token);
                Ok(())
            }
            Command::RejectImage(command) => self.reject_image(command),
            Command::GetNextAvailableSessionId(command) => {
                self.next_available_session_id(command);
                Ok(())
            }
            Command::AddDestination(command) => self.add_destination(command),
            Command::RemoveDestination(command) => self.remove_destination(command),
            Command::RemoveDestinationById(command) => self.remove_destination_by_id(command),
            Command::AddReceiveDestination(command) => self.add_receive_destination(command),
            Command::RemoveReceiveDestination(command) => self.remove_receive_destination(command),
        }
    }

    pub(super) fn succeed(&mut self, correlation_id: CorrelationId) {
        self.events.send(&Event::OperationSuccess(OnOperationSuccess { correlation_id }));
    }

    /// The client. Registers it if this is its first command that creates a resource.
    pub(super) fn client(&mut self, id: ClientId) -> Result<&mut Client, CommandError> {
        // Two lookups, because a borrow that is returned on one path would extend to the other.
        if self.clients.get(id).is_none() {
            self.register_client(id)?;
        }
        Ok(self.clients.get(id).expect("it is known, or was just registered"))
    }

    /// Refuses an id that is in use. All clients see ids, so if a faulty client uses one twice, another client could
    /// take events for its own.
    pub(super) fn check_unused(&self, registration_id: RegistrationId) -> Result<(), CommandError> {
        let is_used = self.clients.holds(registration_id)
            || self.subscriptions.contains(registration_id)
            || self.publications.get(registration_id).is_some()
            || self.network.holds(registration_id)
            || self.logs.is_condemned(registration_id)
            || self.awaiting_logs.holds(registration_id);
        if is_used { Err(CommandError::InUse { registration_id }) } else { Ok(()) }
    }
}

fn channel_of<'a>(command: &Command<'a>) -> Option<Text<'a>> {
    match command {
        Command::AddPublication(command) | Command::AddExclusivePublication(command) => Some(command.channel),
        Command::AddSubscription(command) => Some(command.channel),
        Command::AddDestination(command)
        | Command::RemoveDestination(command)
        | Command::AddReceiveDestination(command)
        | Command::RemoveReceiveDestination(command) => Some(command.channel),
        _ => None,
    }
}
