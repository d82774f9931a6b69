//! Tests of the conductor against a driver played by hand: every event, every timeout, every way to lose the driver.

use std::io::IoSlice;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Answer, ImageHandlers, Wanted};
use crate::client::error::{AddError, Request};
use crate::client::notice::ImageHandler;
use crate::client::testing::{LIVENESS, Rig};
use crate::client::{Counter, ExclusivePublication, Image, Pending, Publication, Subscription};
use crate::command::{
    AddPublication, Command, ErrorCode, Event, GetNextAvailableSessionId, OnClientTimeout, OnCounter, OnError,
    OnNextAvailableSessionId, OnPublicationError, Text,
};
use crate::counters::CounterSpec;
use crate::logbuffer::{ControlledAction, Fragment, OfferError};
use crate::memory::RawAccess;
use crate::time::EpochMillis;
use crate::types::{ClientId, CorrelationId, CounterId, Position, RegistrationId, SessionId, StreamId};

const STREAM: StreamId = StreamId::new(1001);

fn publication() -> Wanted {
    Wanted::Publication { channel: "aeron:ipc".to_owned(), stream_id: STREAM }
}

fn exclusive() -> Wanted {
    Wanted::ExclusivePublication { channel: "aeron:ipc".to_owned(), stream_id: STREAM }
}

fn subscription() -> Wanted {
    Wanted::Subscription { channel: "aeron:ipc".to_owned(), stream_id: STREAM, handlers: Default::default() }
}

fn counter() -> Wanted {
    Wanted::Counter { type_id: 1000, key: vec![1, 2, 3], label: "mine".to_owned() }
}

fn poll(subscription: &mut Subscription) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    subscription.poll(|fragment| messages.push(fragment.payload().to_vec()), 10);
    messages
}

/// Serves a thread that waits for the driver until a handler's panic ends it.
fn await_panic(rig: &Rig, adding: std::thread::ScopedJoinHandle<'_, bool>) {
    while !adding.is_finished() {
        // What the driver says to a command is heard at once, or not at all yet.
        let conductor = rig.core.conductor();
        rig.driver().serve();
        drop(conductor);
        std::thread::yield_now();
    }
    assert!(adding.join().is_err(), "the panic is the caller's");
}

/// A receiver rejects a publication, through that destination.
fn reject(rig: &Rig, registration_id: RegistrationId, destination: RegistrationId, session_id: SessionId) {
    rig.driver().tell(&Event::PublicationError(OnPublicationError {
        registration_id,
        destination_registration_id: destination,
        session_id,
        stream_id: STREAM,
        receiver_id: 9,
        group_tag: -1,
        source: None,
        error_code: ErrorCode::ImageRejected,
        message: Text::from("no thanks"),
    }));
}

#[test]
fn a_message_goes_from_publication_to_subscription() {
    let rig = Rig::new();
    let shared: Publication = rig.add(publication());
    let mut own: ExclusivePublication = rig.add(exclusive());
    assert_eq!(shared.offer(b"early"), Err(OfferError::NotConnected));
    let mut subscription: Subscription = rig.add(subscription());
    assert_eq!(subscription.images().len(), 2);
    rig.driver().move_limits();
    assert!(shared.is_connected() && own.is_connected() && subscription.is_connected());
    shared.offer(b"from the shared one").unwrap();
    own.offer(b"from the exclusive one").unwrap();
    let mut messages = poll(&mut subscription);
    messages.sort();
    assert_eq!(messages, [b"from the exclusive one".to_vec(), b"from the shared one".to_vec()]);
    assert_eq!(poll(&mut subscription), Vec::<Vec<u8>>::new());
}

/// Whoever looks for counters of a handle has their ids, and who reads blocks gets one of each image.
#[test]
fn blocks_come_from_every_image_and_handles_name_their_counters() {
    let rig = Rig::new();
    let mut publications: Vec<ExclusivePublication> = (0..2).map(|_| rig.add(exclusive())).collect();
    let shared: Publication = rig.add(publication());
    let mut subscription: Subscription = rig.add(subscription());
    rig.driver().move_limits();
    let parts = [IoSlice::new(b"gath"), IoSlice::new(b""), IoSlice::new(b"ered")];
    for publication in &mut publications {
        publication.offer_vectored_with(&parts, 7).unwrap();
        publication.offer(b"next").unwrap();
        assert_eq!(rig.driver().reader().value(publication.position_limit_id()), Some(32 << 10));
    }
    shared.offer_vectored_with(&parts, 8).unwrap();
    assert_eq!(rig.driver().reader().value(shared.position_limit_id()), Some(32 << 10));
    let mut blocks = Vec::new();
    let length =
        subscription.block_poll(|block| blocks.push((block.session_id, block.bytes.len(), block.bytes[24])), 64);
    assert_eq!(length, 3 * 64);
    let sessions = [publications[0].session_id(), publications[1].session_id(), shared.session_id()];
    assert_eq!(blocks, [(sessions[0], 64, 7), (sessions[1], 64, 7), (sessions[2], 64, 8)]);
    assert_eq!(subscription.block_poll(|_| {}, 64), 2 * 64);
    assert_eq!(subscription.block_poll(|_| {}, 64), 0);
    for image in subscription.images() {
        let counter = rig.driver().reader().get(image.subscriber_position_id()).unwrap();
        assert_eq!((counter.reference_id, counter.value), (image.correlation_id().get(), image.position().get()));
        assert_eq!(image.info().subscriber_position_id(), counter.id);
    }
}

#[test]
fn a_turn_starts_with_another_image_each_time() {
    let rig = Rig::new();
    let mut publications: Vec<ExclusivePublication> = (0..3).map(|_| rig.add(exclusive())).collect();
    let mut subscription: Subscription = rig.add(subscription());
    rig.driver().move_limits();
    for (index, publication) in publications.iter_mut().enumerate() {
        for _ in 0..3 {
            publication.offer(&[index as u8]).unwrap();
        }
    }
    let mut order = Vec::new();
    for _ in 0..9 {
        assert_eq!(subscription.poll(|fragment| order.push(fragment.payload()[0]), 1), 1);
    }
    assert_eq!(order, [0, 1, 2, 0, 1, 2, 0, 1, 2]);
}

/// Trap 26: the key of a log is the publication's original registration id, whoever publishes or reads it.
#[test]
fn trap_26_publishers_and_readers_of_a_log_share_one_mapping() {
    let rig = Rig::new();
    let first: Publication = rig.add(publication());
    let second: Publication = rig.add(publication());
    let _subscription: Subscription = rig.add(subscription());
    assert_ne!(first.registration_id(), second.registration_id());
    assert_eq!(first.original_registration_id(), second.original_registration_id());
    assert_eq!(rig.core.conductor().logs.len(), 1);
    drop((first, second));
    rig.settle();
    assert_eq!(rig.core.conductor().logs.len(), 1, "it lingers");
    rig.pass(Duration::from_secs(4));
    assert_eq!(rig.core.conductor().logs.len(), 0);
}

#[test]
fn what_is_dropped_is_given_back() {
    let rig = Rig::new();
    let publication: Publication = rig.add(publication());
    let own: ExclusivePublication = rig.add(exclusive());
    let subscription: Subscription = rig.add(subscription());
    let counter: Counter = rig.add(counter());
    assert_eq!(rig.driver().resources(), (2, 1, 1));
    drop(own);
    rig.settle();
    assert_eq!(rig.driver().resources(), (1, 1, 1));
    drop(publication);
    drop(counter);
    drop(subscription);
    rig.settle();
    assert_eq!(rig.driver().resources(), (0, 0, 0));
    assert!(rig.core.conductor().resources.is_empty());
}

#[test]
fn what_is_dropped_before_it_came_is_given_back_when_it_comes() {
    let rig = Rig::new();
    let pending: [Pending<Publication>; 2] = [rig.ask(publication()), rig.ask(publication())];
    let subscription: Pending<Subscription> = rig.ask(subscription());
    drop((pending, subscription));
    rig.settle();
    assert_eq!(rig.driver().resources(), (0, 0, 0));
    assert!(rig.core.conductor().abandoned.is_empty());
}

/// Trap 28: what is refused because it is still going away is asked for again.
#[test]
fn trap_28_who_waits_asks_again_for_what_is_still_going_away() {
    let rig = Rig::new();
    rig.driver().refuse = Some(("ipc", ErrorCode::ResourceTemporarilyUnavailable));
    std::thread::scope(|threads| {
        let adding = threads.spawn(|| rig.core.add_and_wait::<Publication>(publication).unwrap());
        while rig.driver().executed.len() < 3 {
            rig.driver().serve();
            std::thread::yield_now();
        }
        rig.driver().refuse = None;
        while !adding.is_finished() {
            rig.driver().serve();
            std::thread::yield_now();
        }
        assert!(!adding.join().unwrap().is_closed());
    });
}

/// The same for a replay, which cannot wait.
#[cfg(feature = "journal")]
#[test]
fn trap_28_who_is_patient_asks_again_until_the_deadline() {
    use crate::client::Patient;

    let rig = Rig::new();
    let wanted = |channel, stream_id| Wanted::ExclusivePublication { channel, stream_id };
    let ask = || Patient::<ExclusivePublication>::new(&rig.core, "aeron:ipc", 1001, wanted).unwrap();
    rig.driver().refuse = Some(("ipc", ErrorCode::ResourceTemporarilyUnavailable));
    let mut patient = ask();
    for _ in 0..3 {
        rig.settle();
        assert!(patient.poll().unwrap().is_none());
    }
    rig.driver().refuse = None;
    rig.settle();
    assert!(!patient.poll().unwrap().expect("it was added").is_closed());

    for (code, told) in
        [(ErrorCode::StorageSpace, "at once"), (ErrorCode::ResourceTemporarilyUnavailable, "in the end")]
    {
        let mut patient = ask();
        rig.driver().refuse = Some(("ipc", code));
        if code == ErrorCode::ResourceTemporarilyUnavailable {
            rig.settle();
            assert!(patient.poll().unwrap().is_none());
            rig.pass(LIVENESS);
        }
        rig.settle();
        assert!(matches!(patient.poll(), Err(AddError::Refused { code: found, .. }) if found == code), "{told}");
        rig.driver().refuse = None;
    }
}

#[test]
fn a_refusal_names_what_was_refused_and_why() {
    let rig = Rig::new();
    rig.driver().refuse = Some(("ipc", ErrorCode::StorageSpace));
    let mut pending: Pending<Publication> = rig.ask(publication());
    rig.settle();
    let error = pending.poll().unwrap_err();
    assert!(
        matches!(&error, AddError::Refused { code: ErrorCode::StorageSpace, message, .. } if message == "not today")
    );
    let text = error.to_string();
    assert!(text.contains("aeron:ipc") && text.contains("1001") && text.contains("free space"), "{text}");
    assert!(!pending.is_pending());
    assert!(rig.core.conductor().resources.is_empty());
}

/// Trap 31's other half: who is not answered gives up by himself, and gives back what comes too late.
#[test]
fn an_answer_that_does_not_come_is_a_timeout_and_one_that_is_late_is_undone() {
    let rig = Rig::new();
    let mut pending: Pending<Publication> = rig.ask(publication());
    let commands = rig.driver().read();
    rig.pass(LIVENESS - Duration::from_millis(100));
    assert!(matches!(pending.poll(), Ok(None)));
    rig.pass(Duration::from_millis(200));
    assert!(matches!(pending.poll(), Err(AddError::NoAnswer { waited, .. }) if waited == LIVENESS));
    rig.driver().execute(&Command::decode(commands[0].0, &commands[0].1).unwrap());
    assert_eq!(rig.driver().resources(), (1, 0, 0));
    rig.settle();
    assert_eq!(rig.driver().resources(), (0, 0, 0));
}

/// Trap 27: a subscription may own several images, and loses them all.
#[test]
fn trap_27_images_come_and_go_with_their_handlers() {
    let rig = Rig::new();
    let mut subscription: Subscription = rig.add(subscription());
    let first: ExclusivePublication = rig.add(exclusive());
    let second: ExclusivePublication = rig.add(exclusive());
    let ids = [&first, &second].map(|publication| publication.registration_id());
    let told = rig.told();
    let images: Vec<_> = told.iter().filter(|what| what.starts_with("image")).cloned().collect();
    assert_eq!(images, ids.map(|id| format!("image {id}")));
    assert_eq!(subscription.images().len(), 2);
    drop(first);
    rig.settle();
    assert!(rig.told().contains(&format!("no image {}", ids[0])));
    assert_eq!(subscription.images().len(), 1);
    drop(subscription);
    rig.settle();
    assert_eq!(
        rig.told(),
        [format!("no image {}", ids[1])],
        "closing a subscription tells its handler, not the driver"
    );
}

/// A log occupies memory as long as it is mapped, and an application may keep descriptions for statistics.
#[test]
fn who_keeps_the_description_of_an_image_does_not_keep_its_log() {
    let rig = Rig::new();
    let mut subscription: Subscription = rig.add(subscription());
    let publication: ExclusivePublication = rig.add(exclusive());
    let log = format!("/{}.logbuffer", publication.registration_id());
    let dir = rig.driver().dir();
    let mappings = || {
        let maps = std::fs::read_to_string("/proc/self/maps").expect("Linux tells");
        maps.lines().filter(|line| line.contains(dir.to_str().expect("text")) && line.contains(&log)).count()
    };
    let info = subscription.images()[0].info();
    assert!(mappings() > 0 && !info.is_closed());
    let about = (info.initial_term_id(), info.term_buffer_length(), info.mtu_length());
    drop(publication);
    rig.settle();
    assert!(subscription.images().is_empty() && info.is_closed());
    rig.pass(Duration::from_secs(4));
    assert_eq!(mappings(), 0);
    assert_eq!((info.initial_term_id(), info.term_buffer_length(), info.mtu_length()), about);
    // This driver does not say where streams end.
    assert_eq!((info.end_of_stream_position(), info.is_revoked(), info.active_transport_count()), (None, false, 0));
}

/// Trap 25: the driver says nothing of the images of a subscription that is removed, and their logs are let go all the same.
#[test]
fn trap_25_the_images_of_a_removed_subscription_let_their_logs_go() {
    let rig = Rig::new();
    let subscription: Subscription = rig.add(subscription());
    let publication: ExclusivePublication = rig.add(exclusive());
    drop(subscription);
    drop(publication);
    rig.pass(Duration::from_secs(4));
    assert_eq!(rig.core.conductor().logs.len(), 0);
}

/// A client that hears late of an image that came and went has nothing to complain of.
#[test]
fn an_image_that_came_and_went_unheard_is_no_error() {
    let rig = Rig::new();
    let mut subscription: Subscription = rig.add(subscription());
    let publication: Pending<ExclusivePublication> = rig.ask(exclusive());
    rig.driver().serve();
    rig.told();
    drop(publication);
    let id = rig.driver().executed.last().expect("the publication was added").1;
    rig.driver().remove_publication(id);
    rig.settle();
    let told = rig.told();
    assert!(!told.iter().any(|what| what.contains("image")), "{told:?}");
    assert!(subscription.images().is_empty());
    assert_eq!(rig.core.conductor().logs.len(), 0);
}

#[test]
fn an_image_that_ended_unseen_never_reaches_its_poller() {
    let rig = Rig::new();
    let mut subscription: Subscription = rig.add(subscription());
    for _ in 0..100 {
        let publication: ExclusivePublication = rig.add(exclusive());
        drop(publication);
        rig.settle();
    }
    let publication: ExclusivePublication = rig.add(exclusive());
    assert_eq!(subscription.images().len(), 1);
    drop(publication);
}

/// Trap 62: once a client knows that it was given up, it stores to no position counter any more, whatever its pollers do.
#[test]
fn trap_62_a_client_that_was_given_up_leaves_its_position_counters_alone() {
    let rig = Rig::new();
    let mut subscription: Subscription = rig.add(subscription());
    let mut publication: ExclusivePublication = rig.add(exclusive());
    rig.driver().move_limits();
    publication.offer(b"one").unwrap();
    publication.offer(b"two").unwrap();
    assert_eq!(subscription.poll(|_| {}, 1), 1);
    let image = subscription.images()[0].info();
    let client_id = rig.core.conductor().client_id();
    rig.driver().tell(&Event::ClientTimeout(OnClientTimeout { client_id }));
    rig.core.service();
    assert_eq!(subscription.poll(|_| {}, 10), 0);
    assert_eq!(image.position().get(), 64);
    let counters = rig.driver().reader();
    let position = counters.find(4, subscription.registration_id()).unwrap();
    assert_eq!(counters.value(position), Some(64));
}

/// Has the driver give up the only image of the subscription, and its position counter, with the value 5, to somebody else. The
/// client's conductor knows nothing of it.
fn give_counter_away(rig: &Rig, subscription: RegistrationId, publication: RegistrationId) -> CounterId {
    let mut driver = rig.driver();
    driver.end_image(subscription.get(), publication.get());
    let later = EpochMillis::new(i64::MAX / 2);
    driver.beat(later);
    let spec = CounterSpec::application(1000, &[], b"another's", RegistrationId::new(77), ClientId::new(78));
    let reused = driver.counters.allocate(later, &spec.starting_at(5)).unwrap();
    assert_eq!(driver.reader().value(reused), Some(5));
    reused
}

/// Trap 35: a position counter may be another's by the time that a client which was stopped reads on.
#[test]
fn trap_35_an_image_does_not_store_to_a_counter_that_is_not_its_own() {
    let rig = Rig::new();
    let mut subscription: Subscription = rig.add(subscription());
    let mut publication: ExclusivePublication = rig.add(exclusive());
    rig.driver().move_limits();
    publication.offer(b"one").unwrap();
    publication.offer(b"two").unwrap();
    assert_eq!(subscription.poll(|_| {}, 1), 1);
    let counter = rig.driver().reader().find(4, subscription.registration_id());
    let reused = give_counter_away(&rig, subscription.registration_id(), publication.registration_id());
    assert_eq!(counter, Some(reused), "the test reuses the image's counter");
    assert_eq!(poll(&mut subscription), Vec::<Vec<u8>>::new());
    assert_eq!(rig.driver().reader().value(reused), Some(5));
    assert!(subscription.images()[0].is_closed());
}

/// Trap 35: so it may by the time that a handler returns.
#[test]
fn trap_35_a_poll_under_way_does_not_store_to_a_counter_that_was_given_away() {
    type Poll = fn(&mut Image, &mut dyn FnMut());
    let polls: [Poll; 4] = [
        |image, during| _ = image.poll(|_| during(), 1),
        |image, during| _ = image.bounded_poll(|_| during(), Position::new(64), 10),
        |image, during| {
            let commit = |_: Fragment<'_>| {
                during();
                ControlledAction::Commit
            };
            image.controlled_poll(commit, 1);
        },
        |image, during| _ = image.block_poll(|_| during(), 64),
    ];
    for poll in polls {
        let rig = Rig::new();
        let mut subscription: Subscription = rig.add(subscription());
        let mut publication: ExclusivePublication = rig.add(exclusive());
        rig.driver().move_limits();
        publication.offer(b"one").unwrap();
        let (id, mut reused) = (subscription.registration_id(), None);
        let image = &mut subscription.images_mut()[0];
        poll(image, &mut || reused = Some(give_counter_away(&rig, id, publication.registration_id())));
        assert_eq!(rig.driver().reader().value(reused.expect("it was polled")), Some(5));
        assert_eq!(image.position().get(), 64, "it was read all the same");
    }
}

/// An image that went and came again while a handler ran has the same position counter: the poll that was under way belongs to
/// the past of it.
#[test]
fn a_poll_under_way_does_not_move_the_image_that_came_again() {
    let rig = Rig::new();
    let mut subscription: Subscription = rig.add(subscription());
    let mut publication: ExclusivePublication = rig.add(exclusive());
    rig.driver().move_limits();
    publication.offer(b"one").unwrap();
    publication.offer(b"two").unwrap();
    let counter = rig.driver().reader().find(4, subscription.registration_id()).unwrap();
    let polled = subscription.poll(
        |_| {
            rig.driver().rejoin_image(publication.registration_id().get(), 128.into());
            rig.settle();
        },
        1,
    );
    assert_eq!(polled, 1);
    assert_eq!(rig.driver().reader().value(counter), Some(128));
    publication.offer(b"three").unwrap();
    assert_eq!(poll(&mut subscription), [b"three"]);
}

/// Where a client goes on from, once it is well again, is where it got to, not what another has in the counter.
#[test]
fn an_image_of_a_client_that_was_stopped_tells_how_far_it_got() {
    let rig = Rig::new();
    let mut subscription: Subscription = rig.add(subscription());
    let mut publication: ExclusivePublication = rig.add(exclusive());
    rig.driver().move_limits();
    publication.offer(b"one").unwrap();
    assert_eq!(subscription.poll(|_| {}, 1), 1);
    let image = subscription.images()[0].info();
    give_counter_away(&rig, subscription.registration_id(), publication.registration_id());
    assert_eq!(image.position().get(), 64);
    rig.stop_for(2 * LIVENESS);
    rig.core.service();
    assert!(image.is_closed());
    assert_eq!(image.position().get(), 64);
}

#[test]
fn an_image_keeps_its_last_position() {
    let rig = Rig::new();
    let mut subscription: Subscription = rig.add(subscription());
    let mut publication: ExclusivePublication = rig.add(exclusive());
    rig.driver().move_limits();
    publication.offer(b"one").unwrap();
    assert_eq!(subscription.poll(|_| {}, 10), 1);
    let image = subscription.images()[0].info();
    assert_eq!((image.join_position().get(), image.position().get()), (0, 64));
    rig.driver().log(publication.registration_id().get()).metadata().set_end_of_stream_position(64.into());
    drop(publication);
    rig.settle();
    assert!(image.is_closed() && image.is_end_of_stream());
    assert_eq!(image.position().get(), 64);
    assert_eq!(image.source_identity(), "aeron:ipc");
}

/// Trap 35: a counter, too, may be another's by the time that a client which was stopped stores to it.
#[test]
fn trap_35_a_counter_that_was_given_away_is_not_stored_to() {
    let rig = Rig::new();
    let own: Counter = rig.add(counter());
    own.set(7).unwrap();
    let mut driver = rig.driver();
    let later = EpochMillis::new(i64::MAX / 2);
    driver.counters.free(EpochMillis::new(0), own.id());
    assert_eq!(own.get(), Ok(7), "until it is used again it does no harm");
    let spec = CounterSpec::application(1000, &[], b"another's", RegistrationId::new(77), ClientId::new(78));
    let reused = driver.counters.allocate(later, &spec.starting_at(5)).unwrap();
    assert_eq!(reused, own.id(), "the test reuses the counter's record");
    let outcomes = [own.set(1).is_err(), own.add(1).is_err(), own.compare_and_set(5, 1).is_err(), own.get().is_err()];
    assert_eq!(outcomes, [true; 4]);
    assert!(own.is_closed());
    assert_eq!(driver.reader().value(reused), Some(5));
}

/// Whoever waits for something to read is not kept awake by a handler that cannot take it now.
#[test]
fn a_handler_that_aborts_ends_the_wait() {
    let rig = Rig::new();
    let mut subscription: Subscription = rig.add(subscription());
    let mut publication: ExclusivePublication = rig.add(exclusive());
    rig.driver().move_limits();
    publication.offer(b"one").unwrap();
    let mut asked = 0;
    let abort = |_: Fragment<'_>| {
        asked += 1;
        assert_eq!(asked, 1, "the clock stands still, and this would go on for ever");
        ControlledAction::Abort
    };
    assert_eq!(subscription.controlled_poll_wait(abort, 10, Duration::from_secs(3600)), 0);
    assert_eq!(subscription.controlled_poll_wait(|_| ControlledAction::Break, 10, Duration::from_secs(3600)), 1);
}

/// While a handler waits, no other notice is delivered. Its answer comes after the events that these tell of, however many
/// there are.
#[test]
fn a_handler_gets_its_answer_whatever_comes_before() {
    let rig = Rig::new();
    let (told, heard) = std::sync::mpsc::channel();
    let (core, driver) = (Arc::downgrade(&rig.core), Arc::clone(&rig.driver));
    let available: ImageHandler = Arc::new(Mutex::new(Box::new(move |_| {
        let core = core.upgrade().unwrap();
        let ask = |client_id, correlation_id| {
            Command::GetNextAvailableSessionId(GetNextAvailableSessionId {
                client_id,
                correlation_id,
                stream_id: STREAM,
            })
        };
        let id = core.conductor().ask(Request::SessionId { stream_id: STREAM }, core.now(), ask).unwrap();
        let mut turns = 0;
        let outcome = core.wait_for(|conductor| {
            turns += 1;
            let mut driver = driver.lock().unwrap();
            // As many as are received in a turn, so none is lost.
            for _ in 0..super::EVENTS_PER_CYCLE {
                let (registration_id, counter_id) = (RegistrationId::new(4711), CounterId::new(7));
                driver.tell(&Event::CounterReady(OnCounter { registration_id, counter_id }));
            }
            if turns == 2 * super::MAX_NOTICES / super::EVENTS_PER_CYCLE {
                let (correlation_id, session_id) = (id, SessionId::new(9));
                driver.tell(&Event::NextAvailableSessionId(OnNextAvailableSessionId { correlation_id, session_id }));
            }
            let is_late = turns > 3 * super::MAX_NOTICES / super::EVENTS_PER_CYCLE;
            conductor.answer_to(id).map(|answer| answer.is_ok()).or(is_late.then_some(false))
        });
        told.send(outcome).unwrap();
    })));
    let handlers = ImageHandlers { available: Some(available), unavailable: None };
    let _subscription: Subscription =
        rig.add(Wanted::Subscription { channel: "aeron:ipc".to_owned(), stream_id: STREAM, handlers });
    rig.driver().execute(&Command::AddExclusivePublication(AddPublication {
        client_id: ClientId::new(4711),
        correlation_id: CorrelationId::new(9_001),
        stream_id: STREAM,
        channel: Text::from("aeron:ipc"),
    }));
    rig.core.service();
    assert_eq!(heard.try_recv(), Ok(true));
}

/// So are answers that a panic kept from whoever asked.
#[test]
fn an_answer_that_a_panic_kept_from_its_caller_is_forgotten() {
    let rig = Rig::new();
    let own: ExclusivePublication = rig.add(exclusive());
    let panicking: ImageHandler = Arc::new(Mutex::new(Box::new(|_| panic!("as it was told to"))));
    let handlers = ImageHandlers { available: Some(panicking), unavailable: None };
    let wanted = Wanted::Subscription { channel: "aeron:ipc".to_owned(), stream_id: STREAM, handlers };
    let _subscription: Pending<Subscription> = rig.ask(wanted);
    std::thread::scope(|threads| {
        let adding = threads.spawn(|| own.add_destination("aeron:udp?endpoint=127.0.0.1:1").is_ok());
        await_panic(&rig, adding);
    });
    rig.settle();
    assert!(rig.core.conductor().questions.is_empty());
    assert_eq!(rig.driver().destinations_of(own.registration_id()).len(), 1, "it happened all the same");
}

/// What was asked for by a call that a handler's panic ended is given back.
#[test]
fn what_a_panic_kept_from_its_caller_is_given_back() {
    let rig = Rig::new();
    let _publication: ExclusivePublication = rig.add(exclusive());
    let panicking: ImageHandler = Arc::new(Mutex::new(Box::new(|_| panic!("as it was told to"))));
    let wanted = || Wanted::Subscription {
        channel: "aeron:ipc".to_owned(),
        stream_id: STREAM,
        handlers: ImageHandlers { available: Some(Arc::clone(&panicking)), unavailable: None },
    };
    std::thread::scope(|threads| {
        let adding = threads.spawn(|| rig.core.add_and_wait::<Subscription>(wanted).is_ok());
        await_panic(&rig, adding);
    });
    rig.settle();
    assert_eq!(rig.driver().resources(), (1, 0, 0));
}

#[test]
fn counters_are_added_found_and_given_back() {
    let rig = Rig::new();
    let own: Counter = rig.add(counter());
    own.set(7).unwrap();
    assert_eq!(own.add(3), Ok(7));
    assert_eq!(own.compare_and_set(10, 11), Ok(true));
    let record = rig.driver().reader().get(own.id()).unwrap();
    assert_eq!((record.value, record.type_id, record.label.to_string()), (11, 1000, "mine".to_owned()));
    let fixed = || Wanted::StaticCounter {
        registration_id: RegistrationId::new(42),
        type_id: 1001,
        key: vec![],
        label: "fixed".to_owned(),
    };
    let first: Counter = rig.add(fixed());
    first.set(1).unwrap();
    assert_eq!(first.registration_id().get(), 42);
    drop(first);
    rig.settle();
    let second: Counter = rig.add(fixed());
    assert_eq!(second.get(), Ok(1), "static counters outlive their clients");
    let told = rig.told();
    assert!(told.contains(&format!("counter {}", own.id())), "{told:?}");
    let id = own.id();
    drop(own);
    rig.settle();
    assert_eq!(rig.told(), [format!("no counter {id}")]);
}

/// Trap 29: the driver makes the heartbeat counter with the first command that creates something, and not before.
#[test]
fn trap_29_the_heartbeat_starts_with_the_first_resource() {
    let rig = Rig::new();
    let client_id = rig.core.conductor().client_id();
    rig.pass(Duration::from_secs(30));
    assert!(rig.core.conductor().is_connected(), "a client without resources cannot time out");
    let publication: Publication = rig.add(publication());
    rig.pass(Duration::from_secs(1));
    let first = rig.driver().heartbeat_of(client_id).unwrap();
    rig.pass(Duration::from_secs(1));
    assert!(rig.driver().heartbeat_of(client_id).unwrap() >= first + 500);
    let counter = rig.driver().heartbeat_counter_of(client_id).unwrap();
    let label = rig.driver().reader().get(counter).unwrap().label.to_string();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(label, format!("client-heartbeat: id={client_id} name=rig version={version} commit="));
    drop(publication);
}

/// Trap 32: another counter with the same registration id, or another type, is not the heartbeat.
#[test]
fn trap_32_the_heartbeat_is_found_by_type_and_key() {
    let rig = Rig::new();
    let client_id = rig.core.conductor().client_id();
    let label = b"no heartbeat".as_slice();
    let owner = crate::types::ClientId::new(1);
    let registration = RegistrationId::new(client_id.get());
    let other =
        crate::counters::CounterSpec::application(1000, &client_id.get().to_le_bytes(), label, registration, owner);
    let wrong_key = crate::counters::CounterSpec { type_id: 11, key: Default::default(), ..other.clone() };
    for spec in [other, wrong_key] {
        let now = crate::time::EpochMillis::new(1);
        rig.driver().counters.allocate(now, &spec).unwrap();
    }
    rig.pass(Duration::from_secs(1));
    assert!(rig.core.conductor().heartbeat.is_none());
}

/// Trap 72: after CLIENT_CLOSE nothing is stored to the heartbeat any more.
#[test]
fn trap_72_a_closed_client_does_not_beat() {
    let rig = Rig::new();
    let client_id = rig.core.conductor().client_id();
    let publication: Publication = rig.add(publication());
    rig.pass(Duration::from_secs(1));
    let counter = rig.driver().heartbeat_counter_of(client_id).unwrap();
    rig.core.close();
    let reader = rig.driver().reader();
    let word = reader.own_value(counter, RawAccess::ENGINE).unwrap();
    word.store_release(0);
    for _ in 0..100 {
        rig.stop_for(Duration::from_millis(100));
        rig.core.service();
    }
    assert_eq!(word.load_relaxed(), 0);
    assert_eq!(publication.offer(b"x"), Err(OfferError::Closed));
    rig.driver().serve();
    let executed = rig.driver().executed.clone();
    let ids = [publication.registration_id().get(), client_id.get()];
    assert_eq!(executed[1..], [("REMOVE_PUBLICATION", ids[0]), ("CLIENT_CLOSE", ids[1])]);
    assert_eq!(rig.told().last().unwrap(), "closed");
}

#[test]
fn a_closed_client_refuses_and_its_handles_stay_safe() {
    let rig = Rig::new();
    let publication: Publication = rig.add(publication());
    let mut own: ExclusivePublication = rig.add(exclusive());
    let mut subscription: Subscription = rig.add(subscription());
    let counter: Counter = rig.add(counter());
    rig.driver().move_limits();
    publication.offer(b"x").unwrap();
    let mut late: Pending<Publication> = rig.ask(self::publication());
    rig.core.close();
    rig.core.close();
    assert!(matches!(late.poll(), Err(AddError::Closed { .. })));
    assert!(matches!(rig.core.add(self::publication()), Err(AddError::Closed { .. })));
    assert_eq!(publication.offer(b"x"), Err(OfferError::Closed));
    assert_eq!(publication.try_claim(1).unwrap_err(), OfferError::Closed);
    assert_eq!(own.offer(b"x"), Err(OfferError::Closed));
    assert!(poll(&mut subscription).is_empty() && subscription.is_closed() && subscription.images().is_empty());
    assert!(counter.set(1).is_err() && counter.is_closed());
    assert_eq!(publication.position(), None);
    assert_eq!(publication.stream_id(), STREAM, "what was bound stays readable");
    drop(rig);
    assert_eq!(own.offer(b"x"), Err(OfferError::Closed));
}

#[test]
fn a_full_ring_delays_removals_and_refuses_adds() {
    let rig = Rig::new();
    let publications: Vec<Publication> = (0..3).map(|_| rig.add(publication())).collect();
    let mut pending: Vec<Pending<Counter>> = Vec::new();
    let error = loop {
        match rig.core.add(counter()) {
            Ok(key) => pending.push(Pending::new(std::sync::Arc::clone(&rig.core), key)),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, AddError::RingFull { .. }), "{error}");
    drop(publications);
    std::mem::forget(pending);
    assert!(!rig.core.conductor().unsent.is_empty());
    // The scripted driver has few counters: it only reads.
    rig.driver().read();
    rig.core.service();
    assert!(rig.core.conductor().unsent.is_empty());
    rig.settle();
    assert_eq!(rig.driver().resources(), (0, 0, 0));
}

/// What is removed may have a session id or a port that is asked for next.
#[test]
fn what_is_asked_for_does_not_pass_a_removal_that_waits_for_room() {
    let rig = Rig::new();
    let publication: ExclusivePublication = rig.add(exclusive());
    let id = publication.registration_id().get();
    let mut pending: Vec<Pending<Counter>> = Vec::new();
    while let Ok(key) = rig.core.add(counter()) {
        pending.push(Pending::new(Arc::clone(&rig.core), key));
    }
    drop(publication);
    rig.driver().read();
    let _again: Pending<ExclusivePublication> = rig.ask(exclusive());
    rig.driver().executed.clear();
    rig.driver().serve();
    let executed = rig.driver().executed.clone();
    assert_eq!(executed[0], ("REMOVE_PUBLICATION", id), "{executed:?}");
    assert_eq!(executed[1].0, "ADD_EXCLUSIVE_PUBLICATION");
    std::mem::forget(pending);
}

#[test]
fn a_request_that_fits_no_command_is_refused() {
    let rig = Rig::new();
    let channel = format!("aeron:ipc?alias={}", "x".repeat(1 << 20));
    let error = rig.core.add(Wanted::Publication { channel, stream_id: STREAM }).unwrap_err();
    assert!(matches!(error, AddError::TooLong { most: 8192, .. }), "{error:?}");
}

#[test]
fn questions_are_answered_or_time_out() {
    let rig = Rig::new();
    let ask = || {
        let request = Request::SessionId { stream_id: STREAM };
        let now = crate::time::Clock::monotonic(&rig.clock);
        let command = |client_id, correlation_id| {
            Command::GetNextAvailableSessionId(GetNextAvailableSessionId {
                client_id,
                correlation_id,
                stream_id: STREAM,
            })
        };
        rig.core.conductor().ask(request, now, command).unwrap()
    };
    let (first, second) = (ask(), ask());
    assert_eq!(rig.driver().read().len(), 2);
    let session_id = SessionId::new(-5);
    rig.driver().tell(&Event::NextAvailableSessionId(OnNextAvailableSessionId { correlation_id: first, session_id }));
    rig.pass(Duration::from_millis(100));
    let answer = rig.core.conductor().answer_to(first);
    assert!(matches!(answer, Some(Ok(Answer::SessionId(id))) if id == session_id));
    assert!(rig.core.conductor().answer_to(second).is_none());
    rig.pass(LIVENESS);
    assert!(matches!(rig.core.conductor().answer_to(second), Some(Err(AddError::NoAnswer { .. }))));
    assert!(rig.core.conductor().questions.is_empty());
}

/// Trap 38: a driver that does not state its protocol is not asked for session ids.
#[test]
fn trap_38_session_ids_are_made_up_where_the_driver_cannot_be_asked() {
    let rig = Rig::new();
    let first = rig.core.next_session_id(STREAM).unwrap();
    let second = rig.core.next_session_id(STREAM).unwrap();
    assert_ne!(first, second);
    assert!(rig.driver().read().is_empty());
    let version = RegistrationId::new(43);
    let owner = crate::types::ClientId::new(-1);
    let spec = crate::counters::CounterSpec::application(
        0,
        &43_i32.to_le_bytes(),
        b"Control protocol version",
        version,
        owner,
    );
    let now = crate::time::EpochMillis::new(1);
    rig.driver().counters.allocate(now, &spec.starting_at(1 << 16)).unwrap();
    assert!(rig.core.conductor().link().answers_for_session_ids());
}

#[test]
fn errors_of_publications_reach_every_publisher_of_the_log() {
    let rig = Rig::new();
    let (first, second): (Publication, Publication) = (rig.add(publication()), rig.add(publication()));
    let other: ExclusivePublication = rig.add(exclusive());
    rig.told();
    reject(&rig, first.original_registration_id(), RegistrationId::new(-1), first.session_id());
    rig.settle();
    let ids = [first.registration_id(), second.registration_id()];
    assert_eq!(rig.told(), ids.map(|id| format!("{id}: no thanks")));
    drop(other);
}

#[test]
fn a_failed_endpoint_is_reported() {
    let rig = Rig::new();
    rig.driver().tell(&Event::Error(OnError {
        offending_correlation_id: CorrelationId::new(3),
        error_code: ErrorCode::ChannelEndpointError,
        message: Text::from("gone"),
    }));
    rig.settle();
    assert_eq!(rig.told(), ["error: the channel endpoint with status counter 3 failed: gone"]);
}

/// Traps 16 and 17: what concerns others is ignored, an old event too, and garbage is skipped and reported.
#[test]
fn trap_17_events_of_others_are_ignored() {
    let rig = Rig::new();
    let other = Rig::new();
    let _publication: Publication = other.add(publication());
    let told = rig.told();
    assert!(told.is_empty());
    let mut driver = rig.driver();
    driver.tell(&Event::ClientTimeout(OnClientTimeout { client_id: crate::types::ClientId::new(4711) }));
    driver.tell(&Event::Error(OnError {
        offending_correlation_id: CorrelationId::new(4712),
        error_code: ErrorCode::Generic,
        message: Text::from("not yours"),
    }));
    driver.events.transmit(0x0F02, &[1, 2, 3]).unwrap();
    driver.events.transmit(0x0EEE, &[0; 64]).unwrap();
    drop(driver);
    rig.settle();
    let told = rig.told();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|what| what.starts_with("error: skipped an event")), "{told:?}");
    assert!(rig.core.conductor().is_connected());
}

/// Trap 16: a conductor that was lapped says so, and goes on with what comes next.
#[test]
fn trap_16_a_lapped_conductor_goes_on() {
    let rig = Rig::new();
    for _ in 0..200 {
        let message = "x".repeat(1000);
        let offending_correlation_id = CorrelationId::new(4711);
        let (error_code, message) = (ErrorCode::Generic, Text::from(message.as_str()));
        rig.driver().tell(&Event::Error(OnError { offending_correlation_id, error_code, message }));
    }
    rig.settle();
    assert!(rig.told()[0].contains("events of the driver were lost"));
    let _publication: Publication = rig.add(publication());
}

/// More than the broadcast buffer holds.
fn lap(rig: &Rig) {
    let nobody_s = OnCounter { registration_id: RegistrationId::new(-7), counter_id: CounterId::new(0) };
    (0..4000).for_each(|_| rig.driver().tell(&Event::UnavailableCounter(nobody_s)));
}

/// What the driver made for adds whose answers were lost is not left there for as long as the client lives.
#[test]
fn what_was_added_while_events_were_lost_is_given_back() {
    let rig = Rig::new();
    let mut unanswered: Pending<Publication> = rig.ask(publication());
    let dropped: [Pending<Subscription>; 2] = [rig.ask(subscription()), rig.ask(subscription())];
    drop(dropped);
    let dropped_later: Pending<Subscription> = rig.ask(subscription());
    rig.driver().serve();
    assert_eq!(rig.driver().resources(), (1, 3, 0));
    lap(&rig);
    rig.settle();
    assert_eq!(rig.driver().resources(), (1, 1, 0));
    drop(dropped_later);
    rig.settle();
    assert_eq!(rig.driver().resources(), (1, 0, 0));
    rig.pass(LIVENESS);
    assert!(matches!(unanswered.poll(), Err(AddError::NoAnswer { .. })));
    assert_eq!(rig.driver().resources(), (0, 0, 0));
    // What was removed once is not removed again after each further loss.
    let removals = |rig: &Rig| rig.driver().executed.iter().filter(|(name, _)| name.starts_with("REMOVE")).count();
    let removed = removals(&rig);
    lap(&rig);
    rig.settle();
    assert_eq!(removals(&rig), removed);
    rig.pass(Duration::from_millis(1));
    // Without a loss the answer is waited for.
    let unanswered: Pending<Publication> = rig.ask(publication());
    let commands = rig.driver().read();
    rig.pass(LIVENESS);
    assert!(rig.driver().read().is_empty());
    commands.iter().for_each(|(id, bytes)| rig.driver().execute(&Command::decode(*id, bytes).unwrap()));
    rig.settle();
    assert_eq!(rig.driver().resources(), (0, 0, 0));
    drop(unanswered);
}

/// An image that nobody heard of would hold its publisher back for ever, and nobody would know why.
#[test]
fn images_that_came_while_events_were_lost_are_told_of() {
    let rig = Rig::new();
    let mut subscription: Subscription = rig.add(subscription());
    let known: ExclusivePublication = rig.add(exclusive());
    let untethered = Wanted::Subscription {
        channel: "aeron:ipc?tether=false".to_owned(),
        stream_id: STREAM,
        handlers: ImageHandlers::default(),
    };
    let _untethered: Subscription = rig.add(untethered);
    rig.told();
    let publish = |id: i64| {
        rig.driver().execute(&Command::AddExclusivePublication(AddPublication {
            client_id: ClientId::new(4711),
            correlation_id: CorrelationId::new(id),
            stream_id: STREAM,
            channel: Text::from("aeron:ipc"),
        }));
    };
    publish(9_001);
    lap(&rig);
    rig.core.service();
    // What is heard behind the loss is not missed.
    publish(9_002);
    rig.pass(Duration::from_millis(100));
    let session_id = known.session_id().get() + 1;
    let told = rig.told();
    let missed: Vec<_> = told.iter().filter(|what| what.contains("is not read")).collect();
    assert_eq!(missed.len(), 1, "{told:?}");
    assert!(
        missed[0].contains(&format!("subscription to aeron:ipc, stream 1001 has an image of session {session_id}"))
    );
    assert_eq!(subscription.images().len(), 2);
    rig.pass(Duration::from_secs(1));
    assert!(!rig.told().iter().any(|what| what.contains("is not read")), "it is told once");
}

#[test]
fn images_that_went_while_events_were_lost_are_taken_away() {
    let rig = Rig::new();
    let mut subscription: Subscription = rig.add(subscription());
    let publications: [ExclusivePublication; 2] = [rig.add(exclusive()), rig.add(exclusive())];
    assert_eq!(subscription.images().len(), 2);
    rig.told();
    let gone = publications[0].registration_id().get();
    rig.driver().end_image(subscription.registration_id().get(), gone);
    for _ in 0..200 {
        let message = "x".repeat(1000);
        let offending_correlation_id = CorrelationId::new(4711);
        let (error_code, message) = (ErrorCode::Generic, Text::from(message.as_str()));
        rig.driver().tell(&Event::Error(OnError { offending_correlation_id, error_code, message }));
    }
    rig.settle();
    assert!(rig.told().contains(&format!("no image {gone}")));
    assert_eq!(subscription.images().len(), 1);
}

/// Trap 22: answers to commands that no client of this kind sends do no harm.
#[test]
fn trap_22_answers_to_nobody_do_no_harm() {
    let rig = Rig::new();
    let mut driver = rig.driver();
    for id in [-1, 0, i64::MAX] {
        let correlation_id = CorrelationId::new(id);
        driver.tell(&Event::OperationSuccess(crate::command::OnOperationSuccess { correlation_id }));
    }
    drop(driver);
    rig.settle();
    assert!(rig.told().is_empty());
}

/// Trap 14: correlation ids are not dense, the driver draws from the same counter.
#[test]
fn trap_14_registration_ids_have_gaps() {
    let rig = Rig::new();
    let first: Publication = rig.add(publication());
    rig.driver().commands.ring().next_correlation_id();
    let second: Publication = rig.add(publication());
    assert!(second.registration_id().get() > first.registration_id().get() + 1);
}

#[test]
fn a_log_that_is_no_log_is_refused_and_given_back() {
    let rig = Rig::new();
    let mut pending: Pending<ExclusivePublication> = rig.ask(exclusive());
    rig.driver().serve();
    let id = rig.core.conductor().by_registration.keys().copied().next().unwrap();
    std::fs::write(rig.driver().log_path(id), [1; 1 << 18]).unwrap();
    rig.settle();
    let error = pending.poll().unwrap_err();
    assert!(matches!(error, AddError::Log { .. }), "{error}");
    assert_eq!(rig.driver().resources(), (0, 0, 0));
    assert_eq!(rig.core.conductor().logs.len(), 0);
}

mod any_order;
mod destinations;
mod losing_the_driver;
mod responses;
