//! Many inputs: killed, interrupted, and gone on with.

#![cfg(unix)]

use std::{collections::BTreeSet, fs};

use crate::world::{World, filled, text};

const INPUTS: usize = 12;

fn inputs(world: &World) -> Vec<String> {
    (0..INPUTS).map(|n| world.file(&format!("{n}.txt"), text(n))).collect()
}

fn args<'a>(inputs: &'a [String], more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["analyze", "--out", "reports/", "-v"];
    args.extend(more);
    args.extend(inputs.iter().map(String::as_str));
    args
}

/// Ids of runs, and of those that have ended.
fn ids(world: &World) -> (BTreeSet<String>, BTreeSet<String>) {
    let runs = world.runs();
    let id = |run: &serde_json::Value| run["run"].as_str().unwrap().to_owned();
    let ended = runs.iter().filter(|run| run["state"] == "ended").map(id).collect();
    (runs.iter().map(id).collect(), ended)
}

fn assert_whole(world: &World, inputs: &[String]) {
    for input in inputs {
        assert!(filled(&world.path(&format!("reports/{input}.md"))), "{input}");
    }
    let left = fs::read_dir(world.path("reports")).unwrap().count();
    assert_eq!(left, inputs.len(), "nothing half-written is left");
}

#[test]
fn after_kill_nine_a_batch_goes_on_and_redoes_nothing() {
    let world = World::new();
    let inputs = inputs(&world);
    for round in ["1/5", "3/5", "5/5"] {
        let mut going = world.start(&args(&inputs, &["--jobs", "2"]));
        going.until(round);
        going.kill();
    }
    let (before, ended) = ids(&world);
    assert!(!before.is_empty() && before.len() < INPUTS, "killed too late: {before:?}");

    let done = world.run(&args(&inputs, &[])).with_code(0);
    let (after, all_ended) = ids(&world);
    assert_eq!(after.len(), INPUTS, "one run for each input, whatever happened");
    assert_eq!(after, all_ended);
    assert!(before.is_subset(&after) && ended.is_subset(&all_ended));
    assert!(done.err.contains("12 inputs: 12 reported"), "{done:#?}");
    assert_whole(&world, &inputs);

    // Once more: everything is there.
    let done = world.run(&args(&inputs, &[])).with_code(0);
    assert!(done.err.ends_with("12 inputs: 12 reported (12 from earlier runs)\n"), "{done:#?}");
    assert_eq!(ids(&world).0, after);
}

#[test]
fn ctrl_c_suspends_a_batch_and_the_same_command_goes_on() {
    let world = World::new();
    let mut inputs = inputs(&world);
    // Nobody writes to it, so the batch cannot end before it is interrupted.
    inputs.push(world.pipe("never.txt"));
    let mut going = world.start(&args(&inputs, &["--jobs", "1"]));
    going.until("5/5");
    going.signal("INT");
    let ended = going.finish().with_code(130);
    assert!(ended.err.contains("interrupted: stopping"), "{ended:#?}");
    assert!(ended.err.ends_with("to go on: the same command again"), "{ended:#?}");
    let (before, _) = ids(&world);

    fs::remove_file(world.path("never.txt")).unwrap();
    world.file("never.txt", text(99));
    // What was left unfinished is asked for by name, so it is taken up even then.
    world.run(&args(&inputs, &["--no-resume"])).with_code(0);
    let (after, ended) = ids(&world);
    assert_eq!(after.len(), INPUTS + 1);
    assert!(before.is_subset(&after));
    assert_eq!(after, ended);
    assert_whole(&world, &inputs);
}

#[test]
fn a_polite_request_to_end_is_an_interruption_too() {
    let world = World::new();
    let inputs = [world.file("a.txt", text(1)), world.pipe("never.txt")];
    let mut going = world.start(&args(&inputs, &[]));
    going.until("succeeded");
    going.signal("TERM");
    going.finish().with_code(143);
}

#[test]
fn a_second_ctrl_c_leaves_at_once() {
    let world = World::new();
    let file = world.file("a.txt", text(1));
    let (pipe, store) = (world.pipe("never.txt"), world.store());
    let mut going = world.start(&args(&[file, pipe], &[]));
    going.until("succeeded");
    // As long as somebody else writes, the store cannot be closed in good order.
    let other = rusqlite::Connection::open(store).unwrap();
    other.execute_batch("begin immediate").unwrap();
    going.signal("INT");
    going.until("interrupted: stopping");
    going.signal("INT");
    let ended = going.finish();
    // Had it closed before the second one came, that would be no failure either.
    ended.with_code(130);
    other.execute_batch("rollback").unwrap();
}
