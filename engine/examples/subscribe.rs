//! Prints what arrives on a stream:
//!
//! ```sh
//! cargo run --example subscribe -- aeron:ipc 1001
//! ```

use std::process::ExitCode;

use gannet::{Client, Context, IdleStrategy};

fn main() -> ExitCode {
    match subscribe() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn subscribe() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let channel = arguments.next().unwrap_or_else(|| "aeron:ipc".to_owned());
    let stream_id = arguments.next().map_or(Ok(1001), |text| text.parse())?;

    let context = Context::from_environment()?
        .client_name("subscribe")
        .reconnect_in_place(true)
        .on_event(|event| eprintln!("{event}"))
        .on_available_image(|image| eprintln!("session {} from {}", image.session_id(), image.source_identity()))
        .on_unavailable_image(|image| eprintln!("session {} ended at {}", image.session_id(), image.position()));
    let client = Client::connect(context)?;
    let mut subscription = client.add_subscription(&channel, stream_id)?;
    let mut idle = IdleStrategy::default();
    loop {
        let fragments = subscription.poll(
            |fragment| {
                let text = String::from_utf8_lossy(fragment.payload());
                println!("{} {}: {text}", fragment.session_id(), fragment.position());
            },
            10,
        );
        idle.idle(fragments);
    }
}
