//! The gate on ordinary prose, on spam, and on what the system before this one got wrong.

use consort_content::extract::{Hint, Limits, extract};
use consort_content::gate::{Consequence, GateReport, GateRules, Metric, gate};
use consort_content::{Document, Kind};

use crate::corpus::files;

fn rules() -> GateRules {
    GateRules::shipped().expect("the shipped rules are valid")
}

fn document(text: &str) -> Document {
    let hint = Hint { kind: Some(Kind::Text), ..Hint::default() };
    extract(text.as_bytes(), &hint, &Limits::default()).expect("extracts")
}

fn judge(text: &str) -> GateReport {
    gate(&document(text), &rules())
}

#[track_caller]
fn passes(text: &str) -> GateReport {
    let report = judge(text);
    assert_eq!(report.verdict(), None, "{:?}", report.reason());
    report
}

/// All the English prose written for the corpus, about 9,000 words of 40 texts.
fn written() -> String {
    let mut all = String::new();
    for (name, bytes) in files("pages") {
        let hint = Hint { name: Some(name), ..Hint::default() };
        let page = extract(&bytes, &hint, &Limits::default()).expect("extracts");
        if page.declared_language.as_deref().is_none_or(|language| language == "en") {
            all.push_str(&page.text);
            all.push_str("\n\n");
        }
    }
    all
}

fn first(text: &str, words: usize) -> String {
    let mut left = words;
    let end = text.char_indices().find(|(_, c)| {
        left -= usize::from(*c == ' ');
        left == 0
    });
    text[..end.map_or(text.len(), |(at, _)| at)].to_owned()
}

/// Seeded prose: sentences over a vocabulary whose words occur as often as Zipf's law says.
fn generated(words: usize) -> String {
    let mut state = 0x1234_5678_u64;
    let mut random = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1_u32 << 31)
    };
    let syllables = ["ta", "ri", "mo", "sel", "ka", "ven", "do", "lu", "ner", "pi", "sha", "or"];
    let function =
        ["the", "of", "and", "to", "a", "in", "that", "it", "was", "for", "on", "with", "he", "as"];
    let vocabulary = 12_000.0_f64;
    let mut text = String::new();
    let mut left = 0;
    for count in 0..words {
        let rank = vocabulary.powf(random());
        let word = if rank < 15.0 {
            function[rank as usize - 1].to_owned()
        } else {
            let mut number = rank as usize;
            let mut word = String::new();
            while number > 0 {
                word.push_str(syllables[number % syllables.len()]);
                number /= syllables.len();
            }
            word
        };
        if left == 0 {
            left = 8 + (random() * 20.0) as usize;
            text.push_str(if count == 0 { "" } else { ".\n\n" });
        } else {
            text.push(' ');
        }
        left -= 1;
        text.push_str(&word);
    }
    text
}

#[test]
fn ordinary_prose_of_any_length_passes() {
    let written = written();
    for words in [60, 150, 400, 1_500, 4_500] {
        passes(&first(&written, words));
    }
}

#[test]
fn repetition_does_not_grow_with_length() {
    let mut found = Vec::new();
    for words in [60, 150, 400, 1_500, 5_000, 20_000, 50_000] {
        let report = judge(&generated(words));
        let value = report.measures.repetition;
        assert!(value < 0.05, "{words} words: {value}");
        found.push(value);
    }
    assert!(found[6] <= found[3] + 0.03, "{found:?}");
}

#[test]
fn prose_said_twice_is_half_repetition_at_any_length() {
    let written = written();
    for words in [200, 1_000, 3_000] {
        let once = first(&written, words);
        let measures = judge(&format!("{once}\n\n{once}")).measures;
        assert!((0.40..0.60).contains(&measures.repetition), "{words}: {}", measures.repetition);
    }
}

#[test]
fn a_long_text_is_no_worse_than_a_short_one() {
    let long = passes(&first(&written(), 4_000));
    let short = passes(&first(&written(), 400));
    for metric in [Metric::Repetition, Metric::Boilerplate, Metric::Promotion] {
        assert!(
            long.measures.get(metric) <= short.measures.get(metric) + 0.05,
            "{}",
            metric.name()
        );
    }
}

#[test]
fn short_words_numbers_and_double_letters_are_no_defects() {
    passes(
        "I saw a committee in 2024. A letter arrived, too: all 100,000 of us will succeed, I assume. In 1999 I had \
         a bookkeeper. Mississippi access was difficult; a balloon, a coffee and a little success followed. I agree, as do all of them, to a man.",
    );
}

#[test]
fn a_loud_title_alone_is_no_spam() {
    let text = first(&written(), 400);
    let document = Document { title: Some("BREAKING!!! MAYOR QUITS?!".into()), ..document(&text) };
    assert_eq!(gate(&document, &rules()).verdict(), None);
}

#[test]
fn news_about_prizes_and_offers_is_no_spam() {
    passes(
        "The lottery said on Friday that nobody had won the cash prize for the ninth week. A spokeswoman denied that \
         the special offer in March had been misleading. Customers were told that they could buy now and pay later, \
         which the regulator called free credit with a catch. Two shops have already stopped the promotion, and a \
         third will follow, according to people who know its plans. The trade body wants clear rules by the summer.",
    );
}

#[test]
fn a_refused_text_is_never_a_plain_success() {
    for (name, check) in
        [("spam-repeat.txt", "repetition"), ("very-short.txt", "length"), ("empty.txt", "length")]
    {
        let (_, bytes) =
            files("documents").into_iter().find(|(file, _)| file == name).expect("there");
        let report = judge(&String::from_utf8(bytes).expect("UTF-8"));
        assert_eq!(report.verdict(), Some(Consequence::Skip), "{name}");
        let reason = report.reason().expect("a reason");
        assert_eq!(reason.name, check);
        assert!(!reason.because.is_empty() && !reason.operator.sign().is_empty());
    }
}

/// A check that nothing can fail is dead: the system before this one had several.
#[test]
fn every_shipped_check_can_fail() {
    let prose = first(&written(), 300);
    let menu =
        "Home\n\nMenu\n\nSign in\n\nSubscribe\n\nPrivacy policy\n\nTerms of use\n\n".repeat(8);
    let chorus =
        format!("{prose} {}", "And the river goes down to the sea, to the sea. ".repeat(14));
    let foreign =
        files("documents").into_iter().find(|(name, _)| name == "french.txt").expect("there").1;
    let foreign = String::from_utf8(foreign).expect("UTF-8");
    let promoted = "Buy now, order now, click here for free shipping. Act now and save big on this special offer today, \
                    says nobody. It goes on with some more plain words so that the text has the length that is needed.";
    let texts = [
        ("length", "Too short.".to_owned()),
        ("legibility", "### *** $$$ %%% ((( ))) !!! ??? ".repeat(20) + &"a b c ".repeat(20)),
        ("repetition", "The same words again and again. ".repeat(50)),
        ("much_repetition", chorus),
        ("boilerplate", menu),
        ("spam", promoted.to_owned()),
        ("language", "Trena berandu iritsi zen berriro, eta oinez joan ginen. ".repeat(6)),
        ("one_language", format!("{prose}\n\n{foreign}\n\n{foreign}")),
        ("english", foreign.clone()),
    ];
    for check in &rules().checks {
        let (_, text) =
            texts.iter().find(|(name, _)| *name == check.name).expect("a text for every check");
        let report = judge(text);
        let made = report.checks.iter().find(|made| made.name == check.name).expect("made");
        assert_eq!(made.verdict, Some(check.otherwise), "{}: {made:?}", check.name);
    }
}

#[test]
fn rules_with_unknown_measures_are_refused_when_read() {
    let json = r#"{"version":"x","checks":[{"name":"a","pass":"coherence > 0.5","otherwise":"skip","because":"b"}]}"#;
    let error = serde_json::from_str::<GateRules>(json).expect_err("refused");
    assert!(error.to_string().contains("`coherence` is not a measure"), "{error}");
}
