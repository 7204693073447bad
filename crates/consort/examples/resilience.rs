//! Three mirrors of one source: calls go to whoever is well and quick, and an operator can take one
//! out.

use std::time::Duration;

use consort::prelude::*;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Fetch {
    page: u32,
}

impl Request for Fetch {
    const CALLEE: &'static str = "mirror_a";
    type Response = String;
}

/// One mirror; fails, or takes its time.
struct Mirror {
    name: &'static str,
    takes: Duration,
    fails: bool,
}

impl Capability for Mirror {
    type Request = Fetch;

    fn descriptor(&self) -> CapabilityDescriptor {
        CapabilityDescriptor {
            name: Name::new(self.name).expect("a valid name"),
            version: Version::new(1, 0, 0),
            effect: Effect::Read,
            recompute: false,
            purpose: "One of three mirrors".into(),
        }
    }

    async fn invoke(&self, _: &StepContext, fetch: Fetch) -> StepResult<String> {
        tokio::time::sleep(self.takes).await;
        if self.fails {
            return Err(StepError::new(Category::Network, "connection reset"));
        }
        Ok(Outcome::succeeded(format!("page {} of {}", fetch.page, self.name)))
    }
}

/// Reads `pages` pages; how many came from each mirror.
async fn read(consort: &Consort, pages: u32) -> Result<[u32; 3], StepError> {
    let mut counts = [0; 3];
    for page in 0..pages {
        let execute = json!({
            "operation": "execute", "strategy": "adaptive_routing",
            "callee": "mirrors", "request": {"page": page},
            "endpoints": ["mirror_a", "mirror_b", "mirror_c"],
        });
        let answer =
            consort.facade().orchestrate("resilience", Context::default(), execute).await?;
        let by = answer.value().and_then(|value| value["by"].as_str()).unwrap_or_default();
        for (count, name) in counts.iter_mut().zip(["mirror_a", "mirror_b", "mirror_c"]) {
            *count += u32::from(by == name);
        }
    }
    Ok(counts)
}

/// Runs the example.
#[tokio::main]
pub(crate) async fn main() -> Result<(), StepError> {
    let mirror = |name, millis, fails| Mirror { name, takes: Duration::from_millis(millis), fails };
    let consort = Consort::builder()
        .capability(mirror("mirror_a", 1, false))
        .capability(mirror("mirror_b", 1, false))
        .capability(mirror("mirror_c", 0, true))
        .build()
        .await?;
    let [a, b, c] = read(&consort, 60).await?;
    assert!(a > 0 && b > 0, "the work is shared: {a} and {b}");
    assert_eq!(c, 0, "no answer comes from a mirror that fails");

    let isolate = json!({"operation": "isolate", "callee": "mirror_a", "reason": "maintenance"});
    consort.facade().orchestrate("resilience", Context::default(), isolate).await?;
    assert_eq!(read(&consort, 20).await?, [0, 20, 0]);

    let health = json!({"operation": "health"});
    let health = consort.facade().orchestrate("resilience", Context::default(), health).await?;
    let report = health.value().map(|value| value["report"].clone()).unwrap_or_default();
    for callee in report["callees"].as_array().into_iter().flatten() {
        match (callee["callee"].as_str(), callee["health"].as_str()) {
            (Some("mirror_a"), health) => assert_eq!(health, Some("isolated")),
            (Some("mirror_b"), health) => assert_eq!(health, Some("healthy")),
            // It was left alone so soon that there may be too few calls to judge it.
            (_, health) => assert!(matches!(health, Some("no_data" | "unhealthy")), "{health:?}"),
        }
    }
    consort.close().await?;
    Ok(())
}
