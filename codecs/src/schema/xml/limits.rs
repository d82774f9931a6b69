//! Limits that no real schema exceeds, checked before a parser spends time on a file. Called by the XML reader for each
//! file.

/// The greatest depth of elements. Types and groups may be nested 16 deep, and real schemas have ten levels.
const DEEPEST_ELEMENT: usize = 128;
const MOST_ATTRIBUTES: usize = 128;
const MOST_NAMESPACES: usize = 128;

/// Finds, in one pass, what a parser could spend too much time on: nesting, and attributes and namespaces, each of
/// which is compared with the others. Does not check whether the text is XML.
pub(super) fn beyond_limits(text: &str) -> Option<(&'static str, usize, String)> {
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut namespaces) = (0, 0_usize, 0_usize);
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('<')) {
        let start = at + found;
        let rest = &text[start..];
        let skipped = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>"), ("</", ">"), ("<!", ">")];
        if let Some((open, close)) = skipped.into_iter().find(|(open, _)| rest.starts_with(open)) {
            depth -= usize::from(open == "</").min(depth);
            at = start + open.len() + rest[open.len()..].find(close)? + close.len();
            continue;
        }
        let (mut attributes, mut quote, mut end) = (0_usize, None, start + 1);
        while let Some(&byte) = bytes.get(end) {
            match (byte, quote) {
                (b'>', None) => break,
                (b'"' | b'\'', None) => quote = Some(byte),
                (b'=', None) => attributes += 1,
                (b'x', None) => namespaces += usize::from(bytes[end..].starts_with(b"xmlns")),
                (byte, Some(open)) if byte == open => quote = None,
                _ => {}
            }
            end += 1;
        }
        depth += usize::from(bytes.get(end.wrapping_sub(1)) != Some(&b'/'));
        if depth > DEEPEST_ELEMENT {
            return Some(("too-deep", start, format!("elements are nested more than {DEEPEST_ELEMENT} deep")));
        }
        if attributes > MOST_ATTRIBUTES {
            return Some((
                "too-many-attributes",
                start,
                format!("an element has more than {MOST_ATTRIBUTES} attributes"),
            ));
        }
        if namespaces > MOST_NAMESPACES {
            let message = format!("the file declares more than {MOST_NAMESPACES} namespaces");
            return Some(("too-many-attributes", start, message));
        }
        at = end;
    }
    None
}
