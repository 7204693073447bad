//! The rules that every journal follows, as pure functions of what is known about a run.

use std::collections::{HashMap, hash_map::Entry};

use consort_core::{
    Category, IdempotencyKey, Name, RunId, Spend, Status, TenantId, Timestamp, Version,
    journal::{JournalError, JournalErrorKind},
    record::{Record, RunState, RunSummary, StepKind},
};

/// Milliseconds in the hours by which spend is kept.
const HOUR: u64 = 3_600_000;

/// What an entry means for the line about its run.
#[derive(Clone, Debug)]
pub(crate) enum Fact {
    Started(Box<Birth>),
    Step { ended: Timestamp, spend: Spend, child: bool },
    Parked { due: Option<Timestamp>, seen: u64 },
    Ended(Ending),
    Other,
}

/// What never changes about a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Birth {
    pub(crate) orchestrator: Name,
    pub(crate) version: Version,
    pub(crate) tenant: TenantId,
    pub(crate) idempotency_key: Option<IdempotencyKey>,
    pub(crate) at: Timestamp,
}

/// How a run ended, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) at: Timestamp,
    pub(crate) status: Status,
    pub(crate) category: Option<Category>,
    pub(crate) spend: Spend,
}

impl Fact {
    pub(crate) fn of(record: &Record) -> Self {
        match record {
            Record::Started(started) => Self::Started(Box::new(Birth {
                orchestrator: started.orchestrator.clone(),
                version: started.version.clone(),
                tenant: started.tenant.clone(),
                idempotency_key: started.idempotency_key.clone(),
                at: started.at,
            })),
            Record::Step(step) => Self::Step {
                ended: step.ended,
                spend: step.spend,
                child: step.kind == StepKind::Child,
            },
            Record::Parked { due, seen, .. } => Self::Parked { due: *due, seen: *seen },
            Record::Ended(ended) => Self::Ended(Ending {
                at: ended.at,
                status: Status::of(&ended.result),
                category: ended.result.as_ref().err().map(consort_core::StepError::category),
                spend: ended.spend,
            }),
            Record::Local(_)
            | Record::Intent { .. }
            | Record::Timer { .. }
            | Record::Event { .. }
            | Record::Nudge { .. }
            | Record::Cancel { .. } => Self::Other,
        }
    }

    /// What the entry adds to its tenant's spend. The steps of a child are recorded with the
    /// child, so the step that stands for it in the parent must not count again.
    pub(crate) fn spent(&self) -> Option<(Timestamp, Spend)> {
        match self {
            Self::Step { ended, spend, child: false } if !spend.is_zero() => Some((*ended, *spend)),
            _ => None,
        }
    }
}

/// What changes about a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Entries in its log.
    pub(crate) entries: u64,
    /// Finished steps.
    pub(crate) steps: u64,
    /// Cost of its finished steps; of everything below it too, once it has ended.
    pub(crate) spend: Spend,
    pub(crate) parked: bool,
    pub(crate) due: Option<Timestamp>,
    pub(crate) ended: Option<Ending>,
}

impl Standing {
    /// Where the run stands after one more entry.
    pub(crate) fn apply(&mut self, fact: &Fact) {
        (self.parked, self.due) = (false, None);
        match fact {
            Fact::Started(_) | Fact::Other => {}
            Fact::Step { spend, .. } => {
                self.steps += 1;
                self.spend += *spend;
            }
            // Fewer seen than there are: something arrived meanwhile, so the run must not sleep.
            Fact::Parked { due, seen } => {
                if *seen == self.entries {
                    (self.parked, self.due) = (true, *due);
                }
            }
            Fact::Ended(ending) => {
                self.spend = ending.spend;
                self.ended = Some(*ending);
            }
        }
        self.entries += 1;
    }

    pub(crate) fn state(&self) -> RunState {
        match (self.ended, self.parked) {
            (Some(_), _) => RunState::Ended,
            (None, true) => RunState::Waiting,
            (None, false) => RunState::Open,
        }
    }

    /// The line about the run.
    pub(crate) fn summary(&self, id: RunId, birth: &Birth) -> RunSummary {
        RunSummary {
            id,
            orchestrator: birth.orchestrator.clone(),
            version: birth.version.clone(),
            tenant: birth.tenant.clone(),
            state: self.state(),
            status: self.ended.map(|ending| ending.status),
            category: self.ended.and_then(|ending| ending.category),
            started: birth.at,
            ended: self.ended.map(|ending| ending.at),
            due: self.due,
            steps: self.steps,
            spend: self.spend,
        }
    }
}

/// What a journal knows already.
pub(crate) trait Known {
    /// What looking up may end with, besides a refusal.
    type Error: From<JournalError>;

    /// Where a run stands; `None` when there is no such run.
    fn standing(&mut self, run: &RunId) -> Result<Option<Standing>, Self::Error>;

    /// The run that holds an idempotency key.
    fn holder(
        &mut self,
        tenant: &TenantId,
        orchestrator: &Name,
        key: &IdempotencyKey,
    ) -> Result<Option<RunId>, Self::Error>;
}

/// Where the runs of a change will stand after it. Decides before anything is written, so that a
/// refused change leaves no trace.
pub(crate) fn settle<'a, K: Known>(
    entries: impl IntoIterator<Item = (&'a RunId, &'a Fact)>,
    known: &mut K,
) -> Result<HashMap<&'a RunId, Standing>, K::Error> {
    let mut after: HashMap<&RunId, Standing> = HashMap::new();
    let mut keys: HashMap<(&TenantId, &Name, &IdempotencyKey), &RunId> = HashMap::new();
    for (run, fact) in entries {
        let place = match after.entry(run) {
            Entry::Occupied(place) => Ok(place),
            Entry::Vacant(place) => match known.standing(run)? {
                Some(standing) => Ok(place.insert_entry(standing)),
                None => Err(place),
            },
        };
        let mut place = match (place, fact) {
            (Ok(_), Fact::Started(_)) => {
                return Err(exists(format!("run {run} exists already")).into());
            }
            (Err(_), Fact::Step { .. } | Fact::Parked { .. } | Fact::Ended(_) | Fact::Other) => {
                return Err(no_such_run(format!("there is no run {run}")).into());
            }
            (Ok(place), _) => place,
            (Err(place), Fact::Started(birth)) => {
                if let Some(key) = &birth.idempotency_key {
                    let name = (&birth.tenant, &birth.orchestrator, key);
                    let holder = match keys.insert(name, run) {
                        Some(holder) => Some(holder.clone()),
                        None => known.holder(&birth.tenant, &birth.orchestrator, key)?,
                    };
                    if let Some(holder) = holder {
                        let text = format!("idempotency key `{key}` belongs to run {holder}");
                        return Err(exists(text).into());
                    }
                }
                place.insert_entry(Standing::default())
            }
        };
        if place.get().ended.is_some() {
            return Err(no_such_run(format!("run {run} has ended")).into());
        }
        place.get_mut().apply(fact);
    }
    Ok(after)
}

fn exists(message: String) -> JournalError {
    JournalError::new(JournalErrorKind::Exists, message)
}

fn no_such_run(message: String) -> JournalError {
    JournalError::new(JournalErrorKind::NoSuchRun, message)
}

/// The hour, counted from 1970, in which spend is kept.
pub(crate) fn hour(at: Timestamp) -> u64 {
    at.0 / HOUR
}
