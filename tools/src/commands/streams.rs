//! `gannet streams`: shows publications and subscribers, and the positions of each.

use serde::Serialize;

use super::watch::Watch;
use crate::cli::{DriverDir, Outcome, Output, counted, seconds_since, times, with_separators};
use crate::inspect::{Driver, Image, Publication, Streams, Subscriber};

/// Show the streams of a driver: publications, images, and who subscribes to them
///
/// A subscription that has found no publication yet has no counter, and does not appear.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    dir: DriverDir,
    /// Print one JSON object per stream: kind ("publication" or "image"), session_id, stream_id, channel, position,
    /// subscribers (each with registration_id, client_id, client_name, counter_id, channel, position, behind); of a
    /// publication also registration_id, mode, client_id, client_name, limit, and, on the network, sender_position,
    /// sender_limit, sender_back_pressure, naks_received, receivers, held_by; of an image image_id, received, naks_sent
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    watch: Watch,
}

/// A stream, as a JSON line.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line<'a> {
    Publication(&'a Publication),
    Image(&'a Image),
}

/// Runs the command.
pub(crate) fn run(args: &Args, out: &mut Output) -> Outcome {
    args.watch.show(&args.dir.path(), out, |driver, out| show(args, driver, out))
}

fn show(args: &Args, driver: &Driver, out: &mut Output) -> Outcome {
    let streams = Streams::new(&driver.counters());
    if args.json {
        for publication in streams.publications.values() {
            out.json(&Line::Publication(publication))?;
        }
        for image in streams.images.values() {
            out.json(&Line::Image(image))?;
        }
        return Ok(());
    }
    out.foreign_line(driver.identify())?;
    if streams.publications.is_empty() && streams.images.is_empty() {
        out.line("no streams")?;
    }
    for publication in streams.publications.values() {
        out.foreign_line(publication.describe())?;
        let room = publication.limit.saturating_sub(publication.position).max(0);
        out.line(format_args!(
            "    at {}, {} below its limit",
            with_separators(publication.position),
            counted(room, "byte")
        ))?;
        if let (Some(position), Some(limit)) = (publication.sender_position, publication.sender_limit) {
            let (position, limit) = (with_separators(position), with_separators(limit));
            out.line(format_args!("    sent up to {position}, may be sent up to {limit}"))?;
            let count = |value: Option<i64>| times(value.unwrap_or(0));
            let paced = match (publication.receivers, publication.only_receiver()) {
                _ if publication.is_without_receivers() => "not connected: no receiver takes it".to_owned(),
                (Some(receivers), _) => format!("paced by {}", counted(receivers, "receiver")),
                (None, Some(address)) => format!("paced by the receiver at {address}"),
                (None, None) => "paced by the furthest receiver".to_owned(),
            };
            out.foreign_line(format_args!(
                "    {paced}; stopped by a receiver's window {}, asked for something again {}",
                count(publication.sender_back_pressure),
                count(publication.naks_received)
            ))?;
        }
        if let Some(held_by) = &publication.held_by {
            let held = seconds_since(held_by.since_ms);
            out.foreign_line(format_args!("    held by the window of the receiver at {} for {held}", held_by.address))?;
        }
        show_subscribers(&publication.subscribers, out)?;
    }
    for image in streams.images.values() {
        out.foreign_line(format_args!(
            "image {}, session {}, stream {}, {}",
            image.image_id, image.session_id, image.stream_id, image.channel
        ))?;
        let (position, received) = (with_separators(image.position), with_separators(image.received));
        let asked =
            image.naks_sent.map_or_else(String::new, |naks| format!("; asked for something again {}", times(naks)));
        out.line(format_args!("    complete up to {position}, received up to {received}{asked}"))?;
        show_subscribers(&image.subscribers, out)?;
    }
    Ok(())
}

fn show_subscribers(subscribers: &[Subscriber], out: &mut Output) -> Outcome {
    if subscribers.is_empty() {
        out.line("    no subscriber on this host")?;
    }
    for subscriber in subscribers {
        out.foreign_line(format_args!(
            "    {} at {}, {} behind",
            subscriber.describe(),
            with_separators(subscriber.position),
            counted(subscriber.behind, "byte")
        ))?;
    }
    Ok(())
}
