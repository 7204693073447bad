//! Files and standard input.

use std::{fs, path::Path};

use super::{Case, script_everywhere};
use crate::world::{World, text};

pub(crate) fn cases(world: &World) -> Vec<Case> {
    [
        nowhere(world),
        sizes(world),
        bytes(world),
        pages(world),
        feeds(world),
        others(world),
        pdfs(world),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn nowhere(world: &World) -> Vec<Case> {
    world.file("file", "text");
    fs::create_dir_all(world.path("folder")).unwrap();
    let mut cases = vec![
        Case::new("no such file", "no.txt", 11, "caused by"),
        Case::new("a folder", "folder", 10, "is a directory"),
        Case::new("a path through a file", "file/a.txt", 10, "caused by"),
        Case::new("the name of a flag", "./--help", 11, "caused by"),
    ];
    // Not even root may read it.
    let closed = "/proc/sys/vm/compact_memory";
    if Path::new(closed).exists() {
        cases.push(Case::new("permission denied", closed, 13, "ermission denied"));
    }
    cases
}

fn sizes(world: &World) -> Vec<Case> {
    let sparse = |name: &str, size: u64| {
        fs::File::create(world.path(name)).unwrap().set_len(size).unwrap();
    };
    sparse("giga.txt", 1 << 30);
    sparse("zeros.txt", 65 << 20);
    world.file("empty.txt", "");
    world.file("blank.txt", " \n\t \r\n".repeat(1000));
    world.file("line.txt", "a".repeat(1 << 20));
    world.file("words.txt", "lorem ipsum ".repeat(90_000));
    world.file("brackets.txt", "([{\"'".repeat(50_000));
    vec![
        Case::new("a file of 1 GB", "giga.txt", 10, "larger than 64 MiB"),
        Case::new("an endless device", "/dev/zero", 10, "larger than 64 MiB"),
        Case::new("an endless device on standard input", "-", 10, "larger than").fed("/dev/zero"),
        Case::new("65 MiB on standard input", "-", 10, "larger than 64 MiB").fed("zeros.txt"),
        Case::new("an empty file", "empty.txt", 3, "skipped"),
        Case::new("nothing but blanks", "blank.txt", 3, "skipped"),
        Case::new("1 MB in one line and one word", "line.txt", 0, "not in English"),
        Case::new("1 MB in one line, repeated", "words.txt", 3, "skipped"),
        Case::new("250,000 open brackets", "brackets.txt", 3, "skipped"),
    ]
}

fn bytes(world: &World) -> Vec<Case> {
    let utf16: Vec<u8> = text(3).encode_utf16().flat_map(u16::to_le_bytes).collect();
    world.file("nul.txt", text(1).replace(' ', "\0 "));
    world
        .file("latin.txt", [text(2).as_bytes(), b"\xE9\xFF\xC3\x28 \xED\xA0\x80 caf\xE9"].concat());
    world.file("wide.txt", [b"\xFF\xFE".as_slice(), &utf16, b"\x00\xD8"].concat());
    world.file("override.txt", format!("\u{202E}{}\u{200B}\u{FEFF}\u{1B}[2J\u{7}", text(4)));
    world.file("program", [b"\x7FELF".as_slice(), &[0; 5000]].concat());
    world.file("a.zip", [b"PK\x03\x04".as_slice(), &[7; 5000]].concat());
    world.file("a.txt.gz", [b"\x1F\x8B\x08\0".as_slice(), &[7; 5000]].concat());
    world.file("a.png", [b"\x89PNG\r\n\x1A\n".as_slice(), &[7; 5000]].concat());
    world.file(
        "noise.txt",
        (0..20_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect::<Vec<_>>(),
    );
    world.file("talk.mp4", b"\0\0\0\x18ftypmp42 and more");
    vec![
        Case::new("NUL bytes between words", "nul.txt", 31, "not text"),
        Case::new("invalid UTF-8", "latin.txt", 0, ""),
        Case::new("UTF-16 with half a pair at its end", "wide.txt", 0, ""),
        Case::new("direction overrides and terminal commands", "override.txt", 0, ""),
        Case::new("a program", "program", 31, "not text"),
        Case::new("an archive", "a.zip", 31, "not text"),
        Case::new("packed data", "a.txt.gz", 31, "not text"),
        Case::new("a picture", "a.png", 31, "not text"),
        Case::new("noise", "noise.txt", 31, "not text"),
        Case::new("a film, no transcriber", "talk.mp4", 15, "--transcriber"),
    ]
}

fn pages(world: &World) -> Vec<Case> {
    let open = "<div>".repeat(20_000);
    world.file("deep.html", format!("<html><body>{open}text"));
    world.file("inline.html", format!("<html><body>{}text", "<b><i>".repeat(50_000)));
    let attributes: String = (0..100_000).map(|n| format!(" a{n}=x")).collect();
    world.file("attributes.html", format!("<html><body><p{attributes}>{}</p>", text(1)));
    world.file("elements.html", format!("<html><body>{}", "<br>".repeat(500_000)));
    world.file(
        "comment.html",
        format!("<html><body><p>{}</p><!--{}", text(2), "-<!".repeat(300_000)),
    );
    world.file("large.html", format!("<html><body>{}", "<p>a b c</p>".repeat(1_500_000)));
    world.file("script.html", script_everywhere());
    world.file("table.html", format!("<html><body>{}x", "<table><tr><td>".repeat(5_000)));
    vec![
        Case::new("a page nested 20,000 deep", "deep.html", 31, "deep"),
        Case::new("100,000 open inline elements", "inline.html", 31, "deep"),
        Case::new("a table in a table, 5,000 times", "table.html", 31, "deep"),
        Case::new("an element with 100,000 attributes", "attributes.html", 10, "too large"),
        Case::new("500,000 elements", "elements.html", 10, "too large"),
        Case::new("an open comment of 900 kB", "comment.html", 0, ""),
        Case::new("a page of 18 MB", "large.html", 10, "too large").heavy(),
        Case::new("script and markup in titles and quotes", "script.html", 0, ""),
    ]
}

fn feeds(world: &World) -> Vec<Case> {
    let laughs: String = (1..10)
        .map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10)))
        .collect();
    let feed = |top: &str, words: &str| {
        format!(
            "<?xml version=\"1.0\"?>{top}<rss version=\"2.0\"><channel><title>T</title><item><title>I</title><description>{words}</description></item></channel></rss>"
        )
    };
    world.file(
        "laughs.xml",
        feed(&format!("<!DOCTYPE lolz [<!ENTITY l0 \"ha\">{laughs}]>"), "&l9;"),
    );
    world.file(
        "secret.xml",
        feed("<!DOCTYPE r [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>", "&x;"),
    );
    world.file("deep.xml", feed("", &"<a>".repeat(20_000)));
    let items: String =
        (0..10_000).map(|n| format!("<item><title>Item {n}</title></item>")).collect();
    world.file(
        "many.xml",
        format!("<rss version=\"2.0\"><channel><title>T</title>{items}</channel></rss>"),
    );
    world.file("cut.xml", &feed("", &text(1))[..200]);
    vec![
        Case::new("a feed with an entity bomb", "laughs.xml", 3, "skipped"),
        Case::new("a feed that asks for a file", "secret.xml", 3, "skipped"),
        Case::new("a feed nested 20,000 deep", "deep.xml", 31, "deep"),
        Case::new("a feed of 10,000 items", "many.xml", 0, ""),
        Case::new("half a feed", "cut.xml", 31, "caused by"),
    ]
}

fn others(world: &World) -> Vec<Case> {
    let cue = |n: u64| format!("{n}\n00:00:{:02},000 --> 99:99:99,999\nword {n}\n\n", n % 60);
    world.file("many.srt", (0..100_000).map(cue).collect::<String>());
    world
        .file("broken.srt", "1\n00:00 --> \n\n--> -->\n7\n99999999999999999999:00:00,000 --> 1\nx");
    world.file("deep.json", format!("{{\"segments\": {}", "[".repeat(200_000)));
    world.file("cut.json", "{\"segments\": [{\"start\": 0, \"end\": 1, \"text\": \"one");
    world.file(
        "times.json",
        "{\"segments\": [{\"start\": -1e308, \"end\": 1e308, \"text\": \"one\"}]}",
    );
    world.file("quotes.md", format!("{}text", "> ".repeat(50_000)));
    world.file("links.md", "[a](".repeat(50_000));
    world.file("stars.md", "*a **b ".repeat(50_000));
    vec![
        Case::new("100,000 cues with impossible times", "many.srt", 0, "").heavy(),
        Case::new("broken captions", "broken.srt", 3, "skipped"),
        Case::new("JSON nested 200,000 deep", "deep.json", 31, "caused by"),
        Case::new("half a transcript", "cut.json", 31, "caused by"),
        Case::new("a transcript with impossible times", "times.json", 3, "skipped"),
        Case::new("Markdown quoted 50,000 deep", "quotes.md", 31, "deep"),
        Case::new("50,000 open links in Markdown", "links.md", 3, "skipped"),
        Case::new("50,000 open emphases in Markdown", "stars.md", 3, "skipped"),
    ]
}

fn pdfs(world: &World) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../consort-content/tests/corpus/pdf");
    let pdf = |name: &str| fs::read(folder.join(name)).unwrap();
    let whole = pdf("two-column.pdf");
    world.file("locked.pdf", pdf("encrypted.pdf"));
    world.file("cut.pdf", &whole[..whole.len() / 3]);
    world.file("not.pdf", "%PDF-1.4 and nothing else");
    world.file("deep.pdf", [b"%PDF-1.7\n".as_slice(), &b"[<<".repeat(200_000)].concat());
    world.file("huge.pdf", [&whole[..], &b"\n% padding".repeat(6_000_000)].concat());
    world.file("over.pdf", [&whole[..], &b"\n% padding".repeat(7_000_000)].concat());
    vec![
        Case::new("a PDF with a password", "locked.pdf", 31, "password"),
        Case::new("a third of a PDF", "cut.pdf", 31, "PDF"),
        Case::new("not a PDF, but so called", "not.pdf", 31, "PDF"),
        Case::new("a PDF nested 400,000 deep", "deep.pdf", 31, "PDF"),
        Case::new("a PDF of 60 MB", "huge.pdf", 10, "too large"),
        Case::new("a PDF of 70 MB", "over.pdf", 10, "larger than 64 MiB"),
    ]
}

/// A sentence that no other number gives.
fn prose(number: usize) -> String {
    let hash = consort::core::Hash::of(&number.to_le_bytes()).to_string();
    let word = |at: usize| {
        let letter = |digit: u8| char::from(b'a' + digit % 26);
        hash.bytes().skip(3 * at).take(3).map(letter).collect::<String>()
    };
    let words = [0, 1, 2, 3, 4, 5].map(word);
    let [a, b, c, d, e, f] = &words;
    format!("The {a}er of {b} was {c}ed in {number} and the {d} said that {e} had {f} it. ")
}

/// A caption of one second.
fn cue(number: usize) -> String {
    let (hours, minutes, seconds) = (number / 3600, number / 60 % 60, number % 60);
    format!(
        "{number}\n{hours:02}:{minutes:02}:{seconds:02},000 --> {hours:02}:{minutes:02}:{seconds:02},900\nSentence {number} is said by somebody here.\n\n"
    )
}

/// Long texts in Latin-1 and UTF-16.
fn encoded(world: &World) {
    let latin: Vec<u8> = (0..60_000)
        .map(prose)
        .collect::<String>()
        .replace('b', "\u{e9}")
        .chars()
        .map(|c| c as u8)
        .collect();
    world.file("latin.txt", latin.repeat(10));
    let wide: Vec<u8> = (0..60_000)
        .map(prose)
        .collect::<String>()
        .repeat(5)
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect();
    world.file("wide.txt", [b"\xFE\xFF".as_slice(), &wide].concat());
}

/// What would be large in memory if it were small enough to be read: only in measured runs.
pub(crate) fn large(world: &World) -> Vec<Case> {
    let fill = |name: &str, size: usize, piece: &dyn Fn(usize) -> String| {
        let mut content = String::with_capacity(size + 4096);
        for number in 0.. {
            if content.len() >= size {
                break;
            }
            content += &piece(number);
        }
        content.truncate(size);
        world.file(name, content)
    };
    const MIB: usize = 1 << 20;
    encoded(world);
    let words = |number: usize| format!("w{number} ");
    let object =
        |number: usize| if number == 0 { "{\"segments\":[".into() } else { "{\"a\":1},".into() };
    let item = |number: usize| match number {
        0 => "<rss version=\"2.0\"><channel><title>T</title>".into(),
        _ => "<item></item>".to_owned(),
    };
    let page = |number: usize| format!("<p>{} <a href=x{number}>b</a></p>", "word ".repeat(6));
    let file = |what, input: &str| Case::new(what, input, 0, "beyond");
    vec![
        file("63 MB of prose", &fill("prose.txt", 60 * MIB, &prose)),
        file(
            "63 MB of prose with Windows line ends",
            &fill("lines.txt", 60 * MIB, &|n| prose(n).replace(". ", ".\r\n")),
        ),
        file("50 MB in Latin-1", "latin.txt"),
        file("50 MB in UTF-16", "wide.txt"),
        Case::new("63 MB of words, each new", &fill("new.txt", 60 * MIB, &words), 0, ""),
        Case::new(
            "63 MB of Markdown marks",
            &fill("marks.md", 60 * MIB, &|_| "*a* [b](c) `d` ".into()),
            3,
            "",
        ),
        Case::new("63 MB of captions", &fill("long.srt", 60 * MIB, &cue), 3, ""),
        Case::new(
            "63 MB of JSON objects",
            &fill("objects.json", 60 * MIB, &object),
            10,
            "too large",
        ),
        Case::new("15 MB of JSON objects", &fill("some.json", 15 * MIB, &object), 10, "too large"),
        Case::new(
            "3 MB of empty items in a feed",
            &fill("items.xml", 3 * MIB, &item),
            10,
            "too large",
        ),
        Case::new(
            "a page of 10 MB and 370,000 elements",
            &fill("page.html", 10 * MIB, &page),
            3,
            "",
        ),
    ]
}
