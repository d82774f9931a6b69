//! The repository's files: the Rust files, read once for all rules, and other files by the ending of their names.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// The crates that the rules apply to.
pub(crate) const CRATES: [&str; 6] = ["codecs", "engine", "media-driver", "benches", "loom-tests", "tools"];

/// One file.
pub(crate) struct Source {
    /// The path relative to the repository's root, with forward slashes.
    pub(crate) path: String,
    /// The content.
    pub(crate) text: String,
}

impl Source {
    /// The lines with their numbers, from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// The lines of code with their numbers, without comments and without everything after the first test module.
    pub(crate) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines()
            .take_while(|(_, line)| !(line.starts_with("#[cfg(") && line.contains("test")))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// Reads every Rust file in the crates' folders, sorted by path.
///
/// # Errors
///
/// A file cannot be read.
pub(crate) fn read(root: &Path) -> io::Result<Vec<Source>> {
    files(root, &CRATES, "rs")
}

/// Reads every file in the given folders whose name has the given ending, sorted by path. Build output and the files
/// that cargo-fuzz collects are left out.
///
/// # Errors
///
/// A file cannot be read.
pub(crate) fn files(root: &Path, folders: &[&str], ending: &str) -> io::Result<Vec<Source>> {
    let mut pending: Vec<PathBuf> = folders.iter().map(|name| root.join(name)).collect();
    let mut sources = Vec::new();
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name());
            if entry.file_type()?.is_dir() {
                if !matches!(name.to_str(), Some("target" | "corpus" | "artifacts")) {
                    pending.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == ending) {
                let relative = path.strip_prefix(root).expect("found below the root");
                sources
                    .push(Source { path: relative.to_string_lossy().into_owned(), text: fs::read_to_string(&path)? });
            }
        }
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(sources)
}
