//! Policies as they are typed.

use consort::{
    application::learning::{Predicts, Spec},
    bandit::Rule,
    core::{Category, StepError},
};

use crate::{fail::Failure, reading};

/// Reads `always:CANDIDATE`, `automatic` or `RULE[:NUMBER]` over the features of `now`, or `@FILE`.
pub(super) async fn read(text: &str, now: &Spec) -> Result<Spec, Failure> {
    if let Some(path) = text.strip_prefix('@') {
        return from_file(path).await;
    }
    let (name, number) = match text.split_once(':') {
        Some((name, number)) => (name, Some(number)),
        None => (text, None),
    };
    if name == "always" {
        let candidate = number.filter(|candidate| !candidate.is_empty());
        let candidate = candidate.ok_or_else(|| wrong(text, "`always` needs a candidate"))?;
        return Ok(Spec { fixed: Some(candidate.to_owned()), floor: 0.0, ..now.clone() });
    }
    if text == "automatic" {
        return Ok(now.clone().automatic());
    }
    let number = number.map(|number| {
        number.parse::<f64>().map_err(|_| wrong(text, &format!("`{number}` is no number")))
    });
    let rule = rule(name, number.transpose()?);
    let rule = rule.ok_or_else(|| wrong(text, "there is no such rule"))?;
    Ok(Spec { model: Predicts::Linear, rule, fixed: None, ..now.clone() })
}

/// A rule by its name, with its number or the usual one.
fn rule(name: &str, number: Option<f64>) -> Option<Rule> {
    Some(match name {
        "greedy" if number.is_none() => Rule::Greedy,
        "epsilon_greedy" => Rule::EpsilonGreedy { epsilon: number.unwrap_or(0.05), decay: false },
        "linucb" => Rule::LinUcb { alpha: number.unwrap_or(0.5) },
        "thompson" => Rule::Thompson { scale: number.unwrap_or(0.2) },
        "squarecb" => Rule::SquareCb { gamma: number.unwrap_or(10.0), exponent: 0.5 },
        "regcb" => Rule::RegCb { c0: number.unwrap_or(0.003) },
        _ => return None,
    })
}

async fn from_file(path: &str) -> Result<Spec, Failure> {
    let named = path.to_owned();
    let text = reading::blocking(move || std::fs::read_to_string(&named)).await?;
    let unreadable = |why: &dyn std::fmt::Display| {
        Failure::from(
            StepError::new(Category::Configuration, format!("`{path}` is no policy"))
                .cause(why.to_string()),
        )
    };
    let text = text.map_err(|error| unreadable(&error))?;
    if text.trim_start().starts_with('{') {
        serde_json::from_str(&text).map_err(|error| unreadable(&error))
    } else {
        toml::from_str(&text).map_err(|error| unreadable(&error))
    }
}

fn wrong(text: &str, why: &str) -> Failure {
    Failure::Usage(format!(
        "`{text}` is no policy: {why}; it is `always:CANDIDATE`, `automatic`, a rule such as \
         `squarecb:10`, `linucb:0.5` or `greedy`, or `@FILE`"
    ))
}
