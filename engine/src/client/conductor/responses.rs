//! Channels that name a resource of this client or of another by the id that a driver gave it:
//! `response-correlation-id`. When the client reconnects, its own resources get new ids, and the channels that name
//! them are rewritten. After a driver restart, the id of a resource of another client or a peer means nothing, or
//! something else, so it is not used again.

use super::Conductor;
use super::resource::{Named, Phase, Wanted};
use crate::channel_uri::{ChannelUri, ResponseCorrelation};

const KEY: &str = "response-correlation-id=";

/// The id with which a channel is added again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renamed {
    /// The same id.
    AsItIs,
    /// This id.
    To(i64),
    /// Not yet: the resource must be restored first.
    Later,
    /// None: the resource is gone.
    Gone,
}

impl Conductor {
    /// The resource to which the channel of a new request refers.
    pub(super) fn named_by(&self, wanted: &Wanted) -> Named {
        let uri =
            wanted.channel().filter(|channel| channel.contains(KEY)).and_then(|text| ChannelUri::parse(text).ok());
        match uri.and_then(|uri| uri.params().response_correlation_id) {
            Some(ResponseCorrelation::Id(id)) if id >= 0 => {
                self.by_registration.get(&id).map_or(Named::Other, |key| Named::Own(*key))
            }
            _ => Named::Nothing,
        }
    }

    /// The id with which a channel that refers to `named` is added again.
    pub(super) fn renamed(&self, named: Named) -> Renamed {
        match named {
            Named::Nothing => Renamed::AsItIs,
            Named::Other if self.restoring.as_ref().is_some_and(|restoring| restoring.other_driver) => Renamed::Gone,
            Named::Other => Renamed::AsItIs,
            Named::Own(key) => match self.resources.get(&key).map(|resource| &resource.phase) {
                // An image has the id of its publication's log.
                Some(Phase::Live { registration_id, log }) => Renamed::To(log.unwrap_or(registration_id.get())),
                Some(Phase::Adding { .. } | Phase::Down { .. }) => Renamed::Later,
                Some(Phase::Failed(_)) | None => Renamed::Gone,
            },
        }
    }
}

impl Wanted {
    /// Changes the id in the channel.
    pub(super) fn rename(&mut self, id: i64) {
        let (Self::Publication { channel, .. } | Self::ExclusivePublication { channel, .. }) = self else { return };
        let Some((scheme, params)) = channel.split_once('?') else { return };
        let mut is_done = false;
        let parts = params.split('|').map(|part| {
            if is_done || !part.starts_with(KEY) {
                return part.to_owned();
            }
            is_done = true;
            format!("{KEY}{id}")
        });
        *channel = format!("{scheme}?{}", parts.collect::<Vec<_>>().join("|"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::StreamId;

    #[test]
    fn the_id_is_replaced_and_nothing_else() {
        for (channel, expected) in [
            ("aeron:udp?response-correlation-id=17", "aeron:udp?response-correlation-id=5"),
            (
                "aeron:ipc?mtu=8k|response-correlation-id=17|alias=x",
                "aeron:ipc?mtu=8k|response-correlation-id=5|alias=x",
            ),
            ("aeron:ipc?alias=response-correlation-id", "aeron:ipc?alias=response-correlation-id"),
            ("aeron:ipc", "aeron:ipc"),
        ] {
            let mut wanted = Wanted::Publication { channel: channel.to_owned(), stream_id: StreamId::new(1) };
            wanted.rename(5);
            assert_eq!(wanted.channel(), Some(expected));
        }
    }
}
