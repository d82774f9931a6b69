//! The commit that sources are of. Asked by the build script, and by its tests; changes nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A commit, and the file that git changes when there is another.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    /// The first twelve digits of its name.
    pub(crate) name: String,
    /// What to look at for a change.
    pub(crate) changed_with: PathBuf,
}

/// The commit of the package in `dir`, whose folder has this name in its own repository. `None` without git, without a
/// repository, and for a copy in the repository of something else, whose commits say nothing of these sources.
pub(crate) fn of_package(dir: &Path, folder: &str) -> Option<Commit> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(dir).args(arguments).stderr(Stdio::null()).output().ok()?;
        Some(String::from_utf8(output.status.success().then_some(output.stdout)?).ok()?.trim().to_owned())
    };
    if git(&["rev-parse", "--show-prefix"])? != format!("{folder}/") {
        return None;
    }
    let name = git(&["rev-parse", "--short=12", "HEAD"])?;
    Some(Commit { name, changed_with: dir.join(git(&["rev-parse", "--git-path", "logs/HEAD"])?) })
}
