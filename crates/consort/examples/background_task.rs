//! An infrastructure orchestrator: work in the background that begins with `start`, belongs to a
//! scope, and has ended when the engine has closed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use consort::prelude::*;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Beats;

impl Request for Beats {
    const CALLEE: &'static str = "heart";
    type Response = u64;
}

#[derive(Clone, Default)]
struct Heart {
    beats: Arc<AtomicU64>,
}

impl Orchestrator for Heart {
    type Request = Beats;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: Name::new("heart").expect("a valid name"),
            version: Version::new(1, 0, 0),
            layer: Layer::Infrastructure,
            kind: Kind::Monitoring,
            durability: Durability::Ephemeral,
            purpose: "Beats".into(),
        }
    }

    async fn start(&self, tasks: &TaskScope) -> Result<(), StepError> {
        let beats = self.beats.clone();
        // Started again, after growing pauses, should it panic.
        tasks.spawn("beat", move |stop| {
            let beats = beats.clone();
            async move {
                loop {
                    beats.fetch_add(1, Ordering::Relaxed);
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(Duration::from_millis(1)) => {}
                    }
                }
            }
        });
        Ok(())
    }

    async fn orchestrate(&self, _cx: &Context, _request: Beats) -> StepResult<u64> {
        Ok(Outcome::succeeded(self.beats.load(Ordering::Relaxed)))
    }
}

/// Runs the example.
#[tokio::main]
pub(crate) async fn main() -> Result<(), StepError> {
    let heart = Heart::default(); // Nothing starts here.
    let consort = Consort::builder().orchestrator(heart.clone()).build().await?;
    while consort.facade().call(Context::default(), Beats).await?.value() == Some(&0) {
        tokio::task::yield_now().await;
    }
    consort.close().await?;
    let at_rest = heart.beats.load(Ordering::Relaxed);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(heart.beats.load(Ordering::Relaxed), at_rest);
    Ok(())
}
