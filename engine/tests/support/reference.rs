//! The files that Aeron wrote, from `tests/written_by_aeron` (its README describes their text form).

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

fn text(name: &str) -> String {
    // Used by this crate's tests and by those of its neighbours.
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/written_by_aeron").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The content of one file.
pub(crate) fn reference_file(name: &str) -> Vec<u8> {
    let text = text(&format!("{name}.txt"));
    let mut lines = text.lines();
    let length = lines.next().and_then(|line| line.strip_prefix("length ")).expect("a length first");
    let mut bytes = vec![0; length.parse().expect("a number")];
    for line in lines {
        let (offset, digits) = line.split_once(' ').expect("an offset and bytes");
        let offset = usize::from_str_radix(offset, 16).expect("an offset");
        for (index, pair) in digits.as_bytes().chunks(2).enumerate() {
            let pair = str::from_utf8(pair).expect("digits");
            bytes[offset + index] = u8::from_str_radix(pair, 16).expect("a byte");
        }
    }
    bytes
}

/// Facts that the C client reported about the files.
pub(crate) struct Facts {
    numbers: HashMap<String, i64>,
}

impl Facts {
    /// Reads the facts.
    pub(crate) fn read() -> Self {
        let text = text("facts.txt");
        let line = |line: &str| {
            let (name, value) = line.split_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        Self { numbers: text.lines().filter_map(line).collect() }
    }

    /// One fact, as a number.
    pub(crate) fn number(&self, name: &str) -> i64 {
        *self.numbers.get(name).unwrap_or_else(|| panic!("no fact is called {name}"))
    }
}
