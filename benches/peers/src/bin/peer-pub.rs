//! A publisher on Aeron's C client:
//! `peer-pub --dir DIR --stream ID [--channel URI] [--format hex|raw] [--kind concurrent|exclusive] [--subscribers N]`
//!
//! Waits for N subscribers (default 1), then publishes each message that it reads from standard input (see
//! `gannet_peers::records` for the form), and retries while it is back-pressured. Prints `ready` to standard error once
//! the driver has answered, and `done COUNT POSITION` to standard output at the end of the input.

use gannet_peers::client::{Client, ClientOptions, CounterRecord, OfferError};
use gannet_peers::records::Format;
use std::io::{self, BufReader};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, thread};

const USAGE: &str = "usage: peer-pub --dir DIR --stream ID [--channel URI] [--format hex|raw] \
                     [--kind concurrent|exclusive] [--subscribers N]";
const IDLE: Duration = Duration::from_micros(200);
/// The type id of subscriber position counters.
const SUBSCRIBER_POSITION: i32 = 4;

struct Arguments {
    dir: PathBuf,
    channel: String,
    stream_id: i32,
    format: Format,
    exclusive: bool,
    subscribers: usize,
}

fn main() -> ExitCode {
    let arguments = match parse(env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("{message}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok((count, position)) => {
            println!("done {count} {position}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("ERROR: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(u64, i64), Box<dyn std::error::Error>> {
    let client = Client::connect_with(&arguments.dir, &ClientOptions::patient())?;
    if arguments.exclusive {
        let publication = client.add_exclusive_publication(&arguments.channel, arguments.stream_id)?;
        publish(&client, arguments, publication.facts().registration_id, |message| publication.offer(message))
    } else {
        let publication = client.add_publication(&arguments.channel, arguments.stream_id)?;
        publish(&client, arguments, publication.facts().original_registration_id, |message| publication.offer(message))
    }
}

fn publish(
    client: &Client,
    arguments: &Arguments,
    registration_id: i64,
    mut offer: impl FnMut(&[u8]) -> Result<i64, OfferError>,
) -> Result<(u64, i64), Box<dyn std::error::Error>> {
    eprintln!("ready");
    let reads_this =
        |counter: &CounterRecord| counter.type_id == SUBSCRIBER_POSITION && counter.reference_id == registration_id;
    while client.counters().into_iter().filter(reads_this).count() < arguments.subscribers {
        if client.is_closed() {
            return Err(OfferError::Closed.into());
        }
        thread::sleep(IDLE);
    }
    let mut input = BufReader::new(io::stdin().lock());
    let (mut count, mut position) = (0, 0);
    while let Some(message) = arguments.format.read(&mut input)? {
        position = loop {
            match offer(&message) {
                Ok(position) => break position,
                Err(OfferError::AdminAction) => {}
                Err(OfferError::BackPressured) => thread::sleep(IDLE),
                // The driver adds a subscriber's position before it reports that the publication is connected.
                Err(OfferError::NotConnected) if count == 0 => thread::sleep(IDLE),
                Err(error) => return Err(error.into()),
            }
        };
        count += 1;
    }
    Ok((count, position))
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let (mut dir, mut stream_id) = (None, None);
    let (mut channel, mut format) = ("aeron:ipc".to_owned(), Format::HexLines);
    let (mut exclusive, mut subscribers) = (false, 1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        let wrong = |_| format!("{value} is no number");
        match name.as_str() {
            "--dir" => dir = Some(value.into()),
            "--channel" => channel = value,
            "--stream" => stream_id = Some(value.parse().map_err(wrong)?),
            "--format" => format = Format::from_name(&value).ok_or_else(|| format!("no form is called {value}"))?,
            "--kind" => {
                exclusive = match value.as_str() {
                    "concurrent" => false,
                    "exclusive" => true,
                    _ => return Err(format!("no kind of publication is called {value}")),
                }
            }
            "--subscribers" => subscribers = value.parse().map_err(wrong)?,
            _ => return Err(format!("{name} is not understood")),
        }
    }
    let dir = dir.ok_or("--dir is missing")?;
    let stream_id = stream_id.ok_or("--stream is missing")?;
    Ok(Arguments { dir, channel, stream_id, format, exclusive, subscribers })
}
