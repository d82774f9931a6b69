//! Errors that the types of generated code cause: each marked function here must have that compile error at the mark,
//! and there must be no other error. Compiled by `rustc` alone, twice.

use std::path::Path;
use std::process::Command;

use gannet_codecs::generate::{Options, generate};
use gannet_codecs::schema::{self, compile_text};

const SCHEMA: &str = "<messageSchema package='t' id='1'><types>\
    <composite name='messageHeader'><type name='blockLength' primitiveType='uint16'/>\
    <type name='templateId' primitiveType='uint16'/><type name='schemaId' primitiveType='uint16'/>\
    <type name='version' primitiveType='uint16'/></composite>\
    <composite name='groupSizeEncoding'><type name='blockLength' primitiveType='uint16'/>\
    <type name='numInGroup' primitiveType='uint8'/></composite>\
    <composite name='text'><type name='length' primitiveType='uint8'/>\
    <type name='varData' primitiveType='char' length='0'/></composite>\
    <type name='Name' primitiveType='char' length='4'/>\
    <enum name='Side' encodingType='uint8'><validValue name='buy'>1</validValue></enum>\
    <enum name='Kind' encodingType='uint8'><validValue name='big'>1</validValue></enum></types>\
    <message name='Bid' id='1'><field name='name' id='1' type='Name'/><field name='side' id='2' type='Side'/>\
    <group name='legs' id='3'><field name='size' id='1' type='uint8'/><group name='fills' id='2'/><data name='note' id='3' type='text'/></group>\
    <group name='fees' id='4'><field name='amount' id='1' type='uint8'/></group><data name='memo' id='5' type='text'/></message>\
    </messageSchema>";

/// The right way to use everything that is used wrongly below.
const RIGHT: &str = r#"
fn all(buffer: &mut [u8]) -> Result<usize, EncodeError> {
    let mut order = BidEncoder::wrap(buffer)?;
    order.side(Side::BUY);
    let order = order.legs([1, 2], |mut leg, size| {
        leg.size(size);
        leg.fills(0..1, |fill, _| fill.end())?.note("n")?.end()
    })?;
    Ok(order.fees([7], |mut fee, amount| { fee.amount(amount); fee.end() })?.memo("m")?.finish())
}
fn after_the_groups(buffer: &mut [u8]) -> Result<usize, EncodeError> {
    let mut order = BidEncoder::wrap(buffer)?.legs(0..0, |leg, _: u8| leg.fills(0..0, |fill, _: u8| fill.end())?.note("")?.end())?;
    order.side(Side::BUY);
    Ok(order.fees(0..0, |fee, _: u8| fee.end())?.memo("")?.finish())
}
fn read<'a>(bytes: &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let order = BidDecoder::decode(bytes)?;
    let twice = order;
    assert_eq!(order.legs().len(), twice.legs().len());
    Ok(order.memo())
}
fn in_order<'a>(bytes: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), DecodeError> {
    let order = BidDecoder::in_order(bytes)?;
    let mut legs = order.legs()?;
    while let Some(leg) = legs.next_entry()? {
        let fills = leg.fills()?;
        let (claimed, mut found) = (fills.len(), 0);
        let leg = fills.for_each(|_| found += 1)?;
        assert_eq!(found, claimed);
        // An entry may be left before its end: the group skips the rest.
        if order.side() == Side::BUY {
            leg.note()?.1.end();
        }
    }
    let (fees, order) = legs.end()?.fees()?.checked()?;
    let (memo, order) = order.memo()?;
    assert_eq!((fees.len(), order.side()), (fees.into_iter().count(), order.side()));
    Ok((memo, order.finish()))
}
fn filled(bytes: &[u8], rooms: &mut [(u8, usize, String)]) -> Result<usize, Box<dyn std::error::Error>> {
    let legs = BidDecoder::in_order(bytes)?.legs()?;
    let order = legs.fill(rooms, |to, leg| -> Result<(), Box<dyn std::error::Error>> {
        to.0 = leg.size();
        let fills = leg.fills()?;
        to.1 = fills.len();
        let (note, leg) = fills.end()?.note()?;
        to.2 = std::str::from_utf8(note)?.to_owned();
        leg.end();
        Ok(())
    })?;
    let mut amounts = [0; 4];
    let (memo, _) = order.fees()?.fill(&mut amounts, |fee| fee.amount())?.memo()?;
    Ok(memo.len())
}
"#;

const WRONG: &str = r#"
fn groups_out_of_order(buffer: &mut [u8]) -> Result<(), EncodeError> {
    BidEncoder::wrap(buffer)?
        .fees([7], |fee, _| fee.end())?; //~ E0599
    Ok(())
}
fn data_before_a_group(buffer: &mut [u8]) -> Result<(), EncodeError> {
    BidEncoder::wrap(buffer)?
        .memo("m")?; //~ E0599
    Ok(())
}
fn finished_too_soon(buffer: &mut [u8]) -> Result<(), EncodeError> {
    BidEncoder::wrap(buffer)?
        .finish(); //~ E0599
    Ok(())
}
fn a_group_twice(order: BidEncoder<'_, 1>) -> Result<(), EncodeError> {
    order.fees([7], |fee, _| fee.end())?
        .fees([7], |fee, _| fee.end())?; //~ E0599
    Ok(())
}
fn a_stage_used_twice(order: BidEncoder<'_, 1>) -> Result<(), EncodeError> {
    order.fees([7], |fee, _| fee.end())?;
    order.fees([7], |fee, _| fee.end())?; //~ E0382
    Ok(())
}
fn used_after_finish(mut order: BidEncoder<'_, 3>) -> usize {
    let length = order.finish();
    order.side(Side::BUY); //~ E0382
    length
}
fn an_entry_ended_too_soon(order: BidEncoder<'_, 0>) -> Result<(), EncodeError> {
    order.legs([1], |leg, _| leg
        .end())?; //~ E0599
    Ok(())
}
fn an_entry_never_ended(order: BidEncoder<'_, 1>) -> Result<(), EncodeError> {
    order.fees([1], |_, _|
        Ok(()))?; //~ E0308
    Ok(())
}
fn an_entry_data_before_its_group(leg: bid::LegsEncoder<'_, 0>) -> Result<(), EncodeError> {
    leg
        .note("n")?; //~ E0599
    Ok(())
}
fn a_value_of_another_type(mut order: BidEncoder<'_, 0>) {
    order.side(Kind::BIG); //~ E0308
}
fn text_of_another_length(mut order: BidEncoder<'_, 0>) {
    order.name(b"longer"); //~ E0308
}
fn a_decoder_outlives_its_buffer() -> Result<u8, DecodeError> {
    let order = {
        let buffer = [0_u8; 64];
        BidDecoder::decode(
            &buffer)? //~ E0597
    };
    Ok(order.side().0)
}
fn text_outlives_its_buffer(buffer: Vec<u8>) -> Result<&'static [u8], DecodeError> {
    let order = BidDecoder::decode(&buffer)?;
    Ok(order.memo()) //~ E0515
}
fn read_before_what_stands_in_front(bytes: &[u8]) -> Result<(), DecodeError> {
    BidDecoder::in_order(bytes)?
        .memo()?; //~ E0599
    Ok(())
}
fn past_a_group_without_its_end(bytes: &[u8]) -> Result<(), DecodeError> {
    BidDecoder::in_order(bytes)?.legs()?
        .fees()?; //~ E0599
    Ok(())
}
fn finished_before_its_data(bytes: &[u8]) -> Result<(), DecodeError> {
    BidDecoder::in_order(bytes)?.legs()?.end()?
        .finish(); //~ E0599
    Ok(())
}
fn an_entry_left_before_its_data(bytes: &[u8]) -> Result<(), DecodeError> {
    let mut legs = BidDecoder::in_order(bytes)?.legs()?;
    while let Some(leg) = legs.next_entry()? {
        leg
            .end(); //~ E0599
    }
    Ok(())
}
fn two_entries_at_once(bytes: &[u8]) -> Result<(), DecodeError> {
    let mut legs = BidDecoder::in_order(bytes)?.legs()?;
    let one = legs.next_entry()?;
    let other =
        legs.next_entry()?; //~ E0499
    drop((one, other));
    Ok(())
}
fn an_entry_kept_beyond_its_turn(bytes: &[u8]) -> Result<(), DecodeError> {
    let mut kept = None;
    BidDecoder::in_order(bytes)?.legs()?.fill(&mut [0; 2], |_, leg| -> Result<(), DecodeError> {
        kept = Some(leg); //~ E0521
        Ok(())
    })?;
    Ok(())
}
fn data_read_in_order_outlives_its_buffer(buffer: Vec<u8>) -> Result<&'static [u8], DecodeError> {
    let order = BidDecoder::in_order(&buffer)?.legs()?.end()?.fees()?.end()?;
    Ok(order.memo()?.0) //~ E0515
}
fn a_buffer_changed_under_a_decoder(buffer: &mut [u8]) -> Result<u8, DecodeError> {
    let order = BidDecoder::decode(buffer)?;
    buffer[0] = 1; //~ E0506
    Ok(order.side().0)
}
fn two_encoders_of_one_buffer(buffer: &mut [u8]) -> Result<(), EncodeError> {
    let mut one = BidEncoder::wrap(buffer)?;
    let mut other = BidEncoder::wrap(
        buffer)?; //~ E0499
    one.side(Side::BUY);
    other.side(Side::BUY);
    Ok(())
}
fn read_while_it_is_written(buffer: &mut [u8]) -> Result<(), EncodeError> {
    let mut order = BidEncoder::wrap(buffer)?;
    let read = BidDecoder::decode(
        buffer); //~ E0502
    order.side(Side::BUY);
    drop(read);
    Ok(())
}
"#;

/// Runs the compiler, and returns the code and line of each error.
fn compile(folder: &Path, arguments: &[&str]) -> Vec<(String, u64)> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .current_dir(folder)
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "--error-format=json", "--cap-lints=allow"])
        .args(arguments)
        .output()
        .expect("the compiler that built this test runs");
    let text = String::from_utf8_lossy(&output.stderr);
    let lines = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let errors =
        lines.filter(|found| found["level"] == "error" && !found["spans"].as_array().is_none_or(Vec::is_empty));
    let found: Vec<_> = errors
        .map(|error| {
            let spans = error["spans"].as_array().cloned().unwrap_or_default();
            let primary = spans.iter().find(|span| span["is_primary"] == true).cloned().unwrap_or_default();
            let code = error["code"]["code"].as_str().unwrap_or("none").to_owned();
            (code, primary["line_start"].as_u64().unwrap_or(0))
        })
        .collect();
    assert_eq!(output.status.success(), found.is_empty(), "{text}");
    found
}

#[test]
fn the_types_refuse_what_would_be_no_message() {
    let schema = compile_text("t.xml", SCHEMA, &schema::Options::default()).expect("it is accepted").schema;
    let code = generate(&schema, &Options::default()).expect("an accepted schema has code");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path();
    std::fs::write(path.join("order.rs"), code).expect("a file can be written");
    let runtime = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/src/lib.rs");
    let runtime = runtime.canonicalize().expect("the runtime is there");
    let runtime = runtime.to_str().expect("a path of ours is text");
    assert_eq!(compile(path, &["--crate-name=gannet_codecs_runtime", runtime]), []);
    let linked = ["-L.", "--extern=gannet_codecs_runtime"];
    let generated = [&["--crate-name=messages", "order.rs"][..], &linked].concat();
    assert_eq!(compile(path, &generated), []);

    let front = "use gannet_codecs_runtime::{DecodeError, EncodeError};\nuse messages::types::{Kind, Side};\n\
                 use messages::{BidDecoder, BidEncoder, bid};\n";
    for (name, functions) in [("right", RIGHT), ("wrong", WRONG)] {
        let text = format!("{front}{functions}");
        let file = format!("{name}.rs");
        std::fs::write(path.join(&file), &text).expect("a file can be written");
        let mut found = compile(path, &[&[file.as_str(), "--extern=messages"][..], &linked].concat());
        found.sort_by_key(|(_, line)| *line);
        let marked: Vec<(String, u64)> = text
            .lines()
            .zip(1..)
            .filter_map(|(line, number)| Some((line.split_once("//~ ")?.1.to_owned(), number)))
            .collect();
        assert_eq!(found, marked, "{name}");
        assert_eq!(marked.is_empty(), name == "right");
    }
}
