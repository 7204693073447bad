//! Verdicts on claims, from evidence only.
//!
//! A caller collects [`Evidence`] (read by [`evidence`], or taken from earlier reports) and [`verify`] decides. A verdict needs a source, a quotation, a date and a stance; evidence that lacks one, or that speaks
//! of something else, is listed as related and decides nothing. Without evidence the answer is "not checked", with the
//! reason. Wording and tone of a claim are never looked at.

mod matching;
mod parse;

use std::{collections::HashSet, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use parse::{Unreadable, evidence};

use super::claims::Claim;

/// One piece of evidence, as some source gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Who publishes it: a fact-checker, a newspaper, an earlier report.
    pub source: String,
    /// Where it can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The statement that it is about, in the source's words.
    pub about: String,
    /// What the source says, word for word.
    pub quote: String,
    /// The source's stance towards `about`.
    pub stance: Stance,
    /// The source's own rating, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<String>,
    /// When it was published, as the source writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
    /// When it was fetched (RFC 3339), as told by the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retrieved: Option<String>,
    /// How it came here: the file or address that was asked, or the earlier report that had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
}

/// What a source holds of a statement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stance {
    /// Says that it is right.
    Supports,
    /// Says that it is wrong.
    Refutes,
    /// Says that it is partly right, or right but misleading.
    Mixed,
    /// Does not say, or says it in words that no rule knows.
    #[default]
    Unclear,
}

/// What the evidence makes of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All counted evidence supports it.
    Supported,
    /// All counted evidence refutes it.
    Refuted,
    /// The counted evidence calls it partly right or misleading.
    Mixed,
    /// Counted evidence contradicts itself.
    Disputed,
    /// Nothing was decided.
    NotChecked,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Supported => "supported",
            Self::Refuted => "refuted",
            Self::Mixed => "partly right or misleading",
            Self::Disputed => "disputed",
            Self::NotChecked => "not checked",
        })
    }
}

/// The outcome for one claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verification {
    /// Id of the claim in its report.
    pub claim: String,
    /// What the evidence makes of it.
    pub verdict: Verdict,
    /// Why, in one sentence.
    pub reason: String,
    /// The evidence looked at, that which counted first.
    pub evidence: Vec<Weighed>,
}

/// Evidence, and whether it counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Weighed {
    /// The evidence.
    #[serde(flatten)]
    pub evidence: Evidence,
    /// Likeness of what it is about to the claim, 0 to 1.
    pub likeness: f64,
    /// True when it took part in the verdict.
    pub counted: bool,
    /// Why it did not, where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<String>,
}

/// Related evidence listed per claim.
const MAX_RELATED: usize = 5;

/// How many sources were asked for evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Asked {
    /// Sources that there are.
    pub sources: usize,
    /// Those that answered in a form that can be read.
    pub answered: usize,
}

impl Asked {
    /// Why nothing could be decided for want of an answer; none when there was one.
    #[must_use]
    pub fn silence(self) -> Option<&'static str> {
        match self {
            Self { sources: 0, .. } => Some("No evidence source was asked."),
            Self { answered: 0, .. } => Some("No evidence source gave an answer."),
            Self { .. } => None,
        }
    }
}

/// Decides on each of `claims` from `evidence`; the same piece given twice counts once.
#[must_use]
pub fn verify<'c>(
    claims: impl IntoIterator<Item = &'c Claim>,
    evidence: &[Evidence],
    asked: Asked,
) -> Vec<Verification> {
    let mut seen = HashSet::new();
    let pieces: Vec<(matching::Statement, &Evidence)> = evidence
        .iter()
        .filter(|piece| seen.insert((&piece.source, &piece.about, &piece.quote, piece.stance)))
        .map(|piece| (matching::Statement::new(&piece.about), piece))
        .collect();
    claims.into_iter().map(|claim| one(claim, &pieces, asked)).collect()
}

fn one(claim: &Claim, pieces: &[(matching::Statement, &Evidence)], asked: Asked) -> Verification {
    let statement = matching::Statement::new(&claim.text);
    let mut weighed: Vec<Weighed> =
        pieces.iter().filter_map(|(about, piece)| weigh(&statement, about, piece)).collect();
    weighed.sort_by(|a, b| b.counted.cmp(&a.counted).then(b.likeness.total_cmp(&a.likeness)));
    let counted: Vec<Stance> =
        weighed.iter().filter(|piece| piece.counted).map(|piece| piece.evidence.stance).collect();
    let (verdict, reason) = decide(&counted, &weighed, asked);
    weighed.truncate(counted.len() + MAX_RELATED);
    Verification { claim: claim.id.clone(), verdict, reason, evidence: weighed }
}

fn decide(counted: &[Stance], weighed: &[Weighed], asked: Asked) -> (Verdict, String) {
    let has = |stance: Stance| counted.contains(&stance);
    let pieces = match counted.len() {
        1 => "one piece of evidence".to_owned(),
        count => format!("{count} pieces of evidence"),
    };
    match (has(Stance::Supports), has(Stance::Refutes), has(Stance::Mixed)) {
        (true, true, _) => {
            (Verdict::Disputed, format!("Among {pieces}, some support it and some refute it."))
        }
        (true, false, false) => (Verdict::Supported, format!("Supported by {pieces}.")),
        (false, true, false) => (Verdict::Refuted, format!("Refuted by {pieces}.")),
        (_, _, true) => (Verdict::Mixed, format!("Called partly right or misleading by {pieces}.")),
        (false, false, false) => (Verdict::NotChecked, not_checked(weighed, asked)),
    }
}

fn not_checked(weighed: &[Weighed], asked: Asked) -> String {
    match (asked.silence(), weighed.first().and_then(|nearest| nearest.set_aside.as_ref())) {
        (Some(silence), _) => silence.to_owned(),
        (None, None) => "The sources that were asked have nothing on it.".to_owned(),
        (None, Some(why)) => format!("The nearest evidence decides nothing: {why}."),
    }
}

/// Weighs one piece; nothing when it has no relation to the claim.
fn weigh(
    claim: &matching::Statement,
    about: &matching::Statement,
    piece: &Evidence,
) -> Option<Weighed> {
    let likeness = claim.likeness(about)?;
    let missing = |text: &str| text.trim().is_empty();
    let set_aside = claim.difference(about).or_else(|| {
        if missing(&piece.source) {
            Some("it names no source".to_owned())
        } else if missing(&piece.quote) {
            Some("it quotes nothing".to_owned())
        } else if piece.published.as_deref().is_none_or(missing) {
            Some("it has no date".to_owned())
        } else if piece.stance == Stance::Unclear {
            Some("its stance is not clear".to_owned())
        } else {
            None
        }
    });
    Some(Weighed { evidence: piece.clone(), likeness, counted: set_aside.is_none(), set_aside })
}

/// What to ask a search endpoint about `claim`: its telling words and names, at most 200 characters.
#[must_use]
pub fn query(claim: &Claim) -> String {
    matching::query(&claim.text)
}

#[cfg(test)]
mod tests;
