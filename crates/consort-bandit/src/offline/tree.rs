//! The offset tree: a tournament among arms in which every node is a yes/no question.

use super::fit::{Sums, score};
use super::{Config, NoPolicy};
use crate::arms::ArmSet;
use crate::ope::Observation;

/// Nodes in depth-first order, each with the coefficients that prefer its right side where they
/// are positive. Leaves are arms and have no node.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tree {
    arms: usize,
    nodes: Vec<Vec<f64>>,
}

/// The arms below a node.
#[derive(Clone, Copy)]
struct Span {
    node: usize,
    low: usize,
    high: usize,
}

impl Span {
    /// Both sides; `None` for a single arm.
    fn halves(self) -> Option<(Self, Self)> {
        let Self { node, low, high } = self;
        if high - low < 2 {
            return None;
        }
        let middle = low.midpoint(high);
        // The left side has one node less than it has arms.
        let right = Self { node: node + middle - low, low: middle, high };
        Some((Self { node: node + 1, low, high: middle }, right))
    }
}

impl Tree {
    /// Learns all nodes, children before their parents: what a node is asked depends on who wins
    /// below it.
    pub(super) fn grow(
        rows: &[&Observation<'_>],
        z: &[Vec<f64>],
        config: &Config,
    ) -> Result<Self, NoPolicy> {
        let nodes = vec![Vec::new(); config.arms.saturating_sub(1)];
        let mut tree = Self { arms: config.arms, nodes };
        tree.grow_at(tree.root(), rows, z, config)?;
        Ok(tree)
    }

    const fn root(&self) -> Span {
        Span { node: 0, low: 0, high: self.arms }
    }

    fn grow_at(
        &mut self,
        span: Span,
        rows: &[&Observation<'_>],
        z: &[Vec<f64>],
        config: &Config,
    ) -> Result<(), NoPolicy> {
        let Some((left, right)) = span.halves() else { return Ok(()) };
        self.grow_at(left, rows, z, config)?;
        self.grow_at(right, rows, z, config)?;
        let all = ArmSet::all(self.arms);
        let mut sums = Sums::new(z[0].len(), 1);
        for (row, z) in rows.iter().zip(z) {
            let side = if self.winner_at(left, z, &all) == Some(row.arm) {
                -1.0
            } else if self.winner_at(right, z, &all) == Some(row.arm) {
                1.0
            } else {
                continue;
            };
            // A bad outcome of one side is a vote for the other.
            let offset = row.reward - 0.5;
            sums.push(z, offset.abs() / row.propensity, &[side * offset.signum()]);
        }
        let theta = sums.solve(config.lambda).ok_or(NoPolicy::Singular)?.swap_remove(0);
        self.nodes[span.node] = theta;
        Ok(())
    }

    /// The arm that wins for features `z` among `available`.
    pub(super) fn winner(&self, z: &[f64], available: &ArmSet) -> Option<usize> {
        self.winner_at(self.root(), z, available)
    }

    fn winner_at(&self, span: Span, z: &[f64], available: &ArmSet) -> Option<usize> {
        let Some((left, right)) = span.halves() else {
            return available.contains(span.low).then_some(span.low);
        };
        let (first, second) =
            if score(&self.nodes[span.node], z) > 0.0 { (right, left) } else { (left, right) };
        self.winner_at(first, z, available).or_else(|| self.winner_at(second, z, available))
    }
}
