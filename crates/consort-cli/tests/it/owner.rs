//! Commands beside a process that owns the store: here, this one.

use std::io::{Read, Write};

use consort::{
    Consort, capabilities,
    core::{
        RunHandle,
        journal::{Journal, RunFilter},
    },
    durable::sqlite::SqliteReader,
    prelude::*,
};

use crate::world::{PATIENCE, World};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Approve {}

impl Request for Approve {
    const CALLEE: &'static str = "approve";
    type Response = Value;
}

/// Waits for an editor.
struct Approval;

impl Orchestrator for Approval {
    type Request = Approve;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: Name::new(Approve::CALLEE).unwrap(),
            version: Version::new(1, 0, 0),
            layer: Layer::Domain,
            kind: Kind::Sequential,
            durability: Durability::Durable,
            purpose: "Waits for an editor".into(),
        }
    }

    async fn orchestrate(&self, cx: &Context, _: Approve) -> StepResult<Value> {
        let answer: Value = cx.wait_for("answer", None).await?;
        Ok(Outcome::succeeded(answer))
    }
}

/// An owner of the world's store.
async fn own(world: &World) -> Consort {
    std::fs::create_dir_all(world.store().parent().unwrap()).unwrap();
    let mut config = capabilities::Config::default();
    config.egress.allow = vec!["127.0.0.1".to_owned()];
    config.fetch.robots = false;
    let builder = Consort::builder().store(world.store()).capabilities(config);
    builder.orchestrator(Approval).build().await.unwrap()
}

async fn waiting(owner: &Consort) -> (RunHandle, String) {
    let request = json!({});
    let handle = owner.facade().start_run("approve", Context::default(), request).await.unwrap();
    let id = handle.id().unwrap().to_string();
    (handle, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_reaches_the_run_through_its_owner() {
    let world = World::new();
    let owner = own(&world).await;
    let (handle, id) = waiting(&owner).await;
    let args = ["signal", &id, "answer", "--data", "{\"ok\": true}", "--json"];
    assert_eq!(world.run(&args).with_code(0).json()["done"], "taken");
    assert_eq!(handle.await.unwrap().value(), Some(&json!({ "ok": true })));

    world.run(&["signal", &id, "answer"]).with_code(12);
    world.run(&["signal", &id, "no spaces"]).with_code(2);
    world.run(&["signal", &id, "answer", "--data", "{oops"]).with_code(2);
    world.run(&["signal", "ABCDEFGH", "answer"]).with_code(11);
    owner.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_reaches_the_run_through_its_owner() {
    let world = World::new();
    let owner = own(&world).await;
    let (handle, id) = waiting(&owner).await;
    world.run(&["cancel", &id[18..]]).with_code(0);
    assert_eq!(handle.await.unwrap_err().category(), Category::Cancelled);
    world.run(&["cancel", &id]).with_code(12);
    owner.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_without_an_owner_waits_for_the_next_one() {
    let world = World::new();
    let owner = own(&world).await;
    let (_, id) = waiting(&owner).await;
    owner.suspend().await.unwrap();
    let args = ["signal", &id, "answer", "--data", "7", "--json"];
    assert_eq!(world.run(&args).with_code(0).json()["done"], "recorded");
    let drawn = world.run(&["show", &id]).with_code(0).out;
    assert!(drawn.contains("event `answer`"), "{drawn}");

    let owner = own(&world).await;
    let run = RunId::new(&id).unwrap();
    let answer = owner.facade().attach_to(&run).await.unwrap().await.unwrap();
    assert_eq!(answer.value(), Some(&json!(7)));
    owner.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_need_no_ownership() {
    let world = World::new();
    let owner = own(&world).await;
    let (_handle, id) = waiting(&owner).await;
    let listed = world.run(&["runs"]).with_code(0).out;
    assert!(listed.contains(&id[18..]) && listed.contains("approve"), "{listed}");
    let drawn = world.run(&["show", &id]).with_code(0).out;
    assert!(drawn.contains("approve 1.0.0"), "{drawn}");
    assert!(world.run(&["store", "check"]).with_code(0).out.contains("sound"));
    world.run(&["store", "backup", "copy.db"]).with_code(0);
    // Nothing that they do disturbs the owner.
    assert_eq!(owner.facade().runs(RunFilter::default()).await.unwrap().len(), 1);
    owner.suspend().await.unwrap();
}

fn analysis(world: &World) -> String {
    world.file("a.txt", crate::world::text(1));
    let request = json!({ "source": { "file": world.path("a.txt") } });
    world.file("request.json", request.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_done_by_the_owner_and_followed_to_its_end() {
    let world = World::new();
    let owner = own(&world).await;
    let input = analysis(&world);
    let args = ["run", "fallback_autonomous", "--input", &input, "--json"];
    let told = world.run(&args).with_code(0).json();
    assert_eq!(told["status"], "succeeded");
    assert_eq!(told["run"], world.runs()[0]["run"]);

    let ended = world.run(&[&args[..4], &["--detach"]].concat()).with_code(0);
    let run = RunId::new(ended.out.trim()).unwrap();
    assert!(ended.err.contains("the owner of the store works on it"), "{ended:#?}");
    assert!(owner.facade().attach_to(&run).await.unwrap().await.is_ok());
    owner.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_holds_across_processes() {
    let world = World::new();
    let owner = own(&world).await;
    let input = analysis(&world);
    let args = ["run", "fallback_autonomous", "--input", &input, "--json", "--key", "once"];
    let first = world.run(&args).with_code(0).json();
    let second = world.run(&args).with_code(0).json();
    assert_eq!(first["run"], second["run"]);
    let reader = SqliteReader::open(world.store()).unwrap();
    assert!(reader.inbox().await.unwrap().is_empty(), "the second request is dealt with as well");
    owner.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_the_owner_refuses_is_a_failure_here() {
    let world = World::new();
    let owner = own(&world).await;
    let input = world.file("request.json", "{\"source\": 5}");
    let ended = world.run(&["run", "fallback_autonomous", "--input", &input]).with_code(10);
    assert!(ended.err.contains("does not match its schema"), "{ended:#?}");
    let ended = world.run(&["run", "acquire", "--input", &input]).with_code(50);
    assert!(ended.err.contains("only durable"), "{ended:#?}");
    owner.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_ownership_says_who_has_it() {
    let world = World::new();
    let owner = own(&world).await;
    let (_handle, id) = waiting(&owner).await;
    let store = world.store().to_string_lossy().into_owned();
    let file = world.file("a.txt", crate::world::text(1));
    for args in
        [&["fork", &id, "--from", "0"][..], &["analyze", &file, "--store", &store], &["resume"]]
    {
        let ended = world.run(args).with_code(50);
        let pid = std::process::id().to_string();
        assert!(ended.err.contains(&pid) && ended.err.contains("hint: "), "{ended:#?}");
    }
    // Without a store of one's own choice the main job does without.
    let ended = world.run(&["analyze", &file]).with_code(0);
    assert!(ended.err.starts_with("warning: nothing is recorded"), "{ended:#?}");
    assert!(ended.out.starts_with("# a.txt"));
    let ended = world.run(&["resume", &id]).with_code(0);
    assert!(ended.err.contains("the owner of the store works on it"), "{ended:#?}");
    owner.suspend().await.unwrap();
}

/// Gives everyone who asks a page. Lasts as long as the tests.
fn answer_from_now_on(listener: std::net::TcpListener) {
    listener.set_nonblocking(false).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // What is asked is known; it must only be taken before the connection is closed.
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
            let text = crate::world::text(1);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", text.len());
            stream.write_all((head + &text).as_bytes()).unwrap();
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_a_run_takes_over_from_an_owner_that_left() {
    let world = World::new();
    let owner = own(&world).await;
    // The run cannot end while the page that it asked for does not come.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let request = json!({ "source": { "url": format!("http://{host}/") } });
    let input = world.file("request.json", request.to_string());
    let args = ["run", "fallback_autonomous", "--input", &input, "--json"];
    let following = world.start(&[&args[..], &["--allow", &host, "--ignore-robots"]].concat());
    let accepted = tokio::time::timeout(PATIENCE, listener.accept()).await;
    let (held, _) = accepted.expect("the owner asks").unwrap();
    owner.suspend().await.unwrap();
    drop(held);
    answer_from_now_on(listener.into_std().unwrap());
    let ended = following.finish().with_code(0);
    assert!(ended.err.contains("the owner of the store is gone; going on here"), "{ended:#?}");
    assert_eq!(ended.json()["status"], "succeeded");
    assert_eq!(world.runs().len(), 1);
}
