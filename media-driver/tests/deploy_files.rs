//! The files in `deploy/` are what the driver takes.
#![expect(clippy::disallowed_methods, reason = "reads the files that it is about")]

use std::path::{Path, PathBuf};

use gannet_driver::config::{DirectoryAccess, Layers, Profile};

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name)
}

#[test]
fn there_is_a_sample_for_each_profile_and_it_loads() {
    for profile in [Profile::LowLatency, Profile::Balanced, Profile::Frugal] {
        let path = deploy(&format!("{profile}.toml"));
        let mut layers = Layers::new();
        layers.config_file(&path, &std::fs::read_to_string(&path).unwrap());
        let loaded = layers.load().unwrap();
        assert_eq!(loaded.config.process.profile, profile);
        assert_eq!(loaded.notices, Vec::<String>::new(), "all that it sets has an effect");
    }
}

#[test]
fn the_frugal_sample_fits_a_container() {
    let path = deploy("frugal.toml");
    let mut layers = Layers::new();
    layers.config_file(&path, &std::fs::read_to_string(&path).unwrap());
    let config = layers.load().unwrap().config;
    let log_length = 3 * u64::from(config.terms.ipc_term_length.get().unsigned_abs()) + 4096;
    assert!(config.cnc_file_length() + 8 * log_length < 64 << 20, "the command file and eight publications");
}

#[test]
fn the_image_is_built_with_a_compiler_that_suffices_and_starts_what_is_there_with_settings_that_are_known() {
    let file = std::fs::read_to_string(deploy("Containerfile")).unwrap();
    let manifest = std::fs::read_to_string(deploy("../Cargo.toml")).unwrap();
    let msrv = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")).unwrap().trim_end_matches('"');
    assert!(file.contains(&format!("FROM rust:{msrv}-slim-bookworm AS build\n")), "{file}");
    let mut layers = Layers::new();
    let variables = file.lines().filter_map(|line| line.strip_prefix("ENV ")?.split_once('='));
    layers.environment(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let copied = "COPY deploy/frugal.toml /etc/gannet/driver.toml\n";
    assert!(file.contains(copied) && file.contains("CMD [\"--config\", \"/etc/gannet/driver.toml\"]"), "{file}");
    let path = deploy("frugal.toml");
    layers.config_file(&path, &std::fs::read_to_string(&path).unwrap());
    let loaded = layers.load().unwrap();
    assert_eq!(loaded.notices, Vec::<String>::new());
    assert_eq!(loaded.config.directory.dir.as_deref(), Some(Path::new("/dev/shm/aeron-gannet")));
    assert_eq!(loaded.config.directory.access, DirectoryAccess::Group, "applications run in other containers");
}

#[test]
fn the_unit_starts_the_driver_with_settings_that_it_knows() {
    let unit = std::fs::read_to_string(deploy("gannet-driver.service")).unwrap();
    let mut layers = Layers::new();
    let variables = unit.lines().filter_map(|line| line.strip_prefix("Environment=")?.split_once('='));
    layers.environment(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let loaded = layers.load().unwrap();
    assert_eq!(loaded.notices, Vec::<String>::new());
    assert_eq!(loaded.config.directory.dir.as_deref(), Some(Path::new("/dev/shm/aeron-gannet")));
    assert!(unit.contains("ExecStart=/usr/local/bin/gannet-driver --config"));
}
