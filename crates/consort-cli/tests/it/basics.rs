//! What is the same for every command.

use std::process::Stdio;

use crate::world::World;

#[test]
fn wrong_usage_is_two_and_says_what_would_be_right() {
    let world = World::new();
    for args in [&["analyze", "--frmat", "json", "a"][..], &["analyse", "a"], &["show"]] {
        let ended = world.run(args).with_code(2);
        assert!(ended.out.is_empty() && ended.err.contains("Usage:"), "{ended:#?}");
    }
    let ended = world.run::<&str>(&[]).with_code(2);
    assert!(ended.err.contains("analyze"), "{ended:#?}");
    let ended = world.run(&["runs", "--quiet", "-v"]).with_code(2);
    assert!(ended.err.contains("cannot be used with"), "{ended:#?}");
}

#[test]
fn help_fits_eighty_columns_and_names_every_exit_code_that_is_not_a_category() {
    let world = World::new();
    let help = world.run(&["--help"]).with_code(0).out;
    for word in ["analyze", "list", "describe", "signal", "store", "completions", "--store", "130"]
    {
        assert!(help.contains(word), "{word}: {help}");
    }
    assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
}

#[test]
fn every_json_answer_is_described_in_the_help() {
    let world = World::new();
    let commands = [
        "analyze", "list", "describe", "run", "runs", "show", "resume", "cancel", "fork", "signal",
    ];
    for command in commands {
        let help = world.run(&[command, "--help"]).with_code(0).out;
        assert!(help.contains("With --json"), "{command}: {help}");
    }
    for command in ["check", "backup"] {
        let help = world.run(&["store", command, "--help"]).with_code(0).out;
        assert!(help.contains("With --json"), "{command}: {help}");
    }
}

#[test]
fn list_names_what_can_be_run_and_makes_no_store() {
    let world = World::new();
    let text = world.run(&["list"]).with_code(0);
    assert!(text.out.contains("fallback_autonomous 1.2.0  domain, sequential, durable"));
    assert!(text.out.contains("CAPABILITIES\nacquire"), "{text:#?}");
    let json = world.run(&["--json", "list"]).with_code(0).json();
    assert_eq!(json["orchestrators"][0]["name"], "fallback_autonomous");
    assert!(json["capabilities"].as_array().unwrap().len() >= 5);
    assert!(!world.path("data").exists());
}

#[test]
fn describe_shows_guards_and_schemas() {
    let world = World::new();
    let text = world.run(&["describe", "fallback_autonomous"]).with_code(0).out;
    for word in ["GUARDS", "admit", "REQUEST", "\"depth\"", "RESPONSE"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let json = world.run(&["describe", "acquire", "--json"]).with_code(0).json();
    assert_eq!(json["effect"], "read");
    assert!(json["request"]["properties"]["source"].is_object(), "{json}");
}

#[test]
fn an_unknown_name_is_not_found_and_the_nearest_is_suggested() {
    let world = World::new();
    let ended = world.run(&["describe", "fallback_autonomus"]).with_code(11);
    assert!(ended.err.starts_with("error: nothing is called"), "{ended:#?}");
    assert!(ended.err.contains("hint: did you mean `fallback_autonomous`?"), "{ended:#?}");
    assert!(ended.out.is_empty());
    world.run(&["describe", "no such name!"]).with_code(11);
}

#[test]
fn a_failure_under_json_is_an_answer_too() {
    let world = World::new();
    let ended = world.run(&["describe", "nosuch", "--json"]).with_code(11);
    assert_eq!(ended.json()["error"]["category"], "not_found");
    assert!(ended.err.starts_with("error: "));
}

#[test]
fn completions_know_the_commands_of_every_shell() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = world.run(&["completions", shell]).with_code(0).out;
        for word in ["analyze", "signal", "no-resume"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let world = World::new();
    let sample = world.file("a.txt", crate::world::text(1));
    for args in [&["list"][..], &["completions", "bash"], &["analyze", &sample], &["--help"]] {
        let mut child = world.command(args).stdout(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{args:?}: {ended:?}");
        assert_eq!(String::from_utf8_lossy(&ended.stderr), "", "{args:?}");
    }
}

#[test]
fn before_the_first_run_there_is_nothing_to_see() {
    let world = World::new();
    let ended = world.run(&["runs"]).with_code(0);
    assert_eq!((ended.out.as_str(), ended.err.as_str()), ("", "no runs\n"));
    assert_eq!(world.run(&["runs", "--json"]).with_code(0).json()["runs"], serde_json::json!([]));
    let ended = world.run(&["show", "ABCDEF"]).with_code(11);
    assert!(ended.err.contains("there is no store"), "{ended:#?}");
    let named = world.path("nowhere.db").display().to_string();
    let ended = world.run(&["runs", "--store", &named]).with_code(50);
    assert!(ended.err.contains("hint: check the path; the first run makes the file"), "{ended:#?}");
    assert!(!world.path("data").exists());
}

#[test]
fn a_store_that_was_named_must_be_there() {
    let world = World::new();
    let ended = world.run(&["runs", "--store", "typo.db"]).with_code(50);
    assert!(ended.err.contains("typo.db"), "{ended:#?}");
    assert!(!world.path("typo.db").exists());
}

#[test]
fn the_store_is_where_the_environment_says() {
    let world = World::new();
    let sample = world.file("a.txt", crate::world::text(1));
    let mut command = world.command(&["analyze", &sample, "--quiet"]);
    let ended = command.env("CONSORT_STORE", "mine.db").output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(world.path("mine.db").exists() && !world.path("data").exists());
}

#[test]
fn without_a_home_the_remedy_is_named() {
    let world = World::new();
    let mut command = world.command(&["runs"]);
    let ended = command.env_remove("HOME").env_remove("XDG_DATA_HOME").output().unwrap();
    assert_eq!(ended.status.code(), Some(40));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("--store"), "{ended:?}");
}

#[test]
fn a_file_that_is_no_store_is_refused_and_stays_as_it_is() {
    let world = World::new();
    let file = world.file("notes.txt", "not a store, but precious");
    world.run(&["runs", "--store", &file]).with_code(50);
    world.run(&["run", "fallback_autonomous", "--store", &file]).with_code(50);
    world.run(&["store", "check", "--store", &file]).with_code(50);
    let content = std::fs::read_to_string(world.path(&file)).unwrap();
    assert_eq!(content, "not a store, but precious");
}
