//! What can be typed about callees.

use consort::infrastructure::Preset;
use serde_json::Value;

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Tells what the process that owns the store saw last. Health is of the last minute;
without enough calls there is no data.

With --json: {store, no_data, as_of, process, live, overall, callees: [{callee, local,
health, why, calls, failures, success_rate, latency_ms, breaker: {state,
failures_in_row, rest_left_ms, moves}, bulkhead: {limit, taken, waiting},
retries_left, tokens}], isolations: [{callee, reason, run, since}]}. `health` is one of
no_data, healthy, degraded, unhealthy, isolated. `no_data` tells why nothing is known;
what is not known or does not apply is absent.")]
pub(crate) struct Health {
    /// Only this callee with its endpoints, or this endpoint.
    pub(crate) callee: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
With --json: {store, no_data, as_of, process, live, breakers: [{callee, health, state,
failures_in_row, rest_left_ms, moves}], isolations: [{callee, reason, run, since}]};
`state` is one of closed, open, half_open, isolated. With --watch one such document
for each change.")]
pub(crate) struct Breakers {
    /// Only this callee with its endpoints, or this endpoint.
    pub(crate) callee: Option<String>,
    /// Go on, and tell again whenever something has changed.
    #[arg(long)]
    pub(crate) watch: bool,
}

const STEERED: &str = "\
With --json: {callee, done}; `done` is `isolated`, `released` or `reset`, `nothing`
when there was nothing to do, `taken` or `queued` when another process owns the store
and it is not known yet what became of it. `reason` tells why there was nothing to do.";

#[derive(Debug, clap::Args)]
#[command(after_long_help = STEERED)]
pub(crate) struct Isolate {
    /// A capability or orchestrator, or `capability/endpoint`.
    pub(crate) callee: String,
    /// Why; for whoever finds it held off.
    #[arg(long, default_value = "from the command line", value_name = "TEXT")]
    pub(crate) reason: String,
}

#[derive(Debug, clap::Args)]
#[command(after_long_help = STEERED)]
pub(crate) struct Steer {
    /// A capability or orchestrator, or `capability/endpoint`.
    pub(crate) callee: String,
}

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Changes the process that owns the store, for as long as it lives, and forgets nothing:
an open breaker stays open, waiting calls keep their place. What shall hold from the
start on belongs in the file of `--config`.

  consort configure acquire/example.org --set rate.tokens=1 --set rate.per=2s
  consort configure translate --preset model_provider --set hedge=off

With --json: {callee, done}; `done` is `taken` or `queued`, `nothing` when no process
owns the store. `reason` tells why there was nothing to do.")]
pub(crate) struct Configure {
    /// A capability, or `capability/endpoint`.
    pub(crate) callee: String,
    /// What to start from: general, model_provider, search, media_site, local_tool or
    /// local_work. Default: the guards it has.
    #[arg(long, value_parser = preset)]
    pub(crate) preset: Option<Preset>,
    /// A setting of a guard, as `guard.setting=value`; `guard=off` switches a guard off.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    pub(crate) settings: Vec<(String, Value)>,
}

fn preset(text: &str) -> Result<Preset, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}

/// The value is JSON where it can be read so, else a text, as times are.
fn setting(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("must be KEY=VALUE")?;
    if key.split('.').any(str::is_empty) {
        return Err(format!("`{key}` is no setting; one is `breaker.rest`"));
    }
    Ok((key.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| value.into())))
}

impl Configure {
    /// All settings as one tree.
    pub(crate) fn guards(&self) -> Value {
        let mut tree = Value::Null;
        for (key, value) in &self.settings {
            let mut place = &mut tree;
            for part in key.split('.') {
                if !place.is_object() {
                    *place = Value::Object(serde_json::Map::new());
                }
                place = &mut place[part];
            }
            *place = value.clone();
        }
        tree
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_put_together_as_a_file_would_have_them() {
        let typed = ["rate.tokens=1", "rate.per=2s", "hedge=off", "breaker.window.time=1m"];
        let settings = typed.map(|text| setting(text).unwrap()).to_vec();
        let typed = Configure { callee: "acquire".to_owned(), preset: None, settings };
        let guards = json!({
            "rate": {"tokens": 1, "per": "2s"}, "hedge": "off", "breaker": {"window": {"time": "1m"}},
        });
        assert_eq!(typed.guards(), guards);
        assert_eq!(setting("rate").unwrap_err(), "must be KEY=VALUE");
        assert!(setting("rate..per=1").is_err() && setting("=1").is_err());
        assert!(preset("none").unwrap_err().contains("model_provider"));
    }
}
