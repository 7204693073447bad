//! Fifty durable runs against hosts of every bad habit, in virtual time, with two kills.

use std::{collections::BTreeMap, sync::Arc};

use consort_core::{Category, Context, Effect, Outcome, RunId, Status};
use serde_json::{Value, json};

use crate::{
    Config,
    testing::{Bench, Flow, Play, Scripted, pass, secs},
};

/// What each host does; a habit is the same for every page of a host.
const HABITS: [&str; 10] =
    ["well", "slow", "stalls", "resets", "floods", "busy", "rude", "broken", "gone", "flaky"];

/// The pages of a host that is `busy` or `flaky` fail once each.
fn habit(host: &str, first: bool) -> Play {
    match host {
        "slow" => Play::Take(secs(20)),
        "stalls" => Play::Hang,
        "resets" => Play::Fail(Category::Network),
        "floods" => Play::Fail(Category::PayloadTooLarge),
        "busy" if first => Play::Busy(secs(5)),
        "rude" => Play::Busy(secs(3600)),
        "broken" => Play::Fail(Category::ProcessingFailed),
        "gone" => Play::Fail(Category::NotFound),
        "flaky" if first => Play::Fail(Category::Unavailable),
        _ => Play::Answer,
    }
}

/// How a run on such a host may end. After some failures the breaker speaks for the callee.
fn may_end(host: &str) -> &'static [&'static str] {
    match host {
        "stalls" => &["timeout"],
        "resets" => &["network", "circuit_open"],
        "floods" => &["payload_too_large"],
        "rude" => &["rate_limited"],
        "broken" => &["processing_failed", "circuit_open"],
        "gone" => &["not_found"],
        "flaky" => &["succeeded", "circuit_open"],
        _ => &["succeeded"],
    }
}

#[tokio::test(start_paused = true)]
async fn fifty_runs_on_hostile_hosts_end_in_time_with_their_own_cause_over_two_kills() {
    let seen = Arc::new(std::sync::Mutex::new(std::collections::BTreeSet::new()));
    let acquire = Scripted::new("acquire", Effect::Read, move |_, request| {
        let (host, page) = (request["host"].as_str().unwrap(), request["page"].to_string());
        let first = seen.lock().unwrap().insert((host.to_owned(), page));
        habit(host, first)
    });
    let flow = Flow(Arc::new(|cx: Context, request: Value| {
        Box::pin(async move {
            let value = cx.call_json("acquire", request).value().await?;
            Ok(Outcome::succeeded(value))
        })
    }));
    let mut bench = Bench::with(Config::default(), &[&acquire], Some(flow)).await;
    let mut runs: BTreeMap<RunId, &str> = BTreeMap::new();
    for number in 0..50 {
        let host = HABITS[number % HABITS.len()];
        let request = json!({"host": host, "page": number});
        let cx = Context::default().timeout(secs(90));
        let handle = bench.facade.start_run("flow", cx, request).await.unwrap();
        runs.insert(handle.id().unwrap().clone(), host);
    }
    for _ in 0..2 {
        pass(secs(7)).await;
        bench = bench.restarted().await;
    }
    for (run, host) in &runs {
        let result = bench.facade.attach_to(run).await.unwrap().await;
        let ending = match &result {
            Ok(_) => Status::of(&result).name(),
            Err(error) => error.category().name(),
        };
        assert!(may_end(host).contains(&ending), "{host}: {result:?}");
        let history = bench.facade.history(run).await.unwrap();
        let took = history.ended.unwrap().at.since(history.started.at);
        assert!(took <= secs(90), "{host}: {took:?}");
    }
    let report = bench.report();
    let well = report.callees.iter().filter(|one| one.callee == "acquire/well");
    assert!(well.into_iter().all(|one| one.failures == 0), "no neighbour was hurt");
}
