//! What an input, a setting or a stored state can be refused for.

/// Why an input was refused. Nothing was changed by the call that returned it.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum Refused {
    /// A feature is NaN or infinite.
    #[error("feature {index} is not finite")]
    NotFinite {
        /// Position of the first such feature.
        index: usize,
    },
    /// A feature is larger than [`MAX_FEATURE`](crate::MAX_FEATURE) in size.
    #[error("feature {index} is {value}, beyond the limit of 1e6")]
    TooLarge {
        /// Position of the first such feature.
        index: usize,
        /// Its value.
        value: f64,
    },
    /// The context has another length than the model.
    #[error("{got} features where the model has {expected}")]
    Dimension {
        /// Features the model was made for.
        expected: usize,
        /// Features given.
        got: usize,
    },
    /// No arm of the model is available.
    #[error("no arm is available")]
    NoArm,
    /// An arm index beyond the model's arms.
    #[error("arm {arm} where the model has {arms}")]
    UnknownArm {
        /// The index given.
        arm: usize,
        /// Arms of the model.
        arms: usize,
    },
    /// A reward outside [0, 1], or not a number.
    #[error("reward {value} is outside [0, 1]")]
    Reward {
        /// The value given.
        value: f64,
    },
    /// A propensity outside (0, 1], or not a number.
    #[error("propensity {value} is outside (0, 1]")]
    Propensity {
        /// The value given.
        value: f64,
    },
    /// A weight outside (0, 1], or not a number.
    #[error("weight {value} is outside (0, 1]")]
    Weight {
        /// The value given.
        value: f64,
    },
    /// A cost that is negative, or not a number.
    #[error("cost {value} is negative or not a number")]
    Cost {
        /// The value given.
        value: f64,
    },
    /// A tenant index beyond the model's tenants.
    #[error("tenant {tenant} where the model has {tenants}")]
    UnknownTenant {
        /// The index given.
        tenant: usize,
        /// Tenants of the model.
        tenants: usize,
    },
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` {rule}")]
pub struct InvalidConfig {
    /// Which setting.
    pub key: &'static str,
    /// What it must be.
    pub rule: &'static str,
}

impl InvalidConfig {
    pub(crate) const fn new(key: &'static str, rule: &'static str) -> Self {
        Self { key, rule }
    }
}

/// Why two states cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotMerge {
    /// They differ in arms, dimension or regularisation.
    #[error("the two models differ in shape or settings")]
    Different,
    /// Forgetting or shrinking makes the state depend on the order of updates.
    #[error("a model that forgets or shrinks is not a sum of its examples")]
    Forgets,
}

/// Why stored bytes are not a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Corrupt {
    /// The bytes end before the state does, or go on after it.
    #[error("the state has the wrong length")]
    Length,
    /// The bytes do not begin like one of our states.
    #[error("the bytes are not a bandit state")]
    Magic,
    /// The checksum does not fit the contents.
    #[error("the checksum does not fit")]
    Checksum,
    /// A state of another kind.
    #[error("a state of kind {found} where kind {expected} was asked for")]
    Kind {
        /// Kind asked for.
        expected: u16,
        /// Kind stored.
        found: u16,
    },
    /// Written by a newer build, or by one too old to be read.
    #[error("version {found} of kind {kind} is not readable")]
    Version {
        /// Kind of state.
        kind: u16,
        /// Version stored.
        found: u16,
    },
    /// A value that no state can have.
    #[error("a stored value is out of its range")]
    Value,
}
