//! A budget and what became of it. Ledgers form a tree: a child's limit is reserved in its parent.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Refused;
use crate::{Budget, Currency, Spend};

/// One budget. Invariant: reserved + spent ≤ limit in every limited currency, unless an actual
/// cost was above its declared bound (then `overrun` says by how much).
///
/// The one without a parent is a tenant's account, which is loaded with everything on record; the
/// others belong to runs.
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
    /// The part of `spent`, in limited currencies, that the account knows from the store.
    recalled: Spend,
}

/// What becomes final.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Cost {
    /// No longer set aside.
    reserved: Spend,
    /// Spent, beyond the reservation or not.
    actual: Spend,
    /// The part beyond the reservation.
    over: Spend,
    /// The part of `actual` that the account knows from the store.
    recalled: Spend,
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

    /// Debits what is not to be asked for any more; never refused.
    pub(crate) fn debit(&self, amount: Spend) {
        self.settle(Cost { actual: amount, ..Cost::default() });
    }

    /// Debits what is on record, down to the account, which knows of it.
    pub(crate) fn recall(&self, amount: Spend) {
        self.settle(Cost { actual: amount, recalled: amount, ..Cost::default() });
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

    fn settle(&self, cost: Cost) {
        let Some(parent) = &self.parent else {
            let mut state = self.lock();
            state.reserved = state.reserved.less(cost.reserved);
            state.spent += cost.actual.less(cost.recalled);
            state.overrun += cost.over;
            return;
        };
        let mut above = Cost {
            reserved: self.unlimited(cost.reserved),
            actual: self.unlimited(cost.actual),
            over: self.unlimited(cost.over),
            recalled: self.unlimited(cost.recalled),
        };
        {
            let mut state = self.lock();
            state.reserved = state.reserved.less(cost.reserved);
            state.spent += cost.actual;
            state.overrun += cost.over;
            let before = self.still_reserved(&state);
            state.recalled += self.limited(cost.recalled);
            if parent.parent.is_none() {
                // In the account it counts as spent, so it must not count as reserved as well.
                above.reserved += before.less(self.still_reserved(&state));
            }
        }
        if above != Cost::default() {
            parent.settle(above);
        }
    }

    /// The part of the limit that the account has to keep aside.
    fn still_reserved(&self, state: &State) -> Spend {
        self.limit.amount().less(state.recalled)
    }

    /// The part in currencies that this ledger limits.
    fn limited(&self, amount: Spend) -> Spend {
        amount.less(self.unlimited(amount))
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
        let account = parent.parent.is_none();
        // Currencies without a limit here were settled above as they went.
        parent.settle(Cost {
            reserved: if account { self.still_reserved(&state) } else { self.limit.amount() },
            actual: self.limited(state.spent),
            over: self.limited(state.overrun),
            recalled: state.recalled,
        });
    }
}

impl Reservation {
    /// Replaces the reservation by what it really cost; returns what was beyond it.
    pub(crate) fn settle(mut self, actual: Spend) -> Spend {
        self.settled = true;
        let over = actual.less(self.amount);
        self.ledger.settle(Cost { reserved: self.amount, actual, over, ..Cost::default() });
        over
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.settled {
            self.ledger.settle(Cost { reserved: self.amount, ..Cost::default() });
        }
    }
}
