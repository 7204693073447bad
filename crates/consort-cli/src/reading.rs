//! The store as those see it who only read, beside whoever owns it.

use std::{sync::Arc, time::Duration};

use consort::{
    core::{
        Category, RunId, StepError,
        journal::{Journal, Message, MessageId},
    },
    durable::sqlite::{self, SqliteReader},
};

use crate::{
    fail::Failure,
    settings::{Place, Settings},
};

/// Between two looks at what an owner does.
pub(crate) const LOOK: Duration = Duration::from_millis(50);

/// The store, or `None` when the user named none and there is none yet.
pub(crate) async fn open(settings: &Settings) -> Result<Option<Arc<dyn Journal>>, StepError> {
    let place = settings.store()?.clone();
    let missing = !place.path.exists();
    if missing && !place.named {
        return Ok(None);
    }
    match blocking(move || SqliteReader::open(&place.path)).await? {
        Ok(reader) => Ok(Some(Arc::new(reader))),
        Err(error) if missing => {
            Err(StepError::from(error).hint("check the path; the first run makes the file"))
        }
        Err(error) => Err(error.into()),
    }
}

/// The store, for a command that is about something in it.
pub(crate) async fn needed(settings: &Settings) -> Result<Arc<dyn Journal>, StepError> {
    open(settings).await?.ok_or_else(|| {
        let message = match settings.store() {
            Ok(place) => format!("there is no store `{}` yet", place.path.display()),
            Err(_) => "there is no store yet".to_owned(),
        };
        StepError::new(Category::NotFound, message).hint("run something first")
    })
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Posted {
    /// The owner has taken it.
    Taken,
    /// It waits for the owner, or for the next one.
    Queued,
}

/// Asks the owner of the store for something and waits a little for it to be taken.
pub(crate) async fn post(
    place: &Place,
    journal: &dyn Journal,
    message: Message,
) -> Result<Posted, StepError> {
    let path = place.path.clone();
    let id = blocking(move || sqlite::post(path, &message)).await??;
    let patience = journal.inbox_delay() * 2;
    let taken = async {
        while waits(journal, id).await? {
            tokio::time::sleep(LOOK).await;
        }
        Ok(Posted::Taken)
    };
    tokio::time::timeout(patience, taken).await.unwrap_or(Ok(Posted::Queued))
}

/// True while nobody has taken the message.
pub(crate) async fn waits(journal: &dyn Journal, id: MessageId) -> Result<bool, StepError> {
    Ok(journal.inbox().await?.iter().any(|(waiting, _)| *waiting == id))
}

/// The run that `text` means.
pub(crate) async fn find(settings: &Settings, text: &str) -> Result<RunId, Failure> {
    let journal = needed(settings).await?;
    Ok(crate::run_ref::find(&*journal, text).await?)
}

/// Does what blocks away from the threads that answer.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StepError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        StepError::new(Category::Internal, "work in the background broke off").because(&error)
    })
}
