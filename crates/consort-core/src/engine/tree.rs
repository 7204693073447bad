//! What the runs of one tree share while at least one of them is in memory: the root's ticket and
//! the ledgers of runs with a budget of their own.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use crate::{
    RunId, Spend, StepError,
    admission::{Ledger, Ticket},
    record::{History, Record, RunStarted},
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
        let tree = Arc::new(Tree { root: root.clone(), ticket, ledgers, seen: Mutex::default() });
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
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(run.clone())
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
    history.records.iter().fold(Spend::ZERO, |sum, record| match record {
        Record::Step(step) => sum.plus(step.spend),
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
    let tree = match host.engine.trees.get(&root) {
        Some(tree) => tree,
        None if *id == root => replant(host, history).await?,
        None => replant(host, &super::history(host, &root).await?).await?,
    };
    if let Some(known) = tree.known(id) {
        return Ok((tree, known));
    }
    let ledger = ledger_of(host, &tree, history).await?;
    Ok((tree, ledger))
}

async fn replant(host: &Host, root: &History) -> Result<Arc<Tree>, StepError> {
    let RunStarted { id, tenant, budget, .. } = &root.started;
    let now = host.moment();
    if let Some(since) = host.admission.unloaded(tenant, now.utc) {
        let spent = host.journal.spent(tenant, since).await?;
        host.admission.load(tenant, now, spent);
    }
    let ticket = host.admission.readmit(tenant, *budget, now);
    // Without a budget of its own the root draws on the tenant's account, which is loaded whole.
    if budget.is_some_and(|budget| !budget.is_unlimited()) {
        ticket.ledger.recall(recorded_spend(root));
    }
    Ok(host.engine.trees.plant(id, ticket))
}

/// The ledger of a run, made again from the records of everybody above it where needed.
async fn ledger_of(host: &Host, tree: &Tree, history: &History) -> Result<Arc<Ledger>, StepError> {
    let mut chain = vec![history.clone()];
    let mut ledger = tree.ticket.ledger.clone();
    let mut above = history.started.id.parent();
    while let Some(ancestor) = above {
        if let Some(known) = tree.known(&ancestor) {
            ledger = known;
            break;
        }
        chain.push(super::history(host, &ancestor).await?);
        above = ancestor.parent();
    }
    for past in chain.iter().rev() {
        if let Some(budget) = past.started.budget {
            ledger = ledger.carve_again(budget);
        }
        ledger.recall(recorded_spend(past));
        tree.keep(&past.started.id, &ledger);
    }
    Ok(ledger)
}
