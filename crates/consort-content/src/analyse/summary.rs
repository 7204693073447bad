//! Extractive summary: LexRank over TF-IDF vectors, redundancy controlled by maximal marginal
//! relevance (Erkan and Radev 2004; Carbonell and Goldstein 1998).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::index::{Index, Kind, WordId};
use super::lexicon::Class;
use super::limits::Limits;
use super::place::Place;

/// Sentences chosen from the text, in text order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// The chosen sentences, in text order.
    pub sentences: Vec<SummarySentence>,
    /// Sentences that were eligible and compared.
    pub compared: u32,
}

/// One sentence of a summary, word for word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SummarySentence {
    /// Where it stands.
    pub place: Place,
    /// The sentence as it stands in the source.
    pub text: String,
    /// Centrality among the compared sentences, 0 to 1, 1 for the most central.
    pub score: f64,
}

/// Words a sentence needs to be eligible, so that captions and signatures stay out.
const MIN_WORDS: usize = 6;
/// Words beyond which a "sentence" is a list or a table.
const MAX_WORDS: usize = 70;
/// Chance that LexRank's walker follows a similarity instead of jumping anywhere.
const DAMPING: f64 = 0.85;
/// What a summary favours when it chooses sentences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SummaryStyle {
    /// Central sentences, a little more if they come early.
    #[default]
    Balanced,
    /// Early sentences: right for news, whose first lines say it all.
    Lead,
    /// Central sentences wherever they stand.
    Central,
    /// Sentences unlike those already chosen: right for texts with many subjects.
    Varied,
}

impl SummaryStyle {
    /// Every style.
    pub const ALL: &[Self] = &[Self::Balanced, Self::Lead, Self::Central, Self::Varied];

    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Balanced => "balanced",
            Self::Lead => "lead",
            Self::Central => "central",
            Self::Varied => "varied",
        }
    }

    /// Share of relevance against novelty when the next sentence is chosen.
    const fn relevance(self) -> f64 {
        match self {
            Self::Balanced | Self::Lead | Self::Central => 0.7,
            Self::Varied => 0.4,
        }
    }

    /// Share of a sentence's early position in its relevance.
    const fn position(self) -> f64 {
        match self {
            Self::Balanced | Self::Varied => 0.25,
            Self::Lead => 0.7,
            Self::Central => 0.0,
        }
    }
}

/// Cosine from which a sentence says what a chosen one has said.
const SAME: f64 = 0.8;
/// A summary has at most one in this many of a text's sentences.
const SHRINK: usize = 3;

/// A sentence as a unit vector over stems, sorted by stem.
struct Vector {
    id: usize,
    terms: Vec<(WordId, f64)>,
}

/// The summary, or nothing when no sentence is eligible.
pub(crate) fn find(index: &Index<'_>, limits: &Limits, style: SummaryStyle) -> Option<Summary> {
    let vectors = shortlist(index, vectors(index), limits.summary_graph);
    if vectors.is_empty() {
        return None;
    }
    let similar = similarities(&vectors);
    let central = lexrank(&similar);
    let count = index.len() as f64;
    let relevance: Vec<f64> = vectors
        .iter()
        .zip(&central)
        .map(|(vector, central)| {
            let early = 1.0 - (vector.id as f64 / count).sqrt();
            (1.0 - style.position()) * central + style.position() * early
        })
        .collect();
    let most = limits.summary_sentences.min(index.len().div_ceil(SHRINK));
    let mut chosen = choose(&similar, &relevance, most, style.relevance());
    chosen.sort_by_key(|&at| vectors[at].id);
    let sentences = chosen.into_iter().map(|at| {
        let id = vectors[at].id;
        SummarySentence {
            place: index.sentence_place(id),
            text: index.sentences[id].span.of(&index.doc.text).to_owned(),
            score: (central[at] * 1e4).round() / 1e4,
        }
    });
    Some(Summary { sentences: sentences.collect(), compared: vectors.len() as u32 })
}

fn vectors(index: &Index<'_>) -> Vec<Vector> {
    let mut holds = vec![0_u32; index.vocabulary.len()];
    let mut raw: Vec<(usize, Vec<(WordId, f64)>)> = Vec::new();
    for id in 0..index.len() {
        let mut stems: Vec<WordId> = content(index, id).collect();
        stems.sort_unstable();
        let terms: Vec<(WordId, f64)> =
            stems.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as f64)).collect();
        for (stem, _) in &terms {
            holds[*stem as usize] += 1;
        }
        if is_eligible(index, id) && !terms.is_empty() {
            raw.push((id, terms));
        }
    }
    let count = index.len() as f64;
    let weigh = |(id, mut terms): (usize, Vec<(WordId, f64)>)| {
        for (stem, weight) in &mut terms {
            *weight *= 1.0 + (count / f64::from(holds[*stem as usize])).ln();
        }
        let norm = terms.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
        terms.iter_mut().for_each(|(_, weight)| *weight /= norm);
        Vector { id, terms }
    };
    raw.into_iter().map(weigh).collect()
}

fn content<'i>(index: &'i Index<'_>, id: usize) -> impl Iterator<Item = WordId> + 'i {
    let tells = |token: &&super::index::Token| {
        token.is_wordlike() && !index.is(token, Class::STOP) && token.end - token.start > 1
    };
    index.tokens_of(id).iter().filter(tells).map(|token| index.entry(token).stem)
}

/// A finished statement of ordinary length that is neither a heading nor the title.
fn is_eligible(index: &Index<'_>, id: usize) -> bool {
    let span = index.sentences[id].span;
    let words = index.tokens_of(id).iter().filter(|token| token.kind == Kind::Word).count();
    let next = index.doc.headings.partition_point(|heading| heading.span.start < span.end);
    let is_heading =
        index.doc.headings[..next].last().is_some_and(|heading| heading.span.overlaps(span));
    let text = span.of(&index.doc.text);
    // Where nothing tells it from the text, as in a PDF, the title may have run into what follows.
    let titled = index.doc.title.as_deref().is_some_and(|title| {
        !title.is_empty() && text.starts_with(title) && !text.ends_with(['.', '!', '"', '\u{201d}'])
    });
    (MIN_WORDS..=MAX_WORDS).contains(&words)
        && !is_heading
        && !titled
        && !index.is_row(id)
        && !text.ends_with('?')
}

/// Keeps the `limit` sentences nearest to the centroid, so that the graph stays small however
/// long the text is.
fn shortlist(index: &Index<'_>, mut vectors: Vec<Vector>, limit: usize) -> Vec<Vector> {
    if vectors.len() <= limit {
        return vectors;
    }
    let mut centroid = vec![0.0; index.vocabulary.len()];
    for (stem, weight) in vectors.iter().flat_map(|vector| &vector.terms) {
        centroid[*stem as usize] += weight;
    }
    let near = |vector: &Vector| {
        vector.terms.iter().map(|(stem, weight)| weight * centroid[*stem as usize]).sum::<f64>()
    };
    let mut scored: Vec<(f64, usize)> =
        vectors.iter().enumerate().map(|(at, vector)| (near(vector), at)).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut keep = vec![false; vectors.len()];
    scored.iter().take(limit).for_each(|(_, at)| keep[*at] = true);
    let mut at = 0;
    vectors.retain(|_| {
        at += 1;
        keep[at - 1]
    });
    vectors
}

/// Cosine of every pair, row by row.
fn similarities(vectors: &[Vector]) -> Vec<Vec<f64>> {
    let mut table = vec![vec![0.0; vectors.len()]; vectors.len()];
    for a in 0..vectors.len() {
        for b in a + 1..vectors.len() {
            let cosine = dot(&vectors[a].terms, &vectors[b].terms);
            table[a][b] = cosine;
            table[b][a] = cosine;
        }
    }
    table
}

fn dot(a: &[(WordId, f64)], b: &[(WordId, f64)]) -> f64 {
    let (mut i, mut j, mut sum) = (0, 0, 0.0);
    while i < a.len() && j < b.len() {
        match a[i].0.cmp(&b[j].0) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                sum += a[i].1 * b[j].1;
                i += 1;
                j += 1;
            }
        }
    }
    sum
}

/// Stationary share of each sentence, scaled so that the largest is 1.
fn lexrank(similar: &[Vec<f64>]) -> Vec<f64> {
    let count = similar.len();
    let totals: Vec<f64> = similar.iter().map(|row| row.iter().sum()).collect();
    let mut rank = vec![1.0 / count as f64; count];
    for _ in 0..50 {
        let mut next = vec![(1.0 - DAMPING) / count as f64; count];
        let mut stranded = 0.0;
        for (from, row) in similar.iter().enumerate() {
            if totals[from] <= 0.0 {
                stranded += rank[from];
                continue;
            }
            let share = DAMPING * rank[from] / totals[from];
            next.iter_mut().zip(row).for_each(|(to, weight)| *to += share * weight);
        }
        next.iter_mut().for_each(|to| *to += DAMPING * stranded / count as f64);
        let moved: f64 = next.iter().zip(&rank).map(|(a, b)| (a - b).abs()).sum();
        rank = next;
        if moved < 1e-9 {
            break;
        }
    }
    let top = rank.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    rank.iter().map(|share| share / top).collect()
}

/// Picks sentences one by one, each relevant and unlike those already picked.
fn choose(similar: &[Vec<f64>], relevance: &[f64], limit: usize, weight: f64) -> Vec<usize> {
    let mut chosen: Vec<usize> = Vec::new();
    let mut nearest = vec![0.0_f64; relevance.len()];
    while chosen.len() < limit.min(relevance.len()) {
        let gain = |at: usize| weight * relevance[at] - (1.0 - weight) * nearest[at];
        let free = (0..relevance.len()).filter(|&at| !chosen.contains(&at) && nearest[at] < SAME);
        let Some(best) = free.max_by(|a, b| gain(*a).total_cmp(&gain(*b)).then(b.cmp(a))) else {
            break;
        };
        chosen.push(best);
        nearest.iter_mut().zip(&similar[best]).for_each(|(near, cosine)| *near = near.max(*cosine));
    }
    chosen
}

#[cfg(test)]
mod tests;
