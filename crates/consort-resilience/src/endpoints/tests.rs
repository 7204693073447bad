//! Claims about balancing and ejection.

mod plain;

use super::*;
use crate::testing::moment;

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn endpoints(config: Config, count: u32) -> (Endpoints<u32>, Instant) {
    let now = moment();
    let endpoints = Endpoints::new(config.validate().unwrap(), Rng::seeded(1));
    endpoints.set((0..count).map(|n| (format!("e{n}"), n)), now);
    (endpoints, now)
}

/// Makes `calls` calls, one after the other, 1 ms apart; `answer` says how each endpoint does.
/// Returns how many went to each.
fn drive(
    endpoints: &Endpoints<u32>,
    now: &mut Instant,
    calls: u32,
    answer: impl Fn(u32) -> (Charge, Duration),
) -> Vec<u32> {
    let mut went = vec![0; endpoints.snapshot(*now).len()];
    for _ in 0..calls {
        *now += ms(1);
        let lease = endpoints.pick(&[], *now).unwrap();
        let (charge, took) = answer(*lease.value());
        went[*lease.value() as usize] += 1;
        lease.report(charge, took, *now);
    }
    went
}

/// Ejection alone: failures do not repel calls before it acts.
fn only(eject: Eject) -> Config {
    let balance = Balance { failure: ms(0), ..Balance::default() };
    Config { balance, eject: Some(eject) }
}

fn no_ejection() -> Config {
    Config { eject: None, ..Config::default() }
}

#[test]
fn equal_endpoints_share_the_calls() {
    let (endpoints, mut now) = endpoints(no_ejection(), 4);
    let went = drive(&endpoints, &mut now, 4_000, |_| (Charge::Success, ms(10)));
    assert!(went.iter().all(|&n| (800..1_200).contains(&n)), "{went:?}");
}

#[test]
fn slow_endpoint_gets_few_calls() {
    let (endpoints, mut now) = endpoints(no_ejection(), 4);
    let went = drive(&endpoints, &mut now, 4_000, |n| {
        (Charge::Success, if n == 2 { ms(500) } else { ms(10) })
    });
    assert!(went[2] < 200, "{went:?}");
}

#[test]
fn busy_endpoint_is_passed_over() {
    let (endpoints, now) = endpoints(no_ejection(), 2);
    let held: Vec<_> = (0..10).map(|_| endpoints.pick(&[], now).unwrap()).collect();
    let counts: Vec<u32> = endpoints.snapshot(now).iter().map(|e| e.outstanding).collect();
    assert_eq!(counts, [5, 5]);
    drop(held);
    assert!(endpoints.snapshot(now).iter().all(|e| e.outstanding == 0));
}

#[test]
fn quick_failures_do_not_attract_calls() {
    let (endpoints, mut now) = endpoints(no_ejection(), 3);
    let went = drive(&endpoints, &mut now, 3_000, |n| match n {
        0 => (Charge::Failure, ms(0)),
        _ => (Charge::Success, ms(50)),
    });
    assert!(went[0] < 150, "{went:?}");
}

#[test]
fn endpoint_that_was_slow_once_is_tried_again() {
    let (endpoints, mut now) = endpoints(no_ejection(), 2);
    drive(&endpoints, &mut now, 100, |n| (Charge::Success, if n == 0 { ms(900) } else { ms(30) }));
    now += Duration::from_secs(120);
    let went = drive(&endpoints, &mut now, 2_000, |_| (Charge::Success, ms(30)));
    assert!(went[0] > 600, "{went:?}");
}

#[test]
fn failing_endpoint_is_left_out_and_comes_back() {
    let eject = Eject { deviations: None, rest: ms(1_000), ..Eject::default() };
    let (endpoints, mut now) = endpoints(only(eject), 3);
    let fails = |n| (if n == 1 { Charge::Failure } else { Charge::Success }, ms(10));
    drive(&endpoints, &mut now, 200, fails);
    let out = endpoints.snapshot(now)[1].out_for;
    assert!(out.is_some(), "five failures in a row");
    let went = drive(&endpoints, &mut now, 500, fails);
    assert_eq!(went[1], 0);
    now += Duration::from_secs(60);
    let went = drive(&endpoints, &mut now, 3_000, |_| (Charge::Success, ms(10)));
    assert!(went[1] > 0, "{went:?}");
}

#[test]
fn endpoint_much_worse_than_the_others_is_left_out() {
    let eject = Eject { consecutive_failures: None, ..Eject::default() };
    let (endpoints, mut now) = endpoints(only(eject), 10);
    // Every fourth call to 3 fails, never five in a row; the others are well.
    let turn = std::cell::Cell::new(0);
    let answer = |n| {
        turn.set(turn.get() + 1);
        let failed = n == 3 && turn.get() % 4 == 0;
        (if failed { Charge::Failure } else { Charge::Success }, ms(1_000))
    };
    drive(&endpoints, &mut now, 11_000, answer);
    let out: Vec<bool> = endpoints.snapshot(now).iter().map(|e| e.out_for.is_some()).collect();
    assert!(out[3], "{out:?}");
    assert_eq!(out.iter().filter(|&&out| out).count(), 1);
}

#[test]
fn third_try_goes_to_who_is_left_even_if_left_out() {
    let eject = Eject { deviations: None, ..Eject::default() };
    let (endpoints, mut now) = endpoints(only(eject), 4);
    let fails = |n| (if n == 1 { Charge::Failure } else { Charge::Success }, ms(10));
    drive(&endpoints, &mut now, 200, fails);
    assert!(endpoints.snapshot(now)[1].out_for.is_some());
    for _ in 0..50 {
        let (mut tried, mut names) = (Vec::new(), Vec::new());
        for _ in 0..4 {
            let lease = endpoints.pick(&tried, now).unwrap();
            tried.push(lease.id());
            names.push(*lease.value());
        }
        assert_eq!(names[3], 1, "left out, so last");
        names.sort_unstable();
        assert_eq!(names, [0, 1, 2, 3], "each once");
        assert_ne!(*endpoints.pick(&tried, now).unwrap().value(), 1, "all were tried");
    }
}

#[test]
fn retry_goes_elsewhere() {
    let (endpoints, now) = endpoints(no_ejection(), 2);
    for _ in 0..50 {
        let first = endpoints.pick(&[], now).unwrap();
        let second = endpoints.pick(&[first.id()], now).unwrap();
        assert_ne!(first.name(), second.name());
    }
    let (single, now) = self::endpoints(no_ejection(), 1);
    let first = single.pick(&[], now).unwrap();
    assert!(single.pick(&[first.id()], now).is_some(), "better the same than none");
}

#[test]
fn no_endpoints_means_no_pick() {
    let (endpoints, now) = endpoints(no_ejection(), 0);
    assert!(endpoints.pick(&[], now).is_none());
}

#[test]
fn new_list_keeps_the_record_of_those_that_stay() {
    let (endpoints, mut now) = endpoints(only(Eject::default()), 3);
    drive(&endpoints, &mut now, 300, |n| {
        (if n == 1 { Charge::Failure } else { Charge::Success }, ms(10))
    });
    let lease = endpoints.pick(&[], now).unwrap();
    endpoints.set([("e1", 1), ("new", 9)], now);
    lease.report(Charge::Success, ms(10), now);
    let snapshot = endpoints.snapshot(now);
    assert_eq!(snapshot.iter().map(|e| &*e.name).collect::<Vec<_>>(), ["e1", "new"]);
    assert!(snapshot[0].out_for.is_some() && snapshot[1].out_for.is_none());
}

/// What is needed to reach an endpoint may look at the others while it is dropped.
#[test]
fn value_that_asks_while_it_is_dropped_does_not_hang() {
    struct Asks(std::sync::Weak<Endpoints<Asks>>);
    impl Drop for Asks {
        fn drop(&mut self) {
            if let Some(endpoints) = self.0.upgrade() {
                assert!(endpoints.pick(&[], moment()).is_some());
            }
        }
    }
    let endpoints = Arc::new(Endpoints::new(Limits::default(), Rng::seeded(1)));
    let one = |name| (name, Asks(Arc::downgrade(&endpoints)));
    endpoints.set([one("a"), one("b")], moment());
    endpoints.set([one("a"), one("c")], moment());
    assert_eq!(endpoints.snapshot(moment()).len(), 2);
}

#[test]
fn bad_settings_are_named_with_their_range() {
    let eject = Eject { max_ejected: 1.5, ..Eject::default() };
    let error = Config { eject: Some(eject), ..Config::default() }.validate().unwrap_err();
    assert_eq!(error.to_string(), "`endpoints.eject.max_ejected` must be 0 to 1, not 1.5");
    assert_eq!(Config::default().validate(), Ok(Limits::default()));
}
