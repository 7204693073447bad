//! Repository chores: `cargo xtask ci` is what CI runs, `cargo xtask long` runs everything at full
//! size.

use std::{env, process::Command, time::Instant};

use anyhow::{Context, bail};

/// One command line; the words are separated by single spaces.
struct Step {
    what: &'static str,
    run: &'static str,
    with: &'static [(&'static str, &'static str)],
}

const fn step(what: &'static str, run: &'static str) -> Step {
    Step { what, run, with: &[] }
}

/// What must pass before a change lands.
const CI: &[Step] = &[
    step("format", "cargo fmt --all --check"),
    step("lint", "cargo clippy --workspace --all-targets --locked -- -D warnings"),
    Step {
        what: "docs",
        run: "cargo doc --workspace --no-deps --locked",
        with: &[("RUSTDOCFLAGS", "-D warnings")],
    },
    step("tests", "cargo test --workspace --locked"),
];

/// The same claims at full size. Takes hours on two cores.
const LONG: &[Step] = &[
    Step {
        what: "store, full sizes",
        run: "cargo test --release --locked -p consort-durable",
        with: &[("CONSORT_THOROUGH", "1")],
    },
    Step {
        what: "bandits, ten million updates",
        run: "cargo test --release --locked -p consort-bandit -- --nocapture",
        with: &[("CONSORT_BANDIT_UPDATES", "10000000")],
    },
    Step {
        what: "parsers, more mutations",
        run: "cargo test --release --locked -p consort-content fuzz",
        with: &[("CONSORT_FUZZ_ROUNDS", "100000")],
    },
    step(
        "crash test, 1,000 kills",
        "cargo test --release --locked -p consort-testkit --test crash -- --kills 1000 --seed 7",
    ),
    Step {
        what: "guards, twenty thousand seeds",
        run: "cargo test --release --locked -p consort-resilience scenarios",
        with: &[("CONSORT_SEEDS", "20")],
    },
    Step {
        what: "guards, every interleaving",
        run: "cargo test --locked --manifest-path crates/consort-resilience/loom/Cargo.toml models",
        with: &[("LOOM_MAX_PREEMPTIONS", "4")],
    },
    Step {
        what: "learning, a thousand kills",
        run: "cargo test --release --locked -p consort-application crash -- --nocapture",
        with: &[("CONSORT_LEARNING_KILLS", "1000")],
    },
    step(
        "intervals, races and experiments under peeking",
        "cargo run --release --locked -p consort-bandit --example peeking",
    ),
    step("bandit benchmark", "cargo bench --locked -p consort-bandit"),
    step("learning benchmark", "cargo bench --locked -p consort-application"),
    step("journal benchmark", "cargo bench --locked -p consort-durable"),
    step("engine benchmark", "cargo bench --locked -p consort-testkit --bench engine"),
    step("start and idle benchmark", "cargo bench --locked -p consort-cli --bench start"),
];

fn main() -> anyhow::Result<()> {
    let task = env::args().nth(1);
    match task.as_deref() {
        Some("ci") => all(CI),
        Some("long") => all(LONG),
        other => bail!("unknown task {other:?}; there are `ci` and `long`"),
    }
}

fn all(steps: &[Step]) -> anyhow::Result<()> {
    for step in steps {
        #[expect(clippy::disallowed_methods, reason = "for the reader of the log only")]
        let began = Instant::now();
        say(&format!("== {}: {}", step.what, step.run));
        run(step)?;
        say(&format!("== {} passed in {:.0?}", step.what, began.elapsed()));
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "running other programs is what this one is for")]
fn run(step: &Step) -> anyhow::Result<()> {
    let mut words = step.run.split(' ');
    let program = words.next().context("an empty command")?;
    let status = Command::new(program)
        .args(words)
        .envs(step.with.iter().copied())
        .status()
        .with_context(|| format!("cannot run `{}`", step.run))?;
    if !status.success() {
        bail!("`{}` ended with {status}", step.run);
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "progress of a chore")]
fn say(text: &str) {
    eprintln!("{text}");
}
