//! `gannet journal export`: writes messages of a recording in formats that other programs read.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use etherparse::PacketBuilder;
use gannet::journal::{Record, Start};

use super::Source;
use super::messages::{Choice, Meaning, Printer, text};
use super::reading::{self, Damages};
use crate::cli::{Outcome, Output, Progress, Stop, Usage, count, hex};
use crate::commands::checking::Checking;
use crate::commands::recorded::{end_of, place};
use crate::sbe::Decoded;

/// Write messages as a capture, as JSON lines or as CSV
///
/// Messages are chosen as with cat. A capture has one UDP packet over IPv4 for each message, with the time of the
/// message; its addresses (127.0.0.1) and ports mean nothing. pub --capture and sbe decode --capture read it, and so do
/// the usual tools. JSON lines are those of cat --json. CSV has the columns position, next_position, sequence, time_ns
/// and length, followed by text and hex. With a schema it has schema, version, template, name and fields instead of
/// these two; fields is JSON.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    source: Source,
    /// The format to write
    #[arg(long, value_enum, required_unless_present = "json")]
    format: Option<Format>,
    /// The same as --format jsonl
    #[arg(long)]
    json: bool,
    /// Write to this file instead of standard output
    #[arg(long, short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
    /// Where to begin: start, end, a position, seq:NUMBER, cycle:NUMBER, time:NANOS, or a time such as
    /// 2026-01-31T08:30:00Z
    #[arg(long, alias = "from-position", value_name = "PLACE", conflicts_with = "since", value_parser = place)]
    from: Option<Start>,
    /// Where to end, in the same form; a message that begins there is not written
    #[arg(long, alias = "to-position", value_name = "PLACE", value_parser = place)]
    to: Option<Start>,
    /// Stop after this many messages
    #[arg(long, value_name = "MESSAGES", value_parser = count)]
    count: Option<u64>,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    meaning: Meaning,
    #[command(flatten)]
    checking: Checking,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A capture: pcap with nanoseconds, raw IP
    Pcap,
    /// One JSON object per line
    Jsonl,
    /// Comma-separated values, with a header
    Csv,
}

/// Runs the command.
pub(super) fn run(args: &Args, out: &mut Output) -> Outcome {
    let format = match args.format {
        Some(format) if args.json && format != Format::Jsonl => {
            bail!(Usage("--json is the same as --format jsonl: leave one of the two out".to_owned()))
        }
        Some(format) => format,
        None => Format::Jsonl,
    };
    let start = args.from.or(args.choice.since.map(Start::Time)).unwrap_or(Start::Begin);
    let recording = args.source.open()?;
    args.choice.check(&recording)?;
    let mut tailer = args.checking.by(recording.tailer(start)?);
    let mut printer = Printer::new(&args.choice, &args.meaning.as_json())?;
    // Before the command hears the request to stop, which could not end the wait for the reader of a pipe.
    let mut file = match &args.output {
        Some(path) => Some(Output::file(
            path.display().to_string(),
            BufWriter::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?),
        )),
        None => None,
    };
    let stop = Stop::listen()?;
    let out = file.as_mut().unwrap_or(out);
    let has_schema = args.meaning.has_schema();
    match format {
        Format::Pcap => out.bytes(&pcap_header())?,
        Format::Csv if has_schema => {
            out.line("position,next_position,sequence,time_ns,length,schema,version,template,name,fields")?;
        }
        Format::Csv => out.line("position,next_position,sequence,time_ns,length,text,hex")?,
        Format::Jsonl => {}
    }
    let mut progress = Progress::new("exported");
    let mut damages = Damages::default();
    let end = args.to.map(|place| end_of(&recording, place)).transpose()?;
    let is_done = |selected: u64| args.count.is_some_and(|count| selected >= count) || stop.is_wanted();
    while !is_done(printer.selected) && end.is_none_or(|end| tailer.position() < end) {
        let more = reading::forward(&mut tailer, &mut damages, |record| match format {
            Format::Jsonl => printer.print(record, out),
            Format::Pcap => printer.write_once(record, pcap_packet, out),
            Format::Csv => printer.write(record, &mut csv_row, out),
        })?;
        if !more {
            break;
        }
        progress.passes(tailer.position());
    }
    drop(progress);
    out.flush()?;
    printer.finish(&damages)
}

/// The header of a capture file: version 2.4, nanosecond times, packets that begin with their IP header.
fn pcap_header() -> Vec<u8> {
    const MAGIC_NANOSECONDS: u32 = 0xA1B2_3C4D;
    const LINK_RAW: u32 = 101;
    const LONGEST: u32 = 262_144;
    let mut header = Vec::with_capacity(24);
    header.extend(MAGIC_NANOSECONDS.to_le_bytes());
    header.extend(2_u16.to_le_bytes());
    header.extend(4_u16.to_le_bytes());
    header.extend([0; 8]);
    header.extend(LONGEST.to_le_bytes());
    header.extend(LINK_RAW.to_le_bytes());
    header
}

/// Writes a message as a packet.
fn pcap_packet(record: &Record<'_>, out: &mut Output) -> Outcome {
    /// The longest payload of a UDP datagram over IPv4, in bytes.
    const LONGEST_PAYLOAD: usize = 65_535 - 20 - 8;
    const PORT: u16 = 40_123;
    let payload = record.payload();
    if payload.len() > LONGEST_PAYLOAD {
        bail!(
            "the message at {} has {} bytes, and a UDP packet has room for {LONGEST_PAYLOAD}: export it as jsonl or csv, or leave it out \
             with --to and --from",
            record.position(),
            payload.len()
        );
    }
    let mut packet = Vec::with_capacity(payload.len() + 28);
    let builder = PacketBuilder::ipv4([127, 0, 0, 1], [127, 0, 0, 1], 64).udp(PORT, PORT);
    builder.write(&mut packet, payload).context("cannot make a packet")?;
    let time = record.time().map_or(0, |time| time.get()).max(0).unsigned_abs();
    let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
    let seconds = u32::try_from(time / 1_000_000_000).unwrap_or(u32::MAX);
    let nanos = (time % 1_000_000_000) as u32;
    for word in [seconds, nanos, length, length] {
        out.bytes(&word.to_le_bytes())?;
    }
    out.bytes(&packet)
}

/// Writes a message as a row.
fn csv_row(record: &Record<'_>, decoded: Option<&Decoded<'_>>, out: &mut Output) -> Outcome {
    let number = |number: Option<i64>| number.map_or_else(String::new, |number| number.to_string());
    let place = format!(
        "{},{},{},{},{}",
        record.position(),
        record.next_position(),
        number(record.sequence()),
        number(record.time().map(|time| time.get())),
        record.payload().len()
    );
    match decoded {
        Some(message) => out.line(format_args!(
            "{place},{},{},{},{},{}",
            message.schema,
            message.version,
            message.template,
            quoted(message.name),
            quoted(message.content)
        )),
        None => {
            let payload = record.payload();
            out.line(format_args!("{place},{},{}", quoted(text(payload).unwrap_or_default()), hex(payload)))
        }
    }
}

/// Quotes a value for CSV if necessary, with quotes inside it doubled.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_with_commas_and_quotes_are_quoted() {
        assert_eq!(["plain", "a,b", "say \"x\"", ""].map(quoted), ["plain", "\"a,b\"", "\"say \"\"x\"\"\"", ""]);
    }

    /// What is exported as a capture, the reader of captures reads back, payload by payload.
    #[test]
    fn a_capture_is_read_back() {
        use gannet::journal::{Journal, JournalOptions};

        let dir = tempfile::tempdir().expect("a directory");
        let options = JournalOptions::new().term_length(4 << 20).segment_length(4 << 20);
        let journal = Journal::create(dir.path(), &options).expect("a journal");
        let mut appender = journal.appender().expect("an appender");
        let payloads = [b"".to_vec(), b"x".to_vec(), vec![7; 1_500], vec![9; 65_507]];
        for payload in &payloads {
            appender.append(payload).expect("appended");
        }
        let path = dir.path().join("out.pcap");
        let mut out = Output::to(File::create(&path).expect("a file"));
        out.bytes(&pcap_header()).expect("written");
        let mut tailer = journal.recording().and_then(|recording| recording.tailer(Start::Begin)).expect("a tailer");
        while let Some(record) = tailer.next().expect("read") {
            pcap_packet(&record, &mut out).expect("written");
        }
        let opened = crate::capture::Capture::open(&path, &crate::cli::Stop::default());
        let mut capture = opened.expect("a capture").expect("nobody stops it");
        for payload in &payloads {
            assert!(capture.advance().expect("whole") && capture.payload() == payload);
        }
        assert!(!capture.advance().expect("whole") && capture.passed_over().total() == 0);
        appender.append(&[1; 65_508]).expect("appended");
        let record = tailer.next().expect("read").expect("a message");
        let error = pcap_packet(&record, &mut out).expect_err("too long for UDP");
        assert!(error.to_string().contains("has room for 65507"), "{error}");
    }

    #[test]
    fn the_header_of_a_capture_is_that_of_the_format() {
        let header = pcap_header();
        assert_eq!((header.len(), &header[..8]), (24, &[0x4D, 0x3C, 0xB2, 0xA1, 2, 0, 4, 0][..]));
    }
}
