//! What systemd and the journal hear of the program.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::program::Demo;

/// Messages that are looked through for one; more than there can be.
const MOST: usize = 1_000;

/// A daemon, and the socket on which systemd would listen to it.
struct Service {
    demo: Demo,
    socket: UnixDatagram,
    daemon: Child,
}

impl Service {
    fn start() -> Self {
        Self::start_with(Stdio::null())
    }

    /// Starts it with this standard error.
    fn start_with(stderr: Stdio) -> Self {
        let demo = Demo::new();
        let socket = UnixDatagram::bind(demo.path("notify")).unwrap();
        // A daemon that says nothing fails the test instead of holding it up.
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let daemon = demo
            .command(&["run"])
            .env("NOTIFY_SOCKET", demo.path("notify"))
            .env("WATCHDOG_USEC", "300000")
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .unwrap();
        Self { demo, socket, daemon }
    }

    /// The next message with this in it.
    #[track_caller]
    fn hear(&self, part: &str) -> String {
        let mut bytes = [0; 4096];
        for _ in 0..MOST {
            let length = self.socket.recv(&mut bytes).expect("the daemon says something");
            let message = String::from_utf8_lossy(&bytes[..length]).into_owned();
            if message.contains(part) {
                return message;
            }
        }
        panic!("nothing with {part} was heard");
    }

    fn database(&self, sql: &str) {
        let database = rusqlite::Connection::open(self.demo.path("newswatch.db")).unwrap();
        database.busy_timeout(Duration::from_secs(10)).unwrap();
        database.execute_batch(sql).unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.daemon.kill().ok();
        self.daemon.wait().ok();
    }
}

#[test]
fn systemd_hears_no_sign_of_life_while_the_database_cannot_be_written() {
    let service = Service::start();
    service.hear("WATCHDOG=1");
    service.database(
        "CREATE TRIGGER refuse BEFORE INSERT ON facts BEGIN SELECT RAISE(ABORT, 'no'); END",
    );
    let broken = service.hear("CANNOT WRITE");
    assert!(!broken.contains("WATCHDOG=1"), "{broken}");
    service.database("DROP TRIGGER refuse");
    let mended = service.hear("WATCHDOG=1");
    assert!(!mended.contains("CANNOT WRITE"), "{mended}");
}

#[test]
fn a_pipe_that_nobody_reads_holds_up_the_log_alone() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let stderr = writer.try_clone().unwrap();
    // It is full as soon as this waits.
    let filling = std::thread::spawn(move || writer.write_all(&[b'\n'; 1 << 20]));
    let mut service = Service::start_with(stderr.into());
    service.hear("READY=1");
    let pid = service.daemon.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    service.hear("RELOADING=1");
    service.hear("READY=1");
    service.hear("WATCHDOG=1");
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    service.hear("STOPPING=1");
    assert!(service.daemon.wait().unwrap().success());
    drop(reader);
    filling.join().unwrap().unwrap_err();
}

/// What a call writes to a stream that it may take for the journal's.
fn written(demo: &Demo, arguments: &[&str], journal: bool) -> String {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let stream = File::from(OwnedFd::from(writer.try_clone().unwrap())).metadata().unwrap();
    let inode = if journal { stream.ino() } else { stream.ino() + 1 };
    let mut command = demo.command(arguments);
    command
        .env("JOURNAL_STREAM", format!("{}:{inode}", stream.dev()))
        .stdout(writer.try_clone().unwrap())
        .stderr(writer);
    assert_ne!(command.status().unwrap().code(), Some(0));
    // Its ends of the pipe are ours too.
    drop(command);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    text
}

#[track_caller]
fn check_priorities(demo: &Demo, arguments: &[&str], part: &str) {
    let text = written(demo, arguments, true);
    let line = text.lines().find(|line| line.contains(part));
    let line = line.unwrap_or_else(|| panic!("nothing has {part}: {text}"));
    assert!(line.starts_with("<3>"), "{line}");
    let plain = written(demo, arguments, false);
    assert!(plain.contains(part) && !plain.contains("<3>"), "{plain}");
}

#[test]
fn the_journal_hears_why_a_start_or_a_reload_was_refused_as_errors() {
    let demo = Demo::new();
    std::fs::write(demo.path("rules/bad.toml"), "[[rule]]\nid = \"x\"\nquery = 'a AND ('\n")
        .unwrap();
    for arguments in [["--quiet", "check"].as_slice(), &["run"]] {
        check_priorities(&demo, arguments, "rules/bad.toml:3:16: error");
        check_priorities(&demo, arguments, "query = 'a AND ('");
    }
    std::fs::remove_file(demo.path("newswatch.toml")).unwrap();
    check_priorities(&demo, &["run"], "there is no configuration at");
}

#[test]
fn the_journal_hears_warnings_as_warnings() {
    let demo = Demo::new();
    std::fs::write(demo.path("rules/bad.toml"), "[[rule]]\nid = \"x\"\nquery = 'a AND ('\n")
        .unwrap();
    std::fs::write(
        demo.path("feeds/fast.toml"),
        "[[feed]]\nname = \"fast\"\nurl = \"https://example.org/\"\ninterval = \"2s\"\n",
    )
    .unwrap();
    let text = written(&demo, &["check"], true);
    assert!(text.lines().any(|line| line.starts_with("<4>") && line.contains("warning: polling")));
}
