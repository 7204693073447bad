//! Betting e-process: evidence against "no better" that may be read at any time.

use serde::{Deserialize, Serialize};

/// Bets 2⁻¹ to 2⁻⁸ run side by side.
const BETS: usize = 8;
/// Capital beyond which counting on changes nothing.
const FORTUNE: f64 = 1e100;

/// Evidence against the claim that differences in [−1, 1] have a mean of at most 0.
///
/// Whoever bets on positive differences cannot, if the claim is true, ever multiply the starting
/// capital by `m` with probability above 1/m (Ville's inequality). The capital here is the mean of
/// eight bettors, each staking a fixed share 2⁻ᵇ, so nothing has to be tuned.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Betting {
    capital: [f64; BETS],
}

impl Default for Betting {
    fn default() -> Self {
        Self { capital: [1.0; BETS] }
    }
}

impl Betting {
    /// Takes the next difference, clamped to [−1, 1]; NaN counts as −1.
    pub fn push(&mut self, difference: f64) {
        let z = if difference.is_nan() { -1.0 } else { difference.clamp(-1.0, 1.0) };
        let mut stake = 0.5;
        for capital in &mut self.capital {
            *capital = (*capital * (1.0 + stake * z)).min(FORTUNE);
            stake *= 0.5;
        }
    }

    /// The capital now, starting at 1: the claim may be rejected at level α once it reaches 1/α.
    pub fn capital(&self) -> f64 {
        self.capital.iter().sum::<f64>() / BETS as f64
    }
}
