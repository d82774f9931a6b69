//! Generates codecs from every real schema beside the repository that has golden messages, where those are; and from the market data schema once more, with owned forms.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use gannet_codecs::generate::{Options, generate};
use gannet_codecs::schema::{self, compile_file};

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says where code goes"));
    let market = gannet_codecs::build::Schema::new("../market/schemas/market.xml").owned(true);
    market.to(out.join("market.rs")).generate().expect("our own schema is accepted");
    let data = Path::new("../../../shared/data");
    println!("cargo::rerun-if-changed={}", data.display());
    println!("cargo::rerun-if-changed=build.rs");
    let (mut modules, mut table) = (String::new(), String::new());
    for folder in ["schemas", "schemas/official"] {
        let Ok(entries) = fs::read_dir(data.join(folder)) else { continue };
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "xml")) {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            // Two samples share their names with official tests, whose messages the golden files hold.
            let sample = folder == "schemas" && stem.starts_with("example");
            if sample || !data.join(format!("golden/{stem}.jsonl")).exists() {
                continue;
            }
            let Ok(compiled) = compile_file(path, &schema::Options::default()) else { continue };
            let module = format!("{}_{stem}", folder.replace('/', "_")).replace(['-', '.'], "_").to_lowercase();
            let code = generate(&compiled.schema, &Options { owned: true, ..Options::default() })
                .expect("an accepted schema has code");
            fs::write(out.join(format!("{module}.rs")), code).expect("the folder can be written to");
            let _ = writeln!(
                modules,
                "/// `{stem}`.\npub mod {module} {{ include!(concat!(env!(\"OUT_DIR\"), \"/{module}.rs\")); }}"
            );
            let _ = writeln!(table, "Generated {{ schema: \"{folder}/{stem}.xml\", read: read!({module}) }},");
        }
    }
    let all = format!(
        "{modules}\n/// Every schema that code was generated from.\npub static ALL: &[Generated] = &[{table}];\n"
    );
    fs::write(out.join("all.rs"), all).expect("the folder can be written to");
}
