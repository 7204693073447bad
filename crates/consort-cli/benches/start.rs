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
    child.wait().unwrap();
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

/// About 5 kB of English.
fn text(number: usize) -> String {
    let sentence = format!(
        "The harbour authority said on Monday that the port handled {number}.2 million tonnes of \
         cargo in 2024, which is 12 percent more than the year before. "
    );
    let mut text = String::new();
    let mut line = 0;
    while text.len() < 5_000 {
        line += 1;
        text +=
            &format!("Berth {line} of {number} was repaired in May. Critics doubt it. {sentence}");
    }
    text
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

    let reports = (0..STARTS).map(|number| {
        let name = format!("{number}.txt");
        fs::write(home.join(&name), text(number)).unwrap();
        first_byte(command(home, &["analyze", &name]))
    });
    report("analyze: 5 kB, recorded in the store", reports.collect(), Duration::from_millis(200));
    let again =
        (0..STARTS).map(|number| first_byte(command(home, &["analyze", &format!("{number}.txt")])));
    report("analyze: the same again, from the store", again.collect(), limit);
    let runs = (0..STARTS).map(|_| first_byte(command(home, &["runs"]))).collect();
    report("runs: read beside nobody", runs, limit);
    idle(home);
}
