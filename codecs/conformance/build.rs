//! Generates codecs for the tests of this crate: from the small schemas beside it, each of which holds something that
//! is easy to get wrong; from generated schemas; from every real schema beside the repository, if those are present;
//! and from the market data schema with owned forms.

#[path = "../tests/support/arbitrary.rs"]
mod arbitrary;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use gannet_codecs::generate::{Options, generate};
use gannet_codecs::schema::{self, Schema, compile_file};

/// For each folder of schemas: its path, the prefix of the generated modules, and its name in the tests.
const FOLDERS: &[(&str, &str, &str)] = &[
    ("schemas", "own", "own"),
    ("../schemas", "shipped", "shipped"),
    ("../../../shared/data/schemas", "real", "schemas"),
    ("../../../shared/data/schemas/official", "official", "schemas/official"),
];

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says where code goes"));
    let market = gannet_codecs::build::Schema::new("../market/schemas/market.xml").owned(true);
    market.to(out.join("market.rs")).generate().expect("our own schema is accepted");
    println!("cargo::rerun-if-changed=build.rs");
    let mut code = Code { out: out.clone(), modules: String::new(), table: String::new() };
    for &(folder, prefix, shown) in FOLDERS {
        println!("cargo::rerun-if-changed={folder}");
        let Ok(entries) = fs::read_dir(folder) else { continue };
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "xml")) {
            println!("cargo::rerun-if-changed={}", path.display());
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let compiled = match compile_file(path, &schema::Options::default()) {
                Ok(compiled) => compiled,
                Err(report) if matches!(prefix, "own" | "shipped") => panic!("{report}"),
                // The tests of the compiler check which real schemas are refused.
                Err(_) => continue,
            };
            code.add(&format!("{prefix}_{stem}"), &format!("{shown}/{stem}.xml"), &compiled.schema);
        }
    }
    println!("cargo::rerun-if-changed=../tests/support/arbitrary.rs");
    for number in 0..arbitrary::COMPILED {
        let plan = arbitrary::Plan::numbered(number);
        for version in [0, arbitrary::LATEST] {
            code.add(&format!("made_{number}_{version}"), &format!("made/{number}/{version}"), &plan.schema(version));
        }
    }
    let Code { modules, table, .. } = code;
    let all = format!(
        "{modules}\n/// Every schema that code was generated from.\npub static ALL: &[Generated] = &[{table}];\n"
    );
    write(&out.join("all.rs"), &all);
}

/// The generated code: modules, and a table of them for the tests.
struct Code {
    out: PathBuf,
    modules: String,
    table: String,
}

impl Code {
    fn add(&mut self, name: &str, shown: &str, schema: &Schema) {
        let module = name.replace(['-', '.'], "_").to_lowercase();
        // Owned forms for every schema but the two largest, which have nothing in them that the others lack.
        let (owned, serde) = (!name.contains("binance-spot"), name.starts_with("own_"));
        let options = Options { owned, serde, ..Options::default() };
        let code = generate(schema, &options).expect("an accepted schema has code");
        write(&self.out.join(format!("{module}.rs")), &code);
        let _ = writeln!(
            self.modules,
            "/// `{shown}`.\npub mod {module} {{ include!(concat!(env!(\"OUT_DIR\"), \"/{module}.rs\")); }}"
        );
        let _ = writeln!(
            self.table,
            "Generated {{ schema: \"{shown}\", read: read!({module}{}) }},",
            if options.owned { ", owned" } else { "" }
        );
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("the folder can be written to");
}
