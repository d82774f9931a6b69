//! Handles are made, used, closed and dropped in any order, while drivers come and go. Nothing panics, nothing is left
//! behind, and every handle agrees with its client on whether it works.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::client::PendingDestination;
use crate::client::conductor::DestinationChange;
use crate::client::conductor::destinations::Destinations;
use crate::client::conductor::resource::Phase;

/// One thing that an application, or the world around it, may do. Numbers pick one of the handles that there are.
#[derive(Clone, Copy, Debug)]
enum Step {
    AskPublication,
    AskExclusive,
    AskSubscription,
    AskCounter,
    /// Takes what has arrived.
    Arrive,
    /// The driver executes what it was asked, and the client hears of it.
    Settle,
    Offer(usize),
    Claim(usize, bool),
    Poll(usize),
    Count(usize),
    DropPublication(usize),
    DropExclusive(usize),
    DropSubscription(usize),
    DropCounter(usize),
    DropPending(usize),
    Revoke(usize),
    /// A destination of a publication is added or removed, and somebody waits for it, or nobody.
    Change(usize, bool, bool),
    /// A destination of a publication is removed by its id.
    RemoveById(usize),
    /// The driver refuses destinations from now on, or no more.
    Refuse(bool),
    /// The driver loses the commands that wait.
    LoseCommands,
    /// More happens than the client hears of.
    Lap,
    /// Time passes and everybody runs.
    Pass(u8),
    /// Time passes and nobody runs.
    Pause(u8),
    RestartDriver,
    ShutDownDriver,
    Reconnect,
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    let index = 0..8_usize;
    prop_oneof![
        3 => Just(Step::AskPublication),
        3 => Just(Step::AskExclusive),
        3 => Just(Step::AskSubscription),
        2 => Just(Step::AskCounter),
        6 => Just(Step::Arrive),
        6 => Just(Step::Settle),
        6 => index.clone().prop_map(Step::Offer),
        3 => (index.clone(), any::<bool>()).prop_map(|(index, commit)| Step::Claim(index, commit)),
        6 => index.clone().prop_map(Step::Poll),
        2 => index.clone().prop_map(Step::Count),
        2 => index.clone().prop_map(Step::DropPublication),
        2 => index.clone().prop_map(Step::DropExclusive),
        2 => index.clone().prop_map(Step::DropSubscription),
        1 => index.clone().prop_map(Step::DropCounter),
        1 => index.clone().prop_map(Step::DropPending),
        1 => index.clone().prop_map(Step::Revoke),
        1 => index.clone().prop_map(Step::RemoveById),
        3 => (index, any::<bool>(), any::<bool>()).prop_map(|(index, add, wait)| Step::Change(index, add, wait)),
        1 => any::<bool>().prop_map(Step::Refuse),
        1 => Just(Step::LoseCommands),
        1 => Just(Step::Lap),
        2 => (1..60_u8).prop_map(Step::Pass),
        1 => (1..15_u8).prop_map(Step::Pause),
        1 => Just(Step::RestartDriver),
        1 => Just(Step::ShutDownDriver),
        1 => Just(Step::Reconnect),
        1 => Just(Step::Close),
    ]
}

enum Asked {
    Publication(Pending<Publication>),
    Exclusive(Pending<ExclusivePublication>),
    Subscription(Pending<Subscription>),
    Counter(Pending<Counter>),
}

#[derive(Default)]
struct Handles {
    asked: Vec<Asked>,
    publications: Vec<Publication>,
    exclusives: Vec<ExclusivePublication>,
    subscriptions: Vec<Subscription>,
    counters: Vec<Counter>,
    changes: Vec<PendingDestination>,
    /// Whether client and driver may be of two minds about destinations.
    in_doubt: bool,
}

fn pick<T>(from: &mut [T], index: usize) -> Option<&mut T> {
    let count = from.len();
    (count > 0).then(|| &mut from[index % count])
}

fn take<T>(from: &mut Vec<T>, index: usize) -> Option<T> {
    let count = from.len();
    (count > 0).then(|| from.swap_remove(index % count))
}

impl Handles {
    fn arrive(&mut self) {
        /// Keeps what is still to come; what was refused is gone.
        macro_rules! arrived {
            ($pending:ident, $into:expr, $kind:path) => {{
                if let Ok(Some(handle)) = $pending.poll() {
                    $into.push(handle);
                }
                $pending.is_pending().then(|| $kind($pending))
            }};
        }
        self.changes.retain_mut(|pending| matches!(pending.poll(), Ok(false)));
        for asked in std::mem::take(&mut self.asked) {
            let later = match asked {
                Asked::Publication(mut pending) => arrived!(pending, self.publications, Asked::Publication),
                Asked::Exclusive(mut pending) => arrived!(pending, self.exclusives, Asked::Exclusive),
                Asked::Subscription(mut pending) => arrived!(pending, self.subscriptions, Asked::Subscription),
                Asked::Counter(mut pending) => arrived!(pending, self.counters, Asked::Counter),
            };
            self.asked.extend(later);
        }
    }

    /// Without a driver nothing works.
    fn check(&mut self, connected: bool) {
        if connected {
            return;
        }
        assert!(self.publications.iter().all(Publication::is_closed));
        assert!(self.exclusives.iter().all(ExclusivePublication::is_closed));
        assert!(self.subscriptions.iter().all(Subscription::is_closed));
        assert!(self.counters.iter().all(Counter::is_closed));
        assert!(self.subscriptions.iter_mut().all(|subscription| subscription.images().is_empty()));
    }
}

fn is_expected(outcome: Result<crate::types::Position, OfferError>) {
    match outcome {
        Ok(_)
        | Err(OfferError::NotConnected | OfferError::BackPressured | OfferError::AdminAction | OfferError::Closed) => {}
        Err(error) => panic!("{error}"),
    }
}

fn take_step(rig: &Rig, handles: &mut Handles, step: Step) {
    let ask = |wanted| {
        let key = rig.core.add(wanted).ok()?;
        Some((std::sync::Arc::clone(&rig.core), key))
    };
    match step {
        Step::AskPublication => {
            handles.asked.extend(ask(publication()).map(|(core, key)| Asked::Publication(Pending::new(core, key))));
        }
        Step::AskExclusive => {
            handles.asked.extend(ask(exclusive()).map(|(core, key)| Asked::Exclusive(Pending::new(core, key))));
        }
        Step::AskSubscription => {
            let asked = ask(subscription()).map(|(core, key)| Asked::Subscription(Pending::new(core, key)));
            handles.asked.extend(asked);
        }
        Step::AskCounter => {
            handles.asked.extend(ask(counter()).map(|(core, key)| Asked::Counter(Pending::new(core, key))));
        }
        Step::Arrive => handles.arrive(),
        Step::Settle => {
            rig.settle();
            rig.driver().move_limits();
            if !handles.in_doubt && rig.core.conductor().is_connected() {
                agree_on_destinations(rig);
            }
        }
        Step::Change(index, add, wait) => {
            let channel = ["aeron:udp?endpoint=127.0.0.1:1", "aeron:udp?endpoint=127.0.0.1:2"][index % 2];
            let shared = pick(&mut handles.publications, index / 2).filter(|_| index % 4 > 1);
            let pending = match (pick(&mut handles.exclusives, index), pick(&mut handles.subscriptions, index)) {
                _ if let Some(publication) = shared => if add {
                    publication.async_add_destination(channel)
                } else {
                    publication.async_remove_destination(channel)
                }
                .ok(),
                (Some(publication), _) if add => publication.async_add_destination(channel).ok(),
                (Some(publication), _) => publication.async_remove_destination(channel).ok(),
                (None, Some(subscription)) if add => subscription.async_add_destination(channel).ok(),
                (None, subscription) => subscription.and_then(|of| of.async_remove_destination(channel).ok()),
            };
            handles.changes.extend(pending.filter(|_| wait));
        }
        Step::RemoveById(index) => {
            let mut known = Vec::new();
            for (key, resource) in &rig.core.conductor().resources {
                let is_subscription = matches!(resource.wanted, Wanted::Subscription { .. });
                let names = resource.destinations.names().filter(|_| !is_subscription);
                known.extend(names.map(|name| (*key, name)));
            }
            if let Some((key, name)) = pick(&mut known, index) {
                let pending = PendingDestination::begin(&rig.core, *key, DestinationChange::RemoveById(*name));
                handles.changes.extend(pending);
            }
        }
        Step::Refuse(refuse) => {
            // What is refused for good is given up by the client, and what is there then is there still.
            rig.driver().refuse = refuse.then_some(("127.0.0.1:1", ErrorCode::Generic));
        }
        Step::LoseCommands => {
            handles.in_doubt = true;
            rig.driver().read();
        }
        Step::Lap => {
            handles.in_doubt = true;
            lap(rig);
        }
        Step::Offer(index) => {
            if let Some(publication) = pick(&mut handles.publications, index) {
                is_expected(publication.offer(&[1; 2000]));
            }
            if let Some(publication) = pick(&mut handles.exclusives, index) {
                is_expected(publication.offer(&[2; 10]));
            }
        }
        Step::Claim(index, commit) => {
            if let Some(publication) = pick(&mut handles.exclusives, index) {
                match publication.try_claim(20) {
                    Ok(mut claim) => {
                        claim.fill(2);
                        if commit {
                            claim.commit().unwrap();
                        }
                    }
                    Err(error) => is_expected(Err(error)),
                }
            }
        }
        Step::Poll(index) => {
            if let Some(subscription) = pick(&mut handles.subscriptions, index) {
                subscription.poll(|fragment| assert!(matches!(fragment.payload()[0], 1 | 2)), 5);
            }
        }
        Step::Count(index) => {
            if let Some(counter) = pick(&mut handles.counters, index) {
                assert_eq!(counter.add(1).is_err(), counter.is_closed());
            }
        }
        Step::DropPublication(index) => drop(take(&mut handles.publications, index)),
        Step::DropExclusive(index) => drop(take(&mut handles.exclusives, index)),
        Step::DropSubscription(index) => drop(take(&mut handles.subscriptions, index)),
        Step::DropCounter(index) => drop(take(&mut handles.counters, index)),
        Step::DropPending(index) => drop(take(&mut handles.asked, index)),
        Step::Revoke(index) => {
            if let Some(publication) = take(&mut handles.exclusives, index) {
                publication.revoke();
            }
        }
        Step::Pass(tenths) => rig.pass(Duration::from_millis(100) * u32::from(tenths)),
        Step::Pause(seconds) => {
            let pause = Duration::from_secs(seconds.into());
            // What the driver does not answer in time, it may do nevertheless.
            handles.in_doubt |= pause >= LIVENESS;
            rig.stop_for(pause);
        }
        Step::RestartDriver => rig.restart_driver(),
        Step::ShutDownDriver => {
            // If it goes on, it keeps what it had.
            handles.in_doubt = true;
            rig.driver().beat(crate::cnc::DriverState::SHUT_DOWN_HEARTBEAT);
        }
        Step::Reconnect => drop(rig.core.reconnect()),
        Step::Close => rig.core.close(),
    }
}

/// What the client takes for being there is what the driver has.
fn agree_on_destinations(rig: &Rig) {
    let conductor = rig.core.conductor();
    if conductor.link().identity() != rig.driver().identity() {
        // It has yet to find out that there is another driver.
        return;
    }
    let mut publications = BTreeMap::<_, Vec<_>>::new();
    for resource in conductor.resources.values() {
        let Phase::Live { registration_id, log } = resource.phase else { continue };
        publications.entry(log.map_or(registration_id, RegistrationId::new)).or_default().push(&resource.destinations);
    }
    for (id, of_handles) in publications {
        if of_handles.iter().all(|destinations| destinations.missing() == 0) {
            let mut there: Vec<_> = of_handles.into_iter().flat_map(Destinations::there).collect();
            there.sort_unstable();
            let mut driver_s = rig.driver().destinations_of(id);
            driver_s.sort_unstable();
            assert_eq!(there, driver_s);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn nothing_breaks_and_nothing_is_left(
        steps in vec(step(), 1..60),
        reconnect_in_place in any::<bool>(),
        client_goes_first in any::<bool>(),
    ) {
        let rig = Rig::with(|settings| crate::client::conductor::ConductorSettings { reconnect_in_place, ..settings });
        let mut handles = Handles::default();
        for step in steps {
            take_step(&rig, &mut handles, step);
            let connected = rig.core.conductor().is_connected();
            handles.check(connected);
        }
        if client_goes_first {
            rig.core.close();
            handles.check(false);
        }
        let in_doubt = handles.in_doubt;
        drop(handles);
        rig.settle();
        let there = rig.driver().resources();
        let identity = rig.driver().identity();
        let connected = rig.core.conductor().is_connected();
        if connected && rig.core.conductor().link().identity() == identity && !in_doubt {
            prop_assert_eq!(there, (0, 0, 0), "the driver has nothing of it");
        }
        prop_assert!(rig.core.conductor().resources.is_empty());
        prop_assert!(rig.core.conductor().by_registration.is_empty());
        if connected || rig.core.conductor().is_closed() {
            // What a driver was asked for by a client that lost it goes with that client, by its timeout.
            rig.core.close();
            rig.settle();
        }
        rig.pass(Duration::from_secs(4));
        prop_assert_eq!(rig.core.conductor().logs.len(), 0);
        prop_assert!(rig.core.conductor().unsent.is_empty());
        rig.pass(LIVENESS);
        prop_assert!(rig.core.conductor().questions.is_empty());
    }
}
