//! `consort list` and `consort describe`: what this build can run. Needs no store.

use std::fmt::Write;

use consort::{
    capabilities::Config,
    core::{
        CapabilityDescriptor, Category, Description, Descriptor, Name, StepError, guard::GuardInfo,
    },
};
use serde::Serialize;

use crate::{
    console::{Console, pretty},
    engine::Engine,
    fail::Failure,
    settings::Settings,
    text::wrap,
};

/// The answer of `list` under `--json`.
#[derive(Debug, Serialize)]
struct Listed {
    orchestrators: Vec<Descriptor>,
    capabilities: Vec<CapabilityDescriptor>,
}

pub(crate) async fn list(settings: &Settings, console: &Console) -> Result<u8, Failure> {
    let engine = Engine::in_memory(settings, console, Config::default()).await?;
    let facade = engine.consort().facade().clone();
    let listed = Listed { orchestrators: facade.list(), capabilities: facade.capabilities() };
    engine.close().await?;
    if console.json {
        console.print_json(&listed)?;
    } else {
        console.print(&listing(&listed, console.columns()))?;
    }
    Ok(0)
}

fn listing(listed: &Listed, columns: usize) -> String {
    let mut text = String::from("ORCHESTRATORS\n");
    for one in &listed.orchestrators {
        let Descriptor { name, version, layer, kind, durability, purpose } = one;
        let durability = Word(durability);
        let _ = writeln!(text, "{name} {version}  {layer}, {kind}, {durability}");
        text += &wrap(purpose, columns, "    ");
    }
    text += "\nCAPABILITIES\n";
    for one in &listed.capabilities {
        let _ = writeln!(text, "{} {}  {}", one.name, one.version, one.effect.name());
        text += &wrap(&one.purpose, columns, "    ");
    }
    text
}

pub(crate) async fn describe(
    settings: &Settings,
    console: &Console,
    name: &str,
) -> Result<u8, Failure> {
    let engine = Engine::in_memory(settings, console, Config::default()).await?;
    let described = known(name).and_then(|name| engine.consort().facade().describe(&name));
    engine.close().await?;
    let described = described?;
    if console.json {
        console.print_json(&described)?;
    } else {
        console.print(&description(&described, console.columns()))?;
    }
    Ok(0)
}

/// What is no name cannot be registered either.
fn known(name: &str) -> Result<Name, StepError> {
    Name::new(name).map_err(|error| StepError::new(Category::NotFound, error.to_string()))
}

fn description(described: &Description, columns: usize) -> String {
    let mut text = String::new();
    let (request, response, guards) = match described {
        Description::Orchestrator { descriptor, request, response, guards } => {
            let Descriptor { name, version, layer, kind, durability, purpose } = descriptor;
            let durability = Word(durability);
            let _ = writeln!(text, "{name} {version}  {layer}, {kind}, {durability} orchestrator");
            text += &wrap(purpose, columns, "    ");
            (request, response, guards)
        }
        Description::Capability { descriptor, request, response, guards } => {
            let CapabilityDescriptor { name, version, effect, purpose, .. } = descriptor;
            let _ = writeln!(text, "{name} {version}  capability, effect `{}`", effect.name());
            text += &wrap(purpose, columns, "    ");
            (request, response, guards)
        }
    };
    text += "\nGUARDS, outermost first\n";
    for GuardInfo { name, settings } in guards {
        let _ = writeln!(text, "    {name}: {settings}");
    }
    let _ = writeln!(text, "\nREQUEST\n{}\n\nRESPONSE\n{}", pretty(request), pretty(response));
    text
}

/// The name of a value in its JSON.
struct Word<T>(T);

impl<T: Serialize> std::fmt::Display for Word<&T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match serde_json::to_value(self.0) {
            Ok(serde_json::Value::String(word)) => f.write_str(&word),
            _ => Err(std::fmt::Error),
        }
    }
}
