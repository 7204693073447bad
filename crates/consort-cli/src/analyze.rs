//! `consort analyze`: many inputs at once, each a durable run, so that the same command after a
//! crash or Ctrl-C goes on where it was.

mod evidence;
mod input;
mod job;
mod key;
mod one;
mod target;

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
};

use consort::{
    Consort,
    content::report::{self, Report, Style},
    core::{Blob, Category, RunId, Status, StepError, events::Event},
    domain::fallback_autonomous::{Analyzed, Item, evidence::EvidenceSource},
};
use futures_util::StreamExt;
use input::Input;
use job::{Format, Job, Out};
use key::{Options, Versions};
use one::{Done, Ending, one};
use serde::Serialize;
use serde_json::json;

use crate::{
    args,
    console::{Console, pretty},
    engine::{Engine, Store, count},
    fail::{Failure, exit_code},
    run_ref,
    settings::Settings,
    text::moment,
};

/// Pages of a feed at an address that are reported on unless somebody says otherwise.
const ITEMS: usize = 20;

pub(crate) async fn run(
    settings: &Settings,
    console: &Console,
    typed: args::Analyze,
) -> Result<u8, Failure> {
    let job = Job::understand(typed, settings.json)?;
    let (mut engine, kept) = open(settings, console).await?;
    engine.goes_on_by("the same command again");
    let consort = engine.consort();
    let sources = job.evidence.iter().map(|evidence| evidence.source(&consort));
    let evidence: Vec<EvidenceSource> = sources.collect::<Result<_, _>>()?;
    let options = Options {
        depth: job.depth,
        evidence: job.evidence.iter().map(evidence::Evidence::key).collect(),
    };
    let (versions, runs) = (Versions::of(&consort), RefCell::default());
    let batch = Batch {
        options: &options,
        evidence: &evidence,
        versions: &versions,
        job: &job,
        console,
        consort: &consort,
        kept,
        resumed: settings.resume || !kept,
        runs: &runs,
    };
    console.begin(batch.job.inputs.len() as u64);
    let watching = |event: &Event| batch.progress(event);
    let code = engine.during(everything(batch), watching).await;
    console.end();
    let code = code?;
    engine.close().await?;
    code
}

/// The inputs, and then what the feeds among them announce.
async fn everything(batch: Batch<'_>) -> Result<u8, Failure> {
    let mut tally = Tally::default();
    batch.run(&mut tally).await?;
    let items = std::mem::take(&mut tally.items);
    let more = batch.and_items(items).and_then(|items| batch.job.and(items));
    let Some(job) = more else { return batch.sum_up(tally) };
    let batch = Batch { job: &job, ..batch };
    batch.run(&mut tally).await?;
    batch.sum_up(tally)
}

/// An engine on the user's store; on none when that cannot be had and the user did not insist.
async fn open<'a>(
    settings: &Settings,
    console: &'a Console,
) -> Result<(Engine<'a>, bool), Failure> {
    let why = match Engine::open(settings, console, settings.resume).await {
        Ok(Store::Ours(engine)) => return Ok((engine, true)),
        Ok(Store::Others(owned)) => owned,
        Err(Failure::Step(error)) if about_the_store(error.category()) => *error,
        Err(failure) => return Err(failure),
    };
    if settings.store().is_ok_and(|place| place.named) {
        return Err(why.into());
    }
    let causes: String = why.causes().iter().map(|cause| format!(": {cause}")).collect();
    console.note(&format!("warning: nothing is recorded, {why}{causes}"));
    Ok((Engine::in_memory(settings, console, settings.capabilities.clone()).await?, false))
}

fn about_the_store(category: Category) -> bool {
    matches!(
        category,
        Category::StoreUnavailable
            | Category::StoreLocked
            | Category::StoreCorrupt
            | Category::StoreTooNew
            | Category::StorageFull
            | Category::Configuration
    )
}

/// All inputs of one command.
#[derive(Clone, Copy)]
struct Batch<'a> {
    job: &'a Job,
    versions: &'a Versions,
    options: &'a Options,
    evidence: &'a [EvidenceSource],
    console: &'a Console,
    consort: &'a Consort,
    /// True when runs are recorded.
    kept: bool,
    /// True when unfinished runs were taken up at start.
    resumed: bool,
    /// Which input a run is about.
    runs: &'a RefCell<HashMap<RunId, String>>,
}

/// What the inputs came to.
#[derive(Debug, Default)]
struct Tally {
    code: u8,
    done: u64,
    reported: usize,
    reused: usize,
    degraded: usize,
    skipped: usize,
    uncertain: usize,
    failed: usize,
    /// What the feeds among the inputs announce, by input.
    items: Vec<(usize, Vec<Item>)>,
    lines: BTreeMap<usize, Line>,
}

/// One input in the answer under `--json` with `--out`.
#[derive(Debug, Serialize)]
struct Line {
    input: String,
    status: Status,
    run: Option<RunId>,
    reused: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    out: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<StepError>,
}

impl Batch<'_> {
    async fn run(&self, tally: &mut Tally) -> Result<(), Failure> {
        let total = self.job.inputs.len();
        let work = self
            .job
            .inputs
            .iter()
            .enumerate()
            .skip(self.job.done)
            .map(|(index, input)| async move { (index, one(self, input).await) });
        let mut endings = futures_util::stream::iter(work).buffer_unordered(self.job.at_once);
        // What must be printed in the order of the inputs waits here for its turn.
        let mut early: BTreeMap<usize, Done> = BTreeMap::new();
        let mut next = self.job.done;
        while let Some((index, done)) = endings.next().await {
            tally.done += 1;
            if total > 1 {
                self.console.progress(tally.done, total as u64, self.job.inputs[index].name());
            }
            if !matches!(self.job.out, Out::Print) {
                self.settle(index, done, tally).await?;
                continue;
            }
            early.insert(index, done);
            while let Some(done) = early.remove(&next) {
                self.settle(next, done, tally).await?;
                next += 1;
            }
        }
        Ok(())
    }

    /// The pages of feeds that are reported on; says what is left out.
    fn and_items(&self, feeds: Vec<(usize, Vec<Item>)>) -> Option<Vec<Input>> {
        let mut more = Vec::new();
        for (index, items) in feeds {
            let feed = &self.job.inputs[index];
            // Who names a file need not want the network.
            let wanted = self.job.items.unwrap_or(if feed.is_url() { ITEMS } else { 0 });
            let total = items.len();
            let in_file = matches!(self.job.out, Out::File(_));
            let taken = if in_file { 0 } else { wanted.min(total) };
            let announces = format!("note: {} announces {}", feed.name(), count(total, "page"));
            if in_file && wanted > 0 {
                let text = "to report on them name a directory with --out";
                self.console.note(&format!("{announces}; {text}"));
            } else if taken == 0 && self.job.items.is_none() {
                self.console.note(&format!("{announces}; --items N reports on them too"));
            } else if taken < total && taken > 0 {
                let text = format!("{announces}, the first {taken} follow");
                self.console.note(&format!("{text}; --items changes that"));
            }
            let urls = items.into_iter().take(taken).map(|item| item.url);
            more.extend(urls.map(|url| Input::understand(url.into())));
        }
        (!more.is_empty()).then_some(more)
    }

    /// Writes a report, or says why there is none.
    async fn settle(&self, index: usize, done: Done, tally: &mut Tally) -> Result<(), Failure> {
        let name = self.job.inputs[index].name();
        let Done { run, reused, ending } = done;
        let mut line = Line {
            input: name.to_owned(),
            status: Status::Succeeded,
            run,
            reused: reused.is_some(),
            out: None,
            reason: None,
            error: None,
        };
        match ending {
            Ending::Reported { analyzed, losses } => {
                let Analyzed { report, items, .. } = *analyzed;
                if !items.is_empty() {
                    tally.items.push((index, items));
                }
                for loss in &losses {
                    let text = format!("degraded: {}{}: {}", self.about(name), loss.what, loss.why);
                    self.console.note(&text);
                }
                if let (Some(since), [_]) = (reused, self.job.inputs.as_slice()) {
                    let since = moment(since);
                    self.console.note(&format!("report of {since} UTC; --again makes a new one"));
                }
                line.status = if losses.is_empty() { Status::Succeeded } else { Status::Degraded };
                match self.deliver(index, &report).await {
                    Ok(out) => line.out = out,
                    Err(Failure::Step(error)) => line.error = Some(*error),
                    Err(failure) => return Err(failure),
                }
            }
            Ending::Skipped { reason } => {
                self.console.note(&format!("skipped: {}{reason}", self.about(name)));
                line.status = Status::Skipped;
                line.reason = Some(reason);
            }
            Ending::Uncertain { doubt } => {
                self.console.note(&format!("uncertain: {}{doubt}", self.about(name)));
                line.status = Status::Uncertain;
                line.reason = Some(doubt);
            }
            Ending::Failed(error) => line.error = Some(error),
        }
        if let Some(error) = &line.error {
            line.status = Status::Failed;
            let several = self.job.inputs.len() > 1;
            self.console.error(error, several.then_some(name));
            if let (Some(run), true) = (&line.run, self.kept) {
                self.console.note(&format!("to see more: consort show {}", run_ref::short(run)));
            }
        }
        if matches!(self.job.out, Out::Print) && self.job.format.is_json() {
            self.explain(&line)?;
        }
        tally.add(index, line);
        Ok(())
    }

    /// The place of a report that there is not, in a stream of JSON.
    fn explain(&self, line: &Line) -> Result<(), Failure> {
        match (&line.error, &line.reason) {
            (Some(error), _) => {
                self.console.print_json(&json!({ "input": line.input, "error": error }))
            }
            (None, Some(reason)) => {
                let why = line.status.name();
                self.console.print_json(&json!({ "input": line.input, why: reason }))
            }
            (None, None) => Ok(()),
        }
    }

    /// The input's name before a message, where there are several inputs.
    fn about(&self, name: &str) -> String {
        if self.job.inputs.len() > 1 { format!("{name}: ") } else { String::new() }
    }

    /// Renders a report and puts it where it belongs; the file, if it is one.
    async fn deliver(&self, index: usize, blob: &Blob) -> Result<Option<String>, Failure> {
        let bytes = self.consort.facade().read(blob).await?;
        let mut report: Report = serde_json::from_slice(&bytes).map_err(|error| {
            StepError::new(Category::StoreCorrupt, "the stored report is damaged").because(&error)
        })?;
        // The same content may have been reported on under another name.
        self.job.inputs[index].name().clone_into(&mut report.source.locator);
        let text = match self.job.format {
            Format::Json => report::json(&report) + "\n",
            Format::JsonLd => pretty(&report::claim_review(&report)) + "\n",
            Format::Html => report::html(&report),
            Format::Markdown => report::markdown(&report, &self.style()),
        };
        let path = match &self.job.out {
            Out::Print => {
                let gap =
                    if index > 0 && self.job.format == Format::Markdown { "\n\n" } else { "" };
                self.console.print(&format!("{gap}{text}"))?;
                return Ok(None);
            }
            Out::File(path) => path.clone(),
            Out::Directory(directory) => directory.join(&self.job.names[index]),
        };
        target::write(&path, &text)?;
        Ok(Some(path.to_string_lossy().into_owned()))
    }

    fn style(&self) -> Style {
        match self.job.out {
            Out::Print => {
                let Console { ansi, ascii, .. } = *self.console;
                Style { width: self.console.columns().min(100), ansi, ascii, ..Style::default() }
            }
            Out::File(_) | Out::Directory(_) => Style::default(),
        }
    }

    fn sum_up(&self, tally: Tally) -> Result<u8, Failure> {
        let total = self.job.inputs.len();
        if total > 1 {
            self.console.note(&tally.words(total));
        }
        if self.console.json && !matches!(self.job.out, Out::Print) {
            let lines: Vec<&Line> = tally.lines.values().collect();
            self.console.print_json(&json!({ "inputs": lines }))?;
        }
        Ok(tally.code)
    }

    /// Shows how far a single input has come; several are counted when they end.
    fn progress(&self, event: &Event) {
        let Event::Progress { run, done, total, doing } = event else { return };
        let runs = self.runs.borrow();
        let Some(name) = runs.get(run) else { return };
        if self.job.inputs.len() == 1 {
            self.console.progress(u64::from(*done), u64::from(*total), doing);
        } else {
            self.console.doing(&format!("{name}: {done}/{total} {doing}"));
        }
    }
}

impl Tally {
    fn add(&mut self, index: usize, line: Line) {
        let category = line.error.as_ref().map(StepError::category);
        self.code = self.code.max(exit_code(line.status, category));
        self.reused += usize::from(line.reused);
        match line.status {
            Status::Succeeded => self.reported += 1,
            Status::Degraded => self.degraded += 1,
            Status::Skipped => self.skipped += 1,
            Status::Uncertain => self.uncertain += 1,
            Status::Failed => self.failed += 1,
        }
        self.lines.insert(index, line);
    }

    fn words(&self, total: usize) -> String {
        let parts = [
            (self.reported, "reported"),
            (self.degraded, "degraded"),
            (self.skipped, "skipped"),
            (self.uncertain, "uncertain"),
            (self.failed, "failed"),
        ];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, what)| format!("{number} {what}"))
            .collect();
        let reused = match self.reused {
            0 => String::new(),
            reused => format!(" ({reused} from earlier runs)"),
        };
        format!("{}: {}{reused}", count(total, "input"), parts.join(", "))
    }
}
