//! A program that is given records: one line of JSON each, on its standard input.
//!
//! No shell reads anything, and nothing of a record stands among the arguments or in the environment.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command as Process};

use super::{Delivery, Outgoing};
use crate::alert::record::shortened;
use crate::config::Command as Settings;
use crate::text::clean::clean;

/// How much of what a program writes to standard error is kept, in bytes; the rest is read and
/// dropped, so that no program waits for it.
const LONGEST_ERROR: usize = 4 << 10;
/// How much of that is told, in characters.
const LONGEST_WHY: usize = 300;
/// What a program learns of our environment; all else is kept from it.
const ENVIRONMENT: [&str; 5] = ["PATH", "HOME", "LANG", "TZ", "TMPDIR"];
/// How long the standard error of a program that has ended may stay open: what the program left
/// running elsewhere may hold it for ever.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// `EX_DATAERR` of sysexits.h: the program will never take this record.
const WILL_NEVER_TAKE: i32 = 65;

/// A program.
#[derive(Debug)]
pub(super) struct Command {
    settings: Settings,
}

impl Command {
    pub(super) fn new(settings: &Settings) -> Self {
        Self { settings: settings.clone() }
    }

    pub(super) async fn deliver(&self, alerts: &[Outgoing<'_>]) -> Delivery {
        let input: String = alerts.iter().map(|alert| format!("{}\n", alert.line)).collect();
        let (child, mut group) = match self.start() {
            Ok(started) => started,
            Err(error) => {
                return Delivery::again(format!("starting {} failed: {error}", self.program()));
            }
        };
        let run = run(child, input, &mut group);
        match tokio::time::timeout(self.settings.timeout, run).await {
            Ok(delivery) => delivery,
            Err(_) => Delivery::again(format!(
                "{} did not end within {:?} and was killed",
                self.program(),
                self.settings.timeout
            )),
        }
    }

    fn program(&self) -> String {
        self.settings.program.display().to_string()
    }

    fn start(&self) -> std::io::Result<(Child, Group)> {
        let mut process = Process::new(&self.settings.program);
        process.args(&self.settings.arguments).env_clear();
        for name in ENVIRONMENT {
            process.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        let child = process
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Ok((child, Group(leader)))
    }
}

/// The processes that a program has started; what is left of them ends with the attempt.
struct Group(Option<Pid>);

impl Group {
    /// Ends them, once: the number may be another's later.
    fn kill(&mut self) {
        if let Some(leader) = self.0.take() {
            // An error means that none is left.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn run(mut child: Child, input: String, group: &mut Group) -> Delivery {
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let write = async move {
        if let Some(mut stdin) = stdin {
            // A program need not read what it is given.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
    };
    let mut said = Vec::new();
    let status = {
        let talk = async { tokio::join!(read(stderr, &mut said), write) };
        tokio::pin!(talk);
        let (status, talking) = tokio::select! {
            biased;
            status = child.wait() => (status, true),
            _ = &mut talk => (child.wait().await, false),
        };
        group.kill();
        if talking {
            let _ = tokio::time::timeout(LAST_WORDS, talk).await;
        }
        status
    };
    let said = String::from_utf8_lossy(&said);
    let said = shortened(clean(said.trim()).trim(), LONGEST_WHY);
    match status {
        Ok(status) if status.success() => Delivery::Delivered,
        Ok(status) if status.code() == Some(WILL_NEVER_TAKE) => {
            Delivery::Rejected { why: format!("{status}: {said}") }
        }
        Ok(status) => Delivery::again(format!("{status}: {said}")),
        Err(error) => Delivery::again(format!("waiting for the program failed: {error}")),
    }
}

/// Keeps the start of what is written, all of which is read.
async fn read(from: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut from) = from else { return };
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        kept.extend_from_slice(&buffer[..length.min(LONGEST_ERROR - kept.len())]);
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::alert::record::tests::record;

    /// What becomes of a delivery to `sh -c SCRIPT` in a folder of its own, which is `$0`.
    async fn deliver(script: &str, timeout: Duration) -> (Delivery, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap().to_owned();
        let command = Command::new(&Settings {
            program: PathBuf::from("/bin/sh"),
            arguments: vec!["-c".to_owned(), script.to_owned(), path],
            timeout,
        });
        let record = record("$(touch /tmp/never); `x` 'y'");
        let line = serde_json::to_string(&record).unwrap();
        (command.deliver(&[Outgoing { record: &record, line: &line }]).await, folder)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_program_reads_the_record_as_a_line_of_json() {
        let (delivery, folder) = deliver("cat > \"$0/got\"", LONG).await;
        assert_eq!(delivery, Delivery::Delivered);
        let got = std::fs::read_to_string(folder.path().join("got")).unwrap();
        let record: crate::alert::record::AlertRecord = serde_json::from_str(&got).unwrap();
        assert_eq!(record.data.item.unwrap().title, "$(touch /tmp/never); `x` 'y'");
        assert_eq!(got.lines().count(), 1);
    }

    #[tokio::test]
    async fn a_program_that_fails_is_tried_again_and_says_why() {
        let (delivery, _folder) = deliver("echo no such room >&2; exit 3", LONG).await;
        let Delivery::RetryAfter { why, .. } = delivery else { panic!("{delivery:?}") };
        assert_eq!(why, "exit status: 3: no such room");
        let (delivery, _folder) = deliver("exit 65", LONG).await;
        assert!(matches!(delivery, Delivery::Rejected { .. }), "{delivery:?}");
    }

    #[tokio::test]
    async fn a_program_that_reads_nothing_and_writes_without_end_is_no_trouble() {
        let (delivery, _folder) = deliver("head -c 1000000 /dev/zero >&2; exit 1", LONG).await;
        let Delivery::RetryAfter { why, .. } = delivery else { panic!("{delivery:?}") };
        assert!(why.len() < 2_000, "{} bytes", why.len());
    }

    #[tokio::test]
    async fn a_program_that_does_not_end_is_killed_with_all_that_it_started() {
        // The second process inherits a pipe; its end is seen when every writer is gone.
        let script = "mkfifo \"$0/pipe\"; (sleep 1000 > \"$0/pipe\") & \
                      echo > \"$0/ready\"; sleep 1000";
        let (delivery, folder) = deliver(script, Duration::from_millis(500)).await;
        let Delivery::RetryAfter { why, .. } = delivery else { panic!("{delivery:?}") };
        assert!(why.contains("did not end within 500ms and was killed"), "{why}");
        assert!(folder.path().join("ready").exists());
        let ours = folder.path().to_str().unwrap().as_bytes().to_vec();
        let left = || {
            std::fs::read_dir("/proc")
                .unwrap()
                .filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok())
                .any(|line| line.windows(ours.len()).any(|part| part == ours))
        };
        // What was killed is gone when the kernel has got to it.
        let started = std::time::Instant::now();
        while left() {
            assert!(started.elapsed() < LONG, "something was left running");
            std::thread::yield_now();
        }
    }

    #[tokio::test]
    async fn a_program_that_leaves_something_running_does_not_hold_up_the_next() {
        let (delivery, _folder) = deliver("sleep 1000 & exit 0", LONG).await;
        assert_eq!(delivery, Delivery::Delivered);
    }

    #[tokio::test]
    async fn what_a_program_leaves_running_elsewhere_does_not_make_a_failure_of_it() {
        let (delivery, folder) = deliver(
            "setsid sh -c 'echo $$ > \"$0/pid\"; sleep 1000' \"$0\" & \
                     while [ ! -s \"$0/pid\" ]; do :; done; exit 0",
            LONG,
        )
        .await;
        let pid = std::fs::read_to_string(folder.path().join("pid")).unwrap();
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        kill_process_group(pid, Signal::KILL).unwrap();
        assert_eq!(delivery, Delivery::Delivered);
    }

    #[tokio::test]
    async fn a_program_learns_little_of_our_environment() {
        let (_, folder) = deliver("env > \"$0/env\"", LONG).await;
        let env = std::fs::read_to_string(folder.path().join("env")).unwrap();
        let foreign: Vec<&str> = env
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, _)| name)
            .filter(|name| !ENVIRONMENT.contains(name))
            // What the shell sets itself.
            .filter(|name| !matches!(*name, "PWD" | "OLDPWD" | "SHLVL" | "_"))
            .collect();
        assert_eq!(foreign, Vec::<&str>::new());
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let command = Command::new(&Settings {
            program: PathBuf::from("/nonexistent/program"),
            arguments: Vec::new(),
            timeout: LONG,
        });
        let record = record("x");
        let delivery = command.deliver(&[Outgoing { record: &record, line: "" }]).await;
        let Delivery::RetryAfter { why, .. } = delivery else { panic!("{delivery:?}") };
        assert!(why.starts_with("starting /nonexistent/program failed"), "{why}");
    }
}
