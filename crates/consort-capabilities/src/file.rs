//! Reading local files under a limit.

use std::{io, path::Path};

use consort_core::{Category, StepError};
use tokio::io::AsyncReadExt;

use crate::fetch::size;

/// The first `count` bytes of a regular file, or all there are.
pub(crate) async fn head(path: &str, count: usize) -> Result<Vec<u8>, StepError> {
    let (file, _) = open(path).await?;
    let mut bytes = Vec::with_capacity(count);
    let read = file.take(count as u64).read_to_end(&mut bytes).await;
    read.map_err(|error| cannot(path, &error))?;
    Ok(bytes)
}

/// Reads a regular file of at most `limit` bytes. What could keep a reader waiting, such as a pipe
/// or a terminal, is refused.
pub(crate) async fn read(path: &str, limit: u64) -> Result<Vec<u8>, StepError> {
    let (file, length) = open(path).await?;
    let mut bytes = Vec::with_capacity(length.min(limit) as usize);
    if length <= limit {
        // A file that grows while it is read is read up to the limit.
        let read = file.take(limit.saturating_add(1)).read_to_end(&mut bytes).await;
        read.map_err(|error| cannot(path, &error))?;
    }
    if length > limit || bytes.len() as u64 > limit {
        let message = format!("`{path}` is larger than {}", size(limit));
        return Err(
            StepError::new(Category::PayloadTooLarge, message).hint("split it into smaller files")
        );
    }
    Ok(bytes)
}

fn cannot(path: &str, error: &io::Error) -> StepError {
    let category = match error.kind() {
        io::ErrorKind::NotFound => Category::NotFound,
        io::ErrorKind::PermissionDenied => Category::PermissionDenied,
        _ => Category::ProcessingFailed,
    };
    StepError::new(category, format!("cannot read `{path}`")).because(error)
}

/// A regular file and its length.
async fn open(path: &str) -> Result<(tokio::fs::File, u64), StepError> {
    let file = open_at_once(Path::new(path)).await.map_err(|error| cannot(path, &error))?;
    let facts = file.metadata().await.map_err(|error| cannot(path, &error))?;
    if facts.is_dir() {
        let message = format!("`{path}` is a directory");
        return Err(StepError::new(Category::InvalidRequest, message).hint("name a file"));
    }
    if !facts.is_file() {
        let message = format!("`{path}` is a pipe or a device, not a file");
        return Err(StepError::new(Category::InvalidRequest, message)
            .hint("give it on standard input, or copy it to a file first"));
    }
    Ok((file, facts.len()))
}

#[cfg(unix)]
async fn open_at_once(path: &Path) -> io::Result<tokio::fs::File> {
    // Opening a pipe would wait for a writer.
    let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    tokio::fs::OpenOptions::new().read(true).custom_flags(flags).open(path).await
}

#[cfg(not(unix))]
async fn open_at_once(path: &Path) -> io::Result<tokio::fs::File> {
    tokio::fs::File::open(path).await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refusal(path: &Path, limit: u64) -> (Category, String) {
        let error = read(path.to_str().unwrap(), limit).await.unwrap_err();
        (error.category(), error.message().to_owned())
    }

    #[tokio::test]
    async fn a_file_is_read_up_to_the_limit() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read(path.to_str().unwrap(), 5).await.unwrap(), b"12345");
        assert_eq!(refusal(&path, 4).await.0, Category::PayloadTooLarge);
    }

    #[tokio::test]
    async fn a_file_of_a_gigabyte_is_refused_unread() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("big");
        std::fs::File::create(&path).unwrap().set_len(1 << 30).unwrap();
        assert_eq!(refusal(&path, 64 << 20).await.0, Category::PayloadTooLarge);
    }

    #[tokio::test]
    async fn directories_and_missing_files_are_told_apart() {
        let home = tempfile::tempdir().unwrap();
        let (category, message) = refusal(home.path(), 1).await;
        assert_eq!(category, Category::InvalidRequest);
        assert!(message.ends_with("is a directory"), "{message}");
        assert_eq!(refusal(&home.path().join("no"), 1).await.0, Category::NotFound);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn pipes_and_devices_do_not_keep_anyone_waiting() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        for path in [&*path, Path::new("/dev/zero")] {
            let (category, message) = refusal(path, 1).await;
            assert_eq!(category, Category::InvalidRequest);
            assert!(message.ends_with("not a file"), "{message}");
        }
    }
}
