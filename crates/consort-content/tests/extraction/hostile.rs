//! Inputs made to break parsers: each ends in a named refusal or a document, and it ends.

use consort_content::analyse::{Options, analyse};
use consort_content::extract::{ExtractError, Hint, Limits, extract, feed};
use consort_content::gate::{GateRules, gate};
use consort_content::language::Language;
use consort_content::report::{Provenance, Report, Style, html, markdown};
use consort_content::sentence::sentences;
use consort_content::{Document, Kind};

/// What must come of an input.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expected {
    /// A document, through the gate and the splitter.
    Read,
    TooDeep,
    TooLarge(&'static str),
    NotText,
    Malformed,
    NeedsWorker,
}
use Expected::{Malformed, NeedsWorker, NotText, Read, TooDeep, TooLarge};

fn outcome(name: &str, bytes: &[u8], limits: &Limits) -> (Expected, Option<Document>) {
    let hint = Hint { name: Some(name.to_owned()), ..Hint::default() };
    match extract(bytes, &hint, limits) {
        Ok(document) => (Read, Some(document)),
        Err(ExtractError::TooDeep { .. }) => (TooDeep, None),
        Err(ExtractError::TooLarge { unit, .. }) => (TooLarge(unit), None),
        Err(ExtractError::NotText { .. }) => (NotText, None),
        Err(ExtractError::NeedsWorker { .. }) => (NeedsWorker, None),
        Err(ExtractError::Malformed { .. }) => (Malformed, None),
    }
}

#[track_caller]
fn check(name: &str, bytes: impl AsRef<[u8]>, expected: Expected) {
    let (found, document) = outcome(name, bytes.as_ref(), &Limits::default());
    assert_eq!(found, expected, "{name}");
    if let Some(document) = document {
        let _ = sentences(&document);
        let report = gate(&document, &GateRules::shipped().expect("valid"));
        assert!(!report.checks.is_empty());
    }
}

#[test]
fn deep_nesting_is_refused_before_parsing() {
    check("divs.html", "<div>".repeat(20_000), TooDeep);
    check("closed.html", "<div>".repeat(20_000) + &"</div>".repeat(20_000), TooDeep);
    check("mixed.html", "<b><i><div></b>".repeat(20_000), TooDeep);
    check("tables.html", "<table><tr><td>".repeat(20_000), TooDeep);
    check("svg.html", "<svg>".to_owned() + &"<g>".repeat(20_000), TooDeep);
    check("quotes.html", "<blockquote>".repeat(20_000), TooDeep);
    check("select.html", "<select><option><optgroup>".repeat(20_000), TooDeep);
    check(
        "feed.rss",
        format!("<rss version=\"2.0\"><channel>{}", "<item>".repeat(20_000)),
        TooDeep,
    );
    check("quotes.md", ">".repeat(20_000) + " x", TooDeep);
    check("array.json", format!("{{\"segments\":{}", "[".repeat(100_000)), Malformed);
}

#[test]
fn sizes_are_limited_by_name() {
    check("huge.txt", vec![b'x'; 64 * 1024 * 1024 + 1], TooLarge("bytes"));
    let limits = Limits {
        max_page_bytes: 100_000,
        max_elements: 2_000,
        max_cues: 2_000,
        ..Limits::default()
    };
    let refused = |name: &str, text: String, unit: &'static str| {
        assert_eq!(outcome(name, text.as_bytes(), &limits).0, TooLarge(unit), "{name}");
    };
    refused("huge.html", "<p>x".repeat(50_000), "bytes");
    refused("huge.rss", format!("<rss version=\"2.0\">{}", " ".repeat(100_000)), "bytes");
    refused("elements.html", "<p>x".repeat(2_001), "elements");
    refused("attributes.html", format!("<p {}>x", "a=1 ".repeat(10_000)), "attributes");
    let cue = "00:00:01.000 --> 00:00:02.000\nx\n\n";
    refused("cues.vtt", format!("WEBVTT\n\n{}", cue.repeat(2_002)), "cues");
    refused("lines.txt", "[00:00:01] x\n".repeat(2_003), "timed lines");
    let segments = vec!["{\"start\":1,\"text\":\"x\"}"; 2_001].join(",");
    refused("a.json", format!("{{\"segments\":[{segments}]}}"), "segments");
}

#[test]
fn what_is_no_text_is_refused_by_name() {
    check("a.txt", b"\x1F\x8B\x08\0\0\0\0\0", NotText);
    check("a.html", b"PK\x03\x04\x14\0\0\0", NotText);
    check("a.md", b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR", NotText);
    check("a.srt", b"\x7FELF\x02\x01\x01\0", NotText);
    check("a.vtt", b"\0\0\0\x18ftypmp42", NotText);
    check("a.json", b"SQLite format 3\0", NotText);
    check("a.txt", [0, 1, 2, 3, 0x80, 0xFF, 0xFE, 7].repeat(200), NotText);
    check("a.txt", b"%PDF-1.7\n%\xE2\xE3\xCF\xD3", NeedsWorker);
    check("a.txt", vec![0_u8; 10_000], NotText);
    check("a.pdf", b"this is no PDF but plain words", Read);
}

#[test]
fn broken_formats_are_refused_or_read_for_what_they_hold() {
    check("a.srt", "no times in here", Malformed);
    check("a.vtt", "WEBVTT\n\nno times in here", Read);
    check("a.json", "{\"segments\": 7}", Malformed);
    check("a.json", "{\"segments\": [{\"start\": 1e999, \"text\": \"x\"}]}", Malformed);
    check("a.json", "{\"segments\": [{\"start\": -5, \"end\": 1e300, \"text\": \"x\"}]}", Read);
    check("a.json", "[1, 2, 3]", Read);
    check("a.rss", "<rss version=\"2.0\"><channel><item></channel>", Malformed);
    check("a.rss", "<rss", Malformed);
    check("a.atom", "<feed xmlns='http://www.w3.org/2005/Atom'></feed>", Read);
    check(
        "a.srt",
        "999999999:99:99,999 --> 99:99:99,999\nx\n\n9999:9999:9999,9 --> 1:1:1\ny\n",
        Read,
    );
    check("a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\n<c<c<c<v <v X", Read);
    check("a.html", "<", Read);
    check("a.html", "<script>".to_owned() + &"x</scrip".repeat(20_000), Read);
    check("a.html", "<!--".to_owned() + &"- ->".repeat(20_000), Read);
    check("a.html", "</p>".repeat(100_000), Read);
    check("a.html", "&#x110000;&#0;&#xD800;&nosuch;".repeat(5_000), Read);
    check("a.html", "<p></b></i>".repeat(30_000), Read);
    check("a.html", "<a href=x>y".repeat(30_000), Read);
}

#[test]
fn long_lines_of_every_kind_come_to_an_end() {
    let words = "lorem ipsum dolor sit amet ".repeat(38_000);
    check("a.txt", &words, Read);
    let words = &words[..100_000];
    check("a.md", words, Read);
    check("a.html", words, Read);
    check("a.srt", format!("1\n00:00:01,000 --> 00:00:02,000\n{words}\n"), Read);
    check(
        "a.json",
        format!("{{\"segments\":[{{\"start\":0,\"end\":1,\"text\":\"{words}\"}}]}}"),
        Read,
    );
    for unit in
        ["[", "*", "`", "_", "<", "![", "](", "\\", "&", "| ", "~", "#", "1. ", "a\n> ", "a\n- "]
    {
        check("a.md", unit.repeat(10_000), Read);
    }
    for unit in [
        "A: ",
        "[00:00:01] ",
        ">> ",
        "a.",
        ". ",
        "\"",
        "- ",
        "\n- x",
        "1. ",
        "U.S. ",
        "?!",
        "(",
        "\u{2014}\"",
    ] {
        check("a.txt", unit.repeat(10_000), Read);
    }
    for unit in ["<i>", "{\\an8}", "[x] ", "&amp;", "\u{266A}", "<", "(", "ANNA: "] {
        check(
            "a.srt",
            format!("1\n00:00:01,000 --> 00:00:02,000\n{}\n", unit.repeat(10_000)),
            Read,
        );
    }
}

#[test]
fn bytes_that_are_almost_text_are_read() {
    check(
        "a.txt",
        b"caf\xC3 na\xC3\xAFve and some more words so that one bad byte does not matter much",
        Read,
    );
    check("a.txt", b"\xEF\xBB\xBF", Read);
    check("a.txt", b"\xFF\xFE", Read);
    check(
        "a.txt",
        b"\xFF\xFEa\0 \0b\0 \0c\0 \0d\0 \0e\0 \0f\0 \0g\0 \0h\0 \0i\0 \0j\0 \0k\0 \0l\0\x00\xD8",
        Read,
    );
    check("a.txt", b" \n\t\r\n ", Read);
    check("a.txt", "words\0 and more words ".repeat(100), Read);
    check("a.txt", "\u{202E}\u{2066}right to left\u{2069}".repeat(100), Read);
}

#[test]
fn xml_entities_do_not_multiply() {
    let mut bomb = String::from("<?xml version=\"1.0\"?><!DOCTYPE rss [<!ENTITY a0 \"lol\">");
    for level in 1..10 {
        bomb.push_str(&format!(
            "<!ENTITY a{level} \"{}\">",
            format!("&a{};", level - 1).repeat(10)
        ));
    }
    bomb.push_str("]><rss version=\"2.0\"><channel><title>&a9;</title><item><title>x</title></item></channel></rss>");
    match feed(bomb.as_bytes(), &Hint::default(), &Limits::default()) {
        Ok(feed) => assert!(feed.title.unwrap_or_default().len() < 1_000),
        Err(error) => assert!(matches!(error, ExtractError::Malformed { .. }), "{error}"),
    }
}

#[test]
fn a_feed_of_ten_thousand_items_is_cut_and_told() {
    let item = "<item><title>One more</title><link>https://f.example/x</link><description>Words.</description></item>";
    let text = format!(
        "<rss version=\"2.0\"><channel><title>F</title>{}</channel></rss>",
        item.repeat(10_000)
    );
    let feed = feed(text.as_bytes(), &Hint::default(), &Limits::default()).expect("reads");
    assert_eq!(feed.entries.len(), 1_000);
    assert_eq!(feed.losses, ["9000 more entries than the limit of 1000 not read."]);
}

#[test]
fn markup_never_survives_extraction_of_a_page() {
    let page = "<html><head><title>T</title></head><body><main><p>Before. <img src=x onerror=alert(1)> \
        <script>alert(2)</script><iframe src=javascript:alert(3)></iframe><svg onload=alert(4)><text>no</text></svg> \
        <a href=\"javascript:alert(5)\">click</a> <a href=\"data:text/html,x\">data</a> After.</p></main></body></html>";
    let (_, document) = outcome("a.html", page.as_bytes(), &Limits::default());
    let document = document.expect("reads");
    assert_eq!(document.text, "Before. click data After.");
    assert!(document.links.is_empty());
}

#[test]
fn a_kind_chosen_by_the_caller_is_not_second_guessed() {
    let hint = Hint { kind: Some(Kind::Text), name: Some("a.html".into()), ..Hint::default() };
    let document = extract(b"<p>kept as it is</p>", &hint, &Limits::default()).expect("reads");
    assert_eq!(document.text, "<p>kept as it is</p>");
}

#[test]
fn analysis_of_hostile_text_comes_to_an_end() {
    let units = [
        "\"",
        "\u{201c}a ",
        "a. ",
        "A ",
        "John ",
        "John said ",
        "according to ",
        "U.S. ",
        "$1 million ",
        "1,1,1 ",
        "9",
        "January 3, ",
        "it's ",
        "not very ",
        "\u{1F600}",
        "what about the ",
        "| ",
        "a-b-",
        "You are either with us or against us. ",
        "the the ",
        "x\n\n",
        "\u{300}",
        "of the ",
        "King's Cross ",
    ];
    for unit in units {
        let hint = Hint { kind: Some(Kind::Text), ..Hint::default() };
        let text = unit.repeat(8_000 / unit.len());
        let document = extract(text.as_bytes(), &hint, &Limits::default()).expect("reads");
        let report = reported(&document);
        assert!(html(&report).len() < 40 * (text.len() + 10_000), "{unit:?} is not blown up");
    }
}

#[test]
fn markup_in_a_title_is_words_in_every_form_of_the_report() {
    let text = "The council raised the price of water by a fifth on Wednesday. ".repeat(3);
    let title = "</title><script>alert(1)</script><img src=x onerror=alert(2)>\"'`${x}";
    let document = Document { title: Some(title.to_owned()), ..read(&text) };
    let report = reported(&document);
    let page = html(&report);
    assert!(!page.contains("<script>alert") && !page.contains("<img src=x"));
    assert!(!markdown(&report, &Style::default()).contains("<script>"));
}

fn read(text: &str) -> Document {
    let hint = Hint { kind: Some(Kind::Text), ..Hint::default() };
    extract(text.as_bytes(), &hint, &Limits::default()).expect("reads")
}

fn reported(document: &Document) -> Report {
    let language = Language {
        code: "en".to_owned(),
        name: "English".to_owned(),
        confidence: 1.0,
        script: "Latin".to_owned(),
        rtl: false,
    };
    let findings = analyse(document, &Options { language: Some(language), ..Options::default() });
    Report::new("x", document, None, findings, Provenance::default())
}
