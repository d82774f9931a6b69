//! Counters that clients add: those that live as long as their client, and static ones, which outlive it.

use gannet::command::{AddCounter, AddStaticCounter, Event, OnCounter, OnStaticCounter, RemoveCounter};
use gannet::types::{CounterId, RegistrationId};

use crate::conductor::Core;
use crate::conductor::counters::ClientCounter;
use crate::conductor::error::CommandError;

impl Core {
    pub(super) fn add_counter(&mut self, command: &AddCounter<'_>) -> Result<(), CommandError> {
        let registration_id = command.correlation_id.registration();
        self.check_unused(registration_id)?;
        self.client(command.client_id)?;
        let counter = self.counters.allocate_for_client(
            self.now.epoch,
            &ClientCounter {
                type_id: command.type_id,
                key: command.key,
                label: command.label.as_bytes(),
                registration_id,
                owner: Some(command.client_id),
            },
        )?;
        self.client(command.client_id)?.counters.insert(registration_id, counter);
        self.events.send(&Event::CounterReady(OnCounter { registration_id, counter_id: counter }));
        Ok(())
    }

    pub(super) fn remove_counter(&mut self, command: &RemoveCounter) -> Result<(), CommandError> {
        let registration_id = command.registration_id;
        let unknown = CommandError::UnknownCounter { registration_id };
        let Some(client) = self.clients.get(command.client_id) else { return Err(unknown) };
        let Some(counter) = client.counters.remove(&registration_id) else { return Err(unknown) };
        self.succeed(command.correlation_id);
        self.release_counter(registration_id, counter);
        Ok(())
    }

    /// Tells all clients that a counter is unavailable, then frees it.
    pub(in crate::conductor) fn release_counter(&mut self, registration_id: RegistrationId, counter_id: CounterId) {
        self.events.send(&Event::UnavailableCounter(OnCounter { registration_id, counter_id }));
        self.counters.free(self.now.epoch, counter_id);
    }

    pub(super) fn add_static_counter(&mut self, command: &AddStaticCounter<'_>) -> Result<(), CommandError> {
        self.client(command.client_id)?;
        let AddStaticCounter { type_id, registration_id, correlation_id, .. } = *command;
        let counter_id = match self.counters.find_static(type_id, registration_id) {
            Some(Ok(existing)) => existing,
            Some(Err(_)) => return Err(CommandError::NotStatic { type_id, registration_id }),
            None => {
                let counter = self.counters.allocate_for_client(
                    self.now.epoch,
                    &ClientCounter {
                        type_id,
                        key: command.key,
                        label: command.label.as_bytes(),
                        registration_id,
                        owner: None,
                    },
                )?;
                self.hoarders.on_static_counter(command.client_id);
                counter
            }
        };
        self.events.send(&Event::StaticCounter(OnStaticCounter { correlation_id, counter_id }));
        Ok(())
    }
}
