//! Counter-based random numbers that any language reproduces bit for bit.
//!
//! A number is a function of `(seed, stream, index)`, so there is no generator state to store,
//! a decision can be drawn again from its record, and two threads never share a sequence.
//! Only wrapping integer arithmetic and `+ - * /` on `f64` are used. The contract:
//!
//! ```text
//! mix(z): z = (z ^ z>>30) * 0xBF58476D1CE4E5B9; z = (z ^ z>>27) * 0x94D049BB133111EB; z ^ z>>31
//! u(seed, stream, i) = (mix(mix(seed + G*(stream+1)) + G*(i+1)) >> 11) * 2^-53
//! n(seed, stream, i) = (u(12i) + u(12i+1) + ... + u(12i+11)) - 6        G = 0x9E3779B97F4A7C15
//! ```

const G: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finaliser of SplitMix64: a bijection that spreads every bit.
#[inline]
pub const fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// 64 random bits.
#[inline]
pub const fn bits(seed: u64, stream: u64, index: u64) -> u64 {
    let base = mix(seed.wrapping_add(G.wrapping_mul(stream.wrapping_add(1))));
    mix(base.wrapping_add(G.wrapping_mul(index.wrapping_add(1))))
}

/// A uniform number in [0, 1).
#[inline]
pub fn uniform(seed: u64, stream: u64, index: u64) -> f64 {
    (bits(seed, stream, index) >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
}

/// A number of mean 0 and variance 1 in [-6, 6]: twelve uniforms summed in order, minus six.
#[inline]
pub fn normal(seed: u64, stream: u64, index: u64) -> f64 {
    let first = index.wrapping_mul(12);
    let mut sum = uniform(seed, stream, first);
    for step in 1..12 {
        sum += uniform(seed, stream, first.wrapping_add(step));
    }
    sum - 6.0
}

/// The order of `0..n` under shuffle `number`: Fisher-Yates from the end, drawing from seed
/// `9000 + number`, stream 0.
pub fn shuffle(n: usize, number: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        let u = uniform(9000 + number, 0, i as u64);
        order.swap(i, (u * (i + 1) as f64) as usize);
    }
    order
}

/// Where one decision takes its random number from. Stored with the decision, it gives the
/// same choice again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Draw {
    /// Seed of the learner.
    pub seed: u64,
    /// Number of the decision; each is used once.
    pub counter: u64,
}

impl Draw {
    /// Stream of choices among arms; other streams are free for other uses of the same seed.
    const CHOICE: u64 = 0x00c0_115e;

    /// The uniform number of this draw.
    #[inline]
    pub fn uniform(self) -> f64 {
        uniform(self.seed, Self::CHOICE, self.counter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniforms_and_normals_keep_their_published_bits() {
        // Printed by the reference generator for seed 1, stream 0, indexes 0 to 2.
        let u = [0.36818951565166946, 0.9435642308648544, 0.04525699773739167];
        let n = [-0.03542272628334686, 0.7220569459346846, -0.6733377717488862];
        for i in 0..3_u64 {
            assert_eq!(uniform(1, 0, i).to_bits(), f64::to_bits(u[i as usize]));
            assert_eq!(normal(1, 0, i).to_bits(), f64::to_bits(n[i as usize]));
        }
    }

    #[test]
    fn shuffle_zero_of_the_digits_set_is_the_published_one() {
        assert_eq!(shuffle(1797, 0)[..8], [348, 0, 1593, 699, 197, 965, 1779, 194]);
    }

    #[test]
    fn shuffles_are_permutations_and_differ() {
        let a = shuffle(100, 0);
        let mut sorted = a.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_ne!(a, shuffle(100, 1));
        assert!(shuffle(0, 3).is_empty());
    }

    #[test]
    fn a_draw_repeats_itself_only() {
        let draw = Draw { seed: 7, counter: 3 };
        assert_eq!(draw.uniform().to_bits(), draw.uniform().to_bits());
        assert_ne!(draw.uniform(), Draw { counter: 4, ..draw }.uniform());
    }
}
