//! What a gate can compare: numbers measured on a document in one pass over its words.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::repetition::Repetition;
use super::{phrases, words};
use crate::document::Document;
use crate::language;

/// Everything that conditions can refer to. Shares run from 0 to 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measures {
    /// Words; each character of an unspaced script (Chinese, Japanese, Thai) counts as one.
    pub words: f64,
    /// Visible characters.
    pub characters: f64,
    /// Share of visible characters that are letters or digits.
    pub letters: f64,
    /// Share of words inside a passage that stood in the text before: see [`super::gate`].
    pub repetition: f64,
    /// Share of words in paragraphs that are page furniture.
    pub boilerplate: f64,
    /// Share of words that belong to promotional phrases, the title's words included.
    pub promotion: f64,
    /// Share of words of four letters or more that are all capitals.
    pub shouting: f64,
    /// Exclamation marks per 100 words.
    pub exclamations: f64,
    /// Share of words that are links or addresses.
    pub addresses: f64,
    /// Confidence of the detected language.
    pub language_confidence: f64,
    /// Share of the text in languages other than its largest.
    pub mixed: f64,
    /// 1 when the text is English, else 0.
    pub english: f64,
}

macro_rules! metrics {
    ($($variant:ident $field:ident $doc:literal,)*) => {
        /// One of [`Measures`], by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Metric { $(#[doc = $doc] $variant,)* }

        impl Metric {
            /// Every measure, in the order of [`Measures`].
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name in conditions.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($field),)* }
            }

            /// The measure called `name`.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|metric| metric.name() == name)
            }
        }

        impl Measures {
            /// The value of one measure.
            #[must_use]
            pub const fn get(&self, metric: Metric) -> f64 {
                match metric { $(Metric::$variant => self.$field,)* }
            }
        }
    };
}

metrics! {
    Words words "[`Measures::words`].",
    Characters characters "[`Measures::characters`].",
    Letters letters "[`Measures::letters`].",
    Repetition repetition "[`Measures::repetition`].",
    Boilerplate boilerplate "[`Measures::boilerplate`].",
    Promotion promotion "[`Measures::promotion`].",
    Shouting shouting "[`Measures::shouting`].",
    Exclamations exclamations "[`Measures::exclamations`].",
    Addresses addresses "[`Measures::addresses`].",
    LanguageConfidence language_confidence "[`Measures::language_confidence`].",
    Mixed mixed "[`Measures::mixed`].",
    English english "[`Measures::english`].",
}

/// Measures a document. Linear in its text, in constant memory beside it.
#[must_use]
pub fn measure(document: &Document) -> Measures {
    let text = &document.text;
    let mut repetition = Repetition::new(text.len() / 5);
    let (mut total, mut long, mut shouted, mut addresses) = (0_usize, 0_usize, 0_usize, 0_usize);
    let mut promotion = phrases::Counter::promotion();
    words::each(text, |word| {
        total += 1;
        repetition.word(word.lower);
        promotion.word(word.lower);
        if word.is_long() {
            long += 1;
            shouted += usize::from(word.is_shouted());
        }
        addresses += usize::from(word.is_address());
    });
    let mut titled = 0_usize;
    if let Some(title) = &document.title {
        promotion.gap();
        words::each(title, |word| {
            titled += 1;
            promotion.word(word.lower);
        });
    }
    let (visible, letters) = characters(text);
    let language = language::detect(text);
    Measures {
        words: number(total),
        characters: number(visible),
        letters: share(letters, visible),
        repetition: share(repetition.covered(), total),
        boilerplate: share(phrases::furniture(document), total),
        promotion: share(promotion.covered(), total + titled),
        shouting: share(shouted, long),
        exclamations: share(text.matches(['!', '\u{FF01}']).count(), total) * 100.0,
        addresses: share(addresses, total),
        language_confidence: language.confidence,
        mixed: 1.0 - language::mixture(document).first().map_or(1.0, |largest| largest.share),
        english: f64::from(u8::from(language.is_english())),
    }
}

/// Visible characters, and those of them that are letters or digits.
fn characters(text: &str) -> (usize, usize) {
    let (mut visible, mut letters) = (0, 0);
    for c in text.chars() {
        let (shown, letter) = if c.is_ascii() {
            // Control characters that are no white space count as visible, as they do beyond ASCII.
            (!matches!(c, '\t'..='\r' | ' '), c.is_ascii_alphanumeric())
        } else {
            (!c.is_whitespace(), c.is_alphanumeric())
        };
        visible += usize::from(shown);
        letters += usize::from(letter);
    }
    (visible, letters)
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { number(part) / number(whole) }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
const fn number(count: usize) -> f64 {
    count as f64
}
