//! Every file in `examples/` runs to its end.

#[path = "../../examples/background_task.rs"]
mod background_task;
#[path = "../../examples/budget.rs"]
mod budget;
#[path = "../../examples/decisions.rs"]
mod decisions;
#[path = "../../examples/domain.rs"]
mod domain;
#[path = "../../examples/durable_wait.rs"]
mod durable_wait;
#[path = "../../examples/effects.rs"]
mod effects;
#[path = "../../examples/events.rs"]
mod events;
#[path = "../../examples/fork.rs"]
mod fork;
#[path = "../../examples/global.rs"]
mod global;
#[path = "../../examples/operations.rs"]
mod operations;
#[path = "../../examples/quick_start.rs"]
mod quick_start;
#[path = "../../examples/resilience.rs"]
mod resilience;
#[path = "../../examples/versions.rs"]
mod versions;

#[test]
fn an_orchestrator_is_called_by_type_and_by_name() {
    quick_start::main().expect("the example ends well");
}

#[test]
fn a_domain_orchestrator_composes_steps_and_children() {
    domain::main().expect("the example ends well");
}

#[test]
fn an_application_orchestrator_routes_operations() {
    operations::main().expect("the example ends well");
}

#[test]
fn a_background_task_ends_with_its_scope() {
    background_task::main().expect("the example ends well");
}

#[test]
fn a_budget_bounds_what_a_call_may_cost() {
    budget::main().expect("the example ends well");
}

#[test]
fn progress_reaches_whoever_listens() {
    events::main().expect("the example ends well");
}

#[test]
fn a_waiting_run_goes_on_in_the_next_process() {
    durable_wait::main().expect("the example ends well");
}

#[test]
fn a_fork_repeats_nothing_that_was_finished() {
    fork::main().expect("the example ends well");
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
fn an_effect_of_class_once_is_not_repeated_after_a_crash() {
    effects::main().expect("the example ends well");
}

#[test]
fn a_decision_is_on_record() {
    decisions::main().expect("the example ends well");
}

#[test]
fn a_process_may_have_one_global_engine() {
    global::main().expect("the example ends well");
}

#[test]
fn no_example_is_forgotten_here() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let here = include_str!("examples.rs");
    for entry in std::fs::read_dir(folder).expect("a folder of examples") {
        let name = entry.expect("an entry").file_name().into_string().expect("a plain name");
        assert!(here.contains(&format!("examples/{name}\"")), "{name} is not run");
    }
}
