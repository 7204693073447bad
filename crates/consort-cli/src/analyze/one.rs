//! One input from content to report: an earlier run of the same work counts, unless it failed.

use consort::{
    capabilities,
    core::{
        Category, Context, Hash, IdempotencyKey, Loss, Name, Outcome, Request, RunHandle, RunId,
        StepError, StepResult, TenantId, Timestamp,
        journal::RunFilter,
        port::Source,
        record::{History, RunState},
    },
    domain::fallback_autonomous::{Analyze, Analyzed},
};
use serde_json::Value;

use super::{
    Batch,
    input::{Content, Input},
    key::Work,
};
use crate::reading::blocking;

/// What came of an input.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) run: Option<RunId>,
    /// When the report was made, if that was in an earlier command.
    pub(super) reused: Option<Timestamp>,
    pub(super) ending: Ending,
}

#[derive(Debug)]
pub(super) enum Ending {
    Reported { analyzed: Box<Analyzed>, losses: Vec<Loss> },
    Skipped { reason: String },
    Uncertain { doubt: String },
    Failed(StepError),
}

impl Ending {
    /// When the report was made, if the run found it to be there already.
    fn reused(&self) -> Option<Timestamp> {
        match self {
            Self::Reported { analyzed, .. } => Some(analyzed.reused.as_ref()?.ended),
            _ => None,
        }
    }
}

/// A run that has the answer, now or later.
struct Found {
    run: Option<RunId>,
    reused: Option<Timestamp>,
    result: StepResult<Value>,
}

pub(super) async fn one(batch: &Batch<'_>, input: &Input) -> Done {
    match find_or_run(batch, input).await {
        Err(error) => Done { run: None, reused: None, ending: Ending::Failed(error) },
        Ok(Found { run, reused, result }) => {
            let ending = ending(result).unwrap_or_else(Ending::Failed);
            let reused = reused.or_else(|| ending.reused());
            Done { run, reused, ending }
        }
    }
}

fn ending(result: StepResult<Value>) -> Result<Ending, StepError> {
    let reported = |value: Value, losses| -> Result<Ending, StepError> {
        let analyzed: Analyzed = serde_json::from_value(value).map_err(|error| {
            StepError::new(Category::StoreCorrupt, "the recorded answer makes no sense")
                .because(&error)
        })?;
        Ok(Ending::Reported { analyzed: Box::new(analyzed), losses })
    };
    Ok(match result? {
        Outcome::Succeeded { value } => reported(value, Vec::new())?,
        Outcome::Degraded { value, losses } => reported(value, losses)?,
        Outcome::Skipped { reason } => Ending::Skipped { reason },
        Outcome::Uncertain { doubt, .. } => Ending::Uncertain { doubt },
    })
}

async fn find_or_run(batch: &Batch<'_>, input: &Input) -> Result<Found, StepError> {
    match read(input).await? {
        Content::Url(url) => {
            let request = request(batch, Source::Url(url))?;
            match unfinished(batch, &request).await? {
                Some(run) => wait_for(batch, input, run).await,
                None => start(batch, input, None, request).await,
            }
        }
        Content::Bytes(bytes) => {
            let hash = Hash::of(&bytes);
            let source = || {
                let context = batch.consort.facade().context(TenantId::default());
                let blob = context.put(bytes, "application/octet-stream")?;
                Ok(Source::Stored { blob, name: input.name().to_owned() })
            };
            known_by_content(batch, input, hash, source).await
        }
        Content::Recording { path, hash } => {
            let source = || Ok(Source::File(path.to_string_lossy().into_owned()));
            known_by_content(batch, input, hash, source).await
        }
    }
}

/// The latest run on this content that counts, else a new one.
async fn known_by_content(
    batch: &Batch<'_>,
    input: &Input,
    hash: Hash,
    source: impl FnOnce() -> Result<Source, StepError>,
) -> Result<Found, StepError> {
    let work = Work::new(hash, &input.ending(), batch.options, batch.versions);
    let (key, earlier) = earlier(batch, &work).await?;
    match earlier {
        None => start(batch, input, Some(key), request(batch, source()?)?).await,
        Some((run, History { ended: None, .. })) => wait_for(batch, input, run).await,
        Some((run, History { ended: Some(ended), .. })) => {
            Ok(Found { run: Some(run), reused: Some(ended.at), result: ended.result })
        }
    }
}

/// Reads the content in the background; pipes may keep it waiting.
async fn read(input: &Input) -> Result<Content, StepError> {
    let limit = capabilities::Config::default().max_bytes;
    let input = input.clone();
    blocking(move || input.read(limit)).await?
}

fn orchestrator() -> Result<Name, StepError> {
    Name::new(Analyze::CALLEE)
        .map_err(|error| StepError::new(Category::Internal, error.to_string()))
}

fn request(batch: &Batch<'_>, source: Source) -> Result<Value, StepError> {
    let (depth, evidence) = (batch.options.depth, batch.evidence.to_vec());
    let again = batch.job.again;
    serde_json::to_value(Analyze { source, depth, evidence, again }).map_err(|error| {
        StepError::new(Category::Internal, "a request is not JSON").because(&error)
    })
}

/// The latest run of this work that may still count, and the key for a new one.
async fn earlier(
    batch: &Batch<'_>,
    work: &Work,
) -> Result<(IdempotencyKey, Option<(RunId, History)>), StepError> {
    let (tenant, name) = (TenantId::default(), orchestrator()?);
    let mut attempt = 0;
    loop {
        let key = work.key(attempt)?;
        let Some(run) = batch.consort.find_run(&tenant, &name, &key).await? else {
            return Ok((key, None));
        };
        let past = batch.consort.facade().history(&run).await?;
        let counts = match &past.ended {
            None => true,
            // What failed may succeed now: files, settings and time have changed.
            Some(ended) => ended.result.is_ok() && !batch.job.again,
        };
        if counts {
            return Ok((key, Some((run, past))));
        }
        attempt += 1;
    }
}

/// A run of an earlier command that has the same address to report on and has not ended.
async fn unfinished(batch: &Batch<'_>, request: &Value) -> Result<Option<RunId>, StepError> {
    let facade = batch.consort.facade();
    for state in [RunState::Open, RunState::Waiting] {
        let filter = RunFilter {
            orchestrator: Some(orchestrator()?),
            state: Some(state),
            roots: true,
            ..RunFilter::default()
        };
        for summary in facade.runs(filter).await? {
            let same = asks_for(&facade.history(&summary.id).await?.started.request, request);
            // Not one that another input of this command has just started.
            if same && !batch.runs.borrow().contains_key(&summary.id) {
                return Ok(Some(summary.id));
            }
        }
    }
    Ok(None)
}

/// True when what `recorded` asks for will do for `request`; a new report always does.
fn asks_for(recorded: &Value, request: &Value) -> bool {
    let mut plain = recorded.clone();
    let again = plain.as_object_mut().and_then(|fields| fields.remove("again"));
    recorded == request || (again.is_some() && plain == *request)
}

async fn wait_for(batch: &Batch<'_>, input: &Input, run: RunId) -> Result<Found, StepError> {
    let facade = batch.consort.facade();
    let handle = if batch.resumed {
        facade.attach_to(&run).await?
    } else {
        // It was left alone at start, but it is asked for now.
        match facade.resume(&run).await {
            Err(error) if error.category() == Category::Conflict => facade.attach_to(&run).await?,
            resumed => resumed?,
        }
    };
    finish(batch, input, handle).await
}

async fn start(
    batch: &Batch<'_>,
    input: &Input,
    key: Option<IdempotencyKey>,
    request: Value,
) -> Result<Found, StepError> {
    let mut cx = Context::new(TenantId::default());
    if let Some(limit) = batch.job.timeout {
        cx = cx.timeout(limit);
    }
    if let Some(key) = key {
        cx = cx.idempotency_key(key);
    }
    let handle = batch.consort.facade().start_run(Analyze::CALLEE, cx, request).await?;
    finish(batch, input, handle).await
}

async fn finish(batch: &Batch<'_>, input: &Input, handle: RunHandle) -> Result<Found, StepError> {
    let run = handle.id().cloned();
    if let Some(run) = &run {
        batch.runs.borrow_mut().insert(run.clone(), input.name().to_owned());
    }
    Ok(Found { run, reused: None, result: handle.await })
}
