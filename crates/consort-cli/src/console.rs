//! What the user sees: data on standard output, everything else on standard error.

use std::{
    cell::RefCell,
    io::{self, ErrorKind, Write},
};

use consort::core::StepError;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::{
    fail::{self, Failure},
    settings::{Settings, Talk},
};

/// Both ends of the conversation.
#[derive(Debug)]
pub(crate) struct Console {
    pub(crate) json: bool,
    /// True where data may be styled.
    pub(crate) ansi: bool,
    /// True where data must do with ASCII.
    pub(crate) ascii: bool,
    talk: Talk,
    columns: Option<usize>,
    watched: bool,
    bar: RefCell<Option<ProgressBar>>,
}

impl Console {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            json: settings.json,
            ansi: settings.ansi,
            ascii: settings.ascii,
            talk: settings.talk,
            columns: settings.columns,
            watched: settings.watched,
            bar: RefCell::new(None),
        }
    }

    /// True when as much as this is to be told.
    pub(crate) fn tells(&self, talk: Talk) -> bool {
        self.talk >= talk
    }

    /// Columns to lay text out for: those of the terminal, 80 elsewhere.
    pub(crate) fn columns(&self) -> usize {
        self.columns.unwrap_or(80)
    }

    /// Writes data.
    pub(crate) fn print(&self, text: &str) -> Result<(), Failure> {
        self.aside(|| {
            let mut out = io::stdout().lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        })
        .map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => Failure::ClosedPipe,
            _ => fail::io("write to standard output", &error).into(),
        })
    }

    /// Writes data as JSON, on lines of its own.
    pub(crate) fn print_json(&self, value: &impl Serialize) -> Result<(), Failure> {
        self.print(&(pretty(value) + "\n"))
    }

    /// Tells something beside the result.
    pub(crate) fn note(&self, text: &str) {
        if self.tells(Talk::Normal) {
            self.tell(text);
        }
    }

    /// Tells a failure. Under `--json` that is an answer too.
    pub(crate) fn fail(&self, error: &StepError) {
        if self.json {
            // The error itself says more than a failure to print it.
            let _ = self.print_json(&fail::json(error));
        }
        self.error(error, None);
    }

    /// Tells a failure on standard error.
    pub(crate) fn error(&self, error: &StepError, subject: Option<&str>) {
        self.tell(fail::lines(error, subject).trim_end());
    }

    fn tell(&self, text: &str) {
        let text = crate::text::harmless(text) + "\n";
        self.aside(|| {
            // Nowhere is left to report a failure of stderr.
            let _ = io::stderr().lock().write_all(text.as_bytes());
        });
    }

    // ===== progress: only where somebody watches =====

    /// Shows a bar of `total` parts.
    pub(crate) fn begin(&self, total: u64) {
        if !self.watched || !self.tells(Talk::Normal) {
            return;
        }
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{pos}/{len} {bar:20} {wide_msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        *self.bar.borrow_mut() = Some(bar);
    }

    /// Moves the bar.
    pub(crate) fn progress(&self, done: u64, total: u64, doing: &str) {
        if let Some(bar) = &*self.bar.borrow() {
            bar.set_length(total);
            bar.set_message(doing.to_owned());
            bar.set_position(done);
        }
    }

    /// Says what happens now, without moving the bar.
    pub(crate) fn doing(&self, what: &str) {
        if let Some(bar) = &*self.bar.borrow() {
            bar.set_message(what.to_owned());
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        if let Some(bar) = self.bar.borrow_mut().take() {
            bar.finish_and_clear();
        }
    }

    /// Does something to the terminal without the bar in its way.
    fn aside<T>(&self, act: impl FnOnce() -> T) -> T {
        match &*self.bar.borrow() {
            Some(bar) => bar.suspend(act),
            None => act(),
        }
    }
}

/// JSON for people and programs.
pub(crate) fn pretty(value: &impl Serialize) -> String {
    // Only maps with keys that are no text cannot be written, and there are none.
    serde_json::to_string_pretty(value).unwrap_or_else(|error| format!("\"{error}\""))
}
