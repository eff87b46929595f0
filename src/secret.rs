//! Secrets, read where the configuration says they are kept, at each use.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::config::SecretSource;

/// The longest file that holds secrets, in bytes.
const LONGEST: u64 = 8 << 10;
/// How long one who is not to be held up waits for a secret.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A secret. It shows itself to nobody who asks for it by accident.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// The secret itself, for the one place that sends it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why there is no secret, for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("reading {source_of} failed: {why}")]
pub(crate) struct Unreadable {
    source_of: String,
    why: String,
}

/// Reads secrets on threads of their own, for one who must not be held up by the disk that they lie on.
/// However often that one asks, no more than one thread hangs with it.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    /// Held by the thread that reads, for as long as it does.
    thread: Arc<Semaphore>,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self { thread: Arc::new(Semaphore::new(1)) }
    }

    /// Reads a secret of one line.
    pub(crate) async fn read(&self, source: &SecretSource) -> Result<Secret, Unreadable> {
        self.apart(source, read).await
    }

    /// Reads secrets, one a line.
    pub(crate) async fn read_lines(
        &self,
        source: &SecretSource,
    ) -> Result<Vec<Secret>, Unreadable> {
        self.apart(source, read_lines).await
    }

    async fn apart<T: Send + 'static>(
        &self,
        source: &SecretSource,
        read: fn(&SecretSource) -> Result<T, Unreadable>,
    ) -> Result<T, Unreadable> {
        let (thread, owned) = (self.thread.clone(), source.clone());
        let reading = async {
            let held = thread.acquire_owned().await.expect("it is never closed");
            let work = move || {
                let _held = held;
                read(&owned)
            };
            tokio::task::spawn_blocking(work).await
        };
        match tokio::time::timeout(LONGEST_WAIT, reading).await {
            Ok(Ok(read)) => read,
            Ok(Err(panic)) => Err(unreadable(source, &panic.to_string())),
            Err(_) => Err(unreadable(source, &format!("it takes longer than {LONGEST_WAIT:?}"))),
        }
    }
}

/// Reads a secret of one line.
pub(crate) fn read(source: &SecretSource) -> Result<Secret, Unreadable> {
    let mut lines = read_lines(source)?;
    match (lines.pop(), lines.is_empty()) {
        (Some(secret), true) => Ok(secret),
        _ => Err(unreadable(source, "it holds more than one line")),
    }
}

/// Reads a file of secrets whole.
pub(crate) fn read_text(source: &SecretSource) -> Result<Secret, Unreadable> {
    let path = file(source).map_err(|why| unreadable(source, why))?;
    limited(&path).map(Secret).map_err(|why| unreadable(source, &why))
}

/// The file that a secret is read from.
pub(crate) fn file(source: &SecretSource) -> Result<PathBuf, &'static str> {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    path(source, folder.as_deref())
}

/// Reads secrets, one a line; empty lines are none. At least one.
pub(crate) fn read_lines(source: &SecretSource) -> Result<Vec<Secret>, Unreadable> {
    let text = read_text(source)?;
    let lines = text.expose().lines().map(str::trim).filter(|line| !line.is_empty());
    let secrets: Vec<Secret> = lines.map(|line| Secret(line.to_owned())).collect();
    if secrets.is_empty() {
        return Err(unreadable(source, "it is empty"));
    }
    Ok(secrets)
}

fn unreadable(source: &SecretSource, why: &str) -> Unreadable {
    Unreadable { source_of: source.to_string(), why: why.to_owned() }
}

/// The file of a secret, where systemd keeps its credentials in `folder`.
fn path(source: &SecretSource, folder: Option<&Path>) -> Result<PathBuf, &'static str> {
    match (source, folder) {
        (SecretSource::File(path), _) => Ok(path.clone()),
        (SecretSource::Credential(name), Some(folder)) => Ok(folder.join(name)),
        (SecretSource::Credential(_), None) => {
            Err("there are none: only a service that systemd starts with LoadCredential= has some")
        }
    }
}

fn limited(path: &Path) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    file.take(LONGEST + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > LONGEST {
        return Err("it is too long for a secret".to_owned());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write as _;
    use std::process::Command;

    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, SecretSource) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, text).unwrap();
        (folder, SecretSource::File(path))
    }

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        let (_folder, source) = file(text);
        let read = read(&source).map_err(|error| error.to_string());
        match (read, expected) {
            (Ok(secret), Ok(expected)) => assert_eq!(secret.expose(), expected),
            (Err(error), Err(part)) => {
                assert!(error.ends_with(part), "{error}");
                assert!(error.contains("/secret failed"), "{error}");
            }
            (read, _) => panic!("{read:?}"),
        }
    }

    #[test]
    fn a_secret_is_the_one_line_of_its_file() {
        check("token\n", Ok("token"));
        check("  token \r\n\r\n", Ok("token"));
        check("one\ntwo\n", Err("more than one line"));
        check("\n \n", Err("it is empty"));
        check(&"x".repeat(9000), Err("too long for a secret"));
    }

    #[test]
    fn several_secrets_stand_on_lines_of_their_own() {
        let (_folder, source) = file("one\n\ntwo\n");
        let secrets = read_lines(&source).unwrap();
        assert_eq!(secrets.iter().map(Secret::expose).collect::<Vec<_>>(), ["one", "two"]);
    }

    #[test]
    fn a_credential_lies_where_systemd_keeps_them() {
        let source = SecretSource::Credential("hook".to_owned());
        let folder = Path::new("/run/credentials/newswatch.service");
        assert_eq!(path(&source, Some(folder)).unwrap(), folder.join("hook"));
        assert!(path(&source, None).unwrap_err().contains("LoadCredential="));
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_hangs_holds_up_one_thread_and_nobody_who_waits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        // Whoever opens it to read waits for one who writes.
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let (reader, source) = (Reader::new(), SecretSource::File(path.clone()));
        for _ in 0..2 {
            let mut read = std::pin::pin!(reader.read(&source));
            tokio::select! {
                biased;
                _ = &mut read => panic!("it does not hang"),
                () = tokio::task::yield_now() => {}
            }
            tokio::time::advance(LONGEST_WAIT + Duration::from_millis(1)).await;
            let error = read.await.unwrap_err().to_string();
            assert!(error.ends_with("/secret failed: it takes longer than 5s"), "{error}");
            assert_eq!(reader.thread.available_permits(), 0);
        }
        // There is one that reads, or the writer would wait for another.
        let mut write = OpenOptions::new().write(true).open(&path).unwrap();
        write.write_all(b"late").unwrap();
        drop(write);
        let _free = reader.thread.acquire().await.unwrap();
    }

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Secret("token".to_owned())), "Secret(…)");
    }
}
