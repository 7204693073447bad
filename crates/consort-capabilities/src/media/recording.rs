//! Recordings that are not on a media page: files, and addresses of sound or video.

use std::{io::Write, path::Path};

use consort_core::{Category, StepError};

use super::{Media, Words, transcribe::Transcriber};

/// Bytes by which a recording is told from other content.
pub(crate) const HEAD: usize = 12;

/// True when content that begins with `head`, of which 12 bytes are enough, is sound or video.
pub fn is_recording(head: &[u8]) -> bool {
    const MAGIC: [&[u8]; 7] = [
        b"ID3",
        b"\xFF\xFB",
        b"\xFF\xF3",
        b"\xFF\xF2",
        b"OggS",
        b"fLaC",
        // Matroska and WebM.
        b"\x1A\x45\xDF\xA3",
    ];
    let at = |from: usize, to: usize| head.get(from..to).unwrap_or_default();
    // Pictures come in the same boxes as films.
    let picture = [b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1"];
    MAGIC.iter().any(|magic| head.starts_with(magic))
        || (at(4, 8) == b"ftyp" && !picture.iter().any(|brand| at(8, 12) == brand.as_slice()))
        || (at(0, 4) == b"RIFF" && (at(8, 12) == b"WAVE" || at(8, 12) == b"AVI "))
}

impl Media {
    /// The transcript of a recording in a file.
    pub(crate) async fn of_file(&self, path: &Path) -> Result<Words, StepError> {
        let shown = || format!("`{}` is a recording", path.display());
        let transcriber = self.transcriber(shown)?;
        let title = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        self.transcript(transcriber, path, title).await
    }

    /// The transcript of a recording that came from `url`.
    pub(crate) async fn of_bytes(&self, bytes: &[u8], url: &str) -> Result<Words, StepError> {
        let transcriber = self.transcriber(|| format!("`{url}` is a recording"))?;
        let last = url.split(['?', '#']).next().unwrap_or(url).rsplit('/').next().unwrap_or(url);
        let ending: String = match last.rsplit_once('.') {
            Some((_, ending)) => ending.chars().filter(char::is_ascii_alphanumeric).collect(),
            None => String::new(),
        };
        let file = tempfile::Builder::new()
            .prefix("consort-recording-")
            .suffix(&format!(".{ending}"))
            .tempfile()
            .and_then(|mut file| file.write_all(bytes).map(|()| file));
        let file = file.map_err(|error| {
            StepError::new(Category::ResourceExhausted, "no place for a recording").because(&error)
        })?;
        self.transcript(transcriber, file.path(), last.to_owned()).await
    }

    /// What turns recordings into text; without it the failure that `what` begins.
    pub(super) fn transcriber(
        &self,
        what: impl FnOnce() -> String,
    ) -> Result<&Transcriber, StepError> {
        self.config.transcriber.as_ref().ok_or_else(|| {
            let message = format!("{}, and no transcriber is configured", what());
            StepError::new(Category::NotConfigured, message)
                .hint("name a command or an endpoint in `media.transcriber`, or `--transcriber`")
        })
    }

    pub(super) async fn transcript(
        &self,
        transcriber: &Transcriber,
        recording: &Path,
        title: String,
    ) -> Result<Words, StepError> {
        let bytes =
            transcriber.transcribe(&self.gate, recording, &self.config, self.max_bytes).await?;
        let losses = vec!["the text is a machine's transcript, so words may be wrong".to_owned()];
        Ok(Words { bytes, name: format!("{title}.json"), losses })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_are_told_from_pictures_and_texts() {
        let film = b"\0\0\0\x18ftypmp42";
        let sound = b"RIFF\0\0\0\0WAVE";
        for head in [film.as_slice(), sound, b"ID3\x04", b"OggS", b"fLaC", b"\xFF\xFB\x90"] {
            assert!(is_recording(head), "{head:?}");
        }
        let picture = b"\0\0\0\x18ftypheic";
        let text = "\u{FEFF}text".as_bytes();
        for head in [picture.as_slice(), b"RIFF\0\0\0\0WEBP", b"\xFF\xFEt\0", text, b"", b"ftyp"] {
            assert!(!is_recording(head), "{head:?}");
        }
    }
}
