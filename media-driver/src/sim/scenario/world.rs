//! A run in progress: the drivers, clients and network of a plan, all driven by one clock, and what each publisher has
//! sent and each subscriber received.

use fastrand::Rng;
use gannet::logbuffer::{FRAME_ALIGNMENT, Fragment, LogBuffers, flags};
use gannet::types::{CorrelationId, Position, RegistrationId, SessionId};

use super::checks::Checks;
use super::draw::draw;
use super::failure::Failure;
use super::kind::Kind;
use super::plan::{CLIENTS, Place, Plan, PublisherPlan, StreamPlan, Trouble};
use super::publisher::{Holder, Publisher, message, name_of};
use super::restless::Restless;
use super::spied;
use crate::raw_access::RAW;
use crate::sim::{Awake, SimClient, SimDriver, SimImage, SimNetwork};

/// The average step of the clock between turns while there is work, in nanoseconds.
const STEP_NS: i64 = 20_000;
/// The maximum step without work.
const LONGEST_STEP_NS: i64 = 2_000_000;
/// The same while only resources are to be freed.
const LONGEST_LAST_STEP_NS: i64 = 20_000_000;
/// The maximum time for creating a log, for runs with slow and with fast logs, in nanoseconds.
const SLOW_LOG_NS: i64 = 500_000_000;
const QUICK_LOG_NS: i64 = 1_000_000;
/// The maximum number of fragments per poll.
const FRAGMENTS: usize = 20;

/// The state of a run.
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) plan: Plan,
    pub(super) random: Rng,
    pub(super) now_ns: i64,
    pub(super) network: SimNetwork,
    pub(super) hosts: Vec<Host>,
    pub(super) publishers: Vec<Publisher>,
    pub(super) subscribers: Vec<Subscriber>,
    /// When the streams were connected. Faults are timed from there.
    pub(super) flows_since_ns: Option<i64>,
    /// Whether images are lost because their publishers leave.
    pub(super) is_closing: bool,
    step_ns: i64,
    was_busy: bool,
    pub(super) checks: Checks,
}

pub(super) struct Host {
    pub(super) driver: SimDriver,
    /// There is one in lively runs.
    pub(super) restless: Option<Restless>,
    pub(super) clients: Vec<Client>,
}

pub(super) struct Client {
    pub(super) inner: SimClient,
    pub(super) is_dead: bool,
}

/// A subscriber of a stream.
pub(super) struct Subscriber {
    pub(super) stream: usize,
    pub(super) place: Place,
    pub(super) registration_id: RegistrationId,
    pub(super) heard: Vec<Heard>,
    pub(super) is_late: bool,
    /// Whether the stream does not wait for it.
    pub(super) may_be_outrun: bool,
    pub(super) is_spy: bool,
    pause_ns: i64,
    /// When it reads next.
    due_ns: i64,
}

impl Subscriber {
    /// Whether it reads so seldom that nobody waits for it.
    pub(super) fn is_left_behind(&self) -> bool {
        self.may_be_outrun && self.pause_ns > 0
    }
}

/// What a subscriber has received of a publisher.
pub(super) struct Heard {
    /// The image that it reads.
    image: Option<CorrelationId>,
    /// The number of the next message of each holder. `None` before the first message.
    pub(super) next: Vec<Option<u32>>,
    /// The first fragments of an incomplete message.
    partial: Vec<u8>,
    pub(super) progress_ns: i64,
    /// Whether it lost an image before it had received everything.
    pub(super) is_lost: bool,
    /// Whether the next fragment may be the rest of a message that began before its image did.
    may_join_within: bool,
    /// Whether the next message of each holder may be a later one, since its image has missed those before.
    may_skip: Vec<bool>,
    pub(super) messages: u32,
}

impl Heard {
    fn has_nothing(&self) -> bool {
        self.next.iter().all(Option::is_none)
    }
}

impl World {
    pub(super) fn new(seed: u64, messages: u32) -> Self {
        let mut random = Rng::with_seed(seed);
        let plan = draw(&mut random, messages, Kind::of(seed));
        let network = SimNetwork::new(random.u64(..), plan.weather);
        // A separate generator, so that the other choices of a seed are the same as before logs took time.
        let mut log_times = Rng::with_seed(seed);
        let hosts = plan.hosts.iter().map(|host| {
            let mut driver = SimDriver::new(host.address, &network, random.u64(..), RAW, |config| {
                let unblock = &mut config.publications.unblock_timeout_ns;
                *unblock = plan.unblock_timeout_ns.unwrap_or(*unblock);
            });
            driver.set_answers_late(host.answers_late);
            driver.set_slowest_log(log_times.choice([0, QUICK_LOG_NS, SLOW_LOG_NS]).unwrap_or(0));
            let client = |_| Client { inner: SimClient::new(&driver), is_dead: false };
            let clients = (0..CLIENTS).map(client).collect();
            let restless = plan.kind.is_lively.then(|| Restless::new(&driver, !seed));
            Host { driver, restless, clients }
        });
        let hosts = hosts.collect();
        Self {
            seed,
            hosts,
            checks: Checks::default(),
            network,
            now_ns: 1_000_000_000,
            publishers: Vec::new(),
            subscribers: Vec::new(),
            flows_since_ns: None,
            is_closing: false,
            step_ns: STEP_NS,
            was_busy: true,
            plan,
            random,
        }
    }

    pub(super) fn fail<T>(&self, what: impl Into<String>) -> Result<T, Failure> {
        Err(Failure { seed: self.seed, at_ns: self.now_ns, what: what.into() })
    }

    /// Runs a turn of everything, except what the seed suspends.
    pub(super) fn turn(&mut self) -> Result<(), Failure> {
        self.pass();
        let (since, now_ns) = (self.flows_since_ns, self.now_ns);
        let active = |from: i64, until: i64| since.is_some_and(|since| (from..until).contains(&(now_ns - since)));
        self.network.heal();
        let mut asleep = vec![Awake::ALL; self.hosts.len()];
        let mut silent = None;
        for trouble in self.plan.disturbances.iter().filter(|one| active(one.from_ns, one.until_ns)) {
            let address = |host: usize| self.plan.hosts[host].address;
            match trouble.what {
                Trouble::Cut(from, to) => self.network.cut(address(from), address(to)),
                Trouble::Partition(one, other) => {
                    self.network.cut(address(one), address(other));
                    self.network.cut(address(other), address(one));
                }
                Trouble::ConductorSleeps(host) => asleep[host].conductor = false,
                Trouble::SenderSleeps(host) => asleep[host].sender = false,
                Trouble::ReceiverSleeps(host) => asleep[host].receiver = false,
                Trouble::ClientSleeps(place) => silent = Some(place),
                Trouble::ClientDies(place) => self.hosts[place.host].clients[place.client].is_dead = true,
            }
        }
        self.was_busy = self.network.deliver() > 0;
        for (index, host) in self.hosts.iter_mut().enumerate() {
            let plan = &self.plan.hosts[index];
            let local_ns = plan.clock_ns + now_ns + (now_ns as f64 * plan.drift) as i64;
            let (random, laziness) = (&mut self.random, plan.laziness);
            let mut is_given = |awake: bool| awake && random.u8(..) >= laziness;
            let awake = Awake {
                conductor: is_given(asleep[index].conductor),
                sender: is_given(asleep[index].sender),
                receiver: is_given(asleep[index].receiver),
            };
            host.driver.turn(local_ns, awake);
            if let Some(restless) = host.restless.as_mut().filter(|_| since.is_some()) {
                restless.turn(local_ns, index, &self.plan.streams, &host.driver);
            }
            for (number, client) in host.clients.iter_mut().enumerate() {
                if !client.is_dead && silent != Some(Place { host: index, client: number }) {
                    client.inner.turn(local_ns, &host.driver);
                }
            }
        }
        self.direct();
        for subscriber in 0..self.subscribers.len() {
            let Subscriber { place, due_ns, pause_ns, .. } = self.subscribers[subscriber];
            if silent != Some(place) && self.random.bool() && now_ns >= due_ns {
                self.subscribers[subscriber].due_ns = now_ns.saturating_add(pause_ns);
                self.hear(subscriber)?;
            }
        }
        for publisher in 0..self.publishers.len() {
            for holder in 0..self.publishers[publisher].holders.len() {
                let place = self.publishers[publisher].holders[holder].place;
                if self.flows_since_ns.is_some() && silent != Some(place) {
                    self.say(publisher, holder)?;
                }
            }
            self.find_end(publisher);
        }
        self.check()
    }

    /// Advances the clock: in large steps while there is no work.
    fn pass(&mut self) {
        let longest_ns = if self.is_closing { LONGEST_LAST_STEP_NS } else { LONGEST_STEP_NS };
        self.step_ns = if self.was_busy { STEP_NS } else { (2 * self.step_ns).min(longest_ns) };
        let wanted = self.now_ns + self.random.i64(1..2 * self.step_ns);
        let arrival = self.network.next_arrival().unwrap_or(wanted).max(self.now_ns + STEP_NS);
        self.now_ns = wanted.min(arrival);
        self.network.set_now(self.now_ns);
    }

    fn check(&mut self) -> Result<(), Failure> {
        let drivers: Vec<_> = self.hosts.iter().map(|host| &host.driver).collect();
        if let Err(what) = self.checks.look(&drivers, &self.plan) {
            return self.fail(what);
        }
        if self.plan.is_hostile {
            return Ok(());
        }
        if let Err(what) = spied::check(self) {
            return self.fail(what);
        }
        let clients = self.hosts.iter().flat_map(|host| &host.clients);
        match clients.flat_map(|client| &client.inner.refusals).next() {
            Some((_, refusal)) => self.fail(format!("a command was refused: {refusal}")),
            None => Ok(()),
        }
    }

    /// When the last fault ends, apart from the network's behaviour.
    pub(super) fn troubles_end_ns(&self) -> Option<i64> {
        let last = self.plan.disturbances.iter().map(|disturbance| disturbance.until_ns).max().unwrap_or(0);
        self.flows_since_ns.map(|since| since + last)
    }

    pub(super) fn is_dead(&self, place: Place) -> bool {
        self.hosts[place.host].clients[place.client].is_dead
    }

    fn client(&mut self, place: Place) -> &mut SimClient {
        &mut self.hosts[place.host].clients[place.client].inner
    }

    /// Adds a handle of a publication: `holder` of the publisher `number` of the stream.
    pub(super) fn add_holder(&mut self, stream: usize, number: usize, holder: usize) {
        let StreamPlan { publication, stream_id, destinations, is_shared, publishers, .. } =
            self.plan.streams[stream].clone();
        let place = publishers[number].holders[holder].place;
        let client = self.client(place);
        let correlation_id = if is_shared {
            client.add_concurrent_publication(&publication, stream_id)
        } else {
            client.add_publication(&publication, stream_id)
        };
        let mut all = self.publishers.iter_mut();
        let known = all.find(|publisher| publisher.stream == stream && publisher.number == number);
        let holder = Holder::new(place, holder, correlation_id);
        if let Some(known) = known {
            known.holders.push(holder);
            return;
        }
        if !is_shared {
            // They wait for the log like the holder itself, whose id is that of the publication.
            for destination in &destinations {
                self.client(place).add_destination(correlation_id.registration(), destination);
            }
        }
        self.publishers.push(Publisher { stream, number, holders: vec![holder], is_directed: !is_shared, end: None });
    }

    /// Adds the destinations of publications that are shared, by the first holder that knows the publication's id. Any
    /// of them may have been the first for the driver.
    fn direct(&mut self) {
        let Self { publishers, hosts, plan, .. } = self;
        for publisher in publishers.iter_mut().filter(|publisher| !publisher.is_directed) {
            for holder in &publisher.holders {
                let client = &mut hosts[holder.place.host].clients[holder.place.client].inner;
                let mut all = client.publications.iter();
                let known = all.find(|known| known.correlation_id == holder.correlation_id);
                let Some(id) = known.map(|known| known.registration_id) else { continue };
                for destination in &plan.streams[publisher.stream].destinations {
                    client.add_destination(id, destination);
                }
                publisher.is_directed = true;
                break;
            }
        }
    }

    pub(super) fn add_subscriber(&mut self, stream: usize, number: usize) {
        let plan = self.plan.streams[stream].clone();
        let subscriber = &plan.subscribers[number];
        let registration_id =
            self.client(subscriber.place).add_subscription(&subscriber.channel, plan.stream_id).registration();
        if let Some(channel) = &subscriber.listens_at {
            self.client(subscriber.place).change_receive_destination(registration_id, channel, true);
        }
        let now_ns = self.now_ns;
        let heard = |publisher: &PublisherPlan| Heard {
            image: None,
            next: vec![None; publisher.holders.len()],
            partial: Vec::new(),
            progress_ns: now_ns,
            is_lost: false,
            may_join_within: false,
            may_skip: vec![false; publisher.holders.len()],
            messages: 0,
        };
        self.subscribers.push(Subscriber {
            stream,
            place: subscriber.place,
            registration_id,
            heard: plan.publishers.iter().map(heard).collect(),
            is_late: subscriber.is_late,
            may_be_outrun: subscriber.may_be_outrun,
            is_spy: subscriber.is_spy(),
            pause_ns: subscriber.pause_ns,
            due_ns: 0,
        });
    }

    /// The publishers of a stream, in the order of the plan.
    pub(super) fn publishers_of(&self, stream: usize) -> impl Iterator<Item = &Publisher> {
        self.publishers.iter().filter(move |publisher| publisher.stream == stream)
    }

    /// Whether every publication is there, and every subscriber has an image of every publisher of its stream.
    pub(super) fn all_connected(&self) -> bool {
        let mut holders = self.publishers.iter().flat_map(|publisher| &publisher.holders);
        holders.all(|holder| self.session_of(holder).is_some())
            && self.subscribers.iter().all(|subscriber| {
                self.publishers_of(subscriber.stream).all(|publisher| {
                    let client = &self.hosts[subscriber.place.host].clients[subscriber.place.client].inner;
                    let session = self.session(publisher);
                    client.images.iter().any(|image| {
                        image.subscription == subscriber.registration_id
                            && !image.is_gone
                            && Some(image.session_id) == session
                    })
                })
            })
    }

    /// The session of a publisher, as its holders know it.
    fn session(&self, publisher: &Publisher) -> Option<SessionId> {
        publisher.holders.iter().find_map(|holder| self.session_of(holder))
    }

    fn session_of(&self, holder: &Holder) -> Option<SessionId> {
        let client = &self.hosts[holder.place.host].clients[holder.place.client].inner;
        let mut all = client.publications.iter();
        all.find(|known| known.correlation_id == holder.correlation_id).map(|known| known.session_id)
    }

    /// Publishes the next messages of a holder, as far as there is space.
    fn say(&mut self, publisher: usize, number: usize) -> Result<(), Failure> {
        let known = self.checks.known_session(publisher);
        let Self { publishers, hosts, plan, random, .. } = self;
        let stream = &plan.streams[publishers[publisher].stream];
        let holders = &stream.publishers[publishers[publisher].number].holders;
        let holder = &mut publishers[publisher].holders[number];
        let client = &mut hosts[holder.place.host].clients[holder.place.client];
        if client.is_dead || holder.has_left {
            return Ok(());
        }
        let wanted = holder.correlation_id;
        let mut all = client.inner.publications.iter_mut();
        let Some(publication) = all.find(|known| known.correlation_id == wanted) else { return Ok(()) };
        let session = publication.session_id;
        let said = holder.speak(publisher, stream, random, publication);
        // Subscribers that read seldom may ask for it only after the publisher has left.
        self.checks.session(publisher, Some(session));
        self.was_busy |= *said.as_ref().unwrap_or(&0) > 0;
        if holder.is_done(stream) && holders[holder.number].leaves_early {
            holder.has_left = true;
            client.inner.remove_publication(wanted.registration(), false);
        }
        if plan.is_hostile {
            return Ok(());
        }
        if known.is_some_and(|known| known != session) {
            return self.fail(format!("a publication that is shared has the sessions {known:?} and {session}"));
        }
        match said {
            Err(error) => self.fail(format!("a publisher was told {error}")),
            Ok(_) => Ok(()),
        }
    }

    /// Finds the end of a session once all of its living holders have published everything.
    fn find_end(&mut self, index: usize) {
        let Self { publishers, hosts, plan, .. } = self;
        let publisher = &mut publishers[index];
        let stream = &plan.streams[publisher.stream];
        let are_all_there = publisher.holders.len() == stream.publishers[publisher.number].holders.len();
        let is_dead = |holder: &Holder| hosts[holder.place.host].clients[holder.place.client].is_dead;
        let is_done = |holder: &Holder| holder.is_done(stream);
        if publisher.end.is_none()
            && are_all_there
            && publisher.holders.iter().all(|holder| is_done(holder) || is_dead(holder))
            && publisher.holders.iter().any(is_done)
        {
            publisher.end = publisher.holders.iter().map(Holder::last).max();
        }
    }

    /// The number of claims that were abandoned.
    pub(super) fn abandoned(&self) -> u32 {
        self.publishers.iter().flat_map(|publisher| &publisher.holders).map(|holder| holder.abandoned).sum()
    }

    /// Polls a subscriber.
    fn hear(&mut self, index: usize) -> Result<(), Failure> {
        let place = self.subscribers[index].place;
        if self.is_dead(place) {
            return Ok(());
        }
        let stream = self.subscribers[index].stream;
        let publishers: Vec<_> =
            (0..self.publishers.len()).filter(|&one| self.publishers[one].stream == stream).collect();
        for publisher in publishers {
            let number = self.publishers[publisher].number;
            let session = self.session_at(publisher);
            let subscriber = &mut self.subscribers[index];
            let client = &mut self.hosts[place.host].clients[place.client].inner;
            let heard = &mut subscriber.heard[number];
            let is_its = |image: &&mut SimImage| {
                image.subscription == subscriber.registration_id && Some(image.session_id) == session
            };
            let mut lost = None;
            for image in client.images.iter_mut().filter(is_its) {
                let listener = Listener {
                    publisher,
                    longest: self.plan.streams[stream].longest,
                    may_miss: !self.plan.streams[stream].is_reliable,
                };
                if !image.is_gone && heard.image != Some(image.correlation_id) {
                    // A new image may have missed messages in between.
                    let is_first = heard.image.is_none();
                    heard.is_lost |= !is_first;
                    heard.image = Some(image.correlation_id);
                    heard.partial.clear();
                    if !is_first || subscriber.is_late || subscriber.may_be_outrun {
                        heard.may_join_within = true;
                        heard.may_skip.fill(true);
                    }
                }
                if image.is_gone || heard.image != Some(image.correlation_id) {
                    continue;
                }
                let before = heard.messages;
                let mut wrong = None;
                let log = image.reader.log().clone();
                let wrapped = &mut self.checks.wrapped;
                let count = image.reader.poll(
                    |fragment| {
                        *wrapped += u64::from(fragment.term_id().get() < log.initial_term_id().get());
                        let found = check_place(&log, &fragment)
                            .and_then(|()| listener.on_fragment(heard, fragment.flags(), fragment.payload()));
                        if let Err(what) = found {
                            wrong.get_or_insert(what);
                        }
                    },
                    FRAGMENTS,
                );
                let arrived = u64::from(heard.messages - before);
                self.checks.heard += arrived;
                if subscriber.is_spy {
                    self.checks.heard_by_spies += arrived;
                    self.checks.on_spied(place.host, image.session_id, image.reader.position().get());
                }
                if count > 0 {
                    self.was_busy = true;
                    heard.progress_ns = self.now_ns;
                }
                lost = lost.or(wrong);
            }
            let gone = client.images.iter().filter(|image| image.subscription == subscriber.registration_id);
            let is_gone = gone.clone().any(|image| image.is_gone && Some(image.correlation_id) == heard.image);
            if let Some(what) = lost.filter(|_| !self.plan.is_hostile) {
                return self.fail(format!("stream {stream}, publisher {publisher}, subscriber {index}: {what}"));
            }
            let complete = self.publishers[publisher].is_all_of_it(&heard.next);
            if is_gone && !complete && !self.is_closing {
                heard.is_lost = true;
                let joined_at_the_end = subscriber.is_late && heard.has_nothing();
                let must_hear_all = self.plan.streams[stream].is_reliable && !subscriber.may_be_outrun;
                if !self.plan.may_lose && must_hear_all && !joined_at_the_end {
                    let (next, said) = (heard.next.clone(), self.publishers[publisher].said());
                    return self.fail(format!(
                        "stream {stream}, subscriber {index}: the image went at message {next:?} of {said:?}"
                    ));
                }
            }
        }
        Ok(())
    }

    /// A publication's session id, even if its publisher has left.
    fn session_at(&mut self, publisher: usize) -> Option<SessionId> {
        let known = self.session(&self.publishers[publisher]);
        self.checks.session(publisher, known)
    }

    /// Whether a subscriber has received everything that it must receive of a publisher.
    pub(super) fn is_done(&self, subscriber: &Subscriber, number: usize) -> bool {
        let Some((index, publisher)) =
            self.publishers.iter().enumerate().find(|(_, one)| one.stream == subscriber.stream && one.number == number)
        else {
            return true;
        };
        let heard = &subscriber.heard[number];
        if subscriber.is_left_behind()
            || self.is_dead(subscriber.place)
            || publisher.holders.iter().all(|holder| self.is_dead(holder.place))
        {
            return true;
        }
        let Some(end) = publisher.end else { return false };
        if publisher.is_all_of_it(&heard.next) {
            return true;
        }
        // A subscriber that lost an image, joined late or tolerates loss is done when there is nothing more to receive.
        let excused = heard.is_lost
            || subscriber.is_late
            || subscriber.may_be_outrun
            || !self.plan.streams[subscriber.stream].is_reliable;
        let client = &self.hosts[subscriber.place.host].clients[subscriber.place.client].inner;
        let session = self.checks.known_session(index);
        let image = client.images.iter().find(|image| {
            image.subscription == subscriber.registration_id && !image.is_gone && Some(image.session_id) == session
        });
        // Nothing comes to one without an image if all have left, or if the log is at its last position, where nobody can join.
        let has_left = |holder: &Holder| holder.has_left || self.is_dead(holder.place);
        let is_over = || publisher.holders.iter().all(has_left) || publisher.has_log_ended();
        excused && image.map_or_else(is_over, |image| image.reader.position().get() >= end)
    }

    /// The number of logs that ended before everything was published.
    pub(super) fn ended(&self) -> usize {
        self.publishers.iter().filter(|one| one.has_log_ended()).count()
    }

    /// The number of subscribers that are behind, or were, and for which streams do not wait.
    pub(super) fn left_behind(&self) -> usize {
        let is_behind = |subscriber: &&Subscriber| {
            let mut publishers = self.publishers_of(subscriber.stream);
            subscriber.may_be_outrun && publishers.any(|one| !one.is_all_of_it(&subscriber.heard[one.number].next))
        };
        self.subscribers.iter().filter(is_behind).count()
    }
}

/// What a subscriber expects of a stream.
struct Listener {
    publisher: usize,
    longest: usize,
    may_miss: bool,
}

impl Listener {
    fn on_fragment(&self, heard: &mut Heard, flags_found: u8, payload: &[u8]) -> Result<(), String> {
        if flags_found & flags::BEGIN != 0 {
            heard.partial.clear();
            heard.may_join_within = false;
        } else if heard.partial.is_empty() {
            return if heard.may_join_within { Ok(()) } else { Err("a message without its beginning".to_owned()) };
        }
        heard.partial.extend_from_slice(payload);
        if flags_found & flags::END == 0 {
            return Ok(());
        }
        let found = std::mem::take(&mut heard.partial);
        let (holder, number) = name_of(&found).ok_or("a message without a number")?;
        let (Some(next), Some(may_skip)) = (heard.next.get_mut(holder), heard.may_skip.get_mut(holder)) else {
            return Err(format!("a message of holder {holder}, who does not exist"));
        };
        let expected = next.unwrap_or(0);
        if number != expected && !((self.may_miss || *may_skip) && number > expected) {
            return Err(format!("message {number} comes where {expected} should"));
        }
        *may_skip = false;
        if found != message(self.publisher, holder, number, self.longest) {
            return Err(format!("message {number} is not what was said"));
        }
        *next = Some(number + 1);
        heard.messages += 1;
        Ok(())
    }
}

/// Checks that the header of a frame names the place where it is.
fn check_place(log: &LogBuffers, fragment: &Fragment<'_>) -> Result<(), String> {
    let length = fragment.frame_length().next_multiple_of(FRAME_ALIGNMENT) as i64;
    let begin = Position::new(fragment.position().get() - length);
    let wanted = (log.term_length().term_id(begin, log.initial_term_id()), log.term_length().offset(begin));
    let found = (fragment.term_id(), fragment.term_offset());
    if found == wanted { Ok(()) } else { Err(format!("a frame at {wanted:?} says that it is at {found:?}")) }
}
