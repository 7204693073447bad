//! The reward of an extraction method, which nobody judged, against the word F1 of pages whose
//! main text was marked by hand.

use std::{collections::BTreeMap, fs, path::Path};

use consort_content::{
    document::Method,
    extract::{Hint, Limits, extract},
};
use consort_domain::fallback_autonomous::choices::Prose;

const METHODS: [Option<Method>; 4] =
    [None, Some(Method::Readability), Some(Method::Landmark), Some(Method::WholePage)];
const OPEN: &str = "<!--keep-->";
const CLOSE: &str = "<!--/keep-->";

/// Pages by name.
fn pages() -> BTreeMap<String, String> {
    let corpus =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../consort-content/tests/corpus/pages");
    let files = fs::read_dir(corpus).expect("the corpus is there");
    let read = |file: fs::DirEntry| {
        let page = fs::read_to_string(file.path()).expect("UTF-8");
        (file.file_name().to_string_lossy().into_owned(), page)
    };
    files.map(|file| read(file.expect("a file"))).collect()
}

/// How often each word occurs; a character of Japanese is one.
fn words(text: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for token in text.split(|c: char| !c.is_alphanumeric()).filter(|token| !token.is_empty()) {
        let japanese = token.chars().any(|c| ('\u{3040}'..='\u{9FFF}').contains(&c));
        let parts: Vec<String> = if japanese {
            token.chars().map(String::from).collect()
        } else {
            vec![token.to_lowercase()]
        };
        parts.into_iter().for_each(|word| *counts.entry(word).or_default() += 1);
    }
    counts
}

/// The text between the marks.
fn marked(page: &str) -> String {
    let kept = page.split(OPEN).skip(1).filter_map(|part| part.split_once(CLOSE));
    let pieces = kept.flat_map(|(kept, _)| kept.split('<'));
    pieces
        .map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text))
        .fold(String::new(), |all, text| all + text + " ")
}

fn f1(found: &BTreeMap<String, usize>, wanted: &BTreeMap<String, usize>) -> f64 {
    let all = |bag: &BTreeMap<String, usize>| bag.values().sum::<usize>();
    let both: usize = wanted.iter().map(|(word, n)| found.get(word).map_or(0, |m| *m.min(n))).sum();
    2.0 * both as f64 / (all(found) + all(wanted)).max(1) as f64
}

/// Reward and word F1 of each method; none for a page without prose.
fn judged(name: &str, page: &str) -> Option<[(f64, f64); 4]> {
    let wanted = words(&marked(page));
    let bare = page.replace(OPEN, "").replace(CLOSE, "");
    let read = |method| {
        let hint = Hint { name: Some(name.into()), method, ..Hint::default() };
        extract(bare.as_bytes(), &hint, &Limits::default()).expect("a page")
    };
    let whole = Prose::of(&read(Some(Method::WholePage)));
    let mut all = [(0.0, 0.0); 4];
    for (method, judged) in METHODS.into_iter().zip(&mut all) {
        let document = read(method);
        *judged = (Prose::of(&document).quality(whole)?, f1(&words(&document.text), &wanted));
    }
    Some(all)
}

/// Correlation of the two after what is common to a page was taken away: what tells arms apart.
fn correlation(pages: &[[(f64, f64); 4]]) -> f64 {
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for page in pages {
        let mean = |of: fn(&(f64, f64)) -> f64| page.iter().map(of).sum::<f64>() / 4.0;
        let (x, y) = (mean(|one| one.0), mean(|one| one.1));
        for one in page {
            let (dx, dy) = (one.0 - x, one.1 - y);
            (xx, yy, xy) = (xx + dx * dx, yy + dy * dy, xy + dx * dy);
        }
    }
    xy / (xx * yy).sqrt()
}

#[test]
fn the_reward_of_extraction_agrees_with_pages_marked_by_hand() {
    let (mut all, mut agree, mut lost) = (Vec::new(), 0, 0.0);
    for (name, page) in pages() {
        let Some(arms) = judged(&name, &page) else {
            println!("{name:24} has no prose");
            continue;
        };
        // The best that is known about each; equal ones are as good.
        let best = arms.iter().map(|arm| arm.1).fold(0.0, f64::max);
        let most = arms.iter().map(|arm| arm.0).fold(0.0, f64::max);
        let preferred = arms.iter().filter(|arm| arm.0 == most);
        let worst = preferred.map(|arm| arm.1).fold(1.0, f64::min);
        agree += usize::from(worst >= best - 0.01);
        lost += best - worst;
        let shown = arms.map(|(reward, f1)| format!("{reward:.3}/{f1:.3}"));
        println!("{name:24} {} lost {:.3}", shown.join(" "), best - worst);
        all.push(arms);
    }
    let (pages, r) = (all.len(), correlation(&all));
    let lost = lost / pages as f64;
    let by_arm =
        [0, 1, 2, 3].map(|arm| all.iter().map(|page| page[arm].1).sum::<f64>() / pages as f64);
    println!("reward/F1 of usual, readability, landmark, whole page; mean F1 {by_arm:.3?}");
    println!(
        "{agree} of {pages} pages prefer the best; mean F1 lost {lost:.4}; correlation {r:.3}"
    );
    assert!(pages >= 15 && 2 * agree > pages, "{agree} of {pages}");
    assert!(r > 0.5, "{r}");
}
