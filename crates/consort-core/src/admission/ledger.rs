//! A budget and what became of it. Ledgers form a tree: a child's limit is reserved in its parent.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Refused;
use crate::{Budget, Currency, Spend};

/// One budget. Invariant: reserved + spent ≤ limit in every limited currency, unless an actual
/// cost was above its declared bound (then `overrun` says by how much).
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(super) limit: Budget,
    /// Where the limit is reserved, and where currencies without a limit here are accounted for.
    parent: Option<Arc<Ledger>>,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    reserved: Spend,
    spent: Spend,
    overrun: Spend,
}

/// An amount set aside. Dropped unsettled it returns whole.
#[derive(Debug)]
pub(crate) struct Reservation {
    ledger: Arc<Ledger>,
    pub(super) amount: Spend,
    settled: bool,
}

impl Ledger {
    /// A ledger without a parent that has already spent something.
    pub(crate) fn root(limit: Budget, spent: Spend) -> Arc<Self> {
        let state = Mutex::new(State { spent, ..State::default() });
        Arc::new(Self { limit, parent: None, state })
    }

    /// A child with a limit of its own, reserved here as a whole. What it does not spend returns
    /// when it is dropped.
    pub(crate) fn carve(self: &Arc<Self>, limit: Budget) -> Result<Arc<Self>, Refused> {
        self.set_aside(limit.amount())?;
        Ok(Arc::new(Self { limit, parent: Some(self.clone()), state: Mutex::default() }))
    }

    /// Like [`carve`](Self::carve) for a run that was admitted before: asks nobody again.
    pub(crate) fn carve_again(self: &Arc<Self>, limit: Budget) -> Arc<Self> {
        self.set_aside_again(limit.amount());
        Arc::new(Self { limit, parent: Some(self.clone()), state: Mutex::default() })
    }

    fn set_aside_again(&self, amount: Spend) {
        self.lock().reserved += amount;
        let above = self.unlimited(amount);
        if let Some(parent) = self.parent.as_ref().filter(|_| !above.is_zero()) {
            parent.set_aside_again(above);
        }
    }

    /// Sets `amount` aside here, and above for currencies that are not limited here.
    pub(crate) fn reserve(self: &Arc<Self>, amount: Spend) -> Result<Reservation, Refused> {
        self.set_aside(amount)?;
        Ok(Reservation { ledger: self.clone(), amount, settled: false })
    }

    /// Debits what a step cost before a restart; never refused.
    pub(crate) fn debit(&self, amount: Spend) {
        self.settle(Spend::ZERO, amount, Spend::ZERO);
    }

    fn set_aside(&self, amount: Spend) -> Result<(), Refused> {
        {
            let mut state = self.lock();
            let used = state.reserved.plus(state.spent);
            for currency in Currency::ALL {
                let Some(limit) = self.limit.get(currency) else { continue };
                let (asked, left) =
                    (amount.get(currency), limit.saturating_sub(used.get(currency)));
                if asked > left {
                    return Err(Refused::Budget { currency, asked, left });
                }
            }
            state.reserved += amount;
        }
        let above = self.unlimited(amount);
        match &self.parent {
            Some(parent) if !above.is_zero() => parent.set_aside(above).inspect_err(|_| {
                let mut state = self.lock();
                state.reserved = state.reserved.less(amount);
            }),
            _ => Ok(()),
        }
    }

    fn settle(&self, reserved: Spend, actual: Spend, over: Spend) {
        {
            let mut state = self.lock();
            state.reserved = state.reserved.less(reserved);
            state.spent += actual;
            state.overrun += over;
        }
        if let Some(parent) = &self.parent {
            let (reserved, actual) = (self.unlimited(reserved), self.unlimited(actual));
            if !reserved.is_zero() || !actual.is_zero() {
                parent.settle(reserved, actual, self.unlimited(over));
            }
        }
    }

    /// The part in currencies that this ledger does not limit.
    fn unlimited(&self, amount: Spend) -> Spend {
        Spend {
            money: if self.limit.money.is_none() { amount.money } else { 0 },
            tokens: if self.limit.tokens.is_none() { amount.tokens } else { 0 },
            calls: if self.limit.calls.is_none() { amount.calls } else { 0 },
        }
    }

    /// What can still be reserved here, per limited currency.
    pub(crate) fn left(&self) -> Budget {
        let state = *self.lock();
        let used = state.reserved.plus(state.spent);
        let left = |c: Currency| self.limit.get(c).map(|limit| limit.saturating_sub(used.get(c)));
        Budget {
            money: left(Currency::Money),
            tokens: left(Currency::Tokens),
            calls: left(Currency::Calls),
        }
    }

    pub(crate) fn spent(&self) -> Spend {
        self.lock().spent
    }

    #[cfg(test)]
    pub(crate) fn overrun(&self) -> Spend {
        self.lock().overrun
    }

    #[cfg(test)]
    pub(crate) fn reserved(&self) -> Spend {
        self.lock().reserved
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        let Some(parent) = self.parent.take() else { return };
        let state = *self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let limited = |amount: Spend| amount.less(self.unlimited(amount));
        // Currencies without a limit here were settled above as they went.
        parent.settle(self.limit.amount(), limited(state.spent), limited(state.overrun));
    }
}

impl Reservation {
    /// Replaces the reservation by what it really cost; returns what was beyond it.
    pub(crate) fn settle(mut self, actual: Spend) -> Spend {
        self.settled = true;
        let over = actual.less(self.amount);
        self.ledger.settle(self.amount, actual, over);
        over
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.settled {
            self.ledger.settle(self.amount, Spend::ZERO, Spend::ZERO);
        }
    }
}
