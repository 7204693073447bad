//! consort-resilience side by side with its peers, in one run.
//!
//! `cargo run --release --manifest-path crates/consort-resilience/peers/Cargo.toml`
//!
//! All columns are the best of 500 short rounds in nanoseconds per call and thread: one thread on one
//! callee, one on a thousand in turn, two threads on one callee, two on a thousand. Then
//! allocations per call and heap bytes per callee. Then our figures beside the goals. An argument
//! such as `endpoints` measures that group alone.

mod harness;
mod ours;
mod theirs;
mod waiting;

fn main() -> std::io::Result<()> {
    // Some peers make a timer for each call, which needs a runtime to be there.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    {
        let _entered = runtime.enter();
        harness::head();
        ours::floor();
        ours::breaker();
        theirs::breaker();
        ours::retry();
        theirs::retry();
        ours::timeout();
        theirs::timeout();
        ours::bulkhead();
        theirs::bulkhead();
        ours::rate();
        theirs::rate();
        ours::keyed();
        theirs::keyed();
        ours::others();
        ours::pipeline();
        theirs::pipeline();
    }
    harness::goals();
    ours::sizes();
    waiting::all(&runtime);
    Ok(())
}
