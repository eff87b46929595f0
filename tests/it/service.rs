//! What systemd hears of the daemon.

use std::os::unix::net::UnixDatagram;
use std::process::{Child, Stdio};
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
        let demo = Demo::new();
        let socket = UnixDatagram::bind(demo.path("notify")).unwrap();
        // A daemon that says nothing fails the test instead of holding it up.
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let daemon = demo
            .command(&["run"])
            .env("NOTIFY_SOCKET", demo.path("notify"))
            .env("WATCHDOG_USEC", "300000")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
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
