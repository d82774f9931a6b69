//! The ratio of two medians, with an estimate of its random error.

/// One median divided by another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ratio {
    pub(crate) found: f64,
    /// The range of the middle nine tenths of ratios of resampled values, drawn with replacement from the measured
    /// ones.
    pub(crate) range: [f64; 2],
}

impl Ratio {
    /// The ratio of the medians. `None` if there are no values, or if the second median is 0.
    pub(crate) fn of_medians(ours: &[u64], theirs: &[u64]) -> Option<Self> {
        const DRAWS: usize = 1_000;
        let found = quotient(ours.to_vec(), theirs.to_vec())?;
        // The same seed on every run, so that only the measurement varies.
        let mut random = 0_u64;
        let mut draw = |from: &[u64]| -> Vec<u64> {
            let any = |_: &u64| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                from[(random >> 33) as usize % from.len()]
            };
            from.iter().map(any).collect()
        };
        let mut drawn: Vec<_> = (0..DRAWS).filter_map(|_| quotient(draw(ours), draw(theirs))).collect();
        drawn.sort_unstable_by(f64::total_cmp);
        let range = [DRAWS / 20, DRAWS - DRAWS / 20].map(|at| drawn.get(at).copied().unwrap_or(found));
        Some(Self { found, range })
    }
}

fn quotient(mut ours: Vec<u64>, mut theirs: Vec<u64>) -> Option<f64> {
    Some(median(&mut ours)? / median(&mut theirs).filter(|&ns| ns > 0.0)?)
}

/// The median. For an even number of values, the mean of the two in the middle.
pub(crate) fn median(values: &mut [u64]) -> Option<f64> {
    values.sort_unstable();
    let last = values.len().checked_sub(1)?;
    Some((values[last / 2] as f64 + values[values.len() / 2] as f64) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_comes_with_how_far_chance_may_have_moved_it() {
        assert!(Ratio::of_medians(&[], &[1]).is_none() && Ratio::of_medians(&[1], &[0]).is_none());
        let alike = Ratio::of_medians(&[20; 9], &[10; 9]).expect("there are slices of both");
        assert_eq!((alike.found, alike.range), (2.0, [2.0, 2.0]));
        // One wild slice of nine changes neither the ratio nor, by much, its range; slices that all differ do.
        let mut wild = [20; 9];
        wild[4] = 1_000_000;
        assert_eq!(Ratio::of_medians(&wild, &[10; 9]).expect("as above").range, [2.0, 2.0]);
        let spread: Vec<_> = (10..31).collect();
        let Ratio { found, range: [low, high] } = Ratio::of_medians(&spread, &[10; 9]).expect("as above");
        assert!(found == 2.0 && (1.2..1.9).contains(&low) && (2.1..2.8).contains(&high), "{low} to {high}");
    }
}
