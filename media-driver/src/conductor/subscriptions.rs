//! The subscriptions, and the streams that each of them wants. The conductor calls this when subscriptions are added or
//! removed, and when publications look for their subscribers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

use gannet::types::{ClientId, RegistrationId, SessionId, StreamId};

use super::subscription_link::{SessionChoice, Source, SubscriptionLink};
use crate::mailbox::EndpointId;
use crate::shared::LinkId;

/// The properties of a new link. The registry assigns its id.
#[derive(Debug)]
pub(super) struct NewLink<'a> {
    pub(super) registration_id: RegistrationId,
    pub(super) client_id: ClientId,
    pub(super) stream_id: StreamId,
    pub(super) channel: &'a str,
    pub(super) session: SessionChoice,
    pub(super) is_response: bool,
    pub(super) tether: bool,
    pub(super) rejoin: bool,
    pub(super) source: Source,
}

/// All subscriptions, with indexes for frequent queries.
#[derive(Debug)]
pub(super) struct SubscriptionRegistry {
    links: BTreeMap<LinkId, SubscriptionLink>,
    by_registration: HashMap<RegistrationId, Row>,
    by_stream: HashMap<StreamId, Row>,
    /// The links whose source is an endpoint.
    by_endpoint: BTreeSet<(EndpointId, StreamId, LinkId)>,
    next_id: u64,
    capacity: usize,
}

/// The ids of links, oldest first, because ids increase.
type Row = BTreeSet<LinkId>;

/// Removes a link from the row of a key, and removes an empty row.
fn remove_from<K: Eq + Hash>(rows: &mut HashMap<K, Row>, key: &K, id: LinkId) {
    if let Some(row) = rows.get_mut(key) {
        row.remove(&id);
        if row.is_empty() {
            rows.remove(key);
        }
    }
}

impl SubscriptionRegistry {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            links: BTreeMap::new(),
            by_registration: HashMap::new(),
            by_stream: HashMap::new(),
            by_endpoint: BTreeSet::new(),
            next_id: 0,
            capacity,
        }
    }

    /// Whether the maximum number of subscriptions is reached.
    pub(super) fn is_full(&self) -> bool {
        self.links.len() >= self.capacity
    }

    /// Adds a link.
    pub(super) fn add(&mut self, new: &NewLink<'_>) -> LinkId {
        let id = LinkId::new(self.next_id);
        self.next_id += 1;
        let link = SubscriptionLink {
            id,
            registration_id: new.registration_id,
            client_id: new.client_id,
            stream_id: new.stream_id,
            channel: new.channel.into(),
            session: new.session,
            is_response: new.is_response,
            is_bound: false,
            tether: new.tether,
            rejoin: new.rejoin,
            source: new.source.clone(),
        };
        self.by_registration.entry(new.registration_id).or_default().insert(id);
        self.by_stream.entry(new.stream_id).or_default().insert(id);
        if let Some(network) = link.network() {
            self.by_endpoint.insert((network.endpoint, new.stream_id, id));
        }
        self.links.insert(id, link);
        id
    }

    /// Removes all links of a client's subscription. There may be several (trap 27).
    pub(super) fn remove(&mut self, client_id: ClientId, registration_id: RegistrationId) -> Vec<SubscriptionLink> {
        let of_it = self.of_registration(registration_id).filter(|link| link.client_id == client_id);
        let ids: Vec<_> = of_it.map(|link| link.id).collect();
        ids.into_iter().filter_map(|id| self.take(id)).collect()
    }

    /// Removes the link of a client's subscription with this driver's publications on that channel, if there is one. Of
    /// several it removes the newest, through which nothing comes.
    pub(super) fn remove_place(
        &mut self,
        client_id: ClientId,
        registration_id: RegistrationId,
        channel: &str,
    ) -> Option<SubscriptionLink> {
        let is_it = |link: &&SubscriptionLink| {
            link.client_id == client_id && link.network().is_none() && *link.channel == *channel
        };
        let id = self.of_registration(registration_id).filter(is_it).last()?.id;
        self.take(id)
    }

    /// Removes all links of a client.
    pub(super) fn remove_client(&mut self, client_id: ClientId) -> Vec<SubscriptionLink> {
        let of_it = self.iter().filter(|link| link.client_id == client_id);
        let ids: Vec<_> = of_it.map(|link| link.id).collect();
        ids.into_iter().filter_map(|id| self.take(id)).collect()
    }

    /// Whether any subscription has this registration id.
    pub(super) fn contains(&self, registration_id: RegistrationId) -> bool {
        self.by_registration.contains_key(&registration_id)
    }

    /// The link with this id.
    pub(super) fn get(&self, id: LinkId) -> Option<&SubscriptionLink> {
        self.links.get(&id)
    }

    /// All links, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &SubscriptionLink> {
        self.links.values()
    }

    /// The links of a subscription, oldest first.
    pub(super) fn of_registration(&self, registration_id: RegistrationId) -> impl Iterator<Item = &SubscriptionLink> {
        self.found(self.by_registration.get(&registration_id))
    }

    /// The links of all subscriptions of a stream, oldest first.
    pub(super) fn of_stream(&self, stream_id: StreamId) -> impl Iterator<Item = &SubscriptionLink> {
        self.found(self.by_stream.get(&stream_id))
    }

    /// Those of them whose source is this endpoint.
    pub(super) fn of_endpoint(
        &self,
        endpoint: EndpointId,
        stream_id: StreamId,
    ) -> impl Iterator<Item = &SubscriptionLink> {
        let first = (endpoint, stream_id, LinkId::new(u64::MIN));
        let of_it = self.by_endpoint.range(first..=(endpoint, stream_id, LinkId::new(u64::MAX)));
        of_it.filter_map(|(_, _, id)| self.links.get(id))
    }

    /// Whether the source of any link is this endpoint.
    pub(super) fn uses(&self, endpoint: EndpointId) -> bool {
        let first = (endpoint, StreamId::new(i32::MIN), LinkId::new(u64::MIN));
        self.by_endpoint.range(first..).next().is_some_and(|(found, ..)| *found == endpoint)
    }

    /// Whether the response subscription with this registration id, if there is one, could use this session: it has
    /// none yet, or has this one.
    pub(super) fn could_bind_response(&self, registration_id: RegistrationId, session_id: SessionId) -> bool {
        self.of_registration(registration_id).filter(|link| link.is_response).all(|link| {
            matches!(link.session, SessionChoice::Response) || link.session == SessionChoice::Only(session_id)
        })
    }

    /// Sets the session of the response subscription with this registration id.
    pub(super) fn bind_response(&mut self, registration_id: RegistrationId, session_id: SessionId) {
        let Self { links, by_registration, .. } = self;
        for id in by_registration.get(&registration_id).into_iter().flatten() {
            let Some(link) = links.get_mut(id) else { continue };
            if link.is_response && !link.is_bound {
                link.is_bound = true;
                if link.session == SessionChoice::Response {
                    link.session = SessionChoice::Only(session_id);
                }
            }
        }
    }

    fn found(&self, row: Option<&Row>) -> impl Iterator<Item = &SubscriptionLink> {
        row.into_iter().flatten().filter_map(|id| self.links.get(id))
    }

    fn take(&mut self, id: LinkId) -> Option<SubscriptionLink> {
        let link = self.links.remove(&id)?;
        remove_from(&mut self.by_registration, &link.registration_id, id);
        remove_from(&mut self.by_stream, &link.stream_id, id);
        if let Some(network) = link.network() {
            self.by_endpoint.remove(&(network.endpoint, link.stream_id, id));
        }
        Some(link)
    }
}

/// The streams of these links, each once.
pub(super) fn streams_of(links: &[SubscriptionLink]) -> BTreeSet<StreamId> {
    links.iter().map(|link| link.stream_id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conductor::config::NetworkDefaults;
    use crate::conductor::subscription_link::{NetworkLink, NetworkSubscription};
    use crate::shared::UntetheredTimeouts;
    use gannet::channel_uri::ChannelUri;

    fn link(client: i64, registration: i64, session: SessionChoice) -> NewLink<'static> {
        NewLink {
            registration_id: RegistrationId::new(registration),
            client_id: ClientId::new(client),
            stream_id: StreamId::new(1001),
            channel: "aeron:ipc",
            session,
            is_response: session == SessionChoice::Response,
            tether: true,
            rejoin: true,
            source: Source::Ipc,
        }
    }

    fn wants(registry: &SubscriptionRegistry, stream: i32, session: i32) -> Vec<i64> {
        registry
            .iter()
            .filter(|link| link.wants(StreamId::new(stream), SessionId::new(session)))
            .map(|link| link.registration_id.get())
            .collect()
    }

    #[test]
    fn a_subscription_wants_its_stream_and_its_sessions() {
        let mut registry = SubscriptionRegistry::new(8);
        registry.add(&link(1, 10, SessionChoice::Any));
        registry.add(&link(1, 11, SessionChoice::Only(SessionId::new(7))));
        registry.add(&link(1, 12, SessionChoice::Response));
        assert_eq!(wants(&registry, 1001, 7), [10, 11]);
        assert_eq!(wants(&registry, 1001, 8), [10]);
        assert_eq!(wants(&registry, 1002, 7), []);
    }

    #[test]
    fn a_response_subscription_is_bound_once_to_its_own_session() {
        let mut registry = SubscriptionRegistry::new(8);
        registry.add(&link(1, 12, SessionChoice::Response));
        let subscription = RegistrationId::new(12);
        let could = |registry: &SubscriptionRegistry, session| {
            registry.could_bind_response(subscription, SessionId::new(session))
        };
        assert!(could(&registry, 9) && could(&registry, 10));
        registry.bind_response(subscription, SessionId::new(9));
        assert!(could(&registry, 9) && !could(&registry, 10));
        registry.bind_response(subscription, SessionId::new(10));
        assert_eq!((wants(&registry, 1001, 9), wants(&registry, 1001, 10)), (vec![12], vec![]));
    }

    #[test]
    fn links_are_found_by_what_names_them_until_they_go() {
        let mut registry = SubscriptionRegistry::new(8);
        let other_stream = NewLink { stream_id: StreamId::new(7), ..link(1, 10, SessionChoice::Any) };
        let ids = [registry.add(&link(1, 10, SessionChoice::Any)), registry.add(&other_stream)];
        let last = registry.add(&link(2, 9, SessionChoice::Any));
        let found = |registry: &SubscriptionRegistry| {
            let of_stream = registry.of_stream(StreamId::new(1001)).map(|link| link.id).collect::<Vec<_>>();
            let of_registration = registry.of_registration(RegistrationId::new(10));
            (of_stream, of_registration.map(|link| link.id).collect::<Vec<_>>())
        };
        assert_eq!(found(&registry), (vec![ids[0], last], ids.to_vec()));
        assert_eq!(streams_of(&registry.remove_client(ClientId::new(1))).len(), 2);
        assert_eq!(found(&registry), (vec![last], vec![]));
        assert!(registry.contains(RegistrationId::new(9)) && !registry.contains(RegistrationId::new(10)));
        let newest = registry.add(&link(1, 10, SessionChoice::Any));
        assert_eq!(found(&registry), (vec![last, newest], vec![newest]), "also after one that is gone");
        assert_eq!(registry.iter().map(|link| link.id).collect::<Vec<_>>(), [last, newest]);
    }

    #[test]
    fn links_of_an_endpoint_are_found_by_it_and_their_stream() {
        let uri = ChannelUri::parse("aeron:udp?endpoint=localhost:9").unwrap();
        let subscription = NetworkSubscription::read(uri.params(), &NetworkDefaults::default()).unwrap();
        let untethered = UntetheredTimeouts { window_limit_ns: 1, linger_ns: 1, resting_ns: 1 };
        let [one, other, last] = [1, 2, u32::MAX].map(EndpointId::new);
        let of_endpoint = |endpoint, stream| NewLink {
            stream_id: StreamId::new(stream),
            source: Source::Network(NetworkLink { endpoint, subscription, sparse: true, untethered }),
            ..link(1, 10, SessionChoice::Any)
        };
        let mut registry = SubscriptionRegistry::new(8);
        let [negative, first, second] = [(one, i32::MIN), (last, 7), (last, 7)]
            .map(|(endpoint, stream)| registry.add(&of_endpoint(endpoint, stream)));
        registry.add(&link(1, 10, SessionChoice::Any));
        let found = |registry: &SubscriptionRegistry, endpoint, stream| {
            let links = registry.of_endpoint(endpoint, StreamId::new(stream));
            links.map(|link| link.id).collect::<Vec<_>>()
        };
        assert_eq!(found(&registry, one, i32::MIN), [negative]);
        assert_eq!(found(&registry, last, 7), [first, second], "oldest first");
        assert_eq!((found(&registry, last, 8), found(&registry, other, 7)), (vec![], vec![]));
        let used = |registry: &SubscriptionRegistry| [one, other, last].map(|endpoint| registry.uses(endpoint));
        assert_eq!(used(&registry), [true, false, true]);
        registry.take(first);
        assert_eq!((found(&registry, last, 7), used(&registry)), (vec![second], [true, false, true]));
        registry.remove(ClientId::new(1), RegistrationId::new(10));
        assert_eq!(used(&registry), [false; 3]);
    }

    /// Trap 27: one registration id may own several links, and all go together; those of other clients stay.
    #[test]
    fn trap_27_all_links_of_a_registration_go() {
        let mut registry = SubscriptionRegistry::new(8);
        let first = registry.add(&link(1, 10, SessionChoice::Any));
        let second = registry.add(&link(1, 10, SessionChoice::Any));
        let other = registry.add(&link(2, 10, SessionChoice::Any));
        let removed = registry.remove(ClientId::new(1), RegistrationId::new(10));
        assert_eq!(removed.iter().map(|link| link.id).collect::<Vec<_>>(), [first, second]);
        assert!(registry.get(first).is_none() && registry.get(other).is_some());
        assert!(registry.remove(ClientId::new(1), RegistrationId::new(10)).is_empty());
    }
}
