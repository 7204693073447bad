//! Calls that have to wait once, so that timers are really set: on a runtime, one thread.

use std::time::Instant;

use consort_resilience::pipeline::Call;
use consort_resilience::{TokioClock, Verdict, timeout};
use tokio::runtime::Runtime;

use crate::ours;

const CALLS: u32 = 1_000;

fn show<F: Future>(runtime: &Runtime, name: &str, call: impl Fn() -> F) {
    let mut best = f64::INFINITY;
    for _ in 0..500 {
        let start = Instant::now();
        runtime.block_on(async {
            for _ in 0..CALLS {
                std::hint::black_box(call().await);
            }
        });
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(CALLS));
    }
    println!("{:<12} {name:<34} {best:>8.1}", "waits once");
}

async fn work() -> Result<u64, ()> {
    tokio::task::yield_now().await;
    Ok(1)
}

pub fn all(runtime: &Runtime) {
    let pipeline = ours::five_guards();
    show(runtime, "nothing around it", work);
    show(runtime, "tokio timeout", || {
        tokio::time::timeout(std::time::Duration::from_secs(10), work())
    });
    show(runtime, "consort timeout", || {
        let at = Instant::now() + std::time::Duration::from_secs(10);
        timeout::until(&TokioClock, Some(at), work())
    });
    show(runtime, "consort, five guards", || {
        pipeline.run(Call::repeatable(), Verdict::of_result, |_| work())
    });
}
