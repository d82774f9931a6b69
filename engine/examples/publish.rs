//! Publishes a line every half second. Start a driver (`gannet-driver`), then this, then `subscribe`:
//!
//! ```sh
//! cargo run --example publish -- aeron:ipc 1001
//! ```

use std::process::ExitCode;
use std::time::Duration;

use gannet::{Client, Context, IdleStrategy, OfferError};

fn main() -> ExitCode {
    match publish() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn publish() -> Result<(), Box<dyn std::error::Error>> {
    let (channel, stream_id) = arguments()?;
    let client = Client::connect(
        Context::from_environment()?
            .client_name("publish")
            .reconnect_in_place(true)
            .on_event(|event| eprintln!("{event}")),
    )?;
    let mut publication = client.add_exclusive_publication(&channel, stream_id)?;
    let mut pause = IdleStrategy::Sleep { period_ns: Duration::from_millis(500).as_nanos() as i64 };
    for number in 0_u64.. {
        match publication.offer(format!("message {number}").as_bytes()) {
            Ok(position) => println!("message {number} ends at {position}"),
            // Worth another try at once; here the next message is tried, half a second later.
            Err(OfferError::AdminAction | OfferError::BackPressured) => println!("message {number}: no room"),
            Err(error) => println!("message {number}: {error}"),
        }
        pause.idle_once();
    }
    Ok(())
}

fn arguments() -> Result<(String, i32), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let channel = arguments.next().unwrap_or_else(|| "aeron:ipc".to_owned());
    let stream_id = arguments.next().map_or(Ok(1001), |text| text.parse())?;
    Ok((channel, stream_id))
}
