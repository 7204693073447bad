//! How long the command takes to its first output, and what it costs while it waits:
//! `cargo bench -p consort-cli`. Limits: 100 ms to the first output, 200 ms to the first report
//! of a 5 kB file, 40 MB resident, no wake-ups when idle. The last two need Linux.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark"
)]

use std::{
    fs,
    io::Read,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Starts of each kind.
const STARTS: usize = 40;

/// Reports that are compared with a new one in a store that has been used.
const EARLIER: usize = 300;

/// How long an idle process is watched.
const WATCH: Duration = Duration::from_secs(5);

fn command(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_consort"));
    command
        .args(args)
        .current_dir(home)
        .env_clear()
        .env("HOME", home)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// Time from the start of the process to the first byte of its answer.
fn first_byte(mut command: Command) -> Duration {
    let began = Instant::now();
    let mut child = command.spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0]).unwrap();
    let took = began.elapsed();
    out.read_to_end(&mut Vec::new()).unwrap();
    assert!(child.wait().unwrap().success());
    took
}

fn report(what: &str, mut times: Vec<Duration>, limit: Duration) {
    times.sort_unstable();
    let at =
        |part: usize| times[(times.len() * part / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
    println!(
        "{what:<44} median {:6.1} ms, 95 % {:6.1} ms, limit {} ms",
        at(50),
        at(95),
        limit.as_millis()
    );
}

/// About 5 kB of English from the labelled documents, another cut for each number.
fn text(number: usize) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../consort-content/labelled/documents");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|at| at.unwrap().path()).collect();
    paths.sort();
    let documents: Vec<_> = paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let lines: Vec<&str> = documents.iter().flat_map(|text| text.lines()).collect();
    let lines = lines.iter().cycle().skip(number * 7).take(lines.len());
    let mut text = String::new();
    for line in lines.filter_map(|line| line.strip_prefix(['+', '-'])) {
        if text.len() >= 5_000 {
            break;
        }
        text += &line.trim().replace('4', &(number % 10).to_string());
        text += " ";
    }
    text
}

/// Times from the start to the first byte of a report on each of these texts.
fn reports(home: &Path, numbers: std::ops::Range<usize>) -> Vec<Duration> {
    let report = |number| first_byte(command(home, &["analyze", &format!("{number}.txt")]));
    numbers.map(report).collect()
}

/// A number in the kernel's description of a process.
fn status(child: &Child, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Switches of all threads of a process that went to sleep and were woken.
fn wakes(child: &Child) -> Option<u64> {
    let threads = fs::read_dir(format!("/proc/{}/task", child.id())).ok()?;
    let of = |path: &Path| {
        let status = fs::read_to_string(path.join("status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    Some(threads.filter_map(|thread| of(&thread.ok()?.path())).sum())
}

/// An engine that owns its store, has answered once, and waits for one more input that never comes.
fn idle(home: &Path) {
    fs::write(home.join("first.txt"), text(1)).unwrap();
    let made = Command::new("mkfifo").arg(home.join("never.txt")).status();
    if !made.is_ok_and(|made| made.success()) {
        return println!("idle: not measured, there are no pipes here");
    }
    let mut command = command(home, &["analyze", "first.txt", "never.txt"]);
    let mut child = command.spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0]).unwrap();
    // Threads that the analysis needed go away after a while.
    std::thread::sleep(Duration::from_secs(1));
    let before = wakes(&child);
    std::thread::sleep(WATCH);
    match (status(&child, "VmRSS"), status(&child, "VmHWM"), before, wakes(&child)) {
        (Some(rss), Some(peak), Some(before), Some(after)) => println!(
            "idle engine: {:.1} MB resident (limit 40), {:.1} MB at most, {} wake-ups in {} s",
            rss as f64 / 1024.0,
            peak as f64 / 1024.0,
            after - before,
            WATCH.as_secs()
        ),
        _ => println!("idle: not measured, this is no Linux"),
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

fn main() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let limit = Duration::from_millis(100);
    let list = (0..STARTS).map(|_| first_byte(command(home, &["list"]))).collect();
    report("list: everything registered", list, limit);

    for number in 0..2 * STARTS + EARLIER {
        fs::write(home.join(format!("{number}.txt")), text(number)).unwrap();
    }
    let first = Duration::from_millis(200);
    report("analyze: 5 kB, recorded in the store", reports(home, 0..STARTS), first);
    report("analyze: the same again, from the store", reports(home, 0..STARTS), limit);
    let names: Vec<String> = (STARTS..STARTS + EARLIER).map(|n| format!("{n}.txt")).collect();
    let batch = ["analyze", "--out", "reports/"].into_iter().chain(names.iter().map(|n| &**n));
    assert!(command(home, &batch.collect::<Vec<_>>()).status().unwrap().success());
    let beside = reports(home, STARTS + EARLIER..2 * STARTS + EARLIER);
    report("analyze: 5 kB, beside hundreds of reports", beside, first);
    let runs = (0..STARTS).map(|_| first_byte(command(home, &["runs"]))).collect();
    report("runs: read beside nobody", runs, limit);
    idle(home);
}
