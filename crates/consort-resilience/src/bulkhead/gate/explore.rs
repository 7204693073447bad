//! Every order of arrivals, looks, departures and resizings in small bounds, against a drawing.

use std::collections::{HashSet, VecDeque};

use super::*;

/// A caller of the gate; it is its own waker.
type Who = usize;

const CALLERS: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Caller {
    Away,
    Waiting(u64),
    Inside,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Arrive(Who),
    Look(Who),
    Go(Who),
    Limit(u32),
}

/// The gate, and the room with a line it should behave like.
struct World {
    gate: Gate<Who>,
    callers: [Caller; CALLERS],
    woken: HashSet<Who>,
    limit: usize,
    inside: Vec<Who>,
    line: VecDeque<Who>,
}

const QUEUE: u32 = 2;

impl World {
    /// The world after these events, each of them checked.
    fn after(events: &[Event]) -> World {
        let mut world = World {
            gate: Gate::new(1, QUEUE),
            callers: [Caller::Away; CALLERS],
            woken: HashSet::new(),
            limit: 1,
            inside: Vec::new(),
            line: VecDeque::new(),
        };
        for &event in events {
            world.step(event);
            world.check(events);
        }
        world
    }

    fn events(&self) -> Vec<Event> {
        let of = |(who, caller): (Who, &Caller)| match caller {
            Caller::Away => vec![Event::Arrive(who)],
            Caller::Waiting(_) => vec![Event::Look(who), Event::Go(who)],
            Caller::Inside => vec![Event::Go(who)],
        };
        let callers = self.callers.iter().enumerate().flat_map(of);
        callers.chain([Event::Limit(1), Event::Limit(2)]).collect()
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Arrive(who) => {
                let entry = self.gate.enter(|| who);
                if self.inside.len() < self.limit && self.line.is_empty() {
                    assert_eq!(entry, Entry::In);
                    self.inside.push(who);
                } else if self.line.len() < QUEUE as usize {
                    assert!(matches!(entry, Entry::Waiting(_)));
                    self.line.push_back(who);
                } else {
                    assert_eq!(entry, Entry::Full);
                }
                self.callers[who] = match entry {
                    Entry::In => Caller::Inside,
                    Entry::Waiting(ticket) => Caller::Waiting(ticket),
                    Entry::Full => Caller::Away,
                };
            }
            Event::Look(who) => {
                let Caller::Waiting(ticket) = self.callers[who] else { return };
                let is_in = self.gate.claim(ticket, |_| ());
                assert_eq!(is_in, self.inside.contains(&who));
                if is_in {
                    self.callers[who] = Caller::Inside;
                    self.woken.remove(&who);
                }
            }
            Event::Go(who) => {
                let woken = match self.callers[who] {
                    Caller::Away => return,
                    Caller::Waiting(ticket) => self.gate.abandon(ticket),
                    Caller::Inside => self.gate.leave(),
                };
                self.callers[who] = Caller::Away;
                self.woken.remove(&who);
                self.inside.retain(|&other| other != who);
                self.line.retain(|&other| other != who);
                self.admit(woken.into_iter().collect());
            }
            Event::Limit(limit) => {
                let woken = self.gate.set_limit(limit);
                self.limit = limit as usize;
                self.admit(woken);
            }
        }
    }

    /// Whoever may go in now goes in, in order, and exactly those are woken.
    fn admit(&mut self, woken: Vec<Who>) {
        let mut expected = Vec::new();
        while self.inside.len() < self.limit
            && let Some(head) = self.line.pop_front()
        {
            self.inside.push(head);
            expected.push(head);
        }
        assert_eq!(woken, expected);
        self.woken.extend(woken);
    }

    fn check(&self, events: &[Event]) {
        assert_eq!(self.gate.taken() as usize, self.inside.len(), "{events:?}");
        assert_eq!(self.gate.waiting(), self.line.len(), "{events:?}");
        assert_eq!(self.gate.has_queue(), !self.line.is_empty(), "{events:?}");
        for (who, caller) in self.callers.iter().enumerate() {
            let granted = matches!(caller, Caller::Waiting(_)) && self.inside.contains(&who);
            assert!(!granted || self.woken.contains(&who), "let in and not told: {events:?}");
        }
    }

    fn key(&self) -> (Vec<bool>, Vec<Who>, Vec<Who>, usize) {
        let waiting = self.callers.iter().map(|c| matches!(c, Caller::Waiting(_))).collect();
        (waiting, self.inside.clone(), self.line.iter().copied().collect(), self.limit)
    }
}

#[test]
fn no_reachable_state_loses_a_slot_or_a_place() {
    let mut seen = HashSet::new();
    let mut frontier = VecDeque::from([Vec::new()]);
    while let Some(events) = frontier.pop_front() {
        let world = World::after(&events);
        if !seen.insert(world.key()) {
            continue;
        }
        for event in world.events() {
            let mut longer = events.clone();
            longer.push(event);
            frontier.push_back(longer);
        }
    }
    // The frontier ran empty: these are all there are, not only those within some depth.
    println!("worlds visited: {}", seen.len());
    assert!(seen.len() > 150, "{}", seen.len());
}
