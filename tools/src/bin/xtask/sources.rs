//! The repository's files: those in Rust, read once for all rules, and others by the end of their names.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// The crates whose files the rules are about.
pub(crate) const CRATES: [&str; 6] = ["codecs", "engine", "media-driver", "benches", "loom-tests", "tools"];

/// One file.
pub(crate) struct Source {
    /// Its path from the repository's root, with forward slashes.
    pub(crate) path: String,
    /// What is in it.
    pub(crate) text: String,
}

impl Source {
    /// The lines with their numbers, from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// The lines that are code: comments and what follows the first test module left out.
    pub(crate) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines()
            .take_while(|(_, line)| !(line.starts_with("#[cfg(") && line.contains("test")))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// Reads every Rust file below the crates' folders, sorted by path.
///
/// # Errors
///
/// What the operating system refuses.
pub(crate) fn read(root: &Path) -> io::Result<Vec<Source>> {
    files(root, &CRATES, "rs")
}

/// Reads every file below some folders whose name has an ending, sorted by path. Build output and what cargo-fuzz collects are left
/// out.
///
/// # Errors
///
/// What the operating system refuses.
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
