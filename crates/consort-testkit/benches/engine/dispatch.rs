//! What a call through the facade costs on top of the same work behind a boxed function.

use std::{sync::Arc, time::Duration};

use consort_core::{
    Budget, Context, Facade, Limits, Rate, StepError, StepResult, TenantId, TenantLimits,
    guard::{RunCall, RunGuard},
};
use consort_durable::MemoryJournal;
use futures_util::{FutureExt, future::BoxFuture};
use serde_json::json;

use crate::{
    sample::{Nest, Noop, Ping, Toil, furnish, in_memory, toil},
    table::{Table, median, timed},
};

/// Many short rounds: a round is over before the scheduler of a busy machine interrupts it, and the
/// median knows nothing of the few that are.
const ROUNDS: usize = 601;
const CALLS: u64 = 200;
/// Pieces of 100 microseconds in a round.
const PIECES: u32 = 5;

/// A guard that looks and lets pass; stands for shedding and authorisation.
#[derive(Debug)]
struct Open(&'static str);

impl RunGuard for Open {
    fn name(&self) -> &'static str {
        self.0
    }
    fn check(&self, call: &RunCall<'_>) -> Result<(), StepError> {
        std::hint::black_box(call.tenant);
        Ok(())
    }
}

type Direct = Box<dyn Fn(Ping) -> BoxFuture<'static, StepResult<u64>> + Send + Sync>;

fn direct() -> Direct {
    Box::new(|asked: Ping| async move { Ok((asked.number + 1).into()) }.boxed())
}

/// Measures everything in turns and adds the rows.
pub(crate) fn measure(table: &mut Table) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        calls(table).await.expect("every call is answered");
        overhead(table).await.expect("every call is answered");
    });
}

async fn strict() -> Result<Facade, StepError> {
    let plenty = u64::MAX / 4;
    let tenant = TenantLimits {
        quota: Budget { money: Some(plenty), tokens: Some(plenty), calls: Some(plenty) },
        concurrency: Some(1000),
        rate: Some(Rate { per_second: 1e9, burst: 1_000_000_000 }),
        ..TenantLimits::default()
    };
    let facade = Facade::builder()
        .limits(Limits { tenant, ..Limits::default() })
        .run_guard(Open("shed"))
        .run_guard(Open("authorise"))
        .build(Arc::new(MemoryJournal::new()))?;
    furnish(&facade).await?;
    Ok(facade)
}

async fn calls(table: &mut Table) -> Result<(), StepError> {
    let (plain, strict, boxed) = (in_memory(Limits::default()).await?, strict().await?, direct());
    let cx = || Context::new(TenantId::default());
    let limited = || cx().timeout(Duration::from_secs(60));
    let budget = Budget { money: Some(1_000), tokens: Some(1_000), calls: Some(1_000) };
    let mut taken: [Vec<f64>; 6] = Default::default();
    for _ in 0..ROUNDS {
        let ns = |took: Duration| took.as_nanos() as f64 / CALLS as f64;
        taken[0].push(ns(timed(async {
            for number in 0..CALLS {
                let _ = std::hint::black_box(boxed(Ping { number }).await);
            }
        })
        .await));
        taken[1].push(ns(timed(async {
            let _ = plain.call(cx(), Nest { calls: CALLS }).await;
        })
        .await));
        taken[2].push(ns(timed(async {
            for number in 0..CALLS {
                let _ = std::hint::black_box(plain.call(limited(), Ping { number }).await);
            }
        })
        .await));
        taken[3].push(ns(timed(async {
            for number in 0..CALLS {
                let asked = strict.call(limited().budget(budget), Ping { number });
                let _ = std::hint::black_box(asked.await);
            }
        })
        .await));
        taken[4].push(ns(timed(async {
            for number in 0..CALLS {
                let asked = plain.orchestrate("ping", limited(), json!({ "number": number }));
                let _ = std::hint::black_box(asked.await);
            }
        })
        .await));
        taken[5].push(ns(timed(async {
            for number in 0..CALLS {
                let _ = std::hint::black_box(plain.call(limited(), Noop { number }).await);
            }
        })
        .await));
    }
    let [direct, nested, default, all, json, leaf] = taken.map(median);
    let row = |table: &mut Table, what: &str, ns: f64, over: f64, name: &str| {
        table.row(what, format!("{ns:.0} ns"), format!("{:.0} ns over {name}", ns - over));
    };
    table.row("boxed function, direct", format!("{direct:.0} ns"), "-".into());
    row(table, "typed call, no guards (from within a run)", nested, direct, "direct");
    row(table, "typed call, default guards (ticket, deadline)", default, direct, "direct");
    row(
        table,
        "typed call, all guards (+ shed, authorise, quota, rate, budget)",
        all,
        direct,
        "direct",
    );
    row(table, "JSON call, default guards", json, default, "the typed call");
    row(table, "capability, default guards (ticket, deadline, retry)", leaf, direct, "direct");
    Ok(())
}

async fn overhead(table: &mut Table) -> Result<(), StepError> {
    let facade = in_memory(Limits::default()).await?;
    let cx = || Context::new(TenantId::default()).timeout(Duration::from_secs(60));
    let mut samples = Vec::new();
    for _ in 0..ROUNDS {
        let sample = timed(async {
            let _ = std::hint::black_box(toil(100_000));
        });
        samples.push(sample.await.as_secs_f64());
    }
    // So many rounds take 100 microseconds here.
    let rounds = (100_000.0 * 1e-4 / median(samples)) as u32;
    let work = |asked: Toil| -> BoxFuture<'static, StepResult<u64>> {
        async move { Ok(toil(asked.rounds).into()) }.boxed()
    };
    let (mut direct, mut through) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let one = |through: bool| {
            let facade = &facade;
            async move {
                for _ in 0..PIECES {
                    if through {
                        let _ = std::hint::black_box(facade.call(cx(), Toil { rounds }).await);
                    } else {
                        let _ = std::hint::black_box(work(Toil { rounds }).await);
                    }
                }
            }
        };
        direct.push(timed(one(false)).await.as_secs_f64());
        through.push(timed(one(true)).await.as_secs_f64());
    }
    let micros = median(direct.clone()) / f64::from(PIECES) * 1e6;
    let ratio = median(direct.iter().zip(&through).map(|(d, t)| (t / d - 1.0) * 100.0).collect());
    let what = format!("{micros:.0} us of work through the facade, default guards");
    table.row(&what, format!("{ratio:.2} % more"), "than the same work direct".into());
    Ok(())
}
