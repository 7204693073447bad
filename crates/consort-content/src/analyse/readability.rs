//! How hard a text is to read: six published formulas for English.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::index::{Index, Kind};
use super::syllables::syllables;

/// Six readability scores and the counts they were computed from.
///
/// Scores are not clamped: a list of long words really is below 0 on Flesch's scale.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Readability {
    /// Flesch reading ease (1948): about 0 (very hard) to 100 (very easy).
    pub flesch_reading_ease: f64,
    /// Flesch-Kincaid grade (1975): years of schooling, as for the four after it.
    pub flesch_kincaid_grade: f64,
    /// Gunning fog index (1952).
    pub gunning_fog: f64,
    /// SMOG grade (`McLaughlin`, 1969), made for texts of 30 sentences or more.
    pub smog: f64,
    /// Automated readability index (1967).
    pub automated_readability: f64,
    /// Coleman-Liau index (1975).
    pub coleman_liau: f64,
    /// Middle one of the five grades.
    pub grade: f64,
    /// Sentences counted.
    pub sentences: u32,
    /// Words counted.
    pub words: u32,
    /// Letters and digits counted.
    pub characters: u32,
    /// Syllables counted, by rule.
    pub syllables: u32,
    /// Words of three syllables or more.
    pub long_words: u32,
}

/// The scores, or nothing for a text without a word.
pub(crate) fn find(index: &Index<'_>) -> Option<Readability> {
    let by_word: Vec<u32> = index.vocabulary.iter().map(|entry| syllables(&entry.text)).collect();
    let (mut words, mut characters, mut spoken, mut long) = (0_u32, 0_u32, 0_u32, 0_u32);
    for token in index.tokens.iter().filter(|token| token.is_wordlike()) {
        let count = if token.kind == Kind::Number { 1 } else { by_word[token.word as usize] };
        words += 1;
        spoken += count;
        long += u32::from(count >= 3);
        characters +=
            index.entry(token).text.chars().filter(|c| c.is_alphanumeric()).count() as u32;
    }
    let has_word = |id: &usize| index.tokens_of(*id).iter().any(|token| token.is_wordlike());
    let sentences = (0..index.len()).filter(has_word).count() as u32;
    (words > 0).then(|| score(sentences, words, characters, spoken, long))
}

fn score(
    sentences: u32,
    words: u32,
    characters: u32,
    syllables: u32,
    long_words: u32,
) -> Readability {
    let [s, w, c, y, l] = [sentences, words, characters, syllables, long_words].map(f64::from);
    let (per_sentence, per_word) = (w / s, y / w);
    let flesch_reading_ease = 206.835 - 1.015 * per_sentence - 84.6 * per_word;
    let flesch_kincaid_grade = 0.39 * per_sentence + 11.8 * per_word - 15.59;
    let gunning_fog = 0.4 * (per_sentence + 100.0 * l / w);
    let smog = 1.043 * (l * 30.0 / s).sqrt() + 3.1291;
    let automated_readability = 4.71 * c / w + 0.5 * per_sentence - 21.43;
    let coleman_liau = 5.88 * c / w - 29.6 * s / w - 15.8;
    let mut grades = [flesch_kincaid_grade, gunning_fog, smog, automated_readability, coleman_liau];
    grades.sort_by(f64::total_cmp);
    let round = |value: f64| (value * 100.0).round() / 100.0;
    Readability {
        flesch_reading_ease: round(flesch_reading_ease),
        flesch_kincaid_grade: round(flesch_kincaid_grade),
        gunning_fog: round(gunning_fog),
        smog: round(smog),
        automated_readability: round(automated_readability),
        coleman_liau: round(coleman_liau),
        grade: round(grades[2]),
        sentences,
        words,
        characters,
        syllables,
        long_words,
    }
}
