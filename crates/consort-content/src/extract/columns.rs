//! Columns of a page: where its runs of text stand tells in which order its parts are read.

/// Runs beyond which a page is read as one part: no page for people has as many.
const MAX_RUNS: usize = 5_000;
/// Places tried for a gutter.
const MAX_GUTTERS: usize = 500;
/// Columns within columns, and bands of columns above each other.
const MAX_DEPTH: usize = 8;
/// Rows that a column has at least.
const MIN_ROWS: usize = 3;
/// Characters that the usual row of a column has at least: fewer are cells of a table, read row by row.
const MIN_CHARS: usize = 20;
/// Rows further apart than this many times their height do not belong to one column.
const APART: f32 = 3.0;
/// A gutter's least width, in heights of a row.
const GUTTER: f32 = 0.8;

/// A rectangle in points from the left and the bottom of the page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Area {
    pub(crate) left: f32,
    pub(crate) right: f32,
    pub(crate) bottom: f32,
    pub(crate) top: f32,
}

impl Area {
    fn middle(&self) -> f32 {
        f32::midpoint(self.bottom, self.top)
    }

    fn height(&self) -> f32 {
        self.top - self.bottom
    }

    fn with(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            right: self.right.max(other.right),
            bottom: self.bottom.min(other.bottom),
            top: self.top.max(other.top),
        }
    }

    fn is_finite(&self) -> bool {
        [self.left, self.right, self.bottom, self.top].iter().all(|edge| edge.is_finite())
    }
}

/// Words that the page places together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) area: Area,
    pub(crate) chars: usize,
}

/// A part of the page that is read from top to bottom before the next one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Part {
    pub(crate) area: Area,
    /// Whether it is the column beside the part before, whose last sentence may go on in it.
    pub(crate) beside: bool,
}

/// The parts of a page in reading order; one for a page without columns, none for an empty one.
pub(crate) fn parts(runs: &[Run]) -> Vec<Part> {
    let placed: Vec<Run> = runs.iter().filter(|run| run.area.is_finite()).copied().collect();
    let depth = if placed.len() > MAX_RUNS { 0 } else { MAX_DEPTH };
    let mut parts = Vec::new();
    divide(placed, false, depth, &mut parts);
    parts
}

fn divide(runs: Vec<Run>, beside: bool, depth: usize, out: &mut Vec<Part>) {
    let Some(area) = runs.iter().map(|run| run.area).reduce(Area::with) else { return };
    let rows = if depth == 0 { Vec::new() } else { rows(runs) };
    let Some(band) = band(&rows) else {
        out.push(Part { area, beside });
        return;
    };
    let flat = |rows: &[Vec<Run>]| -> Vec<Run> { rows.iter().flatten().copied().collect() };
    let (left, right) =
        flat(&rows[band.first..=band.last]).iter().partition(|run| run.area.right <= band.gutter);
    divide(flat(&rows[..band.first]), beside, depth - 1, out);
    divide(left, beside && band.first == 0, depth - 1, out);
    divide(right, true, depth - 1, out);
    divide(flat(&rows[band.last + 1..]), false, depth - 1, out);
}

/// Runs on one line, from the top of the page down.
fn rows(mut runs: Vec<Run>) -> Vec<Vec<Run>> {
    runs.sort_by(|a, b| b.area.middle().total_cmp(&a.area.middle()));
    let mut rows: Vec<Vec<Run>> = Vec::new();
    for run in runs {
        match rows.last_mut() {
            Some(row) if row[0].area.middle() - run.area.middle() < row[0].area.height() / 2.0 => {
                row.push(run);
            }
            _ => rows.push(vec![run]),
        }
    }
    rows
}

/// Rows with a column on either side of a gutter.
#[derive(Clone, Copy, Debug)]
struct Band {
    first: usize,
    last: usize,
    gutter: f32,
}

/// The band with the most rows, the leftmost of equals.
fn band(rows: &[Vec<Run>]) -> Option<Band> {
    let mut gutters: Vec<f32> = rows.iter().flatten().map(|run| run.area.left - 1.0).collect();
    gutters.sort_by(f32::total_cmp);
    gutters.dedup_by(|next, kept| *next - *kept < 2.0);
    let mut best: Option<Band> = None;
    for gutter in gutters.into_iter().take(MAX_GUTTERS) {
        let crossed = |row: &Vec<Run>| row.iter().any(|run| sides(run, gutter) == (true, true));
        let mut from = 0;
        for stretch in rows.split(crossed) {
            let found = core(stretch, gutter).map(|(first, last)| Band {
                first: from + first,
                last: from + last,
                gutter,
            });
            from += stretch.len() + 1;
            let rows = |band: &Band| band.last - band.first;
            if found.is_some_and(|found| best.is_none_or(|best| rows(&found) > rows(&best))) {
                best = found;
            }
        }
    }
    best
}

/// Whether a run reaches to the left and to the right of a gutter.
fn sides(run: &Run, gutter: f32) -> (bool, bool) {
    (run.area.left < gutter, run.area.right > gutter)
}

/// First and last of the rows that stand in two columns of prose, among rows that leave the gutter free.
fn core(rows: &[Vec<Run>], gutter: f32) -> Option<(usize, usize)> {
    let on_left = |row: &Vec<Run>| row.iter().any(|run| sides(run, gutter).0);
    let on_right = |row: &Vec<Run>| row.iter().any(|run| sides(run, gutter).1);
    let mut first = rows.iter().position(on_left)?.max(rows.iter().position(on_right)?);
    let mut last = rows.iter().rposition(on_left)?.min(rows.iter().rposition(on_right)?);
    if first > last {
        return None;
    }
    let height = rows[first][0].area.height();
    let near = |upper: usize, lower: usize| {
        rows[upper][0].area.middle() - rows[lower][0].area.middle() <= APART * height
    };
    // One column may begin or end before the other.
    while first > 0 && near(first - 1, first) {
        first -= 1;
    }
    while last + 1 < rows.len() && near(last, last + 1) {
        last += 1;
    }
    let runs: Vec<&Run> = rows[first..=last].iter().flatten().collect();
    let (left, right): (Vec<&Run>, Vec<&Run>) =
        runs.into_iter().partition(|run| sides(run, gutter).0);
    let reaches = left.iter().map(|run| run.area.right).fold(f32::MIN, f32::max);
    let begins = right.iter().map(|run| run.area.left).fold(f32::MAX, f32::min);
    let prose = |side: &dyn Fn(&Run) -> bool| {
        let chars = |row: &Vec<Run>| -> usize {
            row.iter().filter(|run| side(run)).map(|run| run.chars).sum()
        };
        let mut lengths: Vec<usize> =
            rows[first..=last].iter().map(chars).filter(|chars| *chars > 0).collect();
        lengths.sort_unstable();
        lengths.len() >= MIN_ROWS && lengths[lengths.len() / 2] >= MIN_CHARS
    };
    let is_columns = begins - reaches >= GUTTER * height
        && prose(&|run| sides(run, gutter).0)
        && prose(&|run| sides(run, gutter).1);
    is_columns.then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of `chars` characters, each five points wide, on a line ten points high.
    fn run(left: f32, middle: f32, chars: usize) -> Run {
        let right = left + 5.0 * chars as f32;
        Run { area: Area { left, right, bottom: middle - 5.0, top: middle + 5.0 }, chars }
    }

    /// `rows` lines from `top` down.
    fn column(left: f32, top: f32, rows: usize, chars: usize) -> Vec<Run> {
        (0..rows).map(|row| run(left, top - 13.0 * row as f32, chars)).collect()
    }

    /// Left edge, top row and whether it is beside the part before.
    #[track_caller]
    fn check(runs: &[Vec<Run>], expected: &[(f32, f32, bool)]) {
        let found: Vec<(f32, f32, bool)> = parts(&runs.concat())
            .iter()
            .map(|part| (part.area.left, part.area.top - 5.0, part.beside))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_page_without_columns_is_one_part() {
        check(&[column(72.0, 720.0, 30, 80)], &[(72.0, 720.0, false)]);
        check(&[], &[]);
    }

    #[test]
    fn columns_follow_each_other_between_head_and_page_number() {
        let head = vec![run(72.0, 800.0, 30)];
        let number = vec![run(290.0, 40.0, 1)];
        let (left, right) = (column(72.0, 720.0, 10, 40), column(320.0, 714.0, 12, 40));
        check(
            &[right, number, left, head],
            &[
                (72.0, 800.0, false),
                (72.0, 720.0, false),
                (320.0, 714.0, true),
                (290.0, 40.0, false),
            ],
        );
    }

    #[test]
    fn three_columns_under_a_full_width_paragraph() {
        let wide = column(50.0, 780.0, 4, 100);
        let columns = [50.0, 220.0, 390.0].map(|left| column(left, 700.0, 20, 30));
        check(
            &[wide, columns.concat()],
            &[
                (50.0, 780.0, false),
                (50.0, 700.0, false),
                (220.0, 700.0, true),
                (390.0, 700.0, true),
            ],
        );
    }

    #[test]
    fn cells_of_a_table_stay_in_their_rows() {
        let table = [72.0, 250.0, 400.0].map(|left| column(left, 700.0, 12, 8));
        check(&table, &[(72.0, 700.0, false)]);
    }

    #[test]
    fn places_beyond_reason_are_left_out() {
        let lost = vec![run(f32::NAN, 700.0, 30), run(72.0, f32::INFINITY, 30)];
        check(&[lost, column(72.0, 720.0, 3, 80)], &[(72.0, 720.0, false)]);
    }
}
