//! Claims about claims: the labelled documents and the earlier system's mistakes.

use super::*;
use crate::analyse::labelled::{self, Labelled};
use crate::analyse::tests::{document, english, found};
use crate::analyse::{Depth, analyse};

fn top_five(labelled: &Labelled) -> usize {
    let found = analyse(&labelled.doc, &english());
    let worthy = |claim: &&Claim| {
        let middle = claim.place.span.start + claim.place.span.len() / 2;
        labelled
            .sentences
            .iter()
            .any(|(span, label)| *label && span.start <= middle && middle < span.end)
    };
    if labelled::is_tuned_on(&labelled.name) {
        for claim in found.claims.iter().take(5).filter(|claim| !worthy(claim)) {
            let why: Vec<&str> =
                claim.features.iter().map(|feature| feature.name.as_str()).collect();
            println!("{}: {:.2} {} {why:?}", labelled.name, claim.score, claim.text);
        }
    }
    found.claims.iter().take(5).filter(worthy).count()
}

#[test]
fn four_of_the_top_five_deserve_a_check() {
    let mut halves = [(0, 0), (0, 0)];
    for document in labelled::documents() {
        let half = &mut halves[usize::from(!labelled::is_tuned_on(&document.name))];
        let right = top_five(&document);
        println!("{}: {right}", document.name);
        half.0 += right;
        half.1 += 1;
    }
    let mean = |(right, documents): (usize, usize)| right as f64 / documents as f64;
    println!(
        "top five: tuned {:.2} over {}, held out {:.2} over {}",
        mean(halves[0]),
        halves[0].1,
        mean(halves[1]),
        halves[1].1
    );
    assert!(mean(halves[0]) >= 4.0 && mean(halves[1]) >= 4.0, "{halves:?}");
}

#[test]
fn the_rule_file_weighs_exactly_the_features_that_are_computed() {
    let mut known: Vec<&str> = FEATURES.to_vec();
    known.sort_unstable();
    assert_eq!(rules().weights.keys().map(String::as_str).collect::<Vec<_>>(), known);
}

#[test]
fn a_score_is_exactly_its_bias_and_features() {
    for claim in found("Prices rose by 12 percent in 2023, the bank said.").claims {
        let sum: f64 =
            rules().bias + claim.features.iter().map(|feature| feature.weight).sum::<f64>();
        assert!((claim.score - 1.0 / (1.0 + (-sum).exp())).abs() < 1e-4);
    }
}

#[test]
fn questions_orders_and_wishes_are_no_claims() {
    for text in [
        "Did prices rise by 12 percent in 2023?",
        "Carry four litres of water for each person.",
        "I hope that we will win.",
    ] {
        assert!(found(text).claims.is_empty(), "{text}");
    }
}

#[test]
fn length_alone_makes_no_claim() {
    // The earlier system took the longest five sentences.
    let text = "Well, it was a very nice and quiet and friendly evening with good food and old friends and a lot of laughter \
        and some singing at the end of it all. Crime fell by 9 percent.";
    assert!(found(text).claims[0].text.starts_with("Crime"));
}

#[test]
fn a_long_text_yields_whole_sentences_not_cut_pieces() {
    // The earlier system cut the text into pieces of 300 characters.
    let line = |number| {
        format!("The region lost {number} jobs in March 2024, according to the labour office. ")
    };
    let text: String = (1_200..1_240).map(line).collect();
    let doc = document(&text);
    let deep = analyse(&doc, &crate::analyse::Options { depth: Depth::Deep, ..english() });
    assert_eq!(deep.claims.len(), 40);
    assert!(
        deep.claims
            .iter()
            .all(|claim| claim.text.starts_with("The region") && claim.text.ends_with("office."))
    );
}

#[test]
fn a_claim_made_twice_is_listed_once() {
    let text = "The region lost 1,200 jobs in March 2024. Nobody said why. ".repeat(2);
    assert_eq!(found(&text).claims.len(), 1);
}

#[test]
fn rows_of_tables_items_of_lists_and_section_numbers_are_no_claims() {
    let text = "Lower Weir | 287 | 175 | 133 | 322 | 917 | 968\n2 carrots, diced small\n\
        3.2 We are answerable for your luggage in the van.\n";
    let claims = found(text).claims;
    assert!(claims.is_empty(), "{claims:?}");
}
