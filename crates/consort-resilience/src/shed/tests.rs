//! Claims about load shedding.

use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::testing::histories;
use crate::testing::moment;

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn shed(start: Instant) -> Shed {
    Shed::new(&Config { target: ms(20), interval: ms(500) }.validate().unwrap(), start)
}

#[test]
fn burst_is_not_overload() {
    let start = moment();
    let shed = shed(start);
    assert!(!shed.is_overloaded(start + ms(500)));
    assert!(shed.is_overloaded(start + ms(501)));
    shed.empty(start + ms(600));
    assert!(!shed.is_overloaded(start + ms(1_100)));
}

#[test]
fn low_priority_goes_first() {
    let start = moment();
    let shed = shed(start);
    let waits = |at: u64| {
        [Priority::Low, Priority::Normal, Priority::High]
            .map(|priority| shed.patience(priority, start + ms(at)).as_millis())
    };
    assert_eq!(waits(100), [20, 500, 500]);
    assert_eq!(waits(1_000), [0, 20, 500]);
    assert!(Priority::Low < Priority::Normal && Priority::Normal < Priority::High);
}

#[test]
fn retry_counts_one_step_lower() {
    assert_eq!(Priority::High.lower(), Priority::Normal);
    assert_eq!(Priority::Normal.lower(), Priority::Low);
    assert_eq!(Priority::Low.lower(), Priority::Low);
}

/// A queue filled twice as fast as it is served, drained in order.
#[test]
fn own_queue_serves_fresh_items_under_overload() {
    let start = moment();
    let shed = shed(start);
    let mut queue = std::collections::VecDeque::new();
    let (mut served, mut latest) = (0, Duration::ZERO);
    for tick in 0..20_000_u64 {
        let now = start + ms(tick);
        queue.push_back(now);
        if tick % 2 != 0 {
            continue;
        }
        // Refusing costs nothing; serving takes the turn.
        while let Some(arrived) = queue.pop_front() {
            let queued = now - arrived;
            if shed.admit(Priority::Normal, queued, now).is_ok() {
                served += 1;
                if tick > 2_000 {
                    latest = latest.max(queued);
                }
                break;
            }
        }
    }
    assert!(served >= 9_990, "no turn is wasted: {served} of 10,000");
    assert!(latest <= ms(500), "{latest:?}");
    assert!(queue.len() < 1_000, "the queue stays short: {}", queue.len());
}

#[test]
fn bad_settings_are_named_with_their_range() {
    let said = |config: Config| config.validate().unwrap_err().to_string();
    assert_eq!(
        said(Config { target: ms(0), ..Config::default() }),
        "`shed.target` must be 1ms to 1m, not 0s"
    );
    assert_eq!(
        said(Config { target: ms(30), interval: ms(20) }),
        "`shed.interval` must not be shorter than `shed.target`"
    );
    assert_eq!(Config::default().validate(), Ok(Limits::default()));
}

proptest! {
    #![proptest_config(histories())]

    /// One that remembers every empty moment agrees, but for the eighth of an interval within
    /// which such moments are not written down.
    #[test]
    fn overload_is_a_queue_that_was_never_empty_for_an_interval(
        events in prop::collection::vec((0_u64..80, any::<bool>(), 0_usize..3), 1..60),
    ) {
        let start = moment();
        let (target, interval) = (ms(20), ms(100));
        let limits = Config { target, interval }.validate().unwrap();
        let shed = Shed::new(&limits, start);
        let (mut now, mut last_empty) = (start, start);
        for (gap, is_empty, priority) in events {
            now += ms(gap);
            if is_empty {
                shed.empty(now);
                last_empty = now;
            }
            let (standing, seen) = (now - last_empty, shed.is_overloaded(now));
            prop_assert!(!seen || standing > interval * 7 / 8, "{standing:?}");
            prop_assert!(seen || standing <= interval, "{standing:?}");
            let priority = [Priority::Low, Priority::Normal, Priority::High][priority];
            let allowed = [[target, interval, interval], [ms(0), target, interval]];
            let patience = allowed[usize::from(seen)][priority as usize];
            prop_assert_eq!(shed.patience(priority, now), patience);
        }
    }
}
