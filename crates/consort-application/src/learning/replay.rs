//! Reading the log again: at the start, and to check that what is known is what the log says.

use consort_core::{
    StepError,
    learning::{LearningLog, Record},
};

use super::{Config, Learning, State};

impl Learning {
    /// Builds the state anew from the log and compares it with the one in use, bit for bit.
    ///
    /// # Errors
    ///
    /// Those of the log.
    pub async fn replay(&self) -> Result<Replayed, StepError> {
        let log = self.log().await?;
        self.flush().await?;
        let (config, until, digest) = {
            let state = self.state();
            (state.config().clone(), state.position(), state.digest()?)
        };
        let whole = log.extent().await?.first <= 1;
        let mut fresh = State::new(config.clone());
        if !whole && let Some(snapshot) = log.snapshot().await? {
            fresh = State::from_bytes(&snapshot.state, config)?;
        }
        let from = fresh.position();
        catch_up(&*log, &mut fresh, until).await?;
        let equal = fresh.digest()? == digest;
        Ok(Replayed { from, until, records: until - from, digest, equal })
    }
}

/// What a replay found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Position that it began after: 0, or that of the snapshot where the log was trimmed.
    pub from: u64,
    /// Position of the last record.
    pub until: u64,
    /// Records applied.
    pub records: u64,
    /// Digest of the state in use.
    pub digest: String,
    /// True when the rebuilt state is the same, bit for bit.
    pub equal: bool,
}

/// What a log says is known: its snapshot and the records after it.
///
/// # Errors
///
/// Those of the log and of the snapshot.
pub async fn load(log: &dyn LearningLog, config: Config) -> Result<State, StepError> {
    let mut state = match log.snapshot().await? {
        Some(snapshot) => State::from_bytes(&snapshot.state, config)?,
        None => State::new(config),
    };
    catch_up(log, &mut state, u64::MAX).await?;
    Ok(state)
}

async fn catch_up(log: &dyn LearningLog, state: &mut State, until: u64) -> Result<(), StepError> {
    read_through(log, state.position(), until, |position, record| {
        state.apply(position, record);
        Ok(())
    })
    .await
}

/// Shows the records after `after`, up to `until`, in their order.
pub(super) async fn read_through(
    log: &dyn LearningLog,
    after: u64,
    until: u64,
    mut see: impl FnMut(u64, &Record) -> Result<(), StepError> + Send,
) -> Result<(), StepError> {
    let mut last = after;
    loop {
        let records = log.read(last, 4096).await?;
        if records.is_empty() {
            return Ok(());
        }
        for (position, record) in records {
            if position > until {
                return Ok(());
            }
            see(position, &record)?;
            last = position;
        }
        // A long log must not hold up everything else.
        tokio::task::yield_now().await;
    }
}
