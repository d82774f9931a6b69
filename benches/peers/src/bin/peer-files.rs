//! Writes files of Aeron's C driver as text: `peer-files DIR`
//!
//! The files in DIR are in the text form of `gannet_peers::reference_files`, so that tests without a C driver can
//! compare layouts with them: CnC files that are fresh, with a stream, and after a clean stop; log buffers of
//! publications of both kinds with frames of all types, and one that starts in its third term; and `facts.txt` with one
//! `name value` per line, reported by the C client about them.

use gannet_peers::aeron_dir::AeronDir;
use gannet_peers::client::{Client, PublicationFacts};
use gannet_peers::driver::{DriverKind, DriverOptions, DriverProcess};
use gannet_peers::reference_files::Snapshot;
use rustix::process::Signal;
use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

const PATIENCE: Duration = Duration::from_secs(20);
const STREAM: i32 = 1001;

fn main() -> ExitCode {
    let Some(out) = env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: peer-files DIR");
        return ExitCode::from(2);
    };
    match run(&out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ERROR: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(out: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(out)?;
    let dir = AeronDir::unique("reference");
    let cnc = dir.path().join("cnc.dat");
    let mut driver = DriverProcess::start(DriverKind::Aeron, dir.path(), &DriverOptions::default())?;
    let mut facts = Facts::default();
    facts.add("driver_pid", driver.process().id());
    write(out, "cnc-fresh", &Snapshot::of(&cnc)?)?;

    let client = Client::connect(dir.path())?;
    facts.add("client_id", client.client_id());
    let concurrent = client.add_publication("aeron:ipc?term-length=64k", STREAM)?;
    facts.add_publication("concurrent", &concurrent.facts());
    let subscription = client.add_subscription("aeron:ipc?term-length=64k", STREAM)?;
    facts.add("subscription_registration_id", subscription.registration_id());
    until(|| subscription.is_connected())?;
    let image = subscription.image(0).ok_or("no image")?.facts();
    facts.add("subscriber_position_id", image.subscriber_position_id);
    let counter = client.add_counter(1100, b"a key", "a counter")?;
    counter.set(42);
    facts.add("counter_id", counter.id());
    facts.add("counter_registration_id", counter.registration_id());
    let refused = client.add_publication("aeron:carrier-pigeon", STREAM);
    facts.add("refused_channel_accepted", refused.is_ok());

    let position = concurrent.offer_with_reserved_value(b"hello", 0x0102)?;
    facts.add("concurrent_first_position", position);
    concurrent.offer(&[9; 3000])?;
    concurrent.try_claim(10)?.abort();
    let position = concurrent.try_claim(20)?;
    facts.add("concurrent_tail_position", position.position());
    position.abandon();
    until(|| subscription.poll(|_| {}, 10) == 0)?;
    facts.add("subscriber_position", subscription.image(0).ok_or("no image")?.position());

    let exclusive = client.add_exclusive_publication("aeron:ipc?term-length=128k|mtu=8k", STREAM + 1)?;
    facts.add_publication("exclusive", &exclusive.facts());
    let channel = "aeron:ipc?term-length=128k|init-term-id=7|term-id=9|term-offset=128";
    let positioned = client.add_exclusive_publication(channel, STREAM + 2)?;
    facts.add_publication("positioned", &positioned.facts());
    for (name, publication) in
        [("concurrent", concurrent.facts()), ("exclusive", exclusive.facts()), ("positioned", positioned.facts())]
    {
        write(out, &format!("log-{name}"), &Snapshot::of_publication(dir.path(), publication.registration_id)?)?;
    }
    write(out, "cnc-stream", &Snapshot::of(&cnc)?)?;

    driver.process().signal(Signal::TERM)?;
    driver.process().wait(PATIENCE)?;
    write(out, "cnc-stopped", &Snapshot::of(&cnc)?)?;
    fs::write(out.join("facts.txt"), facts.text)?;
    Ok(())
}

/// Facts reported by the C client, one `name value` per line.
#[derive(Default)]
struct Facts {
    text: String,
}

impl Facts {
    fn add(&mut self, name: &str, value: impl std::fmt::Display) {
        writeln!(self.text, "{name} {value}").expect("writing to a string");
    }

    fn add_publication(&mut self, name: &str, facts: &PublicationFacts) {
        self.add(&format!("{name}_registration_id"), facts.registration_id);
        self.add(&format!("{name}_session_id"), facts.session_id);
        self.add(&format!("{name}_stream_id"), facts.stream_id);
        self.add(&format!("{name}_initial_term_id"), facts.initial_term_id);
        self.add(&format!("{name}_term_length"), facts.term_length);
        self.add(&format!("{name}_max_payload_length"), facts.max_payload_length);
        self.add(&format!("{name}_limit_counter_id"), facts.limit_counter_id);
    }
}

fn write(out: &Path, name: &str, snapshot: &Snapshot) -> Result<(), Box<dyn Error>> {
    Ok(fs::write(out.join(format!("{name}.txt")), snapshot.to_text())?)
}

fn until(mut condition: impl FnMut() -> bool) -> Result<(), Box<dyn Error>> {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() > deadline {
            return Err("the stream did not get connected or read".into());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
