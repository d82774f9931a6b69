//! `gannet sbe decode`: decodes messages of captures, files or standard input by schema, without generated code.

use std::io::{self, BufReader, Read};
use std::path::PathBuf;

use anyhow::{Context as _, bail};

use crate::capture::Capture;
use crate::cli::{Outcome, Output, Stop, StoppableInput, counted, positive_count, read_line};
use crate::sbe::{Decoder, Form, Frames, SchemaFlags};

/// Decode messages by schema: from captures, a file, or standard input
///
/// With --json, prints one object per message, each on its line: packet (its number in the input, from 0), index (the
/// message's number in the packet), schema, version, template, name, fields, and left_over if bytes follow the last
/// message. What is not a message of the schema is reported on standard error; the exit code is then 1.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The schema: XML, or compiled if the name ends in .sbeir
    #[arg(long, value_name = "SCHEMA")]
    schema: PathBuf,
    /// Decode each UDP payload of this pcap or pcapng file; several files are decoded one after the other
    #[arg(long, value_name = "FILE.pcap", num_args = 1.., conflicts_with_all = ["file", "input"])]
    capture: Vec<PathBuf>,
    /// Read this file instead of standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// What the file or standard input holds
    #[arg(long, value_enum, default_value_t = Input::Raw)]
    input: Input,
    #[command(flatten)]
    frames: Frames,
    /// How to print a message
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
    /// Print one JSON object per message, as --format json does
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Stop after this many packets
    #[arg(long, value_name = "PACKETS", value_parser = positive_count)]
    count: Option<u64>,
    #[command(flatten)]
    flags: SchemaFlags,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Input {
    /// One packet, as raw bytes
    Raw,
    /// One packet per line, in hexadecimal digits
    Hex,
}

/// The longest packet accepted, and the longest line with the digits of one, in bytes.
const LONGEST_PACKET: u64 = 1 << 30;

/// Runs the command.
pub(crate) fn run(args: &Args, out: &mut Output) -> Outcome {
    let schema = args.flags.open(&args.schema)?.schema;
    let form = if args.json { Form::Json } else { args.format };
    let decoder = Decoder::new(schema, args.frames, form);
    let stop = Stop::listen()?;
    let mut printer = Printer { form, out, decoder, packet: 0, count: args.count, stop: &stop };
    if args.capture.is_empty() {
        let input = match &args.file {
            Some(path) => {
                StoppableInput::open(path, &stop).with_context(|| format!("cannot read {}", path.display()))?
            }
            None => StoppableInput::stdin(&stop),
        };
        let name = args.file.as_ref().map_or_else(|| "standard input".to_owned(), |path| path.display().to_string());
        printer.input(args.input, input, &name)?;
    } else {
        printer.captures(&args.capture)?;
    }
    let (decoded, failed) = (printer.decoder.decoded, printer.decoder.failed);
    if failed > 0 {
        bail!("{failed} of {} could not be decoded", counted(decoded + failed, "message"));
    }
    Ok(())
}

struct Printer<'o> {
    form: Form,
    out: &'o mut Output,
    decoder: Decoder,
    packet: u64,
    count: Option<u64>,
    stop: &'o Stop,
}

impl Printer<'_> {
    fn is_done(&self) -> bool {
        self.count.is_some_and(|count| self.packet >= count) || self.stop.is_wanted()
    }

    fn captures(&mut self, paths: &[PathBuf]) -> Outcome {
        // Before any is decoded, so that a wrong name is reported at once.
        for path in paths {
            Capture::check(path, self.stop)?;
        }
        for path in paths {
            let Some(mut capture) = Capture::open(path, self.stop)? else { break };
            while !self.is_done() && capture.advance()? {
                self.packet(capture.payload())?;
            }
            let passed_over = capture.passed_over();
            if passed_over.total() > 0 {
                crate::cli::tell(format_args!("{}: passed over {}", path.display(), passed_over.describe()));
            }
        }
        Ok(())
    }

    fn input(&mut self, kind: Input, input: impl Read, name: &str) -> Outcome {
        let cannot = || format!("cannot read {name}");
        match kind {
            Input::Raw => {
                let bytes = read_packet(input, LONGEST_PACKET).with_context(cannot)?;
                // An incomplete packet is not decoded.
                if self.is_done() { Ok(()) } else { self.packet(&bytes) }
            }
            Input::Hex => {
                let mut input = BufReader::new(input);
                let (mut line, mut number) = (Vec::new(), 0);
                while !self.is_done() && read_line(&mut input, LONGEST_PACKET, &mut line).with_context(cannot)? {
                    number += 1;
                    let digits = line.trim_ascii();
                    // A line that was cut off by the request to stop is not decoded.
                    if digits.is_empty() || self.stop.is_wanted() {
                        continue;
                    }
                    let bytes = from_hex(digits);
                    let bytes = bytes.with_context(|| format!("line {number} of {name} is not hexadecimal"))?;
                    self.packet(&bytes)?;
                }
                Ok(())
            }
        }
    }

    fn packet(&mut self, payload: &[u8]) -> Outcome {
        let (packet, form, out) = (self.packet, self.form, &mut *self.out);
        self.packet += 1;
        self.decoder.decode(payload, |message| match (message, form) {
            (Ok(message), Form::Json) => {
                let (index, members) = (message.index, message.json_members()?);
                out.line(format_args!("{{\"packet\":{packet},\"index\":{index},{members}}}"))
            }
            (Ok(message), Form::Text) => out.line(format_args!("{packet}.{} {}", message.index, message.text())),
            (Ok(message), Form::Official) => out.sent_lines(message.content),
            (Err(failure), _) => {
                crate::cli::tell(format_args!("packet {packet}, {failure}"));
                Ok(())
            }
        })
    }
}

/// Reads all of the input, which is one packet.
fn read_packet(input: impl Read, longest: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(longest + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > longest {
        let text = format!(
            "there are more than {longest} bytes, which cannot be one packet; several are read from a capture (--capture), or \
             line by line (--input hex)"
        );
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(bytes)
}

fn from_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = digits.chunks(2);
    pairs.map(|pair| Some((digit(pair[0])? * 16 + digit(*pair.get(1)?)?) as u8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_that_is_too_long_for_one_packet_is_refused_and_not_cut() {
        assert_eq!(read_packet(&[7; 16][..], 16).expect("it is just short enough"), [7; 16]);
        let error = read_packet(&[7; 17][..], 16).expect_err("too long");
        assert!(error.to_string().contains("more than 16 bytes"), "{error}");
    }

    #[test]
    fn hexadecimal_digits_come_in_pairs() {
        assert_eq!(from_hex(b"00fFa5"), Some(vec![0, 0xff, 0xa5]));
        assert_eq!(from_hex(b"000"), None);
        assert_eq!(from_hex(b"0g"), None);
    }
}
