//! Shapes of orchestrators that have to replay the same.

use std::{pin::pin, time::Duration};

use consort_core::{Call, Component, Context, Outcome, Signal, StepResult, race};
use futures_util::{
    FutureExt, StreamExt,
    future::{BoxFuture, join_all},
    stream::FuturesUnordered,
};
use serde_json::{Value, json};

use super::conforms;
use crate::fixtures::{ask, done, millis};

fn step(cx: &Context, label: impl Into<Value>) -> Call<Value> {
    ask(cx, "work", label)
}

fn boxed<Fut>(work: Fut) -> BoxFuture<'static, StepResult<Value>>
where
    Fut: Future<Output = StepResult<Value>> + Send + 'static,
{
    work.boxed()
}

macro_rules! shape {
    ($(#[$meta:meta])* $name:ident, |$cx:ident| $body:block) => {
        $(#[$meta])*
        #[tokio::test(start_paused = true)]
        async fn $name() {
            conforms(|$cx: Context| boxed(async move $body)).await;
        }
    };
}

shape!(both_steps_ready_before_a_biased_select, |cx| {
    let mut trace = Vec::new();
    for round in 0..4 {
        let (mut a, mut b) = (step(&cx, format!("a{round}")), step(&cx, format!("b{round}")));
        // Long enough for both, which nobody has polled yet.
        cx.sleep(millis(10)).await?;
        let first = tokio::select! {
            biased;
            a = &mut a => a?,
            b = &mut b => b?,
        };
        trace.push(first.into_value()?.0);
        // The other one, unless it is not wanted any more.
        if round % 2 == 0 {
            trace.push(if trace.last() == Some(&json!(format!("a{round}"))) {
                b.value().await?
            } else {
                a.value().await?
            });
        }
    }
    done(trace)
});

shape!(a_biased_select_over_running_steps, |cx| {
    let mut trace = Vec::new();
    for round in 0..5 {
        let (a, b, c) = (step(&cx, "a"), step(&cx, "b"), step(&cx, "c"));
        let first = tokio::select! {
            biased;
            a = a.value() => a?,
            b = b.value() => b?,
            c = c.value() => c?,
        };
        trace.push(json!([round, first]));
    }
    trace.push(step(&cx, "last").value().await?);
    done(trace)
});

shape!(async_blocks_inside_a_select, |cx| {
    let mut trace = Vec::new();
    for _ in 0..3 {
        let left = async {
            let one = step(&cx, "left 1").value().await?;
            let two = step(&cx, "left 2").value().await?;
            Ok(json!([one, two]))
        };
        let right = async {
            let one = step(&cx, "right 1").value().await?;
            cx.sleep(millis(1)).await?;
            let both =
                futures_util::join!(step(&cx, "right 2").value(), step(&cx, "right 3").value());
            Ok(json!([one, both.0?, both.1?]))
        };
        let won: Result<Value, consort_core::StepError> = tokio::select! {
            biased;
            left = left => left,
            right = right => right,
        };
        trace.push(won?);
    }
    done(trace)
});

shape!(nested_unordered_sets, |cx| {
    let mut outer = FuturesUnordered::new();
    for group in 0..4 {
        let cx = &cx;
        outer.push(async move {
            let mut inner: FuturesUnordered<_> =
                (0..4).map(|n| step(cx, format!("{group}.{n}")).value()).collect();
            let mut order = Vec::new();
            while let Some(answer) = inner.next().await {
                order.push(answer?);
                if order.len() == 2 {
                    // Grows while it is drained.
                    inner.push(step(cx, format!("{group}.late")).value());
                }
            }
            Ok::<_, consort_core::StepError>(json!(order))
        });
    }
    let mut trace = Vec::new();
    while let Some(group) = outer.next().await {
        trace.push(group?);
    }
    done(trace)
});

shape!(join_all_of_forty, |cx| {
    let answers = join_all((0..40).map(|n| step(&cx, n).value())).await;
    let sum: Result<u64, _> = answers.into_iter().map(|a| a.map(|a| a.as_u64().unwrap())).sum();
    done(sum?)
});

shape!(a_step_that_races_a_timer, |cx| {
    let mut trace = Vec::new();
    for round in 0..6 {
        let slow = step(&cx, round);
        trace.push(tokio::select! {
            biased;
            answer = slow.value() => answer?,
            slept = cx.sleep(millis(2)) => { slept?; json!("timer") }
        });
    }
    let (index, first) = race((0..3).map(|n| step(&cx, n).value()).collect()).await;
    trace.push(json!([index, first?]));
    done(trace)
});

shape!(a_call_made_but_polled_later, |cx| {
    let early: Vec<_> = (0..4).map(|n| step(&cx, format!("early {n}"))).collect();
    let mut trace = vec![step(&cx, "between").value().await?];
    cx.sleep(millis(2)).await?;
    for call in early.into_iter().rev() {
        trace.push(call.value().await?);
        trace.push(step(&cx, "again").value().await?);
    }
    done(trace)
});

shape!(a_dropped_call, |cx| {
    // Withdrawn before anybody saw it.
    drop(step(&cx, "never"));
    let given_up = step(&cx, "given up");
    let first = step(&cx, "first").value().await?;
    drop(given_up);
    let mut polled = Box::pin(step(&cx, "polled once"));
    let second = tokio::select! {
        biased;
        _ = &mut polled => json!("it was faster"),
        second = step(&cx, "second").value() => second?,
    };
    drop(polled);
    let third = step(&cx, "third").value().await?;
    done(json!([first, second, third]))
});

shape!(steps_that_are_computed_again, |cx| {
    let mut trace = Vec::new();
    for round in 0..4 {
        let pure = ask(&cx, "pure", round);
        let (a, b) = (step(&cx, "a"), step(&cx, "b"));
        let late = ask(&cx, "pure", format!("late {round}"));
        let ready = tokio::select! {
            biased;
            a = a.value() => a?,
            b = b.value() => b?,
            pure = pure.value() => pure?,
        };
        trace.push(ready);
        trace.push(step(&cx, trace.last().unwrap().clone()).value().await?);
        trace.push(late.value().await?);
    }
    done(trace)
});

shape!(locals_between_steps, |cx| {
    let mut trace = vec![json!(cx.now()?), json!(cx.random()?)];
    for round in 0..3 {
        let features = [("round", f64::from(round))];
        let choice = cx.decide(Component::Tool, "branch", &["a", "b", "c"], &features)?;
        let (x, y) = futures_util::join!(
            async {
                let x = step(&cx, choice.choice()).value().await?;
                Ok::<_, consort_core::StepError>(json!([x, cx.random()?]))
            },
            async {
                let y = step(&cx, "other").value().await?;
                Ok::<_, consort_core::StepError>(json!([y, cx.now()?]))
            }
        );
        trace.extend([json!(choice.chosen), x?, y?]);
        cx.signal(Signal {
            name: "round".into(),
            subject: choice.id.clone(),
            value: Some(0.5),
            data: Value::Null,
        })?;
    }
    trace.push(json!(cx.random()?));
    // A decision's id has the run in it, which differs between replays under another id.
    done(trace)
});

shape!(children_and_ephemeral_calls, |cx| {
    let calls = ["child", "brief", "child", "work"].map(|callee| ask(&cx, callee, callee).value());
    let mut set: FuturesUnordered<_> = calls.into_iter().collect();
    let mut trace = Vec::new();
    while let Some(answer) = set.next().await {
        trace.push(answer?);
    }
    done(trace)
});

shape!(waits_with_a_time_out, |cx| {
    let mut trace = Vec::new();
    for round in 0..3 {
        let waited = cx.wait_for::<Value>("never", Some(millis(2)));
        trace.push(tokio::select! {
            biased;
            answer = step(&cx, round).value() => answer?,
            waited = waited => json!(waited.unwrap_err().category()),
        });
    }
    done(trace)
});

shape!(failures_are_data, |cx| {
    let mut trace = Vec::new();
    for callee in ["nobody", "work", "nobody"] {
        trace.push(match ask(&cx, callee, 1).await {
            Ok(Outcome::Succeeded { value }) => value,
            other => json!(other.unwrap_err().category()),
        });
    }
    let slow = ask(&cx, "work", 2).timeout(Duration::from_millis(2)).await;
    trace.push(json!(slow.is_ok()));
    let mut pinned = pin!(step(&cx, "pinned"));
    trace.push((&mut pinned).await?.into_value()?.0);
    done(trace)
});
