//! Generates `orders.rs` in `OUT_DIR` whenever the schema changes. A schema that is refused fails the build, with the places.

fn main() -> Result<(), gannet_codecs::build::BuildError> {
    gannet_codecs::build::Schema::new("../schemas/orders.xml").generate()?;
    Ok(())
}
