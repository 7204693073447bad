//! The witness: a file outside the engine to which every process appends, one `write` per note.

use std::{
    collections::BTreeSet,
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
};

/// Appends notes. The order of the file is the order of what happened.
#[derive(Debug)]
pub(crate) struct Witness(File);

/// One line of the file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Note {
    /// A capability changed the world under this idempotency key.
    Effect { key: String, callee: String },
    /// The journal said that the record of this step is on disk.
    Done { key: String },
    /// A process that started found the record of this step on disk.
    Found { key: String },
    /// A client is about to ask; if it hears nothing, it asks again in the next life.
    Asked { index: u64 },
    /// The client of this request was told which run it is.
    Started { index: u64, run: String },
    /// The client's event was accepted.
    Told { index: u64 },
    /// The client was given the result, of which this is the text.
    Ended { index: u64, result: String },
    /// A life is about to take up what is unfinished.
    Ready,
    /// The first unfinished run was taken up so many milliseconds after the process was asked for.
    Resumed { after: u64 },
    /// Something that must not happen.
    Fault { text: String },
}

impl Note {
    fn line(&self) -> String {
        match self {
            Self::Effect { key, callee } => format!("effect {key} {callee}\n"),
            Self::Done { key } => format!("done {key}\n"),
            Self::Found { key } => format!("found {key}\n"),
            Self::Asked { index } => format!("asked {index}\n"),
            Self::Started { index, run } => format!("started {index} {run}\n"),
            Self::Told { index } => format!("told {index}\n"),
            Self::Ended { index, result } => format!("ended {index} {result}\n"),
            Self::Ready => "ready now\n".to_owned(),
            Self::Resumed { after } => format!("resumed {after}\n"),
            Self::Fault { text } => format!("fault {}\n", text.replace('\n', " ")),
        }
    }

    /// `None` for a line that makes no sense.
    fn parse(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ')?;
        let pair = || rest.split_once(' ');
        Some(match word {
            "effect" => {
                let (key, callee) = pair()?;
                Self::Effect { key: key.to_owned(), callee: callee.to_owned() }
            }
            "done" => Self::Done { key: rest.to_owned() },
            "found" => Self::Found { key: rest.to_owned() },
            "asked" => Self::Asked { index: rest.parse().ok()? },
            "started" => {
                let (index, run) = pair()?;
                Self::Started { index: index.parse().ok()?, run: run.to_owned() }
            }
            "told" => Self::Told { index: rest.parse().ok()? },
            "ended" => {
                let (index, result) = pair()?;
                Self::Ended { index: index.parse().ok()?, result: result.to_owned() }
            }
            "ready" => Self::Ready,
            "resumed" => Self::Resumed { after: rest.parse().ok()? },
            "fault" => Self::Fault { text: rest.to_owned() },
            _ => return None,
        })
    }
}

impl Witness {
    /// The witness in `directory`. A note that the death of its process cut short is taken out:
    /// nothing that came after it can have happened.
    pub(crate) fn open(directory: &Path) -> std::io::Result<Self> {
        let path = path(directory);
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        let bytes = std::fs::read(&path)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        if whole < bytes.len() {
            file.set_len(whole as u64)?;
        }
        Ok(Self(file))
    }

    /// Takes note. What cannot be noted must not go on unseen.
    pub(crate) fn note(&self, notes: &[Note]) {
        let lines: String = notes.iter().map(Note::line).collect();
        if let Err(error) = (&self.0).write_all(lines.as_bytes()) {
            eprintln!("the witness cannot write: {error}");
            std::process::abort();
        }
    }
}

pub(crate) fn path(directory: &Path) -> std::path::PathBuf {
    directory.join("witness.log")
}

/// Everything noted so far, in order.
pub(crate) fn read(directory: &Path) -> Vec<Note> {
    let bytes = std::fs::read(path(directory)).unwrap_or_default();
    String::from_utf8_lossy(&bytes).lines().filter_map(Note::parse).collect()
}

/// What clients must know when they start again.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) asked: BTreeSet<u64>,
    pub(crate) told: BTreeSet<u64>,
    pub(crate) ended: BTreeSet<u64>,
}

impl Memory {
    pub(crate) fn of(notes: &[Note]) -> Self {
        let mut memory = Self::default();
        for note in notes {
            match note {
                Note::Asked { index } => {
                    memory.asked.insert(*index);
                }
                Note::Told { index } => {
                    memory.told.insert(*index);
                }
                Note::Ended { index, .. } => {
                    memory.ended.insert(*index);
                }
                Note::Ready
                | Note::Started { .. }
                | Note::Effect { .. }
                | Note::Done { .. }
                | Note::Found { .. }
                | Note::Resumed { .. }
                | Note::Fault { .. } => {}
            }
        }
        memory
    }
}
