//! Marginalised inverse propensity for many arms (Saito and Joachims 2022).

use super::{Diagnostics, Estimate, Log, NoSupport, mean_and_error};
use crate::error::InvalidConfig;

/// Groups of arms through which all of an arm's effect passes, such as provider and size class.
#[derive(Clone, Debug, PartialEq)]
pub struct Grouping {
    groups: usize,
    /// p(group | arm), by arm.
    given: Vec<f64>,
}

impl Grouping {
    /// Every arm belongs to one group: `of[arm]`.
    ///
    /// # Errors
    ///
    /// When there are no arms.
    pub fn new(of: &[usize]) -> Result<Self, InvalidConfig> {
        let groups = of.iter().max().map(|most| most + 1);
        let groups = groups.ok_or(InvalidConfig::new("of", "must name a group for each arm"))?;
        let mut given = vec![0.0; of.len() * groups];
        of.iter().enumerate().for_each(|(arm, group)| given[arm * groups + group] = 1.0);
        Ok(Self { groups, given })
    }

    /// Arms fall into groups at random: `given[arm * groups + group]` is p(group | arm).
    ///
    /// # Errors
    ///
    /// When the rows are not distributions.
    pub fn random(groups: usize, given: Vec<f64>) -> Result<Self, InvalidConfig> {
        let fits = groups > 0 && !given.is_empty() && given.len().is_multiple_of(groups);
        let row = |row: &[f64]| {
            row.iter().all(|p| (0.0..=1.0).contains(p))
                && (row.iter().sum::<f64>() - 1.0).abs() < 1e-9
        };
        if fits && given.chunks(groups).all(row) {
            Ok(Self { groups, given })
        } else {
            Err(InvalidConfig::new("given", "must hold a distribution over groups for each arm"))
        }
    }

    fn arms(&self) -> usize {
        self.given.len() / self.groups
    }
}

/// Estimates with the weight of the observed group instead of that of the arm:
/// w = Σ_a p(e|a)·π(a) / Σ_a p(e|a)·p(a). Unbiased when the group carries all of the effect, and
/// then far less variable. `observed` holds the group seen in each row.
///
/// # Errors
///
/// [`NoSupport`] when the log is empty, lacks the logged probabilities, or does not fit.
pub fn mips(log: &Log, grouping: &Grouping, observed: &[usize]) -> Result<Estimate, NoSupport> {
    if log.is_empty() || observed.len() != log.len() || grouping.arms() != log.arms {
        return Err(NoSupport::Empty);
    }
    if log.logging.is_empty() {
        return Err(NoSupport::NoLogging);
    }
    let mass = |distribution: &[f64], group: usize| -> f64 {
        let given = grouping.given.iter().skip(group).step_by(grouping.groups);
        distribution.iter().zip(given).map(|(p, g)| p * g).sum()
    };
    let weights: Vec<f64> = observed
        .iter()
        .enumerate()
        .map(|(i, &group)| {
            if group >= grouping.groups {
                return f64::NAN;
            }
            mass(log.row(&log.target, i), group) / mass(log.row(&log.logging, i), group)
        })
        .collect();
    if !weights.iter().all(|w| w.is_finite()) {
        return Err(NoSupport::Unsupported { mass: 1.0 });
    }
    let terms: Vec<f64> = weights.iter().zip(&log.reward).map(|(w, r)| w * r).collect();
    let (value, standard_error) = mean_and_error(&terms);
    let lost: f64 = (0..log.len())
        .flat_map(|i| (0..grouping.groups).map(move |group| (i, group)))
        .filter(|&(i, group)| mass(log.row(&log.logging, i), group) <= 0.0)
        .map(|(i, group)| mass(log.row(&log.target, i), group))
        .sum();
    let diagnostics = Diagnostics::of(&weights, Some(lost / log.len() as f64));
    Ok(Estimate { value, standard_error, diagnostics })
}
