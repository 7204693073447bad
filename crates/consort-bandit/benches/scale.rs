//! How much two cores decide and learn, and what wide contexts cost.
//!
//! `cargo bench -p consort-bandit --bench scale`. Throughput: 16 arms, 32 features, 1,024 contexts
//! in turn, two threads that begin every batch together; a batch takes as long as the slower one.
//! The batches are short, so that on a busy machine some of them are undisturbed. One core alone
//! is in `decide`; updates that reach the disk are in `loop` of `consort-application`.

use std::{
    hint::{black_box, spin_loop},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use consort_bandit::{
    Agent, ArmSet, Example, Model, Odds, Policy, Rule, Scores,
    linear::{Config, Hot, Ridge},
    rng::{Draw, normal, uniform},
};
use pulp::{Arch, Simd, WithSimd};

const ARMS: usize = 16;
const CONTEXTS: usize = 1_024;
const THREADS: usize = 2;
/// Calls of a thread in a batch of throughput, and batches.
const CALLS: usize = 2_048;
const BATCHES: usize = 500;
const LINUCB: Rule = Rule::LinUcb { alpha: 0.3 };
const SQUARECB: Rule = Rule::SquareCb { gamma: 10.0, exponent: 0.5 };

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> Instant {
    Instant::now()
}

/// Median and best of what all batches took.
fn summary(mut seconds: Vec<f64>) -> (f64, f64) {
    seconds.sort_by(f64::total_cmp);
    (seconds[seconds.len() / 2], seconds[0])
}

/// Runs one worker in each thread, batch by batch side by side, and reports calls a second.
#[expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]
fn throughput<W: FnMut(usize)>(what: &str, goal: &str, worker: impl Fn() -> W + Sync) {
    let arrived = AtomicUsize::new(0);
    // Everybody has arrived for the `turn`-th time.
    let together = |turn: usize| {
        arrived.fetch_add(1, Ordering::SeqCst);
        while arrived.load(Ordering::SeqCst) < turn * THREADS {
            spin_loop();
        }
    };
    let work = |mut call: W| {
        let mut seconds = Vec::with_capacity(BATCHES);
        for batch in 0..BATCHES {
            together(2 * batch + 1);
            let began = now();
            (0..CALLS).for_each(|n| call((batch * CALLS + n) % CONTEXTS));
            together(2 * batch + 2);
            seconds.push(began.elapsed().as_secs_f64());
        }
        seconds
    };
    let seconds = thread::scope(|scope| {
        let others: Vec<_> = (1..THREADS).map(|_| scope.spawn(|| work(worker()))).collect();
        let own = work(worker());
        others.into_iter().for_each(|other| drop(other.join().expect("no worker fails")));
        own
    });
    let (median, best) = summary(seconds);
    let millions = |seconds: f64| (THREADS * CALLS) as f64 / seconds / 1e6;
    println!(
        "{what:52} {:>7.2} M/s median {:>6.2} M/s best   goal {goal}",
        millions(median),
        millions(best)
    );
}

/// Times one call after the other in one thread.
#[expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]
fn time(what: &str, goal: &str, mut call: impl FnMut(usize)) {
    const SHORT: usize = 64;
    let batch = |batch| {
        let began = now();
        (0..SHORT).for_each(|n| call((batch * SHORT + n) % CONTEXTS));
        began.elapsed().as_secs_f64() / SHORT as f64
    };
    let (median, best) = summary((0..2_000).map(batch).collect());
    println!(
        "{what:52} {:>7.2} us median {:>6.2} us best    goal {goal}",
        median * 1e6,
        best * 1e6
    );
}

fn contexts(dim: usize) -> Vec<Vec<f64>> {
    let context = |n| (0..dim as u64).map(|i| 0.2 * normal(1, n as u64, i)).collect();
    (0..CONTEXTS).map(context).collect()
}

/// A model that has learned 4,000 outcomes.
fn learned(arms: usize, contexts: &[Vec<f64>]) -> Hot {
    let config = Config { intercept: false, ..Config::new(arms, contexts[0].len()) };
    let mut model = Ridge::new(config).expect("valid settings");
    for n in 0..4_000 {
        let reward = uniform(2, 0, n as u64);
        model.learn(&Example::new(&contexts[n % CONTEXTS], n % arms, reward, 1.0));
    }
    Hot::of(model).expect("not centred")
}

fn decisions<'a>(policy: &'a Agent<Hot>, contexts: &'a [Vec<f64>]) -> impl FnMut(usize) + 'a {
    let (all, mut odds) = (ArmSet::all(ARMS), Odds::new());
    move |n| {
        let draw = Draw { seed: 1, counter: n as u64 };
        let chosen = policy.decide(black_box(&contexts[n]), &all, draw, &mut odds);
        black_box(chosen.expect("a usable context"));
    }
}

/// A decision and the update with its outcome, by a policy of its own.
fn pairs<M: Model>(model: M, contexts: &[Vec<f64>]) -> impl FnMut(usize) {
    let (all, mut odds) = (ArmSet::all(ARMS), Odds::new());
    let mut policy = Agent::new(model, LINUCB).expect("a valid rule");
    move |n| {
        let (x, draw) = (black_box(&contexts[n]), Draw { seed: 1, counter: n as u64 });
        let chosen = policy.decide(x, &all, draw, &mut odds).expect("a usable context");
        let example = Example::new(x, chosen.arm, 0.5, chosen.propensity);
        policy.update(&example).expect("a usable outcome");
    }
}

/// Mean and width of 16 candidates, each with features of its own, from one model of all: one
/// after the other, and the largest upper bound.
fn shared<'a>(model: &'a Hot, contexts: &'a [Vec<f64>]) -> impl FnMut(usize) + 'a {
    let (only, mut scratch) = (ArmSet::all(1), vec![0.0; model.scratch()]);
    move |n| {
        let mut best = f64::MIN;
        for candidate in 0..ARMS {
            let (mut mean, mut width) = ([0.0], [0.0]);
            let out = Scores { mean: &mut mean, width: &mut width };
            model.predict(
                black_box(&contexts[(n + candidate) % CONTEXTS]),
                &only,
                out,
                &mut scratch,
            );
            best = best.max(mean[0] + 0.3 * width[0]);
        }
        black_box(best);
    }
}

/// One pass over single-precision numbers: what a decision that reads as many cannot do without.
struct Pass<'a>(&'a [f32]);

impl WithSimd for Pass<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) -> f32 {
        let mut sums = [s.splat_f32s(0.0); 8];
        for group in S::as_simd_f32s(self.0).0.as_chunks::<8>().0 {
            for at in 0..8 {
                sums[at] = s.add_f32s(sums[at], group[at]);
            }
        }
        sums.into_iter().map(|sum| s.reduce_sum_f32s(sum)).sum()
    }
}

/// Times one pass over `matrices` symmetric matrices, packed.
fn pass(matrices: usize, dim: usize) {
    let numbers = vec![1.0_f32; matrices * dim * (dim + 1) / 2 + 16];
    // From a cache line on.
    let numbers = &numbers[numbers.as_ptr().align_offset(64)..];
    let arch = Arch::new();
    let what = format!("  bare loop: one pass over {} KiB", size_of_val(numbers) / 1024);
    time(&what, "-", |_| {
        black_box(arch.dispatch(Pass(black_box(numbers))));
    });
}

fn main() {
    let narrow = &contexts(32)[..];
    let model = &learned(ARMS, narrow);
    let policy = |rule| Agent::new(model.clone(), rule).expect("a valid rule");
    let (linucb, squarecb) = (policy(LINUCB), policy(SQUARECB));
    throughput("LinUCB, two threads, one model: decisions", "10", || decisions(&linucb, narrow));
    throughput("SquareCB, two threads, one model: decisions", "35", || {
        decisions(&squarecb, narrow)
    });
    throughput("LinUCB, two threads, a model each: decide + update", "3", || {
        pairs(model.clone(), narrow)
    });
    throughput("  the same without a copy in single precision", "-", || {
        pairs(model.ridge().clone(), narrow)
    });
    let wide = &contexts(128)[..];
    let disjoint = Agent::new(learned(ARMS, wide), LINUCB).expect("a valid rule");
    time("LinUCB, d=128, 16 arms: decision", "5", decisions(&disjoint, wide));
    pass(ARMS, 128);
    let wider = &contexts(256)[..];
    time("one model for 16 candidates, d=256: decision", "8", shared(&learned(1, wider), wider));
    pass(1, 256);
}
