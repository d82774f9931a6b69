//! The format of Java properties as Aeron's driver reads it: `name=value` or `name:value`, comments with `#` or `!`,
//! and a trailing backslash that continues a value on the next line. Blanks around names and before values are ignored.

/// The content of a line, continuation lines included. Comments and blank lines are skipped.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A name and its value.
    Property {
        name: String,
        value: String,
        /// The first line, counted from 1.
        line: usize,
    },
    /// Neither a property nor a comment.
    Malformed {
        /// The line, counted from 1.
        line: usize,
        text: String,
    },
}

/// Parses a text. The last line need not end with a line end.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Line> + '_ {
    let mut rest = text.lines().enumerate();
    std::iter::from_fn(move || {
        loop {
            let (index, text) = rest.next()?;
            let text = text.trim_start_matches(BLANKS);
            if text.is_empty() || is_comment(text) {
                continue;
            }
            let line = index + 1;
            let Some((name, value)) = text.split_once(['=', ':']).filter(|(name, _)| !name.trim().is_empty()) else {
                return Some(Line::Malformed { line, text: text.to_owned() });
            };
            let mut joined = String::new();
            let mut part = value.trim_start_matches(BLANKS);
            while let Some(begun) = part.strip_suffix('\\') {
                joined.push_str(begun);
                // A comment within a continued value is skipped, and the value continues after it.
                let Some((_, next)) =
                    rest.find(|(_, text)| !is_comment(text.trim_start_matches(BLANKS)) && !text.trim().is_empty())
                else {
                    part = "";
                    break;
                };
                part = next.trim_start_matches(BLANKS);
            }
            joined.push_str(part);
            return Some(Line::Property { name: name.trim_end_matches(BLANKS).to_owned(), value: joined, line });
        }
    })
}

const BLANKS: [char; 2] = [' ', '\t'];

fn is_comment(text: &str) -> bool {
    text.starts_with(['#', '!'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn property(name: &str, value: &str, line: usize) -> Line {
        Line::Property { name: name.to_owned(), value: value.to_owned(), line }
    }

    #[test]
    fn reads_what_the_reference_reads() {
        let text = "# comment\r\n! another\n\n  aeron.dir = /dev/shm/x \naeron.mtu.length:8k\r\nempty=\n\
                    long=one \\\n   two\\\n# not part of it\n three\nbroken line\n=no name\nlast=a=b:c\\";
        assert_eq!(
            lines(text).collect::<Vec<_>>(),
            [
                property("aeron.dir", "/dev/shm/x ", 4),
                property("aeron.mtu.length", "8k", 5),
                property("empty", "", 6),
                property("long", "one twothree", 7),
                Line::Malformed { line: 11, text: "broken line".to_owned() },
                Line::Malformed { line: 12, text: "=no name".to_owned() },
                property("last", "a=b:c", 13),
            ]
        );
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text: String) {
            let count = text.lines().count();
            for line in lines(&text) {
                let (Line::Property { line, .. } | Line::Malformed { line, .. }) = line;
                proptest::prop_assert!(line >= 1 && line <= count);
            }
        }
    }
}
