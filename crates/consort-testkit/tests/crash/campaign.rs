//! The killer: starts lives, kills them at seeded moments, lets a last one finish, and judges.

use std::{
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    time::Duration,
};

use consort_core::{Clock, SystemClock};
use tokio::time::Instant;

use crate::{
    args::{Plan, Task},
    evidence::Evidence,
    judge::{Promise, Verdict, judge},
    planted,
    results::Results,
    witness,
};

/// A last life that takes longer than this hangs.
const DRAIN: Duration = Duration::from_secs(120);

/// A life that gets nowhere is killed after this time at the latest.
const PATIENCE: Duration = Duration::from_secs(10);

/// When a life ends.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// So long after it was asked for: it may not even have opened the store.
    Early(Duration),
    /// So long after it began to take up what was unfinished.
    Working(Duration),
    /// Once the witness has seen so many bytes of its work.
    Noted(u64),
}

type Failure = Box<dyn std::error::Error>;

/// Kills as often as planned. Fails on any broken promise.
pub(crate) fn run(plan: &Plan) -> ExitCode {
    let Plan { kills, round, seed, .. } = plan;
    println!("\ncrash test: {kills} kills, {round} to a store, seed {seed}");
    let mut results = Results::begin();
    match campaign(plan, &mut results) {
        Ok(verdict) => {
            println!("all rounds: {verdict}");
            for promise in Promise::ALL {
                results.note(promise.name(), &verdict.against(promise));
            }
        }
        Err(error) => results.note("campaign", &[error.to_string()]),
    }
    results.close()
}

fn campaign(plan: &Plan, results: &mut Results) -> Result<Verdict, Failure> {
    let mut random = fastrand::Rng::with_seed(plan.seed);
    let mut total = Verdict::default();
    let began = Instant::now();
    let mut number = 0;
    while total.kills < plan.kills && total.violations.is_empty() {
        number += 1;
        // In the target directory: the system's own temporary directory may be in memory.
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let kills = plan.round.min(plan.kills - total.kills);
        let ended = play(directory.path(), plan.task, kills, &mut random);
        let clean = matches!(&ended, Ok((verdict, _)) if verdict.violations.is_empty());
        if !clean {
            let kept = directory.keep();
            println!("round {number} of seed {}: evidence kept in {}", plan.seed, kept.display());
        }
        let (verdict, evidence) = ended?;
        println!("round {number}, after {:.0} s: {verdict}", began.elapsed().as_secs_f64());
        if number == 1 && clean {
            planted::prove(&evidence, results);
            let found = liar(&mut random);
            results.note("a_journal_that_acknowledges_too_early_is_found_out", &found);
        }
        total.add(verdict);
    }
    Ok(total)
}

/// Shows that the whole test is not blind: a journal that acknowledges too early is found out.
fn liar(random: &mut fastrand::Rng) -> Vec<String> {
    for kills in [10, 20, 40, 80] {
        let played = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .map_err(Failure::from)
            .and_then(|directory| play(directory.path(), Task::Lie, kills, random));
        match played {
            Ok((verdict, _)) if verdict.violations.is_empty() => {}
            Ok((verdict, _)) => {
                let (_, first) = &verdict.violations[0];
                println!("the lying journal was found out within {kills} kills: {first}");
                return Vec::new();
            }
            Err(error) => return vec![error.to_string()],
        }
    }
    vec!["it was not found out".to_owned()]
}

/// Kills one store's processes so often, lets a last one finish, and judges.
fn play(
    directory: &Path,
    task: Task,
    kills: u32,
    random: &mut fastrand::Rng,
) -> Result<(Verdict, Evidence), Failure> {
    let mut killed = 0;
    while killed < kills {
        // Some die while they finish and leave; a few of these are gone before.
        let leaving = task == Task::Work && random.u8(0..10) == 0;
        let task = if leaving { Task::Drain } else { task };
        killed += u32::from(kill_one(directory, task, random)?);
    }
    drain(directory)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let evidence = runtime
        .block_on(Evidence::read(directory))
        .map_err(|error| format!("{error}: {}", error.causes().join(": ")))?;
    Ok((Verdict { kills, ..judge(&evidence) }, evidence))
}

fn moment(random: &mut fastrand::Rng) -> Moment {
    match random.u8(0..20) {
        0..4 => Moment::Early(Duration::from_millis(random.u64(1..60))),
        4..10 => Moment::Working(Duration::from_micros(random.u64(0..200_000))),
        _ => Moment::Noted(random.u64(1..25_000)),
    }
}

/// Starts a life and kills it while it works. False when it left by itself, as it should have.
fn kill_one(directory: &Path, task: Task, random: &mut fastrand::Rng) -> Result<bool, Failure> {
    let noted = || std::fs::metadata(witness::path(directory)).map_or(0, |data| data.len());
    let (moment, before, began) = (moment(random), noted(), Instant::now());
    let mut life = start(directory, task)?;
    let mut ready = None;
    loop {
        match life.try_wait()? {
            Some(status) if status.success() && task == Task::Drain => return Ok(false),
            Some(status) => return Err(format!("a life ended by itself: {status}").into()),
            None => {}
        }
        let seen = noted().saturating_sub(before);
        if ready.is_none() && seen > 0 {
            ready = Some(Instant::now());
        }
        let due = match moment {
            Moment::Early(time) => began.elapsed() >= time,
            Moment::Working(time) => ready.is_some_and(|ready| ready.elapsed() >= time),
            Moment::Noted(bytes) => seen >= bytes,
        };
        if due || began.elapsed() >= PATIENCE {
            break;
        }
        std::thread::sleep(Duration::from_micros(300));
    }
    // On Unix this is SIGKILL.
    life.kill()?;
    let status = life.wait()?;
    // It may have left in the last moment.
    Ok(!status.success())
}

/// Lets a last life finish everything.
fn drain(directory: &Path) -> Result<(), Failure> {
    let began = Instant::now();
    let mut life = start(directory, Task::Drain)?;
    loop {
        match life.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(format!("the last life failed: {status}").into()),
            None if began.elapsed() > DRAIN => {
                life.kill()?;
                life.wait()?;
                return Err(format!("unfinished runs did not complete within {DRAIN:?}").into());
            }
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the process that is killed is a copy of this one")]
fn start(directory: &Path, task: Task) -> Result<Child, Failure> {
    let child = Command::new(std::env::current_exe()?)
        .arg("worker")
        .arg(directory)
        .arg(SystemClock.utc().0.to_string())
        .arg(task.name())
        .stdin(Stdio::null())
        .spawn()?;
    Ok(child)
}
