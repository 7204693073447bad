//! Experiments in the pure state: choices are made by it and told to it, as the engine would.

use std::collections::BTreeMap;

use consort_application::{
    advanced_bandits::view::{self, Tried},
    learning::{Change, Config, Contender, Fate, Spec, State, What},
};
use consort_bandit::{
    inference::{Phase, Reason, Settings},
    rng::uniform,
};
use consort_core::{
    Budget, Component, Decision, Question, Seeded, Situation, TenantId, Timestamp,
    learning::{Feedback, Made, Record, Source, Subject},
};
use serde_json::Value;

/// A point of choice between two versions, one decision a second.
struct World {
    state: State,
    position: u64,
    clock: u64,
    seed: u64,
}

impl World {
    /// `old` is in use and was chosen once.
    fn new(seed: u64) -> Self {
        let policies = BTreeMap::from([("version".to_owned(), Spec::always("old"))]);
        let state = State::new(Config { policies, ..Config::default() });
        let mut world = Self { state, position: 0, clock: 0, seed };
        world.decide("first");
        world
    }

    fn apply(&mut self, record: &Record) -> Fate {
        self.position += 1;
        self.state.apply(self.position, record)
    }

    fn change(&mut self, why: &str, what: What) -> Fate {
        let at = Timestamp(self.clock);
        let (domain, why) = ("version".to_owned(), why.to_owned());
        let change = Change { domain, version: 0, at, why, what };
        self.apply(&Record::Policy { at, change: serde_json::to_value(change).unwrap() })
    }

    fn start(&mut self, rivals: &[(&str, Spec)], settings: Settings) -> Fate {
        let contender = |(name, spec): &(&str, Spec)| Contender {
            name: (*name).to_owned(),
            spec: spec.clone(),
        };
        self.change(
            "test",
            What::StartExperiment {
                tenant: TenantId::default().to_string(),
                component: Component::Tool,
                candidates: rivals.iter().map(contender).collect(),
                settings,
            },
        )
    }

    /// One decision of a request; its id and the choice.
    fn decide(&mut self, request: &str) -> (String, String) {
        self.clock += 1000;
        let tenant = TenantId::default();
        let question = Question {
            component: Component::Tool,
            domain: "version".into(),
            candidates: vec!["old".into(), "new".into()],
            features: BTreeMap::new(),
        };
        let situation = Situation {
            tenant: &tenant,
            request: Some(request),
            now: Timestamp(self.clock),
            budget: Budget::UNLIMITED,
            random: &Seeded::new(self.clock),
            registered: &|_| true,
        };
        let choice = self.state.choose(situation, &question).unwrap();
        let id = format!("d{}", self.clock);
        let decision = Decision {
            id: id.clone(),
            question,
            chosen: choice.chosen,
            propensities: choice.propensities,
            scores: choice.scores,
            policy: choice.policy,
            policy_version: choice.version,
            skipped: choice.skipped,
        };
        let chosen = decision.choice().to_owned();
        let made = Made { tenant, run: None, at: Timestamp(self.clock), decision };
        assert_eq!(self.apply(&Record::Made(Box::new(made))), Fate::Opened);
        (id, chosen)
    }

    fn reward(&mut self, decision: &str, reward: f64) {
        let feedback = Feedback {
            id: format!("r{decision}"),
            tenant: TenantId::default(),
            source: Source::UserExplicit,
            subject: Subject::Decision(decision.to_owned()),
            reward,
            confidence: 1.0,
            category: None,
            at: Timestamp(self.clock),
            metadata: Value::Null,
        };
        assert_eq!(self.apply(&Record::Feedback(Box::new(feedback))), Fate::Learned);
    }

    /// Requests until the experiment is over, at most `most`; `old` earns 0.5 and `new` what is
    /// said, give or take a quarter.
    fn run(&mut self, most: u64, new: f64) -> Tried {
        for t in 0..most {
            let (decision, chosen) = self.decide(&format!("request {t}"));
            let mean = if chosen == "new" { new } else { 0.5 };
            let reward = mean + 0.5 * (uniform(self.seed, 0, t) - 0.5);
            self.reward(&decision, reward.clamp(0.0, 1.0));
            if self.state.trials().next().is_none() {
                break;
            }
        }
        self.told()
    }

    fn told(&self) -> Tried {
        view::experiments(&self.state, TenantId::default().as_str()).remove(0)
    }
}

fn settings() -> Settings {
    Settings { shadow: 20, share: 0.5, ..Settings::default() }
}

fn new() -> [(&'static str, Spec); 1] {
    [("newer", Spec::always("new"))]
}

#[test]
fn a_better_version_is_watched_then_tried_then_in_use() {
    let mut world = World::new(1);
    assert_eq!(world.start(&new(), settings()), Fate::Changed);
    for t in 0..20 {
        let (decision, chosen) = world.decide(&format!("shadow {t}"));
        assert_eq!(chosen, "old", "nobody serves from the shadow");
        world.reward(&decision, 1.0);
    }
    let told = world.told();
    let rival = &told.candidates[0];
    assert_eq!((rival.phase, rival.shadowed, rival.agreed), (Phase::Canary, 20, 0));
    assert_eq!((rival.served.rewards, rival.served.mean), (0, None), "no reward is made up");
    assert_eq!(told.control.rewards, 20);
    let told = world.run(5000, 0.9);
    assert_eq!(told.candidates[0].phase, Phase::Promoted, "{told:?}");
    assert!(told.candidates[0].better >= told.promoted_at && told.ended.is_some());
    // It is the policy now, for every request, and the history says so.
    for t in 0..20 {
        assert_eq!(world.decide(&format!("after {t}")).1, "new");
    }
    let last = world.state.history().last().unwrap();
    assert!(last.why.contains("`newer` was promoted"), "{last:?}");
}

#[test]
fn a_version_ten_points_worse_is_withdrawn_and_the_old_one_stays() {
    for seed in 0..5 {
        let mut world = World::new(seed);
        world.start(&new(), settings());
        let told = world.run(6000, 0.4);
        assert_eq!(told.candidates[0].phase, Phase::Withdrawn(Reason::Worse), "{told:?}");
        assert_eq!(world.decide("after").1, "old");
    }
}

#[test]
fn the_same_version_twice_is_hardly_ever_promoted_however_often_one_looks() {
    let promoted = (0..40).filter(|&seed| {
        let mut world = World::new(100 + seed);
        world.start(&new(), settings());
        world.run(400, 0.5).candidates[0].phase == Phase::Promoted
    });
    assert!(promoted.count() <= 2);
}

#[test]
fn a_hundred_equal_choices_in_the_shadow_prove_nothing() {
    let mut world = World::new(7);
    world.start(&[("twin", Spec::always("old"))], Settings { shadow: 1000, ..settings() });
    for t in 0..100 {
        let (decision, _) = world.decide(&format!("request {t}"));
        world.reward(&decision, 0.9);
    }
    let told = world.told();
    let twin = &told.candidates[0];
    assert_eq!((twin.phase, twin.shadowed, twin.agreed), (Phase::Shadow, 100, 100));
    assert_eq!((twin.served.rewards, twin.served.mean), (0, None));
    assert_eq!((twin.better, twin.worse), (1.0, 1.0), "no evidence either way");
}

#[test]
fn without_rewards_nothing_is_promoted_however_much_traffic_there_was() {
    let mut world = World::new(8);
    world.start(&new(), settings());
    for t in 0..2000 {
        world.decide(&format!("request {t}"));
    }
    let told = world.told();
    let rival = &told.candidates[0];
    assert_eq!((rival.phase, rival.better, rival.worse), (Phase::Canary, 1.0, 1.0));
    assert_eq!((rival.served.mean, told.control.mean), (None, None));
}

#[test]
fn the_verdict_follows_the_rewards_and_not_the_name() {
    // The same requests, served alike; only what they earn is the other way round.
    let told = [0.8, 0.2].map(|earned| {
        let mut world = World::new(9);
        world.start(&new(), settings());
        world.run(5000, earned)
    });
    let [up, down] = &told;
    assert_eq!(up.candidates[0].phase, Phase::Promoted);
    assert_eq!(down.candidates[0].phase, Phase::Withdrawn(Reason::Worse));
    for (told, earned) in [(up, 0.8), (down, 0.2)] {
        let lift = told.candidates[0].served.mean.unwrap() - told.control.mean.unwrap();
        assert!((lift - (earned - 0.5)).abs() < 0.12, "{told:?}");
    }
}

#[test]
fn a_request_sticks_to_whoever_served_it_first() {
    let mut world = World::new(3);
    world.start(&new(), Settings { shadow: 0, ..settings() });
    let first: Vec<String> = (0..200).map(|t| world.decide(&format!("user {t}")).1).collect();
    let again: Vec<String> = (0..200).map(|t| world.decide(&format!("user {t}")).1).collect();
    assert_eq!(first, again);
    let served = first.iter().filter(|choice| *choice == "new").count();
    assert!((60..140).contains(&served), "{served}");
}

#[test]
fn an_experiment_survives_a_restart_bit_for_bit() {
    let mut world = World::new(4);
    world.start(&[("a", Spec::always("new")), ("b", Spec::default())], settings());
    world.run(60, 0.6);
    let bytes = world.state.to_bytes().unwrap();
    let config = world.state.config().clone();
    let mut restored = World { state: State::from_bytes(&bytes, config).unwrap(), ..world };
    assert_eq!(restored.state.to_bytes().unwrap(), bytes);
    let before = restored.told();
    restored.run(60, 0.6);
    assert!(restored.told().control.rewards > before.control.rewards);
}

#[test]
fn what_was_decided_before_the_start_does_not_count() {
    let mut world = World::new(5);
    let (before, _) = world.decide("early");
    world.start(&new(), Settings { shadow: 0, ..settings() });
    world.reward(&before, 1.0);
    assert_eq!(world.told().control.rewards, 0);
}

#[test]
fn policies_stand_still_while_they_are_tried_and_move_again_after_a_stop() {
    let mut world = World::new(6);
    assert_eq!(world.start(&new(), settings()), Fate::Changed);
    assert_eq!(world.start(&new(), settings()), Fate::Refused, "one at a time");
    let switch = || What::Spec { spec: Spec::always("new") };
    assert_eq!(world.change("switch", switch()), Fate::Refused);
    let tenant = TenantId::default().to_string();
    let stop = What::StopExperiment { tenant, component: Component::Tool };
    assert_eq!(world.change("enough", stop.clone()), Fate::Changed);
    assert_eq!(world.change("again", stop), Fate::Refused);
    assert_eq!(world.decide("after").1, "old");
    assert_eq!(world.change("switch", switch()), Fate::Changed);
    assert_eq!(world.decide("after that").1, "new");
}

#[test]
fn contenders_that_cannot_be_are_refused_by_field() {
    let refused = |rivals: &[(&str, Spec)], settings| {
        let contenders: Vec<Contender> = rivals
            .iter()
            .map(|(name, spec)| Contender { name: (*name).into(), spec: spec.clone() })
            .collect();
        format!("{:?}", Contender::check(&contenders, "version", settings).unwrap_err())
    };
    let twice = [("a", Spec::default()), ("a", Spec::default())];
    assert!(refused(&[("a+b", Spec::default())], settings()).contains("/candidates/0/name"));
    assert!(refused(&twice, settings()).contains("/candidates/1/name"));
    assert!(refused(&[], settings()).contains("/candidates"));
    let share = Settings { share: 1.5, ..settings() };
    assert!(refused(&new(), share).contains("/share"));
    let spec = Spec { floor: 2.0, ..Spec::default() };
    assert!(refused(&[("a", spec)], settings()).contains("floor"));
}
