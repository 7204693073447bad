//! Claims about the bulkhead.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::TokioClock;
use crate::testing::histories;

fn bulkhead(limit: u32, queue: u32) -> Bulkhead {
    Bulkhead::new(&Config { limit, queue, ..Config::default() }.validate().unwrap())
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Polls once and says what came out.
fn poll<'a>(enter: &mut Enter<'a>, woken: &Arc<Woken>) -> Poll<Result<Slot<'a>, Refused>> {
    let waker = Waker::from(woken.clone());
    Pin::new(enter).poll(&mut Context::from_waker(&waker))
}

#[test]
fn slots_then_queue_then_refusal() {
    let (bulkhead, woken) = (bulkhead(1, 1), Arc::default());
    let slot = bulkhead.try_enter().unwrap();
    let mut waiting = bulkhead.enter();
    assert!(poll(&mut waiting, &woken).is_pending());
    let Poll::Ready(Err(refused)) = poll(&mut bulkhead.enter(), &woken) else { panic!() };
    assert_eq!(refused, Refused::Full { limit: 1 });
    drop(slot);
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    assert!(matches!(poll(&mut waiting, &woken), Poll::Ready(Ok(_))));
    assert_eq!(bulkhead.snapshot(), Snapshot { limit: 1, taken: 0, waiting: 0 });
}

#[test]
fn nobody_overtakes_the_queue() {
    let (bulkhead, woken) = (bulkhead(1, 8), Arc::default());
    let slot = bulkhead.try_enter().unwrap();
    let mut first = bulkhead.enter();
    assert!(poll(&mut first, &woken).is_pending());
    drop(slot);
    // The slot is promised to `first`, although it has not looked yet.
    assert!(bulkhead.try_enter().is_none());
    let mut second = bulkhead.enter();
    assert!(poll(&mut second, &woken).is_pending());
    assert!(matches!(poll(&mut first, &woken), Poll::Ready(Ok(_))));
    assert!(matches!(poll(&mut second, &woken), Poll::Ready(Ok(_))));
}

#[test]
fn leaving_the_queue_frees_the_place() {
    let (bulkhead, woken) = (bulkhead(1, 1), Arc::default());
    let _slot = bulkhead.try_enter().unwrap();
    let mut gone = bulkhead.enter();
    assert!(poll(&mut gone, &woken).is_pending());
    drop(gone);
    assert!(poll(&mut bulkhead.enter(), &woken).is_pending());
}

#[test]
fn slot_granted_to_someone_who_left_goes_to_the_next() {
    let (bulkhead, woken) = (bulkhead(1, 8), Arc::default());
    let slot = bulkhead.try_enter().unwrap();
    let (mut first, mut second) = (bulkhead.enter(), bulkhead.enter());
    assert!(poll(&mut first, &woken).is_pending());
    assert!(poll(&mut second, &woken).is_pending());
    drop(slot);
    drop(first);
    assert_eq!(woken.0.load(Ordering::SeqCst), 2, "both were woken, in turn");
    assert!(matches!(poll(&mut second, &woken), Poll::Ready(Ok(_))));
}

#[test]
fn wider_limits_let_waiting_callers_in_and_narrower_ones_wait_for_leavers() {
    let (bulkhead, woken) = (bulkhead(1, 8), Arc::default());
    let slot = bulkhead.try_enter().unwrap();
    let (mut first, mut second) = (bulkhead.enter(), bulkhead.enter());
    assert!(poll(&mut first, &woken).is_pending());
    assert!(poll(&mut second, &woken).is_pending());
    let limits = |limit| Config { limit, ..Config::default() }.validate().unwrap();
    bulkhead.reconfigure(&limits(3));
    let Poll::Ready(Ok(first)) = poll(&mut first, &woken) else { panic!() };
    let Poll::Ready(Ok(second)) = poll(&mut second, &woken) else { panic!() };
    bulkhead.reconfigure(&limits(1));
    drop((slot, first));
    assert!(bulkhead.try_enter().is_none());
    drop(second);
    assert!(bulkhead.try_enter().is_some());
}

#[tokio::test(start_paused = true)]
async fn wait_is_bounded() {
    let (bulkhead, clock) = (bulkhead(1, 8), TokioClock);
    let _slot = bulkhead.try_enter().unwrap();
    let start = clock.now();
    let result = bulkhead.run(&clock, async { Ok::<_, ()>(1) }).await;
    assert_eq!(result, Err(Failure::Refused(Refused::WaitedTooLong)));
    assert!(clock.now() - start <= Duration::from_millis(1_001));
    assert_eq!(bulkhead.snapshot().waiting, 0);
}

#[test]
fn defaults_are_valid() {
    assert_eq!(Config::default().validate(), Ok(Limits::default()));
}

#[test]
fn bad_settings_are_named_with_their_range() {
    let error = Config { limit: 0, ..Config::default() }.validate().unwrap_err();
    assert_eq!(error.to_string(), "`bulkhead.limit` must be 1 to 100000, not 0");
}

/// The bulkhead as one would draw it: who is in, and a line.
#[derive(Default)]
struct Drawn {
    inside: Vec<usize>,
    line: VecDeque<usize>,
}

impl Drawn {
    fn arrive(&mut self, who: usize, limit: usize, queue: usize) {
        if self.inside.len() < limit && self.line.is_empty() {
            self.inside.push(who);
        } else if self.line.len() < queue {
            self.line.push_back(who);
        }
    }

    fn leave(&mut self, who: usize, limit: usize) {
        self.inside.retain(|&other| other != who);
        self.line.retain(|&other| other != who);
        while self.inside.len() < limit
            && let Some(next) = self.line.pop_front()
        {
            self.inside.push(next);
        }
    }
}

enum Caller<'a> {
    Away,
    Trying(Enter<'a>),
    Inside(#[expect(dead_code, reason = "held, not read")] Slot<'a>),
}

proptest! {
    #![proptest_config(histories())]

    #[test]
    fn behaves_like_a_room_with_a_line(
        limit in 1_u32..4,
        queue in 0_u32..4,
        events in prop::collection::vec((0_usize..8, any::<bool>()), 1..60),
    ) {
        let (bulkhead, woken) = (bulkhead(limit, queue), Arc::default());
        let mut drawn = Drawn::default();
        let mut callers: Vec<Caller<'_>> = (0..8).map(|_| Caller::Away).collect();
        for (who, arrives) in events {
            match (&mut callers[who], arrives) {
                (Caller::Away, true) => {
                    drawn.arrive(who, limit as usize, queue as usize);
                    let mut enter = bulkhead.enter();
                    callers[who] = match poll(&mut enter, &woken) {
                        Poll::Ready(Ok(slot)) => Caller::Inside(slot),
                        Poll::Ready(Err(_)) => Caller::Away,
                        Poll::Pending => Caller::Trying(enter),
                    };
                }
                // Looks again, which must change nothing for anyone else.
                (Caller::Trying(enter), true) => {
                    if let Poll::Ready(Ok(slot)) = poll(enter, &woken) {
                        callers[who] = Caller::Inside(slot);
                    }
                }
                (_, true) => {}
                (_, false) => {
                    drawn.leave(who, limit as usize);
                    callers[who] = Caller::Away;
                }
            }
            let snapshot = bulkhead.snapshot();
            prop_assert_eq!(snapshot.taken as usize, drawn.inside.len());
            prop_assert_eq!(snapshot.waiting, drawn.line.len());
            for (who, caller) in callers.iter_mut().enumerate() {
                if let Caller::Inside(_) = caller {
                    prop_assert!(drawn.inside.contains(&who));
                }
            }
        }
        for (who, caller) in callers.iter_mut().enumerate() {
            if let Caller::Trying(enter) = caller {
                let is_in = matches!(poll(enter, &woken), Poll::Ready(Ok(_)));
                prop_assert_eq!(is_in, drawn.inside.contains(&who));
                if is_in {
                    drawn.leave(who, limit as usize);
                }
            }
        }
    }
}
