//! The progress of long work, shown on a terminal.

use std::io::{self, IsTerminal, Write};

use gannet::types::Position;

/// Shows the progress of long work on a terminal. Does nothing elsewhere.
pub(crate) struct Progress<W: Write = io::Stderr> {
    what: &'static str,
    /// `None` where standard error is not a terminal.
    terminal: Option<W>,
    shown: bool,
}

impl Progress {
    pub(crate) fn new(what: &'static str) -> Self {
        let stderr = io::stderr();
        Self::on(stderr.is_terminal().then_some(stderr), what)
    }
}

impl<W: Write> Progress<W> {
    fn on(terminal: Option<W>, what: &'static str) -> Self {
        Self { what, terminal, shown: false }
    }

    pub(crate) fn at(&mut self, position: Position) {
        if let Some(terminal) = &mut self.terminal {
            let _ = write!(terminal, "\r\x1b[K{} up to {position}", self.what);
            let _ = terminal.flush();
            self.shown = true;
        }
    }
}

impl<W: Write> Drop for Progress<W> {
    fn drop(&mut self) {
        if let Some(terminal) = self.terminal.as_mut().filter(|_| self.shown) {
            let _ = write!(terminal, "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_shown_in_one_line_and_gone_at_the_end() {
        let mut shown = Vec::new();
        let mut progress = Progress::on(Some(&mut shown), "verified");
        progress.at(Position::new(64));
        progress.at(Position::new(4096));
        drop(progress);
        assert_eq!(shown, b"\r\x1b[Kverified up to 64\r\x1b[Kverified up to 4096\r\x1b[K");
        // Nothing was long enough to be told of.
        let mut shown = Vec::new();
        drop(Progress::on(Some(&mut shown), "verified"));
        assert!(shown.is_empty());
        let mut nobody = Progress::on(None::<Vec<u8>>, "verified");
        nobody.at(Position::new(64));
        assert!(!nobody.shown);
    }
}
