//! Claims about summaries, and ROUGE-L against the first three sentences.

use super::SummarySentence;
use crate::analyse::analyse;
use crate::analyse::labelled::{self, Labelled};
use crate::analyse::tests::{english, found};

/// Lower-case runs of letters and digits, as the `rouge-score` package cuts them without stemming.
fn tokens(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    lower
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// F1 of the longest common subsequence.
fn rouge_l(candidate: &[String], reference: &[String]) -> f64 {
    let mut row = vec![0_usize; reference.len() + 1];
    for word in candidate {
        let mut corner = 0;
        for (at, other) in reference.iter().enumerate() {
            let above = row[at + 1];
            row[at + 1] = if word == other { corner + 1 } else { above.max(row[at]) };
            corner = above;
        }
    }
    let common = row[reference.len()] as f64;
    if common == 0.0 {
        return 0.0;
    }
    let (precision, recall) = (common / candidate.len() as f64, common / reference.len() as f64);
    2.0 * precision * recall / (precision + recall)
}

/// ROUGE-L of our summary and of the first three sentences, both at the latter's number of words.
fn scores(document: &Labelled) -> (f64, f64) {
    let lead: String = document
        .sentences
        .iter()
        .take(3)
        .map(|(span, _)| span.of(&document.doc.text))
        .collect::<Vec<_>>()
        .join(" ");
    let lead = tokens(&lead);
    let summary = analyse(&document.doc, &english()).summary.unwrap();
    let ours: String = summary
        .sentences
        .iter()
        .map(|sentence| sentence.text.as_str())
        .collect::<Vec<_>>()
        .join(" ");
    let mut ours = tokens(&ours);
    ours.truncate(lead.len());
    let reference = tokens(&document.summary);
    (rouge_l(&ours, &reference), rouge_l(&lead, &reference))
}

#[test]
fn summaries_beat_the_first_three_sentences() {
    let mut halves = [Vec::new(), Vec::new()];
    for document in labelled::documents() {
        let (ours, lead) = scores(&document);
        println!("{}: {ours:.3} against {lead:.3}", document.name);
        halves[usize::from(!labelled::is_tuned_on(&document.name))].push(ours - lead);
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    println!(
        "ROUGE-L minus lead-3: tuned {:+.3}, held out {:+.3}",
        mean(&halves[0]),
        mean(&halves[1])
    );
    assert!(mean(&halves[0]) > 0.0 && mean(&halves[1]) > 0.0);
}

#[test]
fn a_summary_does_not_say_one_thing_twice() {
    let text = "The council raised the water price by a fifth on Wednesday. The council raised the price of water by a fifth on Wednesday. \
        Old lead pipes in the Tannery district will be replaced first. Doctors warn that lead harms small children. \
        Shareholders of the company received a dividend of 41 million pounds.";
    let summary = found(text).summary.unwrap();
    let said = |sentence: &&SummarySentence| sentence.text.starts_with("The council");
    assert_eq!(summary.sentences.iter().filter(said).count(), 1, "{summary:?}");
}

#[test]
fn sentences_of_a_summary_stand_in_text_order() {
    for document in labelled::documents() {
        let summary = analyse(&document.doc, &english()).summary.unwrap();
        assert!(
            summary.sentences.is_sorted_by_key(|sentence| sentence.place.sentence),
            "{}",
            document.name
        );
    }
}
