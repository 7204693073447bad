//! Runs from the outside, with nobody else on the store.

use serde_json::json;

use crate::world::{World, text};

const REQUEST: &str = "fallback_autonomous";

fn request(world: &World, file: &str) -> String {
    let request = json!({ "source": { "file": world.path(file) } });
    world.file("request.json", request.to_string())
}

#[test]
fn run_prints_the_answer_and_keeps_the_run() {
    let world = World::new();
    world.file("a.txt", text(1));
    let input = request(&world, "a.txt");
    let value = world.run(&["run", REQUEST, "--input", &input]).with_code(0).json();
    assert!(value["report"]["hash"].is_string(), "{value}");
    let told = world.run(&["run", REQUEST, "--input", &input, "--json"]).with_code(0).json();
    assert_eq!(told["status"], "succeeded");
    let runs = world.runs();
    assert_eq!(runs.len(), 2);
    assert_eq!(runs[0]["run"], told["run"]);
}

#[test]
fn a_request_can_come_through_a_pipe_and_is_checked() {
    let world = World::new();
    let args = ["run", REQUEST, "--input", "-"];
    let ended = world.run_with_input(&args, b"{\"source\": 5, \"colour\": 1}").with_code(10);
    assert!(ended.err.contains("at `/source`") && ended.err.contains("colour"), "{ended:#?}");
    let ended = world.run_with_input(&args, b"{not json").with_code(10);
    assert!(ended.err.contains("error: standard input is not JSON\n  caused by: "), "{ended:#?}");
    world.run(&["run", REQUEST, "--input", "missing.json"]).with_code(11);
    world.run(&["run", REQUEST]).with_code(10);
    assert!(world.runs().is_empty());
}

#[test]
fn a_capability_runs_without_a_record() {
    let world = World::new();
    world.file("a.txt", text(1));
    let input = request(&world, "a.txt");
    let told = world.run(&["run", "acquire", "--input", &input, "--json"]).with_code(0).json();
    assert_eq!(told["run"], json!(null));
    assert_eq!(told["value"]["name"], "a.txt");
    assert!(world.runs().is_empty());
    let ended = world.run(&["run", "acquire", "--input", &input, "--detach"]).with_code(10);
    assert!(ended.err.contains("--detach"), "{ended:#?}");
}

#[test]
fn a_key_makes_a_run_happen_once() {
    let world = World::new();
    world.file("a.txt", text(1));
    let input = request(&world, "a.txt");
    let run = |key: &str| {
        let args = ["run", REQUEST, "--input", &input, "--key", key, "--json"];
        world.run(&args).with_code(0).json()["run"].clone()
    };
    assert_eq!(run("first"), run("first"));
    assert_ne!(run("first"), run("second"));
    world.run(&["run", REQUEST, "--input", &input, "--key", ""]).with_code(2);
}

#[test]
fn a_failed_run_says_where_to_look() {
    let world = World::new();
    let input = request(&world, "missing.txt");
    let ended = world.run(&["run", REQUEST, "--input", &input]).with_code(11);
    assert!(ended.err.contains("caused by: No such file"), "{ended:#?}");
    let hint = ended.err.lines().find(|line| line.starts_with("to see more: ")).unwrap();
    let run = hint.rsplit(' ').next().unwrap();
    let drawn = world.run(&["show", run]).with_code(0).out;
    assert!(drawn.contains("fallback_autonomous 1.2.0  failed (not_found)"), "{drawn}");
    assert_eq!(drawn.matches("caused by: No such file").count(), 1, "{drawn}");
    assert!(drawn.lines().all(|line| line.chars().count() <= 80), "{drawn}");
    let listed = world.run(&["runs"]).with_code(0).out;
    assert!(listed.contains(run) && listed.contains("failed (not_found)"), "{listed}");
}

#[test]
fn show_draws_steps_with_times_and_costs() {
    let world = World::new();
    let file = world.file("a.txt", text(1));
    world.run(&["analyze", &file]).with_code(0);
    let id = world.runs()[0]["run"].as_str().unwrap().to_owned();
    let drawn = world.run(&["show", &id]).with_code(0).out;
    for words in ["├─  1 acquire", "compose_report", "1 call", " ms", "└─ succeeded {"] {
        assert!(drawn.contains(words), "{words}: {drawn}");
    }
    // Either end of the id will do, and more is told when asked for.
    assert_eq!(world.run(&["show", &id[18..]]).with_code(0).out, drawn);
    assert_eq!(world.run(&["show", &id[..20].to_lowercase()]).with_code(0).out, drawn);
    let more = world.run(&["show", "-v", &id]).with_code(0).out;
    assert!(more.contains(" 0 now: 20"), "{more}");
    let json = world.run(&["show", "--json", &id]).with_code(0).json();
    assert_eq!(json["run"], *id);
    let steps = json["entries"].as_array().unwrap().iter().filter(|one| one["entry"] == "step");
    assert_eq!(steps.count() as u64, json["steps"].as_u64().unwrap());
    assert_eq!(json["result"]["status"], "succeeded");
}

#[test]
fn an_id_that_fits_several_runs_is_refused() {
    let world = World::new();
    let files = [world.file("a.txt", text(1)), world.file("b.txt", text(2))];
    world.run(&["analyze", &files[0], &files[1], "-q"]).with_code(0);
    // The first characters are the time, which both share.
    let id = world.runs()[0]["run"].as_str().unwrap().to_owned();
    let ended = world.run(&["show", &id[..4]]).with_code(12);
    assert!(ended.err.contains("may be any of"), "{ended:#?}");
    world.run(&["show", "ZZZZ"]).with_code(11);
}

#[test]
fn runs_are_listed_by_state_and_orchestrator() {
    let world = World::new();
    let file = world.file("a.txt", text(1));
    let id = world.plant("1.2.0", &file);
    let list = |args: &[&str]| world.run(&[&["runs"], args].concat()).with_code(0).out;
    let short = &id.as_str()[18..];
    assert!(list(&["--state", "open"]).contains(short));
    assert!(list(&["--orchestrator", "fallback_autonomous"]).contains("unfinished"));
    assert_eq!(list(&["--state", "ended"]), "");
    assert_eq!(list(&["--orchestrator", "other"]), "");
    world.run(&["runs", "--orchestrator", "No Name"]).with_code(2);
}

#[test]
fn an_unfinished_run_is_taken_up_by_resume() {
    let world = World::new();
    let file = world.file("a.txt", text(1));
    let id = world.plant("1.2.0", &file);
    let told = world.run(&["resume", &id.as_str()[18..], "--json"]).with_code(0).json();
    assert_eq!((&told["status"], &told["run"]), (&json!("succeeded"), &json!(id)));
    let ended = world.run(&["resume", id.as_str()]).with_code(0);
    assert!(ended.err.contains("has ended before"), "{ended:#?}");
    assert_eq!(world.runs().len(), 1);
}

#[test]
fn resume_without_a_run_finishes_everything() {
    let world = World::new();
    let (a, b) = (world.file("a.txt", text(1)), world.file("b.txt", text(23)));
    for file in [&a, &b] {
        world.plant("1.2.0", file);
    }
    let ended = world.run(&["resume"]).with_code(0);
    assert_eq!(ended.out.matches("succeeded").count(), 2, "{ended:#?}");
    let ended = world.run(&["resume", "--json"]).with_code(0);
    assert_eq!(ended.json()["runs"], json!([]));
}

#[test]
fn unfinished_runs_are_left_alone_on_request() {
    let world = World::new();
    let (a, b) = (world.file("a.txt", text(1)), world.file("b.txt", text(23)));
    world.plant("1.2.0", &a);
    world.run(&["analyze", &b, "--no-resume"]).with_code(0);
    let states: Vec<_> = world.runs().iter().map(|run| run["state"].clone()).collect();
    assert_eq!(states, ["ended", "open"]);
}

#[test]
fn a_run_of_a_version_that_is_gone_is_blocked_not_lost() {
    let world = World::new();
    let file = world.file("a.txt", text(1));
    let id = world.plant("0.9.0", &file);
    let ended = world.run(&["resume", id.as_str()]).with_code(51);
    assert!(ended.err.contains("`fallback_autonomous 0.9.0`"), "{ended:#?}");
    assert_eq!(world.runs()[0]["state"], "open");
}

#[test]
fn cancel_ends_a_run_and_keeps_the_reason() {
    let world = World::new();
    let file = world.file("a.txt", text(1));
    let id = world.plant("1.2.0", &file);
    let args = ["cancel", id.as_str(), "--reason", "no longer needed", "--json"];
    assert_eq!(world.run(&args).with_code(0).json()["done"], "cancelled");
    assert_eq!(world.runs()[0]["category"], "cancelled");
    let drawn = world.run(&["show", id.as_str()]).with_code(0).out;
    assert!(drawn.contains("no longer needed"), "{drawn}");
    world.run(&["cancel", id.as_str()]).with_code(12);
}

#[test]
fn a_detached_run_is_recorded_and_goes_on_later() {
    let world = World::new();
    world.file("a.txt", text(1));
    let input = request(&world, "a.txt");
    let ended = world.run(&["run", REQUEST, "--input", &input, "--detach"]).with_code(0);
    let id = ended.out.trim();
    assert!(ended.err.contains("consort resume "), "{ended:#?}");
    world.run(&["resume", id]).with_code(0);
    let runs = world.runs();
    assert_eq!((runs.len(), &runs[0]["status"]), (1, &json!("succeeded")));
}

#[test]
fn fork_takes_over_what_came_before_the_step() {
    let world = World::new();
    let file = world.file("a.txt", text(1));
    world.run(&["analyze", &file, "-q"]).with_code(0);
    let first = world.runs()[0]["run"].as_str().unwrap().to_owned();
    let told = world.run(&["fork", &first, "--from", "3", "--json"]).with_code(0).json();
    assert_eq!(told["status"], "succeeded");
    let shown = world.run(&["show", told["run"].as_str().unwrap(), "--json"]).with_code(0).json();
    assert_eq!(shown["forked_from"], json!({ "run": first, "step": 3 }));
    world.run(&["fork", &first, "--from", "77"]).with_code(11);
    world.run(&["fork", &first, "--from", "3", "--onto", "7.7.7"]).with_code(11);
    world.run(&["fork", &first, "--from", "3", "--onto", "seven"]).with_code(2);
}

#[test]
fn the_store_can_be_checked_and_copied() {
    let world = World::new();
    let file = world.file("a.txt", text(1));
    world.run(&["analyze", &file, "-q"]).with_code(0);
    assert!(world.run(&["store", "check"]).with_code(0).out.contains(": sound; 1 run"));
    let copied = world.run(&["store", "backup", "copy.db", "--json"]).with_code(0).json();
    assert!(copied["bytes"].as_u64().unwrap() > 0);
    let listed = world.run(&["runs", "--store", "copy.db", "--json"]).with_code(0).json();
    assert_eq!(listed["runs"].as_array().unwrap().len(), 1);
    assert!(copied["learning"]["bytes"].as_u64().unwrap() > 0);
    let known = |store| world.run(&["policies", "--store", store, "--json"]).with_code(0).json();
    assert_eq!(known("copy.db"), world.run(&["policies", "--json"]).with_code(0).json());
    assert!(known("copy.db").to_string().contains("summary_style"));
    let ended = world.run(&["store", "backup", "copy.db"]).with_code(50);
    assert!(ended.err.contains("exists already"), "{ended:#?}");

    let mut bytes = std::fs::read(world.path("copy.db")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 2000].fill(0xa5);
    std::fs::write(world.path("copy.db"), bytes).unwrap();
    let found = world.run(&["store", "check", "--store", "copy.db", "--json"]).with_code(50).json();
    assert_eq!(found["sound"], false);
    assert!(!found["damage"].as_array().unwrap().is_empty());
}

/// Every field of a real answer is named in the help of the command that gave it.
#[test]
fn answers_hold_what_the_help_says_they_do() {
    let world = World::new();
    let file = world.file("a.txt", text(1));
    world.run(&["analyze", &file, "-q"]).with_code(0);
    let id = world.runs()[0]["run"].as_str().unwrap().to_owned();
    let help = |command: &[&str]| world.run(&[command, &["--help"]].concat()).with_code(0).out;
    let runs = help(&["runs"]);
    let check = |help: &str, answer: &serde_json::Value| {
        let fields = answer.as_object().unwrap().keys();
        let unnamed: Vec<&String> = fields.filter(|field| !help.contains(field.as_str())).collect();
        assert!(unnamed.is_empty(), "{unnamed:?} are not in: {help}");
    };
    check(&runs, &world.runs()[0]);
    let shown = world.run(&["show", &id, "--json"]).with_code(0).json();
    let show = help(&["show"]) + &runs;
    check(&show, &shown);
    for entry in shown["entries"].as_array().unwrap() {
        if entry["entry"] == "step" {
            check(&show, entry);
            check(&show, &entry["result"]);
        }
    }
    let told = world.run(&["fork", &id, "--from", "3", "--json"]).with_code(0).json();
    check(&help(&["fork"]), &told);
    let input = request(&world, "missing.txt");
    let told = world.run(&["run", REQUEST, "--input", &input, "--json"]).with_code(11).json();
    check(&help(&["run"]), &told);
    check(&help(&["store", "check"]), &world.run(&["store", "check", "--json"]).json());
    let copied = world.run(&["store", "backup", "c.db", "--json"]).json();
    check(&help(&["store", "backup"]), &copied);
    let listed = world.run(&["list", "--json"]).json();
    check(&help(&["list"]), &listed["orchestrators"][0]);
    check(&help(&["list"]), &listed["capabilities"][0]);
    let args = ["analyze", &file, "missing.txt", "--out", "r/", "--json"];
    let inputs = world.run(&args).with_code(11).json()["inputs"].clone();
    check(&help(&["analyze"]), &inputs[0]);
    check(&help(&["analyze"]), &inputs[1]);
}
