//! Main text of pages against what was marked by hand.

use consort_content::extract::{Hint, Limits, extract};

use crate::corpus::{files, held_out};
use crate::score::Score;

const OPEN: &str = "<!--keep-->";
const CLOSE: &str = "<!--/keep-->";

/// The page without its marks, and the marked text.
fn unmark(page: &str) -> (String, String) {
    let mut wanted = String::new();
    for part in page.split(OPEN).skip(1) {
        let (kept, _) = part.split_once(CLOSE).expect("every mark is closed");
        // The marked parts hold no scripts, comments or entities: see the corpus.
        for piece in kept.split('<') {
            wanted.push_str(piece.split_once('>').map_or(piece, |(_, text)| text));
            wanted.push(' ');
        }
    }
    (page.replace(OPEN, "").replace(CLOSE, ""), wanted)
}

/// Words, each character of Japanese being one.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for token in text.split(|c: char| !c.is_alphanumeric()).filter(|token| !token.is_empty()) {
        if token.chars().any(|c| ('\u{3040}'..='\u{9FFF}').contains(&c)) {
            words.extend(token.chars().map(String::from));
        } else {
            words.push(token.to_lowercase());
        }
    }
    words
}

#[test]
fn main_text_matches_what_was_marked_by_hand() {
    let (mut halves, mut counts) = ([0.0; 2], [0_usize; 2]);
    for (name, bytes) in files("pages") {
        let (page, wanted) = unmark(&String::from_utf8(bytes).expect("UTF-8"));
        let hint = Hint { name: Some(name.clone()), ..Hint::default() };
        let document = extract(page.as_bytes(), &hint, &Limits::default()).expect("extracts");
        let score = Score::of(words(&document.text), words(&wanted));
        let half = usize::from(held_out(&name));
        halves[half] += score.f1();
        counts[half] += 1;
        println!(
            "{} {:.3} {:?} {name} {:?}",
            ["tuned", "held "][half],
            score.f1(),
            score,
            document.method
        );
        if half == 0
            && std::env::var_os("SHOW").is_some_and(|show| name.contains(&*show.to_string_lossy()))
        {
            println!("{}", document.text);
        }
    }
    let [tuned, held] = [0, 1].map(|half| halves[half] / counts[half] as f64);
    println!("mean word F1: tuned {tuned:.4} ({}), held out {held:.4} ({})", counts[0], counts[1]);
    assert!(counts[0] + counts[1] >= 15 && tuned >= 0.97 && held >= 0.97);
}
