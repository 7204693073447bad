//! Sentence boundaries against the hand-made labels.

use consort_content::sentence::split;

use crate::corpus::{files, held_out};
use crate::score::Score;

/// Where a sentence begins other than at the start, by the `‖` marks of a labelled text.
fn unmark(labelled: &str) -> (String, Vec<usize>) {
    let mut text = String::new();
    let mut starts = Vec::new();
    for (index, part) in labelled.split('‖').enumerate() {
        if index > 0 {
            starts.push(text.len() + (part.len() - part.trim_start().len()));
        }
        text.push_str(part);
    }
    (text, starts)
}

#[test]
fn hard_boundaries_are_found() {
    let mut halves = [Score::default(); 2];
    for (_, bytes) in files("sentences") {
        let labels = String::from_utf8(bytes).expect("UTF-8");
        let mut lines = labels.lines().filter(|line| !line.starts_with('#'));
        while let (Some(name), Some(case)) = (lines.next(), lines.next()) {
            let name = name.strip_prefix("== ").expect("a name");
            let (text, wanted) = unmark(&case.replace("\\n", "\n"));
            let found: Vec<usize> = split(&text).iter().skip(1).map(|span| span.start).collect();
            let score = Score::of(found.clone(), wanted.clone());
            let half = usize::from(held_out(name));
            halves[half].add(score);
            if score.both < score.found.max(score.wanted) {
                // What fails in the held-out half is counted, never shown.
                let shown: Vec<&str> = if half == 0 {
                    split(&text).iter().map(|span| span.of(&text)).collect()
                } else {
                    Vec::new()
                };
                println!("{} {name}: {shown:?}", ["tuned", "held"][half]);
            }
        }
    }
    let [tuned, held] = halves;
    println!("tuned F1 {:.4} {tuned:?}, held out F1 {:.4} {held:?}", tuned.f1(), held.f1());
    assert!(tuned.wanted + held.wanted >= 300);
    assert!(tuned.f1() >= 0.95 && held.f1() >= 0.95);
}
