//! The stored form of a learner: policy, log position and everything that is still open.

use std::collections::{HashMap, VecDeque};

use super::{Counters, DecisionId, Learner, Limits, Open, RewardId, Rewarded};
use crate::agent::Policy;
use crate::codec::{Reader, Writer};
use crate::error::Corrupt;
use crate::model::Persist;

fn id(out: &mut Writer, value: u128) {
    out.u64(value as u64);
    out.u64((value >> 64) as u64);
}

fn read_id(from: &mut Reader<'_>) -> Result<u128, Corrupt> {
    let low = from.u64()?;
    Ok(u128::from(from.u64()?) << 64 | u128::from(low))
}

impl Open {
    fn write(&self, out: &mut Writer) {
        out.floats(&self.x);
        out.usize(self.arm);
        out.f64(self.propensity);
        out.usize(self.rewards.len());
        self.rewards.iter().for_each(|reward| id(out, reward.0));
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Corrupt> {
        let x = from.floats()?.into();
        let arm = from.below(crate::MAX_ARMS)?;
        let propensity = from.finite()?;
        let rewards: Result<_, Corrupt> =
            (0..from.count()?).map(|_| read_id(from).map(RewardId)).collect();
        Ok(Self { x, arm, propensity, rewards: rewards? })
    }
}

impl Rewarded {
    fn write(&self, out: &mut Writer) {
        id(out, self.decision.0);
        id(out, self.id.0);
        out.u64(self.at);
        // Not yet validated: any bits may be here.
        out.f64(self.value);
        out.f64(self.weight);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Corrupt> {
        Ok(Self {
            decision: DecisionId(read_id(from)?),
            id: RewardId(read_id(from)?),
            at: from.u64()?,
            value: from.f64()?,
            weight: from.f64()?,
        })
    }
}

impl Counters {
    const fn fields(&self) -> [u64; 10] {
        [
            self.opened,
            self.learned,
            self.duplicates,
            self.early,
            self.unmatched,
            self.closed,
            self.refused,
            self.expired,
            self.evicted,
            self.unanswered,
        ]
    }

    const fn from_fields(fields: [u64; 10]) -> Self {
        let [
            opened,
            learned,
            duplicates,
            early,
            unmatched,
            closed,
            refused,
            expired,
            evicted,
            unanswered,
        ] = fields;
        Self {
            opened,
            learned,
            duplicates,
            early,
            unmatched,
            closed,
            refused,
            expired,
            evicted,
            unanswered,
        }
    }
}

impl<P: Policy + Persist> Persist for Learner<P> {
    const KIND: u16 = 0x1000 | P::KIND;
    const VERSION: u16 = P::VERSION;

    fn write(&self, out: &mut Writer) {
        out.u64(self.limits.deadline);
        out.usize(self.limits.open);
        out.usize(self.limits.early);
        out.u64(self.position);
        out.u64(self.now);
        out.u64(self.closed_until);
        self.counters.fields().into_iter().for_each(|value| out.u64(value));
        // Maps are written in the order of their queues, so equal states are equal bytes.
        out.usize(self.queue.len());
        for &(at, decision) in &self.queue {
            out.u64(at);
            id(out, decision.0);
            if let Some(open) = self.open.get(&decision) {
                open.write(out);
            }
        }
        out.usize(self.early_queue.len());
        for &(at, decision, reward) in &self.early_queue {
            out.u64(at);
            let waiting = self.early.get(&decision).into_iter().flatten();
            waiting.filter(|other| other.id == reward).for_each(|rewarded| rewarded.write(out));
        }
        self.policy.write(out);
    }

    fn read(from: &mut Reader<'_>, version: u16) -> Result<Self, Corrupt> {
        let deadline = from.u64()?;
        let (open, early) = (from.below(usize::MAX)?, from.below(usize::MAX)?);
        let limits = Limits { deadline, open, early };
        let (position, now, closed_until) = (from.u64()?, from.u64()?, from.u64()?);
        let mut fields = [0; 10];
        for field in &mut fields {
            *field = from.u64()?;
        }
        let (mut open, mut queue) = (HashMap::default(), VecDeque::new());
        for _ in 0..from.count()? {
            let (at, decision) = (from.u64()?, DecisionId(read_id(from)?));
            queue.push_back((at, decision));
            if open.insert(decision, Open::read(from)?).is_some() {
                return Err(Corrupt::Value);
            }
        }
        let mut early: HashMap<DecisionId, Vec<Rewarded>, _> = HashMap::default();
        let mut early_queue = VecDeque::new();
        for _ in 0..from.count()? {
            let (at, rewarded) = (from.u64()?, Rewarded::read(from)?);
            early_queue.push_back((at, rewarded.decision, rewarded.id));
            early.entry(rewarded.decision).or_default().push(rewarded);
        }
        let policy = P::read(from, version)?;
        let fits = |open: &Open| open.x.len() == policy.dim() && open.arm < policy.arms();
        if !open.values().all(fits) || limits.open == 0 {
            return Err(Corrupt::Value);
        }
        let counters = Counters::from_fields(fields);
        Ok(Self {
            policy,
            limits,
            position,
            now,
            closed_until,
            open,
            queue,
            early,
            early_queue,
            counters,
        })
    }
}
