//! Reports of receivers that reject a publication. Anyone who can send to it chooses ids, ports and reasons, while the
//! error log keeps every distinct text. So a few are reported for each publication, and the others counted with the
//! last of these. The publication's clients are told each one.

/// The maximum number of individually reported rejections of a publication.
const MAX_TOLD: usize = 8;

/// The reported rejections of a publication.
#[derive(Debug, Default)]
pub(super) struct Rejections {
    told: Vec<String>,
}

impl Rejections {
    /// The report for a rejection that `text` describes.
    pub(super) fn tell(&mut self, mut text: String) -> &str {
        let index = match self.told.iter().position(|told| *told == text) {
            Some(index) => index,
            None if self.told.len() == MAX_TOLD => MAX_TOLD - 1,
            None => {
                if self.told.len() == MAX_TOLD - 1 {
                    text.push_str("; others are counted here");
                }
                self.told.push(text);
                self.told.len() - 1
            }
        };
        &self.told[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_are_told_and_others_counted_with_the_last() {
        let mut rejections = Rejections::default();
        for number in 0..MAX_TOLD - 1 {
            assert_eq!(rejections.tell(number.to_string()), number.to_string());
        }
        assert_eq!(rejections.tell("1".to_owned()), "1", "known");
        let last = rejections.tell("last".to_owned()).to_owned();
        assert!(last.starts_with("last; others"), "{last}");
        for number in 100..200 {
            assert_eq!(rejections.tell(number.to_string()), last);
        }
        assert_eq!(rejections.tell("2".to_owned()), "2");
    }
}
