//! Destinations are added, removed, and restored with their publication or subscription.

use super::*;
use crate::client::PendingDestination;
use crate::client::conductor::{ConductorSettings, DestinationChange, ResourceKey};
use crate::client::testing::ScriptedDriver;

const ONE: &str = "aeron:udp?endpoint=127.0.0.1:1";
const TWO: &str = "aeron:udp?endpoint=127.0.0.1:2";

pub(super) fn reconnecting() -> Rig {
    Rig::with(|settings| ConductorSettings { reconnect_in_place: true, ..settings })
}

/// The outcome of a change that the driver has had time for.
fn settled(rig: &Rig, pending: Result<PendingDestination, AddError>) -> Result<RegistrationId, AddError> {
    let mut pending = pending?;
    rig.settle();
    assert!(pending.poll()?, "the driver has answered");
    Ok(pending.id())
}

/// Has another driver take the place of the one that was, and the client find out.
pub(super) fn restart(rig: &Rig) {
    rig.restart_driver();
    // The first look may find a heartbeat that was not seen yet.
    for _ in 0..2 {
        rig.stop_for(Duration::from_secs(3));
        rig.settle();
    }
    rig.pass(Duration::from_millis(600));
}

/// As above, until the publication is there again, and the command for its destination lies in the ring.
fn restart_halfway(rig: &Rig, publication: &ExclusivePublication) {
    rig.restart_driver();
    while !publication.is_closed() {
        rig.stop_for(Duration::from_secs(3));
        rig.core.service();
    }
    while publication.is_closed() {
        rig.core.service();
        rig.driver().serve();
    }
    rig.stop_for(Duration::from_millis(100));
    assert!(rig.core.service() > 0);
}

fn channels(driver: &ScriptedDriver, id: RegistrationId) -> Vec<String> {
    driver.destinations_of(id).into_iter().map(|(_, channel)| channel).collect()
}

#[test]
fn destinations_come_back_with_what_they_belong_to() {
    let rig = reconnecting();
    let publication: Publication = rig.add(publication());
    let own: ExclusivePublication = rig.add(exclusive());
    let subscription: Subscription = rig.add(subscription());
    settled(&rig, publication.async_add_destination(ONE)).unwrap();
    settled(&rig, publication.async_add_destination(TWO)).unwrap();
    // Drivers go by the endpoint.
    settled(&rig, publication.async_remove_destination(&format!("{ONE}|alias=again"))).unwrap();
    rig.driver().drop_destination(publication.original_registration_id(), ONE);
    settled(&rig, own.async_add_destination(ONE)).unwrap();
    settled(&rig, own.async_add_destination(TWO)).unwrap();
    settled(&rig, subscription.async_add_destination(TWO)).unwrap();
    for _ in 0..2 {
        restart(&rig);
        assert!(rig.told().last().unwrap().contains("7 resources restored, 0 not"));
        assert_eq!(channels(&rig.driver(), publication.original_registration_id()), [TWO]);
        assert_eq!(channels(&rig.driver(), own.registration_id()), [ONE, TWO]);
        assert_eq!(channels(&rig.driver(), subscription.registration_id()), [TWO]);
    }
    let receives = |what: &(&str, i64)| what.0 == "ADD_RCV_DESTINATION";
    assert_eq!(rig.driver().executed.iter().filter(|what| receives(what)).count(), 1);
    settled(&rig, subscription.async_remove_destination(TWO)).unwrap();
    assert!(channels(&rig.driver(), subscription.registration_id()).is_empty());
}

#[test]
fn a_destination_keeps_the_id_that_it_was_added_under() {
    let rig = reconnecting();
    let publication: ExclusivePublication = rig.add(exclusive());
    let one = settled(&rig, publication.async_add_destination(ONE)).unwrap();
    let two = settled(&rig, publication.async_add_destination(TWO)).unwrap();
    // Other ids than before.
    let _one_more: Counter = rig.add(counter());
    restart(&rig);
    rig.told();
    let known = rig.driver().destinations_of(publication.registration_id());
    assert_ne!(known.iter().map(|known| known.0).collect::<Vec<_>>(), [one.get(), two.get()]);
    reject(&rig, publication.registration_id(), RegistrationId::new(known[1].0), publication.session_id());
    rig.settle();
    assert_eq!(rig.told(), [format!("{}: no thanks through {two}", publication.registration_id())]);
    remove_by_id(&rig, || publication.remove_destination_by_id(one));
    assert_eq!(channels(&rig.driver(), publication.registration_id()), [TWO]);
    restart(&rig);
    assert_eq!(channels(&rig.driver(), publication.registration_id()), [TWO]);
}

/// The destinations belong to the publication, whichever of its handles they were added and removed by.
#[test]
fn the_handles_of_a_publication_share_its_destinations() {
    let rig = reconnecting();
    let [first, second]: [Publication; 2] = [rig.add(publication()), rig.add(publication())];
    let there = || channels(&rig.driver(), second.original_registration_id());
    settled(&rig, first.async_add_destination(ONE)).unwrap();
    let two = settled(&rig, first.async_add_destination(TWO)).unwrap();
    settled(&rig, second.async_remove_destination(ONE)).unwrap();
    let _one_more: Counter = rig.add(counter());
    restart(&rig);
    assert_eq!(there(), [TWO]);
    rig.told();
    let id = RegistrationId::new(rig.driver().destinations_of(second.original_registration_id())[0].0);
    assert_ne!(id, two);
    reject(&rig, second.original_registration_id(), id, second.session_id());
    rig.settle();
    let told = rig.told();
    assert!(told.len() == 2 && told.iter().all(|what| what.ends_with(&format!("through {two}"))), "{told:?}");
    drop(first);
    rig.settle();
    restart(&rig);
    assert_eq!(there(), [TWO], "they outlive the handle that added them");
    remove_by_id(&rig, || second.remove_destination_by_id(two));
    assert!(there().is_empty());
    restart(&rig);
    assert!(there().is_empty());
}

/// A publication keeps its destinations as long as it has a handle, also over the time without a driver.
#[test]
fn a_handle_that_goes_while_there_is_no_driver_leaves_its_destinations_to_another() {
    let rig = reconnecting();
    let handles: [Publication; 3] = [rig.add(publication()), rig.add(publication()), rig.add(publication())];
    let [first, second, third] = handles;
    let alone: ExclusivePublication = rig.add(exclusive());
    settled(&rig, first.async_add_destination(ONE)).unwrap();
    settled(&rig, second.async_add_destination(TWO)).unwrap();
    settled(&rig, alone.async_add_destination(TWO)).unwrap();
    *rig.findable.lock().unwrap() = false;
    rig.stop_for(LIVENESS + Duration::from_secs(1));
    rig.settle();
    assert!(third.is_closed());
    drop(first);
    drop(alone);
    drop(second);
    *rig.findable.lock().unwrap() = true;
    restart(&rig);
    assert!(rig.told().last().unwrap().contains("3 resources restored, 0 not"));
    let mut there = channels(&rig.driver(), third.original_registration_id());
    there.sort_unstable();
    assert_eq!(there, [ONE, TWO]);
}

#[test]
fn a_handle_that_goes_before_all_is_restored_leaves_its_destinations_to_another() {
    for drops_first in [true, false] {
        let rig = reconnecting();
        let [first, second]: [Publication; 2] = [rig.add(publication()), rig.add(publication())];
        settled(&rig, first.async_add_destination(ONE)).unwrap();
        settled(&rig, second.async_add_destination(TWO)).unwrap();
        rig.restart_driver();
        rig.driver().refuse = Some(("127.0.0.1", ErrorCode::Generic));
        rig.stop_for(Duration::from_secs(3));
        rig.settle();
        rig.pass(Duration::from_millis(600));
        assert!(!first.is_closed() && !rig.told().iter().any(|what| what.contains("reconnected")));
        let (dropped, kept) = if drops_first { (first, second) } else { (second, first) };
        drop(dropped);
        rig.pass(Duration::from_millis(600));
        assert_eq!(rig.told(), [""; 0], "its destinations are awaited still");
        rig.driver().refuse = None;
        rig.pass(Duration::from_secs(1));
        assert!(rig.told().last().unwrap().contains("4 resources restored, 0 not"));
        let mut there = channels(&rig.driver(), kept.original_registration_id());
        there.sort_unstable();
        assert_eq!(there, [ONE, TWO]);
    }
}

#[test]
fn a_change_under_way_outlives_the_handle_that_asked_for_it() {
    let rig = reconnecting();
    let [first, second]: [Publication; 2] = [rig.add(publication()), rig.add(publication())];
    let mut adding = first.async_add_destination(ONE).unwrap();
    drop(first);
    rig.settle();
    assert!(adding.poll().unwrap());
    restart(&rig);
    assert_eq!(channels(&rig.driver(), second.original_registration_id()), [ONE]);
    settled(&rig, second.async_remove_destination(ONE)).unwrap();
    restart(&rig);
    assert!(channels(&rig.driver(), second.original_registration_id()).is_empty());
}

#[test]
fn a_handle_that_is_being_added_inherits_the_destinations_of_one_that_goes() {
    for answered_first in [true, false] {
        let rig = reconnecting();
        let first: Publication = rig.add(publication());
        let adding = first.async_add_destination(ONE).unwrap();
        if answered_first {
            rig.settle();
        }
        let second: Pending<Publication> = rig.ask(publication());
        drop((adding, first));
        rig.settle();
        let second = second.wait().unwrap();
        assert_eq!(channels(&rig.driver(), second.original_registration_id()), [ONE], "{answered_first}");
        restart(&rig);
        assert_eq!(channels(&rig.driver(), second.original_registration_id()), [ONE], "{answered_first}");
        assert!(rig.told().last().unwrap().contains("2 resources restored, 0 not"));
    }
}

/// One handle is there again, the other one that has added the destination is not yet.
#[test]
fn what_is_removed_before_its_handle_is_restored_stays_removed() {
    let rig = reconnecting();
    let [first, second]: [Publication; 2] = [rig.add(publication()), rig.add(publication())];
    settled(&rig, first.async_add_destination(ONE)).unwrap();
    let two = settled(&rig, first.async_add_destination(TWO)).unwrap();
    rig.restart_driver();
    rig.stop_for(Duration::from_secs(3));
    let mut commands = Vec::new();
    while commands.len() < 2 {
        rig.core.service();
        commands.extend(rig.driver().read());
    }
    // As if the first were refused for now, and asked for later.
    let ids: Vec<_> =
        commands.iter().map(|(type_id, bytes)| Command::decode(*type_id, bytes).unwrap().correlation_id()).collect();
    rig.driver().tell(&Event::Error(OnError {
        offending_correlation_id: ids[0],
        error_code: ErrorCode::ResourceTemporarilyUnavailable,
        message: Text::from("later"),
    }));
    let (type_id, bytes) = &commands[1];
    rig.driver().execute(&Command::decode(*type_id, bytes).unwrap());
    rig.settle();
    assert!(first.is_closed() && !second.is_closed());
    settled(&rig, second.async_remove_destination(ONE)).unwrap();
    remove_by_id(&rig, || second.remove_destination_by_id(two));
    rig.pass(Duration::from_secs(1));
    assert!(!first.is_closed());
    assert!(channels(&rig.driver(), second.original_registration_id()).is_empty());
    assert!(rig.told().last().unwrap().contains("2 resources restored, 0 not"));
}

/// Nor does the client wait for it for ever.
#[test]
fn a_destination_that_is_removed_before_it_is_restored_stays_removed() {
    for by_id in [false, true] {
        let rig = reconnecting();
        let publication: ExclusivePublication = rig.add(exclusive());
        let one = settled(&rig, publication.async_add_destination(ONE)).unwrap();
        rig.driver().refuse = Some(("127.0.0.1:1", ErrorCode::Generic));
        rig.restart_driver();
        rig.driver().refuse = Some(("127.0.0.1:1", ErrorCode::Generic));
        rig.stop_for(Duration::from_secs(3));
        rig.settle();
        rig.pass(Duration::from_millis(600));
        assert!(rig.told().iter().all(|what| !what.starts_with("reconnected")), "it is still asked for");
        rig.driver().refuse = None;
        if by_id {
            remove_by_id(&rig, || publication.remove_destination_by_id(one));
        } else {
            let mut removing = publication.async_remove_destination(ONE).unwrap();
            rig.settle();
            assert!(removing.poll().unwrap());
        }
        rig.pass(Duration::from_secs(1));
        assert!(channels(&rig.driver(), publication.registration_id()).is_empty(), "by id: {by_id}");
        assert!(rig.told().last().unwrap().contains("1 resources restored, 0 not"), "by id: {by_id}");
    }
}

/// The driver was asked for it by another id than before, and has not answered yet.
#[test]
fn a_destination_that_is_removed_by_id_while_it_is_asked_for_stays_removed() {
    let rig = reconnecting();
    let publication: ExclusivePublication = rig.add(exclusive());
    let one = settled(&rig, publication.async_add_destination(ONE)).unwrap();
    let _one_more: Counter = rig.add(counter());
    restart_halfway(&rig, &publication);
    remove_by_id(&rig, || publication.remove_destination_by_id(one));
    rig.pass(Duration::from_secs(1));
    assert!(channels(&rig.driver(), publication.registration_id()).is_empty());
    assert!(rig.told().last().unwrap().contains("3 resources restored, 0 not"));
}

/// Drivers number from the beginning. What one called a destination may be another one at the next.
#[test]
fn who_removes_a_destination_that_is_not_back_yet_removes_no_other() {
    let rig = reconnecting();
    let first: Counter = rig.add(counter());
    let publication: ExclusivePublication = rig.add(exclusive());
    let one = settled(&rig, publication.async_add_destination(ONE)).unwrap();
    settled(&rig, publication.async_add_destination(TWO)).unwrap();
    drop(first);
    rig.settle();
    rig.restart_driver();
    rig.driver().refuse = Some(("127.0.0.1:1", ErrorCode::Generic));
    rig.stop_for(Duration::from_secs(3));
    rig.settle();
    rig.pass(Duration::from_millis(600));
    let there = rig.driver().destinations_of(publication.registration_id());
    assert_eq!(there, [(one.get(), TWO.to_owned())], "with the id that the first had");
    remove_by_id(&rig, || publication.remove_destination_by_id(one));
    rig.driver().refuse = None;
    rig.pass(Duration::from_secs(1));
    assert_eq!(channels(&rig.driver(), publication.registration_id()), [TWO]);
    assert!(rig.told().last().unwrap().contains("2 resources restored, 0 not"));
}

/// Otherwise nobody could tell them apart.
#[test]
fn no_destination_gets_the_id_that_another_got_from_an_earlier_driver() {
    let rig = reconnecting();
    let publication: ExclusivePublication = rig.add(exclusive());
    let next_id = || rig.core.conductor().link().next_correlation_id().registration();
    (0..100).for_each(|_| _ = next_id());
    let one = settled(&rig, publication.async_add_destination(ONE)).unwrap();
    restart(&rig);
    while next_id().get() + 1 < one.get() {}
    let two = settled(&rig, publication.async_add_destination(TWO)).unwrap();
    assert_ne!(two, one);
    remove_by_id(&rig, || publication.remove_destination_by_id(one));
    assert_eq!(channels(&rig.driver(), publication.registration_id()), [TWO]);
}

/// The driver does what it is asked in order, so it must not be asked for the destination after its removal.
#[test]
fn a_destination_is_not_asked_for_while_it_is_being_removed() {
    let rig = reconnecting();
    let [first, second]: [Publication; 2] = [rig.add(publication()), rig.add(publication())];
    settled(&rig, first.async_add_destination(ONE)).unwrap();
    settled(&rig, second.async_add_destination(TWO)).unwrap();
    rig.restart_driver();
    rig.driver().refuse = Some(("127.0.0.1", ErrorCode::Generic));
    rig.stop_for(Duration::from_secs(3));
    rig.settle();
    rig.pass(Duration::from_millis(600));
    rig.driver().refuse = None;
    let mut removing = second.async_remove_destination(&format!("{ONE}|alias=again")).unwrap();
    rig.stop_for(Duration::from_millis(300));
    while rig.core.service() > 0 {}
    rig.settle();
    assert!(removing.poll().unwrap());
    rig.pass(Duration::from_secs(1));
    assert_eq!(channels(&rig.driver(), first.original_registration_id()), [TWO]);
    assert!(rig.told().last().unwrap().contains("3 resources restored, 0 not"));
}

/// Runs the driver while `remove` waits for it.
fn remove_by_id(rig: &Rig, remove: impl FnOnce() -> Result<(), AddError> + Send) {
    std::thread::scope(|threads| {
        let removing = threads.spawn(remove);
        while !removing.is_finished() {
            rig.driver().serve();
            std::thread::yield_now();
        }
        removing.join().unwrap().unwrap();
    });
}

/// The socket that served a destination before the client was given up may be open a little longer.
#[test]
fn a_destination_that_is_refused_at_first_is_asked_for_again() {
    let rig = reconnecting();
    let publication: ExclusivePublication = rig.add(exclusive());
    settled(&rig, publication.async_add_destination(ONE)).unwrap();
    rig.driver().refuse = Some(("127.0.0.1:1", ErrorCode::Generic));
    restart(&rig);
    rig.driver().refuse = Some(("127.0.0.1:1", ErrorCode::Generic));
    rig.pass(Duration::from_secs(2));
    rig.driver().refuse = None;
    rig.pass(Duration::from_secs(1));
    assert!(rig.told().last().unwrap().contains("2 resources restored, 0 not"));
    assert_eq!(channels(&rig.driver(), publication.registration_id()), [ONE]);
}

#[test]
fn a_destination_that_stays_refused_is_told_of() {
    let rig = reconnecting();
    let publication: ExclusivePublication = rig.add(exclusive());
    let one = settled(&rig, publication.async_add_destination(ONE)).unwrap();
    settled(&rig, publication.async_add_destination(TWO)).unwrap();
    rig.restart_driver();
    rig.driver().refuse = Some(("127.0.0.1:1", ErrorCode::Generic));
    rig.stop_for(Duration::from_secs(3));
    rig.settle();
    rig.pass(LIVENESS + Duration::from_secs(1));
    let told = rig.told();
    assert!(told.iter().any(|what| what.starts_with(&format!("registration {one} was not restored"))), "{told:?}");
    assert!(told.last().unwrap().contains("2 resources restored, 1 not"), "{told:?}");
    assert_eq!(channels(&rig.driver(), publication.registration_id()), [TWO]);
    rig.driver().refuse = None;
    restart(&rig);
    assert_eq!(channels(&rig.driver(), publication.registration_id()), [TWO], "it was given up");
}

#[test]
fn nobody_waits_for_destinations_of_what_was_dropped() {
    let rig = reconnecting();
    let publication: ExclusivePublication = rig.add(exclusive());
    let kept: Publication = rig.add(self::publication());
    settled(&rig, publication.async_add_destination(ONE)).unwrap();
    settled(&rig, publication.async_add_destination(TWO)).unwrap();
    rig.restart_driver();
    rig.driver().refuse = Some(("127.0.0.1", ErrorCode::Generic));
    rig.stop_for(Duration::from_secs(3));
    rig.settle();
    rig.pass(Duration::from_millis(600));
    assert!(!publication.is_closed());
    assert!(!rig.told().iter().any(|what| what.contains("reconnected")));
    drop(publication);
    assert!(rig.told().last().unwrap().contains("2 resources restored, 0 not"));
    rig.pass(Duration::from_secs(1));
    assert!(rig.core.conductor().questions.is_empty());
    drop(kept);
}

#[test]
fn destinations_under_way_survive_another_loss() {
    let rig = reconnecting();
    let publication: ExclusivePublication = rig.add(exclusive());
    settled(&rig, publication.async_add_destination(ONE)).unwrap();
    restart_halfway(&rig, &publication);
    // The driver is restarted before it has read the command.
    assert_eq!(rig.core.conductor().questions.len(), 1);
    restart(&rig);
    assert_eq!(channels(&rig.driver(), publication.registration_id()), [ONE]);
    assert!(rig.core.conductor().questions.is_empty());
}

#[test]
fn a_change_that_nobody_waits_for_takes_effect() {
    let rig = reconnecting();
    let publication: ExclusivePublication = rig.add(exclusive());
    drop(publication.async_add_destination(ONE).unwrap());
    let answered = publication.async_add_destination(TWO).unwrap();
    rig.settle();
    drop(answered);
    assert!(rig.core.conductor().questions.is_empty());
    restart(&rig);
    assert_eq!(channels(&rig.driver(), publication.registration_id()), [ONE, TWO]);
}

#[test]
fn refused_changes_change_nothing() {
    let rig = reconnecting();
    let publication: ExclusivePublication = rig.add(exclusive());
    rig.driver().refuse = Some(("127.0.0.1:1", ErrorCode::InvalidChannel));
    let error = settled(&rig, publication.async_add_destination(ONE)).unwrap_err();
    assert!(matches!(error, AddError::Refused { code: ErrorCode::InvalidChannel, .. }), "{error}");
    rig.driver().refuse = None;
    let mut unanswered = publication.async_add_destination(TWO).unwrap();
    rig.driver().read();
    rig.pass(LIVENESS);
    assert!(matches!(unanswered.poll(), Err(AddError::NoAnswer { .. })));
    assert!(matches!(unanswered.poll(), Ok(false)), "it never comes");
    restart(&rig);
    assert!(channels(&rig.driver(), publication.registration_id()).is_empty());
}

#[test]
fn a_client_without_a_driver_says_so() {
    let rig = Rig::new();
    let publication: ExclusivePublication = rig.add(exclusive());
    let client_id = rig.core.conductor().client_id();
    rig.driver().tell(&Event::ClientTimeout(OnClientTimeout { client_id }));
    rig.settle();
    assert!(matches!(publication.async_add_destination(ONE), Err(AddError::NoDriver { .. })));
    rig.driver().refuse = Some(("ipc", ErrorCode::Generic));
    assert!(rig.core.reconnect());
    rig.settle();
    let error = publication.async_add_destination(ONE).unwrap_err();
    assert!(matches!(error, AddError::NotRestored { .. }), "{error}");
    let gone = rig.core.conductor().change_destination(
        ResourceKey(4711),
        DestinationChange::Add(ONE.to_owned()),
        rig.core.now(),
    );
    assert!(matches!(gone, Err(AddError::Closed { .. })));
    rig.core.close();
    assert!(matches!(publication.async_add_destination(ONE), Err(AddError::Closed { .. })));
}
