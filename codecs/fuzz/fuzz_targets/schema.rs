//! Compiles arbitrary text, and valid schemas with words inserted, removed and exchanged. Each schema is refused with a
//! place, or accepted; the code generated from an accepted schema must be Rust.
#![no_main]

#[path = "../../tests/support/arbitrary.rs"]
mod arbitrary;

use arbitrary::{Entropy, LATEST, Plan};
use gannet_codecs::generate::{self, generate};
use gannet_codecs::schema::{Options, compile_text};
use libfuzzer_sys::fuzz_target;

const WORDS: &[&str] = &[
    "<",
    ">",
    "/>",
    "'",
    "\"",
    "&",
    "&lt;",
    "&#x202e;",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?",
    "?>",
    "<!DOCTYPE a>",
    " ",
    "\n",
    "0",
    "1",
    "2",
    "255",
    "256",
    "-1",
    "65535",
    "65536",
    "2147483647",
    "4294967295",
    "99999999999",
    "NaN",
    "1e999",
    "self",
    "Self",
    "_",
    "é",
    "数",
    "<type name='",
    "<ref name='",
    "<composite name='",
    "</composite>",
    "<enum name='",
    "</enum>",
    "<set name='",
    "</set>",
    "<choice name='",
    "<validValue name='",
    "<group name='g' id='9'>",
    "</group>",
    "<field name='",
    "<data name='d' id='9' type='text'/>",
    "<message name='",
    "</types>",
    "<types>",
    " presence='optional'",
    " presence='constant'",
    " valueRef='E0.v0'",
    " offset='",
    " length='",
    " nullValue='",
    " minValue='",
    " maxValue='",
    " sinceVersion='",
    " blockLength='",
    " type='T0'",
    " type='C0'",
    " type='E0'",
    " type='uint64'",
    " primitiveType='char'",
    " primitiveType='float'",
    " encodingType='uint8'",
    " dimensionType='wide'",
    " headerType='C0'",
    " characterEncoding='UTF-8'",
    "messageHeader",
    "varData",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((&kind, rest)) = bytes.split_first() else { return };
    let text = if kind % 2 == 0 {
        String::from_utf8_lossy(rest).into_owned()
    } else {
        let (plan, edits) = rest.split_at(rest.len() * 2 / 3);
        let mut text = Plan::new(&mut Entropy::new(plan)).xml(LATEST);
        let mut edits = Entropy::new(edits);
        while !edits.is_empty() {
            edit(&mut text, &mut edits);
        }
        text
    };
    match compile_text("fuzzed.xml", &text, &Options::default()) {
        Ok(compiled) => {
            let _ = compiled.report.to_string();
            // Formatting takes most of the time, and long schemas show nothing that short ones do not.
            if text.len() < 8000 {
                generate(&compiled.schema, &generate::Options::default()).expect("an accepted schema has code");
            }
        }
        Err(report) => {
            assert!(report.errors().count() > 0);
            assert!(!report.to_string().is_empty() && !report.to_json_lines().is_empty());
            for found in report.errors() {
                assert!(report.sources().position(found.place).is_some(), "{} has no place", found.code);
            }
        }
    }
});

/// Inserts a word, replaces one, or removes some text.
fn edit(text: &mut String, edits: &mut Entropy<'_>) {
    let mut at = edits.number() as usize % (text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let word = *edits.one(WORDS);
    let end = match edits.below(4) {
        0 => at,
        1 => text[at..].find(['\'', '<', '>', ' ', '=']).map_or(text.len(), |length| at + length),
        2 => text[at..].find('>').map_or(text.len(), |length| at + length + 1),
        _ => {
            // The text between two quotes: an attribute's value.
            let Some(start) = text[at..].find('\'').map(|from| at + from + 1) else { return };
            let length = text[start..].find('\'').unwrap_or(0);
            text.replace_range(start..start + length, word);
            return;
        }
    };
    text.replace_range(at..end, word);
}
