//! Short names of runs: the first or last characters of an id, as long as only one run matches.

use consort::core::{
    Category, RunId, StepError,
    journal::{Journal, RunFilter},
};

/// How far back short names are looked up.
const NEWEST: usize = 10_000;

/// Characters of a short name, at least: fewer would soon be ambiguous.
const SHORTEST: usize = 4;

/// Characters of the short names that we show. The last ones are random; the first tell the time.
const SHOWN: usize = 8;

/// What a user typed for a run: a root's id or a part of it, and the way down from there.
#[derive(Debug, PartialEq, Eq)]
struct Typed {
    root: String,
    below: String,
}

impl Typed {
    fn parse(text: &str) -> Result<Self, StepError> {
        let text = text.trim().to_ascii_uppercase();
        let (root, below) = match text.find('/') {
            Some(at) => text.split_at(at),
            None => (text.as_str(), ""),
        };
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let way = below.is_empty() || below[1..].split('/').all(digits);
        if root.len() < SHORTEST || !root.bytes().all(|b| b.is_ascii_alphanumeric()) || !way {
            let message = format!("`{text}` is no id of a run, and no part of one");
            return Err(StepError::new(Category::NotFound, message)
                .hint("give at least 4 characters of the id; `consort runs` shows them"));
        }
        Ok(Self { root: root.to_owned(), below: below.to_owned() })
    }

    fn matches(&self, root: &RunId) -> bool {
        root.as_str().starts_with(&self.root) || root.as_str().ends_with(&self.root)
    }

    fn below(&self, root: &str) -> Result<RunId, StepError> {
        RunId::new(format!("{root}{}", self.below))
            .map_err(|error| StepError::new(Category::NotFound, error.to_string()))
    }
}

/// The run that `text` means.
pub(crate) async fn find(journal: &dyn Journal, text: &str) -> Result<RunId, StepError> {
    let typed = Typed::parse(text)?;
    if let Ok(run) = typed.below(&typed.root) {
        return match journal.history(&run).await? {
            Some(_) => Ok(run),
            None => Err(StepError::new(Category::NotFound, format!("there is no run `{run}`"))),
        };
    }
    let filter = RunFilter { roots: true, limit: NEWEST, ..RunFilter::default() };
    let roots = journal.runs(filter).await?.into_iter().map(|summary| summary.id);
    let found: Vec<RunId> = roots.filter(|root| typed.matches(root)).take(3).collect();
    match found.as_slice() {
        [root] => typed.below(root.as_str()),
        [] => Err(StepError::new(Category::NotFound, format!("no run is called `{text}`"))),
        several => {
            let ids: Vec<&str> = several.iter().map(RunId::as_str).collect();
            let message = format!("`{text}` may be any of {}", ids.join(", "));
            Err(StepError::new(Category::Conflict, message).hint("give more characters"))
        }
    }
}

/// A short name to show: enough to find the run again.
pub(crate) fn short(run: &RunId) -> &str {
    let text = run.as_str();
    let root = text.find('/').unwrap_or(text.len());
    &text[root.saturating_sub(SHOWN)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_end_of_an_id_is_a_name_for_it() {
        let root = RunId::new("01ARZ3NDEKTSV4RRFFQ69G5FAV").unwrap();
        for text in ["01ARZ3", "g5fav", "G5FAV/3/1"] {
            assert!(Typed::parse(text).unwrap().matches(&root), "{text}");
        }
        assert!(!Typed::parse("RRFF").unwrap().matches(&root));
        for text in ["", "FAV", "G5FAV/", "G5FAV/x", "../../etc"] {
            assert_eq!(Typed::parse(text).unwrap_err().category(), Category::NotFound, "{text}");
        }
    }

    #[test]
    fn short_names_keep_the_way_down() {
        let root = RunId::new("01ARZ3NDEKTSV4RRFFQ69G5FAV").unwrap();
        assert_eq!(short(&root), "Q69G5FAV");
        assert_eq!(short(&root.child(3).child(1)), "Q69G5FAV/3/1");
    }
}
