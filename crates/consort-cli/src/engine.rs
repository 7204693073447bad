//! An engine for the length of one command: opened on the store, listened to while it works,
//! and left in good order however the command ends.

use std::{fs, future::Future, path::Path};

use consort::{
    Builder, Consort, capabilities,
    core::{
        Category, Facade, Name, StepError,
        events::{Event, EventStream, Heard},
    },
};

use crate::{
    console::Console,
    events,
    fail::Failure,
    interrupt::Interrupts,
    settings::{Place, Settings},
};

/// A started engine.
pub(crate) struct Engine<'a> {
    consort: Consort,
    events: EventStream,
    interrupts: Interrupts,
    console: &'a Console,
    /// True when runs outlive the process.
    kept: bool,
    /// What to type to go on after an interruption, where it is not `resume`.
    again: Option<&'static str>,
}

/// Who may change a store.
pub(crate) enum Store<'a> {
    /// We, from now on.
    Ours(Engine<'a>),
    /// Another process, as this error says; it takes messages.
    Others(StepError),
}

impl<'a> Engine<'a> {
    /// Becomes the owner of the store unless there is one. `resume` takes up unfinished runs.
    pub(crate) async fn open(
        settings: &Settings,
        console: &'a Console,
        resume: bool,
    ) -> Result<Store<'a>, Failure> {
        let place = settings.store()?;
        make_room(place)?;
        let mut builder = Consort::builder()
            .capabilities(settings.capabilities.clone())
            .infrastructure(settings.resilience.clone())
            .store(&place.path);
        if !resume {
            builder = builder.no_resume();
        }
        match Self::start(builder, settings, console, true).await {
            Err(Failure::Step(error)) if error.category() == Category::StoreLocked => {
                Ok(Store::Others(*error))
            }
            started => Ok(Store::Ours(started?)),
        }
    }

    /// An engine that forgets everything.
    pub(crate) async fn in_memory(
        settings: &Settings,
        console: &'a Console,
        config: capabilities::Config,
    ) -> Result<Self, Failure> {
        let builder =
            Consort::builder().capabilities(config).infrastructure(settings.resilience.clone());
        Self::start(builder, settings, console, false).await
    }

    async fn start(
        builder: Builder,
        settings: &Settings,
        console: &'a Console,
        kept: bool,
    ) -> Result<Self, Failure> {
        let interrupts = Interrupts::listen()?;
        let consort = builder.build().await?;
        for name in settings.resilience.callees.keys() {
            if !is_known(consort.facade(), name) {
                console.note(&format!("warning: `resilience.callees.{name}` is about nobody here"));
            }
        }
        for (run, name, version) in consort.facade().blocked() {
            let why =
                format!("warning: run {run} cannot go on: `{name} {version}` is not registered");
            console.note(&why);
        }
        let events = consort.facade().events();
        Ok(Self { consort, events, interrupts, console, kept, again: None })
    }

    /// Says what goes on after an interruption, other than `resume`.
    pub(crate) fn goes_on_by(&mut self, again: &'static str) {
        self.again = Some(again);
    }

    pub(crate) fn consort(&self) -> Consort {
        self.consort.clone()
    }

    /// Waits for `work`, telling what happens meanwhile. The first Ctrl-C suspends the engine
    /// instead, the second one leaves at once.
    pub(crate) async fn during<T>(
        &mut self,
        work: impl Future<Output = T>,
        mut hear: impl FnMut(&Event),
    ) -> Result<T, Failure> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                code = self.interrupts.next() => return Err(self.suspend(code).await),
                heard = self.events.next() => match heard {
                    Some(Heard::Event(event)) => {
                        hear(&event);
                        events::tell(self.console, &event);
                    }
                    Some(Heard::Lost(count)) => {
                        self.console.note(&format!("warning: {count} events came too fast to be told"));
                    }
                    None => {}
                },
                done = &mut work => return Ok(done),
            }
        }
    }

    async fn suspend(&mut self, code: u8) -> Failure {
        self.console.end();
        self.console.note("interrupted: stopping; once more to leave at once");
        tokio::select! {
            biased;
            code = self.interrupts.next() => std::process::exit(code.into()),
            closed = self.consort.suspend() => match closed {
                Ok(closed) if self.kept && (closed.suspended > 0 || self.again.is_some()) => {
                    let (runs, again) = (count(closed.suspended, "run"), self.again);
                    let again = again.unwrap_or("consort resume");
                    self.console.note(&format!("{runs} suspended; to go on: {again}"));
                }
                Ok(_) => {}
                Err(error) => self.console.error(&error, None),
            },
        }
        Failure::Interrupted(code)
    }

    /// Leaves without a word about runs: what was asked for is done.
    pub(crate) async fn leave(self) -> Result<(), Failure> {
        self.consort.suspend().await?;
        Ok(())
    }

    /// Leaves. Runs that nobody here waits for go on at the next start.
    pub(crate) async fn close(self) -> Result<(), Failure> {
        let closed = self.consort.suspend().await?;
        if closed.suspended > 0 && self.kept {
            let runs = count(closed.suspended, "unfinished run");
            self.console.note(&format!("{runs} left for later; to go on: consort resume"));
        }
        Ok(())
    }
}

/// True when settings with this name, a callee or `callee/endpoint`, are about somebody.
pub(crate) fn is_known(facade: &Facade, name: &str) -> bool {
    let callee = name.split_once('/').map_or(name, |(callee, _)| callee);
    Name::new(callee).is_ok_and(|callee| facade.describe(&callee).is_ok())
}

/// Makes the directory of a store that the user did not name.
fn make_room(place: &Place) -> Result<(), StepError> {
    let Some(directory) = place.path.parent().filter(|_| !place.named) else { return Ok(()) };
    make_private(directory).map_err(|error| {
        let message =
            format!("there is no place for the store: cannot make `{}`", directory.display());
        StepError::new(Category::StoreUnavailable, message).because(&error)
    })
}

/// Runs can hold anything, so nobody else may look.
fn make_private(directory: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// A number with its noun.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
