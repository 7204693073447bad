//! How a point of choice decides: its policy, its features, and what its candidates need.

use std::collections::BTreeMap;

use consort_bandit::{
    Agent, Auto, Exploration, InvalidConfig, Knowledge, MAX_ARMS, Rule, Ties, auto,
    features::{Fact, Kind, Namespace, Schema, Value as FactValue},
    linear::{self, Ridge},
};
use consort_core::{Budget, Category, Spend, StepError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The policy of every domain.
pub type Policy = Agent<Knowledge>;

/// Namespace of the features that no other namespace claims.
const ANY: &str = "any";

/// Numbers that the matrices of a domain may have: 128 MiB of them.
const MOST_NUMBERS: usize = 1 << 24;

/// What a policy predicts with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Predicts {
    /// One linear regression for each candidate: `consort explain` takes it apart exactly.
    #[default]
    Linear,
    /// Several predictors weighed by how well they do, with their own exploration: nothing to
    /// choose, at half a megabyte or more for each candidate. Cannot be merged with what was learned
    /// elsewhere.
    Automatic,
}

impl Predicts {
    fn is_linear(&self) -> bool {
        *self == Self::Linear
    }
}

/// What a candidate needs before it may be chosen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Needs {
    /// A capability or orchestrator that must be registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callee: Option<String>,
    /// What the run must still be able to spend.
    #[serde(skip_serializing_if = "Spend::is_zero")]
    pub spend: Spend,
}

impl Needs {
    /// Why the candidate cannot be chosen now.
    pub fn unmet(&self, budget: &Budget, registered: &dyn Fn(&str) -> bool) -> Option<String> {
        if let Some(callee) = self.callee.as_deref().filter(|callee| !registered(callee)) {
            return Some(format!("`{callee}` is not registered"));
        }
        let short = self.spend.exceeds(budget)?;
        Some(format!("the budget has too little {} left", short.name()))
    }
}

/// A policy as it is configured: which rule, over which features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Spec {
    /// What predicts: `linear`, the default, or `automatic`, which chooses `rule`, `lambda` and
    /// `keep` itself.
    #[serde(skip_serializing_if = "Predicts::is_linear")]
    pub model: Predicts,
    /// The rule that turns predictions into probabilities, as `{"rule": "squarecb", …}`.
    #[schemars(with = "Value")]
    pub rule: Rule,
    /// Always this candidate, whenever it can be chosen, whatever the rule says. For versions of
    /// one thing that are compared as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed: Option<String>,
    /// Probability of a uniform choice mixed into every decision: what keeps the log fit for
    /// evaluating other policies. Default 0.02.
    pub floor: f64,
    /// Among equally good candidates: `uniform`, or `lowest` for the one named first.
    #[schemars(with = "Value")]
    pub ties: Ties,
    /// Regularisation, above 0. Default 1.
    pub lambda: f64,
    /// Share of the past that an arm keeps at each of its updates, in (0, 1]. Default 1.
    pub keep: f64,
    /// Candidates that the domain can ever know, 1 to 256. Default 16.
    pub arms: usize,
    /// How features become numbers, in order. A feature `page.links` belongs to the namespace
    /// `page`, `kind=html` with value 1 to the category `kind`; what no namespace claims goes to
    /// the hashed namespace `any`, where there is one. Default: `any` with 16 slots.
    #[schemars(with = "Value")]
    pub features: Vec<Namespace>,
    /// What candidates need, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub needs: BTreeMap<String, Needs>,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            model: Predicts::Linear,
            rule: Rule::SquareCb { gamma: 10.0, exponent: 0.5 },
            fixed: None,
            floor: 0.02,
            ties: Ties::Uniform,
            lambda: 1.0,
            keep: 1.0,
            arms: 16,
            features: vec![Namespace::new(ANY, Kind::Hashed { slots: 16 })],
            needs: BTreeMap::new(),
        }
    }
}

impl Spec {
    /// Always `candidate`, and nothing else is ever tried.
    pub fn always(candidate: &str) -> Self {
        Self { fixed: Some(candidate.to_owned()), floor: 0.0, ..Self::default() }
    }

    /// This spec with a portfolio that chooses the rest itself.
    pub fn automatic(self) -> Self {
        let Self { rule, lambda, keep, .. } = Self::default();
        Self { model: Predicts::Automatic, rule, lambda, keep, fixed: None, ..self }
    }

    /// An untaught policy and the schema of its features.
    ///
    /// # Errors
    ///
    /// The first setting out of its range.
    pub fn build(&self) -> Result<(Policy, Schema), InvalidConfig> {
        let schema = Schema::new(self.features.clone())?;
        let (arms, lambda, keep) = (self.arms, self.lambda, self.keep);
        let model = match self.model {
            Predicts::Automatic => Auto::new(auto::Config::new(arms, schema.dim()))?.into(),
            Predicts::Linear => {
                let mut config = linear::Config::new(arms, schema.dim());
                (config.lambda, config.keep) = (lambda, keep);
                Ridge::new(config)?.into()
            }
        };
        Ok((Agent::new(model, self.exploration())?, schema))
    }

    /// How it explores.
    pub fn exploration(&self) -> Exploration {
        let rule = match self.model {
            Predicts::Linear => self.rule,
            Predicts::Automatic => auto::RULE,
        };
        Exploration { rule, floor: self.floor, ties: self.ties }
    }

    /// True when a model made for `other` can go on under this spec.
    pub fn fits(&self, other: &Self) -> bool {
        (self.arms, self.lambda, self.keep) == (other.arms, other.lambda, other.keep)
            && self.model == other.model
            && self.features == other.features
    }

    /// Checks everything that can be wrong.
    ///
    /// # Errors
    ///
    /// `configuration` naming the setting.
    pub fn check(&self, domain: &str) -> Result<(), StepError> {
        let wrong = |why: String| StepError::new(Category::Configuration, why);
        if self.arms > MAX_ARMS {
            return Err(wrong(format!("domain `{domain}`: `arms` must be 1 to {MAX_ARMS}")));
        }
        let error = |error: InvalidConfig| wrong(format!("domain `{domain}`: {error}"));
        let dim = Schema::new(self.features.clone()).map_err(error)?.dim();
        let numbers = match self.model {
            Predicts::Linear => self.arms * dim * dim,
            Predicts::Automatic => auto::Config::new(self.arms, dim).numbers(),
        };
        if numbers > MOST_NUMBERS {
            return Err(wrong(format!(
                "domain `{domain}`: `features` makes {dim} numbers, too many for {} arms: the \
                 model would keep {numbers} numbers, and may keep {MOST_NUMBERS}",
                self.arms
            )));
        }
        let chosen = |spec: &Self| (spec.rule, spec.lambda, spec.keep);
        if !self.model.is_linear() && chosen(self) != chosen(&Self::default()) {
            return Err(wrong(format!(
                "domain `{domain}`: an `automatic` model chooses `rule`, `lambda` and `keep` \
                 itself: leave them out"
            )));
        }
        self.build().map(drop).map_err(error)
    }

    /// Name of the rule, for records.
    pub fn rule_name(&self) -> String {
        if self.fixed.is_some() {
            return "fixed".to_owned();
        }
        if self.model == Predicts::Automatic {
            return "automatic".to_owned();
        }
        let written = serde_json::to_value(self.rule).unwrap_or_default();
        written.get("rule").and_then(Value::as_str).unwrap_or("policy").to_owned()
    }
}

/// The numbers of named features under a schema.
///
/// # Errors
///
/// `invalid_request` naming a feature that the schema does not have, or lacks.
pub fn encode(
    schema: &Schema,
    features: &BTreeMap<String, f64>,
    x: &mut Vec<f64>,
) -> Result<(), StepError> {
    let kind = |name: &str| {
        schema.namespaces().iter().find(|namespace| namespace.name == name).map(|n| &n.kind)
    };
    let mut facts = Vec::with_capacity(features.len());
    for (name, &value) in features {
        if let Some((category, word)) = name.split_once('=')
            && matches!(kind(category), Some(Kind::Category(_)))
        {
            if value != 0.0 {
                facts.push(Fact::text(category, category, word));
            }
            continue;
        }
        let (namespace, local) = match name.split_once('.') {
            Some((namespace, local)) if kind(namespace).is_some() => (namespace, local),
            _ => (ANY, name.as_str()),
        };
        // Without a declared range a large number would drown all others.
        let squashed = value.signum() * value.abs().ln_1p();
        let hashed = matches!(kind(namespace), Some(Kind::Hashed { .. }));
        facts.push(Fact {
            namespace,
            name: local,
            value: FactValue::Number(if hashed && value != 0.0 { squashed } else { value }),
        });
    }
    schema.encode(&facts, x).map(drop).map_err(|error| {
        StepError::new(Category::InvalidRequest, "the features do not fit the domain's schema")
            .violation("/features", error.to_string())
    })
}

#[cfg(test)]
mod tests {
    use consort_bandit::features::Field;

    use super::*;

    fn encoded(spec: &Spec, features: &[(&str, f64)]) -> Result<Vec<f64>, StepError> {
        let (_, schema) = spec.build().unwrap();
        let features = features.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let mut x = Vec::new();
        encode(&schema, &features, &mut x).map(|()| x)
    }

    #[test]
    fn features_land_in_their_namespaces_in_every_process() {
        let features = vec![
            Namespace::new("page", Kind::Numbers(vec![Field::new("links", 0.0, 10.0)])),
            Namespace::new("kind", Kind::Category(vec!["html".into()])),
        ];
        let spec = Spec { features, ..Spec::default() };
        let x = encoded(&spec, &[("page.links", 5.0), ("kind=html", 1.0)]).unwrap();
        assert_eq!(x, [0.5, 1.0, 0.0]);
        let refused = encoded(&spec, &[("page.links", 5.0), ("mood", 1.0)]).unwrap_err();
        assert_eq!(refused.category(), Category::InvalidRequest);
    }

    #[test]
    fn a_portfolio_leaves_nothing_to_choose() {
        let spec = Spec { lambda: 3.0, rule: Rule::Greedy, ..Spec::default() }.automatic();
        assert_eq!(spec.rule_name(), "automatic");
        spec.check("route").unwrap();
        assert_eq!(spec.exploration().rule, auto::RULE);
        assert!(!spec.fits(&Spec::default()));
        let chosen = Spec { keep: 0.9, ..spec.clone() };
        let refused = chosen.check("route").unwrap_err().to_string();
        assert!(refused.contains("`keep`") && refused.contains("route"), "{refused}");
        let wide = vec![Namespace::new(ANY, Kind::Hashed { slots: 512 })];
        assert!(Spec { arms: 256, features: wide, ..spec }.check("route").is_err());
        // Specs from before there was a choice read and are written as they were.
        let old = serde_json::to_string(&Spec::default()).unwrap();
        assert!(!old.contains("model"), "{old}");
    }

    #[test]
    fn the_hash_of_a_feature_never_changes() {
        let x = encoded(&Spec::default(), &[("words", 100.0), ("lang=en", 1.0)]).unwrap();
        let filled: Vec<usize> = (0..16).filter(|&i| x[i] != 0.0).collect();
        assert_eq!(filled, [10, 13], "{x:?}");
        assert!(x.iter().all(|v| v.abs() < 5.0), "{x:?}");
    }
}
