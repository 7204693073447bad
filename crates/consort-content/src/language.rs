//! Which language a text is in, and how sure that is.

mod words;

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use whatlang::{Lang, Script as Found};

/// Text shown to the detector: more adds time and no certainty.
const SAMPLE: usize = 32 * 1024;

/// Fewest letters that allow any statement.
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

/// Detects the language of `text` from up to 32 KiB of it, taken from start, middle and end.
#[must_use]
pub fn detect(text: &str) -> Language {
    let sample = sample(text);
    let script = whatlang::detect_script(&sample);
    if sample.chars().filter(|c| c.is_alphabetic()).take(FEWEST).count() < FEWEST {
        return Language::unknown(script);
    }
    let Some(info) = whatlang::detect(&sample) else { return Language::unknown(script) };
    let (lang, confidence) = match by_words(&sample) {
        Some((lang, confidence)) if lang == info.lang() => {
            (lang, confidence.max(info.confidence()))
        }
        Some(found) => found,
        None => (info.lang(), info.confidence()),
    };
    Language {
        code: code(lang).to_owned(),
        name: lang.eng_name().to_owned(),
        confidence,
        script: info.script().name().to_owned(),
        rtl: is_rtl(info.script()),
    }
}

/// The language whose function words make up clearly more of the sample than any other's.
///
/// Confidence grows with the words by which it leads: 1 - 0.65^lead.
fn by_words(sample: &str) -> Option<(Lang, f64)> {
    static SETS: LazyLock<Vec<(Lang, HashSet<&str>)>> = LazyLock::new(|| {
        let known = Lang::all().iter().map(|lang| (code(*lang), *lang)).collect::<HashMap<_, _>>();
        let sets = words::COMMON.iter();
        sets.filter_map(|(code, list)| Some((*known.get(code)?, list.split(' ').collect())))
            .collect()
    });
    let mut hits = vec![0_u32; SETS.len()];
    let mut total = 0_u32;
    for word in sample.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()) {
        total += 1;
        let lower = word.to_lowercase();
        for (count, (_, set)) in hits.iter_mut().zip(SETS.iter()) {
            *count += u32::from(set.contains(lower.as_str()));
        }
    }
    let best = (0..hits.len()).max_by_key(|index| hits[*index])?;
    let others = (0..hits.len()).filter(|index| *index != best);
    let lead = hits[best] - others.map(|index| hits[index]).max().unwrap_or(0);
    // Ordinary prose is one third to one half function words.
    let clear = hits[best] * 6 >= total && lead * 20 >= total && lead >= 2;
    clear.then(|| (SETS[best].0, 1.0 - 0.65_f64.powi(i32::try_from(lead).unwrap_or(i32::MAX))))
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
        other => other.code(),
    }
}

#[cfg(test)]
mod tests;
