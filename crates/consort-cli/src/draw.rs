//! A run as a tree of lines for people.

use std::time::Duration;

use consort::core::{
    Decision, Status, Timestamp,
    guard::Fired,
    record::{LocalKind, StepKind},
};
use serde_json::Value;

use crate::{
    text::{clip, cost, moment, took},
    view::{Answer, Entry, Fact, View, Waiting},
};

/// Where the times begin, unless names are longer.
const TIMES: usize = 40;

/// Draws a run for a width of `columns`. `everything` also shows the small local steps.
pub(crate) fn draw(view: &View, columns: usize, everything: bool) -> String {
    let mut tree = Tree { text: String::new(), columns: columns.max(40), everything };
    let line = &view.line;
    tree.line("", &format!("{} {}  {}", line.orchestrator, line.version, about(view)));
    tree.line("", &format!("run {} of tenant `{}`", line.run, line.tenant));
    tree.line("", &format!("started {} UTC{}", moment(line.started), limits(view)));
    if let Some(fork) = &view.forked_from {
        tree.line("", &format!("forked from step {} of run {}", fork.step, fork.run));
    }
    if let Some(cause) = &view.caused_by {
        tree.line("", &format!("on behalf of run {cause}"));
    }
    tree.line("", &format!("request {}", view.request));
    tree.run(view, "", line.started);
    tree.text
}

/// A drawing for terminals that know no more than ASCII.
pub(crate) fn plain(drawn: &str) -> String {
    drawn
        .chars()
        .map(|c| match c {
            '├' | '│' => '|',
            '└' => '`',
            '─' => '-',
            '…' => '~',
            c if c.is_ascii() => c,
            _ => '?',
        })
        .collect()
}

/// How a run ended, how long it took and what it cost.
fn about(view: &View) -> String {
    let mut parts = vec![view.line.standing()];
    if let Some(took_ms) = view.line.took_ms {
        parts[0] += &format!(" after {}", took(Duration::from_millis(took_ms)));
    }
    if let Some(due) = view.line.due {
        parts[0] += &format!(" until {} UTC", moment(due));
    }
    parts.extend(Some(cost(&view.line.spend)).filter(|cost| !cost.is_empty()));
    parts.join(", ")
}

fn limits(view: &View) -> String {
    match view.deadline {
        Some(deadline) => format!(", must have answered by {}", moment(deadline)),
        None => String::new(),
    }
}

struct Tree {
    text: String,
    columns: usize,
    everything: bool,
}

/// One entry as it will be drawn.
#[derive(Default)]
struct Drawn {
    head: String,
    began: Option<Timestamp>,
    took: Option<Duration>,
    /// Short facts, beside the times.
    facts: Vec<String>,
    /// Lines below.
    details: Vec<String>,
}

impl Tree {
    fn line(&mut self, prefix: &str, line: &str) {
        let room = self.columns.saturating_sub(prefix.chars().count()).max(20);
        let line: String =
            line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        self.text += prefix;
        self.text += &clip(&line, room);
        self.text.push('\n');
    }

    /// The entries of a run and its end.
    fn run(&mut self, view: &View, prefix: &str, origin: Timestamp) {
        let everything = self.everything;
        let shown = |entry: &&Entry| {
            everything
                || !matches!(
                    entry.fact,
                    Fact::Local { kind: LocalKind::Now | LocalKind::Random, .. }
                )
        };
        let entries: Vec<&Entry> = view.entries.iter().filter(shown).collect();
        for (index, entry) in entries.iter().enumerate() {
            let last = index + 1 == entries.len() && view.result.is_none();
            self.entry(entry, prefix, last, origin);
        }
        if let Some(result) = &view.result {
            let mut lines = answer(result).into_iter();
            let first = lines.next().unwrap_or_default();
            self.line(&format!("{prefix}└─ "), &first);
            // A failure that a step passed on has been told there.
            if result.error.is_none() || !entries.iter().any(|entry| tells(entry, result)) {
                lines.for_each(|line| self.line(&format!("{prefix}   "), &line));
            }
        }
    }

    fn entry(&mut self, entry: &Entry, prefix: &str, last: bool, origin: Timestamp) {
        let drawn = drawn(entry);
        let (branch, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let place = entry.position.map_or(String::new(), |position| format!("{position:>2} "));
        let head = format!("{place}{}", drawn.head);
        let mut line = head;
        if let Some(began) = drawn.began {
            let room = TIMES.saturating_sub(prefix.chars().count() + 3);
            let took_ = drawn.took.map(took).unwrap_or_default();
            line = format!(
                "{line:<room$} {:>9} {took_:>9}",
                format!("+{}", took(began.since(origin)))
            );
        }
        let facts = drawn.facts.join(", ");
        let used = prefix.chars().count() + 3 + line.chars().count() + 2 + facts.chars().count();
        let beside = used <= self.columns;
        if beside && !facts.is_empty() {
            line += &format!("  {facts}");
        }
        self.line(&format!("{prefix}{branch}"), line.trim_end());
        let deeper = format!("{prefix}{below}");
        if !beside {
            self.line(&format!("{deeper}   "), &facts);
        }
        for detail in &drawn.details {
            self.line(&format!("{deeper}   "), detail);
        }
        match &entry.fact {
            Fact::Child { run } => self.run(run, &deeper, origin),
            Fact::Step(done) => {
                if let Some(run) = &done.run {
                    self.run(run, &deeper, origin);
                }
            }
            _ => {}
        }
    }
}

/// True when the entry has told the whole failure.
fn tells(entry: &Entry, result: &Answer) -> bool {
    match &entry.fact {
        Fact::Step(done) => done.run.is_none() && answer(&done.result) == answer(result),
        _ => false,
    }
}

fn drawn(entry: &Entry) -> Drawn {
    match &entry.fact {
        Fact::Step(done) => {
            let mut facts = Vec::new();
            if done.result.status != Status::Succeeded {
                facts.push(ended(&done.result));
            }
            if done.attempts > 1 {
                facts.push(format!("{} attempts", done.attempts));
            }
            facts.extend(Some(cost(&done.spend)).filter(|cost| !cost.is_empty()));
            let mut details: Vec<String> = done.guards.iter().map(guard).collect();
            if done.run.is_none() && done.result.status != Status::Succeeded {
                details.extend(answer(&done.result).into_iter().skip(1));
            }
            let head = match done.kind {
                StepKind::Call => done.callee.clone(),
                StepKind::Child => format!("{} (child)", done.callee),
                StepKind::Sleep => "sleep".to_owned(),
                StepKind::Wait => format!("wait for `{}`", done.callee),
            };
            let took = Some(Duration::from_millis(done.took_ms));
            Drawn { head, began: Some(done.began), took, facts, details }
        }
        Fact::Child { run } => Drawn {
            head: format!("{} (child)", run.line.orchestrator),
            began: Some(run.line.started),
            facts: vec![run.line.standing()],
            ..Drawn::default()
        },
        Fact::Pending { waiting } => Drawn {
            head: match waiting {
                Waiting::Time { until } => format!("waits until {} UTC", moment(*until)),
                Waiting::Event { event } => format!("waits for event `{event}`"),
                Waiting::Once { since } => {
                    format!("begun {} UTC, end unknown, never repeated", moment(*since))
                }
            },
            ..Drawn::default()
        },
        Fact::Decision(decision) => Drawn { head: chosen(decision), ..Drawn::default() },
        Fact::Signal(signal) => {
            let value = signal.value.map(|value| format!(" {value}")).unwrap_or_default();
            let head = format!("signal `{}`{value} about {}", signal.name, signal.subject);
            Drawn { head, ..Drawn::default() }
        }
        Fact::Local { kind, value } => Drawn { head: local(*kind, value), ..Drawn::default() },
        Fact::Event { event, data, at } => Drawn {
            head: format!("event `{event}`"),
            began: Some(*at),
            details: Some(data.to_string()).filter(|_| !data.is_null()).into_iter().collect(),
            ..Drawn::default()
        },
        Fact::Cancel { reason, at } => Drawn {
            head: "cancelled".to_owned(),
            began: Some(*at),
            details: vec![reason.clone()],
            ..Drawn::default()
        },
    }
}

fn local(kind: LocalKind, value: &Value) -> String {
    match (kind, value.as_u64()) {
        (LocalKind::Now, Some(millis)) => format!("now: {}", Timestamp(millis)),
        (LocalKind::Random, Some(bits)) => format!("random: {bits}"),
        (LocalKind::Decision, _) => format!("decision {value}"),
        (LocalKind::Signal, _) => format!("signal {value}"),
        (LocalKind::Now | LocalKind::Random, None) => value.to_string(),
    }
}

/// A decision with its odds.
fn chosen(decision: &Decision) -> String {
    let question = &decision.question;
    let name = question.candidates.get(decision.chosen).map_or("?", String::as_str);
    let odds = decision.propensities.get(decision.chosen).copied().unwrap_or_default();
    let (domain, policy) = (&question.domain, &decision.policy);
    let among = question.candidates.len();
    let version = decision.policy_version;
    format!("{domain}: `{name}` (p {odds:.3}, 1 of {among}, {policy} {version})")
}

fn guard(fired: &Fired) -> String {
    format!("guard {}: {}", fired.guard, fired.did)
}

fn ended(answer: &Answer) -> String {
    match answer.category() {
        Some(category) => format!("{} ({category})", answer.status.name()),
        None => answer.status.name().to_owned(),
    }
}

/// How something ended, and what is to be known about it.
fn answer(answer: &Answer) -> Vec<String> {
    let mut lines = vec![ended(answer)];
    if let Some(value) = &answer.value {
        lines[0] += &format!(" {value}");
    }
    lines.extend(answer.losses.iter().map(|loss| format!("lacks {}: {}", loss.what, loss.why)));
    lines.extend(answer.doubt.iter().chain(&answer.reason).cloned());
    if let Some(error) = &answer.error {
        lines.push(format!("error: {error}"));
        lines.extend(error.causes().iter().map(|cause| format!("  caused by: {cause}")));
        let places = error.violations().iter();
        lines.extend(places.map(|at| format!("  at `{}`: {}", at.pointer, at.message)));
    }
    lines
}

#[cfg(test)]
mod tests;
