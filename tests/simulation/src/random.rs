//! Pseudo-random numbers of a simulation: SplitMix64.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Generator whose numbers depend on its seed alone.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Creates the generator of a seed, for one purpose: generators of other purposes are
    /// independent, so that a change of one part leaves the numbers of the others.
    pub fn new(seed: u64, purpose: &str) -> Random {
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let mut random = Random(purpose.bytes().fold(0xcbf2_9ce4_8422_2325, mix) ^ seed);
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Draws a number within a range.
    pub fn between(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (low, high) = range.into_inner();
        low + self.next() % (high - low + 1)
    }

    /// Returns true in so many of a hundred cases.
    pub fn percent(&mut self, share: u64) -> bool {
        self.between(0..=99) < share
    }

    /// Draws one of several values.
    pub fn pick<'a, T>(&mut self, values: &'a [T]) -> &'a T {
        &values[self.between(0..=values.len() as u64 - 1) as usize]
    }

    /// Draws a duration in milliseconds.
    pub fn millis(&mut self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.between(range))
    }

    /// Draws a duration in seconds, with its milliseconds.
    pub fn seconds(&mut self, range: RangeInclusive<u64>) -> Duration {
        let (low, high) = range.into_inner();
        self.millis(low * 1000..=high * 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_and_a_purpose_have_one_sequence() {
        let draw = |seed, purpose| {
            let mut random = Random::new(seed, purpose);
            (0..20).map(|_| random.between(0..=1000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7, "people"), draw(7, "people"));
        assert_ne!(draw(7, "people"), draw(8, "people"));
        assert_ne!(draw(7, "people"), draw(7, "faults"));
    }

    #[test]
    fn draws_keep_to_their_range_and_reach_its_ends() {
        let mut random = Random::new(1, "ranges");
        let drawn: Vec<_> = (0..200).map(|_| random.between(3..=5)).collect();
        assert!((3..=5).all(|n| drawn.contains(&n)) && drawn.iter().all(|n| (3..=5).contains(n)));
        assert!((0..200).all(|_| random.percent(100) && !random.percent(0)));
    }
}
