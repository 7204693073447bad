//! What an exploration found, as data and as text.

use std::fmt;

use consort_core::StepResult;
use serde_json::Value;

/// The side of a commit on which the process was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The change was never written.
    Before,
    /// The change is on disk, but nobody was told.
    After,
}

/// Where a process was stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// The side of the commit.
    pub side: Side,
    /// The commit, counted from 1 since the first start.
    pub commit: usize,
    /// What it wrote.
    pub wrote: String,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Before => "before",
            Side::After => "after",
        };
        write!(f, "{side} commit {} ({})", self.commit, self.wrote)
    }
}

/// What can be wrong with an orchestrator that is stopped and resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A step whose result was on disk was carried out again. The engine's fault, not yours.
    RepeatedStep,
    /// The world saw an effect more often than without the stop.
    RepeatedEffect,
    /// The world saw an effect less often than without the stop.
    LostEffect,
    /// A step that was in flight was repeated with another request, or the run asked for something
    /// else than without the stop.
    ChangedRequest,
    /// A `pure` capability gave two answers to the same request.
    NotPure,
    /// The run ended with another result.
    DifferentResult,
    /// The code asked for other steps than the journal holds (`journal_mismatch`).
    DivergentReplay,
    /// The orchestrator awaited something that is not a step (`foreign_await`).
    ForeignAwait,
    /// The run did not end within the limit of virtual time.
    Hang,
    /// The run cannot go on because its version is not registered any more.
    Blocked,
    /// A run could not be started, or its process could not.
    NotStarted,
    /// A run ended without `cleanup`. The engine's fault, not yours.
    CleanupMissing,
}

impl Kind {
    /// What to look for in the code.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::RepeatedStep | Self::CleanupMissing => {
                "the engine broke its promise; report this with the scenario"
            }
            Self::RepeatedEffect => {
                "an effect outside a capability, a capability that ignores its idempotency key, an \
                 uncertain step called again, or a `cleanup` that does harm when it runs twice"
            }
            Self::LostEffect => {
                "an effect that depends on something the next process does not know"
            }
            Self::ChangedRequest => {
                "randomness, time or iteration order that does not come from the context or a step"
            }
            Self::NotPure => {
                "the capability looks at something besides its request; declare `read`"
            }
            Self::DifferentResult => {
                "state outside the context: a field, a static, a clock, a random number"
            }
            Self::DivergentReplay => {
                "the order or number of steps depends on something outside the context (randomness, \
                 time, a `HashMap`'s order), or the code changed without a new version"
            }
            Self::ForeignAwait => "await steps only; timers are `cx.sleep`, work is a capability",
            Self::Hang => "something waits for news that only the stopped process could give",
            Self::Blocked => {
                "register the old version beside the new one until its runs have ended"
            }
            Self::NotStarted => "the request, the registration or `start` is refused",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::RepeatedStep => "repeated step",
            Self::RepeatedEffect => "repeated effect",
            Self::LostEffect => "lost effect",
            Self::ChangedRequest => "changed request",
            Self::NotPure => "not pure",
            Self::DifferentResult => "different result",
            Self::DivergentReplay => "divergent replay",
            Self::ForeignAwait => "foreign await",
            Self::Hang => "hang",
            Self::Blocked => "blocked run",
            Self::NotStarted => "not started",
            Self::CleanupMissing => "cleanup missing",
        }
    }

    /// True when what happened afterwards says nothing more.
    pub(crate) const fn is_fatal(self) -> bool {
        matches!(
            self,
            Self::DivergentReplay
                | Self::ForeignAwait
                | Self::Hang
                | Self::Blocked
                | Self::NotStarted
        )
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One fault, with all the points at which it showed.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What is wrong.
    pub kind: Kind,
    /// With whom: an orchestrator, a capability or an effect.
    pub subject: String,
    /// What was seen the first time.
    pub detail: String,
    /// Where the process was stopped; empty when it shows without any stop.
    pub at: Vec<Point>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}: {}", self.kind, self.subject, self.detail)?;
        match self.at.split_first() {
            None => writeln!(f, "  without any stop")?,
            Some((first, [])) => writeln!(f, "  stopped {first}")?,
            Some((first, more)) => {
                writeln!(f, "  stopped {first}, and at {} other points", more.len())?;
            }
        }
        write!(f, "  look for: {}", self.kind.hint())
    }
}

/// What an exploration found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Commits of the undisturbed run.
    pub commits: usize,
    /// Points at which a process was stopped.
    pub points: usize,
    /// Results of the undisturbed run, in the order of the requests; `None` for one that hung.
    pub results: Vec<Option<StepResult<Value>>>,
    /// What is wrong, each fault once.
    pub findings: Vec<Finding>,
}

impl Report {
    /// True when one of the findings is of this kind.
    pub fn found(&self, kind: Kind) -> bool {
        self.findings.iter().any(|finding| finding.kind == kind)
    }

    /// Fails the test when anything was found, or when nothing was tried.
    ///
    /// # Panics
    ///
    /// With the whole report as message.
    #[track_caller]
    pub fn assert_clean(&self) {
        assert!(self.points > 0, "no process was stopped: the run made no commit\n{self}");
        assert!(self.findings.is_empty(), "{self}");
    }

    pub(crate) fn add(&mut self, at: Option<&Point>, kind: Kind, subject: String, detail: String) {
        let known = self.findings.iter_mut().find(|f| f.kind == kind && f.subject == subject);
        match (known, at) {
            (Some(finding), Some(at)) if !finding.at.is_empty() => {
                if finding.at.last() != Some(at) {
                    finding.at.push(at.clone());
                }
            }
            // It shows without a stop, which says it all.
            (Some(_), _) => {}
            (None, at) => {
                let at = at.into_iter().cloned().collect();
                self.findings.push(Finding { kind, subject, detail, at });
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { commits, points, findings, .. } = self;
        write!(f, "{commits} commits, stopped at {points} points, {} findings", findings.len())?;
        findings.iter().try_for_each(|finding| write!(f, "\n{finding}"))
    }
}
