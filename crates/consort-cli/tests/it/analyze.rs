//! `consort analyze` on one input and on several.

use std::fs;

use crate::world::{World, filled, text};

#[test]
fn a_report_goes_to_standard_output_and_nothing_else() {
    let world = World::new();
    let file = world.file("a.txt", text(4));
    let ended = world.run(&["analyze", &file]).with_code(0);
    assert!(ended.out.starts_with("# a.txt\n"), "{ended:#?}");
    assert!(ended.out.contains("## Claims"), "{ended:#?}");
    assert_eq!(ended.err, "");
}

#[test]
fn reports_fit_eighty_columns_without_colour() {
    let world = World::new();
    let file = world.file("a.txt", text(4));
    let out = world.run(&["analyze", &file]).with_code(0).out;
    let overlong = out.lines().find(|line| {
        // A word that is longer than a line cannot be broken.
        line.chars().count() > 80 && line.split_whitespace().all(|word| word.len() < 40)
    });
    assert_eq!(overlong, None);
    assert!(!out.contains('\u{1b}'));
}

#[test]
fn standard_input_is_analysed_and_json_has_the_claims() {
    let world = World::new();
    let ended = world.run_with_input(&["analyze", "-", "--json"], text(4).as_bytes()).with_code(0);
    let report = ended.json();
    assert!(!report["claims"].as_array().unwrap().is_empty(), "{report}");
    assert_eq!(report["source"]["locator"], "stdin");
}

#[test]
fn empty_input_is_skipped_with_the_reason() {
    let world = World::new();
    let ended = world.run_with_input(&["analyze", "-"], b"").with_code(3);
    assert!(ended.err.starts_with("skipped: "), "{ended:#?}");
    assert_eq!(ended.out, "");
    let ended = world.run_with_input(&["analyze", "-", "--json"], b"").with_code(3);
    assert!(ended.json()["skipped"].is_string(), "{ended:#?}");
}

#[test]
fn what_cannot_be_read_is_named_with_its_cause() {
    let world = World::new();
    fs::create_dir(world.path("directory")).unwrap();
    let program = fs::read(env!("CARGO_BIN_EXE_consort")).unwrap();
    world.file("program", &program[..100_000]);
    for (input, code, words) in [
        ("missing.txt", 11, "caused by: No such file"),
        ("directory", 10, "is a directory"),
        ("program", 31, "caused by: "),
    ] {
        let ended = world.run(&["analyze", input]).with_code(code);
        assert!(ended.err.starts_with("error: ") && ended.err.contains(words), "{ended:#?}");
        assert!(ended.err.contains("\nhint: "), "{ended:#?}");
        assert_eq!(ended.out, "");
    }
}

#[test]
fn a_file_name_can_be_anything() {
    let world = World::new();
    let name = world.file("naïve ‹talk› $(x).txt", text(4));
    let ended = world.run(&["analyze", &name, "--out", "reports/"]).with_code(0);
    assert!(filled(&world.path("reports/naïve ‹talk› $(x).txt.md")), "{ended:#?}");
}

#[test]
fn several_inputs_fail_one_by_one_and_end_with_the_worst() {
    let world = World::new();
    let (a, b) = (world.file("a.txt", text(1)), world.file("b.txt", text(2)));
    let args = ["analyze", &a, "missing.txt", &b, ".", "--out", "reports/"];
    let ended = world.run(&args).with_code(11);
    assert!(ended.err.contains("error: missing.txt: "), "{ended:#?}");
    assert!(ended.err.contains("error: .: "), "{ended:#?}");
    assert!(ended.err.ends_with("4 inputs: 2 reported, 2 failed\n"), "{ended:#?}");
    assert!(filled(&world.path("reports/a.txt.md")) && filled(&world.path("reports/b.txt.md")));
    assert_eq!(ended.out, "");
}

#[test]
fn several_reports_come_in_the_order_of_the_inputs() {
    let world = World::new();
    let names: Vec<String> =
        (1..=6).map(|n| world.file(&format!("{n}.txt"), text(n).repeat(7 - n))).collect();
    let mut args = vec!["analyze", "--json", "--jobs", "6"];
    args.extend(names.iter().map(String::as_str));
    args.insert(5, "missing.txt");
    let documents = world.run(&args).with_code(11).documents();
    let locators: Vec<&str> = documents
        .iter()
        .map(|one| one["source"]["locator"].as_str().or(one["input"].as_str()).unwrap())
        .collect();
    assert_eq!(locators, ["1.txt", "missing.txt", "2.txt", "3.txt", "4.txt", "5.txt", "6.txt"]);
    assert_eq!(documents[1]["error"]["category"], "not_found");
}

#[test]
fn several_reports_do_not_go_into_one_file() {
    let world = World::new();
    let ended = world.run(&["analyze", "a", "b", "--out", "both.md"]).with_code(2);
    assert!(ended.err.contains("--out both.md/"), "{ended:#?}");
    let ended = world.run(&["analyze", "-", "-"]).with_code(2);
    assert!(ended.err.contains("only be read once"), "{ended:#?}");
    let ended = world.run(&["analyze", "a", "--json", "--format", "md"]).with_code(2);
    assert!(ended.err.contains("contradict"), "{ended:#?}");
}

#[test]
fn the_form_follows_the_name_of_the_file() {
    let world = World::new();
    let file = world.file("a.txt", text(1));
    world.run(&["analyze", &file, "--out", "a.json"]).with_code(0);
    let report = fs::read_to_string(world.path("a.json")).unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&report).unwrap()["claims"].is_array());
    let ended = world.run(&["analyze", &file, "--out", "nowhere/a.md"]).with_code(11);
    assert!(ended.err.contains("cannot write `nowhere/a.md`"), "{ended:#?}");
}

#[test]
fn a_page_and_the_claims_for_search_engines_are_files_of_their_own() {
    let world = World::new();
    let file = world.file("a.txt", text(1));
    world.run(&["analyze", &file, "--out", "a.html"]).with_code(0);
    let page = fs::read_to_string(world.path("a.html")).unwrap();
    assert!(page.starts_with("<!") && page.contains("Quay Street"), "{page}");
    world.run(&["analyze", &file, "--out", "reports/", "--format", "json-ld"]).with_code(0);
    let claims = fs::read_to_string(world.path("reports/a.txt.jsonld")).unwrap();
    let claims: serde_json::Value = serde_json::from_str(&claims).unwrap();
    assert_eq!(claims["@context"], "https://schema.org");
    // All forms are of one run.
    assert_eq!(world.runs().len(), 1);
    world.run(&["analyze", "a", "b", "--format", "html"]).with_code(2);
    world.run(&["analyze", "a", "--json", "--format", "html"]).with_code(2);
}

#[test]
fn under_json_with_out_the_answer_tells_what_became_of_each_input() {
    let world = World::new();
    let file = world.file("a.txt", text(1));
    let args = ["analyze", &file, "missing.txt", "--out", "reports/", "--json"];
    let inputs = world.run(&args).with_code(11).json()["inputs"].clone();
    assert_eq!(inputs[0]["input"], "a.txt");
    assert_eq!(inputs[0]["status"], "succeeded");
    assert_eq!(inputs[0]["out"], "reports/a.txt.json");
    assert_eq!(inputs[1]["error"]["category"], "not_found");
    assert!(filled(&world.path("reports/a.txt.json")));
}

#[test]
fn the_same_content_is_not_analysed_twice() {
    let world = World::new();
    let file = world.file("a.txt", text(1));
    let first = world.run(&["analyze", &file]).with_code(0);
    let second = world.run(&["analyze", &file]).with_code(0);
    assert_eq!(first.out, second.out);
    assert!(second.err.contains("--again makes a new one"), "{second:#?}");
    assert_eq!(world.runs().len(), 1);

    // The report speaks of the name that it was asked for.
    let copy = world.file("copy.txt", text(1));
    assert!(world.run(&["analyze", &copy]).with_code(0).out.contains("copy.txt"));
    assert_eq!(world.runs().len(), 1);

    for (args, runs) in [
        (&["analyze", "a.txt", "--depth", "quick"][..], 2),
        (&["analyze", "a.txt", "--again"], 3),
        // The new one counts from now on.
        (&["analyze", "a.txt"], 3),
    ] {
        world.run(args).with_code(0);
        assert_eq!(world.runs().len(), runs, "{args:?}");
    }
}

#[test]
fn what_failed_is_tried_again() {
    let world = World::new();
    let file = world.file("a.txt", text(1));
    let ended = world.run(&["analyze", &file, "--timeout", "0s"]).with_code(20);
    assert!(ended.err.contains("deadline"), "{ended:#?}");
    world.run(&["analyze", &file]).with_code(0);
}

#[test]
fn runs_are_kept_where_only_the_user_may_look() {
    let world = World::new();
    let file = world.file("a.txt", text(1));
    world.run(&["analyze", &file]).with_code(0);
    assert!(world.store().exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(world.path("data/consort")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}

#[test]
fn without_a_usable_store_the_main_job_still_works() {
    let world = World::new();
    let file = world.file("a.txt", text(1));
    world.file("data", "a file where a directory should be");
    let ended = world.run(&["analyze", &file]).with_code(0);
    assert!(ended.out.starts_with("# a.txt"), "{ended:#?}");
    assert!(ended.err.starts_with("warning: nothing is recorded, "), "{ended:#?}");
    // Who names a store insists on it.
    let ended = world.run(&["analyze", &file, "--store", "data/x.db"]);
    assert!(ended.code != Some(0) && ended.out.is_empty(), "{ended:#?}");
}

#[test]
fn quiet_means_errors_only() {
    let world = World::new();
    let file = world.file("a.txt", text(1));
    let args = ["analyze", &file, &file, ".", "--out", "reports/", "-q"];
    let ended = world.run(&args).with_code(10);
    assert!(
        ended.err.lines().all(|line| line.starts_with("error: ") || line.starts_with("hint: "))
    );
}

/// Reviews of what [`text`] claims.
fn reviews(number: usize) -> String {
    format!(
        r#"{{"@context": "https://schema.org", "@graph": [{{"@type": "ClaimReview", "url": "https://facts.example/port",
            "datePublished": "2025-02-03", "author": {{"name": "Harbour Facts"}},
            "claimReviewed": "The port handled {number}.2 million tonnes of cargo in 2024.",
            "reviewBody": "Customs counted {number}.2 million tonnes.", "reviewRating": {{"alternateName": "True"}}}}]}}"#
    )
}

#[test]
fn claims_are_checked_against_evidence_and_later_reports_remember_it() {
    let world = World::new();
    let (file, evidence) = (world.file("a.txt", text(7)), world.file("reviews.json", reviews(7)));
    let verdicts = |args: &[&str]| {
        let report = world.run(args).with_code(0).json();
        let checks = report["verification"].as_array().unwrap().clone();
        let supported = checks.iter().find(|check| check["verdict"] == "supported").cloned();
        (supported, report)
    };
    let (none, report) = verdicts(&["analyze", &file, "--json"]);
    assert!(none.is_none());
    assert_eq!(report["verification"][0]["reason"], "No evidence source was asked.");

    // Other options are other work.
    let (supported, report) = verdicts(&["analyze", &file, "--json", "--evidence", &evidence]);
    let piece = supported.unwrap()["evidence"][0].clone();
    assert_eq!(piece["source"], "Harbour Facts");
    assert_eq!(piece["via"], "reviews.json");
    assert!(piece["quote"].is_string() && piece["published"] == "2025-02-03", "{piece}");
    assert_eq!(report["near_duplicates"][0]["likeness"]["shared"], 1.0);
    let first = report["provenance"]["run"].as_str().unwrap().to_owned();

    // Nobody names the evidence now, but the store has it.
    let other = world.file("b.txt", text(7) + "One more line was added by the editors later.");
    let (supported, report) = verdicts(&["analyze", &other, "--json"]);
    assert_eq!(supported.unwrap()["evidence"][0]["via"], format!("report {first}"));
    let near: Vec<&str> = report["near_duplicates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|near| near["report"].as_str().unwrap())
        .collect();
    assert_eq!(near.len(), 2);
    assert!(near.contains(&first.as_str()), "{near:?}");
}

#[test]
fn a_source_of_evidence_that_is_none_is_told_before_anything_runs() {
    let world = World::new();
    let file = world.file("a.txt", text(1));
    let (page, empty) = (world.file("page.html", "<p>Nothing</p>"), world.file("empty.json", "[]"));
    for (evidence, code, told) in [
        ("nowhere.json", 11, "cannot read `nowhere.json`"),
        (page.as_str(), 31, "the page embeds no JSON-LD"),
        (empty.as_str(), 31, "it has no ClaimReview that names a claim"),
        ("ftp://facts.example/feed", 2, "http:// or https://"),
        ("-", 2, "name a file"),
    ] {
        let ended = world.run(&["analyze", &file, "--evidence", evidence]).with_code(code);
        assert!(ended.err.contains(told), "{ended:#?}");
    }
    assert!(!world.store().exists() || world.runs().is_empty());
}

#[test]
fn the_bundled_samples_give_reports_and_verdicts() {
    let world = World::new();
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples");
    let path = |name: &str| format!("{samples}/{name}");
    for name in ["story.html", "speech.txt", "feed.xml", "interview.vtt"] {
        let args = ["analyze", &path(name), "--json", "--evidence", &path("reviews.json")];
        let ended = world.run(&args).with_code(0);
        let note = if name == "feed.xml" { "announces 3 pages; --items N" } else { "" };
        assert!(ended.err.contains(note) && ended.err.is_empty() == note.is_empty(), "{name}");
        let report = ended.json();
        let verdicts = report["verification"].as_array().unwrap().iter();
        let decided = verdicts.filter(|check| check["verdict"] != "not_checked").count();
        assert_eq!(report["outcome"]["status"], "succeeded", "{name}");
        assert!(decided > 0 || name == "speech.txt", "{name}: {}", report["verification"]);
    }
}

#[test]
fn an_address_without_evidence_degrades_the_report_and_is_named() {
    let world = World::new();
    let file = world.file("a.txt", text(1));
    for address in ["http://127.0.0.1:9/reviews.json", "http://127.0.0.1:9/?q={query}"] {
        let ended = world.run(&["analyze", &file, "--json", "--evidence", address]).with_code(0);
        assert!(ended.err.contains("degraded") && ended.err.contains(address), "{ended:#?}");
        let report = ended.json();
        assert_eq!(report["outcome"]["status"], "degraded");
        assert_eq!(report["verification"][0]["reason"], "No evidence source gave an answer.");
        assert!(report["not_done"].to_string().contains(address));
    }
}
