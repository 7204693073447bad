//! Health, breakers and the operator's hand, beside an owner of the store and without one.

use consort::{Consort, prelude::*};

use crate::world::{Ended, World};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Ask {
    well: bool,
}

impl Request for Ask {
    const CALLEE: &'static str = "oracle";
    type Response = bool;
}

/// Answers when it is well.
struct Oracle;

impl Capability for Oracle {
    type Request = Ask;

    fn descriptor(&self) -> CapabilityDescriptor {
        CapabilityDescriptor {
            name: Name::new(Ask::CALLEE).unwrap(),
            version: Version::new(1, 0, 0),
            effect: Effect::Read,
            recompute: false,
            purpose: "Answers when it is well".into(),
        }
    }

    async fn invoke(&self, _: &StepContext, ask: Ask) -> StepResult<bool> {
        if ask.well {
            return Ok(Outcome::succeeded(true));
        }
        Err(StepError::new(Category::Internal, "not well"))
    }
}

async fn own(world: &World) -> Consort {
    std::fs::create_dir_all(world.store().parent().unwrap()).unwrap();
    Consort::builder().store(world.store()).capability(Oracle).build().await.unwrap()
}

async fn ask(owner: &Consort, well: bool) -> Result<bool, Category> {
    let answer = owner.facade().call(Context::default(), Ask { well }).await;
    answer.map(|outcome| outcome.value() == Some(&true)).map_err(|error| error.category())
}

/// Asks until the owner has shown what we wait for.
#[track_caller]
fn until(world: &World, args: &[&str], seen: impl Fn(&Value) -> bool) -> Value {
    // The owner shows itself every few seconds; a quick machine asks often in that time.
    for _ in 0..5_000 {
        let told = world.run(args).with_code(0).json();
        if seen(&told) {
            return told;
        }
    }
    panic!("the owner does not show it: {:?}", world.run(args));
}

#[test]
fn without_a_store_there_is_no_data_and_a_reason() {
    let world = World::new();
    let told = world.run(&["health", "--json"]).with_code(0).json();
    assert_eq!(told["no_data"], "there is no store yet");
    assert_eq!((&told["overall"], &told["callees"]), (&json!("no_data"), &json!([])));
    let Ended { out, err, .. } = world.run(&["breakers"]).with_code(0);
    assert_eq!((out.as_str(), err.as_str()), ("", "no data: there is no store yet\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_owner_sees_is_seen_beside_it_and_after_it() {
    let world = World::new();
    let owner = own(&world).await;
    for _ in 0..5 {
        assert_eq!(ask(&owner, false).await, Err(Category::Internal));
    }
    assert_eq!(ask(&owner, true).await, Err(Category::CircuitOpen));
    let open = |told: &Value| told["breakers"][0]["state"] == "open";
    let told = until(&world, &["breakers", "--json"], open);
    assert_eq!((&told["breakers"][0]["callee"], &told["live"]), (&json!("oracle"), &json!(true)));
    assert_eq!(told["process"], std::process::id());
    let told = world.run(&["health", "oracle", "--json"]).with_code(0).json();
    assert_eq!((&told["overall"], &told["callees"][0]["calls"]), (&json!("unhealthy"), &json!(5)));
    let told = world.run(&["health", "somebody", "--json"]).with_code(0).json();
    assert_eq!(told["no_data"], "`somebody` was not called by that process");

    owner.close().await.unwrap();
    let Ended { out, err, .. } = world.run(&["health"]).with_code(0);
    assert!(out.contains("oracle") && out.contains("unhealthy"), "{out}");
    assert!(err.contains("no process owns the store now"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn isolating_reaches_the_owner_and_ends_by_releasing() {
    let world = World::new();
    let owner = own(&world).await;
    assert_eq!(ask(&owner, true).await, Ok(true));
    let args = ["isolate", "oracle", "--reason", "it lies", "--json"];
    assert_eq!(world.run(&args).with_code(0).json()["done"], "isolated");
    assert_eq!(ask(&owner, true).await, Err(Category::CircuitOpen));
    let told = world.run(&["health", "--json"]).with_code(0).json();
    assert_eq!(told["isolations"][0]["reason"], "it lies");
    assert_eq!(world.run(&["release", "oracle", "--json"]).with_code(0).json()["done"], "released");
    assert_eq!(ask(&owner, true).await, Ok(true));
    assert_eq!(world.run(&["release", "oracle", "--json"]).with_code(3).json()["done"], "nothing");
    world.run(&["isolate", "orakel"]).with_code(11);
    world.run(&["reset", "oracle"]).with_code(0);
    owner.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_isolated_without_an_owner_is_isolated_for_the_next_one() {
    let world = World::new();
    let ended = world.run(&["isolate", "acquire/example.org"]).with_code(0);
    assert_eq!(ended.err, "acquire/example.org: isolated; to end that: consort release\n");
    world.run(&["isolate", "aquire"]).with_code(11);
    let told = world.run(&["isolate", "acquire/"]).with_code(10).err;
    assert!(told.contains("`acquire/` names no endpoint; all of them are `acquire`"), "{told}");
    assert_eq!(world.runs()[0]["orchestrator"], "isolation");

    let owner = own(&world).await;
    let isolations = async || {
        let operate = json!({"operation": "health"});
        let answer = owner.facade().orchestrate("resilience", Context::default(), operate).await;
        let Outcome::Succeeded { value } = answer.unwrap() else { panic!("a report") };
        value["report"]["isolations"].as_array().unwrap().len()
    };
    assert_eq!(isolations().await, 1);
    world.run(&["release", "acquire/example.org"]).with_code(0);
    assert_eq!(isolations().await, 0);
    owner.close().await.unwrap();
    let told = world.run(&["reset", "acquire", "--json"]).with_code(3).json();
    assert_eq!(told["reason"], "nothing is remembered of `acquire`");
}

#[tokio::test(flavor = "multi_thread")]
async fn guards_of_the_owner_change_while_it_runs() {
    let world = World::new();
    let args = ["configure", "oracle", "--set", "breaker.consecutive_failures=1"];
    let ended = world.run(&args).with_code(3);
    assert!(ended.err.contains("no process owns the store"), "{ended:#?}");
    let owner = own(&world).await;
    assert_eq!(ask(&owner, false).await, Err(Category::Internal));
    assert_eq!(ask(&owner, true).await, Ok(true), "one failure opens nothing");
    let ended = world.run(&args).with_code(0);
    let warning = "warning: `oracle` is not known here; the owner may know it\n";
    assert_eq!(ended.err, format!("{warning}oracle: taken by the owner of the store\n"));
    assert_eq!(ask(&owner, false).await, Err(Category::Internal));
    assert_eq!(ask(&owner, true).await, Err(Category::CircuitOpen));
    world.run(&["configure", "oracle", "--set", "breaker=off", "--json"]).with_code(0);
    assert_eq!(ask(&owner, true).await, Ok(true), "what is off refuses nobody");

    let refused = |what: &str| world.run(&["configure", "oracle", "--set", what]).with_code(40).err;
    let told = refused("bulkhead.limit=0");
    assert!(told.contains("`bulkhead.limit` must be 1 to 100000, not 0"), "{told}");
    let told = refused("breaker.colour=1");
    assert!(told.contains("unknown field `colour`"), "{told}");
    let told = refused("rate.tokens=many");
    assert!(told.contains("`rate.tokens`: invalid type: string \"many\""), "{told}");
    let told = refused("bulkhead=on");
    assert!(told.contains("`bulkhead`") && told.contains("or \"off\""), "{told}");
    world.run(&["configure", "oracle"]).with_code(10);
    for name in ["", "oracle/", "resilience", "or acle"] {
        world.run(&["configure", name, "--set", "hedge=off"]).with_code(10);
    }
    owner.close().await.unwrap();
}

#[test]
fn what_is_released_is_released_for_whoever_looks_next() {
    let world = World::new();
    world.run(&["isolate", "acquire/example.org"]).with_code(0);
    assert_eq!(world.runs()[0]["state"], "waiting");
    let told = world.run(&["release", "acquire"]).with_code(3).err;
    assert_eq!(told, "acquire: `acquire` is not isolated; what is: `acquire/example.org`\n");
    world.run(&["release", "acquire/example.org"]).with_code(0);
    assert_eq!(world.runs()[0]["state"], "ended");
    let told = world.run(&["health", "--json"]).with_code(0).json();
    assert_eq!(told["isolations"], json!([]));
    world.run(&["release", "acquire/example.org"]).with_code(3);
}

#[test]
fn guards_are_what_the_configuration_says() {
    let world = World::new();
    let text = "[resilience.callees.acquire]\nguards.bulkhead.limit = 2\nguards.retry = 'off'";
    let file = world.file("consort.toml", text);
    let args = ["describe", "acquire", "--json", "--config", &file];
    let told = world.run(&args).with_code(0).json();
    let guards = told["guards"].as_array().unwrap();
    let names: Vec<&str> = guards.iter().filter_map(|guard| guard["name"].as_str()).collect();
    assert!(names.contains(&"breaker") && !names.contains(&"retry"), "{names:?}");
    let bulkhead = guards.iter().find(|guard| guard["name"] == "bulkhead").unwrap();
    assert!(bulkhead["settings"].as_str().unwrap().starts_with("2 "), "{bulkhead}");

    world.file("consort.toml", "[resilience.callees.'aquire/a.example']\npreset = 'search'");
    let ended = world.run(&args).with_code(0);
    let warning = "warning: `resilience.callees.aquire/a.example` is about nobody here\n";
    assert_eq!(ended.err, warning);

    world.file("consort.toml", "[resilience]\ncallee.acquire.preset = 'search'");
    let ended = world.run(&args).with_code(40);
    assert!(ended.err.contains("`consort.toml`, line 2: unknown field `callee`"), "{ended:#?}");
    world.run(&["list", "--config", "missing.toml"]).with_code(40);
}

#[test]
fn an_isolation_is_no_unfinished_work() {
    let world = World::new();
    world.run(&["isolate", "acquire/example.org"]).with_code(0);
    let file = world.file("a.txt", crate::world::text(1));
    let ended = world.run(&["analyze", &file]).with_code(0);
    assert!(!ended.err.contains("unfinished"), "{ended:#?}");
    world.run(&["resume"]).with_code(0);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn watching_tells_what_changes_until_it_is_ended() {
    let world = World::new();
    let owner = own(&world).await;
    assert_eq!(ask(&owner, true).await, Ok(true));
    until(&world, &["breakers", "--json"], |told| told["breakers"][0]["state"] == "closed");
    let mut watching = world.start(&["breakers", "--watch", "--json"]);
    watching.until("watching");
    watching.signal("INT");
    let ended = watching.finish().with_code(130);
    for told in ended.documents() {
        assert_eq!(told["breakers"][0]["callee"], "oracle");
    }
    owner.close().await.unwrap();
}
