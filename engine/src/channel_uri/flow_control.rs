//! The value of `fc`: the flow control of a publication with many receivers.

use super::form::{Form, decimal};
use crate::quantity::parse_duration_ns;

/// The receiver that determines the pace of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlowControlStrategy {
    /// The fastest receiver.
    Max,
    /// The slowest receiver.
    Min,
    /// The slowest receiver with the group tag.
    Tagged,
}

/// A flow control strategy and its options: `min,g:/3`, `tagged,g:101/1,t:5s`, `max,rrwm:2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowControl {
    /// The strategy.
    pub strategy: FlowControlStrategy,
    /// How long a silent receiver still counts, in nanoseconds.
    pub receiver_timeout_ns: Option<i64>,
    /// The group tag of the receivers that count.
    pub group_tag: Option<i64>,
    /// The number of receivers that must be present before anything is sent.
    pub group_min_size: Option<i32>,
    /// The maximum length of a retransmit, in receiver windows.
    pub retransmit_window_multiple: Option<i64>,
}

impl FlowControl {
    /// A strategy without options.
    pub const fn new(strategy: FlowControlStrategy) -> Self {
        Self {
            strategy,
            receiver_timeout_ns: None,
            group_tag: None,
            group_min_size: None,
            retransmit_window_multiple: None,
        }
    }

    /// Parses a strategy and its options. `None` if the text has another form.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(',');
        let mut this = Self::new(match parts.next()? {
            "max" => FlowControlStrategy::Max,
            "min" => FlowControlStrategy::Min,
            "tagged" => FlowControlStrategy::Tagged,
            _ => return None,
        });
        for part in parts {
            let (option, value) = part.split_once(':')?;
            match option {
                "rrwm" => this.retransmit_window_multiple = Some(decimal(value).filter(|&multiple| multiple > 0)?),
                // The other options select receivers, and the maximum strategy uses all of them.
                _ if this.strategy == FlowControlStrategy::Max => return None,
                "t" => this.receiver_timeout_ns = Some(parse_duration_ns(value).ok()?),
                "g" => this.read_group(value)?,
                _ => return None,
            }
        }
        Some(this)
    }

    /// Parses `tag`, `tag/size` or `/size`.
    fn read_group(&mut self, text: &str) -> Option<()> {
        let (tag, size) = match text.split_once('/') {
            Some((tag, size)) => (tag, Some(size)),
            None => (text, None),
        };
        if !(tag.is_empty() && size.is_some()) {
            self.group_tag = Some(decimal(tag)?);
        }
        if let Some(size) = size {
            self.group_min_size = Some(i32::try_from(decimal(size)?).ok().filter(|&size| size >= 0)?);
        }
        Some(())
    }
}

/// The format of `fc`.
pub(super) enum FlowControlForm {}

impl Form for FlowControlForm {
    type Value = FlowControl;
    const EXPECTED: &'static str =
        "max[,rrwm:n], or min or tagged with any of the options g:[tag][/n], t:duration, rrwm:n";

    fn read(text: &str) -> Option<FlowControl> {
        FlowControl::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategies_and_options() {
        let max = FlowControl::new(FlowControlStrategy::Max);
        let min = FlowControl::new(FlowControlStrategy::Min);
        let tagged = FlowControl::new(FlowControlStrategy::Tagged);
        for (text, expected) in [
            ("max", max),
            ("max,rrwm:3", FlowControl { retransmit_window_multiple: Some(3), ..max }),
            ("min", min),
            ("min,t:10s", FlowControl { receiver_timeout_ns: Some(10_000_000_000), ..min }),
            ("min,g:/5", FlowControl { group_min_size: Some(5), ..min }),
            ("tagged,g:-7", FlowControl { group_tag: Some(-7), ..tagged }),
            (
                "tagged,g:123/0,t:5ms,rrwm:2",
                FlowControl {
                    strategy: FlowControlStrategy::Tagged,
                    receiver_timeout_ns: Some(5_000_000),
                    group_tag: Some(123),
                    group_min_size: Some(0),
                    retransmit_window_multiple: Some(2),
                },
            ),
        ] {
            assert_eq!(FlowControl::parse(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "fast",
            "maximum",
            "g:1",
            "min,",
            "min,g",
            "min,g:",
            "min,g:a",
            "min,g:/",
            "min,g:1/-1",
            "min,g:1/x",
            "min,g:1/2147483648",
            "min,t:",
            "min,t:soon",
            "min,x:1",
            "max,g:1",
            "max,t:1s",
            "min,rrwm:0",
            "min,rrwm:-1",
            "max,min",
        ] {
            assert_eq!(FlowControl::parse(text), None, "{text}");
        }
    }
}
