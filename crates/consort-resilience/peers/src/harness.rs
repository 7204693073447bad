//! Measures one call: nanoseconds on one and two threads, allocations, bytes per callee.

use std::alloc::System;
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Callees of the "many" columns.
const MANY: usize = 1_000;
/// Rounds per figure; the fastest is shown, because everything that disturbs only slows down.
/// Short, so that on a busy machine some rounds are not interrupted.
const ROUNDS: u32 = 500;
const ROUND: Duration = Duration::from_micros(200);

/// What one line of the table shows.
pub struct Line {
    group: &'static str,
    name: &'static str,
    one: f64,
    one_of_many: f64,
    two_on_one: f64,
    two_on_many: f64,
    allocations: f64,
    bytes: f64,
}

/// Measures `call` on handles from `make`. Clones of a handle share their state, handles do not.
pub fn measure<S: Clone + Send>(
    group: &'static str,
    name: &'static str,
    make: impl Fn() -> S,
    call: impl Fn(&mut S) + Copy + Send + Sync,
) {
    if std::env::args().nth(1).is_some_and(|only| only != group && group != FLOOR) {
        return;
    }
    let single = make();
    let region = Region::new(GLOBAL);
    let mut many: Vec<S> = (0..MANY).map(|_| make()).collect();
    let made = region.change();
    let held = made.bytes_allocated.saturating_sub(made.bytes_deallocated);
    let mut warm = single.clone();
    (0..1_000).for_each(|_| call(&mut warm));
    let region = Region::new(GLOBAL);
    (0..10_000).for_each(|_| call(&mut warm));
    let allocations = region.change().allocations as f64 / 10_000.0;
    let line = Line {
        group,
        name,
        one: one_thread(std::slice::from_mut(&mut warm), call),
        one_of_many: one_thread(&mut many, call),
        two_on_one: two_threads(&mut [single], call),
        two_on_many: two_threads(&mut many, call),
        allocations,
        bytes: held as f64 / MANY as f64,
    };
    line.print();
    lines().push(line);
}

/// The group of what nothing can be faster than.
pub const FLOOR: &str = "floor";

/// What was measured so far.
fn lines() -> MutexGuard<'static, Vec<Line>> {
    static LINES: Mutex<Vec<Line>> = Mutex::new(Vec::new());
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Our figures beside the goals: 100 ns a mechanism and 400 ns for five guards on the reference
/// machine; elsewhere four times an uncontended swap and a clock reading for each guard.
pub fn goals() {
    let lines = lines();
    let floor = |name| lines.iter().find(|line| line.name == name).map_or(f64::NAN, |it| it.one);
    let unit = floor("atomic swap") + floor("clock reading");
    println!("\none atomic swap and one clock reading: {unit:.1} ns; four times that: {:.1}", 4.0 * unit);
    let ours = lines.iter().filter(|line| line.name.starts_with("consort"));
    for line in ours.filter(|line| line.name != "consort, no guard") {
        let guards = match line.name {
            "consort, five guards" => 5.0,
            "consort, all nine guards" => 9.0,
            _ => 1.0,
        };
        let (times, nanos) = (line.one / unit / guards, line.one / guards);
        let nanos_goal = if guards > 1.0 { 80.0 } else { 100.0 };
        println!(
            "{:<12} {:<34} {times:>7.1} x of at most 4 {:>4}, {nanos:>6.1} ns of {nanos_goal} {:>4}",
            line.group,
            line.name,
            if times <= 4.0 { "met" } else { "MISS" },
            if nanos <= nanos_goal { "met" } else { "MISS" },
        );
    }
}

fn one_thread<S>(handles: &mut [S], call: impl Fn(&mut S)) -> f64 {
    let per_round = calibrate(handles, &call);
    (0..ROUNDS).map(|_| round(handles, per_round, &call)).fold(f64::INFINITY, f64::min)
}

/// From the first start to the last end, so that only rounds count in which both ran all the time.
fn two_threads<S: Clone + Send>(
    handles: &mut [S],
    call: impl Fn(&mut S) + Copy + Send + Sync,
) -> f64 {
    let per_round = calibrate(handles, &call);
    let [mut left, mut right] = [handles.to_vec(), handles.to_vec()];
    let barrier = Barrier::new(2);
    let times = |side: &mut Vec<S>| -> Vec<(Instant, Instant)> {
        let mut time = || {
            barrier.wait();
            let start = Instant::now();
            round(side, per_round, &call);
            (start, Instant::now())
        };
        (0..ROUNDS).map(|_| time()).collect()
    };
    let runtime = tokio::runtime::Handle::current();
    let (mine, theirs) = std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let _entered = runtime.enter();
            times(&mut left)
        });
        (times(&mut right), other.join().unwrap_or_default())
    });
    let spans = mine.iter().zip(&theirs).map(|(a, b)| a.1.max(b.1) - a.0.min(b.0));
    let best = spans.min().unwrap_or_default();
    best.as_nanos() as f64 / f64::from(per_round)
}

/// Calls that take about one round.
fn calibrate<S>(handles: &mut [S], call: &impl Fn(&mut S)) -> u32 {
    let nanos = (0..50).map(|_| round(handles, 100, call)).fold(f64::INFINITY, f64::min);
    (ROUND.as_nanos() as f64 / nanos.max(0.2)) as u32
}

fn round<S>(handles: &mut [S], calls: u32, call: &impl Fn(&mut S)) -> f64 {
    let count = handles.len();
    let start = Instant::now();
    for i in 0..calls as usize {
        call(black_box(&mut handles[i % count]));
    }
    start.elapsed().as_nanos() as f64 / f64::from(calls)
}

/// The output of a future that waits for nothing but, at times, another thread: the call alone,
/// without an executor.
pub fn now<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::yield_now(),
        }
    }
}

/// The head of the table.
pub fn head() {
    println!(
        "{:<12} {:<34} {:>8} {:>8} {:>8} {:>8} {:>7} {:>8}",
        "", "ns per call", "1 thr", "1k cal.", "2 thr", "2t 1k", "allocs", "bytes"
    );
}

impl Line {
    fn print(&self) {
        println!(
            "{:<12} {:<34} {:>8.1} {:>8.1} {:>8.1} {:>8.1} {:>7.2} {:>8.0}",
            self.group,
            self.name,
            self.one,
            self.one_of_many,
            self.two_on_one,
            self.two_on_many,
            self.allocations,
            self.bytes
        );
    }
}
