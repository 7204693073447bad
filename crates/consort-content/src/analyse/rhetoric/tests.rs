//! Claims about rhetoric cues, and the precision of every rule on its labelled sentences.

use super::*;
use crate::analyse::labelled;
use crate::analyse::tests::{document, found};

fn rules_fired(text: &str) -> Vec<String> {
    found(text).rhetoric.into_iter().map(|cue| cue.rule).collect()
}

#[derive(Default)]
struct Score {
    hits: u32,
    right: u32,
    positives: u32,
}

impl Score {
    fn precision(&self) -> f64 {
        f64::from(self.right) / f64::from(self.hits.max(1))
    }
}

#[test]
fn every_rule_is_right_in_four_of_five_of_twenty_labelled_hits() {
    let mut failed = Vec::new();
    for (rule, sentences) in labelled::rhetoric() {
        let [mut tuned, mut held] = [Score::default(), Score::default()];
        for (text, label) in &sentences {
            let score = if labelled::is_tuned_on(text) { &mut tuned } else { &mut held };
            let hit = rules_fired(text).contains(&rule);
            score.hits += u32::from(hit);
            score.right += u32::from(hit && *label);
            score.positives += u32::from(*label);
            if hit != *label && labelled::is_tuned_on(text) {
                println!("{rule}: {} {text}", if *label { "missed" } else { "wrong" });
            }
        }
        println!(
            "{rule}: tuned {:.2} ({} of {} hits, {} positives), held out {:.2} ({} of {}, {})",
            tuned.precision(),
            tuned.right,
            tuned.hits,
            tuned.positives,
            held.precision(),
            held.right,
            held.hits,
            held.positives
        );
        let known = rules().iter().find(|known| known.id == rule).unwrap();
        let (right, hits) = (tuned.right + held.right, tuned.hits + held.hits);
        let precise = f64::from(right) >= 0.8 * f64::from(hits) && held.precision() >= 0.8;
        let measured = f64::from(right + 1) / f64::from(hits + 2);
        if hits < 20 || !precise || (known.confidence - measured).abs() > 0.006 {
            failed.push(format!("{rule}: {right} of {hits} right, confidence {measured:.2}"));
        }
    }
    assert!(
        failed.is_empty(),
        "{}",
        failed.join(
            "
"
        )
    );
}

#[test]
fn every_shipped_rule_has_a_labelled_set() {
    let sets: Vec<String> = labelled::rhetoric().into_iter().map(|(name, _)| name).collect();
    assert!(rules().iter().all(|rule| sets.contains(&rule.id)));
    assert_eq!(rules().len(), sets.len());
}

#[test]
fn neutral_text_has_less_than_one_cue_in_two_hundred_words() {
    let neutral = [
        "bridge-closure",
        "bank-results",
        "school-meals",
        "fish-study",
        "desert-solar",
        "city-bus",
        "water-council",
        "heatwave-wire",
        "museum-return",
        "trail-guide",
    ];
    let (mut words, mut cues) = (0, 0);
    for document in labelled::documents()
        .into_iter()
        .filter(|document| neutral.contains(&document.name.as_str()))
    {
        let found = crate::analyse::analyse(&document.doc, &crate::analyse::tests::english());
        for cue in &found.rhetoric {
            println!("{}: {} {:?}", document.name, cue.rule, cue.text);
        }
        words += found.words;
        cues += found.rhetoric.len() as u64;
    }
    println!("{cues} cues in {words} words");
    assert!(words > 2000 && cues * 200 < words, "{cues} cues in {words} words");
}

#[test]
fn plain_words_inside_longer_ones_are_no_cue() {
    // The earlier system found "all" in "finally" and bias in "right", "supports" and "female".
    let text = "Finally the female engineer, who always supports the right bank, allied with the mall. \
        The scientist never said that everything in the hall was normal.";
    assert_eq!(rules_fired(text), Vec::<String>::new());
}

#[test]
fn a_cue_says_where_and_why() {
    let text = "The board met. You are either with us or against us.";
    let doc = document(text);
    let cue = found(text).rhetoric.remove(0);
    assert_eq!(cue.rule, "false_dilemma");
    assert_eq!(cue.place.span.of(&doc.text), cue.text);
    assert_eq!(cue.place.sentence, 1);
    assert!(!cue.why.is_empty() && (0.8..=1.0).contains(&cue.confidence));
}

#[test]
fn a_cue_inside_quotation_marks_belongs_to_the_one_quoted() {
    let cues =
        found("\u{201c}You are either with us or against us,\u{201d} said the general in 1951.")
            .rhetoric;
    assert!(cues[0].quoted, "{cues:?}");
    assert!(!found("You are either with us or against us.").rhetoric[0].quoted);
}

#[test]
fn a_text_of_many_cues_is_cut_and_says_so() {
    let text = "You are either with us or against us. ".repeat(500);
    let found = found(&text);
    assert_eq!(found.rhetoric.len(), 200);
    assert!(
        found.not_done.iter().any(|gap| gap.why.contains("200 of 500")),
        "{:?}",
        found.not_done
    );
}
