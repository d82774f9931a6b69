//! Applications add destinations to publications with manual control, and take them away.

use std::net::{IpAddr, SocketAddr};

use gannet::channel_uri::{ChannelParams, ChannelUri, ControlMode, Host, Media};
use gannet::command::{Destination, RemoveDestinationById, Text};
use gannet::types::RegistrationId;

use crate::conductor::Core;
use crate::conductor::error::CommandError;
use crate::mailbox::{EndpointId, SenderCommand};

impl Core {
    /// ADD_DESTINATION.
    pub(in crate::conductor) fn add_destination(&mut self, command: &Destination<'_>) -> Result<(), CommandError> {
        let endpoint = self.manual_endpoint(command.registration_id)?;
        let address = address_of(command.channel)?;
        let id = command.correlation_id.registration();
        self.network.to_sender.push_back(SenderCommand::AddDestination(endpoint, id, address));
        self.succeed(command.correlation_id);
        Ok(())
    }

    /// REMOVE_DESTINATION. What is not there is removed as well as anything.
    pub(in crate::conductor) fn remove_destination(&mut self, command: &Destination<'_>) -> Result<(), CommandError> {
        let endpoint = self.manual_endpoint(command.registration_id)?;
        let address = address_of(command.channel)?;
        self.network.to_sender.push_back(SenderCommand::RemoveDestination(endpoint, address));
        self.succeed(command.correlation_id);
        Ok(())
    }

    /// REMOVE_DESTINATION_BY_ID.
    pub(in crate::conductor) fn remove_destination_by_id(
        &mut self,
        command: &RemoveDestinationById,
    ) -> Result<(), CommandError> {
        let endpoint = self.manual_endpoint(command.registration_id)?;
        let id = command.destination_registration_id;
        self.network.to_sender.push_back(SenderCommand::RemoveDestinationById(endpoint, id));
        self.succeed(command.correlation_id);
        Ok(())
    }

    fn manual_endpoint(&mut self, registration_id: RegistrationId) -> Result<EndpointId, CommandError> {
        let Some(publication) = self.network.publication_mut(registration_id) else {
            return Err(CommandError::UnknownPublication { registration_id });
        };
        if !publication.made_of.is_manual {
            return Err(CommandError::NotManual { registration_id });
        }
        Ok(publication.made_of.endpoint)
    }
}

/// The address that a destination's channel states.
fn address_of(channel: Text<'_>) -> Result<SocketAddr, CommandError> {
    let uri = ChannelUri::parse_bytes(channel.as_bytes())?;
    if uri.is_spy() || uri.media() != Media::Udp {
        return Err(CommandError::DestinationKey { key: "anything but a UDP channel" });
    }
    check_keys(uri.params())?;
    let Some(endpoint) = &uri.params().endpoint else { return Err(CommandError::MissingEndpoint) };
    if endpoint.port() == 0 {
        return Err(CommandError::WildcardPort { key: "endpoint" });
    }
    let address: IpAddr = match endpoint.host() {
        Host::V4(address) => (*address).into(),
        Host::V6(address) => (*address).into(),
        Host::Name(_) => return Err(CommandError::NotSupported { what: "a destination by name" }),
    };
    Ok((address, endpoint.port()).into())
}

fn check_keys(params: &ChannelParams) -> Result<(), CommandError> {
    let forbidden = [
        (params.mtu.is_some(), "mtu"),
        (params.rcv_wnd.is_some(), "rcv-wnd"),
        (params.so_rcvbuf.is_some(), "so-rcvbuf"),
        (params.so_sndbuf.is_some(), "so-sndbuf"),
        (params.response_correlation_id.is_some(), "response-correlation-id"),
        (params.control_mode == Some(ControlMode::Response), "control-mode=response"),
    ];
    match forbidden.into_iter().find(|(is_stated, _)| *is_stated) {
        Some((_, key)) => Err(CommandError::DestinationKey { key }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_state_an_address_and_little_else() {
        let read = |channel: &str| address_of(Text::from(channel));
        assert_eq!(read("aeron:udp?endpoint=10.0.0.1:9|alias=x").unwrap(), ([10, 0, 0, 1], 9).into());
        for wrong in [
            "aeron:ipc",
            "aeron-spy:aeron:udp?endpoint=10.0.0.1:9",
            "aeron:udp?endpoint=10.0.0.1:0",
            "aeron:udp?endpoint=10.0.0.1:9|mtu=8k",
            "aeron:udp?endpoint=10.0.0.1:9|control-mode=response",
            "aeron:udp?alias=x",
        ] {
            read(wrong).unwrap_err();
        }
    }
}
