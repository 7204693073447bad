//! What a drawn run looks like.

use consort::core::{
    RunReport,
    record::{History, RunSummary},
};
use serde_json::{Value, json};

use super::{draw, plain};
use crate::view::View;

const ROOT: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

fn report(
    id: &str,
    name: &str,
    records: &Value,
    ended: &Value,
    children: Vec<RunReport>,
) -> RunReport {
    let started = json!({
        "id": id, "orchestrator": name, "version": "2.1.0", "tenant": "acme",
        "request": {"url": "https://site.example"}, "request_id": "r", "origin": "domain",
        "trace": "000000000000000000000000000000ff", "depth": 0, "at": 1_000,
    });
    let history = json!({ "started": started, "records": records, "ended": ended });
    let over = !ended.is_null();
    let failed = ended["result"].get("Err").is_some();
    let summary = json!({
        "id": id, "orchestrator": name, "version": "2.1.0", "tenant": "acme",
        "state": if over { "ended" } else { "waiting" },
        "status": over.then_some(if failed { "failed" } else { "succeeded" }),
        "category": failed.then_some("network"), "started": 1_000,
        "ended": over.then_some(4_500), "due": (!over).then_some(90_000_000), "steps": 3,
        "spend": {"calls": 4, "money": 1_200},
    });
    let history: History = serde_json::from_value(history).unwrap();
    let summary: RunSummary = serde_json::from_value(summary).unwrap();
    RunReport { summary, history, blocked: false, children }
}

fn step(position: u32, kind: &str, callee: &str, result: &Value, more: &Value) -> Value {
    let mut step = json!({
        "record": "step", "position": position, "kind": kind, "callee": callee,
        "fingerprint": "00000000000000000000000000000001", "result": result, "attempts": 1,
        "began": 1_010, "ended": 1_030, "spend": {"calls": 1},
    });
    for (key, value) in more.as_object().unwrap() {
        step[key] = value.clone();
    }
    step
}

fn failure() -> Value {
    json!({"Err": {
        "category": "network", "component": "fetch", "message": "the connection broke",
        "causes": ["reset by peer"],
    }})
}

fn done(value: &Value) -> Value {
    json!({"Ok": {"status": "succeeded", "value": value}})
}

/// A parent whose child failed after retries, and which went on all the same.
fn family() -> RunReport {
    let guards = json!([{"guard": "retry", "did": "attempt 1 failed: network"}]);
    let retried = json!({"attempts": 3, "guards": guards, "ended": 4_000, "spend": {}});
    let child = report(
        &format!("{ROOT}/2"),
        "triage",
        &json!([step(0, "call", "fetch", &failure(), &retried)]),
        &json!({"result": failure(), "at": 4_100}),
        vec![],
    );
    let decision = json!({
        "id": format!("{ROOT}/1"), "component": "model", "domain": "summary",
        "candidates": ["large", "small"], "features": {}, "chosen": 1,
        "propensities": [0.25, 0.75], "policy": "linucb", "policy_version": 7,
    });
    let event = json!({"record": "event", "event": "answer", "data": {"ok": true}, "at": 3_000});
    let local = |position: u32, kind: &str, value: Value| {
        json!({"record": "local", "position": position, "kind": kind, "value": value,
               "fingerprint": "00000000000000000000000000000001"})
    };
    let records = json!([
        local(0, "now", json!(1_005)),
        local(1, "decision", decision),
        event,
        step(2, "child", "triage", &failure(), &json!({"ended": 4_100})),
        {"record": "timer", "position": 3, "set": 1_040, "due": 90_000_000},
        {"record": "intent", "position": 4, "at": 1_040},
        {"record": "parked", "due": 90_000_000, "seen": 7, "awaits": ["editor"]},
    ]);
    report(ROOT, "mission", &records, &Value::Null, vec![child])
}

#[test]
fn a_tree_is_drawn_with_times_odds_causes_and_what_is_awaited() {
    let drawn = draw(&View::new(family()), 80, false);
    let expected = "\
mission 2.1.0  waiting until 1970-01-02 01:00:00 UTC, $0.001200, 4 calls
run 01ARZ3NDEKTSV4RRFFQ69G5FAV of tenant `acme`
started 1970-01-01 00:00:01 UTC
request {\"url\":\"https://site.example\"}
├─  1 summary: `small` (p 0.750, 1 of 2, linucb 7)
├─ event `answer`                           +2.0 s
│     {\"ok\":true}
├─  2 triage (child)                        +10 ms     3.0 s
│     failed (network), 1 call
│  ├─  0 fetch                              +10 ms     2.9 s
│  │     failed (network), 3 attempts
│  │     guard retry: attempt 1 failed: network
│  │     error: `fetch`: the connection broke
│  │       caused by: reset by peer
│  └─ failed (network)
├─  3 waits until 1970-01-02 01:00:00 UTC
├─  4 begun 1970-01-01 00:00:01 UTC, end unknown, never repeated
└─ waits for event `editor`
";
    assert_eq!(drawn, expected, "{drawn}");
    assert!(plain(&drawn).is_ascii());
}

#[test]
fn small_local_steps_are_drawn_on_request() {
    let drawn = draw(&View::new(family()), 80, true);
    assert!(drawn.contains("├─  0 now: 1970-01-01T00:00:01.005Z\n"), "{drawn}");
}

#[test]
fn what_a_source_says_cannot_steer_the_terminal() {
    let evil = "\u{1b}]0;title\u{7}\nforged line";
    let records = json!([step(0, "call", "fetch", &done(&json!(1)), &json!({}))]);
    let error = json!({"Err": {"category": "network", "message": evil}});
    let view = View::new(report(ROOT, "m", &records, &json!({"result": error, "at": 5}), vec![]));
    let drawn = draw(&view, 80, false);
    assert!(!drawn.contains('\u{1b}') && !drawn.contains("\nforged"), "{drawn:?}");
}

#[test]
fn lines_keep_to_the_width() {
    for columns in [40, 60, 80] {
        let drawn = draw(&View::new(family()), columns, true);
        let widest = drawn.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(columns), "{columns}: {drawn}");
    }
}

#[test]
fn the_json_form_nests_children_in_their_steps() {
    let json = serde_json::to_value(View::new(family())).unwrap();
    let child = json["entries"].as_array().unwrap().iter().find(|one| one["position"] == 2);
    assert_eq!(child.unwrap()["run"]["run"], format!("{ROOT}/2"));
    assert_eq!(child.unwrap()["run"]["result"]["error"]["causes"], json!(["reset by peer"]));
    assert_eq!(json["entries"][1]["chosen"], 1);
    assert_eq!(json["started"], "1970-01-01T00:00:01.000Z");
    assert_eq!(json["spend"], json!({"money": 1_200, "tokens": 0, "calls": 4}));
}
