//! Claims about the HTML page.

use base64::Engine as _;
use sha2::{Digest, Sha256};

use super::*;
use crate::report::tests::{report, report_on};

const STORY: &str = "The river authority closed the old bridge at Marlow on Monday after inspectors found cracks in two piers. \
    \u{201c}We know how much this road means to people,\u{201d} said Dana Whitfield. Repairs will cost $3.2 million, she said. \
    You are either with us or against us.";

#[test]
fn the_page_allows_exactly_its_own_style_and_script() {
    let hash =
        |content: &str| base64::engine::general_purpose::STANDARD.encode(Sha256::digest(content));
    assert_eq!(hash(STYLE), STYLE_HASH.trim());
    assert_eq!(hash(SCRIPT), SCRIPT_HASH.trim());
    let page = html(&report(STORY));
    assert!(page.contains("default-src 'none'"));
    assert_eq!((page.matches("<script").count(), page.matches("<style").count()), (1, 1));
    assert!(
        !page.contains(" style=\"") && !page.contains(" onclick") && !page.contains("src=\""),
        "nothing inline, nothing fetched"
    );
}

#[test]
fn text_of_the_source_cannot_become_markup() {
    let hostile = "</title><script>alert(1)</script> The minister \"<img src=x onerror=alert(2)>\" said in 2019 that </p></article><b>40 percent</b> of <svg/onload=x> rose. \
        Visit javascript:alert(3) or http://evil.example/\"><script>alert(4)</script> now. <!-- &lt;";
    let mut report = report(hostile);
    report.source.title = Some("</title><script>alert(5)</script>".into());
    report.source.byline = Some("<iframe src=//evil.example>".into());
    report.source.locator = "javascript:alert(6)".into();
    let page = html(&report);
    assert_eq!(page.matches("<script").count(), 1);
    for forbidden in ["<img", "<iframe", "<svg/", "href=\"javascript", "<!--"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn the_whole_text_is_on_the_page_exactly_once() {
    for text in [
        STORY,
        "<b>&amp; \"x\"</b> plain words here, 5 < 6.",
        "Überall \u{1f600} größer.\nNeue Zeile.",
        "שלום עולם, זה טקסט קצר.",
    ] {
        let page = html(&report(text));
        let prose = page
            .split_once("<div class=\"prose\"")
            .unwrap()
            .1
            .split_once(">")
            .unwrap()
            .1
            .split_once("</div>")
            .unwrap()
            .0;
        assert_eq!(without_markup(prose).trim(), text, "{prose}");
    }
}

fn without_markup(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            _ if !inside => text.push(c),
            _ => {}
        }
    }
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

#[test]
fn every_jump_leads_to_a_place_in_the_text() {
    let page = html(&report(&STORY.repeat(5)));
    let mut jumps = 0;
    for target in page.split("href=\"#b").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(page.contains(&format!("id=\"b{target}\"")), "{target}");
        jumps += 1;
    }
    assert!(jumps > 20, "{jumps}");
}

#[test]
fn every_id_stands_once() {
    let page = html(&report(&STORY.repeat(5)));
    let mut ids: Vec<&str> =
        page.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
}

#[test]
fn the_two_fixed_sections_are_on_every_page() {
    for text in ["", "?", STORY] {
        let page = html(&report(text));
        assert!(page.contains("id=\"not-done\"") && page.contains("id=\"provenance\""));
        assert!(page.ends_with("</html>\n"));
    }
}

#[test]
fn an_unchecked_claim_says_so_and_why() {
    let page = html(&report(STORY));
    assert!(page.contains("<b class=\"open\">not checked</b> No evidence source was asked."));
}

#[test]
fn reordering_marks_are_shown_as_spaces() {
    assert!(
        !html(&report("The file is called \u{202e}fdp.exe and was sent in 2019."))
            .contains('\u{202e}')
    );
}

#[test]
fn elements_are_closed_in_the_order_they_were_opened() {
    let doc_with_turns = crate::report::tests::conversation();
    for page in
        [html(&report(&STORY.repeat(20))), html(&report("")), html(&report_on(&doc_with_turns))]
    {
        let body = page.split_once("<body>").unwrap().1.split_once("<script>").unwrap().0;
        let mut open: Vec<String> = Vec::new();
        for tag in body.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()) {
            let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap().to_owned();
            if tag.starts_with('/') {
                assert_eq!(open.pop().as_deref(), Some(name.as_str()), "at {tag}");
            } else if !tag.ends_with('/') && !matches!(name.as_str(), "br" | "input" | "meta") {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }
}
