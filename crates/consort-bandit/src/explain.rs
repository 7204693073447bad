//! Why a policy prefers what it prefers: scores, the part of each feature, the odds of the others.

use crate::agent::{Agent, Policy};
use crate::arms::ArmSet;
use crate::error::Refused;
use crate::linear::Ridge;
use crate::model::{Model, Scores};
use crate::odds::Odds;

/// A model whose predictions are sums over features.
pub trait Explain: Model {
    /// Writes what each feature adds to the predicted reward of `arm`; the last entry is what
    /// no feature accounts for, such as the constant.
    fn contributions(&self, x: &[f64], arm: usize, out: &mut Vec<f64>);
}

/// One decision, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The available arms, most probable first, then by predicted reward.
    pub arms: Vec<ArmExplanation>,
}

/// One arm of an [`Explanation`].
#[derive(Clone, Debug, PartialEq)]
pub struct ArmExplanation {
    /// The arm.
    pub arm: usize,
    /// Its probability of being chosen.
    pub probability: f64,
    /// Its predicted reward.
    pub mean: f64,
    /// Uncertainty of the prediction in units of the reward noise.
    pub width: f64,
    /// Outcomes it was learned from.
    pub pulls: u64,
    /// What each feature adds to the predicted reward, largest effect first; their sum and
    /// `rest` make up `mean`.
    pub parts: Vec<Part>,
    /// What no feature accounts for.
    pub rest: f64,
}

/// What one feature adds to a prediction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// The feature's slot.
    pub slot: usize,
    /// Its value.
    pub value: f64,
    /// What it adds to the predicted reward.
    pub effect: f64,
}

impl<M: Explain> Agent<M> {
    /// Takes apart the decision the policy would make now for `x` among `available`.
    ///
    /// # Errors
    ///
    /// As [`Policy::odds`].
    pub fn explain(&self, x: &[f64], available: &ArmSet) -> Result<Explanation, Refused> {
        let mut odds = Odds::new();
        self.odds(x, available, &mut odds)?;
        // Rules that need no width leave it out.
        let available = *odds.available();
        odds.wide = true;
        let scores = Scores { mean: &mut odds.mean, width: &mut odds.width };
        self.model().predict(x, &available, scores, &mut odds.scratch);
        let mut effects = Vec::new();
        let mut arms: Vec<ArmExplanation> = odds
            .available()
            .iter()
            .map(|arm| {
                self.model().contributions(x, arm, &mut effects);
                let rest = effects.pop().unwrap_or(0.0);
                let parts = x.iter().zip(&effects).enumerate();
                let parts = parts.map(|(slot, (&value, &effect))| Part { slot, value, effect });
                let mut parts: Vec<Part> = parts.filter(|part| part.effect != 0.0).collect();
                parts.sort_by(|a, b| b.effect.abs().total_cmp(&a.effect.abs()));
                ArmExplanation {
                    arm,
                    probability: odds.probabilities()[arm],
                    mean: odds.means()[arm],
                    width: odds.widths()[arm],
                    pulls: self.model().pulls(arm),
                    parts,
                    rest,
                }
            })
            .collect();
        arms.sort_by(|a, b| {
            b.probability.total_cmp(&a.probability).then(b.mean.total_cmp(&a.mean))
        });
        Ok(Explanation { arms })
    }
}

impl Explain for Ridge {
    fn contributions(&self, x: &[f64], arm: usize, out: &mut Vec<f64>) {
        let theta = self.theta(arm);
        out.clear();
        out.extend(x.iter().zip(theta).map(|(x, theta)| x * theta));
        out.push(theta.get(x.len()).copied().unwrap_or(0.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::uniform;
    use crate::{Example, linear::Config, linucb};

    #[test]
    fn effects_add_up_and_the_best_arm_comes_first() {
        let mut policy = linucb(Config::new(3, 4), 0.1).unwrap();
        for t in 0..300_u64 {
            let x: [f64; 4] = std::array::from_fn(|i| uniform(1, 0, 4 * t + i as u64));
            let arm = (t % 3) as usize;
            policy.update(&Example::new(&x, arm, x[arm], 0.3)).unwrap();
        }
        let x = [0.1, 0.9, 0.2, 0.0];
        let explained = policy.explain(&x, &ArmSet::all(3).without(0)).unwrap();
        let arms: Vec<usize> = explained.arms.iter().map(|a| a.arm).collect();
        assert_eq!(arms, [1, 2]);
        for arm in &explained.arms {
            let sum: f64 = arm.parts.iter().map(|p| p.effect).sum();
            assert!((sum + arm.rest - arm.mean).abs() < 1e-12);
            assert!(arm.parts.iter().all(|p| p.slot != 3), "a zero feature explains nothing");
        }
        assert_eq!(explained.arms[0].parts[0].slot, 1);
        assert_eq!((explained.arms[0].probability, explained.arms[0].pulls), (1.0, 100));
    }
}
