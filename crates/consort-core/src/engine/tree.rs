//! What the runs of one tree share while at least one of them is in memory: the root's ticket and
//! the ledgers of runs with a budget of their own.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use crate::{
    RunId, Spend, StepError,
    admission::{Ledger, Ticket},
    journal::RunFilter,
    record::{History, Record, RunStarted, RunState, RunSummary, StepKind},
    run::Host,
};

/// The trees that have runs in memory.
#[derive(Debug, Default)]
pub(super) struct Trees {
    planted: Mutex<HashMap<RunId, Weak<Tree>>>,
    /// Held while a tree grows again, so that all its runs find the same one.
    growing: tokio::sync::Mutex<()>,
}

/// One run tree.
#[derive(Debug)]
pub(super) struct Tree {
    root: RunId,
    ticket: Ticket,
    ledgers: Mutex<HashMap<RunId, Arc<Ledger>>>,
    /// Runs whose spend the ledgers know about.
    seen: Mutex<HashSet<RunId>>,
}

impl Trees {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, Weak<Tree>>> {
        self.planted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, root: &RunId) -> Option<Arc<Tree>> {
        self.lock().get(root)?.upgrade()
    }

    /// The tree of a root that has just been admitted.
    pub(super) fn plant(&self, root: &RunId, ticket: Ticket) -> Arc<Tree> {
        let ledgers = Mutex::new(HashMap::from([(root.clone(), ticket.ledger.clone())]));
        let seen = Mutex::new(HashSet::from([root.clone()]));
        let tree = Arc::new(Tree { root: root.clone(), ticket, ledgers, seen });
        let mut trees = self.lock();
        if trees.len() > 1024 && trees.len().is_power_of_two() {
            trees.retain(|_, tree| tree.strong_count() > 0);
        }
        trees.insert(root.clone(), Arc::downgrade(&tree));
        tree
    }

    pub(super) fn forget(&self, root: &RunId) {
        self.lock().remove(root);
    }
}

impl Tree {
    /// What the root draws on.
    pub(super) fn ledger(&self) -> Arc<Ledger> {
        self.ticket.ledger.clone()
    }

    fn known(&self, run: &RunId) -> Option<Arc<Ledger>> {
        self.ledgers.lock().unwrap_or_else(PoisonError::into_inner).get(run).cloned()
    }

    fn keep(&self, run: &RunId, ledger: &Arc<Ledger>) {
        let mut ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        ledgers.insert(run.clone(), ledger.clone());
        drop(ledgers);
        self.see(run);
    }

    /// True when the ledgers did not know about this run's spend until now.
    pub(super) fn see(&self, run: &RunId) -> bool {
        self.seen().insert(run.clone())
    }

    fn seen(&self) -> MutexGuard<'_, HashSet<RunId>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a new run with this budget draws on, below `parent`.
    pub(super) fn child(
        &self,
        id: &RunId,
        budget: Option<crate::Budget>,
        parent: &Arc<Ledger>,
    ) -> Result<Arc<Ledger>, StepError> {
        let ledger = match budget {
            Some(budget) => parent.carve(budget)?,
            None => parent.clone(),
        };
        self.keep(id, &ledger);
        Ok(ledger)
    }

    /// Lets a child's ledger go, so that what it did not spend returns to its parent.
    pub(super) fn close(&self, id: &RunId) {
        if *id != self.root {
            self.ledgers.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        }
    }
}

/// What a run has recorded as spent, its ended children included.
pub(super) fn recorded_spend(history: &History) -> Spend {
    spend_of_steps(history, |_| true)
}

/// The same without its children, who have records of their own.
fn own_spend(history: &History) -> Spend {
    spend_of_steps(history, |kind| kind != StepKind::Child)
}

fn spend_of_steps(history: &History, counts: impl Fn(StepKind) -> bool) -> Spend {
    history.records.iter().fold(Spend::ZERO, |sum, record| match record {
        Record::Step(step) if counts(step.kind) => sum.plus(step.spend),
        _ => sum,
    })
}

/// The tree and ledger of a run that is taken up again. A resumed run keeps its ticket: what is
/// recorded as spent is debited, nothing is asked for again.
pub(super) async fn regrow(
    host: &Host,
    history: &History,
) -> Result<(Arc<Tree>, Arc<Ledger>), StepError> {
    let id = &history.started.id;
    let root = id.tree();
    let _alone = host.engine.trees.growing.lock().await;
    let records = Records { host, history };
    let tree = match host.engine.trees.get(&root) {
        Some(tree) => {
            if let Some(known) = tree.known(id) {
                return Ok((tree, known));
            }
            tree
        }
        None => replant(host, &*records.of(&root).await?).await?,
    };
    recall(&tree, &records).await?;
    let known = tree.known(id).ok_or_else(|| super::no_such_run(id))?;
    Ok((tree, known))
}

/// What is on record, of which the history of one run is known already.
struct Records<'a> {
    host: &'a Host,
    history: &'a History,
}

impl<'a> Records<'a> {
    async fn of(&self, run: &RunId) -> Result<Cow<'a, History>, StepError> {
        if *run == self.history.started.id {
            return Ok(Cow::Borrowed(self.history));
        }
        Ok(Cow::Owned(super::history(self.host, run).await?))
    }
}

async fn replant(host: &Host, root: &History) -> Result<Arc<Tree>, StepError> {
    let RunStarted { id, tenant, budget, .. } = &root.started;
    let now = host.moment();
    if let Some(since) = host.admission.unloaded(tenant, now.utc) {
        let spent = host.journal.spent(tenant, since).await?;
        host.admission.load(tenant, now, spent);
    }
    let ticket = host.admission.readmit(tenant, *budget, now);
    ticket.ledger.recall(own_spend(root));
    Ok(host.engine.trees.plant(id, ticket))
}

/// Makes the ledgers of all open runs before the first of them goes on, and debits what the whole
/// tree has spent: a budget must know of the runs below it that are not in memory, of those that
/// have ended, and of those that no step of their parent tells of.
async fn recall(tree: &Tree, records: &Records<'_>) -> Result<(), StepError> {
    let filter =
        RunFilter { tree: Some(tree.root.clone()), limit: usize::MAX, ..RunFilter::default() };
    let runs = records.host.journal.runs(filter).await?;
    let parents: HashSet<RunId> = runs.iter().filter_map(|run| run.id.parent()).collect();
    // Who pays for what is directly below a run. Parents come before their children.
    let mut payers: HashMap<RunId, Arc<Ledger>> = HashMap::new();
    for run in runs {
        let above = run.id.parent().and_then(|parent| payers.get(&parent).cloned());
        let above = above.unwrap_or_else(|| tree.ledger());
        let payer = if run.state == RunState::Ended {
            recall_ended(tree, records, &run, parents.contains(&run.id), &above).await?;
            above
        } else {
            recall_open(tree, records, &run.id, above).await?
        };
        payers.insert(run.id, payer);
    }
    Ok(())
}

/// An ended run's own share of what it and everything below it cost is paid by `above`.
async fn recall_ended(
    tree: &Tree,
    records: &Records<'_>,
    run: &RunSummary,
    is_parent: bool,
    above: &Ledger,
) -> Result<(), StepError> {
    if tree.seen().contains(&run.id) {
        return Ok(());
    }
    let mut own = run.spend;
    if is_parent {
        own = own.less(spend_of_steps(&*records.of(&run.id).await?, |k| k == StepKind::Child));
    }
    if tree.see(&run.id) {
        above.recall(own);
    }
    Ok(())
}

/// The ledger of an unfinished run below one that draws on `above`.
async fn recall_open(
    tree: &Tree,
    records: &Records<'_>,
    id: &RunId,
    above: Arc<Ledger>,
) -> Result<Arc<Ledger>, StepError> {
    if let Some(known) = tree.known(id) {
        return Ok(known);
    }
    let history = records.of(id).await?;
    let ledger = match history.started.budget {
        Some(budget) => above.carve_again(budget),
        None => above,
    };
    ledger.recall(own_spend(&history));
    tree.keep(id, &ledger);
    Ok(ledger)
}
