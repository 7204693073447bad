//! Balancing and ejection beside plain models of both.

use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::testing::{histories, moment};

/// One endpoint drawn as the list of what it answered, newest last.
#[derive(Clone, Default)]
struct Drawn {
    /// Since it was last let in again.
    answers: Vec<bool>,
    /// How many of them came in this interval.
    fresh: usize,
    out_until: Option<Instant>,
    ejections: u32,
}

impl Drawn {
    fn is_out(&self, now: Instant) -> bool {
        self.out_until.is_some_and(|until| now < until)
    }

    fn settle(&mut self, now: Instant) {
        if self.out_until.is_some() && !self.is_out(now) {
            *self = Drawn { ejections: self.ejections, ..Drawn::default() };
        }
    }

    fn success_rate(&self) -> f64 {
        let seen = &self.answers[self.answers.len() - self.fresh..];
        seen.iter().filter(|&&well| well).count() as f64 / seen.len() as f64
    }
}

/// Puts it out if there is room: one may always be out, further ones up to the share, never all.
fn put_out(all: &mut [Drawn], at: usize, config: &Eject, now: Instant) {
    let out = all.iter().filter(|one| one.is_out(now)).count();
    let is_room = out == 0 || (out + 1) as f64 <= config.max_ejected * all.len() as f64;
    if is_room && out + 1 < all.len() {
        all[at].ejections += 1;
        let rest = config.rest * all[at].ejections;
        all[at].out_until = Some(now + rest.min(config.rest_max));
    }
}

fn answer(all: &mut [Drawn], at: usize, well: bool, config: &Eject, now: Instant) {
    all[at].settle(now);
    if all[at].is_out(now) {
        return;
    }
    all[at].answers.push(well);
    all[at].fresh += 1;
    let in_row = all[at].answers.iter().rev().take_while(|&&well| !well).count();
    if !well && config.consecutive_failures.is_some_and(|most| in_row >= most as usize) {
        put_out(all, at, config, now);
    }
}

fn interval_ends(all: &mut [Drawn], config: &Eject, now: Instant) {
    all.iter_mut().for_each(|one| one.settle(now));
    let mut rates: Vec<(usize, f64)> = (0..all.len())
        .filter(|&at| !all[at].is_out(now) && all[at].fresh >= config.minimum_calls as usize)
        .map(|at| (at, all[at].success_rate()))
        .collect();
    for one in all.iter_mut() {
        one.fresh = 0;
        if !one.is_out(now) {
            one.ejections = one.ejections.saturating_sub(1);
        }
    }
    let Some(deviations) = config.deviations else { return };
    if rates.len() < config.minimum_endpoints as usize {
        return;
    }
    let count = rates.len() as f64;
    let mean = rates.iter().map(|one| one.1).sum::<f64>() / count;
    let spread = (rates.iter().map(|one| (one.1 - mean).powi(2)).sum::<f64>() / count).sqrt();
    rates.retain(|one| one.1 < mean - deviations * spread);
    rates.sort_by(|a, b| a.1.total_cmp(&b.1));
    for (at, _) in rates {
        put_out(all, at, config, now);
    }
}

proptest! {
    #![proptest_config(histories())]

    /// One that keeps every answer and works all out anew agrees on who is out, and until when.
    /// Whatever happens, one endpoint stays in, the share is kept, and nobody is out for ever.
    #[test]
    fn ejection_follows_from_the_list_of_answers(
        (count, share) in (1_usize..7, 0.0_f64..1.0),
        (in_row, deviations) in (prop::option::of(1_u32..4), prop::option::of(0.5_f64..2.0)),
        results in prop::collection::vec((0_usize..7, 0_u8..4, 0_u64..900), 1..80),
    ) {
        let config = Eject {
            consecutive_failures: in_row,
            deviations,
            minimum_calls: 2,
            minimum_endpoints: 2,
            rest: ms(500),
            rest_max: ms(1_200),
            max_ejected: share,
            ..Eject::default()
        };
        let (mut all, mut drawn) = (vec![Health::default(); count], vec![Drawn::default(); count]);
        let mut now = moment();
        for (at, kind, gap) in results {
            now += ms(gap);
            let charge =
                [Charge::Success, Charge::Failure, Charge::Failure, Charge::Nothing][usize::from(kind)];
            outlier::report(&mut all, at % count, charge, &config, now);
            if charge != Charge::Nothing {
                answer(&mut drawn, at % count, charge == Charge::Success, &config, now);
            }
            if gap > 700 {
                outlier::compare(&mut all, &config, now);
                interval_ends(&mut drawn, &config, now);
            }
            for (health, one) in all.iter().zip(&drawn) {
                let left = one.out_until.filter(|&until| now < until).map(|until| until - now);
                prop_assert_eq!(health.out_for(now), left);
            }
            let out = all.iter().filter(|health| health.is_out(now)).count();
            prop_assert!(out < count.max(1), "{out} of {count}");
            prop_assert!(out <= 1 || out as f64 <= share * count as f64);
            prop_assert!(all.iter().all(|health| !health.is_out(now + ms(1_200))));
        }
    }

    /// Beside a list of all costs: who is picked is in and new, as long as there is such a one, and
    /// is not the dearest of those that would do.
    #[test]
    fn pick_is_among_the_best_there_are_and_never_the_dearest(
        (count, seed) in (1_u32..7, any::<u64>()),
        events in prop::collection::vec((0_u8..8, 1_u64..400, any::<[bool; 6]>()), 1..60),
    ) {
        let eject = Eject { consecutive_failures: Some(2), rest: ms(300), ..Eject::default() };
        let config = Config { eject: Some(eject), ..Config::default() };
        let endpoints = Endpoints::new(config.validate().unwrap(), Rng::seeded(seed));
        let mut now = moment();
        endpoints.set((0..count).map(|n| (format!("e{n}"), n)), now);
        let mut held = Vec::new();
        for (kind, took, is_tried) in events {
            now += ms(took / 4);
            let seen = endpoints.snapshot(now);
            let tried: Vec<u32> = (0..count).filter(|&n| is_tried[n as usize]).collect();
            let ids: Vec<EndpointId> = tried.iter().map(|&n| EndpointId(n.into())).collect();
            let is_in = |n: &u32| seen[*n as usize].out_for.is_none();
            let is_new = |n: &u32| !tried.contains(n);
            let best = [
                (0..count).filter(|n| is_in(n) && is_new(n)).collect::<Vec<u32>>(),
                (0..count).filter(is_new).collect(),
                (0..count).filter(is_in).collect(),
                (0..count).collect(),
            ];
            let would_do = best.iter().find(|some| !some.is_empty()).unwrap();
            let lease = endpoints.pick(&ids, now).unwrap();
            let picked = *lease.value();
            prop_assert!(would_do.contains(&picked), "{picked} of {would_do:?}");
            let cost = |n: &u32| seen[*n as usize].cost;
            let others = || would_do.iter().filter(|&&n| n != picked);
            let is_dearest = others().all(|n| cost(n) < cost(&picked));
            prop_assert!(others().count() == 0 || !is_dearest, "{picked} {seen:?}");
            prop_assert_eq!(endpoints.snapshot(now)[picked as usize].outstanding,
                seen[picked as usize].outstanding + 1);
            match kind {
                0..=2 => lease.report(Charge::Success, ms(took), now),
                3..=5 => lease.report(Charge::Failure, ms(took), now),
                6 => drop(lease),
                _ => held.push(lease),
            }
        }
        drop(held);
        prop_assert!(endpoints.snapshot(now).iter().all(|one| one.outstanding == 0));
    }
}
