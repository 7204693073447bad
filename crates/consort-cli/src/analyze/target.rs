//! Where reports go: one file for each input, complete or not there at all.

use std::{
    collections::HashMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use consort::core::{Hash, StepError};

use super::input::Input;
use crate::fail;

/// File names after the inputs. Inputs of the same name get a part of a hash of their whole name,
/// so that the others in a batch do not matter to how one is called.
pub(super) fn names(inputs: &[Input], ending: &str) -> Vec<String> {
    let mut uses: HashMap<String, usize> = HashMap::new();
    for input in inputs {
        *uses.entry(input.stem().to_lowercase()).or_default() += 1;
    }
    let name = |input: &Input| {
        let stem = input.stem();
        if uses.get(&stem.to_lowercase()).is_some_and(|uses| *uses > 1) {
            let hash = Hash::of(input.name().as_bytes()).to_string();
            return format!("{stem}.{}.{ending}", &hash[..8]);
        }
        format!("{stem}.{ending}")
    };
    inputs.iter().map(name).collect()
}

/// Makes the directory for reports.
pub(super) fn make(directory: &Path) -> Result<(), StepError> {
    fs::create_dir_all(directory).map_err(|error| fail::file("make", directory, &error))
}

/// Writes a file so that nobody ever sees half of it.
pub(super) fn write(path: &Path, text: &str) -> Result<(), StepError> {
    let failed = |error: io::Error| fail::file("write", path, &error);
    if path.exists() && !path.is_file() {
        // A device or a pipe, such as /dev/stdout: nothing to put into its place.
        return fs::write(path, text).map_err(failed);
    }
    let temporary = beside(path);
    let written = fs::File::create(&temporary)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&temporary, path));
    written.map_err(|error| {
        // What is left of the attempt is of no use; that it may stay is no second failure.
        let _ = fs::remove_file(&temporary);
        failed(error)
    })
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_of_one_name_get_files_of_their_own() {
        let inputs = ["a/talk.txt", "b/Talk.txt", "c.txt"];
        let inputs: Vec<Input> = inputs.iter().map(|name| Input::understand(name.into())).collect();
        let names = names(&inputs, "md");
        assert_ne!(names[0].to_lowercase(), names[1].to_lowercase());
        assert!(names[0].starts_with("talk.txt.") && names[0].ends_with(".md"), "{names:?}");
        assert_eq!(names[2], "c.txt.md");
    }
}
