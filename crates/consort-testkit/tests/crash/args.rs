//! What the binary is asked to be: the campaign, or one of the lives that it kills.

use std::path::PathBuf;

/// What a life does until it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Takes up what is unfinished and starts more and more.
    Work,
    /// Starts nothing new, finishes everything, and leaves.
    Drain,
    /// Works, and acknowledges steps before they are on disk, to see whether anybody notices.
    Lie,
}

impl Task {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Drain => "drain",
            Self::Lie => "lie",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Work, Self::Drain, Self::Lie].into_iter().find(|task| task.name() == name)
    }
}

/// One process of the campaign.
#[derive(Debug)]
pub(crate) struct Life {
    /// Where the store and the witness are.
    pub(crate) directory: PathBuf,
    /// Wall time in milliseconds when it was asked for.
    pub(crate) asked_at: u64,
    pub(crate) task: Task,
}

/// How often to kill, and by which course.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Kills in all. Default 300.
    pub(crate) kills: u32,
    /// Kills of one store, before it is drained and judged. Default 30.
    pub(crate) round: u32,
    /// Default 1.
    pub(crate) seed: u64,
    /// [`Task::Lie`] to see the test fail.
    pub(crate) task: Task,
}

#[derive(Debug)]
pub(crate) enum Role {
    Campaign(Plan),
    Worker(Life),
    /// `--list`, as test runners ask.
    List,
    /// Only other tests are wanted.
    Nothing,
    /// The arguments make no sense.
    Confused(String),
}

/// Options of the usual test harness that bring a value, which is no filter.
const WITH_VALUE: [&str; 6] =
    ["--test-threads", "--skip", "--color", "--format", "--logfile", "-Z"];

/// Reads the arguments. Those of the usual test harness are understood or ignored.
pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Role {
    let mut plan = Plan { kills: 300, round: 30, seed: 1, task: Task::Work };
    let mut filters = Vec::new();
    while let Some(argument) = arguments.next() {
        let argument = argument.as_str();
        match argument {
            "--kills" | "--round" | "--seed" => {
                let Some(number) = arguments.next().and_then(|text| text.parse::<u32>().ok())
                else {
                    return Role::Confused(format!("`{argument}` needs a number"));
                };
                match argument {
                    "--kills" => plan.kills = number,
                    "--round" => plan.round = number.max(1),
                    _ => plan.seed = number.into(),
                }
            }
            "--lie" => plan.task = Task::Lie,
            "--list" => return Role::List,
            "--ignored" => return Role::Nothing,
            "worker" => return worker(arguments),
            flag if WITH_VALUE.contains(&flag) => drop(arguments.next()),
            flag if flag.starts_with('-') => {}
            filter => filters.push(filter.to_owned()),
        }
    }
    if filters.is_empty() || filters.iter().any(|filter| "crash".contains(filter.as_str())) {
        Role::Campaign(plan)
    } else {
        Role::Nothing
    }
}

fn worker(mut arguments: impl Iterator<Item = String>) -> Role {
    let mut next = || arguments.next().unwrap_or_default();
    let (directory, asked_at, task) = (next().into(), next().parse(), Task::parse(&next()));
    match (asked_at, task) {
        (Ok(asked_at), Some(task)) => Role::Worker(Life { directory, asked_at, task }),
        _ => Role::Confused("a worker needs a directory, a time and a task".into()),
    }
}
