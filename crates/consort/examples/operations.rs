//! An application orchestrator: one request, several operations, and state that they share. A
//! dependency is looked for when it is first needed.

use std::{collections::BTreeMap, sync::Mutex};

use consort::prelude::*;

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(tag = "operation", rename_all = "snake_case")]
enum Desk {
    /// Hands a job to whoever has the least to do.
    Assign { job: String },
    /// One job is done.
    Done { clerk: String },
    /// Open jobs of everybody.
    Load,
}

impl Request for Desk {
    const CALLEE: &'static str = "desk";
    type Response = BTreeMap<String, u32>;
}

#[derive(Default)]
struct FrontDesk {
    open: Mutex<BTreeMap<String, u32>>,
}

impl FrontDesk {
    fn load(&self) -> BTreeMap<String, u32> {
        self.open.lock().expect("nobody panics while holding it").clone()
    }
}

impl Orchestrator for FrontDesk {
    type Request = Desk;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: Name::new("desk").expect("a valid name"),
            version: Version::new(1, 0, 0),
            layer: Layer::Application,
            kind: Kind::Coordination,
            durability: Durability::Ephemeral,
            purpose: "Spreads jobs over clerks".into(),
        }
    }

    async fn orchestrate(&self, cx: &Context, request: Desk) -> StepResult<BTreeMap<String, u32>> {
        match request {
            Desk::Assign { job } => {
                if self.load().is_empty() {
                    let clerks: Vec<String> = cx.call(Clerks).value().await?;
                    let mut open = self.open.lock().expect("nobody panics while holding it");
                    // Somebody else may have asked meanwhile.
                    clerks.into_iter().for_each(|clerk| _ = open.entry(clerk).or_default());
                }
                let mut open = self.open.lock().expect("nobody panics while holding it");
                match open.iter_mut().min_by_key(|(_, jobs)| **jobs) {
                    Some((_, jobs)) => *jobs += 1,
                    None => return Ok(Outcome::skipped(format!("nobody is there for `{job}`"))),
                }
            }
            Desk::Done { clerk } => {
                let mut open = self.open.lock().expect("nobody panics while holding it");
                if let Some(jobs) = open.get_mut(&clerk) {
                    *jobs = jobs.saturating_sub(1);
                }
            }
            Desk::Load => {}
        }
        Ok(Outcome::succeeded(self.load()))
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Clerks;

impl Request for Clerks {
    const CALLEE: &'static str = "clerks";
    type Response = Vec<String>;
}

struct Staff;

impl Capability for Staff {
    type Request = Clerks;

    fn descriptor(&self) -> CapabilityDescriptor {
        CapabilityDescriptor {
            name: Name::new("clerks").expect("a valid name"),
            version: Version::new(1, 0, 0),
            effect: Effect::Read,
            recompute: false,
            purpose: "Says who is on duty".into(),
        }
    }

    async fn invoke(&self, _cx: &StepContext, _request: Clerks) -> StepResult<Vec<String>> {
        Ok(Outcome::succeeded(vec!["Bo".into(), "Cy".into()]))
    }
}

/// Runs the example.
#[tokio::main]
pub(crate) async fn main() -> Result<(), StepError> {
    let desk = FrontDesk::default();
    let consort = Consort::builder().capability(Staff).orchestrator(desk).build().await?;
    let facade = consort.facade();
    for job in ["stamp", "file", "post"] {
        let assign = json!({"operation": "assign", "job": job});
        facade.orchestrate("desk", Context::default(), assign).await?;
    }
    facade.call(Context::default(), Desk::Done { clerk: "Bo".into() }).await?;
    let load = facade.call(Context::default(), Desk::Load).await?;
    let expected = BTreeMap::from([("Bo".into(), 1), ("Cy".into(), 1)]);
    assert_eq!(load.value(), Some(&expected));

    let unknown = json!({"operation": "close"});
    let refused = facade.orchestrate("desk", Context::default(), unknown).await;
    assert!(refused.is_err_and(|error| error.category() == Category::InvalidRequest));
    consort.close().await?;
    Ok(())
}
