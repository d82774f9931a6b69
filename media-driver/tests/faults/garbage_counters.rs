//! A client that stores garbage into counters: into values, labels and states of its own, into unused records, and into
//! the driver's counters that operators see. The driver and all readers survive it, and no other stream is affected.

use gannet::Client;
use gannet::cnc::CncFile;
use gannet::counters::{CounterState, type_id};
use gannet::memory::FileAccess;
use gannet::time::EpochMillis;
use gannet::types::RegistrationId;

use crate::abandoned::Holdings;
use crate::driver_process::{DriverProcess, await_that};
use crate::garbage_commands::serves_others;
use crate::healthy::Healthy;
use crate::helper::context;
use crate::random::seeded;
use crate::raw_access::RAW;

const DRIVER: &[&str] = &["-Daeron.client.liveness.timeout=12s", "-Daeron.ipc.term.buffer.length=64k"];

const METADATA_LENGTH: usize = 512;
const VALUE_LENGTH: usize = 128;
const LABEL_LENGTH_OFFSET: usize = 128;

/// Values that a careless reader fails on.
const GARBAGE: [i64; 10] = [i64::MIN, -1, 0, 1, 31, 33, 0x7FFF_FFFF, 0x8000_0000_i64, i64::MAX, 0x0101_0101_0101_0101];

#[test]
fn nobody_else_notices() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), DRIVER);
    let healthy = Healthy::start(&driver.dir, 7);
    let cnc = CncFile::open(&driver.dir, FileAccess::ReadWrite).unwrap();
    let (counters, metadata, values) = (cnc.counters(), cnc.counter_metadata(RAW), cnc.counter_values(RAW));
    let mut random = seeded(0xC0);
    let mut theirs = Vec::new();
    counters.for_each(|counter| theirs.push(counter.id.get() as usize));
    let highest = *theirs.iter().max().unwrap();

    // A new client each time, since a broken heartbeat ends a client.
    for round in 0..6 {
        let hostile = Client::connect(context(&driver.dir).on_error(|_| {})).unwrap();
        // A stream of its own: the client of the round before may have lost itself, and then keeps its publication until
        // the driver gives it up.
        let stream = 55 + round;
        let publication = hostile.add_publication("aeron:ipc", stream).unwrap();
        let mut subscription = hostile.add_subscription("aeron:ipc", stream).unwrap();
        let _counter = hostile.add_counter(1001, b"key", "hostile").unwrap();
        let id = hostile.client_id();
        let mut ours = Vec::new();
        // A broken state of the round before hides later counters until the driver frees that counter.
        await_that("its counters can be seen", || {
            ours.clear();
            counters.for_each(|counter| {
                let is_heartbeat =
                    counter.type_id == type_id::CLIENT_HEARTBEAT && counter.registration_id.get() == id.get();
                if counter.owner_id == id || is_heartbeat {
                    ours.push(counter.id.get() as usize);
                }
            });
            ours.len() >= 4
        });
        let mut unused = Vec::new();
        unused.extend((highest + 60..highest + 70).chain([counters.capacity() - 1]));
        for step in 0..400 {
            let garbage = GARBAGE[random.usize(0..GARBAGE.len())];
            let pick = |from: &[usize], random: &mut fastrand::Rng| from[random.usize(0..from.len())];
            match random.u32(0..6) {
                // The value, registration, owner or reference of one of its own counters.
                0 | 1 => {
                    let at = pick(&ours, &mut random) * VALUE_LENGTH + random.usize(0..4) * 8;
                    values.word_at::<i64>(at).store_release(garbage);
                }
                // A word of the metadata of one of its own counters: state, type, key, label.
                2 => {
                    let at = pick(&ours, &mut random) * METADATA_LENGTH + random.usize(0..40) * 4;
                    metadata.word_at::<i32>(at).store_release(garbage as i32);
                }
                // A label of the driver's own.
                3 => {
                    let at = random.usize(0..46) * METADATA_LENGTH + LABEL_LENGTH_OFFSET;
                    metadata.word_at::<i32>(at).store_release(garbage as i32);
                }
                // Unused records, the last one among them.
                4 => {
                    let record = pick(&unused, &mut random);
                    let at = record * METADATA_LENGTH + random.usize(0..METADATA_LENGTH / 4) * 4;
                    metadata.word_at::<i32>(at).store_release(garbage as i32);
                    values.word_at::<i64>(record * VALUE_LENGTH).store_release(garbage);
                }
                _ => {
                    let _ = publication.offer(b"hostile");
                    subscription.poll(|fragment| assert!(fragment.payload().len() < 64 << 10), 10);
                    counters.for_each(|counter| assert!(counter.label.to_string().len() < 4 * METADATA_LENGTH));
                }
            }
            if step % 100 == 0 {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
        healthy.goes_on();
        drop((publication, subscription, hostile));
        if round % 3 == 2 {
            serves_others(&driver.dir);
        }
    }
    serves_others(&driver.dir);
    healthy.finish();
}

/// Readers stop at the first record that was never used, so one store hides all later counters until the driver has
/// detected it. A client that cannot find its heartbeat times out.
#[test]
fn a_broken_state_does_not_keep_others_from_living() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), DRIVER);
    let cnc = driver.cnc();
    let hostile = Client::connect(context(&driver.dir)).unwrap();
    let counter = hostile.add_counter(1001, b"key", "hostile").unwrap();
    let state = counter.id().get() as usize * METADATA_LENGTH;
    cnc.counter_metadata(RAW).word_at::<i32>(state).store_release(0);
    let _healthy = Healthy::start(&driver.dir, 7);
    let client = Client::connect(context(&driver.dir)).unwrap();
    let lasting = client.add_counter(1001, b"key", "lasting").unwrap();
    await_that("it can be found", || cnc.counters().find(1001, lasting.registration_id()) == Some(lasting.id()));
    // The same again when the counter has no owner any more.
    let freed = counter.id();
    drop(counter);
    await_that("it is freed", || cnc.counters().state(freed) == Some(CounterState::Reclaimed));
    cnc.counter_metadata(RAW).word_at::<i32>(state).store_release(0);
    await_that("the others can be found again", || {
        cnc.counters().find(1001, lasting.registration_id()) == Some(lasting.id())
    });
    assert!(client.is_connected() && hostile.is_connected());
    let mut told = Vec::new();
    cnc.errors().for_each(EpochMillis::new(0), |error| told.push(error.text.clone())).unwrap();
    assert!(told.iter().any(|text| text.contains("the state of a counter")), "{told:?}");
}

/// A client that leaves a heartbeat in the far future is considered dead nevertheless.
#[test]
fn a_heartbeat_from_the_future_keeps_no_dead_client() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), DRIVER);
    // A driver that answers has opened everything it opens at start.
    let healthy = Healthy::start(&driver.dir, 7);
    let before = Holdings::of(&driver);
    let cnc = driver.cnc();
    let client = Client::connect(context(&driver.dir).use_conductor_invoker()).unwrap();
    let publication = client.add_publication("aeron:ipc", 55).unwrap();
    let id = RegistrationId::new(client.client_id().get());
    let heartbeat = cnc.counters().find(type_id::CLIENT_HEARTBEAT, id).unwrap();
    // Its conductor no longer runs, and it sends no command to close.
    std::mem::forget((publication, client));
    cnc.counter_values(RAW).word_at::<i64>(heartbeat.get() as usize * VALUE_LENGTH).store_release(i64::MAX);
    before.await_again(&driver);
    healthy.finish();
}
