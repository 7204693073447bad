//! The stored form of the whole state: equal states are equal bytes.
//!
//! ```text
//! "CSLN" | version u32 | parts: length u64, bytes
//! ```
//! The first part is the ledger as JSON. From version 2 on, the second one is the number of
//! domains. Then, for each domain, come its key and book as JSON and its learner in the bandits'
//! own stored form; after them the contenders of experiments, in the same form and in their order.

use consort_bandit::{codec, learner::Learner};
use consort_core::{Category, StepError};

use super::{
    config::Config,
    domain::{Book, Domain},
    spec::Policy,
    state::{Key, Ledger, State},
    trial::Trial,
};

const MAGIC: &[u8; 4] = b"CSLN";
const VERSION: u32 = 2;

impl State {
    /// The stored form.
    ///
    /// # Errors
    ///
    /// `internal` when a value cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, StepError> {
        let mut out = Vec::new();
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        part(&mut out, &json(&self.ledger)?);
        part(&mut out, &json(&self.domains.len())?);
        let rivals = self.rivals.iter().flat_map(|(key, all)| all.iter().map(move |d| (key, d)));
        for (key, domain) in self.domains.iter().chain(rivals) {
            part(&mut out, &json(&(key, &domain.book))?);
            part(&mut out, &codec::to_bytes(&domain.learner));
        }
        Ok(out)
    }

    /// Reads a stored form.
    ///
    /// # Errors
    ///
    /// `store_too_new` for one of a newer build, `store_corrupt` for anything else that is wrong.
    pub fn from_bytes(bytes: &[u8], config: Config) -> Result<Self, StepError> {
        let mut rest = bytes.strip_prefix(MAGIC).ok_or_else(|| damaged("has another form"))?;
        let version = u32::from_le_bytes(take(&mut rest)?);
        if version > VERSION {
            let message =
                format!("what was learned has form {version}, this build knows {VERSION}");
            return Err(StepError::new(Category::StoreTooNew, message));
        }
        let ledger: Ledger = parse(next(&mut rest)?)?;
        let domains: usize = if version < 2 { usize::MAX } else { parse(next(&mut rest)?)? };
        let mut state = Self::new(config);
        while !rest.is_empty() {
            let (key, book): (Key, Book) = parse(next(&mut rest)?)?;
            let learner: Learner<Policy> = codec::from_bytes(next(&mut rest)?)
                .map_err(|error| damaged("holds a damaged learner").because(&error))?;
            let domain = Domain::restored(book, learner)
                .map_err(|error| damaged("holds a damaged policy").because(&error))?;
            if state.domains.len() < domains {
                state.domains.insert(key, domain);
            } else {
                state.rivals.entry(key).or_default().push(domain);
            }
        }
        state.by_decision =
            ledger.routes.iter().map(|(_, id, route)| (*id, route.clone())).collect();
        state.known = ledger.seen.iter().copied().collect();
        for early in &ledger.early {
            *state.early.entry(early.decision).or_default() += 1;
        }
        let counts = |(key, trial): (&Key, &Trial)| {
            state.rivals.get(key).map_or(0, Vec::len) == trial.names.len()
        };
        if !ledger.trials.iter().all(counts) || state.rivals.len() != ledger.trials.len() {
            return Err(damaged("lacks contenders of an experiment"));
        }
        state.ledger = ledger;
        Ok(state)
    }

    /// A digest of the stored form.
    ///
    /// # Errors
    ///
    /// As [`Self::to_bytes`].
    pub fn digest(&self) -> Result<String, StepError> {
        Ok(blake3::hash(&self.to_bytes()?).to_hex().to_string())
    }
}

fn part(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn next<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], StepError> {
    let length = u64::from_le_bytes(take(rest)?);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let (part, after) = rest.split_at_checked(length).ok_or_else(|| damaged("is cut off"))?;
    *rest = after;
    Ok(part)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], StepError> {
    let (head, after) = rest.split_first_chunk::<N>().ok_or_else(|| damaged("is cut off"))?;
    *rest = after;
    Ok(*head)
}

fn json<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, StepError> {
    serde_json::to_vec(value).map_err(|error| {
        StepError::new(Category::Internal, "the state cannot be written").because(&error)
    })
}

fn parse<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, StepError> {
    serde_json::from_slice(bytes).map_err(|error| damaged("makes no sense").because(&error))
}

fn damaged(how: &str) -> StepError {
    StepError::new(Category::StoreCorrupt, format!("the snapshot of what was learned {how}"))
        .hint("restore the learning log from a backup; the store of runs is not affected")
}
