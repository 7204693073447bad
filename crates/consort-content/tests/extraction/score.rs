//! Precision, recall and F1.

/// Counts of found, wanted and both.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Score {
    pub(crate) found: usize,
    pub(crate) wanted: usize,
    pub(crate) both: usize,
}

impl Score {
    /// Counts of two bags.
    pub(crate) fn of<T: Ord>(mut found: Vec<T>, mut wanted: Vec<T>) -> Self {
        found.sort();
        wanted.sort();
        let (mut at, mut both) = (0, 0);
        for item in &found {
            while at < wanted.len() && wanted[at] < *item {
                at += 1;
            }
            if at < wanted.len() && wanted[at] == *item {
                (at, both) = (at + 1, both + 1);
            }
        }
        Self { found: found.len(), wanted: wanted.len(), both }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.found += other.found;
        self.wanted += other.wanted;
        self.both += other.both;
    }

    pub(crate) fn f1(self) -> f64 {
        2.0 * self.both as f64 / (self.found + self.wanted).max(1) as f64
    }
}
