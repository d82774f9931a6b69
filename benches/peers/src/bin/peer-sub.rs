//! A subscriber on Aeron's C client: `peer-sub --dir DIR --stream ID [--channel URI] [--format hex|raw] [--count N]
//! [--keep-going yes|no]`
//!
//! Prints `ready` once the driver has answered, to standard error so that standard output holds only messages. Then
//! writes each whole message in the chosen form (see `gannet_peers::records`) until N messages have arrived, until
//! standard input ends, or, without `--keep-going yes`, until the first image has ended and is read to its end.

use gannet_peers::client::{Client, ClientOptions, FragmentAssembler};
use gannet_peers::records::Format;
use std::io::{self, BufWriter, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{env, thread};

const USAGE: &str =
    "usage: peer-sub --dir DIR --stream ID [--channel URI] [--format hex|raw] [--count N] [--keep-going yes|no]";
const FRAGMENT_LIMIT: usize = 64;
const IDLE: Duration = Duration::from_micros(200);

struct Arguments {
    dir: PathBuf,
    channel: String,
    stream_id: i32,
    format: Format,
    count: u64,
    keep_going: bool,
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
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ERROR: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::connect_with(&arguments.dir, &ClientOptions::patient())?;
    let subscription = client.add_subscription(&arguments.channel, arguments.stream_id)?;
    eprintln!("ready");
    let stop = stop_when_input_ends();
    let mut assembler = FragmentAssembler::new()?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut received = 0;
    let mut failure = None;
    let mut seen_image = false;
    while received < arguments.count && failure.is_none() && !client.is_closed() {
        // Checked before polling: if the image is gone or the input has ended by then, an empty poll means that
        // everything is read.
        let over =
            stop.load(Ordering::Acquire) || (!arguments.keep_going && seen_image && subscription.image_count() == 0);
        seen_image |= subscription.image_count() > 0;
        let left = usize::try_from(arguments.count - received).unwrap_or(usize::MAX).min(FRAGMENT_LIMIT);
        let polled = assembler.poll(
            &subscription,
            |message| {
                received += 1;
                failure = arguments.format.write(&mut out, message.payload()).err().or(failure.take());
            },
            left,
        );
        if polled == 0 {
            if over {
                break;
            }
            out.flush()?;
            thread::sleep(IDLE);
        }
    }
    match failure {
        Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(out.flush()?),
    }
}

fn stop_when_input_ends() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&stop);
    thread::spawn(move || {
        let mut ignored = [0; 256];
        while let Ok(1..) = io::stdin().read(&mut ignored) {}
        ended.store(true, Ordering::Release);
    });
    stop
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let (mut dir, mut stream_id) = (None, None);
    let (mut channel, mut format, mut count) = ("aeron:ipc".to_owned(), Format::HexLines, u64::MAX);
    let mut keep_going = false;
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        let wrong = |_| format!("{value} is no number");
        match name.as_str() {
            "--dir" => dir = Some(value.into()),
            "--channel" => channel = value,
            "--stream" => stream_id = Some(value.parse().map_err(wrong)?),
            "--format" => format = Format::from_name(&value).ok_or_else(|| format!("no form is called {value}"))?,
            "--count" => count = value.parse().map_err(wrong)?,
            "--keep-going" => keep_going = value == "yes",
            _ => return Err(format!("{name} is not understood")),
        }
    }
    let dir = dir.ok_or("--dir is missing")?;
    let stream_id = stream_id.ok_or("--stream is missing")?;
    Ok(Arguments { dir, channel, stream_id, format, count, keep_going })
}
