//! What `consort analyze` was told to do: which inputs, in which form, to where.

use std::{collections::HashSet, path::PathBuf, time::Duration};

use consort::{capabilities, content::analyse::Depth};

use super::{evidence::Evidence, input::Input, target};
use crate::{args, fail::Failure};

/// The whole order.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) inputs: Vec<Input>,
    pub(super) evidence: Vec<Evidence>,
    /// How many of them an earlier job has done.
    pub(super) done: usize,
    /// File names of the reports, one for each input, no two alike.
    pub(super) names: Vec<String>,
    pub(super) format: Format,
    pub(super) out: Out,
    pub(super) depth: Depth,
    pub(super) timeout: Option<Duration>,
    pub(super) at_once: usize,
    pub(super) again: bool,
    /// How many pages of a feed are reported on, where that was said.
    pub(super) items: Option<usize>,
}

/// Form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Markdown,
    Html,
    Json,
    JsonLd,
}

impl Format {
    pub(super) const fn ending(self) -> &'static str {
        match self {
            Self::Markdown => "md",
            Self::Html => "html",
            Self::Json => "json",
            Self::JsonLd => "jsonld",
        }
    }

    /// True for a form that programs read.
    pub(super) const fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::JsonLd)
    }

    fn of_ending(ending: &str) -> Option<Self> {
        match ending.to_ascii_lowercase().as_str() {
            "md" | "markdown" => Some(Self::Markdown),
            "html" | "htm" => Some(Self::Html),
            "json" => Some(Self::Json),
            "jsonld" => Some(Self::JsonLd),
            _ => None,
        }
    }
}

/// Where reports go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Out {
    Print,
    File(PathBuf),
    Directory(PathBuf),
}

impl Job {
    pub(super) fn understand(typed: args::Analyze, json: bool) -> Result<Self, Failure> {
        let several = typed.inputs.len() > 1;
        if typed.inputs.iter().filter(|input| *input == "-").count() > 1 {
            return Err(Failure::Usage("standard input can only be read once".into()));
        }
        let out = out(typed.out, several)?;
        let format = format(typed.format, json, &out)?;
        if several && format == Format::Html && out == Out::Print {
            let text = "several pages do not fit into one; name a directory with `--out`";
            return Err(Failure::Usage(text.into()));
        }
        let mut inputs: Vec<Input> = typed.inputs.into_iter().map(Input::understand).collect();
        let mut seen = HashSet::new();
        // The same thing named twice is one input.
        inputs.retain(|input| seen.insert(input.name().to_owned()));
        let limit = capabilities::Config::default().max_bytes;
        let evidence = typed.evidence.into_iter().map(|typed| Evidence::understand(typed, limit));
        let evidence = evidence.collect::<Result<_, _>>()?;
        if let Out::Directory(directory) = &out {
            target::make(directory)?;
        }
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        Ok(Self {
            names: target::names(&inputs, format.ending()),
            inputs,
            evidence,
            done: 0,
            format,
            out,
            depth: match typed.depth {
                args::Depth::Quick => Depth::Quick,
                args::Depth::Standard => Depth::Standard,
                args::Depth::Deep => Depth::Deep,
            },
            timeout: typed.timeout,
            at_once: typed.jobs.map_or(processors, usize::from),
            again: typed.again,
            items: typed.items,
        })
    }

    /// The same order for further inputs, those that are not among the inputs yet. `None` when
    /// there are none.
    pub(super) fn and(&self, more: Vec<Input>) -> Option<Self> {
        let mut inputs = self.inputs.clone();
        let mut seen: HashSet<String> =
            inputs.iter().map(|input| input.name().to_owned()).collect();
        inputs.extend(more.into_iter().filter(|input| seen.insert(input.name().to_owned())));
        let names = target::names(&inputs, self.format.ending());
        let done = self.inputs.len();
        (inputs.len() > done).then(|| Self { names, inputs, done, ..self.clone() })
    }
}

fn out(typed: Option<PathBuf>, several: bool) -> Result<Out, Failure> {
    let Some(path) = typed else { return Ok(Out::Print) };
    let slash = path.as_os_str().as_encoded_bytes().ends_with(b"/");
    match (slash || path.is_dir(), several) {
        (true, _) => Ok(Out::Directory(path)),
        (false, false) => Ok(Out::File(path)),
        (false, true) => {
            let path = path.display();
            Err(Failure::Usage(format!(
                "several reports do not fit into one file; for a directory write `--out {path}/`"
            )))
        }
    }
}

fn format(typed: Option<args::Format>, json: bool, out: &Out) -> Result<Format, Failure> {
    let named = match typed {
        Some(args::Format::Md) => Some(Format::Markdown),
        Some(args::Format::Html) => Some(Format::Html),
        Some(args::Format::Json) => Some(Format::Json),
        Some(args::Format::JsonLd) => Some(Format::JsonLd),
        None => None,
    };
    if json && *out == Out::Print {
        let named = named.unwrap_or(Format::Json);
        if !named.is_json() {
            let text = format!("`--json` and `--format {}` contradict each other", named.ending());
            return Err(Failure::Usage(text));
        }
        return Ok(named);
    }
    let by_ending = match out {
        Out::File(path) => path.extension().and_then(|e| Format::of_ending(e.to_str()?)),
        Out::Print | Out::Directory(_) => None,
    };
    Ok(named.or(by_ending).unwrap_or(if json { Format::Json } else { Format::Markdown }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn understood(out_: &str, several: bool, json: bool) -> Result<(Out, Format), String> {
        let typed = Some(PathBuf::from(out_)).filter(|_| !out_.is_empty());
        let understood = out(typed, several).and_then(|out| {
            let format = format(None, json, &out)?;
            Ok((out, format))
        });
        understood.map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn the_form_follows_the_ending() {
        assert_eq!(understood("a.json", false, false).unwrap().1, Format::Json);
        assert_eq!(understood("a.MD", false, true).unwrap().1, Format::Markdown);
        assert_eq!(understood("a.html", false, false).unwrap().1, Format::Html);
        assert_eq!(understood("a", false, false).unwrap().1, Format::Markdown);
        assert_eq!(understood("", false, true).unwrap(), (Out::Print, Format::Json));
    }

    #[test]
    fn several_reports_need_a_directory() {
        assert_eq!(understood("new/", true, false).unwrap().0, Out::Directory("new/".into()));
        assert!(understood("new", true, false).unwrap_err().contains("new/"));
        assert_eq!(understood("new", false, false).unwrap().0, Out::File("new".into()));
    }
}
