//! Claims about chaos.

use std::pin::Pin;
use std::task::{Context, Waker};

use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::TokioClock;
use crate::testing::{ByHand, histories};

fn chaos(config: Config) -> Chaos {
    Chaos::new(config.validate().unwrap())
}

fn all_kinds() -> Config {
    Config { seed: 7, slow: 0.3, error: 0.2, hang: 0.1, corrupt: 0.1, ..Config::default() }
}

#[test]
fn same_seed_gives_the_same_fates_in_any_order() {
    let (one, other) = (chaos(all_kinds()), chaos(all_kinds()));
    let forwards: Vec<Fate> = (0..500).map(|call| one.fate(call)).collect();
    let mut backwards: Vec<Fate> = (0..500).rev().map(|call| other.fate(call)).collect();
    backwards.reverse();
    assert_eq!(forwards, backwards);
    let different = chaos(Config { seed: 8, ..all_kinds() });
    assert_ne!(forwards, (0..500).map(|call| different.fate(call)).collect::<Vec<_>>());
}

#[test]
fn rates_are_what_was_asked_for() {
    let chaos = chaos(all_kinds());
    let fates: Vec<Fate> = (0..100_000).map(|call| chaos.fate(call)).collect();
    let share = |matches: &dyn Fn(&Fate) -> bool| {
        fates.iter().filter(|fate| matches(fate)).count() as f64 / 100_000.0
    };
    let close = |share: f64, wanted: f64| (share - wanted).abs() < 0.01;
    assert!(close(share(&|fate| !fate.delay.is_zero()), 0.3));
    assert!(close(share(&|fate| fate.fault == Fault::Error), 0.2));
    assert!(close(share(&|fate| fate.fault == Fault::Hang), 0.1));
    assert!(close(share(&|fate| fate.fault == Fault::Corrupt), 0.1));
    assert!(fates.iter().all(|fate| fate.delay <= Duration::from_secs(1)));
}

#[tokio::test(start_paused = true)]
async fn each_fault_does_what_it_says() {
    let one = |config| async move {
        let run = chaos(config);
        let work = async { Ok::<_, &str>("text") };
        let call = run.run(&TokioClock, work, || "injected", |_| "garbage");
        tokio::time::timeout(Duration::from_secs(10), call).await
    };
    let default = Config::default;
    assert_eq!(one(default()).await, Ok(Ok("text")));
    assert_eq!(one(Config { error: 1.0, ..default() }).await, Ok(Err("injected")));
    assert_eq!(one(Config { corrupt: 1.0, ..default() }).await, Ok(Ok("garbage")));
    assert!(one(Config { hang: 1.0, ..default() }).await.is_err());
    let start = TokioClock.now();
    assert_eq!(one(Config { slow: 1.0, ..default() }).await, Ok(Ok("text")));
    assert!(TokioClock.now() > start);
}

#[test]
fn bad_settings_are_named_with_their_range() {
    let said = |config: Config| config.validate().unwrap_err().to_string();
    assert_eq!(
        said(Config { hang: 2.0, ..Config::default() }),
        "`chaos.hang` must be 0 to 1, not 2"
    );
    assert_eq!(
        said(Config { error: 0.6, corrupt: 0.6, ..Config::default() }),
        "`chaos.error` together with `chaos.hang` and `chaos.corrupt` must not exceed 1"
    );
    assert_eq!(Config::default().validate(), Ok(Limits::default()));
}

/// Looked at once a millisecond until nothing can happen any more: when each call ended, and how.
fn watch(
    clock: &ByHand,
    mut calls: Vec<Pin<Box<impl Future<Output = Result<u32, u32>>>>>,
) -> Vec<Option<(u32, Result<u32, u32>)>> {
    let mut ends = vec![None; calls.len()];
    for _ in 0..100 {
        for (call, end) in calls.iter_mut().zip(&mut ends) {
            if end.is_none()
                && let std::task::Poll::Ready(result) =
                    call.as_mut().poll(&mut Context::from_waker(Waker::noop()))
            {
                *end = Some((clock.millis(), result));
            }
        }
        clock.advance(1);
    }
    ends
}

proptest! {
    #![proptest_config(histories())]

    /// The plan is written down first; then calls that are under way together all end as it says.
    #[test]
    fn calls_end_as_the_plan_says(
        (seed, slow, delay) in (any::<u64>(), 0_u32..=4, 0_u64..40),
        (error, hang, corrupt) in (0_u32..=1, 0_u32..=2, 0_u32..=1),
        works in prop::collection::vec((0_u32..40, any::<bool>()), 1..12),
    ) {
        let share = |quarters: u32| f64::from(quarters) / 4.0;
        let config = Config {
            seed,
            slow: share(slow),
            delay: Duration::from_millis(delay),
            error: share(error),
            hang: share(hang),
            corrupt: share(corrupt),
        };
        let sick = error + hang + corrupt;
        let any_fault = chaos(Config { error: share(sick), hang: 0.0, corrupt: 0.0, ..config.clone() });
        let plan = chaos(config.clone());
        let expected: Vec<_> = (0_u64..).zip(&works).map(|(call, &(takes, is_well))| {
            let Fate { delay, fault } = plan.fate(call);
            let late = delay.as_nanos().div_ceil(1_000_000) as u32;
            match fault {
                Fault::Error => Some((late, Err(99))),
                Fault::Hang => None,
                Fault::Corrupt if is_well => Some((late + takes, Ok(77))),
                Fault::Corrupt | Fault::None if !is_well => Some((late + takes, Err(1))),
                _ => Some((late + takes, Ok(1))),
            }
        }).collect();
        for call in 0..works.len() as u64 {
            let Fate { delay, fault } = plan.fate(call);
            prop_assert!(delay <= config.delay && (slow > 0 || delay.is_zero()));
            let rate = match fault {
                Fault::None => 4 - sick,
                Fault::Error => error,
                Fault::Hang => hang,
                Fault::Corrupt => corrupt,
            };
            prop_assert!(rate > 0, "{fault:?} at rate 0");
            // How much goes wrong does not depend on what does.
            prop_assert_eq!(any_fault.fate(call).fault == Fault::Error, fault != Fault::None);
        }

        let (clock, run) = (ByHand::new(), chaos(config));
        let calls = works.iter().map(|&(takes, is_well)| {
            let clock = &clock;
            let work = async move {
                clock.sleep(takes).await;
                if is_well { Ok(1) } else { Err(1) }
            };
            Box::pin(run.run(clock, work, || 99, |_| 77))
        });
        prop_assert_eq!(watch(&clock, calls.collect()), expected);
        prop_assert_eq!(run.calls(), works.len() as u64);
    }
}
