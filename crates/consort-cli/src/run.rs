//! `consort run`, `consort resume` and `consort fork`: runs that somebody waits for, or not.

mod beside;

use std::{
    io::{self, Read},
    path::Path,
};

use consort::{
    Consort,
    core::{
        Category, Context, Durability, IdempotencyKey, Name, RunHandle, RunId, StepError,
        StepResult, TenantId, Version,
        journal::RunFilter,
        record::{RunState, RunSummary},
    },
};
use serde_json::Value;

use crate::{
    answer, args,
    console::Console,
    engine::{Engine, Store},
    fail::{self, Failure, exit_code},
    inspect, reading,
    settings::Settings,
    view::Line,
};

/// What `consort run` was told to do.
struct Order {
    name: String,
    request: Value,
    detach: bool,
    timeout: Option<std::time::Duration>,
    key: Option<IdempotencyKey>,
}

impl Order {
    fn understand(typed: args::Run) -> Result<Self, Failure> {
        let key = typed.key.map(IdempotencyKey::new).transpose();
        Ok(Self {
            request: match &typed.input {
                Some(input) => read_json(input)?,
                None => Value::Object(serde_json::Map::new()),
            },
            name: typed.name,
            detach: typed.detach,
            timeout: typed.timeout,
            key: key.map_err(|error| Failure::Usage(error.to_string()))?,
        })
    }

    fn context(&self) -> Context {
        let mut cx = Context::new(TenantId::default());
        if let Some(limit) = self.timeout {
            cx = cx.timeout(limit);
        }
        match &self.key {
            Some(key) => cx.idempotency_key(key.clone()),
            None => cx,
        }
    }
}

fn read_json(input: &Path) -> Result<Value, StepError> {
    let (name, bytes) = if input == Path::new("-") {
        let mut bytes = Vec::new();
        let read = io::stdin().lock().read_to_end(&mut bytes);
        read.map_err(|error| fail::io("read standard input", &error))?;
        ("standard input".to_owned(), bytes)
    } else {
        let bytes = std::fs::read(input).map_err(|error| fail::file("read", input, &error))?;
        (format!("`{}`", input.display()), bytes)
    };
    serde_json::from_slice(&bytes).map_err(|error| {
        StepError::new(Category::InvalidRequest, format!("{name} is not JSON"))
            .because(&error)
            .hint("give one JSON document; `consort describe` shows its schema")
    })
}

pub(crate) async fn run(
    settings: &Settings,
    console: &Console,
    typed: args::Run,
) -> Result<u8, Failure> {
    let order = Order::understand(typed)?;
    // A run that nobody waits for is no reason to take up others.
    let resume = settings.resume && !order.detach;
    let mut engine = match Engine::open(settings, console, resume).await? {
        Store::Ours(engine) => engine,
        Store::Others(owned) => return beside::run(settings, console, order, owned).await,
    };
    let consort = engine.consort();
    if is_durable(&consort, &order.name) {
        let starting = start(&consort, &order, settings.resume);
        let handle = engine.during(starting, |_| {}).await??;
        return finish(engine, console, handle, order.detach).await;
    }
    if order.detach {
        let message = format!("`{}` keeps no record, so somebody has to wait for it", order.name);
        let error = StepError::new(Category::InvalidRequest, message);
        engine.close().await?;
        return Err(error.hint("leave out `--detach`").into());
    }
    let call = consort.facade().orchestrate(&order.name, order.context(), order.request.clone());
    let result = engine.during(call, |_| {}).await?;
    engine.close().await?;
    answer::tell(console, None, result)
}

fn is_durable(consort: &Consort, name: &str) -> bool {
    let known = Name::new(name).ok().and_then(|name| consort.facade().get(&name));
    known.is_some_and(|descriptor| descriptor.durability == Durability::Durable)
}

async fn start(consort: &Consort, order: &Order, resumed: bool) -> Result<RunHandle, StepError> {
    let facade = consort.facade();
    let handle = facade.start_run(&order.name, order.context(), order.request.clone()).await?;
    match handle.id() {
        // The run that had the key already may have been left alone so far.
        Some(run) if order.key.is_some() && !resumed => match facade.resume(run).await {
            Err(error) if error.category() == Category::Conflict => Ok(handle),
            resumed => resumed,
        },
        _ => Ok(handle),
    }
}

/// Waits for a run of ours, or leaves it.
async fn finish(
    mut engine: Engine<'_>,
    console: &Console,
    handle: RunHandle,
    detach: bool,
) -> Result<u8, Failure> {
    let run = handle.id().cloned();
    match run {
        Some(run) if detach => {
            engine.close().await?;
            answer::detached(console, &run, "recorded; nobody works on it now")
        }
        run => {
            let result: StepResult<Value> = engine.during(handle, |_| {}).await?;
            engine.close().await?;
            answer::tell(console, run.as_ref(), result)
        }
    }
}

pub(crate) async fn fork(
    settings: &Settings,
    console: &Console,
    typed: args::Fork,
) -> Result<u8, Failure> {
    let version = typed.onto.as_deref().map(Version::parse).transpose();
    let onto = version.map_err(|error| Failure::Usage(format!("`--onto`: {error}")))?;
    let run = reading::find(settings, &typed.run).await?;
    let resume = settings.resume && !typed.detach;
    match Engine::open(settings, console, resume).await? {
        Store::Others(owned) => Err(owned.into()),
        Store::Ours(mut engine) => {
            let consort = engine.consort();
            let forking = consort.facade().fork(&run, typed.from, onto.as_ref());
            let handle = engine.during(forking, |_| {}).await??;
            finish(engine, console, handle, typed.detach).await
        }
    }
}

pub(crate) async fn resume(
    settings: &Settings,
    console: &Console,
    typed: args::Resume,
) -> Result<u8, Failure> {
    match typed.run {
        Some(run) => resume_one(settings, console, &run).await,
        None => resume_all(settings, console).await,
    }
}

async fn resume_one(settings: &Settings, console: &Console, text: &str) -> Result<u8, Failure> {
    let run = reading::find(settings, text).await?;
    let mut engine = match Engine::open(settings, console, settings.resume).await? {
        Store::Ours(engine) => engine,
        Store::Others(_) => return beside::resume(settings, console, run).await,
    };
    let consort = engine.consort();
    // It may have ended since the start, which is what was asked for.
    let known = async {
        match consort.facade().resume(&run).await {
            Err(error) if error.category() == Category::Conflict => {
                let past = consort.facade().history(&run).await?;
                console.note("the run has ended before");
                past.ended.map(|ended| ended.result).ok_or(error)?
            }
            Err(error) => Err(error),
            Ok(handle) => handle.await,
        }
    };
    let result = engine.during(known, |_| {}).await?;
    engine.close().await?;
    answer::tell(console, Some(&run), result)
}

/// Goes on with everything until nothing is left to do now.
async fn resume_all(settings: &Settings, console: &Console) -> Result<u8, Failure> {
    let journal = reading::needed(settings).await?;
    let mut unfinished: Vec<RunId> = Vec::new();
    for state in [RunState::Open, RunState::Waiting] {
        let state = Some(state);
        let filter = RunFilter { state, roots: true, limit: usize::MAX, ..RunFilter::default() };
        let found = journal.runs(filter).await.map_err(StepError::from)?;
        unfinished.extend(found.into_iter().map(|RunSummary { id, .. }| id));
    }
    drop(journal);
    if unfinished.is_empty() {
        inspect::print(console, &inspect::Lines { runs: Vec::new() })?;
        return Ok(0);
    }
    let mut engine = match Engine::open(settings, console, true).await? {
        Store::Ours(engine) => engine,
        Store::Others(owned) => return Err(owned.hint("its owner works on them already").into()),
    };
    let consort = engine.consort();
    let mut changes = consort.facade().events();
    let idle = async {
        while consort.facade().in_memory() > 0 {
            changes.next().await;
        }
    };
    engine.during(idle, |_| {}).await?;
    let mut lines = Vec::new();
    for run in &unfinished {
        let filter = RunFilter { tree: Some(run.clone()), roots: true, ..RunFilter::default() };
        lines.extend(consort.facade().runs(filter).await?.iter().map(Line::new));
    }
    engine.close().await?;
    let codes = lines.iter().filter_map(|line| Some(exit_code(line.status?, line.category)));
    let worst = codes.max().unwrap_or(0);
    inspect::print(console, &inspect::Lines { runs: lines })?;
    Ok(worst)
}
