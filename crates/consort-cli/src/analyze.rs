//! `consort analyze`.

use std::{
    io::{self, IsTerminal, Read, Write},
    path::Path,
    process::ExitCode,
};

use consort::{
    Consort,
    content::report::{self, Report},
    core::{
        Blob, Category, Context, Outcome, StepError, TenantId,
        events::{Event, Heard},
        port::Source,
    },
    domain::fallback_autonomous::{Analyze, Analyzed},
};

use crate::{args, fail::Failure};

/// The exit code of a run that did nothing on purpose.
const SKIPPED: u8 = 3;

pub(crate) async fn run(args: args::Analyze) -> Result<ExitCode, Failure> {
    let consort = Consort::builder().build().await?;
    let source = source(&consort, &args.input)?;
    let progress = show_progress(&consort);
    let cx = Context::new(TenantId::default());
    let outcome = consort.facade().call(cx, Analyze { source, depth: Default::default() }).await;
    progress.abort();
    let code = match outcome? {
        Outcome::Skipped { reason } => {
            note(&format!("skipped: {reason}\n"));
            ExitCode::from(SKIPPED)
        }
        outcome => {
            for loss in outcome.losses() {
                note(&format!("degraded: {}: {}\n", loss.what, loss.why));
            }
            let (analyzed, _) = outcome.into_value()?;
            let text = render(&consort, &analyzed, &args).await?;
            write(args.out.as_deref(), &text)?;
            ExitCode::SUCCESS
        }
    };
    consort.close().await?;
    Ok(code)
}

fn source(consort: &Consort, input: &str) -> Result<Source, Failure> {
    if input == "-" {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map_err(Failure::Input)?;
        let blob =
            consort.facade().context(TenantId::default()).put(bytes, "application/octet-stream")?;
        return Ok(Source::Stored { blob, name: "stdin".into() });
    }
    if input.contains("://") {
        return Ok(Source::Url(input.to_owned()));
    }
    let path = std::path::absolute(input).map_err(|error| {
        Failure::Engine(
            StepError::new(Category::InvalidRequest, format!("`{input}` is not a path"))
                .because(&error),
        )
    })?;
    Ok(Source::File(path.to_string_lossy().into_owned()))
}

/// Progress goes to a terminal only.
fn show_progress(consort: &Consort) -> tokio::task::AbortHandle {
    let mut events = consort.facade().events();
    let visible = io::stderr().is_terminal();
    let mut tasks = tokio::task::JoinSet::new();
    let handle = tasks.spawn(async move {
        while let Some(heard) = events.next().await {
            let Heard::Event(event) = heard else { continue };
            if let (true, Event::Progress { done, total, doing, .. }) = (visible, &*event) {
                note(&format!("{done}/{total} {doing}\n"));
            }
        }
    });
    tasks.detach_all();
    handle
}

async fn render(
    consort: &Consort,
    analyzed: &Analyzed,
    args: &args::Analyze,
) -> Result<String, Failure> {
    let report: Report = read(consort, &analyzed.report).await?;
    Ok(match (args.json, args.format) {
        (true, _) | (_, args::Format::Json) => report::json(&report) + "\n",
        (false, args::Format::Markdown) => report::markdown(&report, &report::Style::default()),
    })
}

async fn read(consort: &Consort, blob: &Blob) -> Result<Report, Failure> {
    let bytes = consort.facade().read(blob).await?;
    serde_json::from_slice(&bytes).map_err(|error| {
        StepError::new(Category::StoreCorrupt, "the stored report is damaged")
            .because(&error)
            .into()
    })
}

fn write(path: Option<&Path>, text: &str) -> Result<(), Failure> {
    match path {
        Some(path) => std::fs::write(path, text).map_err(|e| Failure::Output(Some(path.into()), e)),
        None => {
            let mut out = io::stdout().lock();
            let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
            written.map_err(|e| Failure::Output(None, e))
        }
    }
}

fn note(text: &str) {
    // Nowhere is left to report a failure of stderr.
    let _ = io::stderr().write_all(text.as_bytes());
}
