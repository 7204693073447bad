//! The small data sets beside the tests.

use std::path::Path;

use consort_bandit::rng::shuffle;

/// Features and class of every row.
pub(crate) struct Labelled {
    pub(crate) rows: Vec<(Vec<f64>, usize)>,
}

/// All numbers of a CSV file below its header.
pub(crate) fn numbers(name: &str) -> Vec<Vec<f64>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    let parse = |line: &str| line.split(',').map(|cell| cell.parse().unwrap()).collect();
    text.lines().skip(1).map(parse).collect()
}

impl Labelled {
    pub(crate) fn read(name: &str) -> Self {
        let split = |mut row: Vec<f64>| {
            let class = row.pop().unwrap() as usize;
            (row, class)
        };
        Self { rows: numbers(name).into_iter().map(split).collect() }
    }

    /// The rows in the order of a numbered shuffle.
    pub(crate) fn shuffled(&self, number: u64) -> impl Iterator<Item = (&[f64], usize)> {
        shuffle(self.rows.len(), number).into_iter().map(|i| (&self.rows[i].0[..], self.rows[i].1))
    }
}
