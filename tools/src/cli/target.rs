//! The flags that name a driver and a stream.

use std::path::PathBuf;

use clap::Args;

use super::exit::{Outcome, Usage};
use super::output::tell;
use super::values::stream_id;

/// Which driver to talk to.
#[derive(Debug, Clone, Args)]
pub(crate) struct DriverDir {
    /// The driver's directory [default: $AERON_DIR, or /dev/shm/aeron-USER]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl DriverDir {
    /// The directory given, or the default one.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(|| gannet::Context::new().get_dir().to_owned())
    }
}

/// Which stream to publish or subscribe to.
#[derive(Debug, Clone, Args)]
pub(crate) struct Stream {
    /// Channel to use
    #[arg(long, value_name = "URI", default_value = "aeron:ipc")]
    pub(crate) channel: String,
    /// Stream id to use
    #[arg(long, value_name = "ID", default_value_t = 1001, value_parser = stream_id, allow_negative_numbers = true)]
    pub(crate) stream: i32,
}

impl Stream {
    /// Refuses an invalid channel before a driver is asked, and warns of parameters without effect.
    pub(crate) fn check(&self) -> Outcome {
        match self.channel.parse::<gannet::channel_uri::ChannelUri>() {
            Ok(channel) => {
                channel
                    .ignored()
                    .for_each(|ignored| tell(format_args!("warning: --channel {}: {ignored}", self.channel)));
                Ok(())
            }
            Err(error) => Err(Usage(format!("--channel {}: {error}", self.channel)).into()),
        }
    }
}
