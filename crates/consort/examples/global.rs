//! A process-wide engine, for programs that cannot hand one around. Nothing inside depends on it.

use consort::prelude::*;

/// Somewhere deep in an older program.
async fn registered() -> Option<usize> {
    Some(global()?.facade().list().len())
}

/// Runs the example.
#[tokio::main]
pub(crate) async fn main() -> Result<(), StepError> {
    assert_eq!(registered().await, None);
    let consort = Consort::builder().build().await?;
    consort.make_global()?;
    assert!(registered().await.is_some_and(|orchestrators| orchestrators > 0));

    let second = consort.make_global();
    assert!(second.is_err_and(|error| error.category() == Category::Conflict));
    consort.close().await?;
    Ok(())
}
