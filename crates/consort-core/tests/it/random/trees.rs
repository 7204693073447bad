//! Random trees of runs, with failures, panics, hangs, cancellations and deadlines at random, in
//! virtual time.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::resume_unwind,
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use consort_core::{
    Budget, Call, Category, Context, Durability, Effect, Facade, Limits, RunId, Spend, StepContext,
    StepError, StepResult,
    events::Event,
    journal::{Journal, RunFilter},
    record::RunState,
};
use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use serde_json::{Value, json};
use tokio::{runtime::Handle, time::Instant};

use super::{
    plan::{Act, CleanUp, End, Gardener, Job, Plan, TENANT},
    witness::Witness,
};
use crate::fixtures::{Leaf, Scripted, World, acme, ask, done, heard, millis, secs};

const ROOTS: usize = 100;

/// Wall time is kept in whole milliseconds.
const LATE: Duration = Duration::from_millis(1);

fn failure() -> StepError {
    StepError::new(Category::ProcessingFailed, "bad luck")
}

async fn work(witness: Witness, cx: StepContext, request: Value) -> StepResult<Value> {
    let job: Job = serde_json::from_value(request).unwrap();
    let _working = witness.works(&job);
    cx.spend(job.actual);
    tokio::time::sleep(millis(job.pause)).await;
    match job.end {
        End::Succeed => done(1),
        End::Fail => Err(failure()),
        End::Panic => resume_unwind(Box::new("a capability panics")),
        End::Hang => std::future::pending().await,
    }
}

#[derive(Clone)]
struct Own {
    cx: Context,
    durable: bool,
    witness: Witness,
}

impl Own {
    async fn sleep(&self, pause: Duration) -> Result<(), StepError> {
        if self.durable {
            self.cx.sleep(pause).await
        } else {
            tokio::time::sleep(pause).await;
            Ok(())
        }
    }

    fn act(&self, act: &Act) -> BoxFuture<'static, Result<(), StepError>> {
        match act {
            Act::Work(job) => {
                let call = ask(&self.cx, "work", json!(job));
                self.answered(call, job.timeout, None, "work")
            }
            Act::Child(plan) => {
                let name = if plan.durable { "durable" } else { "ephemeral" };
                let call = ask(&self.cx, name, json!(plan));
                self.answered(call, plan.timeout, plan.budget, name)
            }
            Act::Together(acts) => {
                let all: Vec<_> = acts.iter().map(|act| self.act(act)).collect();
                async move { join_all(all).await.into_iter().collect() }.boxed()
            }
            Act::Pause(pause) => {
                let (own, pause) = (self.clone(), millis(*pause));
                async move { own.sleep(pause).await }.boxed()
            }
            Act::GiveUp(act, after) => {
                let (own, act, after) = (self.clone(), self.act(act), millis(*after));
                async move {
                    tokio::select! {
                        biased;
                        result = act => result,
                        slept = own.sleep(after) => slept,
                    }
                }
                .boxed()
            }
        }
    }

    /// An answer comes by the earlier of both limits, or the call was not bounded.
    fn answered_in_time(&self, began: Instant, limit: Option<u64>, what: &str) {
        let own = limit.map(|limit| began + millis(limit));
        let inherited = self.cx.deadline().map(|deadline| deadline.at);
        let Some(by) = [own, inherited].into_iter().flatten().min() else { return };
        let late = Instant::now().saturating_duration_since(by);
        if late > LATE {
            self.witness.is_late(format!("a call of {what} was answered {late:?} late"));
        }
    }

    fn answered(
        &self,
        mut call: Call<Value>,
        limit: Option<u64>,
        budget: Option<Budget>,
        what: &'static str,
    ) -> BoxFuture<'static, Result<(), StepError>> {
        if let Some(limit) = limit {
            call = call.timeout(millis(limit));
        }
        if let Some(budget) = budget {
            call = call.budget(budget);
        }
        let own = self.clone();
        async move {
            let began = Instant::now();
            let result = call.await;
            own.answered_in_time(began, limit, what);
            result.map(|_| ())
        }
        .boxed()
    }
}

async fn follow(cx: Context, plan: Plan, witness: Witness) -> StepResult<Value> {
    let own = Own { cx: cx.clone(), durable: plan.durable, witness };
    for act in &plan.acts {
        let result = own.act(act).await;
        if plan.strict {
            result?;
        }
    }
    match plan.end {
        End::Succeed => done(1),
        End::Fail => Err(failure()),
        End::Panic => resume_unwind(Box::new("an orchestrator panics")),
        End::Hang if plan.durable => {
            cx.wait_for::<Value>("never", None).await?;
            done(1)
        }
        End::Hang => std::future::pending().await,
    }
}

fn orchestrator(durability: Durability, witness: &Witness) -> Scripted {
    let plans = Arc::new(Mutex::new(BTreeMap::<RunId, Plan>::new()));
    let (begun, known) = (witness.clone(), plans.clone());
    let name = if durability == Durability::Durable { "durable" } else { "ephemeral" };
    let ended = witness.clone();
    Scripted::either(durability, name, move |cx: Context, request| {
        let plan: Plan = serde_json::from_value(request).unwrap();
        known.lock().unwrap().insert(cx.run_id().unwrap().clone(), plan.clone());
        begun.opened(&plan);
        follow(cx, plan, begun.clone())
    })
    .clean_up(move |cx: Context| {
        let run = cx.run_id().unwrap().clone();
        let plan = plans.lock().unwrap().get(&run).cloned();
        // A run whose time was up before it began has no plan.
        ended.closed(plan.as_ref().map_or(TENANT, |plan| plan.number), &run);
        async move {
            match plan.map_or(CleanUp::Quick, |plan| plan.cleanup) {
                CleanUp::Quick => Ok(()),
                CleanUp::Slow(pause) => {
                    tokio::time::sleep(millis(pause)).await;
                    Ok(())
                }
                CleanUp::Fail => Err(failure()),
                CleanUp::Panic => resume_unwind(Box::new("a cleanup panics")),
                CleanUp::Hang => std::future::pending().await,
            }
        }
    })
}

async fn process(world: &World, witness: &Witness) -> Facade {
    let facade = world.facade();
    let noted = witness.clone();
    let leaf = Leaf::new("work", Effect::Read, move |cx, request| work(noted.clone(), cx, request));
    let bound =
        |request: &Value| -> Spend { serde_json::from_value(request["bound"].clone()).unwrap() };
    facade.register_capability(leaf.bound(bound)).unwrap();
    for durability in [Durability::Durable, Durability::Ephemeral] {
        facade.register(orchestrator(durability, witness)).await.unwrap();
    }
    facade.start(true).await.unwrap();
    facade
}

/// How a caller treats the root that it starts.
enum Caller {
    Waits,
    Leaves(u64),
    Cancels(u64),
}

async fn call(facade: &Facade, plan: Plan, begins: u64, caller: Caller) {
    tokio::time::sleep(millis(begins)).await;
    let name = if plan.durable { "durable" } else { "ephemeral" };
    let limit = plan.timeout.unwrap();
    let mut cx = acme().timeout(millis(limit));
    if let Some(budget) = plan.budget {
        cx = cx.budget(budget);
    }
    let began = Instant::now();
    match caller {
        Caller::Leaves(after) => {
            let call = facade.orchestrate(name, cx, json!(plan));
            let _ = tokio::time::timeout(millis(after), call).await;
        }
        Caller::Cancels(after) if plan.durable => {
            let handle = facade.start_run(name, cx, json!(plan)).await.unwrap();
            let id = handle.id().unwrap().clone();
            let mut result = pin!(handle);
            if tokio::time::timeout(millis(after), &mut result).await.is_err() {
                let _ = facade.cancel(&id, "enough").await;
                let _ = result.await;
            }
        }
        Caller::Waits | Caller::Cancels(_) => {
            let _ = facade.orchestrate(name, cx, json!(plan)).await;
        }
    }
    let late = began.elapsed().saturating_sub(millis(limit));
    assert!(late <= LATE, "root {} was answered {late:?} late", plan.number);
}

/// Returns the finished steps.
async fn forest(seed: u64, park_after: Duration) -> u64 {
    let limits = Limits { events: 1 << 20, park_after, ..Limits::default() };
    let (world, witness) = (World::limited(limits), Witness::default());
    let facade = process(&world, &witness).await;
    let mut gardener = Gardener::new(seed);
    let mut events = facade.events();
    let idle = Handle::current().metrics().num_alive_tasks();
    let callers: Vec<_> = (0..ROOTS)
        .map(|_| {
            let (plan, begins) = (gardener.root(), gardener.below(2_000));
            let after = gardener.below(3_000);
            let caller = match gardener.below(6) {
                0 => Caller::Leaves(after),
                1 => Caller::Cancels(after),
                _ => Caller::Waits,
            };
            call(&facade, plan, begins, caller)
        })
        .collect();
    join_all(callers).await;
    // Detached runs end by their deadline, and `cleanup` by its own limit.
    tokio::time::sleep(secs(60)).await;
    assert_eq!((facade.in_memory(), facade.open_roots()), (0, 0), "seed {seed}");
    assert_eq!(world.journal.open_runs().await.unwrap(), [], "seed {seed}");
    assert_eq!(witness.working(), 0, "seed {seed}: a step outlived its run");
    assert_eq!(Handle::current().metrics().num_alive_tasks(), idle, "seed {seed}");
    let filter = RunFilter { limit: usize::MAX, ..RunFilter::default() };
    let runs = world.journal.runs(filter).await.unwrap();
    facade.close(secs(1)).await.unwrap();
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 0, "seed {seed}");

    let (mut started, mut ended, mut steps) = (BTreeSet::new(), BTreeMap::new(), 0);
    for event in heard(&mut events) {
        match event {
            Event::RunStarted { run, .. } => assert!(started.insert(run)),
            Event::RunEnded { run, .. } => *ended.entry(run).or_default() += 1,
            Event::StepEnded { position: None, .. } => steps += 1,
            _ => {}
        }
    }
    assert!(runs.iter().all(|run| run.state == RunState::Ended));
    let cleanups = witness.cleanups();
    for run in started.iter().chain(runs.iter().map(|run| &run.id)) {
        assert_eq!(ended.get(run), Some(&1_u32), "seed {seed}: ends of {run}");
        assert_eq!(cleanups.get(run), Some(&1), "seed {seed}: cleanups of {run}");
    }
    assert_eq!(cleanups.len(), started.len(), "seed {seed}");
    assert_eq!(witness.late(), Vec::<String>::new(), "seed {seed}");
    assert_eq!(witness.overspent(), Vec::<String>::new(), "seed {seed}");
    let (worked, peak) = witness.worked();
    let busy = (worked, peak, witness.budgets());
    assert!(busy.0 > 200 && busy.1 > 5 && busy.2 > 50, "seed {seed} does too little: {busy:?}");
    steps + runs.iter().map(|run| run.steps).sum::<u64>()
}

#[expect(clippy::print_stdout, reason = "a test that says how much it has seen")]
async fn until_ten_thousand_steps(park_after: Duration) {
    let (mut steps, mut seed) = (0, 0);
    while steps < 10_000 {
        steps += forest(seed, park_after).await;
        seed += 1;
    }
    println!("{steps} steps from {seed} seeds");
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_budgets_cleanups_deadlines_and_scopes_hold() {
    until_ten_thousand_steps(secs(3_600)).await;
}

#[tokio::test(start_paused = true)]
async fn the_same_holds_for_runs_that_leave_memory_while_they_wait() {
    until_ten_thousand_steps(secs(1)).await;
}
