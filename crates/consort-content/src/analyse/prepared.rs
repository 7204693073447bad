//! A text made ready once, and each part computed from it.

use std::cell::OnceCell;

use super::index::Index;
use super::names::{self, Run};
use super::quotes::{self, Quote};
use super::{
    Depth, Findings, Found, Limits, NotDone, Options, Part, PartFindings, SummaryStyle, claims,
    entities, fingerprint, indicators, key_phrases, links, readability, rhetoric, sentiment,
    speakers, summary, timeline, topics,
};
use crate::document::{Document, Sentence, Span};
use crate::language::{self, Language};

/// A text with its index, and what several parts need, computed on first use.
pub(crate) struct Prepared<'a> {
    index: Index<'a>,
    /// Names of the languages of passages that were passed over.
    foreign: Vec<String>,
    language: Language,
    depth: Depth,
    limits: Limits,
    summary: SummaryStyle,
    compounds: OnceCell<Vec<f64>>,
    runs: OnceCell<Vec<Run>>,
    quoted: OnceCell<Vec<Span>>,
    quotes: OnceCell<Vec<Quote>>,
}

impl<'a> Prepared<'a> {
    pub(crate) fn new(
        doc: &'a Document,
        sentences: &'a [Sentence],
        options: &Options,
        language: Language,
    ) -> Self {
        let foreign = if language.is_english() {
            language::foreign(doc, &language)
        } else {
            language::Foreign::default()
        };
        Self {
            index: Index::new(doc, sentences, language.is_english(), &foreign.paragraphs),
            foreign: foreign.languages,
            language,
            depth: options.depth,
            limits: options.depth.limits(),
            summary: options.summary,
            compounds: OnceCell::new(),
            runs: OnceCell::new(),
            quoted: OnceCell::new(),
            quotes: OnceCell::new(),
        }
    }

    /// Counts and language.
    pub(crate) fn facts(&self) -> Findings {
        let passed_over = (!self.foreign.is_empty()).then(|| NotDone {
            what: "Passages in other languages".to_owned(),
            why: format!(
                "{} words seem to be in {}; only the part in {} was analysed.",
                self.index.foreign_words(),
                self.foreign.join(", "),
                self.language.name
            ),
            remedy: None,
        });
        Findings {
            language: Some(self.language.clone()),
            not_done: passed_over.into_iter().collect(),
            words: (self.index.words() + self.index.foreign_words()) as u64,
            sentences: self.index.len() as u64,
            synthetic_sentences: self
                .index
                .sentences
                .iter()
                .filter(|sentence| sentence.synthetic)
                .count() as u64,
            ..Findings::default()
        }
    }

    /// One part.
    pub(crate) fn compute(&self, part: Part) -> PartFindings {
        if let Some(gap) = missing_language(part, &self.language) {
            return PartFindings { found: Found::Nothing, not_done: vec![gap] };
        }
        let (index, limits) = (&self.index, &self.limits);
        let mut cut = None;
        let found = match part {
            Part::Summary => Found::Summary(summary::find(index, limits, self.summary)),
            Part::KeyPhrases => Found::KeyPhrases(key_phrases::find(index, limits)),
            Part::Topics => Found::Topics(topics::find(index, limits)),
            Part::Entities => Found::Entities(entities::find(index, self.runs(), limits)),
            Part::Sentiment => Found::Sentiment(sentiment::find(index, self.compounds(), limits)),
            Part::Readability => Found::Readability(readability::find(index)),
            Part::Indicators => Found::Indicators(indicators::find(index)),
            Part::Fingerprint => Found::Fingerprint(fingerprint::find(index)),
            Part::Speakers => Found::Speakers(speakers::find(
                index,
                self.language.is_english().then(|| self.compounds()),
            )),
            Part::Claims => {
                let (found, total) = claims::find(index, limits);
                cut = Some(("Claims of lower rank", found.len(), total));
                Found::Claims(found)
            }
            Part::Rhetoric => {
                let (found, total) = rhetoric::find(index, self.quoted(), limits);
                cut = Some(("Rhetoric cues further down", found.len(), total));
                Found::Rhetoric(found)
            }
            Part::Quotes => {
                let all = self.quotes();
                let kept = limits.quotes.min(all.len());
                cut = Some(("Quotations further down", kept, all.len()));
                Found::Quotes(all[..kept].to_vec())
            }
            Part::Timeline => {
                let (found, total) = timeline::find(index, self.language.is_english(), limits);
                cut = Some(("Dated events later in time", limits.timeline.min(total), total));
                Found::Timeline(found)
            }
            Part::Links => {
                let (found, total) = links::find(index, self.quotes(), limits);
                cut = Some(("Link targets further down", found.targets.len(), total));
                Found::Links(found)
            }
        };
        let not_done = cut.and_then(|(what, kept, total)| self.cut(what, kept, total));
        PartFindings { found, not_done: not_done.into_iter().collect() }
    }

    /// Says that a list was cut, when it was.
    fn cut(&self, what: &str, kept: usize, total: usize) -> Option<NotDone> {
        let deeper = (self.depth != Depth::Deep).then(|| "Depth `deep` lists more.".to_owned());
        (kept < total).then(|| NotDone {
            what: what.to_owned(),
            why: format!("Depth `{}` lists {kept} of {total}.", self.depth),
            remedy: deeper,
        })
    }

    fn compounds(&self) -> &[f64] {
        self.compounds.get_or_init(|| sentiment::compounds(&self.index))
    }

    fn runs(&self) -> &[Run] {
        let english = self.language.is_english();
        self.runs.get_or_init(|| if english { names::find(&self.index) } else { Vec::new() })
    }

    fn quoted(&self) -> &[Span] {
        self.quoted.get_or_init(|| quotes::quoted_spans(&self.index))
    }

    /// Every quotation, uncut.
    fn quotes(&self) -> &[Quote] {
        self.quotes.get_or_init(|| quotes::find(&self.index, self.runs(), self.quoted()))
    }
}

/// Why `part` cannot be computed in this language, if it cannot.
fn missing_language(part: Part, language: &Language) -> Option<NotDone> {
    let what = match part {
        Part::Summary
        | Part::Speakers
        | Part::Quotes
        | Part::Links
        | Part::Fingerprint
        | Part::Timeline => return None,
        Part::KeyPhrases => "Key phrases",
        Part::Topics => "Topics",
        Part::Entities => "Entities",
        Part::Sentiment => "Sentiment",
        Part::Readability => "Readability",
        Part::Claims => "Claims",
        Part::Rhetoric => "Rhetoric",
        Part::Indicators => "Word rates",
    };
    if language.is_english() {
        return None;
    }
    let why = if language.confidence < 0.5 {
        "The rules and word lists needed are English, and the language of this text is not certain."
            .to_owned()
    } else {
        format!("The rules and word lists needed are English; this text is in {}.", language.name)
    };
    Some(NotDone { what: what.to_owned(), why, remedy: None })
}
