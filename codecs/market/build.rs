//! Generates this crate's code from its schema, as an application's build script would.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    gannet_codecs::build::Schema::new("schemas/market.xml").generate()?;
    Ok(())
}
