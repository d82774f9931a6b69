//! The flags that name a driver and a stream.

use std::io;
use std::path::{Path, PathBuf};

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

    /// What to do about a stream that nobody reads, in the words of an error. A subscriber may have met with an error of
    /// its driver, or of this one.
    pub(crate) fn advise_on_nobody(&self) -> String {
        let dir = self.dir.as_ref().map_or_else(String::new, |dir| format!(" --dir {}", dir.display()));
        format!(
            "start `gannet sub` there, or wait longer with --wait; if somebody subscribes already, `gannet errors{dir}` shows what \
             the driver could not do"
        )
    }
}

/// Adds what to do to an error, if the cause is that this user may not open the files of the driver in `dir`, and else
/// `otherwise`, if there is that.
pub(crate) fn advise_on_driver(error: anyhow::Error, dir: &Path, otherwise: Option<String>) -> anyhow::Error {
    let is_forbidden = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    };
    let forbidden = error.chain().any(is_forbidden).then(|| {
        format!(
            "no permission to use the driver in {}: run this as the driver's user, or start the driver with --dir-access \
             group and run this as a member of its group",
            dir.display()
        )
    });
    match forbidden.or(otherwise) {
        Some(words) => error.context(words),
        None => error,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_user_s_driver_is_told_from_one_that_is_not_there() {
        let dir = Path::new("/d");
        let advised = |kind: io::ErrorKind, otherwise: Option<&str>| {
            let error = anyhow::Error::from(io::Error::from(kind)).context("cannot open /d/cnc.dat");
            advise_on_driver(error, dir, otherwise.map(str::to_owned)).to_string()
        };
        let forbidden = advised(io::ErrorKind::PermissionDenied, Some("is it running?"));
        assert!(forbidden.starts_with("no permission to use the driver in /d: "), "{forbidden}");
        assert_eq!(advised(io::ErrorKind::PermissionDenied, None), forbidden);
        assert_eq!(advised(io::ErrorKind::NotFound, Some("is it running?")), "is it running?");
        assert_eq!(advised(io::ErrorKind::NotFound, None), "cannot open /d/cnc.dat");
    }
}
