//! A client that stores garbage into the log of its own stream: into the metadata, and into frames that publishers,
//! readers and the driver look at next. Users of that stream get errors or nothing; the driver recovers, and no other
//! stream is affected.

use std::fs;

use gannet::memory::AtomicBuffer;
use gannet::{Client, Subscription};

use crate::driver_process::{DriverProcess, await_that};
use crate::garbage_commands::serves_others;
use crate::healthy::Healthy;
use crate::helper::context;
use crate::messages::{Received, message};
use crate::random::seeded;
use crate::raw;

const DRIVER: &[&str] = &[
    "-Daeron.client.liveness.timeout=12s",
    "-Daeron.publication.unblock.timeout=12100ms",
    "-Daeron.timer.interval=10ms",
    "-Daeron.ipc.term.buffer.length=64k",
];
const TERM_LENGTH: usize = 64 << 10;

const GARBAGE: [i64; 14] = [
    i64::MIN,
    -1,
    -32,
    0,
    1,
    31,
    33,
    4096,
    0xFFE0,
    0x1_0000,
    0x7FFF_FFFF,
    0x8000_0000_i64,
    0x0003_0001_0000_0000,
    i64::MAX,
];

/// Reads everything available, to the last byte of every payload.
fn read(subscription: &mut Subscription) {
    let mut sum = 0_u64;
    subscription.poll(|fragment| sum += fragment.payload().iter().map(|&byte| u64::from(byte)).sum::<u64>(), 50);
    for image in subscription.images_mut() {
        image.block_poll(|_| {}, TERM_LENGTH);
        let _ = (image.check(), image.position(), image.is_end_of_stream());
    }
    assert!(sum < u64::MAX);
}

/// Stores garbage somewhere, mostly where it does most harm.
fn spoil(log: &AtomicBuffer, random: &mut fastrand::Rng) {
    let metadata = raw::log_metadata(log);
    let garbage = GARBAGE[random.usize(0..GARBAGE.len())];
    match random.u32(0..10) {
        // A tail, or a value close to one.
        0 => metadata.word_at::<i64>(random.usize(0..3) * 8).store_release(garbage),
        1 => {
            metadata.word_at::<i64>(random.usize(0..3) * 8).fetch_add(garbage);
        }
        2 => metadata.word_at::<i32>(raw::LOG_ACTIVE_TERM_COUNT).store_release(garbage as i32),
        // All the rest of the metadata.
        3 | 4 => metadata.word_at::<i32>(random.usize(7..128) * 4).store_release(garbage as i32),
        // The next frame, or any other.
        5..=7 => {
            let active = metadata.word_at::<i32>(raw::LOG_ACTIVE_TERM_COUNT).load_acquire().rem_euclid(3) as usize;
            let tail = metadata.word_at::<i64>(active * 8).load_acquire() as u32 as usize;
            let frame = tail.saturating_sub(random.usize(0..8) * 32).min(TERM_LENGTH - 32) & !31;
            log.word_at::<i32>(active * TERM_LENGTH + frame + random.usize(0..8) * 4).store_release(garbage as i32);
        }
        _ => {
            let at = random.usize(0..3 * TERM_LENGTH / 32) * 32;
            log.word_at::<i32>(at).store_release(garbage as i32);
        }
    }
}

#[test]
fn nobody_else_notices() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), DRIVER);
    let healthy = Healthy::start(&driver.dir, 7);
    let publications = driver.dir.join("publications");
    let mut random = seeded(0x106);
    for round in 0..12 {
        let hostile = Client::connect(context(&driver.dir).on_error(|_| {})).unwrap();
        let publication = hostile.add_publication("aeron:ipc", 66).unwrap();
        let mut subscriptions = vec![hostile.add_subscription("aeron:ipc", 66).unwrap()];
        await_that("its stream is there", || publication.offer(&message(1, 0)).is_ok());
        let log = raw::map(&raw::log_path(&driver.dir, publication.original_registration_id()));
        for step in 0..300 {
            let _ = publication.offer(&message(1, step));
            if step % 3 == 0 {
                spoil(&log, &mut random);
            }
            if step % 100 == 50 {
                // Another process maps the log as it is now.
                if let Ok(late) = hostile.add_subscription("aeron:ipc", 66) {
                    subscriptions.push(late);
                }
            }
            subscriptions.iter_mut().for_each(read);
            let _ = (publication.position(), publication.available_window(), publication.is_connected());
            if step % 20 == 0 {
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
        }
        healthy.goes_on();
        // In some rounds the subscribers stay, and the driver has to get past all garbage.
        if round % 2 == 0 {
            drop(publication);
            subscriptions.iter_mut().for_each(read);
        }
        drop((subscriptions, hostile, log));
    }
    await_that("the driver gives the logs up", || fs::read_dir(&publications).unwrap().count() == 1);

    // The stream works like a new one.
    let client = Client::connect(context(&driver.dir)).unwrap();
    let publication = client.add_publication("aeron:ipc", 66).unwrap();
    let mut subscription = client.add_subscription("aeron:ipc", 66).unwrap();
    let (mut sent, mut received) = (0, Received::default());
    await_that("messages go through", || {
        sent += u32::from(publication.offer(&message(1, sent)).is_ok());
        subscription.poll(|fragment| received.take(fragment.payload()), 50);
        received.total() > 1_000
    });
    serves_others(&driver.dir);
    healthy.finish();
}
