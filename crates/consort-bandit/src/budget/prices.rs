//! The dual problem: which prices make the last decisions use just what may be used.

use super::{MOST_RESOURCES, WINDOW};
use crate::arms::ArmSet;

/// Rounds over all resources; one is exact when there is one resource.
const SWEEPS: usize = 4;
/// Halvings of the range of a price.
const HALVINGS: usize = 24;
/// Highest price: reward of 1 for a thousandth of the usual use.
const HIGHEST: f64 = 1_000.0;

/// Predictions of the last decisions.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Recent {
    arms: usize,
    resources: usize,
    rows: Vec<Row>,
    /// Where the next row goes.
    at: usize,
}

/// Predictions of one decision.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) available: ArmSet,
    /// Optimistic reward by arm.
    pub(super) gains: Vec<f64>,
    /// Use by resource and arm.
    pub(super) uses: Vec<f64>,
}

impl Recent {
    pub(super) fn new(arms: usize, resources: usize) -> Self {
        Self { arms, resources, rows: Vec::with_capacity(WINDOW), at: 0 }
    }

    /// The row for one more decision; beyond the window it takes the place of the oldest.
    pub(super) fn next(&mut self, available: ArmSet) -> &mut Row {
        let at = self.at;
        self.at = (at + 1) % WINDOW;
        if self.rows.len() < WINDOW {
            let gains = vec![0.0; self.arms];
            let uses = vec![0.0; self.arms * self.resources];
            self.rows.push(Row { available, gains, uses });
        }
        let row = &mut self.rows[at];
        row.available = available;
        row
    }

    /// Uses of the row that [`Recent::next`] gave last.
    pub(super) fn last_uses(&self) -> &[f64] {
        let last = (self.at + WINDOW - 1) % WINDOW;
        self.rows.get(last).map_or(&[], |row| &row.uses)
    }

    /// Moves `prices` to where the mean use of each resource does not exceed its `pace`: one
    /// price after the other by halving, since use falls with its own price.
    pub(super) fn solve(&self, prices: &mut [f64], pace: &[f64]) {
        let sweeps = if prices.len() == 1 { 1 } else { SWEEPS };
        for _ in 0..sweeps {
            for r in 0..prices.len() {
                prices[r] = self.price(r, prices, pace[r]);
            }
        }
    }

    fn price(&self, resource: usize, prices: &[f64], pace: f64) -> f64 {
        let mut trial = [0.0; MOST_RESOURCES];
        let trial = &mut trial[..prices.len()];
        trial.copy_from_slice(prices);
        trial[resource] = 0.0;
        if self.mean_use(resource, trial) <= pace {
            return 0.0;
        }
        // Geometric halving: prices differ by orders of magnitude from resource to resource.
        let (mut low, mut high) = (1e-3_f64, HIGHEST);
        for _ in 0..HALVINGS {
            let middle = (low * high).sqrt();
            trial[resource] = middle;
            if self.mean_use(resource, trial) > pace {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }

    fn mean_use(&self, resource: usize, prices: &[f64]) -> f64 {
        let sum: f64 = self.rows.iter().map(|row| self.use_of(row, resource, prices)).sum();
        sum / self.rows.len().max(1) as f64
    }

    /// What the best arm of a row at these prices uses of a resource; nothing if none is worth it.
    fn use_of(&self, row: &Row, resource: usize, prices: &[f64]) -> f64 {
        let (mut best, mut used) = (0.0, 0.0);
        for arm in &row.available {
            let charge: f64 =
                prices.iter().enumerate().map(|(r, p)| p * row.uses[r * self.arms + arm]).sum();
            let net = row.gains[arm] - charge;
            if net > best {
                (best, used) = (net, row.uses[resource * self.arms + arm]);
            }
        }
        used
    }

    pub(super) fn parts(&self) -> (&[Row], usize) {
        (&self.rows, self.at)
    }

    pub(super) fn restore(&mut self, rows: Vec<Row>, at: usize) {
        (self.rows, self.at) = (rows, at);
    }
}
