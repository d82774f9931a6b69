//! The files that a schema was read from, and places in them. Made by the XML reader, and used by diagnostics and by
//! callers that show a place. This file does not read files itself.

use std::fmt;
use std::sync::Arc;

/// A range of bytes in one of a schema's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Index into [`Sources`]; `u32::MAX` for a schema that was not read from XML.
    pub(crate) file: u32,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Place {
    /// The place of what was not read from XML, such as a compiled schema.
    pub const NOWHERE: Self = Self { file: u32::MAX, start: 0, end: 0 };
}

/// A place in readable form: file, line and column. Line and column start at 1, and the column counts characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The file's path as it was given. For an included file, the path that leads to it from there.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1, in characters.
    pub column: u32,
    /// The text at the place. Only its first line is given, and only the start of a long line.
    pub text: String,
    /// The line that contains the place. Of a long line, the part around the place.
    pub source_line: String,
    /// How many characters of `source_line` are in front of the place.
    pub marker: u32,
}

/// Longer lines and texts are shown in part, in bytes: some schemas are one line of megabytes.
const MOST_SHOWN: usize = 240;
/// The interval in bytes at which counts of characters are stored, so that a column far to the right is found without
/// counting from the start.
const STRIDE: usize = 4096;

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

#[derive(Debug)]
struct SourceFile {
    name: String,
    text: String,
    line_starts: Vec<u32>,
    /// The number of characters before each interval.
    characters: Vec<u32>,
}

impl SourceFile {
    fn characters_before(&self, at: usize) -> u32 {
        let (bytes, stride) = (self.text.as_bytes(), at / STRIDE);
        let before = self.characters.get(stride).copied().unwrap_or(0);
        before + count(bytes.get(stride * STRIDE..at).unwrap_or_default())
    }

    /// The last character boundary at or before `at`.
    fn boundary(&self, at: usize) -> usize {
        let at = at.min(self.text.len());
        (0..4).map(|back| at.saturating_sub(back)).find(|&at| self.text.is_char_boundary(at)).unwrap_or(0)
    }
}

/// Counts the characters of UTF-8 text by the bytes that start one.
fn count(bytes: &[u8]) -> u32 {
    bytes.iter().filter(|&&byte| byte & 0xC0 != 0x80).count() as u32
}

/// The files that a schema was read from: the schema itself first, then the files it includes.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Arc<SourceFile>>,
}

impl Sources {
    /// Adds a file and returns its index. The text must be shorter than 4 GiB, which the reader's limit ensures.
    pub(crate) fn add(&mut self, name: String, text: String) -> u32 {
        let mut line_starts = vec![0];
        line_starts.extend(text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at as u32 + 1));
        let mut before = 0;
        let characters = text.as_bytes().chunks(STRIDE).map(|stride| {
            let here = before;
            before += count(stride);
            here
        });
        let characters = characters.collect();
        self.files.push(Arc::new(SourceFile { name, text, line_starts, characters }));
        self.files.len() as u32 - 1
    }

    /// The names of the files. The first is the schema's own.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.name.as_str())
    }

    /// A place in readable form. `None` for [`Place::NOWHERE`].
    #[must_use]
    pub fn position(&self, place: Place) -> Option<Position> {
        let file = self.files.get(place.file as usize)?;
        let line = file.line_starts.partition_point(|&start| start <= place.start) - 1;
        let start = file.line_starts[line] as usize;
        let end = file.line_starts.get(line + 1).map_or(file.text.len(), |&next| next as usize);
        let (from, to) = (file.boundary(place.start as usize).max(start), file.boundary(place.end as usize));
        let column = file.characters_before(from) - file.characters_before(start) + 1;
        let shown = match end - start {
            0..=MOST_SHOWN => start,
            _ => file.boundary(from.saturating_sub(MOST_SHOWN / 3)).max(start),
        };
        let line_end = file.boundary(end.min(shown + MOST_SHOWN));
        let source_line = file.text.get(shown..line_end).unwrap_or_default().trim_end_matches(['\n', '\r']);
        let text = file.text.get(from..file.boundary(to.min(from + MOST_SHOWN))).unwrap_or_default();
        Some(Position {
            file: file.name.clone(),
            line: line as u32 + 1,
            column,
            text: text.lines().next().unwrap_or_default().to_owned(),
            source_line: source_line.to_owned(),
            marker: file.characters_before(from) - file.characters_before(shown),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_counts_lines_and_characters_from_one() {
        let mut sources = Sources::default();
        let file = sources.add("a.xml".into(), "one\nzwölf here\nlast".into());
        let position = sources.position(Place { file, start: 11, end: 15 }).expect("the place is in the file");
        assert_eq!(position.to_string(), "a.xml:2:7");
        assert_eq!((position.text.as_str(), position.source_line.as_str()), ("here", "zwölf here"));
        assert_eq!(position.marker, 6);
        assert_eq!(sources.position(Place::NOWHERE), None);
    }

    #[test]
    fn a_long_line_is_shown_in_part() {
        let mut sources = Sources::default();
        let file = sources.add("a.xml".into(), "ü".repeat(100_000) + "here" + &"ö".repeat(100_000));
        let position =
            sources.position(Place { file, start: 200_000, end: 200_004 }).expect("the place is in the file");
        assert_eq!((position.line, position.column, position.text.as_str()), (1, 100_001, "here"));
        assert!(position.source_line.len() <= MOST_SHOWN);
        assert!(position.source_line.chars().skip(position.marker as usize).collect::<String>().starts_with("here"));
    }
}
