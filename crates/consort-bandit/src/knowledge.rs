//! What a policy knows: one linear model, or the portfolio of the default.

use crate::arms::ArmSet;
use crate::auto::Auto;
use crate::codec::{Reader, Writer};
use crate::error::{CannotMerge, Corrupt};
use crate::explain::Explain;
use crate::linear::Ridge;
use crate::model::{Example, Model, Persist, Scores};

/// A model that is chosen at run time.
///
/// ```
/// use consort_bandit::{Agent, Knowledge, Model, Rule, auto, linear};
///
/// let plain = linear::Ridge::new(linear::Config::new(3, 4))?;
/// let portfolio = auto::Auto::new(auto::Config::new(3, 4))?;
/// for model in [Knowledge::from(plain), Knowledge::from(portfolio)] {
///     let policy = Agent::new(model, Rule::Greedy)?;
///     assert_eq!(policy.model().arms(), 3);
/// }
/// # Ok::<(), consort_bandit::InvalidConfig>(())
/// ```
#[derive(Clone, Debug)]
pub enum Knowledge {
    /// One regression for each arm.
    Linear(Ridge),
    /// Several predictors, weighed by how well they do.
    Automatic(Box<Auto>),
}

impl Knowledge {
    /// Adds what `other` learned.
    ///
    /// # Errors
    ///
    /// [`CannotMerge`] as [`Ridge::merge`]; a portfolio forgets, and so cannot be merged.
    pub fn merge(&mut self, other: &Self) -> Result<(), CannotMerge> {
        match (self, other) {
            (Self::Linear(own), Self::Linear(other)) => own.merge(other),
            (Self::Automatic(_), Self::Automatic(_)) => Err(CannotMerge::Forgets),
            _ => Err(CannotMerge::Different),
        }
    }

    /// Whether both are models of the same kind, shape and settings.
    pub fn is_made_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Linear(own), Self::Linear(other)) => own.config() == other.config(),
            (Self::Automatic(own), Self::Automatic(other)) => {
                (own.arms(), own.dim()) == (other.arms(), other.dim())
            }
            _ => false,
        }
    }

    fn model(&self) -> &dyn Model {
        match self {
            Self::Linear(ridge) => ridge,
            Self::Automatic(auto) => &**auto,
        }
    }
}

impl From<Ridge> for Knowledge {
    fn from(ridge: Ridge) -> Self {
        Self::Linear(ridge)
    }
}

impl From<Auto> for Knowledge {
    fn from(auto: Auto) -> Self {
        Self::Automatic(Box::new(auto))
    }
}

impl Model for Knowledge {
    fn arms(&self) -> usize {
        self.model().arms()
    }

    fn dim(&self) -> usize {
        self.model().dim()
    }

    fn scratch(&self) -> usize {
        self.model().scratch()
    }

    fn seen(&self) -> u64 {
        self.model().seen()
    }

    fn pulls(&self, arm: usize) -> u64 {
        self.model().pulls(arm)
    }

    fn predict(&self, x: &[f64], available: &ArmSet, out: Scores<'_>, scratch: &mut [f64]) {
        self.model().predict(x, available, out, scratch);
    }

    fn predict_means(&self, x: &[f64], available: &ArmSet, out: Scores<'_>, scratch: &mut [f64]) {
        self.model().predict_means(x, available, out, scratch);
    }

    fn learn(&mut self, example: &Example<'_>) {
        match self {
            Self::Linear(ridge) => ridge.learn(example),
            Self::Automatic(auto) => auto.learn(example),
        }
    }
}

impl Explain for Knowledge {
    fn contributions(&self, x: &[f64], arm: usize, out: &mut Vec<f64>) {
        match self {
            Self::Linear(ridge) => ridge.contributions(x, arm, out),
            Self::Automatic(auto) => auto.contributions(x, arm, out),
        }
    }
}

/// States of versions 1 and 2 are those of a [`Ridge`], from before there was a choice.
impl Persist for Knowledge {
    const KIND: u16 = Ridge::KIND;
    const VERSION: u16 = 3;

    fn write(&self, out: &mut Writer) {
        match self {
            Self::Linear(ridge) => {
                out.u8(0);
                out.u16(Ridge::VERSION);
                ridge.write(out);
            }
            Self::Automatic(auto) => {
                out.u8(1);
                out.u16(Auto::VERSION);
                auto.write(out);
            }
        }
    }

    fn read(from: &mut Reader<'_>, version: u16) -> Result<Self, Corrupt> {
        if version < 3 {
            return Ridge::read(from, version).map(Self::Linear);
        }
        let (kind, version) = (from.u8()?, from.u16()?);
        match kind {
            0 if (1..=Ridge::VERSION).contains(&version) => {
                Ridge::read(from, version).map(Self::Linear)
            }
            1 if (1..=Auto::VERSION).contains(&version) => {
                Auto::read(from, version).map(Self::from)
            }
            _ => Err(Corrupt::Value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{from_bytes, to_bytes};
    use crate::rng::uniform;
    use crate::{auto, linear};

    fn taught(mut model: Knowledge) -> Knowledge {
        for t in 0..100 {
            let x = [uniform(1, 0, t), uniform(1, 1, t)];
            model.learn(&Example::new(&x, (t % 2) as usize, x[0], 0.5));
        }
        model
    }

    fn both() -> [Knowledge; 2] {
        let ridge = Ridge::new(linear::Config::new(2, 2)).unwrap();
        let auto = Auto::new(auto::Config::new(2, 2)).unwrap();
        [taught(ridge.into()), taught(auto.into())]
    }

    #[test]
    fn each_kind_is_stored_and_read_as_what_it_is() {
        for model in both() {
            let copy: Knowledge = from_bytes(&to_bytes(&model)).unwrap();
            assert!(copy.is_made_like(&model));
            assert_eq!(to_bytes(&copy), to_bytes(&model));
        }
    }

    #[test]
    fn what_was_stored_before_there_was_a_choice_is_linear() {
        let [Knowledge::Linear(ridge), _] = both() else { panic!("not linear") };
        let read: Knowledge = from_bytes(&to_bytes(&ridge)).unwrap();
        assert_eq!(to_bytes(&read), to_bytes(&Knowledge::from(ridge)));
    }

    #[test]
    fn only_linear_knowledge_can_be_merged() {
        let [mut linear, mut automatic] = both();
        assert!(linear.clone().merge(&linear).is_ok());
        assert_eq!(linear.merge(&automatic), Err(CannotMerge::Different));
        assert_eq!(automatic.clone().merge(&automatic), Err(CannotMerge::Forgets));
        assert_eq!(automatic.merge(&linear), Err(CannotMerge::Different));
        assert!(!linear.is_made_like(&automatic));
    }
}
