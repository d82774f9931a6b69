//! What the build script takes for the commit that the driver is built from.
#![expect(clippy::disallowed_methods, reason = "makes repositories to look at")]

#[path = "../build/commit.rs"]
mod commit;
#[expect(unreachable_pub, reason = "shared with tests of other crates")]
#[path = "../../engine/tests/support/skip.rs"]
mod skip;

use std::path::Path;
use std::process::Command;

use commit::of_package;

fn git(dir: &Path, arguments: &[&str]) -> Option<String> {
    let identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost", "-c", "commit.gpgsign=false"];
    let output = Command::new("git").arg("-C").arg(dir).args(identity).args(arguments).output().ok()?;
    assert!(output.status.success(), "git {arguments:?}: {output:?}");
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[test]
fn the_commit_is_that_of_the_package_s_own_repository() {
    let temp = tempfile::tempdir().unwrap();
    let [package, copy] = ["media-driver", "vendor/gannet/media-driver"].map(|folder| temp.path().join(folder));
    for dir in [&package, &copy] {
        std::fs::create_dir_all(dir).unwrap();
    }
    assert_eq!(of_package(&package, "media-driver"), None, "no repository");
    let Some(_) = git(temp.path(), &["init", "-q"]) else {
        return skip::report("the_commit_is_that_of_the_package_s_own_repository", "there is no git");
    };
    assert_eq!(of_package(&package, "media-driver"), None, "no commit");
    let mut last = None;
    for message in ["one", "two"] {
        git(temp.path(), &["commit", "-q", "--allow-empty", "-m", message]);
        let found = of_package(&package, "media-driver").unwrap();
        assert_eq!(Some(&found.name), git(temp.path(), &["rev-parse", "--short=12", "HEAD"]).as_ref());
        let log = std::fs::read_to_string(&found.changed_with).unwrap();
        assert!(log.contains(&found.name) && last.as_ref() != Some(&found), "{log}");
        last = Some(found);
    }
    assert_eq!(of_package(&copy, "media-driver"), None, "a copy in somebody else's repository");
    assert_eq!(of_package(&temp.path().join("nowhere"), "media-driver"), None);
}
