//! `consort analyze` on pages, feeds and PDFs, from a server of the test's own.

use std::{
    collections::HashMap,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
};

use crate::{
    server::{self, feed, page},
    world::{PATIENCE, World, text},
};

/// A server on loopback that gives out these pages.
fn server(pages: impl Fn(u16) -> Vec<(&'static str, &'static str, String)>) -> u16 {
    let (listener, port) = server::bind();
    let pages: HashMap<_, _> =
        pages(port).into_iter().map(|(path, kind, body)| (path, (kind, body))).collect();
    server::serve(listener, move |path| pages.get(path).cloned());
    port
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
    let ended = world
        .run(&["analyze", &file, "--allow", &allow, "--items", "9", "--out", "more/"])
        .with_code(11);
    assert!(ended.err.contains("5 inputs: 3 reported, 1 degraded, 1 failed"), "{ended:#?}");
}

#[test]
fn a_feed_that_was_killed_goes_on_and_analyses_no_finished_page_again() {
    let world = World::new();
    let (listener, port) = server::bind();
    let (asked, stuck) = mpsc::channel();
    let held = AtomicBool::new(true);
    server::serve(listener, move |path| {
        if path == "/4" && held.swap(false, Ordering::SeqCst) {
            asked.send(()).unwrap();
            // Until the one who asked is gone.
            std::thread::park();
        }
        match path {
            "/feed" => Some(("application/rss+xml", feed(port, 6))),
            _ => Some(("text/html", page(path[1..].parse().ok()?))),
        }
    });
    let (url, allow) = (format!("http://127.0.0.1:{port}/feed"), format!("127.0.0.1:{port}"));
    let args = ["analyze", &url, "--allow", &allow, "--jobs", "1", "--out", "reports/", "--json"];
    let going = world.start(&args);
    stuck.recv_timeout(PATIENCE).unwrap();
    going.kill();

    let answer = world.run(&args).with_code(0).json();
    let lines = answer["inputs"].as_array().unwrap();
    let reused: Vec<bool> = lines.iter().map(|line| line["reused"].as_bool().unwrap()).collect();
    // The feed and three pages were done. The fourth goes on by itself, before its turn or not.
    assert_eq!(reused[..4], [true; 4], "{answer:#}");
    assert_eq!(reused[5..], [false; 2], "{answer:#}");
    assert_eq!(fs::read_dir(world.path("reports")).unwrap().count(), 7);
    for line in &lines[..4] {
        let run = line["run"].as_str().unwrap();
        let shown = world.run(&["show", run, "--json"]).with_code(0).out;
        assert!(shown.contains("find_report") && !shown.contains("analyse_text"), "{shown}");
    }
}

#[test]
fn a_page_is_analysed_again_when_it_changed_or_when_told_to() {
    let world = World::new();
    let (listener, port) = server::bind();
    let number = Arc::new(AtomicUsize::new(1));
    let now = number.clone();
    server::serve(listener, move |path| {
        (path == "/").then(|| ("text/html", page(now.load(Ordering::SeqCst))))
    });
    let (url, allow) = (format!("http://127.0.0.1:{port}/"), format!("127.0.0.1:{port}"));
    let args = ["analyze", &url, "--allow", &allow];
    let first = world.run(&args).with_code(0);
    let same = world.run(&args).with_code(0);
    assert!(same.err.contains("report of ") && !first.err.contains("report of "), "{same:#?}");
    assert_eq!(same.out, first.out);
    let again = [&args[..], &["--again"]].concat();
    assert!(!world.run(&again).with_code(0).err.contains("report of "));
    number.store(2, Ordering::SeqCst);
    let changed = world.run(&args).with_code(0);
    assert!(!changed.err.contains("report of ") && changed.out.contains("Story 2"), "{changed:#?}");
}

#[test]
fn a_search_endpoint_is_asked_about_claims_whatever_its_robots_rules_say_of_pages() {
    let world = World::new();
    let (listener, port) = server::bind();
    server::serve(listener, move |path| match path.split('?').next()? {
        "/robots.txt" => Some(("text/plain", "User-agent: *\nDisallow: /search".to_owned())),
        "/search" if path.contains("31%20percent") => {
            let found = serde_json::json!({"results": [{
                "source": "City counters",
                "statement": "Traffic rose by 31 percent.",
                "quote": "Counts on Quay Street were 31 percent above last year.",
                "published": "2025-02-01",
                "stance": "supports",
            }]});
            Some(("application/json", found.to_string()))
        }
        "/search" => Some(("application/json", "{\"results\": []}".to_owned())),
        _ => None,
    });
    let (file, allow) = (world.file("a.txt", text(1)), format!("127.0.0.1:{port}"));
    let search = format!("http://127.0.0.1:{port}/search?q={{query}}");
    let args = ["analyze", &file, "--evidence", &search, "--json"];
    // Loopback is out of reach unless it is allowed, and the report says so.
    let refused = world.run(&args).with_code(0).json();
    assert!(refused.to_string().contains("not a public address"), "{refused:#}");
    let report = world.run(&[&args[..], &["--allow", &allow, "--again"]].concat());
    let report = report.with_code(0).json();
    let checks = report["verification"].as_array().unwrap();
    let checked = checks.iter().find(|check| check.to_string().contains("City counters"));
    let checked = checked.unwrap_or_else(|| panic!("{checks:#?}"));
    assert_eq!(checked["verdict"], "supported", "{checked:#}");
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

#[test]
fn a_recording_goes_to_the_transcriber_and_without_one_the_remedy_is_told() {
    let world = World::new();
    let file = world.file("talk.mp3", b"ID3\x04 and sound");
    let ended = world.run(&["analyze", &file]).with_code(15);
    assert!(ended.err.contains("talk.mp3` is a recording, and no transcriber"), "{ended:#?}");
    assert!(ended.err.contains("--transcriber"), "{ended:#?}");

    let segments = serde_json::json!({"segments": [{"start": 0, "end": 60, "text": text(1)}]});
    world.file("transcribe.sh", format!("cat <<'EOF'\n{segments}\nEOF\n"));
    let script = format!("/bin/sh {}", world.path("transcribe.sh").display());
    let args = ["analyze", &file, "--transcriber", &script];
    let ended = world.run(&args).with_code(0);
    assert!(ended.err.contains("a machine's transcript"), "{ended:#?}");
    assert!(ended.out.contains("Port Selwyn"), "{ended:#?}");
    // Once is enough.
    assert!(world.run(&args).with_code(0).err.contains("--again makes a new one"));
    let (listener, port) = server::bind();
    server::serve(listener, |path| {
        Some(("audio/mpeg", path.to_owned())).filter(|_| path == "/a.mp3")
    });
    let (url, allow) = (format!("http://127.0.0.1:{port}/a.mp3"), format!("127.0.0.1:{port}"));
    let args = ["analyze", &url, "--allow", &allow];
    let ended = world.run(&args).with_code(15);
    assert!(ended.err.contains("is a recording, and no transcriber"), "{ended:#?}");
    world.run(&[&args[..], &["--transcriber", &script]].concat()).with_code(0);
}
