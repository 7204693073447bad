//! A crowd that wants three times what there is, on real threads.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use consort_core::{
    Budget, Category, Context, Durability, Effect, Facade, Limits, Spend, StepContext, StepResult,
    TenantLimits,
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::fixtures::{BOTH, Leaf, Scripted, World, acme, ask, category, done, secs};

const CALLERS: u64 = 1_000;
const THREADS: u64 = 4;
const BOUND: u64 = 30;
/// A third of what all bounds come to.
const BUDGET: u64 = CALLERS * BOUND / 3;

/// Money set aside and spent, as capabilities see it.
#[derive(Debug, Default)]
struct Till {
    used: AtomicU64,
    peak: AtomicU64,
    spent: AtomicU64,
}

impl Till {
    fn take(&self, amount: u64) {
        let used = self.used.fetch_add(amount, Ordering::SeqCst) + amount;
        self.peak.fetch_max(used, Ordering::SeqCst);
    }

    fn settle(&self, bound: u64, actual: u64) {
        self.spent.fetch_add(actual, Ordering::SeqCst);
        self.used.fetch_sub(bound - actual, Ordering::SeqCst);
    }

    fn spent(&self) -> u64 {
        self.spent.load(Ordering::SeqCst)
    }
}

/// Asks for `[bound, actual]`, and lets others go first while it works.
async fn pay(till: Arc<Till>, cx: StepContext, request: Value) -> StepResult<Value> {
    let [bound, actual] = [0, 1].map(|at| request[at].as_u64().unwrap());
    till.take(bound);
    cx.spend(Spend { money: actual, ..Spend::ZERO });
    for _ in 0..actual % 7 {
        tokio::task::yield_now().await;
    }
    till.settle(bound, actual);
    done(actual)
}

/// `buyer` pays once; `crowd` lets all callers pay from its own budget.
async fn shop(durability: Durability, till: &Arc<Till>) -> Facade {
    let limits = Limits {
        concurrency: 2 * CALLERS as u32,
        tenant: TenantLimits {
            quota: Budget { money: Some(BUDGET), ..Budget::UNLIMITED },
            ..TenantLimits::default()
        },
        ..Limits::default()
    };
    let facade = World::limited(limits).facade();
    let noted = till.clone();
    let leaf = Leaf::new("pay", Effect::Read, move |cx, request| pay(noted.clone(), cx, request));
    let bound =
        |request: &Value| Spend { money: request[0].as_u64().unwrap(), tokens: 0, calls: 1 };
    facade.register_capability(leaf.bound(bound)).unwrap();
    let buyer = |cx: Context, request: Value| async move { ask(&cx, "pay", request).await };
    facade.register(Scripted::either(durability, "buyer", buyer)).await.unwrap();
    let crowd = |cx: Context, _| async move {
        let all = (0..CALLERS).map(|n| ask(&cx, "pay", json!([BOUND, actual(n)])));
        let results = join_all(all).await;
        done(results.iter().filter(|result| result.is_ok()).count())
    };
    facade.register(Scripted::either(durability, "crowd", crowd)).await.unwrap();
    facade.start(true).await.unwrap();
    facade
}

/// What a caller really spends: up to all that it has declared.
fn actual(caller: u64) -> u64 {
    caller * 7919 % (BOUND + 1)
}

fn within_budget(till: &Till) {
    let peak = till.peak.load(Ordering::SeqCst);
    assert!(peak <= BUDGET, "{peak} of {BUDGET} in use at once");
    assert_eq!(till.used.load(Ordering::SeqCst), till.spent(), "something is still set aside");
    assert!(till.spent() > 0);
}

#[test]
fn a_thousand_callers_never_get_more_than_their_tenant_has() {
    let runtime = Runtime::new().unwrap();
    for durability in BOTH {
        let till = Arc::new(Till::default());
        let facade = runtime.block_on(shop(durability, &till));
        let (handle, refused) = (runtime.handle(), AtomicU64::new(0));
        thread::scope(|scope| {
            for first in 0..THREADS {
                let (facade, refused) = (&facade, &refused);
                scope.spawn(move || {
                    let mine = (first..CALLERS).step_by(THREADS as usize);
                    let calls = mine.map(|n| async move {
                        let request = json!([BOUND, actual(n)]);
                        let Err(error) = facade.orchestrate("buyer", acme(), request).await else {
                            return;
                        };
                        assert!(is_poverty(error.category()), "{error:?}");
                        refused.fetch_add(1, Ordering::SeqCst);
                    });
                    handle.block_on(join_all(calls));
                });
            }
        });
        within_budget(&till);
        assert!(refused.into_inner() > 0, "{durability:?}: there was enough for everybody");
        assert_eq!((facade.open_roots(), facade.in_memory()), (0, 0), "{durability:?}");
        runtime.block_on(the_rest_can_be_had(&facade, &till));
    }
}

/// Nothing is stuck: what was not spent can be had, to the last millionth, and no more.
async fn the_rest_can_be_had(facade: &Facade, till: &Till) {
    let left = BUDGET - till.spent();
    let more = facade.orchestrate("buyer", acme(), json!([left + 1, 0])).await;
    assert!(is_poverty(category(&more)));
    facade.orchestrate("buyer", acme(), json!([left, left])).await.unwrap();
    assert_eq!(till.spent(), BUDGET);
    facade.close(secs(1)).await.unwrap();
}

fn is_poverty(category: Category) -> bool {
    matches!(category, Category::BudgetExhausted | Category::QuotaExceeded)
}

#[test]
fn a_thousand_calls_of_one_run_never_get_more_than_it_has() {
    let runtime = Runtime::new().unwrap();
    for durability in BOTH {
        let till = Arc::new(Till::default());
        runtime.block_on(async {
            let facade = shop(durability, &till).await;
            let purse = Budget { money: Some(BUDGET), ..Budget::UNLIMITED };
            let served = facade.orchestrate("crowd", acme().budget(purse), json!(null)).await;
            let served = served.unwrap().value().unwrap().as_u64().unwrap();
            assert!((CALLERS / 3..CALLERS).contains(&served), "{durability:?}: {served} served");
            within_budget(&till);
            assert_eq!((facade.open_roots(), facade.in_memory()), (0, 0), "{durability:?}");
            the_rest_can_be_had(&facade, &till).await;
        });
    }
}
