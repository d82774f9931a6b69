//! Versions in shared memory.

use core::fmt;

/// A version in one word: major, minor and patch. Minor and patch are below 256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct SemanticVersion(i32);

impl SemanticVersion {
    /// Combines the three parts.
    pub const fn new(major: u8, minor: u8, patch: u8) -> Self {
        Self((major as i32) << 16 | (minor as i32) << 8 | patch as i32)
    }

    /// Wraps the number in shared memory.
    pub const fn from_bits(bits: i32) -> Self {
        Self(bits)
    }

    /// The number in shared memory.
    pub const fn bits(self) -> i32 {
        self.0
    }

    /// The major version. Different major versions are incompatible. Any number in a damaged file.
    pub const fn major(self) -> i32 {
        self.0 >> 16
    }

    /// The minor version, which increases with compatible additions.
    pub const fn minor(self) -> i32 {
        self.0 >> 8 & 0xFF
    }

    /// The patch version, which increases with corrections.
    pub const fn patch(self) -> i32 {
        self.0 & 0xFF
    }
}

impl fmt::Display for SemanticVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major(), self.minor(), self.patch())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1.53.0 is 79 104, and 1.0.0 is 65 536.
    #[test]
    fn versions_are_what_the_reference_stores() {
        assert_eq!(SemanticVersion::new(1, 53, 0).bits(), 79_104);
        assert_eq!(SemanticVersion::new(1, 0, 0).bits(), 65_536);
        assert_eq!(SemanticVersion::from_bits(512).to_string(), "0.2.0");
        assert_eq!(SemanticVersion::from_bits(-1).major(), -1);
    }
}
