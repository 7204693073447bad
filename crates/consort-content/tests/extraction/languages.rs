//! Language detection against short labelled texts.

use consort_content::language::detect;

use crate::corpus::{files, held_out};

#[test]
fn short_texts_are_recognised_or_called_uncertain() {
    let (mut right, mut sure_and_wrong, mut all) = ([0_u32; 2], [0_u32; 2], [0_u32; 2]);
    for (_, bytes) in files("languages") {
        let labels = String::from_utf8(bytes).expect("UTF-8");
        for line in labels.lines().filter(|line| !line.starts_with('#')) {
            let (code, text) = line.split_once('\t').expect("code and text");
            let language = detect(text);
            let half = usize::from(held_out(text));
            let unknown = code == "und";
            let hit = language.code == code || (unknown && language.confidence < 0.5);
            all[half] += 1;
            right[half] += u32::from(hit);
            sure_and_wrong[half] += u32::from(!hit && language.confidence >= 0.5);
            if !hit && half == 0 {
                println!("{code} as {} {:.2}: {text}", language.code, language.confidence);
            }
        }
    }
    for half in 0..2 {
        println!(
            "{}: {} of {} right, {} wrong with confidence",
            ["tuned", "held out"][half],
            right[half],
            all[half],
            sure_and_wrong[half]
        );
        assert!(right[half] * 10 >= all[half] * 9 && sure_and_wrong[half] * 20 <= all[half]);
    }
}
