//! `consort analyze` on pages, feeds and PDFs, from a server of the test's own.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::Path,
};

use crate::world::{World, text};

/// A server on loopback that gives out these pages. Lasts as long as the tests.
fn server(pages: impl Fn(u16) -> Vec<(&'static str, &'static str, String)>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let pages: HashMap<_, _> =
        pages(port).into_iter().map(|(path, kind, body)| (path, (kind, body))).collect();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut first = String::new();
            reader.read_line(&mut first).unwrap();
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
                line.clear();
            }
            let path = first.split(' ').nth(1).unwrap_or_default();
            let (status, kind, body) = match pages.get(path) {
                Some((kind, body)) => ("200 OK", *kind, &**body),
                None => ("404 Not Found", "text/plain", ""),
            };
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            // A client that has left has its reasons.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

fn page(number: usize) -> String {
    format!(
        "<html><head><title>Story {number}</title></head><body><article><h1>Story {number}</h1><p>{}</p></article></body></html>",
        text(number)
    )
}

fn feed(port: u16, items: usize) -> String {
    let items: String = (1..=items)
        .map(|n| format!("<item><title>Story {n}</title><link>http://127.0.0.1:{port}/{n}</link><description>{}</description></item>", text(n)))
        .collect();
    format!(
        "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>News</title><link>http://127.0.0.1:{port}/</link>{items}</channel></rss>"
    )
}

fn pdf(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../consort-content/tests/corpus/pdf");
    fs::read(folder.join(name)).unwrap()
}

#[test]
fn a_page_is_reported_on_when_its_host_is_allowed() {
    let world = World::new();
    let port = server(|_| vec![("/1", "text/html", page(1))]);
    let url = format!("http://127.0.0.1:{port}/1");
    let refused = world.run(&["analyze", &url]).with_code(14);
    assert!(refused.err.contains("not a public address"), "{refused:#?}");
    assert!(refused.err.contains(&format!("--allow 127.0.0.1:{port}")), "{refused:#?}");
    let allow = format!("127.0.0.1:{port}");
    let ended = world.run(&["analyze", &url, "--allow", &allow]).with_code(0);
    assert!(ended.out.contains("# Story 1"), "{ended:#?}");
    let missing = world.run(&["analyze", &format!("http://{allow}/no"), "--allow", &allow]);
    assert!(missing.with_code(11).err.contains("404 Not Found"));
}

#[test]
fn a_host_that_is_closed_to_programs_is_left_alone_unless_told_otherwise() {
    let world = World::new();
    let rules = "User-agent: *\nDisallow: /".to_owned();
    let port = server(|_| {
        vec![("/1", "text/html", page(1)), ("/robots.txt", "text/plain", rules.clone())]
    });
    let (url, allow) = (format!("http://127.0.0.1:{port}/1"), format!("127.0.0.1:{port}"));
    let ended = world.run(&["analyze", &url, "--allow", &allow]).with_code(14);
    assert!(ended.err.contains("robots.txt"), "{ended:#?}");
    world.run(&["analyze", &url, "--allow", &allow, "--ignore-robots"]).with_code(0);
}

#[test]
fn what_a_feed_announces_is_reported_on_too() {
    let world = World::new();
    let port = server(|port| {
        vec![
            ("/feed", "application/rss+xml", feed(port, 3)),
            ("/1", "text/html", page(1)),
            ("/2", "text/html", page(2)),
            ("/3", "text/html", page(3)),
        ]
    });
    let (url, allow) = (format!("http://127.0.0.1:{port}/feed"), format!("127.0.0.1:{port}"));
    let args = ["analyze", &url, "--allow", &allow, "--items", "2", "--out", "reports/", "--json"];
    // The feed's own words repeat themselves, which is told and stops nothing else.
    let ended = world.run(&args).with_code(0);
    assert!(ended.err.contains("announces 3 pages, the first 2 follow"), "{ended:#?}");
    let answer = ended.json();
    let inputs: Vec<&str> = answer["inputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["input"].as_str().unwrap())
        .collect();
    let one = |n: usize| format!("http://127.0.0.1:{port}/{n}");
    assert_eq!(inputs, [&*url, &one(1), &one(2)]);
    assert_eq!(fs::read_dir(world.path("reports")).unwrap().count(), 3);
    // A file will do as well, and pages that are gone are told.
    let file = world.file("feed.xml", feed(port, 4));
    let ended = world.run(&["analyze", &file, "--allow", &allow, "--out", "more/"]).with_code(11);
    assert!(ended.err.contains("5 inputs: 3 reported, 1 degraded, 1 failed"), "{ended:#?}");
}

#[test]
fn a_feed_of_ten_thousand_items_is_read_as_far_as_was_asked() {
    let world = World::new();
    let items: String = (1..=10_000)
        .map(|n| {
            format!(
                "<item><title>Item number {n}</title><link>http://127.0.0.1:1/{n}</link></item>"
            )
        })
        .collect();
    let file = world.file(
        "feed.xml",
        format!("<rss version=\"2.0\"><channel><title>N</title>{items}</channel></rss>"),
    );
    let ended = world.run(&["analyze", &file, "--items", "2"]);
    assert!(ended.err.contains("announces 1000 pages, the first 2 follow"), "{ended:#?}");
}

#[test]
fn a_pdf_is_read_by_a_process_of_its_own() {
    let world = World::new();
    let file = world.file("a.pdf", pdf("two-column.pdf"));
    let ended = world.run(&["analyze", &file]).with_code(0);
    assert!(ended.out.contains("## "), "{ended:#?}");
}

#[test]
fn pdfs_that_cannot_be_read_say_why() {
    let world = World::new();
    let whole = pdf("two-column.pdf");
    let bomb = [b"%PDF-1.7\n".as_slice(), &b"[<<".repeat(200_000)].concat();
    for (name, bytes, words) in [
        ("locked.pdf", pdf("encrypted.pdf"), "password"),
        ("cut.pdf", whole[..whole.len() / 3].to_vec(), "PDF"),
        ("not.pdf", b"%PDF-1.4 and nothing else".to_vec(), "PDF"),
        ("deep.pdf", bomb, "PDF"),
    ] {
        let file = world.file(name, bytes);
        let ended = world.run(&["analyze", &file]).with_code(31);
        assert!(ended.err.contains(words), "{name}: {ended:#?}");
    }
}
