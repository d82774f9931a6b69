//! Checks that links between the repository's pages lead to an existing file or folder, and to an existing heading in
//! it.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::sources::{CRATES, Source, files};

/// Findings: a link to something that does not exist. Links to other sites are not followed.
pub(crate) fn check(root: &Path, _sources: &[Source]) -> Vec<String> {
    let pages = match pages(root) {
        Ok(pages) => pages,
        Err(error) => return vec![format!("cannot read the pages below {}: {error}", root.display())],
    };
    let mut findings = Vec::new();
    for page in &pages {
        for (line, link) in links(&page.text) {
            if link.contains("://") {
                continue;
            }
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { root.join(&page.path) } else { folder(root, page).join(path) };
            let at = format!("{}:{line}: links to {link}", page.path);
            if !target.exists() {
                findings.push(format!("{at}, and there is no such file"));
            } else if !heading.is_empty() && !has_heading(&target, heading) {
                findings.push(format!("{at}, and there is no such heading"));
            }
        }
    }
    findings
}

/// The pages in the root, in `docs` and in the crates.
fn pages(root: &Path) -> io::Result<Vec<Source>> {
    let mut pages = files(root, &[&["docs"][..], &CRATES].concat(), "md")?;
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            pages.push(Source { path: name, text: fs::read_to_string(&path)? });
        }
    }
    Ok(pages)
}

fn folder(root: &Path, page: &Source) -> PathBuf {
    let path = root.join(&page.path);
    path.parent().map_or(PathBuf::new(), Path::to_path_buf)
}

/// The targets of a page's links, each with the line that the link ends in. Links in code blocks are ignored.
fn links(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    let lines = text.lines().enumerate().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    });
    lines.flat_map(|(index, line)| {
        line.split("](").skip(1).filter_map(move |rest| Some((index + 1, rest.split_once(')')?.0)))
    })
}

fn has_heading(page: &Path, anchor: &str) -> bool {
    let text = fs::read_to_string(page).unwrap_or_default();
    text.lines().filter(|line| line.starts_with('#')).any(|line| anchor_of(line.trim_start_matches('#')) == anchor)
}

/// The anchor of a heading.
fn anchor_of(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let root = tempfile::tempdir().unwrap();
        for folder in [&["docs"][..], &CRATES].concat() {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("docs/guide.md"), "# The `guide`, first\n[up](../README.md#start)\n").unwrap();
        let readme = "# Start\n[good](docs/guide.md#the-guide-first), [dir](docs), [here](#start), [far](https://a.b/c)\n\
                      ```\nnot[0](a link)\n```\n[bad](docs/gone.md) and [worse](docs/guide.md#gone)\n";
        fs::write(root.path().join("README.md"), readme).unwrap();
        assert_eq!(
            check(root.path(), &[]),
            [
                "README.md:6: links to docs/gone.md, and there is no such file",
                "README.md:6: links to docs/guide.md#gone, and there is no such heading",
            ]
        );
    }
}
