//! Where a run stands in a list: newest tree first, parents before their children.

use std::cmp::Reverse;

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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(tail: &str) -> Place {
        Place::of(&RunId::new(format!("01ARZ3NDEKTSV4RRFFQ69G5FAV{tail}")).unwrap())
    }

    #[test]
    fn no_two_runs_share_a_place() {
        assert_eq!(place("/3/10").path(), "13210");
        assert_ne!(place("/7"), place("/07"));
        assert_ne!(place("/1/1"), place("/11"));
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
}
