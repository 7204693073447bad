//! Admission: one atomic ticket per root run, and the ledgers that budgets are carved from.

mod ledger;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

pub(crate) use ledger::{Ledger, Reservation};
use tokio::time::Instant;

use crate::{
    Budget, Category, Currency, Limits, Spend, StepError, TenantId, Timestamp, guard::Fired,
    limits::TenantLimits,
};

/// Tenants whose state is kept although they have nothing open.
const IDLE_TENANTS: usize = 10_000;

/// Why admission refused. Converted to a [`Category`] once, here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The nearest budget cannot cover the amount.
    Budget { currency: Currency, asked: u64, left: u64 },
    /// The tenant's quota for this window cannot cover the amount.
    Quota { currency: Currency, asked: u64, left: u64, again: Duration },
    /// Too many root runs over all tenants.
    Concurrency { limit: u32 },
    /// Too many root runs of this tenant.
    TenantConcurrency { limit: u32 },
    /// Too many new root runs of this tenant lately.
    Rate { again: Duration },
}

impl From<Refused> for StepError {
    fn from(refused: Refused) -> Self {
        let (category, message, again) = match refused {
            Refused::Budget { currency, asked, left } => {
                let name = currency.name();
                (Category::BudgetExhausted, format!("asks for {asked} {name}, {left} left"), None)
            }
            Refused::Quota { currency, asked, left, again } => {
                let name = currency.name();
                let message =
                    format!("asks for {asked} {name}, {left} left in the tenant's window");
                (Category::QuotaExceeded, message, Some(again))
            }
            Refused::Concurrency { limit } => {
                (Category::Overloaded, format!("{limit} runs are open already"), None)
            }
            Refused::TenantConcurrency { limit } => {
                let message = format!("{limit} runs of this tenant are open already");
                (Category::Overloaded, message, None)
            }
            Refused::Rate { again } => {
                (Category::RateLimited, "too many new runs of this tenant".to_owned(), Some(again))
            }
        };
        let error = StepError::new(category, message.clone()).fired(Fired::new("admit", message));
        match again {
            Some(pause) => error.retry_after(pause),
            None => error,
        }
    }
}

/// Permission for a root run: its budget share and its permits. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) ledger: Arc<Ledger>,
    admission: Arc<Admission>,
    tenant: TenantId,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.admission.release(&self.tenant);
    }
}

/// Decides over root runs.
#[derive(Debug)]
pub(crate) struct Admission {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: u32,
    tenants: HashMap<TenantId, Tenant>,
}

#[derive(Debug)]
struct Tenant {
    open: u32,
    tokens: f64,
    filled: Instant,
    window: u64,
    /// True once it is known what was spent in this window before.
    loaded: bool,
    /// Spend of this window; its limit is the quota.
    ledger: Arc<Ledger>,
}

/// What the caller knows about now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) at: Instant,
    pub(crate) utc: Timestamp,
}

impl Admission {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, state: Mutex::default() })
    }

    /// The start of the tenant's window, where its quota must be loaded before the first
    /// admission in that window.
    pub(crate) fn unloaded(&self, tenant: &TenantId, utc: Timestamp) -> Option<Timestamp> {
        let limits = self.limits.of(tenant);
        if limits.quota.is_unlimited() {
            return None;
        }
        let window = window(limits, utc);
        let state = self.lock();
        let known = state.tenants.get(tenant);
        let loaded = known.is_some_and(|known| known.window >= window && known.loaded);
        (!loaded).then(|| Timestamp(window * window_millis(limits)))
    }

    /// Tells what the tenant has spent in the window of `utc` before this process knew of it.
    pub(crate) fn load(&self, tenant: &TenantId, now: Moment, spent: Spend) {
        let limits = self.limits.of(tenant);
        let window = window(limits, now.utc);
        let mut state = self.lock();
        let known = state.tenant(tenant, limits, window, now.at);
        // Of several that asked at once the first tells; what it admitted since must stay.
        if known.window == window && !known.loaded {
            known.loaded = true;
            known.ledger.debit(spent);
        }
    }

    /// Everything or nothing: permits, a token of the rate, and the budget share.
    pub(crate) fn admit(
        self: &Arc<Self>,
        tenant: &TenantId,
        budget: Option<Budget>,
        now: Moment,
    ) -> Result<Ticket, Refused> {
        let limits = self.limits.of(tenant);
        let mut state = self.lock();
        if state.open >= self.limits.concurrency {
            return Err(Refused::Concurrency { limit: self.limits.concurrency });
        }
        let window = window(limits, now.utc);
        let known = state.tenant(tenant, limits, window, now.at);
        known.check(limits, now.at)?;
        let ledger = match budget.filter(|budget| !budget.is_unlimited()) {
            None => known.ledger.clone(),
            Some(budget) => known.ledger.carve(budget).map_err(|refused| match refused {
                Refused::Budget { currency, asked, left } => {
                    let end = Timestamp((window + 1) * window_millis(limits));
                    Refused::Quota { currency, asked, left, again: end.since(now.utc) }
                }
                other => other,
            })?,
        };
        if limits.rate.is_some() {
            known.tokens -= 1.0;
        }
        known.open += 1;
        state.open += 1;
        drop(state);
        Ok(Ticket { ledger, admission: self.clone(), tenant: tenant.clone() })
    }

    /// For a run that was admitted before: takes its permits without asking for them.
    pub(crate) fn readmit(
        self: &Arc<Self>,
        tenant: &TenantId,
        budget: Option<Budget>,
        now: Moment,
    ) -> Ticket {
        let limits = self.limits.of(tenant);
        let mut state = self.lock();
        state.open += 1;
        let known = state.tenant(tenant, limits, window(limits, now.utc), now.at);
        known.open += 1;
        let ledger = match budget.filter(|budget| !budget.is_unlimited()) {
            None => known.ledger.clone(),
            Some(budget) => known.ledger.carve_again(budget),
        };
        drop(state);
        Ticket { ledger, admission: self.clone(), tenant: tenant.clone() }
    }

    fn release(&self, tenant: &TenantId) {
        let mut state = self.lock();
        state.open -= 1;
        if let Some(known) = state.tenants.get_mut(tenant) {
            known.open -= 1;
        }
        if state.tenants.len() > IDLE_TENANTS {
            // Forgetting a tenant with a quota is safe: its spend is loaded again from the store.
            state.tenants.retain(|_, known| known.open > 0);
        }
    }

    /// Root runs that are open now.
    pub(crate) fn open(&self) -> u32 {
        self.lock().open
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tenant(
        &mut self,
        id: &TenantId,
        limits: &TenantLimits,
        window: u64,
        at: Instant,
    ) -> &mut Tenant {
        let known = self.tenants.entry(id.clone()).or_insert_with(|| Tenant {
            open: 0,
            tokens: limits.rate.map_or(0.0, |rate| f64::from(rate.burst)),
            filled: at,
            window,
            loaded: false,
            ledger: Ledger::root(limits.quota, Spend::ZERO),
        });
        // A clock that goes back does not open an old window again.
        if known.window < window {
            // What is reserved in the old window is settled there.
            known.window = window;
            known.loaded = false;
            known.ledger = Ledger::root(limits.quota, Spend::ZERO);
        }
        known
    }
}

impl Tenant {
    fn check(&mut self, limits: &TenantLimits, at: Instant) -> Result<(), Refused> {
        if let Some(limit) = limits.concurrency.filter(|limit| self.open >= *limit) {
            return Err(Refused::TenantConcurrency { limit });
        }
        let Some(rate) = limits.rate else { return Ok(()) };
        let passed = at.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = at;
        self.tokens = (self.tokens + passed * rate.per_second).min(f64::from(rate.burst));
        if self.tokens < 1.0 {
            let again = Duration::from_secs_f64(((1.0 - self.tokens) / rate.per_second).min(1e9));
            return Err(Refused::Rate { again });
        }
        Ok(())
    }
}

fn window_millis(limits: &TenantLimits) -> u64 {
    u64::from(limits.window_hours) * 3_600_000
}

fn window(limits: &TenantLimits, utc: Timestamp) -> u64 {
    utc.0 / window_millis(limits)
}
