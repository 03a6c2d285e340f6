//! Pseudo-random numbers that depend on the seed alone, and on no version of a library.

/// Sequence of pseudo-random numbers (SplitMix64).
pub struct Rng(u64);

impl Rng {
    /// Creates the sequence of a seed and a stream; streams of the same seed are independent.
    pub fn new(seed: u64, stream: u64) -> Rng {
        let mut rng = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ stream << 32);
        rng.next_u64();
        Rng(rng.next_u64())
    }

    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number above 0 and below 1.
    pub fn uniform(&mut self) -> f64 {
        ((self.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// Returns a number between two values, evenly distributed.
    pub fn uniform_in(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.uniform()
    }

    /// Returns an exponentially distributed number with this mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -self.uniform().ln() * mean
    }

    /// Returns a log-normally distributed number with this mean and this standard deviation, given
    /// as a share of the mean.
    pub fn lognormal(&mut self, mean: f64, variation: f64) -> f64 {
        let variance = (1.0 + variation * variation).ln();
        let angle = std::f64::consts::TAU * self.uniform();
        let normal = (-2.0 * self.uniform().ln()).sqrt() * angle.cos();
        mean * (variance.sqrt() * normal - variance / 2.0).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(mut draw: impl FnMut() -> f64) -> (f64, f64) {
        let drawn: Vec<f64> = (0..200_000).map(|_| draw()).collect();
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
        let square = drawn.iter().map(|x| x * x).sum::<f64>() / drawn.len() as f64;
        (mean, (square - mean * mean).sqrt() / mean)
    }

    #[test]
    fn what_is_drawn_has_the_mean_and_the_variation_that_were_asked_for() {
        let near = |moments: (f64, f64), mean: f64, variation: f64| {
            let deviation = (moments.0 / mean - 1.0).abs().max((moments.1 / variation - 1.0).abs());
            assert!(deviation < 0.02, "{moments:?}");
        };
        let mut rng = Rng::new(1, 0);
        near(moments(|| rng.exponential(5.0)), 5.0, 1.0);
        near(moments(|| rng.lognormal(20.0, 0.4)), 20.0, 0.4);
        near(moments(|| rng.uniform_in(2.0, 4.0)), 3.0, 0.1925);
    }

    #[test]
    fn a_seed_gives_its_sequence_and_no_others() {
        let first = |seed, stream| Rng::new(seed, stream).uniform();
        assert_eq!(first(7, 1), first(7, 1));
        assert_ne!(first(7, 1), first(7, 2));
        assert_ne!(first(7, 1), first(8, 1));
    }
}
