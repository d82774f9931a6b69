//! Selects and prints messages of a recording, for `cat`, `tail` and `find`.

use std::path::PathBuf;

use anyhow::bail;
use gannet::journal::{Record, Recording, Start};
use gannet::time::EpochNanos;
use gannet_codecs::schema::Schema;
use serde::Serialize;

use super::field::Field;
use super::reading::Damages;
use crate::cli::{Outcome, Output, Usage, counted, hex, moment, show_moment};
use crate::sbe::{Decoded, Decoder, Form, Frames, SchemaFlags};

/// Which messages.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Choice {
    /// Only messages from this time on: RFC 3339, or nanoseconds since 1970
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(super) since: Option<EpochNanos>,
    /// Only messages before this time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(super) until: Option<EpochNanos>,
    /// Only messages whose bytes contain this text
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// Only messages of this SBE template
    #[arg(long, value_name = "ID", requires = "schema")]
    template: Option<u32>,
    /// Only messages with this value in a field, as the JSON form shows it: instrument=9, side=Buy, or levels.price=101
    /// for any entry of a group. If given more than once, all of them have to hold
    #[arg(long, value_name = "NAME=VALUE", requires = "schema")]
    field: Vec<Field>,
}

/// What messages mean.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Meaning {
    /// Decode messages by this SBE schema: XML, or compiled if the name ends in .sbeir
    #[arg(long, value_name = "SCHEMA")]
    schema: Option<PathBuf>,
    #[command(flatten)]
    frames: Frames,
    #[command(flatten)]
    flags: SchemaFlags,
}

impl Meaning {
    /// Whether a schema is given.
    pub(super) fn has_schema(&self) -> bool {
        self.schema.is_some()
    }

    /// The same settings, printing one JSON object per message.
    pub(super) fn as_json(&self) -> Printing {
        Printing { meaning: self.clone(), json: true, brief: false }
    }
}

/// How messages are printed.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Printing {
    #[command(flatten)]
    meaning: Meaning,
    /// Print one JSON object per message: position, next_position, sequence, time_ns, length, hex, and text if it is
    /// text; with a schema, the message's schema, version, template, name and fields instead of hex and text
    #[arg(long)]
    json: bool,
    /// Print only the position, the sequence number and the time of each message
    #[arg(long)]
    brief: bool,
}

/// Prints the messages that are selected.
pub(super) struct Printer {
    choice: Choice,
    json: bool,
    brief: bool,
    decoder: Option<Decoder>,
    /// The number of messages of the recording that were selected. One that has several messages of a schema counts once,
    /// and so does one that should be printed and cannot be decoded.
    pub(super) selected: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    position: i64,
    next_position: i64,
    sequence: Option<i64>,
    time_ns: Option<i64>,
    length: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}

impl Line<'_> {
    /// The place of the message, without its content.
    fn of(record: &Record<'_>) -> Self {
        Self {
            position: record.position().get(),
            next_position: record.next_position().get(),
            sequence: record.sequence(),
            time_ns: record.time().map(EpochNanos::get),
            length: record.payload().len(),
            hex: None,
            text: None,
        }
    }
}

/// A function that writes a selected message, with its decoded form if there is a schema.
pub(super) type Write<'a> = dyn FnMut(&Record<'_>, Option<&Decoded<'_>>, &mut Output) -> Outcome + 'a;

impl Choice {
    /// Refuses to select by time in a recording without times.
    pub(super) fn check(&self, recording: &Recording) -> Outcome {
        match self.since.or(self.until) {
            Some(time) => Ok(recording.tailer(Start::Time(time)).map(drop)?),
            None => Ok(()),
        }
    }

    /// Refuses to select what no message of the schema can have.
    fn check_names(&self, schema: &Schema) -> Outcome {
        if let Some(template) = self.template.filter(|&template| schema.message(template).is_none()) {
            bail!(Usage(format!("--template {template}: the schema has no message with this template id")));
        }
        let is_wanted = |id| self.template.is_none_or(|template| template == id);
        let whole = self.template.map_or("the schema".to_owned(), |template| format!("template {template}"));
        for field in &self.field {
            if let Some(fault) = field.fault(schema.messages.iter().filter(|message| is_wanted(message.id)), &whole) {
                bail!(Usage(format!("--field: {fault}")));
            }
        }
        Ok(())
    }

    /// Whether messages are selected by their decoded form. Messages that cannot be decoded are ignored then.
    fn is_by_meaning(&self) -> bool {
        self.template.is_some() || !self.field.is_empty()
    }

    /// Whether a decoded message is selected.
    fn takes_decoded(&self, message: &Decoded<'_>) -> bool {
        self.template.is_none_or(|template| template == message.template)
            && self.field.iter().all(|field| field.is_in(&message.found))
    }

    /// Whether a message is selected, as far as that can be decided without a schema.
    fn takes(&self, record: &Record<'_>) -> bool {
        let time = record.time();
        self.since.is_none_or(|since| time.is_some_and(|time| time >= since))
            && self.until.is_none_or(|until| time.is_some_and(|time| time < until))
            && self.text.as_ref().is_none_or(|text| contains(record.payload(), text.as_bytes()))
    }
}

impl Printer {
    pub(super) fn new(choice: &Choice, printing: &Printing) -> anyhow::Result<Self> {
        let form = if printing.json { Form::Json } else { Form::Text };
        let Meaning { schema, frames, flags } = &printing.meaning;
        let decoder = match schema {
            Some(path) => {
                let schema = flags.open(path)?.schema;
                choice.check_names(&schema)?;
                Some(Decoder::new(schema, *frames, form))
            }
            None => None,
        };
        let Printing { json, brief, .. } = *printing;
        Ok(Self { choice: choice.clone(), json, brief, decoder, selected: 0 })
    }

    /// Prints a message if it is selected.
    pub(super) fn print(&mut self, record: &Record<'_>, out: &mut Output) -> Outcome {
        let json = self.json;
        if self.brief {
            return self.write_once(record, |record, out| show_briefly(record, json, out), out);
        }
        self.write(record, &mut |record, decoded, out| show(record, decoded, json, out), out)
    }

    /// Writes a message if it is selected, once however many of the SBE messages in its payload are.
    pub(super) fn write_once(
        &mut self,
        record: &Record<'_>,
        write: impl FnOnce(&Record<'_>, &mut Output) -> Outcome,
        out: &mut Output,
    ) -> Outcome {
        let mut write = Some(write);
        self.write(record, &mut |record, _, out| write.take().map_or(Ok(()), |write| write(record, out)), out)
    }

    /// Writes a message if it is selected. With a schema, each SBE message in the payload is written.
    pub(super) fn write(&mut self, record: &Record<'_>, write: &mut Write<'_>, out: &mut Output) -> Outcome {
        if !self.choice.takes(record) {
            return Ok(());
        }
        let choice = &self.choice;
        let Some(decoder) = &mut self.decoder else {
            self.selected += 1;
            return write(record, None, out);
        };
        let mut is_selected = false;
        decoder.decode(record.payload(), |message| match message {
            Ok(message) => {
                if !choice.takes_decoded(&message) {
                    return Ok(());
                }
                is_selected = true;
                write(record, Some(&message), out)
            }
            Err(failure) if !choice.is_by_meaning() => {
                is_selected = true;
                crate::cli::tell(format_args!("position {}, {failure}", record.position()));
                Ok(())
            }
            Err(_) => Ok(()),
        })?;
        self.selected += u64::from(is_selected);
        Ok(())
    }

    /// Fails if anything could not be read.
    pub(super) fn finish(&self, damages: &Damages) -> Outcome {
        match (damages.count, self.failed()) {
            (0, 0) => Ok(()),
            (0, failed) => bail!("{} could not be decoded", counted(failed, "message")),
            (damaged, _) => bail!(
                "the recording is damaged in {}, and what is damaged was passed over; `gannet journal repair` puts padding there",
                counted(damaged, "place")
            ),
        }
    }

    /// The number of selected messages that could not be decoded. Zero when messages are selected by template or field,
    /// since such a selection does not include them.
    fn failed(&self) -> u64 {
        self.decoder.as_ref().filter(|_| !self.choice.is_by_meaning()).map_or(0, |decoder| decoder.failed)
    }
}

/// Prints the place of a message.
fn show_briefly(record: &Record<'_>, json: bool, out: &mut Output) -> Outcome {
    if json { out.json(&Line::of(record)) } else { out.line(show_place(record)) }
}

/// Prints a message, in decoded form if it was decoded.
fn show(record: &Record<'_>, decoded: Option<&Decoded<'_>>, json: bool, out: &mut Output) -> Outcome {
    let payload = record.payload();
    match decoded {
        Some(message) if json => {
            let place = serde_json::to_string(&Line::of(record))?;
            out.line(format_args!("{},{}}}", place.trim_end_matches('}'), message.json_members()?))
        }
        Some(message) => out.line(format_args!("{} {}", show_place(record), message.text())),
        None if json => out.json(&Line { hex: Some(hex(payload)), text: text(payload), ..Line::of(record) }),
        None => {
            let place = show_place(record);
            match text(payload) {
                Some(text) => out.line(format_args!("{place} {text}")),
                None => out.line(format_args!("{place} {}", hex(payload))),
            }
        }
    }
}

/// The payload as text. `None` unless it is UTF-8 without control characters.
pub(super) fn text(payload: &[u8]) -> Option<&str> {
    std::str::from_utf8(payload).ok().filter(|text| !text.chars().any(char::is_control))
}

fn show_place(record: &Record<'_>) -> String {
    let sequence = record.sequence().map_or_else(|| "-".to_owned(), |sequence| sequence.to_string());
    let time = record.time().map_or_else(|| "-".to_owned(), show_moment);
    format!("{} {sequence} {time}", record.position())
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    text.is_empty() || bytes.windows(text.len()).any(|window| window == text)
}
