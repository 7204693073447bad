//! Lists of runs, a page at a time, each read from an index in its order.

use consort_core::{
    journal::RunFilter,
    record::{RunState, RunSummary},
};
use rusqlite::{Connection, ToSql, params_from_iter};

use super::{
    fault::Result,
    recent::Recent,
    row::{COLUMNS, RunRow},
};
use crate::place::Place;

/// Runs in a page unless the caller says otherwise.
const PAGE: usize = 100;

/// The runs that match, in the order of lists.
pub(crate) fn runs(connection: &Connection, filter: &RunFilter) -> Result<Vec<RunSummary>> {
    let limit = if filter.limit == 0 { PAGE } else { filter.limit };
    // One snapshot, because a page that begins inside a tree takes two queries.
    let snapshot = connection.unchecked_transaction()?;
    let mut page = Page { connection: &snapshot, filter, limit, runs: Vec::new(), recent: None };
    let before = filter.before.as_ref().map(Place::of);
    match (&before, filter.tree.as_ref().map(Place::of)) {
        (None, None) => page.read(&[])?,
        (None, Some(root)) => page.read(&[("tree = ?", root.tree())])?,
        // Equality and a range in one column each: what an index can do.
        (Some(last), None) => {
            page.read(&[("tree = ?", last.tree()), ("path > ?", last.path())])?;
            page.read(&[("tree < ?", last.tree())])?;
        }
        (Some(last), Some(root)) if *last >= Place::root(root.tree()) => {
            if last.tree() == root.tree() {
                page.read(&[("tree = ?", root.tree()), ("path > ?", last.path())])?;
            }
        }
        (Some(_), Some(root)) => page.read(&[("tree = ?", root.tree())])?,
    }
    Ok(page.runs)
}

struct Page<'a> {
    connection: &'a Connection,
    filter: &'a RunFilter,
    limit: usize,
    runs: Vec<RunSummary>,
    /// Read when the first line needs it.
    recent: Option<Recent>,
}

impl Page<'_> {
    /// Adds runs at the given places until the page is full.
    fn read(&mut self, places: &[(&str, &str)]) -> Result<()> {
        // SQLite reads a larger number as a fraction, which a limit must not be.
        let most = usize::try_from(i64::MAX).unwrap_or(usize::MAX);
        let left = self.limit.saturating_sub(self.runs.len()).min(most);
        if left == 0 {
            return Ok(());
        }
        let filter = self.filter;
        let mut conditions: Vec<&str> = Vec::new();
        let mut values: Vec<&dyn ToSql> = Vec::new();
        for (condition, value) in places {
            conditions.push(condition);
            values.push(value);
        }
        let tenant = filter.tenant.as_ref().map(consort_core::TenantId::as_str);
        let orchestrator = filter.orchestrator.as_ref().map(consort_core::Name::as_str);
        if let Some(tenant) = &tenant {
            conditions.push("tenant = ?");
            values.push(tenant);
        }
        if let Some(orchestrator) = &orchestrator {
            conditions.push("orchestrator = ?");
            values.push(orchestrator);
        }
        // Word for word as in the partial indexes, or SQLite will not use them.
        match filter.state {
            None => {}
            Some(RunState::Open) => conditions.extend(["ended is null", "not parked"]),
            Some(RunState::Waiting) => conditions.extend(["ended is null", "parked"]),
            Some(RunState::Ended) => conditions.push("ended is not null"),
        }
        if filter.roots {
            conditions.push("path = ''");
        }
        let clause = if conditions.is_empty() { "" } else { "where" };
        let sql = format!(
            "select {COLUMNS} from run {clause} {} order by tree desc, path limit {left}",
            conditions.join(" and ")
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            let mut row = RunRow::read(row)?;
            if row.may_lag() {
                let recent = match &self.recent {
                    Some(recent) => recent,
                    None => self.recent.insert(Recent::load(self.connection)?),
                };
                recent.catch_up(&mut row)?;
            }
            self.runs.push(row.standing.summary(row.id, &row.birth));
        }
        Ok(())
    }
}
