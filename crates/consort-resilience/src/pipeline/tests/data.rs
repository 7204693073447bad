//! Claims about pipelines as data.

use serde_json::json;

use super::*;

#[test]
fn presets_and_defaults_are_valid() {
    Config::default().validate().unwrap();
    for preset in Preset::ALL {
        let config = preset.config();
        config.clone().validate().unwrap_or_else(|error| panic!("{preset:?}: {error}"));
        let back = config.with_overrides(&json!({})).unwrap();
        assert_eq!(back, config, "{preset:?} survives being written and read");
    }
}

#[test]
fn overrides_change_what_they_name_and_nothing_else() {
    let base = Preset::ModelProvider.config();
    let changed = base
        .with_overrides(&json!({
            "deadline": "45s",
            "rate": {"tokens": 100, "per": "1m"},
            "bulkhead": "off",
            "breaker": {"rest": "1s", "window": {"calls": 50}},
        }))
        .unwrap();
    assert_eq!(changed.deadline, Some(ms(45_000)));
    assert_eq!(changed.rate.map(|rate| rate.tokens), Some(100));
    assert_eq!(changed.bulkhead, None);
    let (breaker, before) = (changed.breaker.unwrap(), base.breaker.clone().unwrap());
    assert_eq!(breaker.window, breaker::Window::Calls(50));
    assert_eq!(breaker, breaker::Config { rest: ms(1_000), window: breaker.window, ..before });
    assert_eq!(changed.retry, base.retry);
}

#[test]
fn unknown_keys_and_bad_values_are_named() {
    let said = |over| Config::default().with_overrides(&over).unwrap_err().to_string();
    assert!(said(json!({"breakr": {}})).contains("unknown field `breakr`"));
    assert!(said(json!({"breaker": {"rests": "1s"}})).contains("unknown field `rests`"));
    assert!(said(json!({"deadline": "soon"})).contains("such as \"250ms\""));
    let both = json!({"deadline": "20s", "retry": {"budget": {"ratio": "much"}}});
    assert!(said(both).starts_with("`retry.budget.ratio`: invalid type: string \"much\""));
    assert_eq!(
        said(json!({"bulkhead": "on"})),
        "`bulkhead`: invalid type: string \"on\", expected a table of settings, or \"off\""
    );
    let long = Config { attempt_timeout: Some(ms(60_000)), ..Config::default() };
    assert_eq!(
        long.validate().unwrap_err().to_string(),
        "`attempt_timeout` must not be longer than `deadline`"
    );
}

#[test]
fn guards_that_need_the_bulkhead_say_so() {
    let alone = Config { shed: Some(shed::Config::default()), ..Config::OFF };
    assert_eq!(alone.validate().unwrap_err().to_string(), "`shed` needs `bulkhead`");
}
