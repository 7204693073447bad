//! Claims about budgets, quotas and permits.

use proptest::prelude::*;

use super::*;
use crate::limits::Rate;

const NOON: Timestamp = Timestamp(20_000 * 86_400_000 + 43_200_000);

fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn moment() -> Moment {
    Moment { at: Instant::now(), utc: NOON }
}

fn money(amount: u64) -> Spend {
    Spend { money: amount, ..Spend::ZERO }
}

fn limited(amount: u64) -> Budget {
    Budget { money: Some(amount), ..Budget::UNLIMITED }
}

#[test]
fn unspent_budget_returns() {
    let root = Ledger::root(limited(100), Spend::ZERO);
    let child = root.carve(limited(60)).unwrap();
    child.reserve(money(50)).unwrap().settle(money(20));
    assert_eq!(root.left().money, Some(40));
    drop(child);
    assert_eq!((root.left().money, root.spent()), (Some(80), money(20)));
}

#[test]
fn an_overrun_is_recorded_debited_and_refuses_later_admissions() {
    let root = Ledger::root(limited(100), Spend::ZERO);
    let over = root.reserve(money(90)).unwrap().settle(money(130));
    assert_eq!((over, root.overrun(), root.spent()), (money(40), money(40), money(130)));
    let refused = root.reserve(money(1)).unwrap_err();
    assert_eq!(refused, Refused::Budget { currency: Currency::Money, asked: 1, left: 0 });
}

#[test]
fn currencies_without_a_limit_below_are_bounded_above() {
    let root = Ledger::root(Budget { calls: Some(2), ..limited(100) }, Spend::ZERO);
    let child = root.carve(limited(50)).unwrap();
    let one = child.reserve(Spend::CALL).unwrap();
    let _two = child.reserve(Spend::CALL).unwrap();
    assert!(child.reserve(Spend::CALL).is_err());
    drop(one);
    assert!(child.reserve(Spend::CALL).is_ok());
}

#[test]
fn a_dropped_reservation_returns_whole() {
    let root = Ledger::root(limited(10), Spend::ZERO);
    drop(root.reserve(money(10)).unwrap());
    assert_eq!(root.left().money, Some(10));
}

#[test]
fn refusal_takes_nothing() {
    let limits = Limits {
        tenant: TenantLimits { quota: limited(5), concurrency: Some(1), ..TenantLimits::default() },
        ..Limits::default()
    };
    let admission = Admission::new(limits);
    assert!(admission.admit(&tenant(), Some(limited(6)), moment()).is_err());
    let ticket = admission.admit(&tenant(), Some(limited(5)), moment()).unwrap();
    let full = admission.admit(&tenant(), None, moment()).unwrap_err();
    assert_eq!(full, Refused::TenantConcurrency { limit: 1 });
    drop(ticket);
    assert!(admission.admit(&tenant(), Some(limited(5)), moment()).is_ok());
    assert_eq!(admission.open(), 0);
}

#[test]
fn a_quota_survives_a_restart_and_ends_with_its_window() {
    let limits = Limits {
        tenant: TenantLimits { quota: limited(100), ..TenantLimits::default() },
        ..Limits::default()
    };
    let admission = Admission::new(limits);
    let midnight = Timestamp(20_000 * 86_400_000);
    assert_eq!(admission.unloaded(&tenant(), NOON), Some(midnight));
    admission.load(&tenant(), moment(), money(95));
    assert_eq!(admission.unloaded(&tenant(), NOON), None);
    let Err(Refused::Quota { left: 5, again, .. }) =
        admission.admit(&tenant(), Some(limited(6)), moment())
    else {
        panic!("a refusal by quota")
    };
    assert_eq!(again, Duration::from_secs(12 * 3600));
    let tomorrow = Moment { utc: Timestamp(NOON.0 + 86_400_000), ..moment() };
    assert!(admission.admit(&tenant(), Some(limited(100)), tomorrow).is_ok());
}

#[test]
fn the_rate_says_when_to_come_back() {
    let rate = Some(Rate { per_second: 2.0, burst: 1 });
    let limits =
        Limits { tenant: TenantLimits { rate, ..TenantLimits::default() }, ..Limits::default() };
    let (admission, now) = (Admission::new(limits), moment());
    drop(admission.admit(&tenant(), None, now).unwrap());
    let refused = admission.admit(&tenant(), None, now).unwrap_err();
    assert_eq!(refused, Refused::Rate { again: Duration::from_millis(500) });
    let later = Moment { at: now.at + Duration::from_millis(500), ..now };
    assert!(admission.admit(&tenant(), None, later).is_ok());
}

#[test]
fn a_run_that_was_admitted_before_keeps_its_ticket() {
    let limits = Limits { concurrency: 1, ..Limits::default() };
    let admission = Admission::new(limits);
    let _first = admission.admit(&tenant(), None, moment()).unwrap();
    let _resumed = admission.readmit(&tenant(), Some(limited(3)), moment());
    assert_eq!(admission.open(), 2);
}

proptest! {
    #[test]
    fn reservations_never_exceed_the_budget(ops in prop::collection::vec((0u8..4, 0u64..60, 0u64..60), 1..200)) {
        let root = Ledger::root(limited(100), Spend::ZERO);
        let mut children: Vec<Arc<Ledger>> = vec![];
        let mut held: Vec<Reservation> = vec![];
        for (op, a, b) in ops {
            match op {
                0 => children.extend(root.carve(limited(a)).ok()),
                1 => {
                    let ledger = children.get(b as usize % children.len().max(1)).unwrap_or(&root);
                    held.extend(ledger.reserve(money(a)).ok());
                }
                2 if !held.is_empty() => {
                    let reservation = held.swap_remove(b as usize % held.len());
                    let actual = a.min(reservation.amount.money);
                    reservation.settle(money(actual));
                }
                3 if !children.is_empty() => drop(children.swap_remove(b as usize % children.len())),
                _ => {}
            }
            prop_assert!(root.reserved().plus(root.spent()).money <= 100);
            for child in &children {
                prop_assert!(child.reserved().plus(child.spent()).money <= child.limit.money.unwrap());
            }
        }
        drop((children, held));
        prop_assert_eq!(root.reserved(), Spend::ZERO);
    }
}
