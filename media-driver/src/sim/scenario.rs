//! One run of a simulation: two drivers, a publisher on one and a subscriber on the other, weather from a seed, and checks that stand
//! outside.

use std::collections::VecDeque;
use std::fmt;

use fastrand::Rng;
use gannet::counters::SystemCounter;
use gannet::logbuffer::OfferError;
use gannet::types::StreamId;

use super::{SimClient, SimDriver, SimNetwork, Weather};

const CHANNEL: &str = "aeron:udp?endpoint=10.0.0.2:40123|term-length=64k";
const STREAM: StreamId = StreamId::new(1001);
/// How far the clock moves between turns, in nanoseconds, on average.
const STEP_NS: i64 = 20_000;
/// A run is over by then, in nanoseconds of its clock.
const DEADLINE_NS: i64 = 120_000_000_000;
/// After everything was closed, everything is gone within this, in nanoseconds: lingers and liveness are seconds.
const RECLAIM_NS: i64 = 40_000_000_000;

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many messages arrived.
    pub messages: u32,
    /// How long it took, by its own clock, in nanoseconds.
    pub took_ns: i64,
    /// How many NAKs were sent.
    pub naks: i64,
    /// How many datagrams were sent again.
    pub retransmits: i64,
}

/// What a run has found to be wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Failure {
    /// The seed that shows it.
    pub seed: u64,
    /// At which time of the run, in nanoseconds.
    pub at_ns: i64,
    /// What.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}, at {} ns: {}", self.seed, self.at_ns, self.what)
    }
}

struct Run {
    seed: u64,
    now_ns: i64,
    random: Rng,
    network: SimNetwork,
    drivers: [SimDriver; 2],
    clients: [SimClient; 2],
    /// What was published and has not arrived.
    waiting: VecDeque<Vec<u8>>,
    published: u32,
    read: u32,
    /// The beginning of a message of which more is to come.
    partial: Vec<u8>,
    /// The positions that were seen last: sent, rebuilt, announced.
    seen: [i64; 3],
}

/// Plays a seed: `messages` messages cross the network, then everything is closed.
///
/// # Errors
///
/// [`Failure`], with what was wrong and when.
pub fn run(seed: u64, messages: u32) -> Result<Summary, Failure> {
    let mut random = Rng::with_seed(seed);
    let is_fair = random.u8(..) < 32;
    let weather = Weather {
        lost: if is_fair { 0.0 } else { random.f64() * 0.25 },
        repeated: if is_fair { 0.0 } else { random.f64() * 0.2 },
        corrupted: 0.0,
        least_delay_ns: 10_000,
        most_delay_ns: 10_001 + random.i64(0..1_000_000),
    };
    let hosts = [[10, 0, 0, 1].into(), [10, 0, 0, 2].into()];
    let drivers = hosts.map(|host| SimDriver::new(host, random.u64(..), |_| {}));
    let clients = [SimClient::new(&drivers[0]), SimClient::new(&drivers[1])];
    let mut run = Run {
        seed,
        now_ns: 1_000_000_000,
        network: SimNetwork::new(random.u64(..), weather),
        random,
        drivers,
        clients,
        waiting: VecDeque::new(),
        published: 0,
        read: 0,
        partial: Vec::new(),
        seen: [0; 3],
    };
    run.open()?;
    run.carry(messages)?;
    run.close()?;
    let [sending, receiving] = &run.drivers;
    if (receiving.system(SystemCounter::NaksSent) > 0) && receiving.bytes_lost() == 0 {
        return run.fail("something was asked for again, and the loss report says nothing");
    }
    Ok(Summary {
        messages: run.read,
        took_ns: run.now_ns,
        naks: receiving.system(SystemCounter::NaksSent),
        retransmits: sending.system(SystemCounter::RetransmitsSent),
    })
}

impl Run {
    fn fail<T>(&self, what: impl Into<String>) -> Result<T, Failure> {
        Err(Failure { seed: self.seed, at_ns: self.now_ns, what: what.into() })
    }

    /// Everybody has a turn, but for whoever the seed has sleep.
    fn turn(&mut self) -> Result<(), Failure> {
        self.now_ns += self.random.i64(1..2 * STEP_NS);
        while let Some(packet) = self.network.arrival(self.now_ns) {
            if let Some(driver) = self.drivers.iter_mut().find(|driver| driver.host() == packet.to.ip()) {
                driver.take(self.now_ns, &packet);
            }
        }
        for driver in &mut self.drivers {
            // A driver that was not given the processor.
            if self.random.u8(..) >= 16 {
                driver.turn(self.now_ns, &mut self.network);
            }
        }
        for (client, driver) in self.clients.iter_mut().zip(&self.drivers) {
            client.turn(self.now_ns, driver);
        }
        self.check()
    }

    fn check(&mut self) -> Result<(), Failure> {
        let sent = self.drivers[0].sender().publications().next();
        let image = self.drivers[1].receiver().images().next();
        let found = [
            sent.map_or(self.seen[0], |publication| publication.sent()),
            image.map_or(self.seen[1], |image| image.rebuilt()),
            image.map_or(self.seen[2], |image| image.announced()),
        ];
        if found.iter().zip(&self.seen).any(|(found, seen)| found < seen) {
            return self.fail(format!("a position went back: {:?} after {:?}", found, self.seen));
        }
        self.seen = found;
        // Padding alone may pass the limit, and is at most a term.
        if let Some(publication) = sent
            && publication.sent() > publication.limit() + (64 << 10)
        {
            return self.fail(format!("{} was sent, and {} allowed", publication.sent(), publication.limit()));
        }
        match self.clients.iter().flat_map(|client| &client.refusals).next() {
            Some((_, refusal)) => self.fail(format!("a command was refused: {refusal}")),
            None => Ok(()),
        }
    }

    /// Publication and subscription, one before the other as the seed has it, and an image.
    fn open(&mut self) -> Result<(), Failure> {
        let publishes_first = self.random.bool();
        for step in 0..2 {
            if (step == 0) == publishes_first {
                self.clients[0].add_publication(CHANNEL, STREAM);
            } else {
                self.clients[1].add_subscription(CHANNEL, STREAM);
            }
            for _ in 0..self.random.usize(0..5_000) {
                self.turn()?;
            }
        }
        while self.clients[0].publications.is_empty() || self.clients[1].images.is_empty() {
            self.turn()?;
            if self.now_ns > DEADLINE_NS {
                return self.fail("there is no image");
            }
        }
        Ok(())
    }

    /// Messages of all sizes; each arrives once, and in order.
    fn carry(&mut self, messages: u32) -> Result<(), Failure> {
        let cut_at = self.random.u32(..messages.max(1));
        let mut is_cut_until = None;
        while self.read < messages {
            self.turn()?;
            if self.now_ns > DEADLINE_NS {
                return self.fail(format!("{} of {messages} messages arrived", self.read));
            }
            self.publish(messages)?;
            self.read()?;
            // Once in a run the network is cut in two, for less than it takes to give anybody up.
            if self.read >= cut_at && is_cut_until.is_none() {
                self.network.cut_off(self.drivers[1].host());
                is_cut_until = Some(self.now_ns + self.random.i64(0..2_000_000_000));
            }
            if is_cut_until.is_some_and(|until| self.now_ns > until) {
                self.network.heal();
            }
        }
        self.network.heal();
        Ok(())
    }

    fn publish(&mut self, messages: u32) -> Result<(), Failure> {
        while self.published < messages && self.random.u8(..) < 128 {
            let longest = if self.random.u8(..) < 32 { 8_000 } else { 1_300 };
            let mut message = vec![self.published as u8; self.random.usize(4..longest)];
            message[..4].copy_from_slice(&self.published.to_le_bytes());
            match self.clients[0].publications[0].appender.offer(&message) {
                Ok(_) => {
                    self.waiting.push_back(message);
                    self.published += 1;
                }
                Err(OfferError::AdminAction) => {}
                Err(OfferError::BackPressured | OfferError::NotConnected) => break,
                Err(error) => return self.fail(format!("a publisher was told {error}")),
            }
        }
        Ok(())
    }

    fn read(&mut self) -> Result<(), Failure> {
        if self.random.u8(..) >= 128 {
            return Ok(());
        }
        let (waiting, read) = (&mut self.waiting, &mut self.read);
        let mut wrong = None;
        let mut assembled = std::mem::take(&mut self.partial);
        let Some(image) = self.clients[1].images.first_mut() else { return self.fail("the image is gone") };
        image.reader.poll(
            |fragment| {
                assembled.extend_from_slice(fragment.payload());
                if fragment.flags() & gannet::logbuffer::flags::END == 0 {
                    return;
                }
                let expected = waiting.pop_front();
                if expected.as_deref() != Some(&assembled[..]) {
                    wrong = Some(format!("message {read} is another one than was sent"));
                }
                *read += 1;
                assembled.clear();
            },
            20,
        );
        self.partial = assembled;
        wrong.map_or(Ok(()), |wrong| self.fail(wrong))
    }

    /// Publication, subscription and clients go, in the order that the seed has; in the end nothing is left.
    fn close(&mut self) -> Result<(), Failure> {
        let registration_id = self.clients[0].publications[0].correlation_id.registration();
        let subscription = self.clients[1].subscriptions[0];
        match self.random.u8(..4) {
            0 => self.clients[0].remove_publication(registration_id, false),
            1 => self.clients[0].remove_publication(registration_id, true),
            2 => self.clients[1].remove_subscription(subscription),
            _ => {}
        }
        for _ in 0..self.random.usize(0..50_000) {
            self.turn()?;
        }
        self.clients.iter_mut().for_each(SimClient::close);
        let until = self.now_ns + RECLAIM_NS;
        while self.now_ns < until {
            // Nothing happens any more but by time.
            self.now_ns += 5_000_000;
            self.turn()?;
            let counters = |driver: &SimDriver| {
                let mut found = 0;
                driver.counters().for_each(|_| found += 1);
                found - SystemCounter::ALL.len()
            };
            if self.drivers.iter().all(|driver| driver.held() == (0, 0) && counters(driver) == 0) {
                return Ok(());
            }
        }
        let held = self.drivers.each_ref().map(SimDriver::held);
        self.fail(format!("after everything was closed logs and sockets are left: {held:?}"))
    }
}
