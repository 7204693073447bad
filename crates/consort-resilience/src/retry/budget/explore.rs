//! Every order of calls, retries and waits in small bounds, against a plain account.

use super::*;
use crate::testing::moment;

#[derive(Clone, Copy, Debug)]
enum Event {
    Call,
    Retry,
    Wait,
}

/// Halves of a retry saved up, and what is left of this second's reserve, in thirds of it.
#[derive(Clone, Copy, Debug)]
struct Account {
    halves: u32,
    thirds: u32,
}

const BURST: u32 = 2;
const PER_SECOND: u32 = 1;

/// Plays the events on the budget and in the account; they must agree at every step.
fn play(events: &[Event]) {
    let config = Config { ratio: 0.5, min_per_second: PER_SECOND, burst: BURST };
    let start = moment();
    let budget = Budget::new(&config.validate().unwrap(), start);
    let mut account = Account { halves: 2 * BURST, thirds: 3 };
    let mut now = start;
    for event in events {
        match event {
            Event::Call => {
                budget.deposit();
                account.halves = (account.halves + 1).min(2 * BURST);
            }
            Event::Retry => {
                let expected = account.halves >= 2 || account.thirds >= 3;
                assert_eq!(budget.withdraw(now), expected, "{events:?}");
                if account.halves >= 2 {
                    account.halves -= 2;
                } else if expected {
                    account.thirds -= 3;
                }
            }
            Event::Wait => {
                // A little over a third of a second, so that three are a whole one.
                now += Duration::from_millis(334);
                account.thirds = (account.thirds + 1).min(3);
            }
        }
        assert_eq!(budget.balance(), account.halves / 2, "{events:?}");
    }
}

#[test]
fn every_order_of_ten_events_agrees_with_a_plain_account() {
    let mut orders = 0;
    for number in 0..3_u32.pow(10) {
        let event = |digit: u32| [Event::Call, Event::Retry, Event::Wait][digit as usize];
        let events: Vec<Event> = (0..10).map(|at| event(number / 3_u32.pow(at) % 3)).collect();
        play(&events);
        orders += 1;
    }
    assert_eq!(orders, 59_049);
}
