//! Writes JSON text, as far as this crate does so itself. Used by diagnostics, the gate and the dynamic decoder.

use std::fmt::Write as _;

/// Appends a string literal.
pub(crate) fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_character_survives_a_reader() {
        let text: String = (0..300).filter_map(char::from_u32).collect();
        let mut out = String::new();
        super::string(&mut out, &text);
        assert_eq!(serde_json::from_str::<String>(&out).expect("it is JSON"), text);
        assert!(!out.chars().any(char::is_control), "no character that a terminal acts on: {out:?}");
    }
}
