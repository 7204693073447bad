//! Is a document worth analysing? Named checks over measured values, decided by data.

mod expression;
mod measure;
mod phrases;
mod repetition;
mod words;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::document::Document;

pub use expression::{Expression, InvalidExpression, Operator};
pub use measure::{Measures, Metric, measure};

/// The checks of a gate, in the order they are made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateRules {
    /// Version of this rule set, recorded in every report.
    pub version: String,
    /// The checks. All of them are made, whatever the first ones say.
    pub checks: Vec<Check>,
}

/// One check of a gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// What the check is about, such as `length`.
    pub name: String,
    /// What must hold for the document to pass.
    pub pass: Expression,
    /// What follows when it does not.
    pub otherwise: Consequence,
    /// Said to the reader when it does not, in one plain sentence.
    pub because: String,
}

/// What follows from a failed check.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Consequence {
    /// The report mentions it; the outcome stays what it was.
    Note,
    /// Analysis goes on; the outcome is `degraded`.
    Degrade,
    /// Nothing is analysed; the outcome is `skipped`.
    Skip,
}

/// What a gate found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateReport {
    /// Version of the rules that judged.
    pub rules: String,
    /// Every check with its value and limit, in rule order.
    pub checks: Vec<Checked>,
    /// Everything that was measured.
    pub measures: Measures,
}

/// The outcome of one check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Checked {
    /// The check's name.
    pub name: String,
    /// The measure that decided.
    pub metric: Metric,
    /// Its value.
    pub value: f64,
    /// How value and limit were compared.
    pub operator: Operator,
    /// The limit it was compared with.
    pub limit: f64,
    /// What followed; none when the check passed.
    pub verdict: Option<Consequence>,
    /// The sentence for the reader; empty when the check passed.
    pub because: String,
}

impl GateRules {
    /// The rules that ship with this crate.
    ///
    /// They are compiled in, so they are the same from whichever directory a process was started.
    ///
    /// # Errors
    ///
    /// Never for the rules as shipped; a test reads them.
    pub fn shipped() -> Result<Self, serde_json::Error> {
        serde_json::from_str(include_str!("gate/rules.json"))
    }
}

impl GateReport {
    /// The gravest consequence; none when every check passed.
    #[must_use]
    pub fn verdict(&self) -> Option<Consequence> {
        self.checks.iter().filter_map(|check| check.verdict).max()
    }

    /// The first check with the gravest consequence, to be named as the reason.
    #[must_use]
    pub fn reason(&self) -> Option<&Checked> {
        let verdict = self.verdict()?;
        self.checks.iter().find(|check| check.verdict == Some(verdict))
    }
}

/// Measures `document` and makes every check of `rules`.
#[must_use]
pub fn gate(document: &Document, rules: &GateRules) -> GateReport {
    let measures = measure(document);
    let checks = rules.checks.iter().map(|check| {
        let decided = check.pass.decide(&measures);
        Checked {
            name: check.name.clone(),
            metric: decided.metric,
            value: decided.value,
            operator: decided.operator,
            limit: decided.limit,
            verdict: (!decided.holds).then_some(check.otherwise),
            because: if decided.holds { String::new() } else { check.because.clone() },
        }
    });
    GateReport { rules: rules.version.clone(), checks: checks.collect(), measures }
}

#[cfg(test)]
mod tests;
