//! What an orchestrator or capability says about itself.

use std::fmt;

use schemars::JsonSchema;
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::Name;

/// Where an orchestrator stands. Calls go down or sideways; news travels up as signals.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// Keeping it all alive.
    Infrastructure,
    /// Coordination between components.
    Application,
    /// What the business wants done.
    Domain,
}

impl Layer {
    /// All layers, highest first.
    pub const ALL: [Self; 3] = [Self::Domain, Self::Application, Self::Infrastructure];

    /// True for a call sideways or down.
    pub fn may_call(self, callee: Self) -> bool {
        callee <= self
    }

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Infrastructure => "infrastructure",
            Self::Application => "application",
            Self::Domain => "domain",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How an orchestrator goes about its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One stage after another.
    Sequential,
    /// Several stages at once.
    Parallel,
    /// Supervisor and workers.
    Hierarchical,
    /// Chooses its way by what it observes.
    Adaptive,
    /// Turns outcomes into learning.
    Feedback,
    /// Watches and reports.
    Monitoring,
    /// Brings components together.
    Coordination,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sequential => "sequential",
            Self::Parallel => "parallel",
            Self::Hierarchical => "hierarchical",
            Self::Adaptive => "adaptive",
            Self::Feedback => "feedback",
            Self::Monitoring => "monitoring",
            Self::Coordination => "coordination",
        })
    }
}

/// Whether a run is journaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Every step is recorded; the run survives the process. It awaits nothing but steps.
    Durable,
    /// Nothing is recorded; the run awaits what it likes and ends with its caller.
    Ephemeral,
}

/// Who an orchestrator is. Fixed for the life of its registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Descriptor {
    /// How callers address it. Equal to its request's `CALLEE` unless it is called by name only.
    pub name: Name,
    /// Several versions of a name may live side by side; new runs take the highest.
    #[schemars(with = "String")]
    pub version: Version,
    /// Where it stands.
    pub layer: Layer,
    /// How it works.
    pub kind: Kind,
    /// Whether its runs are journaled.
    pub durability: Durability,
    /// What it is for, in one line.
    pub purpose: String,
}

/// What a capability does to the world, which decides whether it may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing: the same request gives the same response. Repeated freely.
    Pure,
    /// Looks but does not touch. Repeated freely.
    Read,
    /// Changes something, but the idempotency key makes a repeat harmless.
    Idempotent,
    /// Must not be repeated: after a crash in flight its outcome is uncertain.
    Once,
}

impl Effect {
    /// True when a second attempt does no harm.
    pub const fn repeatable(self) -> bool {
        !matches!(self, Self::Once)
    }

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pure => "pure",
            Self::Read => "read",
            Self::Idempotent => "idempotent",
            Self::Once => "once",
        }
    }
}

/// Who a capability is. Fixed for the life of its registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CapabilityDescriptor {
    /// How steps address it.
    pub name: Name,
    /// Of its request, response and behaviour.
    #[schemars(with = "String")]
    pub version: Version,
    /// What it does to the world.
    pub effect: Effect,
    /// `pure` work under a millisecond may be computed again at replay instead of recorded.
    pub recompute: bool,
    /// What it is for, in one line.
    pub purpose: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_go_down_or_sideways() {
        use Layer::*;
        for (from, to, allowed) in [
            (Domain, Domain, true),
            (Domain, Application, true),
            (Domain, Infrastructure, true),
            (Application, Domain, false),
            (Application, Infrastructure, true),
            (Infrastructure, Application, false),
            (Infrastructure, Domain, false),
            (Infrastructure, Infrastructure, true),
        ] {
            assert_eq!(from.may_call(to), allowed, "{from} -> {to}");
        }
    }
}
