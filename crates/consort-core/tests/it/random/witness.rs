//! Keeps books beside the engine, from what capabilities and orchestrators see of it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
};

use consort_core::{Budget, RunId, Spend};

use super::plan::{Job, Plan, TENANT};

/// Money, tokens, calls.
type Amounts = [u64; 3];

/// One budget. What is set aside and spent may never exceed its limit, in any currency.
#[derive(Debug)]
struct Account {
    limit: [Option<u64>; 3],
    above: [u64; 3],
    set_aside: Amounts,
    spent: Amounts,
    closed: bool,
}

#[derive(Debug, Default)]
struct Books {
    accounts: HashMap<u64, Account>,
    cleanups: BTreeMap<RunId, u32>,
    working: u64,
    peak: u64,
    worked: u64,
    overspent: Vec<String>,
    late: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Witness(Arc<Mutex<Books>>);

fn amounts(spend: Spend) -> Amounts {
    [spend.money, spend.tokens, spend.calls]
}

impl Books {
    fn set_aside(&mut self, payers: [u64; 3], amounts: Amounts) {
        for currency in 0..3 {
            let Some(account) = self.accounts.get_mut(&payers[currency]) else { continue };
            account.set_aside[currency] += amounts[currency];
            self.overspent.extend(account.fault(currency));
        }
    }

    /// Replaces what was set aside by what it really cost. Whoever is over passes that on.
    fn settle(&mut self, payers: [u64; 3], set_aside: Amounts, spent: Amounts) {
        for currency in 0..3 {
            let mut payer = payers[currency];
            if let Some(account) = self.accounts.get_mut(&payer) {
                account.set_aside[currency] -= set_aside[currency];
            }
            while let Some(account) = self.accounts.get_mut(&payer) {
                account.spent[currency] += spent[currency];
                self.overspent.extend(account.fault(currency));
                if !account.closed {
                    break;
                }
                payer = account.above[currency];
            }
        }
    }
}

impl Account {
    fn fault(&self, currency: usize) -> Option<String> {
        let used = self.set_aside[currency] + self.spent[currency];
        let over = self.limit[currency].is_some_and(|limit| used > limit);
        over.then(|| format!("currency {currency}: {used} used of {self:?}"))
    }
}

impl Witness {
    fn lock(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap()
    }

    /// Noted, because a panic here would only fail the run that it happens in.
    pub(super) fn is_late(&self, what: String) {
        self.lock().late.push(what);
    }

    pub(super) fn late(&self) -> Vec<String> {
        self.lock().late.clone()
    }

    pub(super) fn overspent(&self) -> Vec<String> {
        self.lock().overspent.clone()
    }

    /// A run with a budget has begun, perhaps again.
    pub(super) fn opened(&self, plan: &Plan) {
        let Some(Budget { money, tokens, calls }) = plan.budget else { return };
        let mut books = self.lock();
        if books.accounts.contains_key(&plan.number) {
            return;
        }
        let (limit, above) = ([money, tokens, calls], plan.above);
        let account = Account { limit, above, set_aside: [0; 3], spent: [0; 3], closed: false };
        books.accounts.insert(plan.number, account);
        books.set_aside(above, limit.map(Option::unwrap_or_default));
    }

    /// It is about to clean up: what it did not spend returns.
    pub(super) fn closed(&self, number: u64, run: &RunId) {
        let mut books = self.lock();
        *books.cleanups.entry(run.clone()).or_default() += 1;
        let Some(account) = books.accounts.get_mut(&number) else { return };
        account.closed = true;
        let limit = account.limit.map(Option::unwrap_or_default);
        let (above, spent) = (account.above, account.spent);
        let spent = std::array::from_fn(|c| if account.limit[c].is_some() { spent[c] } else { 0 });
        books.settle(above, limit, spent);
    }

    /// Somebody works until the returned value is dropped.
    pub(super) fn works(&self, job: &Job) -> Working {
        let mut books = self.lock();
        books.working += 1;
        books.worked += 1;
        books.peak = books.peak.max(books.working);
        books.set_aside(job.payers, amounts(job.bound));
        Working { witness: self.clone(), job: job.clone() }
    }

    pub(super) fn working(&self) -> u64 {
        self.lock().working
    }

    /// Attempts in all, and at once.
    pub(super) fn worked(&self) -> (u64, u64) {
        let books = self.lock();
        (books.worked, books.peak)
    }

    pub(super) fn cleanups(&self) -> BTreeMap<RunId, u32> {
        self.lock().cleanups.clone()
    }

    /// Budgets that had a limit.
    pub(super) fn budgets(&self) -> usize {
        self.lock().accounts.keys().filter(|number| **number != TENANT).count()
    }
}

pub(super) struct Working {
    witness: Witness,
    job: Job,
}

impl Drop for Working {
    fn drop(&mut self) {
        let mut books = self.witness.lock();
        books.working -= 1;
        let actual = Spend { calls: 1, ..self.job.actual };
        books.settle(self.job.payers, amounts(self.job.bound), amounts(actual));
    }
}
