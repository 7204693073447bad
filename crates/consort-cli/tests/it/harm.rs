//! Inputs that mean harm, or look like it: each ends in a clear error or a report, soon and small.
//!
//! With `CONSORT_TIME` set to GNU time's program each run is measured and `CONSORT_TABLE` names the
//! file that gets the table: see `docs/hostile-inputs.md`.

#![cfg(unix)]

mod files;
mod web;

use std::{fmt::Write, fs, path::PathBuf, process::Stdio};

use crate::world::{Ended, World, text};

/// Most memory that a run may take, with the processes that it starts.
const MOST_KILOBYTES: u64 = 256 * 1000;

/// One input, and how the command ends on it.
pub(super) struct Case {
    what: &'static str,
    args: Vec<String>,
    /// A file to be read as standard input.
    stdin: Option<PathBuf>,
    code: i32,
    /// What is said on standard error, or in the report where there is one.
    words: &'static str,
    /// An unoptimised build takes seconds over it.
    heavy: bool,
}

impl Case {
    pub(super) fn new(what: &'static str, input: &str, code: i32, words: &'static str) -> Self {
        Self { what, args: vec![input.to_owned()], stdin: None, code, words, heavy: false }
    }

    /// Only where memory is measured, which is done of an optimised build.
    pub(super) fn heavy(mut self) -> Self {
        self.heavy = true;
        self
    }

    pub(super) fn fed(mut self, file: &str) -> Self {
        self.stdin = Some(file.into());
        self
    }

    pub(super) fn with<const N: usize>(mut self, more: [&str; N]) -> Self {
        self.args.extend(more.map(str::to_owned));
        self
    }
}

/// Kilobytes and seconds.
struct Cost(u64, f64);

fn run(world: &World, case: &Case) -> (Ended, Option<Cost>) {
    let args: Vec<&str> = ["analyze"].into_iter().chain(case.args.iter().map(|a| &**a)).collect();
    let stdin = match &case.stdin {
        Some(file) => fs::File::open(world.path("").join(file)).unwrap().into(),
        None => Stdio::null(),
    };
    let Some(time) = std::env::var_os("CONSORT_TIME") else {
        return (world.run_fed(&args, stdin), None);
    };
    let cost = world.path("cost");
    let before = [time, "-q".into(), "-f".into(), "%M %e".into(), "-o".into(), cost.clone().into()];
    let ended = world.run_within(&before, &args, stdin);
    let cost = fs::read_to_string(cost).unwrap();
    let (kilobytes, seconds) = cost.trim().split_once(' ').unwrap();
    (ended, Some(Cost(kilobytes.parse().unwrap(), seconds.parse().unwrap())))
}

fn check(world: &World, cases: Vec<Case>) {
    let (mut table, mut wrong) = (String::new(), Vec::new());
    for case in cases {
        let (ended, cost) = run(world, &case);
        let said = format!("{}\n{}", ended.err, ended.out);
        if ended.code != Some(case.code) || !said.contains(case.words) {
            let end: String = said.chars().take(600).collect();
            wrong.push(format!("{}: {:?}, not {}: {end}", case.what, ended.code, case.code));
        }
        if let Some(Cost(kilobytes, seconds)) = cost {
            if kilobytes > MOST_KILOBYTES {
                wrong.push(format!("{}: {kilobytes} kB", case.what));
            }
            let (what, code, mb) = (case.what, ended.code.unwrap_or(-1), kilobytes / 1000);
            let said = said_of(world, &ended.err);
            writeln!(table, "| {what} | {code} | {said} | {mb} | {seconds:.2} |").unwrap();
        }
    }
    if let Some(path) = std::env::var_os("CONSORT_TABLE") {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        std::io::Write::write_all(&mut file, table.as_bytes()).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a user reads first, and the cause.
fn said_of(world: &World, err: &str) -> String {
    let Some(first) = err.lines().find(|line| !line.starts_with("note:")) else {
        return "a report".to_owned();
    };
    let cause = err.lines().find_map(|line| line.trim().strip_prefix("caused by: "));
    let said = cause.map_or_else(|| first.to_owned(), |cause| format!("{first}: {cause}"));
    let said = said.replace(&*world.path("").to_string_lossy(), "").replace('|', "\\|");
    said.chars().take(160).collect()
}

#[test]
fn every_hostile_address_is_refused() {
    let world = World::new();
    check(&world, web::addresses());
}

#[test]
fn every_hostile_server_ends_in_a_clear_error_or_a_report() {
    let world = World::new();
    check(&world, web::servers());
}

#[test]
fn every_hostile_file_ends_in_a_clear_error_or_a_report() {
    let world = World::new();
    let mut cases = files::cases(&world);
    if std::env::var_os("CONSORT_TIME").is_some() {
        check(&world, cases);
        check(&world, files::large(&world));
    } else {
        cases.retain(|case| !case.heavy);
        check(&world, cases);
    }
}

/// Markup where a page may have text.
fn script_everywhere() -> String {
    let bad = "<script>alert(1)</script><img src=x onerror=alert(1)>";
    let escaped = "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;";
    format!(
        "<html><head><title>{escaped}</title></head><body><article><h1>{escaped}</h1><p>{}</p>\
         <p>Jane Roe said: \"{escaped} was in it.\" {bad} <a href=\"javascript:alert(1)\">a</a>\
         <a href='https://a.example/\"onmouseover=alert(1)'>b</a></p></article></body></html>",
        text(1)
    )
}

#[test]
fn nothing_executes_in_a_page_about_a_hostile_page() {
    let world = World::new();
    let file = world.file("a.html", script_everywhere());
    world.run(&["analyze", &file, "--out", "report.html"]).with_code(0);
    let report = fs::read_to_string(world.path("report.html")).unwrap();
    for bad in ["<script>alert", "<img src=x", "href=\"javascript:", "onerror=\"alert"] {
        assert!(!report.contains(bad), "{bad}");
    }
}
