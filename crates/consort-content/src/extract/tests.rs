//! What extraction promises, kind by kind.

use super::*;

fn named(name: &str, text: &str) -> Document {
    let hint = Hint { name: Some(name.to_owned()), ..Hint::default() };
    extract(text.as_bytes(), &hint, &Limits::default()).expect("extracts")
}

fn paragraphs(document: &Document) -> Vec<&str> {
    document.paragraphs.iter().map(|span| span.of(&document.text)).collect()
}

#[test]
fn plain_text_is_kept_as_it_stands() {
    let document = named("a.txt", "One line\r\nand its rest.\r\n\r\nAnother  paragraph.\r\n");
    assert_eq!(document.text, "One line\nand its rest.\n\nAnother  paragraph.");
    assert_eq!(paragraphs(&document), ["One line\nand its rest.", "Another  paragraph."]);
    assert_eq!((document.kind, document.method), (Kind::Text, crate::document::Method::Whole));
}

#[test]
fn long_lines_are_paragraphs_of_their_own() {
    let line = "A sentence that goes on for quite a while without anybody wrapping it. ".repeat(4);
    let document = named("a.txt", &format!("{line}\n{line}\n{line}"));
    assert_eq!(document.paragraphs.len(), 3);
}

#[test]
fn labelled_lines_become_turns() {
    let text = "MODERATOR: Welcome.\nDr. Ana Silva: Thank you.\nGlad to be here.\n\
                MODERATOR: First question.\nDr. Ana Silva: Yes: go on.";
    let document = named("talk.txt", text);
    let turns: Vec<_> = document
        .turns
        .iter()
        .map(|turn| (turn.speaker.as_str(), turn.span.of(&document.text)))
        .collect();
    assert_eq!(
        turns,
        [
            ("MODERATOR", "Welcome."),
            ("Dr. Ana Silva", "Thank you. Glad to be here."),
            ("MODERATOR", "First question."),
            ("Dr. Ana Silva", "Yes: go on."),
        ]
    );
    assert_eq!(document.speaker_at(document.text.len() - 1), Some("Dr. Ana Silva"));
}

#[test]
fn headings_before_colons_are_not_speakers() {
    let text = "Note: boil first.\nIngredients: salt.\nNote: stir.\nIngredients: water.";
    assert!(named("a.txt", text).turns.is_empty());
}

#[test]
fn times_in_a_plain_transcript_become_cues() {
    let document = named("a.txt", "[00:00:05] Hello there.\n[00:00:09] Second.\n[00:01:00] Third.");
    let cues: Vec<_> = document.cues.iter().map(|cue| (cue.start_ms, cue.end_ms)).collect();
    assert_eq!(cues, [(5_000, 9_000), (9_000, 60_000), (60_000, 60_000)]);
    assert_eq!(document.text, "Hello there.\n\nSecond.\n\nThird.");
}

#[test]
fn markdown_loses_its_markup_and_keeps_links_and_headings() {
    let text = "---\ntitle: \"On bridges\"\n---\n# Bridges\n\nA *long* [story](https://a.example/b) of\nsteel.\n\n\
                - one\n- two\n\n```rust\nfn x() {}\n```\n";
    let document = named("a.md", text);
    assert_eq!(document.title.as_deref(), Some("On bridges"));
    assert_eq!(paragraphs(&document), ["Bridges", "A long story of steel.", "one", "two"]);
    assert_eq!(document.links[0].span.map(|span| span.of(&document.text)), Some("story"));
    assert_eq!(document.headings[0].level, 1);
    assert_eq!(document.losses, ["1 code block not analysed."]);
}

#[test]
fn rolling_captions_are_said_once() {
    let text = "WEBVTT\nKind: captions\nLanguage: en\n\n\
        00:00:00.000 --> 00:00:02.000 align:start position:0%\n \nso<00:00:00.500><c> today</c> we\n\n\
        00:00:02.000 --> 00:00:02.010 align:start position:0%\nso today we\n \n\n\
        00:00:02.010 --> 00:00:04.000 align:start position:0%\nso today we\nlook<c> at</c> bridges\n\n\
        00:00:04.000 --> 00:00:04.010\nlook at bridges\n \n\n\
        00:00:04.010 --> 00:00:06.000\nlook at bridges\nand how they stand\n";
    let document = named("a.vtt", text);
    assert_eq!(document.text, "so today we look at bridges and how they stand");
    assert_eq!(document.declared_language.as_deref(), Some("en"));
    let starts: Vec<_> = document.cues.iter().map(|cue| cue.start_ms).collect();
    assert_eq!(starts, [0, 2_010, 4_010]);
}

#[test]
fn somebody_who_says_no_twice_said_it_twice() {
    let text = "1\n00:00:01,000 --> 00:00:02,000\nNo.\n\n2\n00:00:02,500 --> 00:00:03,000\nNo.\n\n\
                3\n00:00:03,500 --> 00:00:05,000\nI told you already.\n";
    assert_eq!(named("a.srt", text).text, "No. No. I told you already.");
}

#[test]
fn broken_subtitles_give_up_every_cue_they_have() {
    let text = "1\n00:00:01,000 -> 00:00:02,000\nOne.\n2\n00:00:02.500 --> 00:00:03.000\nTwo.\n\n\
                00:00:04,000 --> garbage\nThree.\n\nx\n0:00:06 --> 0:00:05\n<i>Four</i> & {\\an8}five.\n";
    let document = named("a.srt", text);
    assert_eq!(document.text, "One. Two. Three. Four & five.");
    assert_eq!(document.cues.len(), 4);
    assert_eq!(document.losses, ["1 cue ending before the start given no length."]);
}

#[test]
fn voices_and_labels_name_speakers() {
    let text = "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Roger Bingham>We are in New York.\n\n\
                00:02.000 --> 00:03.000\n<v.loud Neil>Indeed.</v>\n";
    let document = named("a.vtt", text);
    let turns: Vec<_> = document.turns.iter().map(|turn| turn.speaker.as_str()).collect();
    assert_eq!(turns, ["Roger Bingham", "Neil"]);
    let text = "1\n00:00:01,000 --> 00:00:02,000\nANNA: Hello.\n\n2\n00:00:02,000 --> 00:00:03,000\nstill me\n\n\
                3\n00:00:03,000 --> 00:00:04,000\nBEN: Hi.\n\n4\n00:00:04,000 --> 00:00:05,000\nANNA: Right.\n";
    let document = named("a.srt", text);
    let turns: Vec<_> = document
        .turns
        .iter()
        .map(|turn| (turn.speaker.as_str(), turn.span.of(&document.text)))
        .collect();
    assert_eq!(turns, [("ANNA", "Hello. still me"), ("BEN", "Hi."), ("ANNA", "Right.")]);
}

#[test]
fn whisper_segments_become_cues() {
    let text = r#"{"text":" Hi there.","language":"en","segments":[
        {"id":0,"start":0.0,"end":1.5,"text":" Hi there.","speaker":"SPEAKER_00"},
        {"id":1,"start":1.5,"end":2.25,"text":" Hello."}]}"#;
    let document = named("a.json", text);
    assert_eq!(document.kind, Kind::TranscriptJson);
    assert_eq!(document.cues[1].end_ms, 2_250);
    assert_eq!(document.turns[0].speaker, "SPEAKER_00");
    assert_eq!(document.declared_language.as_deref(), Some("en"));
}

#[test]
fn binary_is_refused_by_name() {
    let refused = |bytes: &[u8]| extract(bytes, &Hint::default(), &Limits::default());
    assert_eq!(
        refused(b"PK\x03\x04rest"),
        Err(ExtractError::NotText { what: "a ZIP archive or office document" })
    );
    let noise: Vec<u8> =
        (0..4096_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    assert!(matches!(refused(&noise), Err(ExtractError::NotText { .. })));
    assert_eq!(refused(b"%PDF-1.7\n"), Err(ExtractError::NeedsWorker { kind: Kind::Pdf }));
}

#[test]
fn a_few_nul_bytes_are_removed_and_told() {
    let document = named("a.txt", &format!("{}\0 end.", "Plain words here. ".repeat(10)));
    assert!(!document.text.contains('\0'));
    assert_eq!(document.losses, ["1 control character removed."]);
}

#[test]
fn an_empty_source_is_an_empty_document() {
    for name in ["a.txt", "a.md", "a.srt", "a.vtt", "a.json"] {
        assert_eq!(named(name, "").text, "", "{name}");
    }
}

#[test]
fn text_beyond_the_limit_is_refused_with_both_numbers() {
    let limits = Limits { max_bytes: 10, ..Limits::default() };
    let error = extract(b"twelve bytes", &Hint::default(), &limits).expect_err("refused");
    assert_eq!(error.to_string(), "too large: 12 bytes, the limit is 10");
}

const RSS: &str = r#"<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel><title>Quay &amp; News</title>
<language>en</language><item><title>Bridge &lt;b&gt;closes&lt;/b&gt;</title><link>https://q.example/1</link>
<description>&lt;p&gt;For a &lt;a href="/why"&gt;year&lt;/a&gt;.&lt;/p&gt;&lt;script&gt;x()&lt;/script&gt;</description>
<pubDate>Tue, 04 Mar 2031 06:00:00 GMT</pubDate><enclosure url="https://q.example/1.mp3" length="5" type="audio/mpeg"/></item>
<item><title>Second</title><link>https://q.example/2</link></item></channel></rss>"#;

#[test]
fn feeds_give_their_entries() {
    let hint = Hint { url: Some("https://q.example/feed".into()), ..Hint::default() };
    let found = feed(RSS.as_bytes(), &hint, &Limits::default()).expect("reads");
    assert_eq!((found.title.as_deref(), found.entries.len()), (Some("Quay & News"), 2));
    let first = &found.entries[0];
    assert_eq!(
        (first.title.as_deref(), first.text.as_str()),
        (Some("Bridge closes"), "For a year.")
    );
    assert_eq!(first.links[0].url, "https://q.example/why");
    assert_eq!(first.media, ["https://q.example/1.mp3"]);
    assert_eq!(first.published.as_deref(), Some("2031-03-04T06:00:00+00:00"));
    let document = extract(RSS.as_bytes(), &hint, &Limits::default()).expect("reads");
    assert_eq!(paragraphs(&document), ["Bridge closes", "For a year.", "Second"]);
    assert_eq!(document.links[1].span.map(|span| span.of(&document.text)), Some("year"));
}

#[test]
fn feeds_beyond_the_limit_are_cut_and_told() {
    let limits = Limits { max_entries: 1, ..Limits::default() };
    let found = feed(RSS.as_bytes(), &Hint::default(), &limits).expect("reads");
    assert_eq!(found.losses, ["1 more entries than the limit of 1 not read."]);
}

#[test]
fn json_feeds_are_feeds() {
    let text = r#"{"version":"https://jsonfeed.org/version/1.1","title":"T","items":[
        {"id":"1","url":"https://j.example/1","content_html":"<p>Hello</p>"}]}"#;
    assert_eq!(named("feed.json", text).text, "Hello");
}

#[test]
fn markup_in_titles_is_not_markup_afterwards() {
    let page = "<html><head><title>A &lt;script&gt;alert(1)&lt;/script&gt; tale</title></head><body><article><p>Words \
                enough to make a paragraph that readers would want to keep.</p></article></body></html>";
    let document = named("a.html", page);
    assert_eq!(document.title.as_deref(), Some("A <script>alert(1)</script> tale"));
    assert!(document.text.starts_with("Words enough"));
}

#[test]
fn links_of_a_page_are_absolute_and_harmless() {
    let page = "<html><body><main><p>See <a href='../a?b=1'>this</a>, not <a href='javascript:x()'>that</a> or \
                <a href='#top'>the top</a>. There are more words here to read.</p></main></body></html>";
    let hint = Hint { url: Some("https://p.example/x/y".into()), ..Hint::default() };
    let document = extract(page.as_bytes(), &hint, &Limits::default()).expect("reads");
    let urls: Vec<_> = document.links.iter().map(|link| link.url.as_str()).collect();
    assert_eq!(urls, ["https://p.example/a?b=1"]);
    assert_eq!(document.links[0].span.map(|span| span.of(&document.text)), Some("this"));
}

#[test]
fn a_page_in_another_encoding_is_read_by_its_own_word() {
    let page = "<html><head><meta http-equiv=Content-Type content='text/html; charset=windows-1251'></head>\
                <body><p>Совет принял решение построить школу.</p></body></html>";
    let (bytes, _, _) = encoding_rs::WINDOWS_1251.encode(page);
    let document = extract(&bytes, &Hint::default(), &Limits::default()).expect("reads");
    assert_eq!(document.text, "Совет принял решение построить школу.");
    assert_eq!(document.encoding.as_deref(), Some("windows-1251"));
}
