//! Where things stand: the files a schema was read from, and places in them. Made by the XML reader; asked by diagnostics
//! and by whoever has a place to show. Never reads a file itself.

use std::fmt;
use std::sync::Arc;

/// A stretch of bytes in one of a schema's files.
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

/// A place in words for people: file, line and column, both from 1, the column in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The file's name as it was given, or as the including file spelled it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1, in characters.
    pub column: u32,
    /// The offending text: the first line of it.
    pub text: String,
    /// The whole line that the place is in.
    pub source_line: String,
}

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
}

/// The files a schema was read from: the schema itself first, then what it includes.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Arc<SourceFile>>,
}

impl Sources {
    /// Adds a file and returns its index. The text must be shorter than 4 GiB, which the reader's limit ensures.
    pub(crate) fn add(&mut self, name: String, text: String) -> u32 {
        let mut line_starts = vec![0];
        line_starts.extend(text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at as u32 + 1));
        self.files.push(Arc::new(SourceFile { name, text, line_starts }));
        self.files.len() as u32 - 1
    }

    /// The names of the files, the schema's own first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.name.as_str())
    }

    /// A place in words, or nothing for [`Place::NOWHERE`].
    #[must_use]
    pub fn position(&self, place: Place) -> Option<Position> {
        let file = self.files.get(place.file as usize)?;
        let line = file.line_starts.partition_point(|&start| start <= place.start) - 1;
        let start = file.line_starts[line] as usize;
        let end = file.line_starts.get(line + 1).map_or(file.text.len(), |&next| next as usize);
        let source_line = file.text.get(start..end).unwrap_or_default().trim_end_matches(['\n', '\r']);
        let before = file.text.get(start..place.start as usize).unwrap_or_default();
        let text = file.text.get(place.start as usize..place.end as usize).unwrap_or_default();
        Some(Position {
            file: file.name.clone(),
            line: line as u32 + 1,
            column: before.chars().count() as u32 + 1,
            text: text.lines().next().unwrap_or_default().to_owned(),
            source_line: source_line.to_owned(),
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
        assert_eq!(sources.position(Place::NOWHERE), None);
    }
}
