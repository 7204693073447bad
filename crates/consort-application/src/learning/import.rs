//! Taking in what was learned elsewhere: what must fit, and what would count twice.

use consort_bandit::{InvalidConfig, Knowledge, Model, Persist, codec};
use consort_core::{Category, StepError};

use super::{
    change::{Change, What},
    domain::Domain,
    spec::{Policy, Spec},
    state::{Key, State},
};

impl State {
    /// What an import would make of its point of choice.
    ///
    /// # Errors
    ///
    /// `invalid_request` naming what does not fit, `conflict` for what was taken in before,
    /// `resource_exhausted` for one point of choice too many.
    pub(super) fn imported(&self, change: &Change) -> Result<(Key, Domain), StepError> {
        let What::Import { tenant, component, model, arms, spec, merge } = &change.what else {
            return Err(StepError::new(Category::Internal, "the change is no import"));
        };
        let key = (tenant.clone(), *component, change.domain.clone());
        let (version, ours) = self.spec(&change.domain);
        let domain = match self.domains.get(&key) {
            Some(domain) => domain.clone(),
            None if self.domains.len() >= self.config.domains => return Err(self.full()),
            None => Domain::new(ours, version, self.limits()).map_err(|error| {
                StepError::new(Category::Configuration, "the domain has no usable policy")
                    .because(&error)
            })?,
        };
        if *merge && self.knows(&key, &fingerprint(model)) {
            let text = "this model was taken in before: it would count twice";
            return Err(StepError::new(Category::Conflict, text)
                .hint("without `merge` it replaces what is known"));
        }
        let theirs = Theirs::read(model)?;
        if let Some(spec) = spec {
            theirs.was_learned_as(spec, domain.spec())?;
        }
        theirs.has_arms(arms, &domain)?;
        let domain = theirs.put_into(domain, arms, *merge, change.version)?;
        Ok((key, domain))
    }

    /// True when what is known at a point of choice holds this model already.
    fn knows(&self, key: &Key, fingerprint: &str) -> bool {
        let imports = self.history().iter().rev().filter(|change| change.is_of(key));
        let imports = imports.filter_map(|change| match &change.what {
            What::Import { model, merge, .. } => Some((model, *merge)),
            _ => None,
        });
        // What replaced everything is the last one that is still in there.
        let mut replaced = false;
        imports
            .take_while(|(_, merge)| !std::mem::replace(&mut replaced, !merge))
            .any(|(model, _)| model == fingerprint)
    }

    pub(super) fn full(&self) -> StepError {
        let message = format!("more than {} points of choice", self.config.domains);
        StepError::new(Category::ResourceExhausted, message).hint("raise `domains` of learning")
    }
}

fn unfit(field: &str, rule: impl Into<String>) -> StepError {
    StepError::new(Category::InvalidRequest, "what was learned elsewhere does not fit here")
        .violation(field, rule)
}

/// Why a policy cannot be put together.
struct Unfit(StepError);

impl From<InvalidConfig> for Unfit {
    fn from(error: InvalidConfig) -> Self {
        Self(unfit("/exported", error.to_string()))
    }
}

/// A model from elsewhere.
struct Theirs(Knowledge);

impl Theirs {
    fn read(model: &str) -> Result<Self, StepError> {
        let bytes =
            unhex(model).ok_or_else(|| unfit("/exported/model", "must be hexadecimal digits"))?;
        let model = codec::from_bytes(&bytes).map_err(|error| {
            unfit("/exported/model", format!("is no model as `export` gives it: {error}"))
        })?;
        Ok(Self(model))
    }

    /// The same numbers must mean the same.
    fn was_learned_as(&self, theirs: &Spec, ours: &Spec) -> Result<(), StepError> {
        let differs = [
            ("model", theirs.model != ours.model),
            ("arms", theirs.arms != ours.arms),
            ("lambda", theirs.lambda != ours.lambda),
            ("keep", theirs.keep != ours.keep),
            ("features", theirs.features != ours.features),
        ];
        match differs.into_iter().find(|(_, differs)| *differs) {
            None => Ok(()),
            Some((setting, _)) => {
                let field = format!("/exported/spec/{setting}");
                Err(unfit(&field, "must be as it is in the domain here")
                    .hint("give the domain the exported spec first, with `switch_policy`"))
            }
        }
    }

    /// Arms are told apart by their index: both must mean the same by it.
    fn has_arms(&self, names: &[String], domain: &Domain) -> Result<(), StepError> {
        let field = "/exported/arms";
        let known: Vec<&str> = domain.arms().iter().map(|arm| arm.name.as_str()).collect();
        if known.iter().zip(names).any(|(ours, theirs)| ours != theirs) {
            let rule = format!("must begin with those known here, in their order: {known:?}");
            return Err(unfit(field, rule));
        }
        let mut seen = std::collections::BTreeSet::new();
        if !names.iter().all(|name| seen.insert(name)) {
            return Err(unfit(field, "no two may be alike"));
        }
        let most = domain.spec().arms;
        if names.len() > most {
            return Err(unfit(field, format!("must be at most {most}, as the domain has it")));
        }
        match (names.len()..self.0.arms()).find(|arm| self.has_learned(*arm)) {
            Some(arm) => {
                Err(unfit(field, format!("must name arm {arm}, of which the model has learned")))
            }
            None => Ok(()),
        }
    }

    fn has_learned(&self, arm: usize) -> bool {
        match &self.0 {
            Knowledge::Automatic(auto) => auto.pulls(arm) > 0,
            Knowledge::Linear(ridge) => {
                // What was learned tells, and not the count beside it.
                let config = ridge.config();
                config.intercept && ridge.gram(arm, config.dim, config.dim) > config.lambda
            }
        }
    }

    fn put_into(
        self,
        domain: Domain,
        arms: &[String],
        merge: bool,
        version: u64,
    ) -> Result<Domain, StepError> {
        let change = |policy: Policy| -> Result<Policy, Unfit> {
            let exploration = policy.exploration();
            let mut model = policy.into_model();
            if merge {
                model.merge(&self.0).map_err(|error| {
                    Unfit(unfit("/merge", error.to_string()).hint("without `merge` it replaces"))
                })?;
            } else if model.is_made_like(&self.0) {
                model = self.0;
            } else {
                let rule = "must have the shape of the domain here";
                return Err(Unfit(unfit("/exported/model", rule)));
            }
            Ok(Policy::new(model, exploration)?)
        };
        let mut domain = domain;
        domain.learner = domain.learner.with_policy(change).map_err(|Unfit(error)| error)?;
        domain.adopt(arms, version).map_err(|error| Unfit::from(error).0)?;
        Ok(domain)
    }
}

/// Tells models apart in a history.
pub(super) fn fingerprint(model: &str) -> String {
    blake3::hash(model.as_bytes()).to_hex()[..32].to_owned()
}

/// The stored form of a state as hexadecimal digits.
pub fn hex<T: Persist>(state: &T) -> String {
    codec::to_bytes(state).iter().fold(String::new(), |mut text, byte| {
        text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(*high)? << 4 | digit(*low)?).ok(),
            _ => None,
        })
        .collect()
}
