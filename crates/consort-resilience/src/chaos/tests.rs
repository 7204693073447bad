//! Claims about chaos.

use super::*;
use crate::TokioClock;

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
