//! Entities: people, organisations and places by evidence around their names; money, dates and
//! quantities by their form.

use std::collections::HashMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calendar::Day;
use super::evidence;
use super::index::Index;
use super::lexicon::{self, Class};
use super::limits::Limits;
use super::names::Run;
use super::place::Place;
use super::{amounts, dates};
use crate::document::Span;

/// Somebody or something that the text names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entity {
    /// What it is.
    pub kind: EntityKind,
    /// Its longest name in the text.
    pub name: String,
    /// How sure the kind is, 0 to 1. Forms such as dates and amounts are sure.
    pub confidence: f64,
    /// Value in a fixed form: a date as ISO 8601, an amount as number and unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Mentions, short forms included.
    pub count: u32,
    /// The first few mentions.
    pub mentions: Vec<Place>,
}

/// What an entity is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum EntityKind {
    /// A human being.
    Person,
    /// A company, authority, party, club.
    Organisation,
    /// A country, town, river, building.
    Place,
    /// An amount of money.
    Money,
    /// A date or a period.
    Date,
    /// A number with what it counts.
    Quantity,
    /// A name whose kind the text does not tell.
    Other,
}

impl EntityKind {
    /// Every kind, in the order of a report.
    pub const ALL: &[Self] = &[
        Self::Person,
        Self::Organisation,
        Self::Place,
        Self::Money,
        Self::Date,
        Self::Quantity,
        Self::Other,
    ];
}

impl fmt::Display for EntityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Person => "person",
            Self::Organisation => "organisation",
            Self::Place => "place",
            Self::Money => "money",
            Self::Date => "date",
            Self::Quantity => "quantity",
            Self::Other => "other name",
        })
    }
}

/// One mention before mentions are gathered into entities.
struct Mention {
    key: String,
    text: String,
    value: Option<String>,
    place: Place,
}

/// Entities by kind, the most mentioned first.
pub(crate) fn find(index: &Index<'_>, runs: &[Run], limits: &Limits) -> Vec<Entity> {
    let mut all = named(index, runs, limits);
    all.extend(formed(index, limits));
    // Stable: within a kind and count, text order stays.
    all.sort_by(|a, b| a.kind.cmp(&b.kind).then(b.count.cmp(&a.count)));
    let mut kept = 0;
    let mut last = None;
    all.retain(|entity| {
        kept = if last == Some(entity.kind) { kept + 1 } else { 1 };
        last = Some(entity.kind);
        kept <= limits.entities_per_kind
    });
    all
}

fn named(index: &Index<'_>, runs: &[Run], limits: &Limits) -> Vec<Entity> {
    let groups = group(index, runs);
    let entity = |group: Group| {
        let (kind, confidence) = group.votes.decide();
        let place = |run: &usize| index.place(span(index, &runs[*run]), runs[*run].sentence);
        Entity {
            kind,
            name: group.name,
            confidence,
            value: None,
            count: group.runs.len() as u32,
            mentions: group.runs.iter().take(limits.mentions).map(place).collect(),
        }
    };
    groups.into_iter().map(entity).collect()
}

fn span(index: &Index<'_>, run: &Run) -> Span {
    index.span(run.tokens.start, run.tokens.end - 1)
}

/// All mentions of one name.
struct Group {
    name: String,
    runs: Vec<usize>,
    votes: evidence::Votes,
}

/// Gathers runs of one name, then short forms under the long form they stand for.
fn group(index: &Index<'_>, runs: &[Run]) -> Vec<Group> {
    let mut by_key: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    for (number, run) in runs.iter().enumerate() {
        let name = run.text(index);
        let at = *by_key.entry(name.to_lowercase()).or_insert_with(|| {
            groups.push(Group { name, runs: Vec::new(), votes: evidence::Votes::default() });
            groups.len() - 1
        });
        groups[at].runs.push(number);
        groups[at].votes.add(&evidence::of(index, run));
    }
    merge_short_forms(groups)
}

/// True for the last word of `Norland Bank AB`.
fn is_legal_form(word: &str) -> bool {
    lexicon::english().class(&word.to_lowercase()).intersects(Class::ORG_SUFFIX)
}

/// Puts `Whitfield` under `Dana Whitfield` when exactly one person of that name is in the text, and
/// `Norland Bank` under `Norland Bank AB`.
fn merge_short_forms(groups: Vec<Group>) -> Vec<Group> {
    let mut owner: HashMap<String, Option<usize>> = HashMap::new();
    for (number, group) in groups.iter().enumerate() {
        let words: Vec<&str> = group.name.split(' ').collect();
        let kind = group.votes.decide().0;
        let last = words[words.len() - 1];
        let shorts = match kind {
            EntityKind::Person if words.len() > 1 => vec![last, words[0]],
            EntityKind::Organisation if words.len() > 1 && is_legal_form(last) => {
                vec![group.name[..group.name.len() - last.len()].trim_end()]
            }
            _ => continue,
        };
        for short in shorts {
            owner
                .entry(short.to_lowercase())
                .and_modify(|known| *known = None)
                .or_insert(Some(number));
        }
    }
    let mut target: Vec<usize> = (0..groups.len()).collect();
    for (number, group) in groups.iter().enumerate() {
        let Some(Some(whole)) = owner.get(&group.name.to_lowercase()) else { continue };
        let kind = group.votes.decide().0;
        let fits = match groups[*whole].votes.decide().0 {
            EntityKind::Organisation => kind != EntityKind::Person,
            _ => {
                matches!(kind, EntityKind::Person | EntityKind::Other) && !group.name.contains(' ')
            }
        };
        if fits && *whole != number {
            target[number] = *whole;
        }
    }
    // A name that goes under another one takes none under itself.
    for number in 0..target.len() {
        if target[target[number]] != target[number] {
            target[number] = number;
        }
    }
    let mut merged: Vec<Option<Group>> = Vec::with_capacity(groups.len());
    let mut short: Vec<(usize, Group)> = Vec::new();
    for (number, group) in groups.into_iter().enumerate() {
        if target[number] == number {
            merged.push(Some(group));
        } else {
            merged.push(None);
            short.push((target[number], group));
        }
    }
    for (whole, group) in short {
        if let Some(known) = &mut merged[whole] {
            known.runs.extend(group.runs);
            known.runs.sort_unstable();
            known.votes.add(&group.votes);
        }
    }
    merged.into_iter().flatten().collect()
}

fn formed(index: &Index<'_>, limits: &Limits) -> Vec<Entity> {
    let published = index.doc.published.as_deref().and_then(Day::parse);
    let mut gathered: [(EntityKind, Vec<Mention>); 3] = [
        (EntityKind::Money, Vec::new()),
        (EntityKind::Date, Vec::new()),
        (EntityKind::Quantity, Vec::new()),
    ];
    for id in 0..index.len() {
        let dates = dates::find(index, id, published);
        let taken = |at: usize| {
            let next = dates.partition_point(|date| date.tokens.end <= at);
            dates.get(next).is_some_and(|date| date.tokens.start <= at)
        };
        for amount in amounts::find(index, id, &taken) {
            let kind = if amount.money { 0 } else { 2 };
            let value = amount.value.map(|value| format!("{value} {}", amount.unit));
            gathered[kind].1.push(mention(
                index,
                id,
                index.span(amount.tokens.start, amount.tokens.end - 1),
                value,
            ));
        }
        for date in &dates {
            gathered[1].1.push(mention(
                index,
                id,
                index.span(date.tokens.start, date.tokens.end - 1),
                date.value.clone(),
            ));
        }
    }
    gathered.into_iter().flat_map(|(kind, mentions)| gather(kind, mentions, limits)).collect()
}

fn mention(index: &Index<'_>, id: usize, span: Span, value: Option<String>) -> Mention {
    let text = span.of(&index.doc.text).split_whitespace().collect::<Vec<_>>().join(" ");
    Mention {
        key: value.clone().unwrap_or_else(|| text.to_lowercase()),
        text,
        value,
        place: index.place(span, id),
    }
}

/// Mentions with one value are one entity.
fn gather(kind: EntityKind, mentions: Vec<Mention>, limits: &Limits) -> Vec<Entity> {
    let mut by_key: HashMap<String, usize> = HashMap::new();
    let mut found: Vec<Entity> = Vec::new();
    for Mention { key, text, value, place } in mentions {
        let at = *by_key.entry(key).or_insert_with(|| {
            found.push(Entity {
                kind,
                name: text,
                confidence: 1.0,
                value,
                count: 0,
                mentions: Vec::new(),
            });
            found.len() - 1
        });
        found[at].count += 1;
        if found[at].mentions.len() < limits.mentions {
            found[at].mentions.push(place);
        }
    }
    found
}
