//! What is known: a pure function of the learner's log. Records in, counters and choices out.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use consort_bandit::learner::{Applied, Limits as LearnerLimits};
use consort_core::{
    Category, Component,
    learning::{Feedback, Made, Record, Subject},
};
use serde::{Deserialize, Serialize};

use super::{
    change::Change,
    config::Config,
    credit::Tree,
    domain::{Domain, Reward},
    fate::{Fate, Totals},
    health::{Moved, Window},
    spec::Spec,
    trial::{Served, Trial},
};

/// A point of choice: tenant, kind of component, domain.
pub type Key = (String, Component, String);

/// A component whose health is watched: tenant, kind, name.
pub type Watched = (String, Component, String);

/// Where the reward of a decision goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Route {
    pub(super) key: Key,
    pub(super) arm: String,
    /// Who served it, in an experiment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) served: Option<Served>,
}

/// A reward whose decision is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Early {
    pub(super) decision: u128,
    pub(super) reward: Reward,
}

/// Everything but the domains, in a form that is stored as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Ledger {
    pub(super) position: u64,
    /// Log time: the latest time seen.
    pub(super) now: u64,
    pub(super) specs: BTreeMap<String, (u64, Spec)>,
    pub(super) history: Vec<Change>,
    /// Experiments that run.
    #[serde(default, with = "super::pairs", skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) trials: BTreeMap<Key, Trial>,
    /// Experiments that ended.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub(super) past: VecDeque<(Key, Trial)>,
    pub(super) totals: Totals,
    #[serde(with = "super::pairs")]
    pub(super) health: BTreeMap<Watched, Window>,
    pub(super) tree: Tree,
    pub(super) routes: VecDeque<(u64, u128, Route)>,
    pub(super) early: VecDeque<Early>,
    /// Signals about components, and excused ones: a repeat within this memory counts once.
    pub(super) seen: VecDeque<u128>,
}

/// The state of learning.
#[derive(Clone, Debug)]
pub struct State {
    pub(super) config: Config,
    pub(super) ledger: Ledger,
    pub(super) domains: BTreeMap<Key, Domain>,
    /// Contenders of the experiments that run.
    pub(super) rivals: BTreeMap<Key, Vec<Domain>>,
    /// Ledger's routes by decision.
    pub(super) by_decision: HashMap<u128, Route>,
    pub(super) known: BTreeSet<u128>,
    /// Early rewards by decision: how many.
    pub(super) early: HashMap<u128, u32>,
    /// Moves of health since somebody asked.
    pub(super) moved: Vec<(Watched, Moved)>,
    /// What was taught since somebody asked, where somebody does.
    pub(super) taught: Option<Vec<(u128, Reward)>>,
}

/// 128 bits of a text within a tenant.
pub(super) fn digest(tenant: &str, what: &str, text: &str) -> u128 {
    let mut hasher = blake3::Hasher::new();
    for part in [tenant, what, text] {
        hasher.update(part.as_bytes()).update(&[0xff]);
    }
    let mut half = [0; 16];
    half.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    u128::from_be_bytes(half)
}

impl State {
    /// Nothing known.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            ledger: Ledger::default(),
            domains: BTreeMap::new(),
            rivals: BTreeMap::new(),
            by_decision: HashMap::new(),
            known: BTreeSet::new(),
            early: HashMap::new(),
            moved: Vec::new(),
            taught: None,
        }
    }

    /// Nothing known; remembers what it teaches until [`Self::take_taught`].
    pub(super) fn traced(config: Config) -> Self {
        Self { taught: Some(Vec::new()), ..Self::new(config) }
    }

    /// Decisions and the rewards that reached them since the last call.
    pub(super) fn take_taught(&mut self) -> Vec<(u128, Reward)> {
        self.taught.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Position of the last record applied.
    pub fn position(&self) -> u64 {
        self.ledger.position
    }

    /// Log time in milliseconds.
    pub fn now(&self) -> u64 {
        self.ledger.now
    }

    /// What became of all records.
    pub fn totals(&self) -> &Totals {
        &self.ledger.totals
    }

    /// Every point of choice.
    pub fn domains(&self) -> &BTreeMap<Key, Domain> {
        &self.domains
    }

    /// Every watched component.
    pub fn health(&self) -> &BTreeMap<Watched, Window> {
        &self.ledger.health
    }

    /// Settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Changes of policies, oldest first.
    pub fn history(&self) -> &[Change] {
        &self.ledger.history
    }

    /// The kind of component that a decision chose, while it is open.
    pub fn component_of(&self, tenant: &str, decision: &str) -> Option<Component> {
        self.by_decision.get(&digest(tenant, "decision", decision)).map(|route| route.key.1)
    }

    /// Health moves since the last call.
    pub(super) fn take_moves(&mut self) -> Vec<(Watched, Moved)> {
        std::mem::take(&mut self.moved)
    }

    pub(super) fn limits(&self) -> LearnerLimits {
        LearnerLimits {
            deadline: self.config.deadline_ms,
            open: self.config.open,
            early: self.config.early,
        }
    }

    /// The spec in force for a domain, and its version.
    pub fn spec(&self, domain: &str) -> (u64, Spec) {
        let installed = self.ledger.specs.get(domain).cloned();
        installed.unwrap_or_else(|| (1, self.config.spec(domain)))
    }

    /// Applies the record at `position`; those at or below the last one are ignored, so a log may
    /// be replayed from any point.
    pub fn apply(&mut self, position: u64, record: &Record) -> Fate {
        if position <= self.ledger.position {
            return Fate::Behind;
        }
        self.ledger.position = position;
        self.ledger.now = self.ledger.now.max(record.at().0);
        self.expire();
        let fate = match record {
            Record::Made(made) => self.made(made),
            Record::Feedback(feedback) => self.feedback(feedback),
            Record::Policy { at, change } => self.change(*at, change),
        };
        self.ledger.totals.count(record, fate);
        fate
    }

    fn made(&mut self, made: &Made) -> Fate {
        let (tenant, question) = (made.tenant.as_str(), &made.decision.question);
        let key = (tenant.to_owned(), question.component, question.domain.clone());
        if !self.domains.contains_key(&key) {
            if self.domains.len() >= self.config.domains {
                return Fate::Refused;
            }
            let (version, spec) = self.spec(&question.domain);
            let Ok(domain) = Domain::new(spec, version, self.limits()) else {
                return Fate::Refused;
            };
            self.domains.insert(key.clone(), domain);
        }
        let Some(domain) = self.domains.get_mut(&key) else { return Fate::Refused };
        let id = digest(tenant, "decision", &made.decision.id);
        match domain.made(id, made.at.0, &made.decision) {
            Applied::Opened | Applied::OpenedAndLearned { .. } => {}
            Applied::Duplicate => return Fate::Duplicate,
            Applied::Closed => return Fate::Closed,
            _ => return Fate::Refused,
        }
        for name in &question.candidates {
            let watched = (tenant.to_owned(), question.component, name.clone());
            self.ledger.health.entry(watched).or_default();
        }
        let served = self.tried(&key, id, made);
        self.settle(&key);
        let route = Route { key, arm: made.decision.choice().to_owned(), served };
        self.by_decision.insert(id, route.clone());
        self.ledger.routes.push_back((made.at.0, id, route));
        let mut waiting: Vec<Reward> = Vec::new();
        if self.early.remove(&id).is_some() {
            self.ledger.early.retain(|early| {
                let mine = early.decision == id;
                waiting.extend(mine.then_some(early.reward));
                !mine
            });
        }
        if let Some(run) = &made.run {
            let rule = self.config.credit;
            waiting.extend(self.ledger.tree.decided(made.at.0, tenant, run, id, rule));
        }
        for reward in waiting {
            if self.teach(id, reward) == Fate::Learned {
                self.ledger.totals.learned_late += 1;
            }
        }
        Fate::Opened
    }

    fn feedback(&mut self, feedback: &Feedback) -> Fate {
        let tenant = feedback.tenant.as_str();
        if feedback.category.is_some_and(|category| !category.facts().reward) {
            return self.excuse(feedback);
        }
        let reward = Reward {
            id: digest(tenant, "reward", &feedback.id),
            at: feedback.at.0,
            value: feedback.reward,
            weight: feedback.confidence,
        };
        match &feedback.subject {
            Subject::Decision(decision) => {
                let decision = digest(tenant, "decision", decision);
                if self.by_decision.contains_key(&decision) {
                    return self.teach(decision, reward);
                }
                self.keep_early(Early { decision, reward })
            }
            Subject::Run(run) => {
                let (at, rule) = (feedback.at.0, self.config.credit);
                match self.ledger.tree.rewarded(at, tenant, run, reward, rule) {
                    None => Fate::Duplicate,
                    Some(reached) if reached.is_empty() => Fate::Early,
                    Some(reached) => {
                        let taught = |(decision, weight)| {
                            self.teach(decision, Reward { weight, ..reward }) == Fate::Learned
                        };
                        let taught = reached.into_iter().map(taught).filter(|taught| *taught);
                        if taught.count() > 0 { Fate::Learned } else { Fate::Closed }
                    }
                }
            }
            Subject::Component { component, id } => {
                self.observe(tenant, *component, id, &feedback.id, reward)
            }
        }
    }

    /// Keeps a reward until its decision is known.
    fn keep_early(&mut self, early: Early) -> Fate {
        let same =
            |other: &Early| other.decision == early.decision && other.reward.id == early.reward.id;
        if self.early.contains_key(&early.decision) && self.ledger.early.iter().any(same) {
            return Fate::Duplicate;
        }
        *self.early.entry(early.decision).or_default() += 1;
        self.ledger.early.push_back(early);
        if self.ledger.early.len() > self.config.early {
            self.drop_early();
        }
        Fate::Early
    }

    fn drop_early(&mut self) {
        let Some(oldest) = self.ledger.early.pop_front() else { return };
        self.ledger.totals.unmatched += 1;
        if let Some(count) = self.early.get_mut(&oldest.decision) {
            *count -= 1;
            if *count == 0 {
                self.early.remove(&oldest.decision);
            }
        }
    }

    /// One reward to the learner of its decision, and to the health of what was chosen.
    fn teach(&mut self, decision: u128, reward: Reward) -> Fate {
        let Some(route) = self.by_decision.get(&decision) else { return Fate::Closed };
        let Some(domain) = self.domains.get_mut(&route.key) else { return Fate::Closed };
        match domain.reward(decision, reward) {
            Applied::Learned { .. } => {
                let (tenant, component, _) = &route.key;
                let watched = (tenant.clone(), *component, route.arm.clone());
                if self.ledger.trials.contains_key(&route.key) {
                    let (key, served) = (route.key.clone(), route.served);
                    self.tried_reward(&key, decision, served, reward);
                }
                self.watch(&watched, reward);
                if let Some(taught) = &mut self.taught {
                    taught.push((decision, reward));
                }
                Fate::Learned
            }
            Applied::Duplicate => Fate::Duplicate,
            Applied::Refused(_) => Fate::Refused,
            _ => Fate::Closed,
        }
    }

    /// A signal about a component, whoever chose it: its health learns, no policy does.
    fn observe(
        &mut self,
        tenant: &str,
        component: Component,
        name: &str,
        signal: &str,
        reward: Reward,
    ) -> Fate {
        let watched = (tenant.to_owned(), component, name.to_owned());
        if !self.ledger.health.contains_key(&watched) {
            return Fate::Unconsumed;
        }
        if !self.is_new(digest(tenant, &format!("{component:?} {name}"), signal)) {
            return Fate::Duplicate;
        }
        self.watch(&watched, reward);
        Fate::Observed
    }

    /// Remembers a signal that no learner does; false for a repeat.
    fn is_new(&mut self, id: u128) -> bool {
        if !self.known.insert(id) {
            return false;
        }
        self.ledger.seen.push_back(id);
        if self.ledger.seen.len() > self.config.early
            && let Some(oldest) = self.ledger.seen.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }

    fn watch(&mut self, watched: &Watched, reward: Reward) {
        let limits = self.config.health;
        if let Some(window) = self.ledger.health.get_mut(watched)
            && let Some(moved) = window.push(reward.value, reward.at, &limits)
        {
            self.moved.push((watched.clone(), moved));
        }
    }

    /// A failure that says nothing about the arm: not charged; if it says "not now", the
    /// component is left out for a while.
    fn excuse(&mut self, feedback: &Feedback) -> Fate {
        let tenant = feedback.tenant.as_str();
        let (about, watched) = match &feedback.subject {
            Subject::Decision(decision) => {
                let route = self.by_decision.get(&digest(tenant, "decision", decision));
                let watched = route.map(|route| {
                    let (tenant, component, _) = &route.key;
                    (tenant.clone(), *component, route.arm.clone())
                });
                (format!("decision {decision}"), watched)
            }
            Subject::Component { component, id } => {
                let watched = (tenant.to_owned(), *component, id.clone());
                (format!("{component:?} {id}"), Some(watched))
            }
            Subject::Run(run) => (format!("run {run}"), None),
        };
        if !self.is_new(digest(tenant, &format!("excused {about}"), &feedback.id)) {
            return Fate::Duplicate;
        }
        let not_now = feedback.category.is_some_and(Category::is_transient);
        let limits = self.config.health;
        if let Some(window) = watched.and_then(|watched| self.ledger.health.get_mut(&watched))
            && not_now
        {
            window.not_now(feedback.at.0, &limits);
        }
        Fate::Excused
    }

    /// Forgets decisions whose deadline has passed, and the oldest of what is too much.
    fn expire(&mut self) {
        let before = self.ledger.now.saturating_sub(self.config.deadline_ms);
        while let Some((at, id, _)) = self.ledger.routes.front()
            && (*at < before || self.ledger.routes.len() > self.config.open)
        {
            self.by_decision.remove(id);
            self.ledger.routes.pop_front();
        }
        while self.ledger.early.front().is_some_and(|early| early.reward.at < before) {
            self.drop_early();
        }
        self.ledger.totals.unmatched += self.ledger.tree.forget(before, self.config.open);
    }
}
