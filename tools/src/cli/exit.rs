//! Converts the outcome of a command to an exit code and to text on standard error.

use std::fmt;
use std::process::ExitCode;

use super::output::{OutputClosed, tell};

/// The outcome of a subcommand.
pub(crate) type Outcome = anyhow::Result<()>;

/// A command line that was found to be invalid after the flags were parsed: exit code 2.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n\nFor more information, try '--help'.", self.0)
    }
}

impl std::error::Error for Usage {}

/// The command failed and its output has said why: exit code 1 without a further message.
#[derive(Debug)]
pub(crate) struct Unsuccessful;

impl fmt::Display for Unsuccessful {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unsuccessful")
    }
}

impl std::error::Error for Unsuccessful {}

/// Reports the outcome and returns its exit code.
pub(crate) fn exit(outcome: Outcome) -> ExitCode {
    let (code, words) = judge(outcome);
    if let Some(words) = words {
        tell(format_args!("error: {words}"));
    }
    ExitCode::from(code)
}

fn judge(outcome: Outcome) -> (u8, Option<String>) {
    let Err(error) = outcome else { return (0, None) };
    // The reader of the output closed it: not an error.
    if error.chain().any(|cause| cause.is::<OutputClosed>()) {
        return (0, None);
    }
    if error.is::<Unsuccessful>() {
        return (1, None);
    }
    if error.is::<Usage>() {
        return (2, Some(error.to_string()));
    }
    let mut words = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // The text of many errors includes their source already.
        if !words.contains(&cause) {
            words.push_str("\n  caused by: ");
            words.push_str(&cause);
        }
    }
    (1, Some(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn outcomes_have_codes() {
        assert_eq!(judge(Ok(())), (0, None));
        assert_eq!(judge(Err(Unsuccessful.into())), (1, None));
        assert_eq!(judge(Err(OutputClosed.into())), (0, None));
        assert_eq!(judge(Err(anyhow::Error::from(OutputClosed).context("while writing"))), (0, None));
        let (code, words) = judge(Err(Usage("no such flag".to_owned()).into()));
        assert_eq!(code, 2);
        assert!(words.expect("words").starts_with("no such flag"));
    }

    #[test]
    fn causes_are_told_once() {
        let error =
            Err::<(), _>(std::io::Error::other("disk on fire")).context("cannot read x").context("cannot start");
        let expected = "cannot start\n  caused by: cannot read x\n  caused by: disk on fire";
        assert_eq!(judge(error), (1, Some(expected.to_owned())));
    }
}
