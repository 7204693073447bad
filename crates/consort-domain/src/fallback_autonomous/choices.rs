//! What `fallback_autonomous` leaves to learning, and what it tells learning afterwards.
//!
//! Two points of choice. Each one's reward is computed from the text that came out, after the
//! fact; nothing that the reward is made of is among the features, and every reward lies in
//! [0, 1]. The usual way is always a candidate, and named first.

use std::collections::{BTreeMap, HashMap};

use consort_content::{
    analyse::{Summary, SummaryStyle},
    document::{Document, Kind, Method},
    sentence,
};
use consort_core::{Category, Component, Context, Decision, Signal, StepError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// How the text of a web page is chosen. Its candidates, the usual rule first.
pub const EXTRACTION: &str = "extraction_method";
/// What a summary favours. Its candidates are the names of [`SummaryStyle`].
pub const SUMMARY: &str = "summary_style";

const METHODS: [(&str, Option<Method>); 4] = [
    ("usual", None),
    ("readability", Some(Method::Readability)),
    ("landmark", Some(Method::Landmark)),
    ("whole_page", Some(Method::WholePage)),
];

/// Names of the features of [`EXTRACTION`], in the namespace `page`, each from 0 to 1.
pub const PAGE: [&str; 5] = ["size", "link_share", "article", "many_articles", "main"];
/// Names of the features of [`SUMMARY`], in the namespace `text`, each from 0 to 1.
pub const TEXT: [&str; 4] = ["length", "paragraph_length", "heading_share", "spoken"];

/// What a page looks like before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Surveyed {
    /// What the bytes are taken to be.
    pub kind: Kind,
    /// Bytes.
    pub bytes: u64,
    /// `<p>` elements.
    pub paragraphs: u64,
    /// `<a>` elements.
    pub links: u64,
    /// `<article>` elements.
    pub articles: u64,
    /// `<main>` elements.
    pub mains: u64,
}

impl Surveyed {
    /// Counts what the bytes of a page open.
    pub fn of(kind: Kind, bytes: &[u8]) -> Self {
        let (mut paragraphs, mut links, mut articles, mut mains) = (0, 0, 0, 0);
        for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'<') {
            let rest = &bytes[at + 1..bytes.len().min(at + 12)];
            let name = rest.split(|byte| !byte.is_ascii_alphabetic()).next().unwrap_or_default();
            match name.to_ascii_lowercase().as_slice() {
                b"p" => paragraphs += 1,
                b"a" => links += 1,
                b"article" => articles += 1,
                b"main" => mains += 1,
                _ => {}
            }
        }
        Self { kind, bytes: bytes.len() as u64, paragraphs, links, articles, mains }
    }

    fn features(&self) -> [f64; 5] {
        let yes = |it: bool| if it { 1.0 } else { 0.0 };
        [
            log_share(self.bytes, 16 << 20),
            share(self.links, self.links + self.paragraphs),
            yes(self.articles == 1),
            yes(self.articles > 1),
            yes(self.mains > 0),
        ]
    }
}

/// The shape of a text that was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shape {
    /// Words by white space.
    pub words: u64,
    /// Paragraphs.
    pub paragraphs: u64,
    /// Headings.
    pub headings: u64,
    /// Whether somebody speaks: turns or timed cues.
    pub spoken: bool,
}

impl Shape {
    /// Of a document.
    pub fn of(document: &Document) -> Self {
        Self {
            words: document.text.split_whitespace().count() as u64,
            paragraphs: document.paragraphs.len() as u64,
            headings: document.headings.len() as u64,
            spoken: !document.turns.is_empty() || !document.cues.is_empty(),
        }
    }

    fn features(&self) -> [f64; 4] {
        [
            log_share(self.words, 1_000_000),
            log_share(self.words / self.paragraphs.max(1), 1_000),
            share(self.headings, self.headings + self.paragraphs),
            if self.spoken { 1.0 } else { 0.0 },
        ]
    }
}

fn share(part: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { part as f64 / all as f64 }
}

/// Logarithmic share of `of`, at most 1.
fn log_share(value: u64, of: u64) -> f64 {
    ((value as f64).ln_1p() / (of as f64).ln_1p()).min(1.0)
}

/// A decision on how to choose the text of a page; none for sources that are no page.
///
/// # Errors
///
/// Those of [`Context::decide`].
pub fn extraction(
    cx: &Context,
    page: &Surveyed,
) -> Result<Option<(Decision, Option<Method>)>, StepError> {
    if page.kind != Kind::Html {
        return Ok(None);
    }
    let decision = decide(
        cx,
        Component::Tool,
        EXTRACTION,
        METHODS.map(|(name, _)| name),
        "page",
        PAGE,
        page.features(),
    )?;
    let method = METHODS.get(decision.chosen).and_then(|(_, method)| *method);
    Ok(Some((decision, method)))
}

/// A decision on what the summary favours.
///
/// # Errors
///
/// Those of [`Context::decide`].
pub fn summary(cx: &Context, text: &Shape) -> Result<(Decision, SummaryStyle), StepError> {
    let names = [0, 1, 2, 3].map(|at| SummaryStyle::ALL[at].name());
    let decision = decide(cx, Component::Threshold, SUMMARY, names, "text", TEXT, text.features())?;
    let style = SummaryStyle::ALL.get(decision.chosen).copied().unwrap_or_default();
    Ok((decision, style))
}

fn decide<const N: usize, const D: usize>(
    cx: &Context,
    component: Component,
    domain: &str,
    candidates: [&str; N],
    namespace: &str,
    names: [&str; D],
    values: [f64; D],
) -> Result<Decision, StepError> {
    let names = names.map(|name| format!("{namespace}.{name}"));
    let features: Vec<(&str, f64)> =
        names.iter().zip(values).map(|(name, value)| (name.as_str(), value)).collect();
    cx.decide(component, domain, &candidates, &features)
}

/// Sends the reward of a decision upwards; nothing where nothing was measured.
///
/// # Errors
///
/// `journal_mismatch`.
pub fn reward(cx: &Context, decision: &Decision, measured: Option<f64>) -> Result<(), StepError> {
    let Some(value) = measured else { return Ok(()) };
    cx.signal(Signal {
        name: "reward".into(),
        subject: decision.id.clone(),
        value: Some(value.clamp(0.0, 1.0)),
        data: json!({"source": "tool_execution"}),
    })
}

/// Says that what was chosen failed, and why; the category decides whether that is charged.
///
/// # Errors
///
/// `journal_mismatch`.
pub fn failed(cx: &Context, decision: &Decision, category: Category) -> Result<(), StepError> {
    cx.signal(Signal {
        name: "reward".into(),
        subject: decision.id.clone(),
        value: Some(0.0),
        data: json!({"source": "tool_execution", "category": category}),
    })
}

// ===== what is measured =====

/// Words from which a sentence counts as prose: menus and captions have fewer.
const PROSE_WORDS: usize = 6;

/// Visible characters, and how many of them stand in finished sentences of some length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Prose {
    /// Visible characters in finished sentences.
    pub prose: u64,
    /// Visible characters.
    pub all: u64,
}

impl Prose {
    /// Of a document.
    pub fn of(document: &Document) -> Self {
        let visible = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count() as u64;
        let sentences = sentence::sentences(document);
        let finished = |text: &&str| {
            let end =
                text.trim_end_matches(|c: char| !c.is_alphanumeric() && !".!?…。".contains(c));
            end.ends_with(['.', '!', '?', '…', '。'])
                && text.split_whitespace().count() >= PROSE_WORDS
        };
        let prose = sentences.iter().map(|one| one.span.of(&document.text)).filter(finished);
        Self { prose: prose.map(visible).sum(), all: visible(&document.text) }
    }

    /// How well a choice of text did on a page: the harmonic mean of the share of the chosen text
    /// that is prose, and the share of the page's prose that was chosen. Taking more costs the
    /// first, taking less the second. None for a page without prose.
    ///
    /// A measure of form, not of meaning: prose in comments counts like the article's.
    pub fn quality(self, page: Self) -> Option<f64> {
        if page.prose == 0 {
            return None;
        }
        let pure = share(self.prose, self.all);
        let complete = share(self.prose, page.prose).min(1.0);
        Some(if pure + complete == 0.0 { 0.0 } else { 2.0 * pure * complete / (pure + complete) })
    }
}

/// Content words of a summary that are compared, so that longer sentences earn nothing.
const BUDGET: usize = 60;

/// How much of a text its summary keeps: 1 − the Jensen-Shannon divergence (base 2) between the
/// words of the text and the first 60 content words of the summary. The measure that goes best with
/// human judgement without a reference (Louis and Nenkova 2013, "Automatically Assessing Machine
/// Summary Content Without a Gold Standard"). None without a summary.
pub fn fidelity(document: &Document, summary: Option<&Summary>) -> Option<f64> {
    let summary = summary?;
    let chosen = summary.sentences.iter().flat_map(|one| content_words(&one.text)).take(BUDGET);
    let chosen = shares(chosen);
    let text = shares(content_words(&document.text));
    if chosen.is_empty() || text.is_empty() {
        return None;
    }
    let half = |p: f64, q: f64| if p > 0.0 { p * (2.0 * p / (p + q)).log2() } else { 0.0 };
    // In the order of the words, so that the sum has the same bits everywhere.
    let divergence: f64 = text
        .iter()
        .map(|(word, p)| {
            let q = chosen.get(word).copied().unwrap_or(0.0);
            0.5 * (half(*p, q) + half(q, *p))
        })
        .sum();
    let only_chosen = chosen.iter().filter(|(word, _)| !text.contains_key(*word));
    let divergence = divergence + only_chosen.map(|(_, q)| 0.5 * q).sum::<f64>();
    Some((1.0 - divergence).clamp(0.0, 1.0))
}

/// Words of four letters or more: most that carry no content are shorter.
fn content_words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    words.filter(|word| word.chars().count() >= 4).map(str::to_lowercase)
}

fn shares(words: impl Iterator<Item = String>) -> BTreeMap<String, f64> {
    let mut counts: HashMap<String, u64> = HashMap::new();
    words.for_each(|word| *counts.entry(word).or_default() += 1);
    let all: u64 = counts.values().sum();
    counts.into_iter().map(|(word, count)| (word, count as f64 / all as f64)).collect()
}

#[cfg(test)]
mod tests {
    use consort_content::{
        Span,
        analyse::{self, Options, Part},
    };

    use super::*;

    fn document(text: &str) -> Document {
        let paragraphs = text.split("\n\n").scan(0, |at, part| {
            let span = Span::new(*at, *at + part.len());
            *at += part.len() + 2;
            Some(span)
        });
        Document { text: text.into(), paragraphs: paragraphs.collect(), ..Document::default() }
    }

    const STORY: &str = "The bridge over the river opened in 1932 after nine years of work. \
        It carries a hundred thousand vehicles across the river every single day.";

    #[test]
    fn a_survey_counts_what_a_page_opens() {
        let page = b"<main><article><p>One <a href=x>two</a></p><P>three</article></main><pre><a>";
        let seen = Surveyed::of(Kind::Html, page);
        assert_eq!((seen.paragraphs, seen.links, seen.articles, seen.mains), (2, 2, 1, 1));
        assert!(seen.features().iter().all(|value| (0.0..=1.0).contains(value)));
    }

    #[test]
    fn more_than_the_prose_and_less_than_the_prose_both_cost() {
        let menu = "Home News Sport Contact About us Login Search Subscribe Newsletter";
        let whole = Prose::of(&document(&format!("{menu}\n\n{STORY}\n\n{menu}")));
        let story = Prose::of(&document(STORY)).quality(whole).unwrap();
        let half = document(&STORY[..66]);
        assert!(story > 0.99, "{story}");
        assert!(whole.quality(whole).unwrap() < story);
        assert!(Prose::of(&half).quality(whole).unwrap() < story);
        assert_eq!(Prose::of(&document(menu)).quality(whole), Some(0.0));
    }

    #[test]
    fn a_page_without_prose_says_nothing_about_the_choice() {
        assert_eq!(Prose::default().quality(Prose { prose: 0, all: 90 }), None);
    }

    fn summary_of(text: &str, style: SummaryStyle) -> (Document, Option<Summary>) {
        let document = document(text);
        let options = Options { summary: style, ..Options::default() };
        let sentences = sentence::sentences(&document);
        let found = analyse::analyse_parts(&[Part::Summary], &document, &sentences, &options);
        let frame = analyse::facts(&document, &sentences, &options);
        let summary = analyse::merge(&frame, found).summary;
        (document, summary)
    }

    #[test]
    fn a_summary_of_what_the_text_is_about_keeps_more() {
        let (document, summary) = summary_of(STORY, SummaryStyle::Balanced);
        let kept = fidelity(&document, summary.as_ref()).unwrap();
        let mut other = summary.clone().unwrap();
        other.sentences[0].text = "Completely unrelated words about cooking pasta.".into();
        other.sentences.truncate(1);
        let lost = fidelity(&document, Some(&other)).unwrap();
        assert!((0.0..=1.0).contains(&kept) && kept > 0.4 && lost < 0.1, "{kept} {lost}");
        assert_eq!(fidelity(&document, None), None);
    }
}
