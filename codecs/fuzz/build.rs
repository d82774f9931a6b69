//! Generates codecs from the small schemas of the conformance crate, each with what the dynamic codec needs for a
//! comparison.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use gannet_codecs::generate::{Options, generate};
use gannet_codecs::schema::{self, compile_file};

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says where code goes"));
    let (mut modules, mut table) = (String::new(), String::new());
    for folder in ["../conformance/schemas", "../schemas", "../market/schemas"] {
        println!("cargo::rerun-if-changed={folder}");
        let folder = Path::new(folder).canonicalize().expect("the repository has the folder");
        let entries = fs::read_dir(folder).expect("the folder can be listed");
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "xml")) {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().replace('-', "_");
            let compiled = compile_file(path, &schema::Options::default()).unwrap_or_else(|report| panic!("{report}"));
            let code = generate(&compiled.schema, &Options { owned: true, ..Options::default() }).expect("an accepted schema has code");
            fs::write(out.join(format!("{stem}.rs")), code).expect("the folder can be written to");
            let _ = writeln!(
                modules,
                "#[allow(clippy::all)]\npub mod {stem} {{ include!(concat!(env!(\"OUT_DIR\"), \"/{stem}.rs\")); }}"
            );
            let _ = writeln!(table, "({:?}, decode!({stem})),", path.display().to_string());
        }
    }
    let all = format!("{modules}\npub static ALL: &[(&str, Decode)] = &[{table}];\n");
    fs::write(out.join("all.rs"), all).expect("the folder can be written to");
}
