//! The pages under `docs/resilience` name the settings that exist, with their defaults.

use consort_resilience::{
    adaptive, breaker, bulkhead, chaos, endpoints, hedge, pipeline, rate, retry, shed,
};
use serde::Serialize;
use serde_json::{Value, to_value};

/// Rows of a page's tables that begin with a setting: its name, and the whole row.
fn rows(page: &str) -> Vec<(&str, &str)> {
    page.lines()
        .filter_map(|line| line.strip_prefix("| `").map(|rest| (rest, line)))
        .filter_map(|(rest, line)| rest.split_once("` |").map(|(key, _)| (key, line)))
        .collect()
}

#[track_caller]
fn check(page: &str, config: impl Serialize) {
    let Value::Object(settings) = to_value(config).unwrap() else { panic!("a table") };
    let rows = rows(page);
    for (key, value) in settings {
        let row = rows.iter().find(|(name, _)| *name == key);
        let (_, row) = row.unwrap_or_else(|| panic!("`{key}` is not on the page"));
        let shown = match &value {
            Value::String(text) => text.clone(),
            Value::Object(inner) if key == "window" => {
                inner.values().next().and_then(Value::as_str).unwrap_or_default().to_owned()
            }
            Value::Object(_) => "on".to_owned(),
            Value::Number(number) => number.as_f64().unwrap().to_string(),
            other => other.to_string(),
        };
        assert!(row.contains(&format!("| {shown} |")), "default of `{key}` is {shown}: {row}");
    }
}

macro_rules! page {
    ($name:literal) => {
        include_str!(concat!("../../../../docs/resilience/", $name))
    };
}

#[test]
fn options_are_documented_with_their_defaults() {
    check(page!("breaker.md"), breaker::Config::default());
    check(page!("retry.md"), retry::Config::default());
    check(page!("retry.md"), retry::budget::Config::default());
    check(page!("bulkhead.md"), bulkhead::Config::default());
    check(page!("rate.md"), rate::Config::default());
    check(page!("shed.md"), shed::Config::default());
    check(page!("hedge.md"), hedge::Config::default());
    check(page!("adaptive.md"), adaptive::Config::default());
    check(page!("endpoints.md"), endpoints::Balance::default());
    check(page!("endpoints.md"), endpoints::Eject::default());
    check(page!("chaos.md"), chaos::Config::default());
    check(page!("pipeline.md"), pipeline::Config::default());
}

#[test]
fn every_guard_is_in_the_order_the_page_shows() {
    let order: Vec<&str> = pipeline::Guard::ALL.iter().map(|guard| guard.name()).collect();
    assert!(page!("pipeline.md").contains(&format!("{} ▸ callee", order.join(" ▸ "))));
    let all = page!("README.md");
    for guard in ["retry", "breaker", "timeout", "bulkhead", "adaptive", "rate", "shed", "hedge"] {
        assert!(all.contains(&format!("({guard}.md")), "{guard}");
    }
}
