//! Decisions and feedback from the command line.

use consort::{
    Consort,
    application::unified_feedback::Operation,
    core::{Context, Request},
};
use serde_json::{Value, json};

use crate::world::World;

const STORY: &str = "The bridge over the river opened in 1932 after nine years of work. It carries \
    a hundred thousand vehicles across the river every single day, the city says. Repairs will \
    cost forty million dollars, the mayor told reporters on Tuesday. The council will vote on the \
    plan in May, and the work is expected to take three years. Engineers found cracks in two of \
    the main cables last autumn. Traffic was limited to one lane in each direction since then.";

fn page(number: usize) -> String {
    let menu = "<nav><a href=/>Home</a> <a href=/news>News</a> <a href=/about>About</a></nav>";
    format!(
        "<html><head><title>Bridge {number}</title></head><body>{menu}<article><h1>Bridge \
         {number}</h1><p>{STORY}</p><p>Report number {number} of the series about the bridge was \
         written by the desk for local news and checked twice.</p></article><footer>All rights \
         reserved</footer></body></html>"
    )
}

fn domain<'a>(told: &'a Value, name: &str) -> &'a Value {
    let domains = told["domains"].as_array().unwrap();
    domains.iter().find(|domain| domain["domain"] == name).unwrap()
}

#[test]
fn analysing_many_pages_learns_and_every_choice_can_be_explained() {
    let world = World::new();
    let files: Vec<String> =
        (0..12).map(|n| world.file(&format!("page{n}.html"), page(n))).collect();
    let mut args = vec!["analyze", "--out", "reports/", "--quiet"];
    args.extend(files.iter().map(String::as_str));
    world.run(&args).with_code(0);

    let told = world.run(&["policies", "--json"]).with_code(0).json();
    for name in ["extraction_method", "summary_style"] {
        let domain = domain(&told, name);
        assert_eq!(
            (&domain["decisions"], &domain["rewards"]),
            (&json!(12), &json!(12)),
            "{domain}"
        );
        assert_eq!(domain["open"], 12, "open decisions may still get feedback");
        let mean = domain["mean"].as_f64().unwrap();
        assert!(mean > 0.3 && mean <= 1.0, "{mean}");
    }
    let drawn = world.run(&["arms", "extraction_method"]).with_code(0).out;
    assert!(drawn.contains("usual") && drawn.contains('●') && drawn.contains("SHARE"), "{drawn}");

    let run = world.runs()[0]["run"].as_str().unwrap().to_owned();
    let shown = world.run(&["show", &run, "--json"]).with_code(0).json();
    let entries = shown["entries"].as_array().unwrap();
    let decision = entries.iter().find(|entry| entry["entry"] == "decision").unwrap();
    let position = decision["position"].as_u64().unwrap();
    let id = format!("{run}/{position}");
    let explained = world.run(&["explain", &id, "--json"]).with_code(0).json();
    let odds: f64 = explained["candidates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|candidate| candidate["probability"].as_f64().unwrap())
        .sum();
    assert!((odds - 1.0).abs() < 1e-12);
    assert_eq!(explained["rewards"].as_array().unwrap().len(), 1);
    let short = format!("{}/{position}", &run[18..]);
    let again = ["feedback", "submit", &short, "0.7", "--id", "mine", "--json"];
    assert_eq!(world.run(&again).with_code(0).json()["fate"], "learned");
    assert_eq!(world.run(&again).with_code(0).json()["fate"], "duplicate");
    let explained = world.run(&["explain", &short, "--json"]).with_code(0).json();
    assert_eq!(explained["rewards"].as_array().unwrap().len(), 2, "a repeat is told once");
    let text = world.run(&["explain", &short]).with_code(0).out;
    assert!(text.contains("* ") && text.contains("reward "), "{text}");
}

#[test]
fn feedback_on_a_run_reaches_its_decisions_and_counts_once() {
    let world = World::new();
    let file = world.file("page.html", page(1));
    world.run(&["analyze", &file]).with_code(0);
    let run = world.runs()[0]["run"].as_str().unwrap().to_owned();
    let subject = format!("run:{}", &run[18..]);
    let submit = ["feedback", "submit", &subject, "0.9", "--id", "mine", "--json"];
    let told = world.run(&submit).with_code(0).json();
    assert_eq!(told, json!({"id": "mine", "stage": "accepted", "fate": "learned"}));
    assert_eq!(world.run(&submit).with_code(0).json()["fate"], "duplicate");
    let told = world.run(&["policies", "--json"]).with_code(0).json();
    assert_eq!(domain(&told, "summary_style")["rewards"], 2);
    let shown = world.run(&["show", &run, "--json"]).with_code(0).json();
    let entries = shown["entries"].as_array().unwrap();
    let decision = entries.iter().find(|entry| entry["entry"] == "decision").unwrap();
    let id = format!("{run}/{}", decision["position"]);
    let explained = world.run(&["explain", &id]).with_code(0).out;
    assert!(explained.contains(&format!("from user_explicit, on run {run}")), "{explained}");
    let stats = world.run(&["feedback", "stats", "--json"]).with_code(0).json();
    assert_eq!(
        (&stats["totals"]["signals"], &stats["totals"]["duplicate"]),
        (&json!(4), &json!(1))
    );
    assert!(world.run(&["feedback", "stats"]).with_code(0).out.contains("user_explicit"));
}

#[test]
fn feedback_that_makes_no_sense_is_refused_with_what_is_wrong() {
    let world = World::new();
    let refused = world.run(&["feedback", "submit", "mood:good", "0.5"]).with_code(10);
    assert!(refused.err.contains("`mood` is no kind of component"), "{refused:?}");
    let refused = world.run(&["feedback", "submit", "model:m", "1.5", "--json"]).with_code(10);
    assert!(refused.out.contains("/signal/reward"), "{refused:?}");
    let refused = world.run(&["feedback", "submit", "model:m", "-0.1"]).with_code(10);
    assert!(refused.err.contains("must be from 0 to 1"), "{refused:?}");
    world.run(&["feedback", "submit", "model:m", "1", "--category", "weather"]).with_code(2);
    let told = world.run(&["feedback", "submit", "no-such-decision", "1"]).with_code(0);
    assert!(told.out.contains("early") && told.err.contains("is not known yet"), "{told:?}");
    let told = world.run(&["feedback", "submit", "model:m", "1", "--json"]).with_code(0).json();
    assert_eq!(told["fate"], "unconsumed");
    let unknown = world.run(&["arms", "nothing"]).with_code(11);
    assert!(unknown.err.contains("nothing chooses `nothing`"), "{unknown:?}");
    world.run(&["explain", "nothing"]).with_code(11);
}

#[tokio::test(flavor = "multi_thread")]
async fn feedback_reaches_the_owner_of_the_store_through_its_inbox() {
    let world = World::new();
    std::fs::create_dir_all(world.store().parent().unwrap()).unwrap();
    let owner = Consort::builder().store(world.store()).build().await.unwrap();
    let told = world.run(&["feedback", "submit", "model:m", "0.5", "--id", "a", "--json"]);
    assert_eq!(told.with_code(0).json(), json!({"id": "a", "stage": "taken"}));
    let metrics = serde_json::to_value(Operation::Metrics).unwrap();
    let asked = owner.facade().orchestrate(Operation::CALLEE, Context::default(), metrics);
    let told = asked.await.unwrap().into_value().unwrap().0;
    assert_eq!(told["totals"]["signals"], 1);
    assert_eq!(told["totals"]["unconsumed"], 1);
    // Nobody waits for the owner's answer, so what it would refuse is refused here.
    world.run(&["feedback", "submit", "model:m", "1.5"]).with_code(10);
    // Others read beside the owner.
    let stats = world.run(&["feedback", "stats", "--json"]).with_code(0).json();
    assert_eq!(stats["totals"]["signals"], 1);
    owner.close().await.unwrap();
}

#[test]
fn names_from_outside_do_not_steer_the_terminal() {
    let world = World::new();
    let ask = json!({"operation": "decide", "component": "model", "domain": "d\u{1b}[2J",
        "candidates": ["\u{1b}[31mred", "größer"], "features": {"\u{7}": 1}});
    let ask = world.file("ask.json", ask.to_string());
    let told = world.run(&["run", "advanced_bandits", "--input", &ask]).with_code(0).json();
    let id = told["decision"]["id"].as_str().unwrap();
    for args in [&["policies"][..], &["arms", "größer"], &["feedback", "stats"], &["explain", id]]
    {
        let told = world.run(args).with_code(0).out;
        assert!(!told.contains('\u{1b}') && !told.contains('\u{7}'), "{told:?}");
    }
}

#[test]
fn other_policies_are_judged_by_the_log_or_refused_with_its_reason() {
    let world = World::new();
    world.run(&["evaluate", "--policy", "greedy"]).with_code(11);
    let files: Vec<String> =
        (0..6).map(|n| world.file(&format!("page{n}.html"), page(n))).collect();
    let mut args = vec!["analyze", "--out", "reports/", "--quiet"];
    args.extend(files.iter().map(String::as_str));
    world.run(&args).with_code(0);

    let told = world.run(&["evaluate", "--policy", "greedy", "--json"]).with_code(3).json();
    for one in told["evaluations"].as_array().unwrap() {
        assert_eq!((&one["decisions"], &one["rows"]), (&json!(6), &json!(6)), "{one}");
        assert!(one["refused"].as_str().unwrap().contains("100 are needed"), "{one}");
        assert!(one["estimate"].is_null() && one["interval"].is_null(), "{one}");
        assert!(one["logged"].as_f64().unwrap() > 0.0, "{one}");
    }
    let wrong = world.run(&["evaluate", "--policy", "magic:3"]).with_code(2).err;
    assert!(wrong.contains("`magic:3` is no policy"), "{wrong}");
    let wrong = world.run(&["evaluate", "nowhere", "--policy", "greedy"]).with_code(11).err;
    assert!(wrong.contains("`nowhere`") && wrong.contains("`summary_style`"), "{wrong}");
}

#[test]
fn an_experiment_is_started_watched_and_stopped_and_survives_each_process() {
    let world = World::new();
    let files: Vec<String> =
        (0..8).map(|n| world.file(&format!("page{n}.html"), page(n))).collect();
    let analyze = |files: &[String]| {
        let mut args = vec!["analyze", "--out", "reports/", "--quiet"];
        args.extend(files.iter().map(String::as_str));
        world.run(&args).with_code(0);
    };
    analyze(&files[..2]);
    let none = world.run(&["experiment", "status", "--json"]).with_code(0).json();
    assert_eq!(none, json!({"experiments": []}));
    let begin = |candidate: &str, share: &str| {
        let domain = ["experiment", "start", "summary_style", "--share", share];
        world.run(&[&domain[..], &["--candidate", candidate, "--shadow", "3", "--json"]].concat())
    };
    let wrong = begin("greedy", "0.5").with_code(2).err;
    assert!(wrong.contains("NAME=POLICY"), "{wrong}");
    let wrong = begin("g=greedy", "1.5").with_code(10).err;
    assert!(wrong.contains("share"), "{wrong}");
    begin("eager=greedy", "0.5").with_code(0);
    begin("other=greedy", "0.5").with_code(12);

    analyze(&files[2..4]);
    let status = || {
        let told = world.run(&["experiment", "status", "--json"]).with_code(0).json();
        told["experiments"][0].clone()
    };
    let told = status();
    assert_eq!(told["candidates"][0]["phase"], "shadow", "{told}");
    assert_eq!(
        (&told["candidates"][0]["shadowed"], &told["control"]["rewards"]),
        (&json!(2), &json!(2))
    );
    assert!(told["candidates"][0]["mean"].is_null(), "the shadow earns nothing");
    analyze(&files[4..6]);
    assert_eq!(status()["candidates"][0]["phase"], "canary");
    let drawn = world.run(&["experiment", "status"]).with_code(0).out;
    assert!(drawn.contains("eager") && drawn.contains("canary"), "{drawn}");

    world.run(&["experiment", "stop", "summary_style", "--why", "seen enough"]).with_code(0);
    assert_eq!(status()["ended"]["how"], json!({"stopped": "seen enough"}));
    world.run(&["experiment", "stop", "summary_style"]).with_code(11);
}
