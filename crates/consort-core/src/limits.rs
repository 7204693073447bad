//! Limits of the engine, each with its default.

use std::{collections::BTreeMap, time::Duration};

use crate::{Budget, TenantId};

/// What the engine allows. Plain settings; every field has a default.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Calls above a run in its tree. Default 16.
    pub depth: u16,
    /// Steps and local steps of one run. Default 10,000.
    pub steps: u32,
    /// How long `cleanup` may take. Default 5 s.
    pub cleanup: Duration,
    /// How long open runs may go on when their orchestrator is unregistered or the process stops.
    /// Default 10 s.
    pub grace: Duration,
    /// How long a run that only waits stays in memory. Default 1 s.
    pub park_after: Duration,
    /// Root runs at once, over all tenants. Default 10,000. Waiting runs do not count.
    pub concurrency: u32,
    /// Events that a slow reader may be behind before it loses the oldest. Default 1,024.
    pub events: usize,
    /// Pieces of blocking work at once. Default: the processors, at least 4.
    pub blocking: usize,
    /// What a tenant may use unless it is listed in `tenants`. Default: no limit.
    pub tenant: TenantLimits,
    /// What particular tenants may use.
    pub tenants: BTreeMap<TenantId, TenantLimits>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 16,
            steps: 10_000,
            cleanup: Duration::from_secs(5),
            grace: Duration::from_secs(10),
            park_after: Duration::from_secs(1),
            concurrency: 10_000,
            events: 1024,
            blocking: std::thread::available_parallelism().map_or(4, usize::from).max(4),
            tenant: TenantLimits::default(),
            tenants: BTreeMap::new(),
        }
    }
}

/// What one tenant may use.
#[derive(Clone, Debug)]
pub struct TenantLimits {
    /// Amounts per window; survive a restart. Default: no limit.
    pub quota: Budget,
    /// Length of the window in hours, counted from 1970-01-01 00:00 UTC. 1 to 8,760, default 24.
    pub window_hours: u32,
    /// Root runs at once. Default: only the limit over all tenants.
    pub concurrency: Option<u32>,
    /// New root runs per second, and how many may come at once. Default: no limit.
    pub rate: Option<Rate>,
}

impl Default for TenantLimits {
    fn default() -> Self {
        Self { quota: Budget::UNLIMITED, window_hours: 24, concurrency: None, rate: None }
    }
}

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Tokens per second, above 0.
    pub per_second: f64,
    /// Tokens that the bucket holds, at least 1.
    pub burst: u32,
}

impl Limits {
    pub(crate) fn of(&self, tenant: &TenantId) -> &TenantLimits {
        self.tenants.get(tenant).unwrap_or(&self.tenant)
    }

    /// The first limit that makes no sense, as `field: rule`.
    pub(crate) fn fault(&self) -> Option<String> {
        let tenants =
            self.tenants.iter().map(|(id, limits)| (format!("limits.tenants.{id}"), limits));
        let tenants = std::iter::once(("limits.tenant".to_owned(), &self.tenant)).chain(tenants);
        let mut faults = [
            (self.depth == 0).then(|| "limits.depth: must be at least 1".to_owned()),
            (self.steps == 0).then(|| "limits.steps: must be at least 1".to_owned()),
            (self.concurrency == 0).then(|| "limits.concurrency: must be at least 1".to_owned()),
            (self.events == 0).then(|| "limits.events: must be at least 1".to_owned()),
            (self.blocking == 0).then(|| "limits.blocking: must be at least 1".to_owned()),
        ]
        .into_iter()
        .flatten();
        faults.next().or_else(|| {
            tenants.into_iter().find_map(|(field, limits)| {
                if !(1..=8760).contains(&limits.window_hours) {
                    return Some(format!("{field}.window_hours: must be 1 to 8760"));
                }
                let rate = limits.rate?;
                let bad =
                    !(rate.per_second.is_finite() && rate.per_second > 0.0) || rate.burst == 0;
                bad.then(|| {
                    format!("{field}.rate: needs per_second above 0 and burst of at least 1")
                })
            })
        })
    }
}
