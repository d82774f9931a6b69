//! A client that was paused, a client that timed out, a client whose driver is gone, and their reconnections.

use super::*;

fn reconnecting() -> Rig {
    Rig::with(|settings| crate::client::conductor::ConductorSettings { reconnect_in_place: true, ..settings })
}

struct Everything {
    publication: Publication,
    own: ExclusivePublication,
    subscription: Subscription,
    counter: Counter,
}

fn everything(rig: &Rig) -> Everything {
    let everything = Everything {
        publication: rig.add(publication()),
        own: rig.add(exclusive()),
        subscription: rig.add(subscription()),
        counter: rig.add(counter()),
    };
    rig.pass(Duration::from_secs(1));
    rig.driver().move_limits();
    rig.told();
    everything
}

impl Everything {
    fn is_closed(&mut self) -> bool {
        let closed = [
            self.publication.offer(b"x") == Err(OfferError::Closed),
            self.own.offer(b"x") == Err(OfferError::Closed),
            self.subscription.is_closed(),
            self.counter.set(1).is_err(),
        ];
        assert!(closed.iter().all(|one| *one == closed[0]), "all or none: {closed:?}");
        closed[0]
    }

    fn works(&mut self, rig: &Rig) {
        rig.driver().move_limits();
        self.publication.offer(b"shared").unwrap();
        self.own.offer(b"own").unwrap();
        let mut messages = poll(&mut self.subscription);
        messages.sort();
        assert_eq!(messages, [b"own".to_vec(), b"shared".to_vec()]);
        self.counter.set(3).unwrap();
        assert_eq!(rig.driver().reader().value(self.counter.id()), Some(3));
    }
}

#[test]
fn a_pause_within_the_timeout_is_no_pause() {
    let rig = Rig::new();
    let mut all = everything(&rig);
    rig.stop_for(LIVENESS - Duration::from_millis(200));
    rig.pass(Duration::from_secs(1));
    assert!(rig.told().is_empty());
    all.works(&rig);
}

/// A client that was told to take its time is not given up for it, however impatient its driver is.
#[test]
fn a_client_lives_whatever_its_intervals_are() {
    let hour_ns = 3_600_000_000_000;
    let rig = Rig::with(|settings| crate::client::conductor::ConductorSettings {
        keepalive_interval_ns: hour_ns,
        check_interval_ns: hour_ns,
        ..settings
    });
    let mut all = everything(&rig);
    let client_id = rig.core.conductor().client_id();
    for _ in 0..10 {
        rig.pass(LIVENESS / 2);
        let heartbeat = rig.driver().heartbeat_of(client_id).expect("it has a heartbeat");
        let age_ms = crate::time::Clock::epoch(&rig.clock).get() - heartbeat;
        assert!(age_ms <= LIVENESS.as_millis() as i64 / 2, "{age_ms}");
    }
    assert!(rig.told().is_empty());
    assert!(rig.core.conductor().longest_idle() <= LIVENESS / 4);
    all.works(&rig);
}

#[test]
fn a_paused_client_is_told_for_how_long_and_closed() {
    let rig = Rig::new();
    let mut all = everything(&rig);
    let client_id = rig.core.conductor().client_id();
    rig.stop_for(Duration::from_secs(12));
    rig.core.service();
    let told = rig.told();
    assert!(told[0] == "the client did not run for 12s; the driver allows 10s", "{told:?}");
    assert!(all.is_closed());
    assert!(!all.own.is_connected() && all.own.position().is_none());
    rig.driver().serve();
    assert!(rig.driver().executed.contains(&("CLIENT_CLOSE", client_id.get())), "the driver need not wait for it");
    rig.pass(Duration::from_secs(5));
    assert!(all.is_closed(), "nobody asked for a reconnection");
    assert!(rig.core.reconnect());
    rig.pass(Duration::from_secs(1));
    assert_ne!(rig.core.conductor().client_id(), client_id);
    all.works(&rig);
    assert!(!rig.core.reconnect());
}

#[test]
fn a_paused_client_reconnects_in_place() {
    let rig = reconnecting();
    let mut all = everything(&rig);
    let before = (all.publication.registration_id(), all.own.session_id(), all.counter.id());
    rig.stop_for(Duration::from_secs(12));
    rig.pass(Duration::from_secs(1));
    let told = rig.told();
    let last = told.last().unwrap();
    assert!(last.contains("session epoch 1: 4 resources restored, 0 not"), "{told:?}");
    assert_eq!(rig.core.conductor().epoch(), 1);
    rig.driver().move_limits();
    assert!(all.own.is_connected(), "an offer that picks up the new log is not needed to see that");
    assert!(all.own.position().is_some() && all.own.position_limit() > all.own.position());
    all.works(&rig);
    assert_ne!(before, (all.publication.registration_id(), all.own.session_id(), all.counter.id()));
    assert_eq!((all.publication.epoch(), all.own.epoch()), (1, 1));
}

#[test]
fn a_client_that_was_given_up_is_told_so() {
    let rig = reconnecting();
    let mut all = everything(&rig);
    let client_id = rig.core.conductor().client_id();
    rig.driver().tell(&Event::ClientTimeout(OnClientTimeout { client_id }));
    rig.core.service();
    assert!(rig.told().contains(&format!("the driver has given up client {client_id}")));
    assert!(all.is_closed());
    rig.pass(Duration::from_secs(1));
    all.works(&rig);
}

#[test]
fn a_heartbeat_counter_that_is_gone_is_the_end() {
    let rig = Rig::new();
    let mut all = everything(&rig);
    let client_id = rig.core.conductor().client_id();
    let counter = rig.driver().heartbeat_counter_of(client_id).unwrap();
    let now = crate::time::Clock::epoch(&rig.clock);
    rig.driver().counters.free(now, counter);
    rig.pass(Duration::from_secs(1));
    assert!(rig.told().contains(&format!("the driver has given up client {client_id}")));
    assert!(all.is_closed());
}

#[test]
fn a_driver_that_was_shut_down_is_lost_at_once() {
    let rig = Rig::new();
    let mut all = everything(&rig);
    *rig.findable.lock().unwrap() = false;
    rig.driver().beat(crate::time::EpochMillis::new(-1));
    rig.stop_for(Duration::from_millis(600));
    rig.core.service();
    let told = rig.told();
    assert!(
        told[0].starts_with("the driver is gone, silent for 6") && told[0].contains("it was shut down"),
        "{told:?}"
    );
    assert!(all.is_closed());
    assert!(matches!(rig.core.add(publication()), Err(AddError::NoDriver { .. })));
}

/// The pages of a log that is of no use any more are given up after a while, but never from under a claim.
#[test]
fn a_claim_outlives_the_driver_with_what_was_written_to_it() {
    for claims in [false, true] {
        let rig = Rig::new();
        let Everything { publication: shared, mut own, subscription, .. } = everything(&rig);
        // It has images of both logs, which would keep them.
        drop(subscription);
        rig.pass(Duration::from_secs(1));
        let mut claim = claims.then(|| shared.try_claim(5).unwrap());
        claim.iter_mut().for_each(|claim| claim.copy_from_slice(b"bytes"));
        let mut of_own = own.try_claim(3).unwrap();
        of_own.copy_from_slice(b"own");
        assert_eq!(rig.core.conductor().logs.len(), 2);
        rig.stop_for(Duration::from_secs(12));
        rig.core.service();
        assert_eq!(shared.offer(b"x"), Err(OfferError::Closed));
        rig.pass(Duration::from_secs(5));
        // An exclusive publication lets go when its owner notices; of a shared one nobody knows who still has a claim.
        assert_eq!(rig.core.conductor().logs.len(), 1 + usize::from(claims));
        assert!(claim.iter().all(|claim| claim[..] == *b"bytes") && of_own[..] == *b"own");
        drop((claim, of_own));
        drop((shared, own));
        rig.pass(Duration::from_secs(1));
        assert_eq!(rig.core.conductor().logs.len(), 0);
    }
}

fn silence(rig: &Rig, time: Duration) {
    let mut left = time;
    while !left.is_zero() {
        rig.stop_for(Duration::from_millis(100));
        left -= Duration::from_millis(100);
        rig.core.service();
    }
}

#[test]
fn a_silent_driver_is_lost_after_the_driver_timeout() {
    let rig = Rig::new();
    let mut all = everything(&rig);
    let mut late: Pending<Publication> = rig.ask(publication());
    *rig.findable.lock().unwrap() = false;
    silence(&rig, Duration::from_millis(9_000));
    assert!(!all.is_closed() && rig.told().is_empty());
    silence(&rig, Duration::from_millis(2_000));
    let told = rig.told();
    assert!(told[0].contains("it gives no sign of life"), "{told:?}");
    assert!(all.is_closed());
    assert!(matches!(late.poll(), Err(AddError::NoAnswer { .. } | AddError::NoDriver { .. })));
}

/// The wall clock was set back a little, so the heartbeat of a dead driver looks young enough to everybody who has not watched
/// it. What would be asked of that driver would be lost.
#[test]
fn a_silent_driver_is_not_taken_for_alive_again() {
    let rig = reconnecting();
    let mut all = everything(&rig);
    rig.settle();
    rig.told();
    silence(&rig, Duration::from_secs(25));
    let told = rig.told();
    assert!(told[0].contains("it gives no sign of life"), "{told:?}");
    assert!(all.is_closed() && !rig.core.conductor().is_connected(), "{told:?}");
    // It was only slow after all.
    rig.pass(Duration::from_secs(1));
    assert!(rig.told().last().unwrap().starts_with("reconnected"));
    all.works(&rig);
}

/// A driver that was only stopped for a while still has what the client had. It is told that the client has gone on, as soon
/// as it reads again, so that nobody waits for the past.
#[test]
fn a_silent_driver_is_told_that_its_client_is_gone() {
    let rig = reconnecting();
    let mut all = everything(&rig);
    let client_id = rig.core.conductor().client_id();
    silence(&rig, Duration::from_secs(12));
    assert!(all.is_closed());
    rig.driver().executed.clear();
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.driver().executed.first(), Some(&("CLIENT_CLOSE", client_id.get())));
    let (publications, subscriptions, _) = rig.driver().resources();
    assert_eq!((publications, subscriptions), (2, 1), "there is nothing twice");
    all.works(&rig);
}

/// An application that was told of the reconnection reads the new session id before its next offer.
#[test]
fn an_exclusive_publication_tells_of_its_new_log_before_the_next_offer() {
    let rig = reconnecting();
    let mut all = everything(&rig);
    let ids = |of: &ExclusivePublication| (of.epoch(), of.session_id(), of.registration_id(), of.position_limit_id());
    let before = ids(&all.own);
    rig.stop_for(Duration::from_secs(12));
    rig.pass(Duration::from_secs(1));
    let now = ids(&all.own);
    assert_eq!(now.0, 1);
    assert!(now.1 != before.1 && now.2 != before.2 && now.3 != before.3, "{before:?}, {now:?}");
    all.works(&rig);
    assert_eq!(ids(&all.own), now);
    // Closed again: what it was last stays readable.
    rig.core.close();
    assert_eq!(ids(&all.own), now);
}

#[test]
fn a_restarted_driver_is_found_before_the_timeout_and_everything_restored() {
    let rig = reconnecting();
    let mut all = everything(&rig);
    rig.restart_driver();
    silence(&rig, Duration::from_secs(4));
    rig.settle();
    let told = rig.told();
    assert!(told[0].contains("started again, as process 200, after 2."), "{told:?}");
    assert!(told.last().unwrap().contains("4 resources restored, 0 not"), "{told:?}");
    all.works(&rig);
    // And again.
    rig.restart_driver();
    silence(&rig, Duration::from_secs(4));
    rig.settle();
    all.works(&rig);
    assert_eq!(rig.core.conductor().epoch(), 2);
}

#[test]
fn a_driver_restarted_while_the_client_was_paused_is_told_apart() {
    let rig = reconnecting();
    let mut all = everything(&rig);
    rig.stop_for(Duration::from_secs(30));
    rig.restart_driver();
    rig.settle();
    let told = rig.told();
    assert!(told[0].starts_with("the client did not run for 30"), "{told:?}");
    assert!(told.iter().any(|what| what.contains("started again, as process 200, after 30")), "{told:?}");
    all.works(&rig);
}

#[test]
fn a_restart_is_told_even_if_nobody_wants_to_reconnect() {
    let rig = Rig::new();
    let mut all = everything(&rig);
    rig.restart_driver();
    silence(&rig, Duration::from_secs(4));
    assert_eq!(rig.told().iter().filter(|what| what.contains("started again")).count(), 1);
    assert!(all.is_closed());
}

#[test]
fn a_pause_of_the_whole_machine_is_not_taken_for_a_dead_driver() {
    let rig = reconnecting();
    let mut all = everything(&rig);
    *rig.findable.lock().unwrap() = false;
    rig.stop_for(Duration::from_secs(60));
    rig.core.service();
    silence(&rig, Duration::from_secs(1));
    // The driver wakes up, and beats.
    *rig.findable.lock().unwrap() = true;
    rig.pass(Duration::from_secs(1));
    let told = rig.told();
    assert!(!told.iter().any(|what| what.contains("driver is gone")), "{told:?}");
    all.works(&rig);
}

/// An image's id is the driver's. Another driver may have given it to another stream, which must not suffer for it.
#[test]
fn an_image_of_an_earlier_driver_is_not_rejected() {
    let rig = reconnecting();
    let mut all = everything(&rig);
    let past = all.subscription.images()[0].info();
    rig.restart_driver();
    silence(&rig, Duration::from_secs(4));
    rig.settle();
    let now = all.subscription.images()[0].info();
    let mut reject = |image| {
        let subscription = &mut all.subscription;
        std::thread::scope(|threads| {
            let rejecting = threads.spawn(move || subscription.reject_image(image, "no thanks"));
            while !rejecting.is_finished() {
                rig.settle();
            }
            rejecting.join().unwrap()
        })
    };
    assert!(matches!(reject(&past), Err(AddError::ImageClosed { .. })));
    rig.driver().executed.clear();
    reject(&now).unwrap();
    assert_eq!(rig.driver().executed, [("REJECT_IMAGE", now.correlation_id().get())]);
}

#[test]
fn what_is_refused_at_first_is_asked_for_again() {
    // The past may still have the session id, the endpoint or the space.
    for code in [ErrorCode::InvalidChannel, ErrorCode::ResourceTemporarilyUnavailable, ErrorCode::StorageSpace] {
        let rig = reconnecting();
        let mut all = everything(&rig);
        rig.driver().refuse = Some(("ipc", code));
        rig.stop_for(Duration::from_secs(12));
        rig.pass(Duration::from_secs(2));
        assert!(all.publication.is_closed());
        rig.driver().refuse = None;
        rig.pass(Duration::from_secs(1));
        let told = rig.told();
        assert!(told.last().unwrap().contains("4 resources restored, 0 not"), "{told:?}");
        all.works(&rig);
    }
}

#[test]
fn what_stays_refused_is_told_of() {
    let rig = reconnecting();
    let mut all = everything(&rig);
    let was = all.own.registration_id();
    rig.driver().refuse = Some(("ipc", ErrorCode::Generic));
    rig.stop_for(Duration::from_secs(12));
    rig.pass(Duration::from_secs(1));
    let told = rig.told();
    assert!(told.iter().any(|what| what.starts_with(&format!("registration {was} was not restored"))), "{told:?}");
    assert!(told.last().unwrap().contains("1 resources restored, 3 not"), "{told:?}");
    assert_eq!(all.own.offer(b"x"), Err(OfferError::Closed));
    all.counter.set(1).unwrap();
}

#[test]
fn what_is_dropped_meanwhile_is_not_restored() {
    let rig = reconnecting();
    let all = everything(&rig);
    *rig.findable.lock().unwrap() = false;
    rig.stop_for(Duration::from_secs(12));
    rig.core.service();
    let Everything { publication, own, subscription, counter } = all;
    drop((own, counter));
    *rig.findable.lock().unwrap() = true;
    rig.stop_for(Duration::from_millis(200));
    rig.core.service();
    drop(subscription);
    rig.pass(Duration::from_secs(1));
    assert!(rig.told().last().unwrap().contains("1 resources restored, 0 not"));
    assert!(!publication.is_closed());
    drop(publication);
    drop(rig);
}

/// Trap 67: a step of the clock on the wall kills nobody.
#[test]
fn trap_67_a_step_of_the_wall_clock_is_no_silence() {
    let rig = Rig::new();
    let mut all = everything(&rig);
    rig.clock.step_epoch_ms(3_600_000);
    silence(&rig, Duration::from_millis(600));
    rig.clock.step_epoch_ms(-7_200_000);
    rig.pass(Duration::from_secs(2));
    assert!(rig.told().is_empty());
    all.works(&rig);
}

/// A publication keeps its past addressable, not in memory.
#[test]
fn the_logs_of_a_driver_that_is_gone_are_let_go() {
    let rig = reconnecting();
    let mut all = everything(&rig);
    let past = rig.driver().log_path(all.publication.original_registration_id().get()).to_owned();
    let is_mapped = || std::fs::read_to_string("/proc/self/maps").unwrap().contains(past.to_str().unwrap());
    assert!(is_mapped());
    rig.restart_driver();
    silence(&rig, Duration::from_secs(4));
    rig.settle();
    all.works(&rig);
    assert!(is_mapped(), "a thread may still be using it");
    rig.pass(Duration::from_secs(4));
    assert!(!is_mapped());
    all.works(&rig);
}

/// Publishers and a subscriber know nothing of each other's reconnection, and none is caught in the middle of a call.
#[test]
fn threads_use_their_handles_while_drivers_come_and_go() {
    const RESTARTS: usize = 20;
    let rig = reconnecting();
    let Everything { publication, mut own, mut subscription, counter } = everything(&rig);
    let over = crate::sync::AtomicI32::new(0);
    let goes_on = || over.load(crate::sync::Ordering::Relaxed) == 0;
    let is_expected = |outcome: Result<(), OfferError>| match outcome {
        Ok(())
        | Err(OfferError::NotConnected | OfferError::BackPressured | OfferError::AdminAction | OfferError::Closed) => {
            std::thread::yield_now()
        }
        Err(error) => panic!("{error}"),
    };
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                while goes_on() {
                    is_expected(publication.offer(&[1; 3000]).map(drop));
                    is_expected(publication.try_claim(100).map(|mut claim| claim.fill(2)));
                    let _ = counter.add(1);
                }
            });
        }
        threads.spawn(|| {
            while goes_on() {
                is_expected(own.offer(&[3; 50]).map(drop));
            }
        });
        let waiting = threads.spawn(|| {
            while goes_on() {
                subscription.poll_wait(
                    |fragment| assert!(matches!(fragment.payload(), [1 | 3, ..])),
                    10,
                    Duration::from_nanos(1),
                );
            }
        });
        for _ in 0..RESTARTS {
            rig.driver().move_limits();
            rig.restart_driver();
            silence(&rig, Duration::from_secs(4));
            rig.settle();
            // And what is gone is let go under their hands.
            rig.pass(Duration::from_secs(4));
        }
        over.store(1, crate::sync::Ordering::Relaxed);
        // Whoever waits does so by the rig's clock, and would wait for ever if it stood still.
        while !waiting.is_finished() {
            rig.pass(Duration::from_millis(1));
        }
    });
    assert_eq!(rig.core.conductor().epoch() as usize, RESTARTS);
    assert!(!publication.is_closed() && !counter.is_closed());
}
