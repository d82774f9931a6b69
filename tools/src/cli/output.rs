//! Standard output as the commands use it: buffered, and closed quietly when its reader is gone.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;

use gannet::time::{Clock, SystemClock};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Serialize;

/// The reader of the output is gone. Ends a command quietly, as a success.
#[derive(Debug)]
pub(crate) struct OutputClosed;

impl fmt::Display for OutputClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the output is closed")
    }
}

impl std::error::Error for OutputClosed {}

/// Where a command writes its results. Progress and warnings go to standard error instead.
pub(crate) struct Output {
    writer: Box<dyn Write>,
    /// The name used in errors.
    name: String,
    is_stdout: bool,
    is_terminal: bool,
}

impl Output {
    /// Standard output.
    pub(crate) fn stdout() -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let writer = Box::new(BufWriter::with_capacity(64 * 1024, stdout.lock()));
        Self { writer, name: "standard output".to_owned(), is_stdout: true, is_terminal }
    }

    /// Output to a file called `name`, or to any other writer.
    pub(crate) fn file(name: String, writer: impl Write + 'static) -> Self {
        Self { writer: Box::new(writer), name, is_stdout: false, is_terminal: false }
    }

    /// Output to a writer that a test can inspect.
    #[cfg(test)]
    pub(crate) fn to(writer: impl Write + 'static) -> Self {
        Self::file("a test".to_owned(), writer)
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let written = self.writer.write_all(bytes);
        self.said(written)
    }

    /// Lets `print` write to standard output by itself, and flushes that. For text that has colors on a terminal.
    pub(crate) fn print(&mut self, print: impl FnOnce() -> io::Result<()>) -> anyhow::Result<()> {
        let printed = print().and_then(|()| io::stdout().flush());
        self.said(printed)
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, line: impl fmt::Display) -> anyhow::Result<()> {
        let written = writeln!(self.writer, "{line}");
        self.said(written)
    }

    /// Writes a line with text that clients or other hosts have chosen: labels, channels, names, errors. Control
    /// characters in it would act on the terminal, or look like further lines. They are shown as escapes.
    pub(crate) fn foreign_line(&mut self, line: impl fmt::Display) -> anyhow::Result<()> {
        self.line(in_one_line(&line.to_string()))
    }

    /// Writes several such lines.
    pub(crate) fn foreign_lines(&mut self, lines: &str) -> anyhow::Result<()> {
        lines.lines().try_for_each(|line| self.foreign_line(line))
    }

    /// Writes a line of text that somebody has sent: on a terminal as another foreign line, but with its tabs, and
    /// elsewhere as it is.
    pub(crate) fn sent_line(&mut self, text: &str) -> anyhow::Result<()> {
        if self.is_terminal { self.line(escape_all_but(&['\t'], text)) } else { self.line(text) }
    }

    /// Writes several lines of such text.
    pub(crate) fn sent_lines(&mut self, text: &str) -> anyhow::Result<()> {
        if self.is_terminal { self.line(escape_all_but(&['\t', '\n'], text)) } else { self.line(text) }
    }

    /// Writes a value as one line of JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> anyhow::Result<()> {
        self.line(json_text(value)?)
    }

    /// Clears the screen of a terminal, so that the next output replaces the last. Does nothing elsewhere.
    pub(crate) fn clear_screen(&mut self) -> anyhow::Result<()> {
        if self.is_terminal && can_erase() { self.bytes(b"\x1b[H\x1b[2J") } else { Ok(()) }
    }

    /// Flushes everything written. Also notices that the reader of standard output is gone when there is nothing to
    /// write: a command that waits for more would wait in vain.
    pub(crate) fn flush(&mut self) -> anyhow::Result<()> {
        let flushed = self.writer.flush();
        self.said(flushed)?;
        if self.is_stdout && is_without_reader(io::stdout()) {
            return Err(OutputClosed.into());
        }
        Ok(())
    }

    fn said(&self, result: io::Result<()>) -> anyhow::Result<()> {
        result.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => OutputClosed.into(),
            _ => anyhow::Error::from(error).context(format!("cannot write to {}", self.name)),
        })
    }
}

/// A value as JSON, whose strings act on no terminal.
pub(crate) fn json_text(value: &impl Serialize) -> serde_json::Result<String> {
    let text = serde_json::to_string(value)?;
    // The serializer escapes those of ASCII only, except the last one.
    Ok(escape_controls(&text, |control| format!("\\u{:04x}", u32::from(control))).into_owned())
}

/// The text, with control characters shown as escapes.
pub(crate) fn in_one_line(text: &str) -> Cow<'_, str> {
    escape_all_but(&[], text)
}

/// The text, with an escape in place of each control character.
fn escape_controls(text: &str, escape: impl Fn(char) -> String) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if character.is_control() {
            escaped.push_str(&escape(character));
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// Whether a terminal can erase what it shows. One in an editor may not, and would show the sequences for that.
pub(crate) fn can_erase() -> bool {
    std::env::var_os("TERM").is_some_and(|kind| !kind.is_empty() && kind != "dumb")
}

/// Whether this is a pipe that nobody can read any more.
fn is_without_reader(output: impl AsFd) -> bool {
    let mut ready = [PollFd::new(&output, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut ready, Some(&now)).is_ok() && ready[0].revents().contains(PollFlags::ERR)
}

/// Writes a line, or several, to standard error. What others have written in it does not act on the terminal. A closed
/// standard error is ignored.
pub(crate) fn tell(lines: impl fmt::Display) {
    let _ = io::stderr().write_all(escape_all_but(&['\n'], &format!("{lines}\n")).as_bytes());
}

/// The text, with an escape in place of each control character other than those `kept`.
fn escape_all_but<'a>(kept: &[char], text: &'a str) -> Cow<'a, str> {
    escape_controls(text, |control| match control {
        control if kept.contains(&control) => control.to_string(),
        control => control.escape_unicode().to_string(),
    })
}

/// The time since a moment, which is given in milliseconds since 1970.
pub(crate) fn seconds_since(since_ms: i64) -> String {
    seconds(u64::try_from(SystemClock.epoch().get().saturating_sub(since_ms)).unwrap_or(0))
}

/// Formats milliseconds as seconds, such as `1.23 s`.
pub(crate) fn seconds(millis: u64) -> String {
    format!("{:.2} s", millis as f64 / 1e3)
}

/// Formats bytes in hexadecimal: `00ff` for the bytes 0 and 255.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Formats a number with separators, such as `1,234,567`.
pub(crate) fn with_separators(value: impl Into<i128>) -> String {
    let value = value.into();
    let digits = value.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if value < 0 {
        text.push('-');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things, such as `1 segment` or `1,234 segments`.
pub(crate) fn counted(count: impl TryInto<i128>, one: &str) -> String {
    let count = count.try_into().unwrap_or(i128::MAX);
    format!("{} {one}{}", with_separators(count), if count == 1 { "" } else { "s" })
}

/// How often something happened, such as `once` or `2 times`.
pub(crate) fn times(count: impl TryInto<i128>) -> String {
    match count.try_into().unwrap_or(i128::MAX) {
        1 => "once".to_owned(),
        count => counted(count, "time"),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    /// Keeps what is written.
    struct Shared(Rc<RefCell<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn one_thing_is_no_plural() {
        assert_eq!(
            [0_u64, 1, 2, 1_234].map(|count| counted(count, "byte")),
            ["0 bytes", "1 byte", "2 bytes", "1,234 bytes"]
        );
        assert_eq!([0_i64, 1, 2].map(times), ["0 times", "once", "2 times"]);
        assert_eq!(counted(usize::MAX, "byte"), format!("{} bytes", with_separators(u64::MAX)));
    }

    #[test]
    fn a_closed_pipe_is_told_from_a_failure() {
        let error = Output::to(Closed).line("hello").expect_err("nobody reads");
        assert!(error.is::<OutputClosed>());
    }

    #[test]
    fn a_pipe_without_a_reader_is_told_from_other_outputs() {
        let (reader, writer) = io::pipe().expect("a pipe");
        assert!(!is_without_reader(&writer));
        drop(reader);
        assert!(is_without_reader(&writer));
        assert!(!is_without_reader(std::fs::File::create("/dev/null").expect("it is there")));
        assert!(!is_without_reader(tempfile::tempfile().expect("there is room")));
    }

    #[test]
    fn a_failure_names_what_could_not_be_written() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let error = Output::file("out.csv".to_owned(), Full).line("hello").expect_err("it is full");
        assert_eq!(error.to_string(), "cannot write to out.csv");
    }

    #[test]
    fn what_others_write_does_not_act_on_the_terminal() {
        let written = Rc::new(RefCell::new(Vec::new()));
        let mut out = Output::to(Shared(Rc::clone(&written)));
        let label = "ab\u{1b}[2J\n\u{7f}\u{9b}é";
        out.foreign_line(label).expect("there is room");
        out.json(&label).expect("there is room");
        let written = String::from_utf8(written.take()).expect("text");
        assert_eq!(written, "ab\\u{1b}[2J\\u{a}\\u{7f}\\u{9b}é\n\"ab\\u001b[2J\\n\\u007f\\u009bé\"\n");
        assert_eq!(escape_all_but(&['\n'], label), "ab\\u{1b}[2J\n\\u{7f}\\u{9b}é");
        let again: String = serde_json::from_str(written.lines().nth(1).expect("a line")).expect("JSON");
        assert_eq!(again, label);
    }

    #[test]
    fn what_others_send_is_as_they_sent_it_unless_a_terminal_would_act_on_it() {
        for (is_terminal, expected) in
            [(false, "a\u{1b}[2J\té\na\u{1b}\n\tb\n"), (true, "a\\u{1b}[2J\té\na\\u{1b}\n\tb\n")]
        {
            let written = Rc::new(RefCell::new(Vec::new()));
            let mut out = Output { is_terminal, ..Output::to(Shared(Rc::clone(&written))) };
            out.sent_line("a\u{1b}[2J\té").expect("there is room");
            out.sent_lines("a\u{1b}\n\tb").expect("there is room");
            assert_eq!(String::from_utf8(written.take()).expect("text"), expected);
        }
    }

    #[test]
    fn digits_are_grouped() {
        let values = [0, 999, 1_000, -1_234_567, i64::MIN];
        let texts = ["0", "999", "1,000", "-1,234,567", "-9,223,372,036,854,775,808"];
        assert_eq!(values.map(with_separators), texts);
        assert_eq!(with_separators(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn bytes_have_two_digits_each() {
        assert_eq!(hex(&[0, 0x0f, 0xff]), "000fff");
    }
}
