//! The pages under `docs/resilience` name the settings that exist, with their defaults.

use consort_resilience::{
    InvalidConfig, adaptive, breaker, bulkhead, chaos, endpoints, hedge, pipeline, rate, retry,
    shed,
};
use serde::{Serialize, de::DeserializeOwned};
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

/// Both ends of a range as they stand in a table, `None` where an end is another setting.
fn ends(row: &str) -> Option<[Option<&str>; 2]> {
    let range = row.split('|').nth(2)?;
    let (low, high) = range.split(" or ").next()?.split_once(" to ")?;
    Some([low, high].map(|end| Some(end.trim()).filter(|end| !end.contains(['`', '{']))))
}

/// The end of a range as a value in a file; `step` further out for 1 or -1. `None` where there is
/// nothing further out.
fn written(end: &str, is_whole: bool, step: i64) -> Option<Value> {
    let end = end.replace(',', "");
    if let Some((number, unit)) = end.split_once(' ') {
        let unit = unit.replace('µ', "u");
        return match (step, number) {
            (0, _) => Some(format!("{number}{unit}").into()),
            (-1, "0") => None,
            (-1, _) => Some("1ns".into()),
            _ => Some(format!("{number}{unit} 1ns").into()),
        };
    }
    if is_whole {
        let number: i64 = end.parse().unwrap();
        return Some(number + step).filter(|number| *number >= 0).map(Value::from);
    }
    Some((end.parse::<f64>().unwrap() + 0.001 * step as f64).into())
}

/// Every range on the page is the one that `validate` holds to.
#[track_caller]
fn ranges<C: Serialize + DeserializeOwned + Default, L>(
    page: &str,
    validate: fn(C) -> Result<L, InvalidConfig>,
) -> usize {
    let defaults = to_value(C::default()).unwrap();
    let said = |key: &str, value: &Value| {
        let mut config = defaults.clone();
        config[key] = value.clone();
        let config = serde_json::from_value(config).unwrap();
        validate(config).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let mut checked = 0;
    for (key, row) in rows(page) {
        let Some(default) = defaults.get(key) else { continue };
        let Some(ends) = ends(row) else { continue };
        for (end, out) in ends.into_iter().zip([-1, 1]) {
            let Some(end) = end else { continue };
            let beyond = |step| written(end, default.is_u64(), step);
            let inside = beyond(0).unwrap();
            let named = format!("{key}` must be ");
            // It may still not fit to another setting, which is named then.
            assert!(!said(key, &inside).contains(&named), "{}: {row}", said(key, &inside));
            let Some(outside) = beyond(out) else { continue };
            let told = said(key, &outside);
            assert!(told.contains(&named), "{outside} {told:?}: {row}");
            checked += 1;
        }
    }
    checked
}

#[test]
fn options_are_documented_with_their_ranges() {
    assert_eq!(ranges(page!("breaker.md"), breaker::Config::validate), 23);
    assert_eq!(ranges(page!("retry.md"), retry::Config::validate), 8);
    assert_eq!(ranges(page!("bulkhead.md"), bulkhead::Config::validate), 4);
    assert_eq!(ranges(page!("shed.md"), shed::Config::validate), 3);
    assert_eq!(ranges(page!("hedge.md"), hedge::Config::validate), 9);
    assert_eq!(ranges(page!("adaptive.md"), adaptive::Config::validate), 9);
    assert_eq!(ranges(page!("chaos.md"), chaos::Config::validate), 9);
    assert_eq!(ranges(page!("rate.md"), rate::Config::validate), 7);
    assert_eq!(ranges(page!("retry.md"), retry::budget::Config::validate), 5);
    assert_eq!(ranges(page!("pipeline.md"), pipeline::Config::validate), 3);
    let balance = |balance| endpoints::Config { balance, ..Default::default() }.validate();
    assert_eq!(ranges(page!("endpoints.md"), balance), 5);
    let eject = |eject| endpoints::Config { eject: Some(eject), ..Default::default() }.validate();
    assert_eq!(ranges(page!("endpoints.md"), eject), 15);
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
