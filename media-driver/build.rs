//! Tells the driver which commit it is built from: `GANNET_COMMIT` if that is set, else what git says in a release build.
//! Other builds do without, so that a commit alone has nothing built again.

#[path = "build/commit.rs"]
mod commit;

use std::env;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rerun-if-env-changed=GANNET_COMMIT");
    let stated = env::var("GANNET_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = stated.or_else(|| {
        let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
        let dir = env::var_os("CARGO_MANIFEST_DIR").filter(|_| is_release)?;
        let found = commit::of_package(Path::new(&dir), "media-driver")?;
        println!("cargo:rerun-if-changed={}", found.changed_with.display());
        Some(found.name)
    });
    println!("cargo:rustc-env=GANNET_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
}
