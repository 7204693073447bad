//! The mixed workflows: one orchestrator that does what its number says, and its children.

use std::time::Duration;

use consort_core::{
    Category, Component, Context, Descriptor, Durability, Facade, Kind, Layer, Name, Orchestrator,
    Request, Signal, StepError, StepResult, Version, race,
    record::{LocalKind, LocalRecord, Record},
};
use futures_util::{FutureExt, StreamExt, future::join_all, stream::FuturesUnordered};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::capabilities::{Flaky, Keep, Pay, Peek, Tell, Weigh, Work, bytes, mix, weight};

/// How many different workflows there are.
const KINDS: u64 = 9;

/// Does what `index` says: `index % KINDS` is the workflow, the rest its numbers.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Mixed {
    pub(crate) index: u64,
}

/// What a workflow comes to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Sum {
    pub(crate) sum: u64,
}

impl Request for Mixed {
    const CALLEE: &'static str = "mixed";
    type Response = Sum;
}

/// A child: some steps in parallel, and children of its own.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Branch {
    number: u64,
    depth: u32,
}

impl Request for Branch {
    const CALLEE: &'static str = "branch";
    type Response = Sum;
}

fn describe(name: &str) -> Descriptor {
    Descriptor {
        name: Name::new(name).expect("a name"),
        version: Version::new(1, 0, 0),
        layer: Layer::Domain,
        kind: Kind::Parallel,
        durability: Durability::Durable,
        purpose: "a workflow of the crash test".into(),
    }
}

struct Workflows;

impl Orchestrator for Workflows {
    type Request = Mixed;
    fn descriptor(&self) -> Descriptor {
        describe("mixed")
    }
    async fn orchestrate(&self, cx: &Context, request: Mixed) -> StepResult<Sum> {
        let n = mix(request.index);
        let sum = match request.index % KINDS {
            0 => parallel(cx, n).await?,
            1 => family(cx, n).await?,
            2 => naps(cx, n).await?,
            3 => waits(cx, n).await?,
            4 => retries(cx, n).await?,
            5 => bulk(cx, n).await?,
            6 => chooses(cx, n).await?,
            7 => pay(cx, n).await?,
            _ => races(cx, n).await?,
        };
        Ok(Sum { sum }.into())
    }
}

struct Branches;

impl Orchestrator for Branches {
    type Request = Branch;
    fn descriptor(&self) -> Descriptor {
        describe("branch")
    }
    async fn orchestrate(&self, cx: &Context, Branch { number, depth }: Branch) -> StepResult<Sum> {
        let own = cx.call(Work { number }).value();
        let below = (0..depth).map(|n| {
            let number = number + u64::from(n);
            cx.call(Branch { number, depth: depth - 1 }).value()
        });
        let (own, below) = futures_util::join!(own, join_all(below));
        let mut sum = own?;
        for child in below {
            sum += child?.sum;
        }
        Ok(Sum { sum }.into())
    }
}

fn branch(number: u64, depth: u32) -> u64 {
    let below = (0..depth).map(|n| branch(number + u64::from(n), depth - 1));
    mix(number) + below.sum::<u64>()
}

/// What a workflow may come to, by what its run has recorded.
pub(crate) fn expected(index: u64, records: &[Record]) -> Vec<u64> {
    let n = mix(index);
    let works = |count| (0..count).map(|at| mix(n + at)).sum::<u64>();
    let sum = match index % KINDS {
        0 => works(8),
        1 => branch(n, 2) + branch(n + 1, 2),
        2 => works(2),
        3 => n % 1000 + mix(n),
        4 => works(3),
        5 => {
            let told = weight(&bytes(n, 150_000));
            told + weight(&bytes(n + 1, 90_000)) + weight(&bytes(n + 2, 200_000))
        }
        6 => chosen(n, records),
        7 => mix(n) + mix(n + 1),
        // Either the nap won or the peek.
        _ => return vec![mix(n), mix(n) + mix(n + 1)],
    };
    vec![sum]
}

/// What follows from the recorded choices, numbers and times.
fn chosen(n: u64, records: &[Record]) -> u64 {
    let locals = records.iter().filter_map(|record| match record {
        Record::Local(local) if local.kind != LocalKind::Signal => Some(local),
        _ => None,
    });
    let part = |local: &LocalRecord| match local.kind {
        LocalKind::Decision => local.value["chosen"].as_u64().unwrap_or(u64::MAX),
        LocalKind::Random => local.value.as_u64().unwrap_or(u64::MAX) % 1_000_000,
        LocalKind::Now | LocalKind::Signal => local.value.as_u64().unwrap_or(u64::MAX) % 1000,
    };
    let parts: Vec<u64> = locals.map(part).collect();
    let rounds = parts.chunks(3).zip(0..);
    rounds.map(|(parts, round)| mix(n + round + parts.iter().sum::<u64>())).sum()
}

async fn parallel(cx: &Context, n: u64) -> Result<u64, StepError> {
    let calls = (0..8).map(|at| cx.call(Work { number: n + at }).value());
    let mut calls: FuturesUnordered<_> = calls.collect();
    let mut sum = 0;
    while let Some(value) = calls.next().await {
        sum += value?;
    }
    Ok(sum)
}

async fn family(cx: &Context, n: u64) -> Result<u64, StepError> {
    let first = cx.call(Branch { number: n, depth: 2 }).value();
    let second = cx.call(Branch { number: n + 1, depth: 2 }).value();
    let (first, second) = futures_util::join!(first, second);
    Ok(first?.sum + second?.sum)
}

async fn naps(cx: &Context, n: u64) -> Result<u64, StepError> {
    cx.sleep(Duration::from_millis(n % 60)).await?;
    let first = cx.call(Work { number: n }).value().await?;
    cx.sleep(Duration::from_millis(n % 7)).await?;
    Ok(first + cx.call(Work { number: n + 1 }).value().await?)
}

async fn waits(cx: &Context, n: u64) -> Result<u64, StepError> {
    let go = cx.wait_for::<u64>("go", None).await?;
    match cx.wait_for::<u64>("never", Some(Duration::from_millis(n % 40))).await {
        Err(error) if error.category() == Category::Timeout => {}
        Err(error) => return Err(error),
        Ok(_) => return Err(StepError::new(Category::Internal, "an event that nobody sent")),
    }
    Ok(go + cx.call(Work { number: n }).value().await?)
}

/// True when the workflow has a step of class `once`.
pub(crate) fn pays(index: u64) -> bool {
    index % KINDS == 7
}

/// What the client of a waiting workflow sends.
pub(crate) fn event(index: u64) -> Option<u64> {
    (index % KINDS == 3).then(|| mix(index) % 1000)
}

async fn retries(cx: &Context, n: u64) -> Result<u64, StepError> {
    let calls = join_all((0..3).map(|at| cx.call(Flaky { number: n + at }).value())).await;
    calls.into_iter().sum()
}

async fn bulk(cx: &Context, n: u64) -> Result<u64, StepError> {
    let told = cx.call(Tell { number: n, length: 150_000 }).value().await?;
    let put = cx.put(bytes(n + 1, 90_000), "text/plain")?;
    let kept = cx.call(Keep { number: n + 2, length: 200_000 }).value().await?;
    let put = cx.call(Weigh { body: put }).value();
    let kept = cx.call(Weigh { body: kept }).value();
    let (put, kept) = futures_util::join!(put, kept);
    Ok(weight(told.as_bytes()) + put? + kept?)
}

async fn chooses(cx: &Context, n: u64) -> Result<u64, StepError> {
    let mut sum = 0;
    for round in 0..3 {
        let model = cx.decide(Component::Model, "crash", &["a", "b", "c"], &[("n", n as f64)])?;
        let (dice, now) = (cx.random()? % 1_000_000, cx.now()?);
        cx.signal(Signal {
            name: "reward".into(),
            subject: model.id.clone(),
            value: Some(0.5),
            data: serde_json::Value::Null,
        })?;
        let number = n + round + dice + now.0 % 1000 + model.chosen as u64;
        sum += cx.call(Work { number }).value().await?;
    }
    Ok(sum)
}

async fn pay(cx: &Context, n: u64) -> Result<u64, StepError> {
    // A process that dies here leaves it uncertain; then somebody has to look, and nothing is
    // paid twice.
    let paid = cx.call(Pay { number: n }).value().await;
    let noted = cx.call(Work { number: n + 1 }).value().await?;
    Ok(paid? + noted)
}

async fn races(cx: &Context, n: u64) -> Result<u64, StepError> {
    let nap = cx.sleep(Duration::from_millis(n % 20)).map(|slept| slept.map(|()| 0)).boxed();
    let peek = cx.call(Peek { number: n }).value().boxed();
    let (winner, value) = race(vec![nap, peek]).await;
    Ok(value? + cx.call(Work { number: n + winner as u64 }).value().await?)
}

pub(crate) async fn register(facade: &Facade) -> Result<(), StepError> {
    facade.register(Workflows).await?;
    facade.register(Branches).await
}
