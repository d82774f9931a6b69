//! `gannet loss`: what images have lost, from the driver's loss report.

use gannet::reports::LossObservation;
use serde::Serialize;

use super::watch::Watch;
use crate::cli::{DriverDir, Outcome, Output, counted, session_id, stream_id, times, utc};
use crate::inspect::Driver;

/// Show which streams from the network have lost data: how often, how much, and from where
///
/// Lost data is asked for again, unless the subscription is unreliable (reliable=false). So an entry here does not mean
/// that an application missed anything. With --watch, what is new since the last time is marked.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    dir: DriverDir,
    /// Print one JSON object per image: session_id, stream_id, channel, source, count, bytes_lost, first_ms, last_ms
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    watch: Watch,
    /// Show only losses of this stream
    #[arg(long, value_name = "ID", allow_negative_numbers = true, value_parser = stream_id)]
    stream: Option<i32>,
    /// Show only losses of this session
    #[arg(long, value_name = "ID", allow_negative_numbers = true, value_parser = session_id)]
    session: Option<i32>,
}

/// The losses of one image, as a JSON line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Line {
    session_id: i32,
    stream_id: i32,
    channel: String,
    /// The source's address and port.
    source: String,
    /// The number of losses.
    count: i64,
    /// The bytes lost in total.
    bytes_lost: i64,
    /// When the first loss was observed, in milliseconds since 1970.
    first_ms: i64,
    /// When the last loss was observed, in milliseconds since 1970.
    last_ms: i64,
}

impl From<&LossObservation> for Line {
    fn from(loss: &LossObservation) -> Self {
        Self {
            session_id: loss.session_id.get(),
            stream_id: loss.stream_id.get(),
            channel: loss.channel.clone(),
            source: loss.source.clone(),
            count: loss.count,
            bytes_lost: loss.bytes_lost,
            first_ms: loss.first.get(),
            last_ms: loss.last.get(),
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args, out: &mut Output) -> Outcome {
    let mut before = None;
    args.watch.show(&args.dir.path(), out, |driver, out| show(args, driver, &mut before, out))
}

/// Shows the losses. `before` has those of the last look, if this is not the first.
fn show(args: &Args, driver: &Driver, before: &mut Option<Vec<Line>>, out: &mut Output) -> Outcome {
    let mut lines = Vec::new();
    let end = driver.loss_report()?.for_each(|loss| lines.push(Line::from(loss)));
    let wanted = |line: &Line| {
        args.stream.is_none_or(|stream| line.stream_id == stream)
            && args.session.is_none_or(|session| line.session_id == session)
    };
    if args.json {
        for line in lines.iter().filter(|line| wanted(line)) {
            out.json(line)?;
        }
    } else {
        out.foreign_line(driver.identify())?;
        if !lines.iter().any(wanted) {
            out.line("nothing was lost")?;
        }
        for (place, line) in lines.iter().enumerate().filter(|(_, line)| wanted(line)) {
            for text in describe(line, before.as_ref().map(|before| at_last_look(before, place, line))) {
                out.foreign_line(text)?;
            }
        }
    }
    *before = Some(lines);
    // What could be read is shown; an error in the rest of the report still fails the command.
    end?;
    Ok(())
}

/// The number of losses and the bytes lost of an entry at the last look. It keeps its place in the report. The entry
/// there may be another one, though, of a driver that was started anew.
fn at_last_look(before: &[Line], place: usize, line: &Line) -> (i64, i64) {
    let image = |of: &Line| (of.session_id, of.stream_id, of.first_ms);
    match before.get(place) {
        Some(seen) if image(seen) == image(line) => (seen.count, seen.bytes_lost),
        _ => (0, 0),
    }
}

/// An entry as text. `before` is its state at the last look, if this is not the first.
fn describe(line: &Line, before: Option<(i64, i64)>) -> [String; 2] {
    let often = times(line.count);
    let news = match before {
        Some((count, bytes)) if line.count > count => format!(
            ", of which {} and {} since the last look",
            times(i128::from(line.count) - i128::from(count)),
            counted(i128::from(line.bytes_lost) - i128::from(bytes), "byte")
        ),
        _ => String::new(),
    };
    let span = if line.first_ms == line.last_ms {
        format!("at {}", utc(line.first_ms))
    } else {
        format!("from {} to {}", utc(line.first_ms), utc(line.last_ms))
    };
    [
        format!("session {}, stream {}, {}, from {}", line.session_id, line.stream_id, line.channel, line.source),
        format!("    {often}, {}{news}; {span}", counted(line.bytes_lost, "byte")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_says_what_was_missed_and_what_is_new() {
        let line = Line {
            session_id: -7,
            stream_id: 1001,
            channel: "aeron:udp?endpoint=localhost:40123".to_owned(),
            source: "127.0.0.1:5555".to_owned(),
            count: 1500,
            bytes_lost: 96_000,
            first_ms: 0,
            last_ms: 1_500,
        };
        let [head, body] = describe(&line, None);
        assert_eq!(head, "session -7, stream 1001, aeron:udp?endpoint=localhost:40123, from 127.0.0.1:5555");
        assert_eq!(body, "    1,500 times, 96,000 bytes; from 1970-01-01T00:00:00.000Z to 1970-01-01T00:00:01.500Z");
        let [_, body] = describe(&line, Some((1400, 95_000)));
        assert!(body.contains("of which 100 times and 1,000 bytes since the last look"), "{body}");
        let [_, body] =
            describe(&Line { count: i64::MAX, bytes_lost: i64::MAX, ..line.clone() }, Some((i64::MIN, i64::MIN)));
        let most = "18,446,744,073,709,551,615";
        let news = format!("of which {most} times and {most} bytes since the last look");
        assert!(body.contains(&news), "any number may be there: {body}");
        let [_, body] = describe(&Line { count: 1, last_ms: 0, ..line }, Some((1, 96_000)));
        assert_eq!(body, "    once, 96,000 bytes; at 1970-01-01T00:00:00.000Z");
    }

    /// One that appears, and one of the next driver in the place of another.
    #[test]
    fn an_entry_that_was_not_there_at_the_last_look_is_new_as_a_whole() {
        let line = |first_ms, count| Line {
            session_id: -7,
            stream_id: 1001,
            channel: "aeron:udp?endpoint=localhost:40123".to_owned(),
            source: "127.0.0.1:5555".to_owned(),
            count,
            bytes_lost: 64 * count,
            first_ms,
            last_ms: first_ms,
        };
        let before = [line(1, 5)];
        assert_eq!(at_last_look(&before, 0, &line(1, 9)), (5, 320));
        assert_eq!(at_last_look(&before, 1, &line(1, 9)), (0, 0));
        assert_eq!(at_last_look(&before, 0, &line(2, 9)), (0, 0));
    }
}
