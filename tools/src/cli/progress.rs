//! The progress of long work, shown on a terminal.

use std::io::{self, IsTerminal, Write};

use gannet::types::Position;

use super::output::can_erase;

/// What is read between two steps that are shown, in bytes.
const STEP: i64 = 16 << 20;

/// Shows the progress of long work on a terminal that can erase it again. Does nothing elsewhere.
pub(crate) struct Progress<W: Write = io::Stderr> {
    what: &'static str,
    /// `None` where standard error is no such terminal.
    terminal: Option<W>,
    shown: bool,
    /// The last step of a reader.
    passed: Option<Position>,
}

impl Progress {
    pub(crate) fn new(what: &'static str) -> Self {
        let stderr = io::stderr();
        Self::on((stderr.is_terminal() && can_erase()).then_some(stderr), what)
    }
}

impl<W: Write> Progress<W> {
    fn on(terminal: Option<W>, what: &'static str) -> Self {
        Self { what, terminal, shown: false, passed: None }
    }

    /// Shows how far a reader is, every so many bytes, however long the messages are. For each message.
    pub(crate) fn passes(&mut self, position: Position) {
        let passed = *self.passed.get_or_insert(position);
        if position.get().saturating_sub(passed.get()) >= STEP {
            self.passed = Some(position);
            self.at(position);
        }
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
        let mut shown = Vec::new();
        let mut progress = Progress::on(Some(&mut shown), "searched");
        let begin = 3 * STEP;
        [begin, begin + 64, begin + STEP - 32, begin + STEP, begin + STEP + 64, begin + 3 * STEP]
            .into_iter()
            .for_each(|position| progress.passes(Position::new(position)));
        drop(progress);
        let steps = [4 * STEP, 6 * STEP].map(|step| format!("\r\x1b[Ksearched up to {step}")).concat();
        assert_eq!(String::from_utf8(shown).expect("text"), steps + "\r\x1b[K");
        let mut nobody = Progress::on(None::<Vec<u8>>, "verified");
        nobody.at(Position::new(64));
        assert!(!nobody.shown);
    }
}
