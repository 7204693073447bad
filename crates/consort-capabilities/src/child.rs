//! Child processes that cannot get out of hand: their own process group, which is killed when
//! nobody waits any more; limits on time, memory and output; an environment that holds only what
//! it was given.

use std::{ffi::OsString, io, path::Path, process::ExitStatus, process::Stdio, time::Duration};

use consort_core::{Category, StepError};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    time::timeout,
};

use crate::fetch::size;

/// Bytes kept of what a child says about its troubles.
const MAX_COMPLAINT: usize = 16 * 1024;

/// What to run.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    /// Program and first arguments.
    pub(crate) command: &'a [String],
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Vec<(&'static str, OsString)>,
    pub(crate) folder: Option<&'a Path>,
    /// For its standard input.
    pub(crate) input: Vec<u8>,
    pub(crate) limits: Limits,
}

/// What a child may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// From start to end.
    pub(crate) wall: Duration,
    /// Bytes of standard output.
    pub(crate) output: u64,
    /// Bytes of address space. Only on Linux.
    pub(crate) memory: Option<u64>,
    /// Time on a processor. Only on Linux.
    pub(crate) cpu: Option<Duration>,
    /// Bytes of any file that it writes. Only on Linux.
    pub(crate) file: Option<u64>,
}

/// How it went.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) output: Vec<u8>,
    /// The beginning of its standard error.
    pub(crate) complaint: String,
}

/// Runs a child to its end.
///
/// # Errors
///
/// `not_configured` when there is no such program, `timeout` after `limits.wall`,
/// `payload_too_large` beyond `limits.output`. A child that fails by itself is no error here.
///
/// # Cancel safety
///
/// Dropping the future kills the child and its children.
pub(crate) async fn run(job: Job<'_>) -> Result<Ended, StepError> {
    let name = job.command.first().map_or("", String::as_str).to_owned();
    let (mut child, _group) = start(&job).map_err(|error| cannot_start(&name, &error))?;
    let Limits { wall, output: limit, .. } = job.limits;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A child that stops reading early says why in its answer.
            let _ = stdin.write_all(&job.input).await;
        }
    };
    let work = async {
        let ((), output, complaint) =
            tokio::join!(feed, bounded(stdout, limit), beginning(stderr, MAX_COMPLAINT));
        Ok::<_, io::Error>((output?, complaint?, child.wait().await?))
    };
    match timeout(wall, work).await {
        Err(_) => {
            let message = format!("`{name}` was stopped after {wall:?}");
            Err(StepError::new(Category::Timeout, message))
        }
        Ok(Err(error)) => {
            let message = format!("lost touch with `{name}`");
            Err(StepError::new(Category::ProcessingFailed, message).because(&error))
        }
        Ok(Ok((None, ..))) => {
            let message = format!("`{name}` gave more than {}", size(limit));
            Err(StepError::new(Category::PayloadTooLarge, message))
        }
        Ok(Ok((Some(output), complaint, status))) => {
            let complaint = String::from_utf8_lossy(&complaint).trim().to_owned();
            Ok(Ended { status, output, complaint })
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where child processes begin")]
fn start(job: &Job<'_>) -> io::Result<(Child, Group)> {
    let (program, first) =
        job.command.split_first().ok_or_else(|| io::Error::other("the command is empty"))?;
    let mut command = Command::new(program);
    command
        .args(first)
        .args(&job.args)
        .env_clear()
        .envs(job.env.iter().cloned())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    if let Some(folder) = job.folder {
        command.current_dir(folder);
    }
    #[cfg(unix)]
    command.process_group(0);
    let child = command.spawn()?;
    let group = Group(child.id());
    // One that waits for its input is limited before it gets any.
    group.limit(job.limits)?;
    Ok((child, group))
}

fn cannot_start(name: &str, error: &io::Error) -> StepError {
    let category = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Category::NotConfigured,
        _ => Category::ResourceExhausted,
    };
    StepError::new(category, format!("cannot start `{name}`")).because(error)
}

/// Everything up to `limit`; `None` when there is more.
async fn bounded(from: Option<impl AsyncRead + Unpin>, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        from.take(limit.saturating_add(1)).read_to_end(&mut bytes).await?;
    }
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}

/// The first `limit` bytes. The rest is read too, so that the writer does not get stuck.
async fn beginning(from: Option<impl AsyncRead + Unpin>, limit: usize) -> io::Result<Vec<u8>> {
    let (mut kept, mut piece) = (Vec::new(), [0; 4096]);
    let Some(mut from) = from else { return Ok(kept) };
    loop {
        let count = from.read(&mut piece).await?;
        if count == 0 {
            return Ok(kept);
        }
        let room = limit - kept.len();
        kept.extend_from_slice(&piece[..count.min(room)]);
    }
}

/// A child and everything that it started. Dropping it kills what is left of them.
#[derive(Debug)]
struct Group(Option<u32>);

impl Group {
    #[cfg(unix)]
    fn pid(&self) -> Option<rustix::process::Pid> {
        rustix::process::Pid::from_raw(i32::try_from(self.0?).ok()?)
    }

    #[cfg(target_os = "linux")]
    fn limit(&self, limits: Limits) -> io::Result<()> {
        use rustix::process::{Resource, Rlimit, prlimit};
        let Some(pid) = self.pid() else { return Ok(()) };
        let set = |what, most| {
            let limit = Rlimit { current: Some(most), maximum: Some(most) };
            prlimit(Some(pid), what, limit).map(drop)
        };
        set(Resource::Core, 0)?;
        if let Some(bytes) = limits.memory {
            set(Resource::As, bytes)?;
        }
        if let Some(time) = limits.cpu {
            set(Resource::Cpu, time.as_secs().max(1))?;
        }
        if let Some(bytes) = limits.file {
            set(Resource::Fsize, bytes)?;
        }
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    fn limit(&self, _: Limits) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(pid) = self.pid() {
            // None may be left.
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { wall: Duration::from_secs(60), output: 1000, memory: None, cpu: None, file: None };

    async fn shell(script: &str, limits: Limits, input: &[u8]) -> Result<Ended, StepError> {
        let command = ["/bin/sh".to_owned(), "-c".to_owned(), script.to_owned()];
        let path = OsString::from("/usr/bin:/bin");
        let (args, env) = (Vec::new(), vec![("PATH", path)]);
        run(Job { command: &command, args, env, folder: None, input: input.to_vec(), limits }).await
    }

    #[tokio::test]
    async fn input_and_output_pass_through() {
        let ended = shell("cat; echo no >&2; exit 3", LIMITS, b"hello").await.unwrap();
        assert_eq!(ended.output, b"hello");
        assert_eq!(ended.complaint, "no");
        assert_eq!(ended.status.code(), Some(3));
    }

    #[tokio::test]
    async fn a_child_sees_only_the_environment_that_it_is_given() {
        let ended = shell("echo $HOME$USER$PATH", LIMITS, b"").await.unwrap();
        assert_eq!(ended.output, b"/usr/bin:/bin\n");
    }

    #[tokio::test]
    async fn a_child_that_does_not_read_is_no_trouble() {
        let ended = shell("exit 0", LIMITS, &vec![0; 1 << 20]).await.unwrap();
        assert!(ended.status.success());
    }

    #[tokio::test]
    async fn too_much_output_ends_it() {
        let error =
            shell("while :; do echo xxxxxxxxxxxxxxxx; done", LIMITS, b"").await.unwrap_err();
        assert_eq!(error.category(), Category::PayloadTooLarge);
        let noise = "i=0; while [ $i -lt 9999 ]; do echo 0123456789012 >&2; i=$((i+1)); done";
        assert_eq!(shell(noise, LIMITS, b"").await.unwrap().complaint.len(), MAX_COMPLAINT);
    }

    #[tokio::test]
    async fn a_child_that_hangs_is_killed_with_its_own_children() {
        let home = tempfile::tempdir().unwrap();
        let pipe = home.path().join("pipe");
        let made = shell(&format!("mkfifo {}", pipe.display()), LIMITS, b"").await.unwrap();
        assert!(made.status.success());
        // The grandchild holds the pipe open for writing until it dies.
        let script = format!("sleep 1000 > {} & wait", pipe.display());
        let limits = Limits { wall: Duration::from_millis(300), ..LIMITS };
        let (read, ended) = tokio::join!(tokio::fs::read(&pipe), shell(&script, limits, b""));
        assert_eq!(ended.unwrap_err().category(), Category::Timeout);
        assert_eq!(read.unwrap(), b"");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_not_configured() {
        let command = ["/no/such/program".to_owned()];
        let job = Job {
            command: &command,
            args: Vec::new(),
            env: Vec::new(),
            folder: None,
            input: Vec::new(),
            limits: LIMITS,
        };
        assert_eq!(run(job).await.unwrap_err().category(), Category::NotConfigured);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn memory_processor_and_files_are_limited() {
        let memory = Limits { memory: Some(64 << 20), ..LIMITS };
        let ended = shell("cat; ulimit -v; ulimit -c", memory, b"").await.unwrap();
        assert_eq!(ended.output, b"65536\n0\n");
        let cpu = Limits { cpu: Some(Duration::from_secs(1)), ..LIMITS };
        let ended = shell("while :; do :; done", cpu, b"").await.unwrap();
        assert!(!ended.status.success(), "{ended:?}");
        let file = Limits { file: Some(0), ..LIMITS };
        let ended = shell("cat; ulimit -f", file, b"").await.unwrap();
        assert_eq!(ended.output, b"0\n");
    }
}
