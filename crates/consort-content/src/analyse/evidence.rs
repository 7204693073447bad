//! What speaks for a name being a person's, an organisation's or a place's.

use super::entities::EntityKind;
use super::index::{Case, Index, Kind, Token};
use super::lexicon::{self, Class};
use super::names::Run;

/// Votes for each kind; they add up over the mentions of a name.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Votes {
    person: f64,
    organisation: f64,
    place: f64,
}

/// Votes per mention below which the kind stays open.
const DECIDES: f64 = 1.0;

impl Votes {
    pub(crate) fn add(&mut self, other: &Self) {
        self.person += other.person;
        self.organisation += other.organisation;
        self.place += other.place;
    }

    /// The kind with most votes and how sure it is, 0 to 1.
    pub(crate) fn decide(&self) -> (EntityKind, f64) {
        let kinds = [
            (self.person, EntityKind::Person),
            (self.organisation, EntityKind::Organisation),
            (self.place, EntityKind::Place),
        ];
        let (best, kind) = kinds
            .into_iter()
            .fold((0.0, EntityKind::Other), |best, next| if next.0 > best.0 { next } else { best });
        if best < DECIDES {
            return (EntityKind::Other, 0.3);
        }
        let total = self.person + self.organisation + self.place;
        let confidence = best / (total + 1.0);
        (kind, (confidence * 100.0).round() / 100.0)
    }
}

/// What one mention votes for.
pub(crate) fn of(index: &Index<'_>, run: &Run) -> Votes {
    let tokens = &index.tokens[run.tokens.clone()];
    let (first, last) = (&tokens[0], &tokens[tokens.len() - 1]);
    let mut votes = Votes::default();
    let any = |class: Class| tokens.iter().any(|token| index.is(token, class));
    let organised = tokens.len() > 1 && any(Class::ORG_HEAD);
    let placed = tokens.len() > 1
        && (index.is(last, Class::PLACE_HEAD)
            || (index.is(first, Class::PLACE_HEAD) && index.lower(&tokens[1]) == "of")
            || matches!(
                index.lower(first),
                "lake" | "mount" | "port" | "cape" | "saint" | "st" | "san" | "santa"
            ));
    let street = [
        "strasse",
        "stra\u{df}e",
        "gasse",
        "platz",
        "gatan",
        "straat",
        "burg",
        "mouth",
        "shire",
        "stan",
    ];
    let placed = placed
        || street.iter().any(|ending| {
            index.lower(last).strip_suffix(ending).is_some_and(|head| head.chars().count() > 2)
        });

    if is_known_place(index, run) {
        votes.place += 3.0;
    } else if organised || any(Class::ORG_SUFFIX) && tokens.len() > 1 {
        votes.organisation += 3.0;
    } else if placed {
        votes.place += 2.5;
    } else if index.is(first, Class::GIVEN_NAME) && tokens.len() > 1 && tokens.len() < 5 {
        votes.person += 3.0;
    } else if index.is(first, Class::GIVEN_NAME) {
        votes.person += 1.2;
    }
    if run.titled && !organised {
        votes.person += 3.0;
    }
    let initials = tokens.len() > 1
        && tokens[..tokens.len() - 1]
            .iter()
            .any(|token| token.end - token.start == 2 && index.raw(token).ends_with('.'));
    votes.person += if initials { 1.5 } else { 0.0 };
    if tokens.len() == 1
        && first.case == Case::Upper
        && first.end - first.start <= 6
        && !is_known_place(index, run)
    {
        votes.organisation += 1.2;
    }
    if tokens
        .iter()
        .any(|token| token.case == Case::Upper && tokens.len() > 1 && token.end - token.start <= 5)
    {
        votes.organisation += 0.4;
    }
    around(index, run, &mut votes);
    votes
}

/// Votes of the words before and after the name.
fn around(index: &Index<'_>, run: &Run, votes: &mut Votes) {
    let sentence = index.range(run.sentence);
    let token =
        |at: Option<usize>| at.filter(|at| sentence.contains(at)).map(|at| &index.tokens[at]);
    let lower = |token: Option<&Token>| token.map_or("", |token| index.lower(token)).to_owned();
    let words = run.tokens.len();
    let before = token(run.tokens.start.checked_sub(1));
    let after = token(Some(run.tokens.end));
    let second = token(Some(run.tokens.end + 1));
    let third = token(Some(run.tokens.end + 2));
    let is =
        |token: Option<&Token>, class: Class| token.is_some_and(|token| index.is(token, class));
    let is_place_word = |token: Option<&Token>| {
        is(token, Class::PLACE_HEAD) && token.is_some_and(|token| token.case == Case::Lower)
    };
    // `the river Sallow`, `the port of Ternmouth`, `the Tannery district`.
    let apposed = is_place_word(before)
        || (lower(before) == "of" && is_place_word(token(run.tokens.start.checked_sub(2))))
        || (is_place_word(after) && words <= 2 && lower(before) == "the");
    if apposed {
        votes.place += 2.0;
    }
    if lower(before) == "of" && is(token(run.tokens.start.checked_sub(2)), Class::ORG_SUFFIX) {
        votes.place += 1.2;
    }
    if super::names::is_dateline(index, run.sentence, &run.tokens) {
        votes.place += 3.0;
    }
    let says = |token: Option<&Token>| {
        token.is_some_and(|token| index.is(token, Class::REPORT) && token.kind == Kind::Word)
    };
    if says(after) || (lower(after) == "," && says(second)) || says(before) {
        votes.person += 1.0;
        votes.organisation += 0.4;
    }
    if lower(after) == ","
        && second.is_some_and(|age| age.kind == Kind::Number && age.end - age.start <= 2)
        && !is(third, Class::MONTH)
    {
        votes.person += 2.0;
    }
    if lower(after) == "who"
        || (lower(after) == "," && matches!(lower(second).as_str(), "who" | "whose" | "aged"))
    {
        votes.person += 1.5;
    }
    if lower(after) == ","
        && matches!(lower(second).as_str(), "a" | "an" | "the" | "who")
        && words == 2
        && third.is_some()
    {
        votes.person += 0.8;
    }
    // `The minister, Jana Vesela`: a common noun and a comma in front of a two-word name.
    if lower(before) == "," && words == 2 {
        votes.person += 0.4;
    }
    match lower(before).as_str() {
        "in" | "near" | "outside" | "across" | "throughout" | "toward" | "towards" => {
            votes.place += 1.5
        }
        "from" | "to" | "at" | "through" | "around" | "between" => votes.place += 0.6,
        "the" if words == 1 => votes.organisation += 0.3,
        _ => {}
    }
}

/// True when the whole name is in the gazetteer.
fn is_known_place(index: &Index<'_>, run: &Run) -> bool {
    if run.tokens.len() == 1 {
        return index.is(&index.tokens[run.tokens.start], Class::PLACE);
    }
    run.tokens.len() <= 4 && lexicon::is_place(&run.text(index).to_lowercase())
}
