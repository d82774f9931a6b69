//! Which channels share an endpoint.

use super::{ChannelError, UdpChannel};

impl UdpChannel {
    /// Whether this new channel shares the endpoint of an existing one, by its tag or by its canonical form.
    ///
    /// # Errors
    ///
    /// [`ChannelError::TagMismatch`] if it has the same tag but other properties.
    pub fn shares_endpoint_with(&self, existing: &Self) -> Result<bool, ChannelError> {
        match (self.tag(), existing.tag()) {
            (Some(tag), Some(other)) if tag == other => self.check_tagged(existing).map(|()| true),
            // Different tags separate channels that are otherwise the same.
            (Some(_), Some(_)) => Ok(false),
            _ => Ok(self.canonical() == existing.canonical()),
        }
    }

    fn check_tagged(&self, existing: &Self) -> Result<(), ChannelError> {
        let mismatch =
            |difference| Err(ChannelError::TagMismatch { existing: existing.uri().text().to_owned(), difference });
        let (mode, other) = (self.control_mode(), existing.control_mode());
        if mode.is_some() && mode != other {
            return mismatch("control-mode");
        }
        let states_nothing = self.params().endpoint.is_none() && self.params().control.is_none();
        if states_nothing {
            return Ok(());
        }
        if self.remote_data != existing.remote_data {
            return mismatch("endpoint");
        }
        if self.local != existing.local {
            return mismatch("local address");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::channel::udp_channel::tests::publication;

    fn shares(new: &str, existing: &str) -> Option<bool> {
        publication(new).shares_endpoint_with(&publication(existing)).ok()
    }

    #[test]
    fn by_what_they_are_known_as() {
        let local = "aeron:udp?endpoint=localhost:9090";
        assert_eq!(shares(local, local), Some(true));
        assert_eq!(shares("aeron:udp?endpoint=localhost:9090|mtu=8k|linger=1s", local), Some(true));
        assert_eq!(shares("aeron:udp?endpoint=127.0.0.1:9090", local), Some(false));
        assert_eq!(shares("aeron:udp?endpoint=localhost:9091", local), Some(false));
        assert_eq!(shares("aeron:udp?endpoint=localhost:9090|tags=1", local), Some(true));
        assert_eq!(shares(local, "aeron:udp?endpoint=localhost:9090|tags=1"), Some(true));
        let (one, other) = ("aeron:udp?endpoint=localhost:9090|tags=1", "aeron:udp?endpoint=localhost:9090|tags=2");
        assert_eq!(shares(one, other), Some(false), "tags that differ");
    }

    #[test]
    fn by_tag_and_only_when_all_else_agrees() {
        let existing = "aeron:udp?endpoint=localhost:9090|tags=7";
        assert_eq!(shares("aeron:udp?tags=7", existing), Some(true));
        assert_eq!(shares("aeron:udp?endpoint=127.0.0.1:9090|tags=7", existing), Some(true), "the addresses are equal");
        assert_eq!(shares("aeron:udp?endpoint=localhost:9091|tags=7", existing), None);
        assert_eq!(shares("aeron:udp?endpoint=localhost:9090|interface=localhost|tags=7", existing), None);
        assert_eq!(shares("aeron:udp?control-mode=manual|tags=7", existing), None);
        let manual = "aeron:udp?control-mode=manual|tags=7";
        assert_eq!(shares("aeron:udp?tags=7", manual), Some(true), "no mode is any");
        assert_eq!(shares(manual, manual), Some(true));
        let unknown = "aeron:udp?control-mode=unknown|tags=7";
        assert_eq!(shares(unknown, existing), Some(true), "a word that is no mode has no effect");
        assert_eq!(shares(unknown, manual), Some(true));
        assert_eq!(shares("aeron:udp?tags=7", unknown), Some(true));
        assert_eq!(shares("aeron:udp?tags=8", existing), Some(false));
    }
}
