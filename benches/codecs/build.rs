//! Generates codecs from the same two schemas with each compiler.

use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo says where code goes")?);
    for name in ["car", "refresh"] {
        let schema = format!("schemas/{name}.xml");
        gannet_codecs::build::Schema::new(&schema).to(out.join(format!("gannet_{name}.rs"))).generate()?;

        ergo_sbe::generate_to_dir(&schema, ergo_sbe::GenerationConfig::new(format!("ergo_{name}")), &out)?;

        // The generated files refer to each other by module path, so they are put into one file as one module.
        let files = sbe_gen::generate(&fs::read_to_string(&schema)?, &sbe_gen::GeneratorOptions::default())?;
        let modules = files.iter().filter(|(file, _)| !file.ends_with("mod.rs")).map(|(file, code)| {
            let module = file.rsplit('/').next().unwrap_or(file).trim_end_matches(".rs");
            // Inner attributes of a file are not allowed in an inline module.
            let code: String =
                code.lines().filter(|line| !line.starts_with("#![")).map(|line| format!("{line}\n")).collect();
            format!("pub mod {module} {{\n{code}}}\n")
        });
        fs::write(out.join(format!("sbe_gen_{name}.rs")), modules.collect::<String>())?;
    }
    Ok(())
}
