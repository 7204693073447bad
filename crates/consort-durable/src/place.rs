//! Where a run stands in a list: newest tree first, parents before their children.

use std::{cmp::Reverse, fmt::Write};

use consort_core::RunId;

/// A run's id in two parts that sort as lists do.
///
/// The tree is the root's id. The path has one component for each level below it: the number of
/// decimal digits as one character (`1` to `:`), then the digits. So a component tells its own
/// length, a parent's path is a prefix of its children's, and 2 sorts before 10.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    tree: Reverse<String>,
    path: String,
}

impl Place {
    pub(crate) fn of(run: &RunId) -> Self {
        let mut parts = run.as_str().split('/');
        let tree = parts.next().unwrap_or_default().to_owned();
        let mut path = String::new();
        for digits in parts {
            // An id has 1 to 10 digits here, so the length is a character from `1` to `:`.
            path.push(char::from(b'0' + u8::try_from(digits.len()).unwrap_or(10)));
            path.push_str(digits);
        }
        Self { tree: Reverse(tree), path }
    }

    /// The first place of a tree: that of its root.
    pub(crate) fn root(tree: &str) -> Self {
        Self { tree: Reverse(tree.to_owned()), path: String::new() }
    }

    /// The root's id.
    pub(crate) fn tree(&self) -> &str {
        &self.tree.0
    }

    /// Below the root; empty for the root itself.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Back to the id; `None` for two texts that no id gives.
    pub(crate) fn run(tree: &str, path: &str) -> Option<RunId> {
        let mut id = tree.to_owned();
        let mut rest = path;
        while let Some(length) = rest.bytes().next() {
            let length = usize::from(length.checked_sub(b'0')?);
            let digits = rest.get(1..=length)?;
            write!(id, "/{digits}").ok()?;
            rest = rest.get(length + 1..)?;
        }
        RunId::new(id).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(tail: &str) -> Place {
        Place::of(&RunId::new(format!("01ARZ3NDEKTSV4RRFFQ69G5FAV{tail}")).unwrap())
    }

    #[test]
    fn a_place_gives_back_its_id() {
        for tail in ["", "/0", "/10/3", "/4294967295/0/99", "/007"] {
            let place = place(tail);
            let run = Place::run(place.tree(), place.path()).unwrap();
            assert!(run.as_str().ends_with(tail) && run.as_str().len() == 26 + tail.len());
        }
    }

    #[test]
    fn parents_and_smaller_positions_come_first() {
        let order = ["", "/2", "/2/0", "/2/11", "/9", "/10", "/10/1", "/100"];
        assert!(order.windows(2).all(|pair| place(pair[0]) < place(pair[1])));
    }

    #[test]
    fn newer_trees_come_first() {
        let newer = Place::of(&RunId::root(2, 0).child(7));
        assert!(newer < Place::of(&RunId::root(1, u128::MAX >> 48)));
    }

    #[test]
    fn nonsense_is_no_id() {
        assert_eq!(Place::run("01ARZ3NDEKTSV4RRFFQ69G5FAV", "31"), None);
        assert_eq!(Place::run("short", ""), None);
    }
}
