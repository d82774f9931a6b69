//! Finds the known name nearest to an unknown one, for messages that say "did you mean". It is called only when a name
//! was not found, and knows no names itself.

/// The candidate with the smallest edit distance to `name`, and the distance. `None` if even that candidate is too
/// different. Dots, hyphens and underscores count as equal, and so do upper and lower case.
///
/// ```
/// # use gannet::nearest::nearest;
/// assert_eq!(nearest("term-lenght", ["mtu", "term-length"]), Some(("term-length", 2)));
/// assert_eq!(nearest("price", ["mtu", "term-length"]), None);
/// ```
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<(&'a str, usize)> {
    let name = fold(name);
    let (best, distance) = candidates
        .into_iter()
        .map(|candidate| (candidate, strsim::levenshtein(&name, &fold(candidate))))
        .min_by_key(|(_, distance)| *distance)?;
    // Two edits would change a name of two letters completely.
    let far = (name.len() / 4).max(2).min(name.len() / 2);
    (distance <= far).then_some((best, distance))
}

fn fold(name: &str) -> String {
    name.chars().map(|c| if c == '.' || c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_name_that_was_meant() {
        let names = ["aeron.dir", "aeron.mtu.length", "aeron.term.buffer.length"];
        assert_eq!(nearest("aeron.term.bufer.length", names), Some(("aeron.term.buffer.length", 1)));
        assert_eq!(nearest("AERON_MTU_LENGHT", names), Some(("aeron.mtu.length", 2)));
        assert_eq!(nearest("something.else", names), None);
        assert_eq!(nearest("x", []), None);
        assert_eq!(nearest("ab", ["cc"]), None, "nothing of it is left");
    }
}
