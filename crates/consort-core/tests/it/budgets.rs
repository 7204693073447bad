//! Claims about budgets of runs that leave memory while they wait: nothing that was spent or set
//! aside is forgotten, however it came about.

use consort_core::{
    Budget, Category, Context, Effect, EventName, Facade, Limits, Spend, StepContext, StepResult,
    Timestamp, events::Event, journal::Journal,
};
use serde_json::{Value, json};

use crate::fixtures::{Leaf, Scripted, World, acme, ask, category, done, heard, millis, secs};

const BUDGET: u64 = 100;
/// What every way to spend takes of it.
const GONE: u64 = 40;

fn money(amount: u64) -> Budget {
    Budget { money: Some(amount), ..Budget::UNLIMITED }
}

async fn pay(cx: StepContext, request: Value) -> StepResult<Value> {
    cx.spend(Spend { money: request.as_u64().unwrap(), ..Spend::ZERO });
    done(1)
}

/// Spends, and never answers.
async fn sink(cx: StepContext, request: Value) -> StepResult<Value> {
    pay(cx, request).await?;
    std::future::pending().await
}

/// Asks, and soon does not want the answer any more.
async fn give_up(cx: &Context, callee: &str, request: u64) -> StepResult<Value> {
    tokio::select! {
        biased;
        result = ask(cx, callee, request) => result,
        () = async { cx.sleep(millis(10)).await.unwrap() } => done(0),
    }
}

/// Waits for `go`, which comes when nothing is in memory any more, and then asks for one more
/// than is left, and for all that is left.
async fn rest(cx: &Context) -> StepResult<Value> {
    cx.wait_for::<Value>("go", None).await?;
    let left = BUDGET - GONE;
    let too_much = ask(cx, "pay", left + 1).await;
    assert_eq!(category(&too_much), Category::BudgetExhausted);
    ask(cx, "pay", left).await
}

async fn spender(cx: Context, way: Value) -> StepResult<Value> {
    match way.as_str().unwrap() {
        "a step" => _ = ask(&cx, "pay", GONE).await?,
        "a step that was given up" => _ = give_up(&cx, "sink", GONE).await?,
        "a step given up in an ephemeral run" => _ = ask(&cx, "brief", GONE).await?,
        "an ephemeral run that was given up" => _ = give_up(&cx, "endless", GONE).await?,
        "a child" => _ = ask(&cx, "child", GONE).await?,
        "a cleanup" => _ = ask(&cx, "tidy", GONE).await?,
        "a child that was given up" => _ = give_up(&cx, "long", GONE).await?,
        "a child that gave up its own" => _ = ask(&cx, "hasty", GONE).await?,
        other => unreachable!("{other}"),
    }
    rest(&cx).await
}

async fn process(world: &World) -> Facade {
    let facade = world.facade();
    let bound = |request: &Value| Spend { money: request.as_u64().unwrap(), ..Spend::CALL };
    facade.register_capability(Leaf::new("pay", Effect::Read, pay).bound(bound)).unwrap();
    facade.register_capability(Leaf::new("sink", Effect::Read, sink).bound(bound)).unwrap();
    let amount = |request: Value| request.as_u64().unwrap();
    let all = [
        Scripted::durable("spender", spender),
        Scripted::ephemeral("brief", move |cx, request| async move {
            tokio::select! {
                biased;
                result = ask(&cx, "sink", request) => result,
                () = tokio::time::sleep(millis(10)) => done(0),
            }
        }),
        Scripted::ephemeral(
            "endless",
            |cx, request| async move { ask(&cx, "sink", request).await },
        ),
        Scripted::durable("child", |cx, request| async move { ask(&cx, "pay", request).await }),
        Scripted::durable("tidy", move |cx, request| async move {
            ask(&cx, "pay", amount(request) / 2).await
        })
        .clean_up(|cx| async move { ask(&cx, "pay", GONE / 2).await.map(drop) }),
        Scripted::durable("long", |cx, request| async move { ask(&cx, "sink", request).await }),
        Scripted::durable("hasty", move |cx, request| async move {
            give_up(&cx, "long", amount(request)).await
        }),
    ];
    for one in all {
        facade.register(one).await.unwrap();
    }
    facade.start(true).await.unwrap();
    facade
}

async fn remembers(way: &str) {
    let world = World::limited(Limits { park_after: secs(1), ..Limits::default() });
    let facade = process(&world).await;
    let mut events = facade.events();
    let cx = acme().budget(money(BUDGET)).timeout(secs(60));
    let handle = facade.start_run("spender", cx, json!(way)).await.unwrap();
    let run = handle.id().unwrap().clone();
    tokio::time::sleep(secs(10)).await;
    assert_eq!(facade.in_memory(), 0, "{way}");
    let parked =
        |event: &Event| matches!(event, Event::RunParked { run: parked } if *parked == run);
    assert!(heard(&mut events).iter().any(parked), "{way}");

    facade.signal(&run, EventName::new("go").unwrap(), json!(null)).await.unwrap();
    let result = handle.await;
    assert!(result.is_ok(), "{way}: {result:?}");

    // The tenant's account comes to the same.
    let spent = world.journal.spent(acme().tenant(), Timestamp(0)).await.unwrap().money;
    assert_eq!(spent, BUDGET, "{way}");
    facade.close(secs(1)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_run_that_left_memory_knows_all_that_was_spent() {
    for way in [
        "a step",
        "a step that was given up",
        "a step given up in an ephemeral run",
        "an ephemeral run that was given up",
        "a child",
        "a cleanup",
        "a child that was given up",
        "a child that gave up its own",
    ] {
        remembers(way).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_that_was_never_accepted_leaves_nothing_set_aside() {
    let world = World::new();
    let facade = process(&world).await;
    let undecided = Scripted::durable("undecided", |_, _| async { done(0) })
        .asked(|_, _| Box::pin(std::future::pending()));
    facade.register(undecided).await.unwrap();
    let asks = |cx: Context, _| async move { ask(&cx, "undecided", 0).budget(money(BUDGET)).await };
    facade.register(Scripted::durable("asks", asks)).await.unwrap();
    let root = |cx: Context, _| async move {
        let late = ask(&cx, "asks", 0).timeout(secs(1)).await;
        assert_eq!(category(&late), Category::Timeout);
        ask(&cx, "pay", BUDGET).await
    };
    facade.register(Scripted::durable("root", root)).await.unwrap();
    let result = facade.orchestrate("root", acme().budget(money(BUDGET)), json!(0)).await;
    assert!(result.is_ok(), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn a_fork_does_not_pay_again_for_the_steps_it_took_over() {
    let world = World::new();
    let facade = process(&world).await;
    let twice = |cx: Context, _| async move {
        ask(&cx, "pay", GONE).await?;
        ask(&cx, "pay", 1).await
    };
    facade.register(Scripted::durable("twice", twice)).await.unwrap();
    let cx = || acme().budget(money(BUDGET));
    let handle = facade.start_run("twice", cx(), json!(0)).await.unwrap();
    let run = handle.id().unwrap().clone();
    handle.await.unwrap();
    let fork = facade.fork(&run, 1, None).await.unwrap();
    let forked = fork.id().unwrap().clone();
    fork.await.unwrap();
    assert_eq!(
        world.history(&forked).await.ended.unwrap().spend,
        Spend { money: 1, ..Spend::CALL }
    );
    let spent = world.journal.spent(acme().tenant(), Timestamp(0)).await.unwrap();
    assert_eq!(spent, Spend { money: GONE + 2, tokens: 0, calls: 3 });
}
