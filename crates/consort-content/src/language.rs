//! Which language a text is in, and how sure that is.

mod words;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use whatlang::{Lang, Script as Found};

use crate::document::Document;

/// Text shown to the detector: more adds time and no certainty.
const SAMPLE: usize = 16 * 1024;

/// Below this confidence a name would only mislead.
const LEAST: f64 = 0.15;

/// Fewest letters that allow any statement; a character that stands for a syllable or word counts
/// as three.
const FEWEST: usize = 12;

/// The language of a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Language {
    /// ISO 639-1 code, ISO 639-3 where there is none, `und` when nothing can be said.
    pub code: String,
    /// English name; `undetermined` for `und`.
    pub name: String,
    /// 0 to 1. Below 0.5 treat the language as unknown.
    pub confidence: f64,
    /// The script most letters belong to, in English; empty without letters.
    pub script: String,
    /// True for scripts written from right to left.
    pub rtl: bool,
}

impl Language {
    /// True for English found with a confidence of 0.5 or more.
    #[must_use]
    pub fn is_english(&self) -> bool {
        self.code == "en" && self.confidence >= 0.5
    }

    fn unknown(script: Option<Found>) -> Self {
        Self {
            code: "und".to_owned(),
            name: "undetermined".to_owned(),
            confidence: 0.0,
            script: script.map(|script| script.name().to_owned()).unwrap_or_default(),
            rtl: script.is_some_and(is_rtl),
        }
    }
}

/// Detects the language of `text` from up to 16 KiB of it, taken from start, middle and end.
#[must_use]
pub fn detect(text: &str) -> Language {
    let sample = sample(text);
    let script = whatlang::detect_script(&sample);
    let letters = sample.chars().filter(|c| c.is_alphabetic()).take(FEWEST);
    if letters.map(|c| if c >= '\u{3040}' { 3 } else { 1 }).sum::<usize>() < FEWEST {
        return Language::unknown(script);
    }
    let Some(info) = whatlang::detect(&sample) else { return Language::unknown(script) };
    let by_letters = info.confidence();
    let (lang, confidence) = match words::detect(&sample) {
        Some(found) if found.lang == info.lang() => {
            // Two independent witnesses who agree.
            (found.lang, 1.0 - (1.0 - found.confidence) * (1.0 - by_letters))
        }
        Some(found) if found.confidence >= 0.5 || found.confidence >= by_letters => {
            (found.lang, found.confidence)
        }
        Some(_) => (info.lang(), by_letters / 2.0),
        None => (info.lang(), by_letters),
    };
    if confidence < LEAST {
        return Language::unknown(script);
    }
    Language {
        code: code(lang).to_owned(),
        name: lang.eng_name().to_owned(),
        confidence,
        script: info.script().name().to_owned(),
        rtl: is_rtl(info.script()),
    }
}

/// One language's part of a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Share {
    /// The language.
    pub code: String,
    /// Its part of the text that could be told, 0 to 1.
    pub share: f64,
}

/// Paragraphs looked at by [`mixture`], spread evenly over longer documents.
const LOOKED_AT: usize = 100;

/// Bytes of each of them.
const HEAD: usize = 600;

/// The languages of a document's paragraphs, largest part first.
///
/// Looks at the opening of up to 100 paragraphs of 40 letters or more; those without a sure answer count for
/// none.
#[must_use]
pub fn mixture(document: &Document) -> Vec<Share> {
    let step = document.paragraphs.len().div_ceil(LOOKED_AT).max(1);
    let mut sizes: Vec<(String, usize)> = Vec::new();
    for span in document.paragraphs.iter().step_by(step).filter(|span| span.len() >= 40) {
        let paragraph = span.of(&document.text);
        let found = detect(&paragraph[..paragraph.floor_char_boundary(HEAD.min(paragraph.len()))]);
        if found.confidence < 0.5 {
            continue;
        }
        match sizes.iter_mut().find(|(code, _)| *code == found.code) {
            Some((_, size)) => *size += span.len(),
            None => sizes.push((found.code, span.len())),
        }
    }
    sizes.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let all = sizes.iter().map(|(_, size)| size).sum::<usize>().max(1) as f64;
    sizes.into_iter().map(|(code, size)| Share { code, share: size as f64 / all }).collect()
}

/// Part of a document below which other languages are quotations, not passages.
const PASSAGE: f64 = 0.05;

/// Paragraphs in another language than the document's.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Foreign {
    /// Their numbers, ascending.
    pub(crate) paragraphs: Vec<u32>,
    /// English names of their languages, each once, in text order.
    pub(crate) languages: Vec<String>,
}

/// Which paragraphs of a document in `main` are surely in another language: some, never all, because then whoever
/// said `main` knows better than the detector. Nothing is looked at
/// twice unless [`mixture`] saw more than a trace of one.
pub(crate) fn foreign(document: &Document, main: &Language) -> Foreign {
    let mut found = Foreign::default();
    let shares = mixture(document);
    let others: f64 =
        shares.iter().filter(|share| share.code != main.code).map(|share| share.share).sum();
    if others < PASSAGE {
        return found;
    }
    for (number, span) in document.paragraphs.iter().enumerate() {
        let paragraph = span.of(&document.text);
        let language =
            detect(&paragraph[..paragraph.floor_char_boundary(HEAD.min(paragraph.len()))]);
        if language.code == main.code || language.confidence < 0.8 {
            continue;
        }
        found.paragraphs.push(number as u32);
        if !found.languages.contains(&language.name) {
            found.languages.push(language.name);
        }
    }
    if found.paragraphs.len() == document.paragraphs.len() { Foreign::default() } else { found }
}

const fn is_rtl(script: Found) -> bool {
    matches!(script, Found::Arabic | Found::Hebrew)
}

fn sample(text: &str) -> std::borrow::Cow<'_, str> {
    if text.len() <= SAMPLE {
        return text.into();
    }
    let third = SAMPLE / 3;
    let piece = |from: usize| {
        let start = text.ceil_char_boundary(from);
        &text[start..text.floor_char_boundary(start + third).max(start)]
    };
    [piece(0), piece((text.len() - third) / 2), piece(text.len() - third)].join("\n").into()
}

/// The ISO 639-1 code where there is one.
fn code(lang: Lang) -> &'static str {
    match lang {
        Lang::Eng => "en",
        Lang::Deu => "de",
        Lang::Fra => "fr",
        Lang::Spa => "es",
        Lang::Ita => "it",
        Lang::Por => "pt",
        Lang::Nld => "nl",
        Lang::Pol => "pl",
        Lang::Tur => "tr",
        Lang::Rus => "ru",
        Lang::Ukr => "uk",
        Lang::Ara => "ar",
        Lang::Heb => "he",
        Lang::Pes => "fa",
        Lang::Urd => "ur",
        Lang::Cmn => "zh",
        Lang::Jpn => "ja",
        Lang::Kor => "ko",
        Lang::Hin => "hi",
        Lang::Swe => "sv",
        Lang::Nob => "nb",
        Lang::Dan => "da",
        Lang::Fin => "fi",
        Lang::Ces => "cs",
        Lang::Slk => "sk",
        Lang::Hun => "hu",
        Lang::Ron => "ro",
        Lang::Bul => "bg",
        Lang::Ell => "el",
        Lang::Vie => "vi",
        Lang::Tha => "th",
        Lang::Ind => "id",
        Lang::Cat => "ca",
        Lang::Hrv => "hr",
        Lang::Srp => "sr",
        Lang::Slv => "sl",
        Lang::Lit => "lt",
        Lang::Lav => "lv",
        Lang::Est => "et",
        Lang::Epo => "eo",
        Lang::Lat => "la",
        Lang::Ben => "bn",
        Lang::Tam => "ta",
        Lang::Tel => "te",
        Lang::Mar => "mr",
        Lang::Afr => "af",
        Lang::Amh => "am",
        Lang::Aze => "az",
        Lang::Bel => "be",
        Lang::Guj => "gu",
        Lang::Hye => "hy",
        Lang::Jav => "jv",
        Lang::Kan => "kn",
        Lang::Kat => "ka",
        Lang::Khm => "km",
        Lang::Mal => "ml",
        Lang::Mkd => "mk",
        Lang::Mya => "my",
        Lang::Nep => "ne",
        Lang::Ori => "or",
        Lang::Pan => "pa",
        Lang::Sin => "si",
        Lang::Sna => "sn",
        Lang::Tgl => "tl",
        Lang::Tuk => "tk",
        Lang::Uzb => "uz",
        Lang::Yid => "yi",
        Lang::Zul => "zu",
        Lang::Cym => "cy",
        other @ Lang::Aka => other.code(),
    }
}

#[cfg(test)]
mod tests;
