//! The line about a run as a row of the table `run`, with its checksum.

use consort_core::{
    Category, IdempotencyKey, Name, RunId, Spend, Status, TenantId, Timestamp, Version,
};
use rusqlite::{Connection, Row, params, types::FromSql};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::fault::{Fault, Result, corrupt};
use crate::{
    ledger::{Birth, Ending, Standing},
    place::Place,
};

/// Everything in the row but its checksum.
#[derive(Clone, Debug)]
pub(crate) struct RunRow {
    pub(crate) key: i64,
    pub(crate) id: RunId,
    pub(crate) birth: Birth,
    pub(crate) standing: Standing,
    /// Key of the last record.
    pub(crate) tail: i64,
}

/// The columns that [`RunRow::read`] expects, in order.
pub(crate) const COLUMNS: &str = "key, id, tree, path, orchestrator, version, tenant, \
     idempotency_key, started, entries, steps, money, tokens, calls, tail, parked, due, ended, \
     status, category, checksum";

/// An unsigned number as SQLite keeps it; what does not fit becomes the largest that does.
pub(crate) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Back; the checksum has told already that it is what was written.
pub(crate) fn nat(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A CRC-32 as SQLite keeps it, in at most four bytes.
pub(crate) fn crc(hasher: crc32fast::Hasher) -> i64 {
    i64::from(hasher.finalize().cast_signed())
}

/// The checksum of a record whose body has the CRC-32 `body`.
pub(crate) fn record_crc(body: u32, key: i64, run: i64, seq: i64, previous: i64) -> i64 {
    let mut hasher = crc32fast::Hasher::new_with_initial(body);
    for number in [key, run, seq, previous] {
        hasher.update(&number.to_le_bytes());
    }
    crc(hasher)
}

/// The checksum of an hour's spend.
pub(crate) fn spent_crc(tenant: &str, hour: i64, spend: [i64; 3]) -> i64 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(tenant.as_bytes());
    for number in [hour, spend[0], spend[1], spend[2]] {
        hasher.update(&number.to_le_bytes());
    }
    crc(hasher)
}

/// The three currencies as SQLite keeps them.
pub(crate) fn currencies(spend: Spend) -> [i64; 3] {
    [int(spend.money), int(spend.tokens), int(spend.calls)]
}

impl RunRow {
    /// True when the row may have been left behind by the newest records; see [`recent`].
    ///
    /// [`recent`]: super::recent
    pub(crate) fn may_lag(&self) -> bool {
        self.standing.ended.is_none() && !self.standing.parked
    }

    fn checksum(&self, place: &Place) -> i64 {
        let mut hasher = crc32fast::Hasher::new();
        let birth = &self.birth;
        let version = birth.version.to_string();
        let key = birth.idempotency_key.as_ref().map_or("", IdempotencyKey::as_str);
        let texts = [self.id.as_str(), place.tree(), place.path(), birth.orchestrator.as_str()];
        for text in texts.into_iter().chain([&version, birth.tenant.as_str(), key]) {
            hasher.update(text.as_bytes());
            hasher.update(&[0]);
        }
        let standing = &self.standing;
        let [money, tokens, calls] = currencies(standing.spend);
        let steps = int(standing.steps);
        for number in [self.key, int(birth.at.0), int(standing.entries), steps, money, tokens] {
            hasher.update(&number.to_le_bytes());
        }
        for number in [calls, self.tail, i64::from(standing.parked), time(standing.due)] {
            hasher.update(&number.to_le_bytes());
        }
        hasher.update(&time(standing.ended.map(|ending| ending.at)).to_le_bytes());
        hasher.update(status(standing).unwrap_or("").as_bytes());
        hasher.update(category(standing).unwrap_or("").as_bytes());
        crc(hasher)
    }

    /// Writes the row of a run that is not in the table.
    pub(crate) fn insert(&self, connection: &Connection) -> Result<()> {
        let place = Place::of(&self.id);
        let (birth, standing) = (&self.birth, &self.standing);
        let [money, tokens, calls] = currencies(standing.spend);
        let sql = "insert into run(key, id, tree, path, orchestrator, version, tenant, \
                   idempotency_key, started, entries, steps, money, tokens, calls, tail, parked, \
                   due, ended, status, category, checksum) \
                   values (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
        connection.prepare_cached(sql)?.execute(params![
            self.key,
            self.id.as_str(),
            place.tree(),
            place.path(),
            birth.orchestrator.as_str(),
            birth.version.to_string(),
            birth.tenant.as_str(),
            birth.idempotency_key.as_ref().map(IdempotencyKey::as_str),
            int(birth.at.0),
            int(standing.entries),
            int(standing.steps),
            money,
            tokens,
            calls,
            self.tail,
            standing.parked,
            standing.due.map(|at| int(at.0)),
            standing.ended.map(|ending| int(ending.at.0)),
            status(standing),
            category(standing),
            self.checksum(&place),
        ])?;
        Ok(())
    }

    /// Writes what may have changed. The indexes are only touched by a run's end.
    pub(crate) fn update(&self, connection: &Connection) -> Result<()> {
        let standing = &self.standing;
        let [money, tokens, calls] = currencies(standing.spend);
        let checksum = self.checksum(&Place::of(&self.id));
        let (entries, steps) = (int(standing.entries), int(standing.steps));
        let (parked, due) = (standing.parked, standing.due.map(|at| int(at.0)));
        let (key, tail) = (self.key, self.tail);
        let changed = match standing.ended {
            None => {
                let sql = "update run set entries=?, steps=?, money=?, tokens=?, calls=?, tail=?, \
                           parked=?, due=?, checksum=? where key=?";
                connection.prepare_cached(sql)?.execute(params![
                    entries, steps, money, tokens, calls, tail, parked, due, checksum, key
                ])?
            }
            Some(ending) => {
                let sql = "update run set entries=?, steps=?, money=?, tokens=?, calls=?, tail=?, \
                           parked=?, due=?, ended=?, status=?, category=?, checksum=? where key=?";
                connection.prepare_cached(sql)?.execute(params![
                    entries,
                    steps,
                    money,
                    tokens,
                    calls,
                    tail,
                    parked,
                    due,
                    int(ending.at.0),
                    ending.status.name(),
                    category(standing),
                    checksum,
                    key
                ])?
            }
        };
        if changed == 1 { Ok(()) } else { Err(corrupt(format!("run {} lost its line", self.id))) }
    }

    /// Reads [`COLUMNS`], and makes sure that they are what was written.
    ///
    /// Place and id are compared too, so a damaged index cannot lead to another run's row.
    pub(crate) fn read(row: &Row<'_>) -> Result<Self> {
        let key: i64 = row.get(0)?;
        let id: String = text(row, 1, key)?;
        let lost = |_: Fault| corrupt(format!("the line about run {id} (key {key}) is damaged"));
        let (read, checksum) = Self::parse(row, key, &id).map_err(lost)?;
        let place = Place::of(&read.id);
        let found = (text::<String>(row, 2, key)?, text::<String>(row, 3, key)?);
        if read.checksum(&place) != checksum || (place.tree(), place.path()) != (&found.0, &found.1)
        {
            return Err(corrupt(format!("the line about run {id} (key {key}) fails its checksum")));
        }
        Ok(read)
    }

    fn parse(row: &Row<'_>, key: i64, id: &str) -> Result<(Self, i64)> {
        let number = |index: usize| -> Result<u64> { Ok(nat(row.get(index)?)) };
        let spend = Spend { money: number(11)?, tokens: number(12)?, calls: number(13)? };
        let ended = match row.get::<_, Option<i64>>(17)? {
            None => None,
            Some(at) => Some(Ending {
                at: Timestamp(nat(at)),
                status: named::<Status>(row.get(18)?)?,
                category: match row.get::<_, Option<String>>(19)? {
                    None => None,
                    Some(name) => Some(named::<Category>(name)?),
                },
                spend,
            }),
        };
        let nonsense = || corrupt("not an id");
        let read = Self {
            key,
            id: RunId::new(id).map_err(|_| nonsense())?,
            birth: Birth {
                orchestrator: Name::new(row.get::<_, String>(4)?).map_err(|_| nonsense())?,
                version: Version::parse(&row.get::<_, String>(5)?).map_err(|_| nonsense())?,
                tenant: TenantId::new(row.get::<_, String>(6)?).map_err(|_| nonsense())?,
                idempotency_key: match row.get::<_, Option<String>>(7)? {
                    None => None,
                    Some(key) => Some(IdempotencyKey::new(key).map_err(|_| nonsense())?),
                },
                at: Timestamp(number(8)?),
            },
            standing: Standing {
                entries: number(9)?,
                steps: number(10)?,
                spend,
                parked: row.get::<_, i64>(15)? != 0,
                due: row.get::<_, Option<i64>>(16)?.map(|at| Timestamp(nat(at))),
                ended,
            },
            tail: row.get(14)?,
        };
        Ok((read, row.get(20)?))
    }

    /// The run at a place, through the index on places.
    pub(crate) fn at(connection: &Connection, place: &Place) -> Result<Option<Self>> {
        let sql = format!("select {COLUMNS} from run where tree = ? and path = ?");
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![place.tree(), place.path()])?;
        rows.next()?.map(Self::read).transpose()
    }

    /// The run with a key.
    pub(crate) fn of(connection: &Connection, key: i64) -> Result<Self> {
        let sql = format!("select {COLUMNS} from run where key = ?");
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query([key])?;
        let missing = || corrupt(format!("there is no run with key {key}, but records of it"));
        rows.next()?.map(Self::read).transpose()?.ok_or_else(missing)
    }
}

fn text<T: FromSql>(row: &Row<'_>, index: usize, key: i64) -> Result<T> {
    row.get(index).map_err(|_| corrupt(format!("the line of the run with key {key} is damaged")))
}

fn time(at: Option<Timestamp>) -> i64 {
    at.map_or(-1, |at| int(at.0))
}

fn status(standing: &Standing) -> Option<&'static str> {
    standing.ended.map(|ending| ending.status.name())
}

fn category(standing: &Standing) -> Option<&'static str> {
    standing.ended.and_then(|ending| ending.category).map(Category::name)
}

fn named<T: DeserializeOwned>(name: String) -> Result<T> {
    serde_json::from_value(Value::String(name)).map_err(|_| corrupt("not a name that we know"))
}
