//! Tests with a counting allocator that nothing is allocated between `offer` and `poll` after a warm-up, for every way
//! to publish and to read; nor while a journal is appended to, from segment to segment, or a stream is recorded, from
//! block to block.

#[expect(unreachable_pub, reason = "shared with tests of other crates")]
#[path = "support/counting.rs"]
mod counting;

use std::io::IoSlice;
use std::time::Duration;

use counting::allocations;
use gannet::journal::{Journal, JournalOptions, Recorder, RecorderOptions, Start};
use gannet::time::EpochNanos;
use gannet::{
    Client, Context, ControlledAction, ExclusivePublication, Fragment, FragmentAssembler, OfferError, Publication,
    SendError, Subscription,
};
use gannet_driver::MediaDriver;
use gannet_driver::config::{DriverConfig, Profile};
use gannet_market::{Instrument, Trade, TradeEncoder};

const CHANNEL: &str = "aeron:ipc?term-length=64k";
const LONG: usize = 3000;
const MINUTE: Duration = Duration::from_secs(60);

/// One of each handle, with the state that they are used with.
struct Stream {
    shared: Publication,
    own: ExclusivePublication,
    subscription: Subscription,
    assembler: FragmentAssembler,
    long: Vec<u8>,
    lengths: [usize; 4],
    received: usize,
    /// The sum of the values in the schema's messages among them.
    said: u64,
}

impl Stream {
    fn new(client: &Client) -> Self {
        let subscription = client.add_subscription("aeron:ipc", 1001).unwrap();
        Self {
            shared: client.add_publication(CHANNEL, 1001).unwrap(),
            own: client.add_exclusive_publication(CHANNEL, 1001).unwrap(),
            subscription,
            assembler: FragmentAssembler::new(),
            long: vec![1; LONG],
            lengths: [8; 4],
            received: 0,
            said: 0,
        }
    }

    /// Sends one of each until it has arrived: seventeen messages.
    fn turn(&mut self) {
        let (before, said_before) = (self.received, self.said);
        let Self { shared, own, subscription, assembler, long, lengths, received, said } = self;
        let mut read = |subscription: &mut Subscription| {
            let mut count = assembler.assemble(|message| {
                *received += 1;
                *said += what_is_said(message);
            });
            // A message takes one fragment each time, so that images take turns.
            subscription.poll(&mut count, 5);
            subscription.controlled_poll(
                |fragment| {
                    count(fragment);
                    ControlledAction::Continue
                },
                5,
            );
            subscription.poll_wait(&mut count, 5, Duration::from_nanos(1));
        };
        insist(&mut || read(subscription), || shared.offer(&long[..64]));
        insist(&mut || read(subscription), || shared.offer(long));
        insist(&mut || read(subscription), || shared.offer_with(&long[..64], 7));
        insist(&mut || read(subscription), || {
            shared.try_claim(64).map(|mut claim| {
                claim.fill(3);
                claim.commit().unwrap()
            })
        });
        insist(&mut || read(subscription), || own.offer(&long[..64]));
        insist(&mut || read(subscription), || own.offer(long));
        let parts = [IoSlice::new(&long[..10]), IoSlice::new(&long[10..20])];
        insist(&mut || read(subscription), || own.offer_vectored(&parts));
        insist(&mut || read(subscription), || {
            own.claim_batch(lengths).map(|mut batch| {
                batch.for_each(|_, payload| payload.fill(4));
                batch.commit().unwrap()
            })
        });
        insist(&mut || read(subscription), || {
            shared.claim_batch(lengths).map(|mut batch| {
                batch.for_each(|_, payload| payload.fill(4));
                batch.commit().unwrap()
            })
        });
        insist(&mut || read(subscription), || {
            let sent = own.send::<Trade>(TradeEncoder::encoded_length(), |mut trade| {
                trade.instrument(7).quantity(5);
                Ok(trade.finish())
            });
            sent.map_err(refused)
        });
        insist(&mut || read(subscription), || {
            let sent = shared.send::<Instrument>(200, |instrument| {
                let legs =
                    instrument.legs(0..2, |leg, _| leg.venues(0..1, |venue, _| venue.code("XY")?.end())?.end())?;
                Ok(legs.description("a spread")?.url("")?.finish())
            });
            sent.map_err(refused)
        });
        while self.received < before + 17 {
            let mut count = self.assembler.assemble(|message| {
                self.received += 1;
                self.said += what_is_said(message);
            });
            self.subscription.poll(&mut count, 10);
        }
        // A trade of 5, and two venues.
        assert_eq!((self.received, self.said), (before + 17, said_before + 7));
    }
}

/// The values of a market message that can be added up; 0 for other messages.
fn what_is_said(message: Fragment<'_>) -> u64 {
    match (message.decode::<Trade>(), message.decode::<Instrument>()) {
        (Ok(trade), _) => u64::from(trade.quantity()),
        (_, Ok(instrument)) => instrument.legs().iter().map(|leg| leg.venues().len() as u64).sum(),
        _ => 0,
    }
}

/// Why sending failed; the messages here are always valid.
fn refused(error: SendError) -> OfferError {
    match error {
        SendError::Offer(refused) => refused,
        error => panic!("{error}"),
    }
}

/// Retries until it succeeds, and reads meanwhile.
fn insist<T>(read: &mut impl FnMut(), mut publish: impl FnMut() -> Result<T, OfferError>) {
    loop {
        match publish() {
            Ok(_) => return,
            Err(OfferError::BackPressured | OfferError::AdminAction | OfferError::NotConnected) => read(),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn nothing_is_allocated_between_offer_and_poll() {
    let mut config = DriverConfig::for_profile(Profile::Frugal);
    // A busy machine may keep any thread waiting for a while.
    (config.timeouts.client_liveness, config.timeouts.publication_unblock) = (MINUTE, MINUTE * 2);
    let driver = MediaDriver::launch_embedded(config).unwrap();
    let client = Client::connect(Context::new().dir(driver.dir()).driver_timeout(MINUTE)).unwrap();
    let mut stream = Stream::new(&client);
    // Through all three terms, and until every buffer has its final length.
    for _ in 0..100 {
        stream.turn();
    }
    let before = allocations();
    for _ in 0..300 {
        stream.turn();
    }
    assert_eq!(allocations() - before, 0);
    drop(Box::new(before));
    assert!(allocations() > before, "the allocator counts");
}

#[test]
fn nothing_is_allocated_while_a_journal_is_appended_to() {
    let dir = tempfile::tempdir().unwrap();
    let options = JournalOptions::new().term_length(64 << 10).segment_length(1 << 20).mtu(1408);
    let journal = Journal::create(dir.path(), &options).unwrap();
    let mut appender = journal.appender().unwrap();
    let long = vec![1; LONG];
    let mut tailer = journal.recording().unwrap().tailer(Start::Begin).unwrap();
    let mut append = |tailer: &mut gannet::journal::Tailer| {
        appender.append(&long[..64]).unwrap();
        appender.append_vectored(&[IoSlice::new(&long[..10]), IoSlice::new(&long[10..20])]).unwrap();
        let mut claim = appender.claim(64).unwrap();
        claim.payload_mut().fill(3);
        claim.commit().unwrap();
        let mut batch = appender.claim_batch(&[64, 8]).unwrap();
        batch.for_each(|_, payload| payload.fill(4));
        batch.commit().unwrap();
        let end = appender.append(&long).unwrap();
        let mut count = 0;
        while let Some(record) = tailer.next().unwrap() {
            count += record.payload().len();
        }
        assert_eq!(count, 64 + 20 + 64 + 72 + LONG);
        end
    };
    for _ in 0..10 {
        append(&mut tailer);
    }
    let mut rolls = 0;
    while rolls < 3 {
        let tail = journal.tail().get();
        // The tailer maps each new segment itself; an appender's segment is mapped ahead by the helper thread.
        let base = tail >> 20;
        while journal.prepared().get() >> 20 < base + 2 {
            std::thread::yield_now();
        }
        // With the tailer until shortly before the roll; without it over the roll.
        while (journal.tail().get() >> 20) == base && (journal.tail().get() & ((1 << 20) - 1)) < (1 << 20) - 32_768 {
            let before = allocations();
            append(&mut tailer);
            assert_eq!(allocations(), before);
        }
        let mut over = journal.appender().unwrap();
        over.append(&long).unwrap();
        let before = allocations();
        while (journal.tail().get() >> 20) == base {
            over.append(&long).unwrap();
        }
        assert_eq!(allocations(), before, "over a roll");
        while tailer.next().unwrap().is_some() {}
        rolls += 1;
    }
}

#[test]
fn nothing_is_allocated_by_an_exclusive_appender() {
    let dir = tempfile::tempdir().unwrap();
    let options = JournalOptions::new().term_length(64 << 10).segment_length(1 << 20).mtu(1408);
    let journal = Journal::create(dir.path(), &options).unwrap();
    let mut appender = journal.exclusive_appender().unwrap();
    let long = vec![1; LONG];
    appender.append(&long).unwrap();
    for base in 0..3 {
        while journal.prepared().get() >> 20 < base + 2 {
            std::thread::yield_now();
        }
        let before = allocations();
        while (journal.tail().get() >> 20) == base {
            appender.append(&long[..64]).unwrap();
            appender.append_vectored(&[IoSlice::new(&long[..10]), IoSlice::new(&long[10..20])]).unwrap();
            let mut claim = appender.claim(64).unwrap();
            claim.payload_mut().fill(3);
            claim.commit().unwrap();
            let mut batch = appender.claim_batch(&[64, 8]).unwrap();
            batch.for_each(|_, payload| payload.fill(4));
            batch.commit().unwrap();
            appender.append(&long).unwrap();
        }
        assert_eq!(allocations(), before, "to the end of segment {base}");
    }
}

/// A recorder allocates when a stream or a segment begins, but for none of the blocks between, even when it stores
/// their times.
#[test]
fn nothing_is_allocated_per_recorded_block() {
    let mut config = DriverConfig::for_profile(Profile::Frugal);
    (config.timeouts.client_liveness, config.timeouts.publication_unblock) = (MINUTE, MINUTE * 2);
    let driver = MediaDriver::launch_embedded(config).unwrap();
    let client = Client::connect(Context::new().dir(driver.dir()).driver_timeout(MINUTE)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let subscription = client.add_subscription("aeron:ipc", 1002).unwrap();
    let mut recorder = Recorder::new(dir.path(), subscription, RecorderOptions::new().segment_length(4 << 20)).unwrap();
    let status = recorder.status();
    let mut publication = client.add_exclusive_publication(CHANNEL, 1002).unwrap();
    let long = vec![1; LONG];
    // Each block has a time of its own, so that each time is stored.
    let mut now = 1_700_000_000_000_000_000;
    let (mut blocks, mut allocated) = (0, 0);
    let mut record = |blocks: &mut usize, allocated: &mut usize| {
        now += 1_000_000;
        let before = allocations();
        *blocks += recorder.do_work_at(EpochNanos::new(now));
        *allocated += allocations() - before;
    };
    // A few blocks more than a term, and less than a segment in all.
    let mut publish = |count: usize, blocks: &mut usize, allocated: &mut usize| {
        for number in 0..count {
            let message = if number % 10 == 0 { &long[..] } else { &long[..64] };
            insist(&mut || record(blocks, allocated), || publication.offer(message));
            record(blocks, allocated);
        }
    };
    // The driver may connect the publication before the recorder's client has the image.
    while status.streams().is_empty() {
        publish(1, &mut blocks, &mut allocated);
    }
    publish(20, &mut blocks, &mut allocated);
    assert!(allocated > 0, "the allocator counts");
    (blocks, allocated) = (0, 0);
    publish(2_000, &mut blocks, &mut allocated);
    assert_eq!(allocated, 0, "in {blocks} blocks");
    assert!(blocks > 100, "{blocks} blocks");
    let recorded = status.streams()[0].recorded().get();
    assert!((8 * 65_536..4 << 20).contains(&recorded), "{recorded} bytes");
}
