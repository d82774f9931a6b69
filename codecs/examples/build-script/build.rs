//! Generates `orders.rs` in `OUT_DIR` whenever the schema changes. A refused schema fails the build and shows where it
//! is wrong.

fn main() -> Result<(), gannet_codecs::build::BuildError> {
    gannet_codecs::build::Schema::new("../schemas/orders.xml").generate()?;
    Ok(())
}
