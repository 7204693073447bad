//! A place of its own for each test, and the binary in it.

#![expect(clippy::disallowed_methods, reason = "starting the command is what these tests do")]

use std::{
    ffi::OsString,
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use consort::{
    core::{
        Hash, RunId,
        journal::{Batch, Journal},
        record::Record,
    },
    durable::{SqliteJournal, sqlite},
};
use serde_json::{Value, json};

/// How long anything may take before a test gives up. Far more than it takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A home directory.
pub(crate) struct World {
    home: tempfile::TempDir,
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    #[track_caller]
    pub(crate) fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Several JSON documents, one after the other.
    #[track_caller]
    pub(crate) fn documents(&self) -> Vec<Value> {
        let documents = serde_json::Deserializer::from_str(&self.out).into_iter();
        documents.collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The store that commands use unless told otherwise.
    pub(crate) fn store(&self) -> PathBuf {
        self.path("data/consort/consort.db")
    }

    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), content).unwrap();
        name.to_owned()
    }

    /// A command in this home, not yet started; of another build where `CONSORT_BINARY` names one.
    pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(&self, args: &[S]) -> Command {
        let other = std::env::var_os("CONSORT_BINARY");
        let binary = other.unwrap_or_else(|| env!("CARGO_BIN_EXE_consort").into());
        let mut command = Command::new(binary);
        command
            .args(args)
            .current_dir(self.home.path())
            .env_clear()
            .env("HOME", self.home.path())
            .env("XDG_DATA_HOME", self.path("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(&self, args: &[S]) -> Ended {
        finish(self.command(args).spawn().unwrap())
    }

    pub(crate) fn run_with_input<S: AsRef<std::ffi::OsStr>>(
        &self,
        args: &[S],
        input: &[u8],
    ) -> Ended {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        finish(child)
    }

    /// Runs it with this as standard input.
    pub(crate) fn run_fed(&self, args: &[&str], stdin: Stdio) -> Ended {
        finish(self.command(args).stdin(stdin).spawn().unwrap())
    }

    /// Has another program, which takes a command after its own arguments, run it.
    pub(crate) fn run_within(&self, before: &[OsString], args: &[&str], stdin: Stdio) -> Ended {
        let inner = self.command(args);
        let mut outer = Command::new(&before[0]);
        outer
            .args(&before[1..])
            .arg(inner.get_program())
            .args(inner.get_args())
            .current_dir(self.home.path())
            .env_clear()
            .envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        finish(outer.spawn().unwrap())
    }

    /// A command that goes on in the background.
    pub(crate) fn start<S: AsRef<std::ffi::OsStr>>(&self, args: &[S]) -> Going {
        Going::new(self.command(args).spawn().unwrap())
    }

    /// A pipe with a name, at which a reader waits until somebody writes.
    #[cfg(unix)]
    pub(crate) fn pipe(&self, name: &str) -> String {
        let made = Command::new("mkfifo").arg(self.path(name)).status().unwrap();
        assert!(made.success());
        name.to_owned()
    }

    /// All runs, newest first.
    #[track_caller]
    pub(crate) fn runs(&self) -> Vec<Value> {
        let listed = self.run(&["runs", "--json", "-n", "1000"]).with_code(0).json();
        listed["runs"].as_array().unwrap().clone()
    }

    /// An unfinished analysis of a file, as a process that was killed leaves it behind.
    pub(crate) fn plant(&self, version: &str, file: &str) -> RunId {
        let id = RunId::root(
            1_790_000_000_000,
            u128::from(fs::metadata(self.path(file)).unwrap().len()),
        );
        let started = json!({
            "record": "started",
            "id": id,
            "orchestrator": "fallback_autonomous",
            "version": version,
            "tenant": "default",
            "request": {"source": {"file": self.path(file)}},
            "request_id": "planted",
            "trace": "000000000000000000000000000000ff",
            "origin": "domain",
            "depth": 0,
            "at": 1_790_000_000_000_u64,
        });
        let record: Record = serde_json::from_value(started).unwrap();
        fs::create_dir_all(self.store().parent().unwrap()).unwrap();
        let journal = SqliteJournal::open(self.store(), sqlite::Options::default()).unwrap();
        wait(journal.commit(Batch::entry(id.clone(), record))).unwrap();
        wait(journal.close()).unwrap();
        id
    }
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn finish(child: Child) -> Ended {
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A command in the background.
pub(crate) struct Going {
    child: Child,
    lines: mpsc::Receiver<String>,
    seen: Vec<String>,
}

impl Going {
    fn new(mut child: Child) -> Self {
        let (send, lines) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|line| send.send(line))
        });
        Self { child, lines, seen: Vec::new() }
    }

    /// Waits until standard error has a line with this text.
    #[track_caller]
    pub(crate) fn until(&mut self, text: &str) {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    let found = line.contains(text);
                    self.seen.push(line);
                    if found {
                        return;
                    }
                }
                Err(error) => panic!("no `{text}`: {error}: {:#?}", self.seen),
            }
        }
    }

    /// Sends a signal, e.g. `INT`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end; what is on standard error includes the lines seen before.
    pub(crate) fn finish(mut self) -> Ended {
        // Ends when the command closes its end.
        let rest: Vec<String> = self.lines.iter().collect();
        self.seen.extend(rest);
        let mut ended = finish(self.child);
        ended.err = self.seen.join("\n");
        ended
    }
}

/// A text that is worth a report, different for each number.
pub(crate) fn text(number: usize) -> String {
    format!(
        "The harbour authority of Port Selwyn said on Monday that the port handled {number}.2 \
         million tonnes of cargo in 2024. That is {number} percent more than the year before. \
         Critics say the new terminal has doubled truck traffic on Quay Street. According to the \
         city's own counters, traffic rose by 31 percent. The mayor, Ada Stone, called the report \
         {} \"a good start\" and promised a second study by spring. Repairs will cost 40 million \
         dollars, the council heard, and the work is to begin in May.\n",
        Hash::of(&number.to_le_bytes())
    )
}

/// True when a file is there and not empty.
pub(crate) fn filled(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|facts| facts.len() > 0)
}
