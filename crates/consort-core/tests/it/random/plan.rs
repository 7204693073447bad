//! What a random run does, as data: its request says it all.

use consort_core::{Budget, Random, Seeded, Spend};
use serde::{Deserialize, Serialize};

/// One run. Those with a budget of their own are known to the witness by their number.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) number: u64,
    pub(super) durable: bool,
    /// Who pays for it, per currency, where it has no budget of its own.
    pub(super) above: [u64; 3],
    pub(super) budget: Option<Budget>,
    /// Milliseconds; for a root always there.
    pub(super) timeout: Option<u64>,
    /// Passes the first failure on instead of going on.
    pub(super) strict: bool,
    pub(super) acts: Vec<Act>,
    pub(super) end: End,
    pub(super) cleanup: CleanUp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Act {
    Work(Job),
    Child(Plan),
    /// Side by side.
    Together(Vec<Act>),
    Pause(u64),
    /// Drops the act when it takes longer.
    GiveUp(Box<Act>, u64),
}

/// A call of the capability `work`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Job {
    /// The numbers of the runs that pay, per currency.
    pub(super) payers: [u64; 3],
    pub(super) bound: Spend,
    pub(super) actual: Spend,
    pub(super) pause: u64,
    pub(super) timeout: Option<u64>,
    pub(super) end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum End {
    Succeed,
    Fail,
    Panic,
    Hang,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum CleanUp {
    Quick,
    Slow(u64),
    Fail,
    Panic,
    Hang,
}

/// Makes plans from a seed.
pub(super) struct Gardener {
    chance: Seeded,
    last: u64,
}

/// Nobody pays: the tenant does.
pub(super) const TENANT: u64 = 0;

impl Gardener {
    pub(super) fn new(seed: u64) -> Self {
        Self { chance: Seeded::new(seed), last: TENANT }
    }

    pub(super) fn below(&self, limit: u64) -> u64 {
        self.chance.bits() % limit
    }

    fn one_in(&self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(super) fn root(&mut self) -> Plan {
        let durable = self.one_in(2);
        let mut plan = self.run(0, [TENANT; 3], durable);
        plan.timeout = Some(200 + self.below(30_000));
        plan
    }

    fn run(&mut self, depth: u64, above: [u64; 3], durable: bool) -> Plan {
        self.last += 1;
        let number = self.last;
        let scale = 400 >> depth;
        let budget = (depth == 0 || self.one_in(3)).then(|| Budget {
            money: (!self.one_in(4)).then(|| self.below(scale)),
            tokens: (!self.one_in(4)).then(|| self.below(scale)),
            calls: (!self.one_in(4)).then(|| self.below(2 + scale / 20)),
        });
        let limits = budget.map_or([None; 3], |b| [b.money, b.tokens, b.calls]);
        let payers = std::array::from_fn(|c| if limits[c].is_some() { number } else { above[c] });
        let acts = (0..3 + self.below(8)).map(|_| self.act(depth, payers, durable)).collect();
        Plan {
            number,
            durable,
            above,
            budget,
            timeout: self.one_in(3).then(|| 1 + self.below(2_000)),
            strict: self.one_in(3),
            acts,
            end: self.end(),
            cleanup: match self.below(20) {
                0 => CleanUp::Fail,
                1 => CleanUp::Panic,
                2 => CleanUp::Hang,
                3..7 => CleanUp::Slow(self.below(400)),
                _ => CleanUp::Quick,
            },
        }
    }

    fn end(&self) -> End {
        match self.below(16) {
            0 | 1 => End::Fail,
            2 => End::Panic,
            3 => End::Hang,
            _ => End::Succeed,
        }
    }

    fn act(&mut self, depth: u64, payers: [u64; 3], durable: bool) -> Act {
        match self.below(16) {
            0..3 if depth < 5 => {
                let child = self.one_in(2);
                // What an ephemeral run asks a durable one to do is a root of its own.
                let above = if child && !durable { [TENANT; 3] } else { payers };
                Act::Child(self.run(depth + 1, above, child))
            }
            3 => {
                let acts = 2 + self.below(3);
                Act::Together((0..acts).map(|_| self.act(depth + 1, payers, durable)).collect())
            }
            4 | 5 => Act::Pause(1 + self.below(60)),
            6 | 7 => {
                let act = self.act(depth + 1, payers, durable);
                Act::GiveUp(Box::new(act), 1 + self.below(80))
            }
            _ => Act::Work(self.job(payers)),
        }
    }

    fn job(&self, payers: [u64; 3]) -> Job {
        let bound = Spend { money: self.below(60), tokens: self.below(60), calls: 1 };
        Job {
            payers,
            bound,
            actual: Spend {
                money: self.below(bound.money + 1),
                tokens: self.below(bound.tokens + 1),
                calls: 0,
            },
            pause: self.below(90),
            timeout: self.one_in(4).then(|| 1 + self.below(100)),
            end: self.end(),
        }
    }
}
