//! A model for tasks where exactly one arm is right: classification behind a bandit.
//!
//! When one arm out of K is right for each context (which handler owns this request, which of
//! these answers is correct), a reward of 1 for one arm says that all others were wrong, and a 0
//! says that one of the others was right. A softmax over linear scores, learned on exactly that
//! likelihood, uses both; ridge regression per arm throws them away. With rewards that do not
//! exclude each other the model is wrong, so it is best used inside a selection among models.

use pulp::{Arch, Simd, WithSimd};

use crate::arms::ArmSet;
use crate::codec::{Reader, Writer};
use crate::error::{Corrupt, InvalidConfig};
use crate::linear::{Arm, Config, Ridge, Update, from_line, kernel, pad};
use crate::model::{Example, Model, Persist, Scores};

/// Curvature below which an arm other than the chosen one learns nothing worth its time.
const NEGLIGIBLE: f64 = 0.003;
/// Least curvature of an update: keeps the working response finite.
const LEAST: f64 = 1e-3;
/// Largest change of a score in one update.
const STRIDE: f64 = 4.0;
/// Probabilities are kept this far from 0 and 1 when learning.
const MARGIN: f64 = 1e-6;

/// Scores of K arms under a shared softmax, each a Gaussian belief over linear coefficients that
/// an extended Kalman filter moves along the gradient of log p(chosen) or log(1 − p(chosen)).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Softmax {
    arms: Vec<Arm>,
}

/// What a [`Softmax`] believes about one context: score, squared width and probability per arm.
#[derive(Debug)]
pub(crate) struct Beliefs<'a> {
    pub(crate) score: &'a mut [f64],
    pub(crate) square: &'a mut [f64],
    pub(crate) probability: &'a mut [f64],
}

impl<'a> Beliefs<'a> {
    /// Cuts three pieces of `arms` floats off `buffer`.
    pub(crate) fn cut(buffer: &'a mut [f64], arms: usize) -> Self {
        let (score, rest) = buffer.split_at_mut(arms);
        let (square, rest) = rest.split_at_mut(arms);
        Self { score, square, probability: &mut rest[..arms] }
    }
}

struct Judge<'a, 'b> {
    arms: &'a [Arm],
    x: &'a [f64],
    work: &'a mut [f64],
    out: &'a mut Beliefs<'b>,
}

impl WithSimd for Judge<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        for (index, arm) in self.arms.iter().enumerate() {
            (self.out.score[index], self.out.square[index]) = arm.predict(s, self.x, self.work);
        }
    }
}

impl Softmax {
    pub(crate) fn new(arms: usize, n: usize, lambda: f64) -> Self {
        Self { arms: vec![Arm::new(n, lambda); arms] }
    }

    /// Judges the padded context `x`; `work` is as long as `x`.
    pub(crate) fn judge(&self, arch: Arch, x: &[f64], out: &mut Beliefs<'_>, work: &mut [f64]) {
        arch.dispatch(Judge { arms: &self.arms, x, work, out });
        let top = out.score.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut sum = 0.0;
        for (p, score) in out.probability.iter_mut().zip(out.score.iter()) {
            *p = libm::exp(score - top);
            sum += *p;
        }
        out.probability.iter_mut().for_each(|p| *p /= sum);
    }

    /// Learns from `(arm, reward, weight)`, given what was believed just before; with `only`,
    /// nothing but the coefficients of that arm. `buffers` hold two padded vectors and a matrix.
    pub(crate) fn learn(
        &mut self,
        arch: Arch,
        x: &[f64],
        (arm, reward, weight): (usize, f64, f64),
        only: Option<usize>,
        believed: &Beliefs<'_>,
        (vectors, matrix): (&mut [f64], &mut Vec<f64>),
    ) {
        let chosen = believed.probability[arm].clamp(MARGIN, 1.0 - MARGIN);
        let pull = (reward - chosen) / (1.0 - chosen);
        for (index, state) in self.arms.iter_mut().enumerate() {
            let own = if index == arm { 1.0 } else { 0.0 };
            let lean = own - believed.probability[index];
            let curvature = chosen * lean * lean / (1.0 - chosen);
            if index != arm && curvature < NEGLIGIBLE || only.is_some_and(|only| only != index) {
                continue;
            }
            let curvature = curvature.clamp(LEAST, 1.0);
            let square = believed.square[index];
            let mut gradient = pull * lean;
            let stride = (weight * square * gradient / (1.0 + weight * curvature * square)).abs();
            if stride > STRIDE {
                gradient *= STRIDE / stride;
            }
            // Weighted least squares on the working response takes exactly this step. The weight
            // comes last: a curvature times next to nothing is nothing to divide by.
            let reward = believed.score[index] + gradient / curvature;
            let update = Update {
                x,
                dim: x.len(),
                reward,
                weight: weight * curvature,
                keep: 1.0,
                lambda: 1.0,
            };
            state.learn(arch, update, vectors, matrix);
        }
    }

    pub(crate) fn forget(&mut self, arm: usize, lambda: f64) {
        let n = self.arms[arm].theta().len();
        self.arms[arm] = Arm::new(n, lambda);
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        self.arms.iter().for_each(|arm| arm.write(out));
    }

    pub(crate) fn read(from: &mut Reader<'_>, arms: usize, n: usize) -> Result<Self, Corrupt> {
        from.expect(arms * Arm::stored(n))?;
        let arms: Result<_, _> = (0..arms).map(|_| Arm::read(from, n, 2)).collect();
        Ok(Self { arms: arms? })
    }
}

/// Softmax over arms of which exactly one is right. Predicts the probability of being right; the
/// width is that of a ridge regression on the arm's own pulls, so that exploration does not stop
/// where only the model's assumption, and no experience, speaks.
#[derive(Clone, Debug)]
pub struct Exclusive {
    softmax: Softmax,
    pulls: Ridge,
    x: Vec<f64>,
    vectors: Vec<f64>,
    beliefs: Vec<f64>,
    matrix: Vec<f64>,
    arch: Arch,
}

impl Exclusive {
    /// An empty model: every arm equally likely.
    ///
    /// # Errors
    ///
    /// The first setting outside its range; `keep`, `centred` and `sparse` have no meaning here
    /// and must keep their defaults.
    pub fn new(config: Config) -> Result<Self, InvalidConfig> {
        if config.keep != 1.0 || config.centred || config.sparse {
            return Err(InvalidConfig::new(
                "keep",
                "and what changes the prior must keep defaults",
            ));
        }
        let pulls = Ridge::new(config)?;
        let n = kernel::padded(config.used());
        let softmax = Softmax::new(config.arms, n, config.lambda);
        Ok(Self::with(softmax, pulls))
    }

    fn with(softmax: Softmax, pulls: Ridge) -> Self {
        let n = kernel::padded(pulls.config().used());
        let beliefs = vec![0.0; 3 * pulls.arms()];
        let (x, vectors) = (vec![0.0; n], vec![0.0; 2 * n]);
        Self { softmax, pulls, x, vectors, beliefs, matrix: Vec::new(), arch: Arch::new() }
    }
}

impl Model for Exclusive {
    fn arms(&self) -> usize {
        self.pulls.arms()
    }

    fn dim(&self) -> usize {
        self.pulls.dim()
    }

    fn scratch(&self) -> usize {
        self.pulls.scratch() + 3 * self.arms()
    }

    fn seen(&self) -> u64 {
        self.pulls.seen()
    }

    fn pulls(&self, arm: usize) -> u64 {
        self.pulls.pulls(arm)
    }

    fn predict(&self, x: &[f64], available: &ArmSet, out: Scores<'_>, scratch: &mut [f64]) {
        let Scores { mean, width } = out;
        let (beliefs, scratch) = scratch.split_at_mut(3 * self.arms());
        self.pulls.predict(x, available, Scores { mean, width }, scratch);
        let n = self.x.len();
        let (padded, rest) = from_line(scratch).split_at_mut(n);
        pad(x, self.pulls.config().intercept, padded);
        let mut beliefs = Beliefs::cut(beliefs, self.arms());
        self.softmax.judge(self.arch, padded, &mut beliefs, &mut rest[..n]);
        for arm in available {
            mean[arm] = beliefs.probability[arm];
        }
    }

    fn learn(&mut self, example: &Example<'_>) {
        let Self { softmax, pulls, x, vectors, beliefs, matrix, arch } = self;
        pad(example.x, pulls.config().intercept, x);
        let mut beliefs = Beliefs::cut(beliefs, pulls.arms());
        softmax.judge(*arch, x, &mut beliefs, &mut vectors[..x.len()]);
        let outcome = (example.arm, example.reward, example.weight);
        softmax.learn(*arch, x, outcome, None, &beliefs, (vectors, matrix));
        pulls.learn(example);
    }
}

impl Persist for Exclusive {
    const KIND: u16 = 2;
    const VERSION: u16 = 2;

    fn write(&self, out: &mut Writer) {
        self.pulls.write(out);
        self.softmax.write(out);
    }

    fn read(from: &mut Reader<'_>, version: u16) -> Result<Self, Corrupt> {
        let pulls = Ridge::read(from, version)?;
        let n = kernel::padded(pulls.config().used());
        let softmax = Softmax::read(from, pulls.arms(), n)?;
        Ok(Self::with(softmax, pulls))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{from_bytes, to_bytes};
    use crate::rng::{normal, uniform};

    const ARMS: usize = 4;

    fn context(t: u64) -> [f64; 3] {
        std::array::from_fn(|i| normal(1, 0, 3 * t + i as u64))
    }

    fn right(x: &[f64]) -> usize {
        usize::from(x[0] > 0.0) + 2 * usize::from(x[1] + 0.3 * x[2] > 0.0)
    }

    fn learn(model: &mut impl Model, t: u64) {
        let x = context(t);
        let arm = (uniform(1, 1, t) * ARMS as f64) as usize;
        let reward = if arm == right(&x) { 1.0 } else { 0.0 };
        model.learn(&Example::new(&x, arm, reward, 0.25));
    }

    fn errors(model: &impl Model) -> usize {
        let (mut mean, mut width) = ([0.0; ARMS], [0.0; ARMS]);
        let mut scratch = vec![0.0; model.scratch()];
        (0..500)
            .filter(|t| {
                let x = context(100_000 + t);
                let scores = Scores { mean: &mut mean, width: &mut width };
                model.predict(&x, &ArmSet::all(ARMS), scores, &mut scratch);
                let best = (0..ARMS).max_by(|&a, &b| mean[a].total_cmp(&mean[b]));
                best != Some(right(&x))
            })
            .count()
    }

    #[test]
    fn exclusion_teaches_more_than_pulls_alone() {
        let (mut exclusively, mut alone) = (0, 0);
        for stream in 0..10 {
            let mut exclusive = Exclusive::new(Config::new(ARMS, 3)).unwrap();
            let mut ridge = Ridge::new(Config::new(ARMS, 3)).unwrap();
            let examples = stream * 1_000..stream * 1_000 + 60;
            examples.clone().for_each(|t| learn(&mut exclusive, t));
            examples.for_each(|t| learn(&mut ridge, t));
            exclusively += errors(&exclusive);
            alone += errors(&ridge);
        }
        assert!(10 * exclusively < 9 * alone, "{exclusively} {alone}");
    }

    #[test]
    fn probabilities_sum_to_one_even_after_contradictions() {
        let mut model = Exclusive::new(Config::new(ARMS, 3)).unwrap();
        for t in 0..2_000 {
            let reward = if t % 2 == 0 { 1.0 } else { 0.0 };
            let x = [1e3, -1e3, if t % 3 == 0 { 1e6 } else { 0.0 }];
            model.learn(&Example::new(&x, (t % 4) as usize, reward, 1.0));
        }
        let (mut mean, mut width) = ([0.0; ARMS], [0.0; ARMS]);
        let scores = Scores { mean: &mut mean, width: &mut width };
        model.predict(
            &[1e3, 0.0, 1e6],
            &ArmSet::all(ARMS),
            scores,
            &mut vec![0.0; model.scratch()],
        );
        assert!((mean.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{mean:?}");
        assert!(width.iter().all(|w| w.is_finite()));
    }

    #[test]
    fn a_stored_model_goes_on_bit_for_bit() {
        let mut model = Exclusive::new(Config::new(ARMS, 3)).unwrap();
        (0..200).for_each(|t| learn(&mut model, t));
        let mut copy: Exclusive = from_bytes(&to_bytes(&model)).unwrap();
        (200..400).for_each(|t| learn(&mut model, t));
        (200..400).for_each(|t| learn(&mut copy, t));
        assert_eq!(to_bytes(&model), to_bytes(&copy));
    }
}
