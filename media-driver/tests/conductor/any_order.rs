//! Publishers and subscribers of a stream that come, publish, die, read, fall behind and go in any order, beside a plain
//! model of what was published. Each reader gets everything from where it joins, in order and as it was published, until
//! it is told that its image is gone. At the end nothing is left.

use std::collections::BTreeMap;

use gannet::command::Event;
use gannet::logbuffer::{ConcurrentAppender, ControlledAction, ExclusiveAppender, Fragment, ImageReader, OfferError};
use gannet::types::{ClientId, CorrelationId, Position, RegistrationId};

use crate::support::{AddedPublication, Driver, IPC, metadata, open};

const SUBSCRIPTIONS: [&str; 4] =
    ["aeron:ipc", "aeron:ipc", "aeron:ipc?tether=false", "aeron:ipc?tether=false|rejoin=false"];
/// Short, so that subscribers are often left behind.
const TIMEOUTS: &str =
    "untethered-window-limit-timeout=500ms|untethered-linger-timeout=700ms|untethered-resting-timeout=900ms";
const SEEDS: u64 = 24;
const STEPS: usize = 1000;
/// The longest payload of a frame, and the length of such a frame.
const WHOLE: usize = 1376;
const FRAME: i64 = 1408;

enum Publisher {
    Shared(ConcurrentAppender),
    Own(ExclusiveAppender),
}

/// A publication that somebody holds.
struct Stream {
    added: AddedPublication,
    holds: Vec<CorrelationId>,
    publisher: Publisher,
}

/// A subscriber's image.
struct Reader {
    subscription: RegistrationId,
    image: i64,
    reader: ImageReader,
}

struct World {
    driver: Driver,
    client: ClientId,
    random: fastrand::Rng,
    streams: Vec<Stream>,
    subscriptions: Vec<RegistrationId>,
    readers: Vec<Reader>,
    /// The frames of each stream that were published, by their ends.
    published: BTreeMap<i64, BTreeMap<i64, Vec<u8>>>,
    /// How many frames were read, and how many readers lost their image.
    delivered: usize,
    lost: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut driver = Driver::with(|config| config.timer_interval_ns = 100_000_000);
        let client = driver.client();
        driver.add_counter(client, b"", b"to be known");
        Self {
            driver,
            client,
            random: fastrand::Rng::with_seed(seed),
            streams: Vec::new(),
            subscriptions: Vec::new(),
            readers: Vec::new(),
            published: BTreeMap::new(),
            delivered: 0,
            lost: 0,
        }
    }

    /// Hears what the driver says of images. Returns the publication that it has added, if there is one.
    fn listen(&mut self) -> Option<AddedPublication> {
        let (mut added, mut changes) = (None, Vec::new());
        self.driver.events_with(|event| match event {
            Event::PublicationReady(ready) | Event::ExclusivePublicationReady(ready) => {
                added = Some(AddedPublication {
                    correlation: ready.correlation_id,
                    original: ready.registration_id,
                    session: ready.session_id.get(),
                    limit: ready.limit_id,
                    path: ready.log_file.to_string().into(),
                });
            }
            Event::AvailableImage(event) => {
                let which = (event.subscription_registration_id, event.image_correlation_id.get());
                changes.push((which, Some((event.subscriber_position_id, event.log_file.to_string()))));
            }
            Event::UnavailableImage(event) => {
                changes.push(((event.subscription_registration_id, event.image_correlation_id.get()), None));
            }
            _ => {}
        });
        for ((subscription, image), there) in changes {
            let known = self.reader_of(subscription, image);
            if let Some((position, path)) = there {
                assert!(known.is_none(), "it has the image {image} already");
                let reader = ImageReader::new(open(path.as_ref()), self.driver.word(position));
                self.readers.push(Reader { subscription, image, reader });
            } else if let Some(at) = known {
                self.readers.remove(at);
                self.lost += 1;
            }
        }
        added
    }

    fn reader_of(&self, subscription: RegistrationId, image: i64) -> Option<usize> {
        self.readers.iter().position(|reader| reader.subscription == subscription && reader.image == image)
    }

    fn pick(&mut self, of: usize) -> Option<usize> {
        (of > 0).then(|| self.random.usize(..of))
    }

    fn step(&mut self) {
        match self.random.u8(..200) {
            0..=3 if self.streams.len() < 4 => self.publish_anew(),
            4..=5 => self.leave(false),
            6 => self.leave(true),
            7..=12 if self.subscriptions.len() < 6 => {
                let channel = SUBSCRIPTIONS[self.random.usize(..SUBSCRIPTIONS.len())];
                let command = self.driver.add_subscription_command(self.client, channel);
                self.driver.send(&command);
                self.driver.settle();
                self.subscriptions.push(command.correlation_id().registration());
            }
            13..=15 => {
                if let Some(at) = self.pick(self.subscriptions.len()) {
                    let gone = self.subscriptions.remove(at);
                    let command = self.driver.remove_subscription_command(self.client, gone);
                    self.driver.send(&command);
                    // What was said before the removal, and the removal.
                    self.listen();
                    self.readers.retain(|reader| reader.subscription != gone);
                    self.driver.settle();
                }
            }
            16..=17 => self.die(),
            18 => {
                if let Some(at) = self.pick(self.readers.len()) {
                    let image = self.readers[at].image;
                    self.driver.reject_image_keeping_events(image, "no");
                }
            }
            19..=20 => {
                let time_ms = self.random.i64(0..20_000);
                self.pass(time_ms);
            }
            21..=40 => {
                let time_ms = self.random.i64(0..1_000);
                self.pass(time_ms);
            }
            41..=120 => self.publish(),
            _ => self.read(),
        }
        self.listen();
        self.check_room();
    }

    /// Lets time pass, in which whoever is told something hears it at once.
    fn pass(&mut self, time_ms: i64) {
        let mut left = time_ms;
        while left > 0 {
            self.driver.beat(self.client);
            self.driver.pass_ms(left.min(100));
            left -= 100;
            self.listen();
        }
    }

    fn publish_anew(&mut self) {
        let exclusive = self.random.bool();
        let start = [
            String::new(),
            "|init-term-id=2147483646|term-id=-2147483647|term-offset=64".to_owned(),
            format!("|init-term-id=0|term-id={}|term-offset=32768", i32::MAX - 1),
        ];
        let window = if self.random.bool() { "|pub-wnd=8k" } else { "" };
        let channel = format!("{IPC}|{TIMEOUTS}{window}{}", start[self.random.usize(..3)]);
        let command = self.driver.add_publication_command(self.client, &channel, exclusive);
        self.driver.send(&command);
        self.listen();
        self.driver.settle();
        let added = self.listen();
        // Refused if another with another start is to be shared.
        let Some(added) = added else { return };
        if let Some(shared) = self.streams.iter_mut().find(|stream| stream.added.original == added.original) {
            shared.holds.push(added.correlation);
            return;
        }
        let publisher = if exclusive {
            Publisher::Own(self.driver.exclusive_publisher(&added))
        } else {
            Publisher::Shared(self.driver.publisher(&added))
        };
        self.published.insert(added.original.get(), BTreeMap::new());
        self.streams.push(Stream { holds: vec![added.correlation], added, publisher });
    }

    fn leave(&mut self, revoke: bool) {
        let Some(at) = self.pick(self.streams.len()) else { return };
        self.give_up(at, revoke);
    }

    /// Gives up a hold of the stream at this index, which is gone with the last one.
    fn give_up(&mut self, at: usize, revoke: bool) {
        let stream = &mut self.streams[at];
        let hold = stream.holds.pop().expect("a hold");
        if stream.holds.is_empty() {
            self.streams.remove(at);
        }
        let command = self.driver.remove_publication_command(self.client, hold.registration(), revoke);
        self.driver.send(&command);
        self.driver.settle();
    }

    /// Claims something, and does not live to publish it.
    fn die(&mut self) {
        let Some(at) = self.pick(self.streams.len()) else { return };
        let is_begun = self.random.bool();
        let length = self.random.usize(..WHOLE);
        let stream = &mut self.streams[at];
        match &mut stream.publisher {
            Publisher::Shared(publisher) if is_begun => {
                let _ = publisher.try_claim(length).map(std::mem::forget);
            }
            Publisher::Shared(publisher) => {
                let position = publisher.position();
                let log = publisher.log();
                if position < publisher.position_limit() && position < log.term_length().max_position() {
                    let tail = 8 * (log.active_term_count() as u32 as usize % 3);
                    metadata(&stream.added.path).word_at::<i64>(tail).fetch_add((length as i64 + 63) & -32);
                }
            }
            // Nobody else may publish to its log, so it is the end of that.
            Publisher::Own(publisher) => {
                let _ = publisher.try_claim(length).map(std::mem::forget);
                self.give_up(at, false);
            }
        }
    }

    fn publish(&mut self) {
        let Some(at) = self.pick(self.streams.len()) else { return };
        for _ in 0..self.random.usize(..20) {
            let length = if self.random.u8(..8) == 0 { self.random.usize(..8192) } else { self.random.usize(..WHOLE) };
            let message: Vec<u8> = std::iter::repeat_with(|| self.random.u8(..)).take(length).collect();
            let stream = &mut self.streams[at];
            let outcome = match &mut stream.publisher {
                Publisher::Shared(publisher) => publisher.offer(&message),
                Publisher::Own(publisher) => publisher.offer(&message),
            };
            let end = match outcome {
                Ok(end) => end.get(),
                Err(OfferError::AdminAction) => continue,
                Err(OfferError::BackPressured | OfferError::NotConnected | OfferError::MaxPositionExceeded) => return,
                Err(error) => panic!("{error}"),
            };
            let frames = self.published.get_mut(&stream.added.original.get()).expect("a stream");
            let chunks: Vec<&[u8]> = if message.is_empty() { vec![&[]] } else { message.chunks(WHOLE).collect() };
            let last = (chunks.last().expect("one").len() as i64 + 63) & -32;
            let start = end - last - (chunks.len() as i64 - 1) * FRAME;
            for (number, chunk) in chunks.iter().enumerate() {
                let frame_end = if number + 1 == chunks.len() { end } else { start + (number as i64 + 1) * FRAME };
                assert!(frames.insert(frame_end, chunk.to_vec()).is_none(), "two at one place");
            }
        }
    }

    fn read(&mut self) {
        // The later one is in the list, the more it is left behind.
        let Some(most) = self.pick(self.readers.len()) else { return };
        let at = self.random.usize(..=most);
        let Self { readers, published, random, delivered, .. } = self;
        let Reader { image, reader, .. } = &mut readers[at];
        let frames = &published[image];
        let before = reader.position();
        let limit = random.usize(1..30);
        let bound = Position::new(before.get() + random.i64(0..5000));
        let mut last = before.get();
        let mut take = |fragment: Fragment<'_>| {
            let end = fragment.position().get();
            let next = frames.range(last + 1..).next().map(|(end, payload)| (*end, &payload[..]));
            assert_eq!(Some((end, fragment.payload())), next, "behind {last} of {image}");
            last = end;
            *delivered += 1;
        };
        match random.u8(..5) {
            0 => assert!(reader.poll(take, limit) <= limit),
            1 => assert!(reader.bounded_poll(take, bound, limit) <= limit),
            2 => {
                let mut left = random.usize(..20);
                let ask = |fragment: Fragment<'_>| {
                    if left == 0 {
                        return ControlledAction::Abort;
                    }
                    left -= 1;
                    take(fragment);
                    [ControlledAction::Continue, ControlledAction::Commit][left % 2]
                };
                assert!(reader.controlled_poll(ask, limit) <= limit);
            }
            3 => {
                let peek = |fragment: Fragment<'_>| {
                    take(fragment);
                    ControlledAction::Continue
                };
                reader.peek(before, peek, bound);
                assert_eq!(reader.position(), before);
            }
            _ => while reader.poll(&mut take, 100) > 0 {},
        }
        self.driver.settle();
    }

    /// What may be published into is zero.
    fn check_room(&mut self) {
        for Stream { added, .. } in &self.streams {
            let log = open(&added.path);
            let length = log.term_length();
            let (from, limit) = (log.producer_position().get(), self.driver.value(added.limit));
            for at in (from..limit.min(length.max_position().get())).step_by(32) {
                let at = Position::new(at);
                let mut bytes = [0; 32];
                log.term(length.term_count(at) as usize % 3).get_bytes(length.offset(at) as usize, &mut bytes);
                assert_eq!(bytes, [0; 32], "at {at} of {}, limit {limit}, position {from}", added.original);
            }
        }
    }

    fn end(mut self) -> (usize, usize) {
        while !self.streams.is_empty() {
            self.leave(false);
        }
        self.listen();
        // Those who still read read everything.
        for _ in 0..40 {
            self.pass(1_000);
            for _ in 0..100 {
                self.read();
                self.listen();
            }
        }
        assert_eq!(self.driver.log_files(), Vec::<String>::new());
        (self.delivered, self.lost)
    }
}

#[test]
fn everything_goes_in_any_order() {
    let (mut delivered, mut lost) = (0, 0);
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let mut world = World::new(seed);
        (0..STEPS).for_each(|_| world.step());
        let (read, without) = world.end();
        delivered += read;
        lost += without;
    }
    assert!(delivered > 500 * SEEDS as usize && lost > 20 * SEEDS as usize, "{delivered}, {lost}");
}
