//! Every file in `examples/` runs to its end.

#[path = "../../examples/budget.rs"]
mod budget;
#[path = "../../examples/durable_wait.rs"]
mod durable_wait;
#[path = "../../examples/events.rs"]
mod events;
#[path = "../../examples/resilience.rs"]
mod resilience;
#[path = "../../examples/versions.rs"]
mod versions;

#[test]
fn a_budget_bounds_what_a_call_may_cost() {
    budget::main().expect("the example ends well");
}

#[test]
fn a_waiting_run_goes_on_in_the_next_process() {
    durable_wait::main().expect("the example ends well");
}

#[test]
fn progress_reaches_whoever_listens() {
    events::main().expect("the example ends well");
}

#[test]
fn calls_go_to_whoever_is_well() {
    resilience::main().expect("the example ends well");
}

#[test]
fn open_runs_stay_on_their_version() {
    versions::main().expect("the example ends well");
}

#[test]
fn no_example_is_forgotten_here() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let names = std::fs::read_dir(folder).expect("a folder of examples").count();
    assert_eq!(names, 5);
}
