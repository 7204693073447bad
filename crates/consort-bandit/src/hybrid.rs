//! Hybrid LinUCB's model: arms that share what they have in common.

use serde::{Deserialize, Serialize};

use crate::arms::{ArmSet, MAX_ARMS};
use crate::blocks::Blocks;
use crate::codec::{Reader, Writer};
use crate::error::{Corrupt, InvalidConfig};
use crate::model::{Example, MAX_DIM, Model, Persist, Scores};

/// Shape and prior of a [`Hybrid`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HybridConfig {
    /// What is known about each arm beforehand, such as price and size class: as many numbers for
    /// each, at least 1. Arms with equal numbers share everything but their own deviations.
    pub arms: Vec<Vec<f64>>,
    /// Number of features of a context.
    pub dim: usize,
    /// Regularisation of what arms share, > 0.
    pub shared_lambda: f64,
    /// Regularisation of what is an arm's own, > 0; large means arms differ little.
    pub own_lambda: f64,
}

/// reward = (f_a ⊗ x)·β + x·θ_a, with x extended by a constant: effects of the context that go
/// with an arm's properties are learned from all arms, the rest from its own pulls (Li, Chu,
/// Langford, Schapire 2010). A new arm with known properties starts with what the others taught.
#[derive(Clone, Debug)]
pub struct Hybrid {
    config: HybridConfig,
    blocks: Blocks,
    pulls: Vec<u64>,
    buffer: Vec<f64>,
}

impl Hybrid {
    /// An empty model.
    ///
    /// # Errors
    ///
    /// The first setting outside its range.
    pub fn new(config: HybridConfig) -> Result<Self, InvalidConfig> {
        let check = |ok, key, rule| if ok { Ok(()) } else { Err(InvalidConfig::new(key, rule)) };
        let arms = config.arms.len();
        check((1..=MAX_ARMS).contains(&arms), "arms", "must be 1 to 256")?;
        let known = config.arms[0].len();
        let fits = |arm: &Vec<f64>| arm.len() == known && arm.iter().all(|v| v.is_finite());
        check(known > 0 && config.arms.iter().all(fits), "arms", "must have equally many numbers")?;
        check((1..=MAX_DIM).contains(&config.dim), "dim", "must be 1 to 4096")?;
        let positive = |v: f64| v > 0.0 && v.is_finite();
        check(positive(config.shared_lambda), "shared_lambda", "must be a number > 0")?;
        check(positive(config.own_lambda), "own_lambda", "must be a number > 0")?;
        let (d, lambda) = (config.dim + 1, (config.shared_lambda, config.own_lambda));
        check(known * d <= MAX_DIM, "arms", "times `dim` must be at most 4096")?;
        let blocks = Blocks::new(known * d, d, arms, lambda);
        Ok(Self { blocks, pulls: vec![0; arms], buffer: vec![0.0; known * d + d], config })
    }

    /// Writes z and x of `arm`: its properties times the extended context, and the latter.
    fn expand<'a>(&self, x: &[f64], arm: usize, out: &'a mut [f64]) -> (&'a [f64], &'a [f64]) {
        let d = x.len() + 1;
        let known = &self.config.arms[arm];
        let (z, own) = out.split_at_mut(known.len() * d);
        own[..x.len()].copy_from_slice(x);
        own[x.len()] = 1.0;
        for (z, known) in z.chunks_exact_mut(d).zip(known) {
            z.iter_mut().zip(own.iter()).for_each(|(z, x)| *z = known * x);
        }
        (z, &own[..d])
    }
}

impl Model for Hybrid {
    fn arms(&self) -> usize {
        self.config.arms.len()
    }

    fn dim(&self) -> usize {
        self.config.dim
    }

    fn scratch(&self) -> usize {
        self.buffer.len() + self.blocks.scratch()
    }

    fn seen(&self) -> u64 {
        self.pulls.iter().sum()
    }

    fn pulls(&self, arm: usize) -> u64 {
        self.pulls[arm]
    }

    fn predict(&self, x: &[f64], available: &ArmSet, out: Scores<'_>, scratch: &mut [f64]) {
        let (expanded, scratch) = scratch.split_at_mut(self.buffer.len());
        for arm in available {
            let (z, own) = self.expand(x, arm, expanded);
            let (mean, square) = self.blocks.predict(arm, z, own, scratch);
            out.mean[arm] = mean;
            out.width[arm] = square.max(0.0).sqrt();
        }
    }

    fn learn(&mut self, example: &Example<'_>) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let (z, own) = self.expand(example.x, example.arm, &mut buffer);
        self.blocks.learn(example.arm, z, own, example.reward, example.weight);
        self.pulls[example.arm] += 1;
        self.buffer = buffer;
    }
}

impl Persist for Hybrid {
    const KIND: u16 = 7;
    const VERSION: u16 = 1;

    fn write(&self, out: &mut Writer) {
        out.usize(self.config.arms.len());
        self.config.arms.iter().for_each(|arm| out.floats(arm));
        out.usize(self.config.dim);
        out.f64(self.config.shared_lambda);
        out.f64(self.config.own_lambda);
        self.pulls.iter().for_each(|&pulls| out.u64(pulls));
        self.blocks.write(out);
    }

    fn read(from: &mut Reader<'_>, _version: u16) -> Result<Self, Corrupt> {
        let count = from.below(MAX_ARMS + 1)?;
        let arms: Result<Vec<_>, _> = (0..count).map(|_| from.floats()).collect();
        let config = HybridConfig {
            arms: arms?,
            dim: from.below(MAX_DIM + 1)?,
            shared_lambda: from.finite()?,
            own_lambda: from.finite()?,
        };
        let mut hybrid = Self::new(config).map_err(|_| Corrupt::Value)?;
        for pulls in &mut hybrid.pulls {
            *pulls = from.u64()?;
        }
        let Self { config, blocks, pulls, buffer } = hybrid;
        Ok(Self { config, blocks: blocks.read(from)?, pulls, buffer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{from_bytes, to_bytes};
    use crate::rng::normal;

    fn config() -> HybridConfig {
        let arms = vec![vec![1.0, 0.1], vec![1.0, 0.5], vec![1.0, 0.9]];
        HybridConfig { arms, dim: 2, shared_lambda: 1.0, own_lambda: 1_000.0 }
    }

    fn mean(model: &Hybrid, x: &[f64], arm: usize) -> f64 {
        let (mut mean, mut width) = ([0.0; 3], [0.0; 3]);
        let scores = Scores { mean: &mut mean, width: &mut width };
        model.predict(x, &ArmSet::all(3), scores, &mut vec![0.0; model.scratch()]);
        mean[arm]
    }

    #[test]
    fn a_new_arm_starts_with_what_the_others_taught() {
        // The reward depends on property 2 times the first feature; arm 2 was never pulled.
        let mut model = Hybrid::new(config()).unwrap();
        for t in 0..400 {
            let x = [normal(1, 0, t), normal(1, 1, t)];
            let arm = (t % 2) as usize;
            let reward = (0.5 + 0.2 * [0.1, 0.5][arm] * x[0]).clamp(0.0, 1.0);
            model.learn(&Example::new(&x, arm, reward, 0.5));
        }
        assert_eq!(model.pulls(2), 0);
        assert!(
            (mean(&model, &[2.0, 0.0], 2) - 0.86).abs() < 0.05,
            "{}",
            mean(&model, &[2.0, 0.0], 2)
        );
    }

    #[test]
    fn a_stored_model_predicts_the_same() {
        let mut model = Hybrid::new(config()).unwrap();
        for t in 0..20 {
            let x = [normal(1, 0, t), normal(1, 1, t)];
            model.learn(&Example::new(&x, (t % 2) as usize, 0.3, 0.5));
        }
        let copy: Hybrid = from_bytes(&to_bytes(&model)).unwrap();
        assert_eq!(to_bytes(&copy), to_bytes(&model));
        assert_eq!(mean(&copy, &[0.3, 0.4], 1), mean(&model, &[0.3, 0.4], 1));
    }

    #[test]
    fn settings_that_do_not_fit_are_refused() {
        let good = config();
        for (bad, key) in [
            (HybridConfig { arms: vec![], ..good.clone() }, "arms"),
            (HybridConfig { arms: vec![vec![1.0], vec![]], ..good.clone() }, "arms"),
            (HybridConfig { dim: 0, ..good.clone() }, "dim"),
            (HybridConfig { own_lambda: 0.0, ..good.clone() }, "own_lambda"),
        ] {
            assert_eq!(Hybrid::new(bad).map(|_| ()).map_err(|e| e.key), Err(key));
        }
    }
}
