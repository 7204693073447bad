//! Replay conformance: a run that is taken up after any prefix of its log goes on as if nothing
//! had happened, and a full log gives the same result without doing anything again.

mod changed;
mod foreign;
mod shapes;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use consort_core::{
    Context, Effect, Facade, Random, RunId, Seeded, StepResult,
    journal::{Batch, Journal},
    record::{History, Record, RunStarted},
};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use crate::fixtures::{Leaf, Scripted, World, acme, ask, done};

/// Logs that are cut, per shape. With the replay of each whole log that makes 1,000 replays.
const REPLAYS: usize = 500;
/// Runs of a shape whose logs are cut.
const ORIGINALS: usize = 20;

type Script = fn(Context) -> BoxFuture<'static, StepResult<Value>>;

/// One process: the code, and a note of every attempt by run and position.
struct Process {
    facade: Facade,
    begun: Arc<Mutex<BTreeMap<String, u32>>>,
}

impl Process {
    /// Capabilities answer after 0 to 3 ms, by chance.
    fn new(world: &World, chance: &Arc<Seeded>) -> Self {
        let (facade, begun) = (world.facade(), Arc::<Mutex<BTreeMap<_, _>>>::default());
        let (notes, random) = (begun.clone(), chance.clone());
        let work = Leaf::new("work", Effect::Read, move |cx, request| {
            *notes.lock().unwrap().entry(cx.idempotency_key().to_owned()).or_default() += 1;
            let pause = Duration::from_millis(random.bits() % 4);
            async move {
                tokio::time::sleep(pause).await;
                done(request)
            }
        });
        facade.register_capability(work).unwrap();
        let pure = Leaf::new("pure", Effect::Pure, |_, request| async move {
            done(json!({"computed": request}))
        });
        facade.register_capability(pure.recompute()).unwrap();
        Self { facade, begun }
    }

    async fn run(&self, script: Script) {
        let shape = Scripted::durable("shape", move |cx, _| script(cx));
        self.facade.register(shape).await.unwrap();
        let child = |cx: Context, request: Value| async move {
            let first = ask(&cx, "work", request).value().await?;
            cx.sleep(Duration::from_millis(1)).await?;
            ask(&cx, "work", first).await
        };
        self.facade.register(Scripted::durable("child", child)).await.unwrap();
        let brief = |cx, request: Value| async move { ask(&cx, "work", request).await };
        self.facade.register(Scripted::ephemeral("brief", brief)).await.unwrap();
        self.facade.start(true).await.unwrap();
    }

    async fn result(&self, run: &RunId) -> StepResult<Value> {
        self.facade.attach_to(run).await.unwrap().await
    }

    /// Attempts at steps of `run` itself, by position.
    fn begun(&self, run: &RunId) -> BTreeMap<u32, u32> {
        let of = format!("{run}/");
        let notes = self.begun.lock().unwrap();
        let from_here = notes.range(of.clone()..);
        from_here
            .map_while(|(key, times)| Some((key.strip_prefix(&of)?, *times)))
            .filter_map(|(position, times)| Some((position.parse().ok()?, times)))
            .collect()
    }
}

/// What can be compared between runs with different ids.
fn essence(result: &StepResult<Value>) -> Value {
    match result {
        Ok(outcome) => json!(outcome),
        Err(error) => json!([error.category(), error.message(), error.causes()]),
    }
}

/// Writes a log down under a new id, as a killed process would have left it.
async fn plant(world: &World, number: usize, started: &RunStarted, records: &[Record]) -> RunId {
    let id = RunId::root(1, number as u128);
    let started = RunStarted { id: id.clone(), ..started.clone() };
    let mut batch = Batch::entry(id.clone(), Record::Started(Box::new(started)));
    batch.entries.extend(records.iter().map(|record| (id.clone(), record.clone())));
    world.journal.commit(batch).await.unwrap();
    id
}

/// Without the notes about where the run was kept.
async fn log(world: &World, run: &RunId) -> History {
    let mut history = world.history(run).await;
    history.records.retain(|record| !matches!(record, Record::Parked { .. }));
    history
}

fn recorded(records: &[Record]) -> impl Iterator<Item = u32> {
    records.iter().filter(|record| matches!(record, Record::Step(_))).filter_map(Record::position)
}

/// Runs `script`, cuts its logs at random, lets the next process go on from there, and the one
/// after that replay everything.
async fn conforms(script: Script) {
    let (mut world, chance) = (World::new(), Arc::new(Seeded::new(11)));
    let first = Process::new(&world, &chance);
    first.run(script).await;
    let mut originals = Vec::new();
    for _ in 0..ORIGINALS {
        let handle = first.facade.start_run("shape", acme(), json!(null)).await.unwrap();
        let id = handle.id().unwrap().clone();
        let result = handle.await;
        originals.push((log(&world, &id).await, essence(&result)));
    }

    world.kill();
    let mut cuts = Vec::new();
    for number in 0..REPLAYS {
        let (history, result) = &originals[number % ORIGINALS];
        let kept = chance.bits() as usize % (history.records.len() + 1);
        let records = &history.records[..kept];
        let id = plant(&world, number, &history.started, records).await;
        cuts.push((id, history, kept, result));
    }
    let second = Process::new(&world, &chance);
    second.run(script).await;
    let mut whole = Vec::new();
    for (id, history, kept, result) in cuts {
        let context = format!("{id} cut after {kept} of {}", history.records.len());
        let again = essence(&second.result(&id).await);
        if kept == history.records.len() {
            assert_eq!(again, *result, "{context}");
        }
        let begun = second.begun(&id);
        for position in recorded(&history.records[..kept]) {
            assert!(!begun.contains_key(&position), "{context}: step {position} ran again");
        }
        assert!(begun.values().all(|times| *times == 1), "{context}: {begun:?}");
        let now = log(&world, &id).await;
        assert_eq!(now.records[..kept], history.records[..kept], "{context}");
        whole.push((now, again));
    }

    world.kill();
    let mut replays = Vec::new();
    for (number, (history, result)) in whole.iter().enumerate() {
        let id = plant(&world, REPLAYS + number, &history.started, &history.records).await;
        replays.push((id, history, result));
    }
    let third = Process::new(&world, &chance);
    third.run(script).await;
    for (id, history, result) in replays {
        assert_eq!(essence(&third.result(&id).await), *result, "{id}");
        let begun = third.begun(&id);
        for position in recorded(&history.records) {
            assert!(!begun.contains_key(&position), "{id}: step {position} ran again");
        }
        if result["status"] == "succeeded" {
            assert_eq!(begun, BTreeMap::new(), "{id}: a finished run did something");
        }
    }
}
