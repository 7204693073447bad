//! Data sets in the documented layouts.

use std::error::Error;
use std::path::Path;

use consort_bandit::rng::normal;
use consort_bandit::{MAX_ARMS, MAX_FEATURE};

use crate::router;

/// A data set, rows in file order.
pub(crate) struct Set {
    pub(crate) name: String,
    pub(crate) arms: usize,
    pub(crate) dim: usize,
    pub(crate) contexts: Vec<f64>,
    pub(crate) truth: Truth,
    /// Bit mask of available arms of each row; empty when all are.
    pub(crate) available: Vec<u64>,
    /// Rounds until the reward of each row is known, −1 for never; empty when at once.
    pub(crate) delay: Vec<i64>,
    /// Latency of all arms of each row; empty when there is none.
    pub(crate) latency: Vec<f64>,
    /// Tenant of each row; empty when there is none.
    pub(crate) tenant: Vec<usize>,
}

/// Where rewards come from.
pub(crate) enum Truth {
    /// The right class of each row.
    Classes(Vec<usize>),
    /// Mean rewards of all arms, redrawn for each shuffle; costs where there are any.
    Means { means: Vec<f64>, costs: Vec<f64> },
    /// Observed rewards of all arms, with a fee for each use of arm `a`.
    Rewards { rewards: Vec<f64>, fees: Vec<f64> },
}

/// Most tenants or subjects.
const MOST_GROUPS: usize = 10_000;

/// Fee of the strong one of two models in observed routing outcomes.
const STRONG_FEE: f64 = 0.2;

/// Generated sets are asked for by `gradual:SEED` or `router:SEED` instead of a path.
const GRADUAL: &str = "gradual:";
const ROUTER: &str = "router:";

impl Set {
    pub(crate) fn read(path: &str) -> Result<Self, Box<dyn Error>> {
        if let Some(seed) = path.strip_prefix(GRADUAL) {
            return Ok(Self::gradual(whole_seed(seed)?));
        }
        if let Some(seed) = path.strip_prefix(ROUTER) {
            return Ok(router::generate(whole_seed(seed)?));
        }
        let name = Path::new(path).file_stem().map_or(path.into(), |s| s.to_string_lossy().into());
        Self::parse(name, &std::fs::read_to_string(path)?)
    }

    fn parse(name: String, text: &str) -> Result<Self, Box<dyn Error>> {
        let (header, rows) = table(text)?;
        let many = |prefix: char| -> Vec<usize> {
            let numbered =
                |name: &str| name.strip_prefix(prefix).is_some_and(|n| n.parse::<usize>().is_ok());
            (0..header.len()).filter(|&i| numbered(header[i])).collect()
        };
        let one = |name: &str| header.iter().position(|column| *column == name);
        let (x, r, m, c, l) = (many('x'), many('r'), many('m'), many('c'), many('l'));
        let (class, subject) = (one("y"), one("subject"));
        if x.is_empty() || class.is_none() && r.is_empty() {
            let layouts = "`x0..,y` or `x0..,r0..[,m0..][,c0..][,l0..]`";
            return Err(
                format!("the header is in none of the documented layouts: {layouts}").into()
            );
        }
        check(&header, &rows, &[&m, &c, &l], if class.is_some() { 0 } else { r.len() })?;
        let take = |columns: &[usize]| -> Vec<f64> {
            rows.iter().flat_map(|row| columns.iter().map(|&i| row[i])).collect()
        };
        let whole = |column: Option<usize>| take(&column.into_iter().collect::<Vec<_>>());
        let classes: Vec<usize> = whole(class).into_iter().map(|y| y as usize).collect();
        let arms =
            if class.is_some() { classes.iter().max().map_or(0, |y| y + 1) } else { r.len() };
        let truth = if class.is_some() {
            Truth::Classes(classes)
        } else if m.is_empty() {
            let fees =
                (0..arms).map(|arm| if subject.is_some() && arm == 1 { STRONG_FEE } else { 0.0 });
            Truth::Rewards { rewards: take(&r), fees: fees.collect() }
        } else {
            Truth::Means { means: take(&m), costs: take(&c) }
        };
        let (contexts, dim) = with_subject(take(&x), x.len(), &whole(subject));
        Ok(Self {
            name,
            arms,
            dim,
            contexts,
            truth,
            available: whole(one("avail")).into_iter().map(|mask| mask as u64).collect(),
            delay: whole(one("delay")).into_iter().map(|delay| delay as i64).collect(),
            latency: take(&l),
            tenant: whole(one("tenant")).into_iter().map(|tenant| tenant as usize).collect(),
        })
    }

    /// The drifting environment of the documented layouts, except that its arms turn all the time
    /// instead of jumping: 10,000 rounds, 8 features, 6 arms, directions that move along a chord
    /// from one random unit vector to the next every 2,500 rounds.
    pub(crate) fn gradual(seed: u64) -> Self {
        const ROWS: usize = 10_000;
        const DIM: usize = 8;
        const ARMS: usize = 6;
        const LEG: usize = 2500;
        let unit = |knot: usize, arm: usize| -> [f64; DIM] {
            let w: [f64; DIM] =
                std::array::from_fn(|i| normal(seed, 2 + knot as u64, (arm * DIM + i) as u64));
            let size = w.iter().map(|w| w * w).sum::<f64>().sqrt();
            w.map(|w| w / size)
        };
        let contexts: Vec<f64> = (0..ROWS * DIM).map(|i| normal(seed, 0, i as u64)).collect();
        let mut means = Vec::with_capacity(ROWS * ARMS);
        for (t, x) in contexts.chunks_exact(DIM).enumerate() {
            let (knot, along) = (t / LEG, (t % LEG) as f64 / LEG as f64);
            for arm in 0..ARMS {
                let (from, to) = (unit(knot, arm), unit(knot + 1, arm));
                let w: [f64; DIM] =
                    std::array::from_fn(|i| (1.0 - along) * from[i] + along * to[i]);
                let size = w.iter().map(|w| w * w).sum::<f64>().sqrt().max(1e-9);
                let along: f64 = x.iter().zip(w).map(|(x, w)| x * w).sum();
                means.push((0.5 + 0.25 * along / size).clamp(0.02, 0.98));
            }
        }
        Self {
            name: format!("syn_drift_gradual_{seed}"),
            arms: ARMS,
            dim: DIM,
            contexts,
            truth: Truth::Means { means, costs: Vec::new() },
            available: Vec::new(),
            delay: Vec::new(),
            latency: Vec::new(),
            tenant: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.contexts.len() / self.dim
    }

    pub(crate) fn x(&self, row: usize) -> &[f64] {
        &self.contexts[row * self.dim..(row + 1) * self.dim]
    }

    /// Whether rows are independent of each other, so that they may be shuffled.
    pub(crate) fn shuffled(&self) -> bool {
        !matches!(self.truth, Truth::Means { .. })
    }

    pub(crate) fn metric(&self) -> &'static str {
        match &self.truth {
            Truth::Means { costs, .. } if !costs.is_empty() => "utility",
            Truth::Rewards { .. } => "reward",
            _ => "loss",
        }
    }
}

fn whole_seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is no seed: give a whole number ≥ 0"))
}

/// Numbers ≥ 0 between commas.
pub(crate) fn amounts(text: &str) -> Option<Vec<f64>> {
    let amount = |text: &str| text.parse().ok().filter(|v: &f64| *v >= 0.0 && v.is_finite());
    text.split(',').map(amount).collect()
}

/// Header and rows of a table of numbers, as many in each row as there are columns.
fn table(text: &str) -> Result<(Vec<&str>, Vec<Vec<f64>>), String> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let (_, header) = lines.next().ok_or("the file is empty: it needs a header and rows")?;
    let header: Vec<&str> = header.split(',').map(str::trim).collect();
    let mut rows = Vec::new();
    for (at, line) in lines {
        let line_number = at + 1;
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        if cells.len() != header.len() {
            let (found, wanted) = (cells.len(), header.len());
            return Err(format!("line {line_number} has {found} cells, the header {wanted}"));
        }
        let number = |(cell, column): (&&str, &&str)| match cell.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            _ => Err(format!("line {line_number}, column `{column}`: `{cell}` is no number")),
        };
        rows.push(cells.iter().zip(&header).map(number).collect::<Result<_, _>>()?);
    }
    if rows.is_empty() {
        return Err("there are no rows below the header".to_owned());
    }
    Ok((header, rows))
}

/// Refuses values that no learner can take; `arms` is 0 where they are classes.
fn check(
    header: &[&str],
    rows: &[Vec<f64>],
    by_arm: &[&[usize]],
    arms: usize,
) -> Result<(), String> {
    let unlike = |columns: &&&[usize]| arms > 0 && !columns.is_empty() && columns.len() != arms;
    if let Some(columns) = by_arm.iter().find(unlike) {
        let (name, found) = (header[columns[0]], columns.len());
        return Err(format!("there are {found} columns like `{name}`, but {arms} arms in r0.."));
    }
    let all = if arms == 0 { u64::MAX } else { u64::MAX >> 64_usize.saturating_sub(arms) };
    for (column, name) in header.iter().enumerate() {
        let numbered = |prefix: char| {
            name.strip_prefix(prefix).is_some_and(|number| number.parse::<usize>().is_ok())
        };
        // Realised rewards are not looked at where there are means.
        let shares = numbered('m') || numbered('r') && arms > 0 && by_arm[0].is_empty();
        let feature = numbered('x');
        let index = |most: usize| move |v: f64| v >= 0.0 && v.fract() == 0.0 && v < most as f64;
        for (row, values) in rows.iter().enumerate() {
            let value = values[column];
            let rule = match *name {
                "y" if !index(MAX_ARMS)(value) => "a class is a whole number from 0 to 255",
                "tenant" if !index(MOST_GROUPS)(value) => {
                    "a tenant is a whole number from 0 to 9999"
                }
                "subject" if !index(MOST_GROUPS)(value) => {
                    "a subject is a whole number from 0 to 9999"
                }
                "avail" if value < 0.0 || value as u64 & all == 0 => "no arm is available",
                "delay" if value.fract() != 0.0 => "a delay is a whole number, -1 for never",
                _ if shares && !(0.0..=1.0).contains(&value) => "a reward lies in [0, 1]",
                _ if feature && value.abs() > MAX_FEATURE => "a feature is at most 1e6 in size",
                _ => continue,
            };
            return Err(format!("row {}, column `{name}`: `{value}`: {rule}", row + 1));
        }
    }
    Ok(())
}

/// A subject number is a category: one feature for each.
fn with_subject(x: Vec<f64>, dim: usize, subject: &[f64]) -> (Vec<f64>, usize) {
    if subject.is_empty() {
        return (x, dim);
    }
    let count = subject.iter().fold(0.0, |most: f64, s| most.max(*s)) as usize + 1;
    let rows = x.chunks_exact(dim).zip(subject);
    let wide = rows.flat_map(|(x, subject)| {
        let one = (0..count).map(|i| if i == *subject as usize { 1.0 } else { 0.0 });
        x.iter().copied().chain(one).collect::<Vec<f64>>()
    });
    (wide.collect(), dim + count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        let found = Set::parse("set".into(), text).err().map(|error| error.to_string());
        assert!(found.as_ref().is_some_and(|found| found.contains(expected)), "{found:?}");
    }

    #[test]
    fn a_file_that_teaches_nothing_is_refused_with_its_place() {
        refused("", "empty");
        refused("x0,y\n", "no rows");
        refused("x0,x1\n1,2\n", "documented layouts");
        refused("x0,y\n1,0\n1\n", "line 3 has 1 cells, the header 2");
        refused("x0,y\nNaN,0\n", "line 2, column `x0`: `NaN`");
        refused("x0,y\n1,0\n1,-1\n", "row 2, column `y`");
        refused("x0,y\n2e6,0\n", "column `x0`");
        refused("x0,r0,r1,m0\n1,0,1,0.5\n", "1 columns like `m0`, but 2 arms");
        refused("x0,r0,r1\n1,0,5\n", "column `r1`");
        refused("avail,x0,r0\n2,1,0\n", "no arm is available");
        refused("tenant,x0,r0\n1e12,1,0\n", "column `tenant`");
    }

    #[test]
    fn one_row_one_class_and_empty_lines_are_a_set() {
        let set = Set::parse("set".into(), "x0,y\n1,0\n\n").unwrap();
        assert_eq!((set.len(), set.arms, set.dim), (1, 1, 1));
    }
}
