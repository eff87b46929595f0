//! Receivers that write on this system: they are held up for as long as a disk or a terminal takes, and
//! hold nothing else up. A write that has begun is waited for, also by who delivers after a reload: it
//! cannot be called off, and would else be made twice.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::task::{JoinError, JoinHandle};

use super::{Delivery, Outgoing, atom, journald, jsonl, stdout};

/// How long a delivery waits for its write, or for the one before: what takes longer hangs, which has to
/// be seen.
const LONGEST_WRITE: Duration = Duration::from_secs(60);
/// Ids of alerts that were written while nobody waited, at most.
const MOST_UNCLAIMED: usize = 1_000;

/// One of them.
#[derive(Debug)]
pub(super) struct Local {
    place: Place,
    writes: Mutex<Writes>,
}

/// Where it writes.
#[derive(Debug)]
pub(super) enum Place {
    Stdout(stdout::Stdout),
    Jsonl(jsonl::Jsonl),
    Journald(journald::Journald),
    Atom(atom::Atom),
}

/// What became of deliveries that nobody waited for to the end, as those that a reload gave up: they
/// come again, and a write cannot be called off.
#[derive(Debug, Default)]
struct Writes {
    /// The write under way, and the ids of its alerts.
    running: Option<(Vec<String>, JoinHandle<Delivery>)>,
    /// The ids of what was written while nobody waited and has not come again.
    unclaimed: Vec<String>,
}

impl Local {
    pub(super) fn new(place: Place) -> Self {
        Self { place, writes: Mutex::default() }
    }

    fn write(&self, alerts: &[Outgoing<'_>], now: Timestamp) -> Delivery {
        match &self.place {
            Place::Stdout(stdout) => stdout.deliver(alerts),
            Place::Jsonl(jsonl) => jsonl.deliver(alerts),
            Place::Journald(journald) => journald.deliver(alerts),
            Place::Atom(atom) => atom.deliver(alerts, now),
        }
    }

    /// Whether it writes a file of its own.
    pub(super) fn is_file(&self) -> bool {
        matches!(self.place, Place::Jsonl(_) | Place::Atom(_))
    }

    /// Opens a file again that was moved away; false where there is none, or it is in use.
    pub(super) fn reopen(&self) -> std::io::Result<bool> {
        match &self.place {
            Place::Jsonl(jsonl) => jsonl.reopen(),
            _ => Ok(false),
        }
    }

    /// Delivers on a thread for such work, after the delivery before has ended.
    pub(super) async fn deliver(
        self: &Arc<Self>,
        alerts: &[Outgoing<'_>],
        now: Timestamp,
    ) -> Delivery {
        let mut writes = self.writes.lock().await;
        let ids = |alerts: &[Outgoing<'_>]| -> Vec<String> {
            alerts.iter().map(|alert| alert.record.id.clone()).collect()
        };
        if let Some((before, write)) = &mut writes.running {
            let Ok(ended) = tokio::time::timeout(LONGEST_WRITE, write).await else {
                return takes_too_long();
            };
            let outcome = outcome(ended);
            let before = std::mem::take(before);
            writes.running = None;
            if before == ids(alerts) {
                return outcome;
            }
            if outcome == Delivery::Delivered {
                writes.unclaimed.extend(before);
                let most = writes.unclaimed.len().saturating_sub(MOST_UNCLAIMED);
                writes.unclaimed.drain(..most);
            }
        }
        let (written, alerts): (Vec<_>, Vec<_>) =
            alerts.iter().copied().partition(|alert| writes.unclaimed.contains(&alert.record.id));
        let written = ids(&written);
        if alerts.is_empty() && !written.is_empty() {
            writes.unclaimed.retain(|id| !written.contains(id));
            return Delivery::Delivered;
        }
        let owned = |alert: &Outgoing<'_>| (alert.record.clone(), alert.line.to_owned());
        let (local, owned) = (self.clone(), alerts.iter().map(owned).collect::<Vec<_>>());
        let work = move || {
            let alerts = owned.iter().map(|(record, line)| Outgoing { record, line });
            local.write(&alerts.collect::<Vec<_>>(), now)
        };
        let write = tokio::task::spawn_blocking(work);
        let (_, write) = writes.running.insert((ids(&alerts), write));
        let Ok(ended) = tokio::time::timeout(LONGEST_WRITE, write).await else {
            return takes_too_long();
        };
        writes.running = None;
        let outcome = outcome(ended);
        if outcome == Delivery::Delivered {
            writes.unclaimed.retain(|id| !written.contains(id));
        }
        outcome
    }
}

/// The write goes on, and is waited for when the delivery comes again.
fn takes_too_long() -> Delivery {
    Delivery::again(format!("writing takes longer than {} s", LONGEST_WRITE.as_secs()))
}

fn outcome(ended: Result<Delivery, JoinError>) -> Delivery {
    ended.unwrap_or_else(|panic| Delivery::again(format!("writing failed: {panic}")))
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use super::*;
    use crate::alert::record::AlertRecord;
    use crate::alert::record::tests::record;
    use crate::config;
    use crate::receivers::Receiver;

    /// A feed of alerts whose file hangs.
    struct Hanging {
        local: Arc<Local>,
        path: PathBuf,
        _folder: tempfile::TempDir,
    }

    impl Hanging {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("alerts.atom");
            let settings = config::Atom { path: path.clone(), entries: 9, title: String::new() };
            let atom = atom::Atom::open("feed", &settings).unwrap();
            // Whoever opens it to read waits for one who writes.
            assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
            Self { local: Arc::new(Local::new(Place::Atom(atom))), path, _folder: folder }
        }

        async fn deliver(&self, id: &str, second: i64) -> Delivery {
            let record = AlertRecord { id: id.to_owned(), ..record("Arms shipped") };
            let alerts = [Outgoing { record: &record, line: "" }];
            self.local.deliver(&alerts, Timestamp::from_second(second).unwrap()).await
        }

        /// Begins a delivery that hangs, and has nobody wait for it any more.
        async fn give_up(&self, id: &str, second: i64) {
            let mut delivery = std::pin::pin!(self.deliver(id, second));
            tokio::select! {
                biased;
                _ = &mut delivery => panic!("it does not hang"),
                () = tokio::task::yield_now() => {}
            }
        }

        /// Has the file hang no more.
        fn let_go(&self) -> JoinHandle<()> {
            let path = self.path.clone();
            let write = move || OpenOptions::new().write(true).open(path).map(drop).unwrap();
            tokio::task::spawn_blocking(write)
        }
    }

    /// The ids of a feed, newest first, and when it was last written.
    fn read(path: &Path) -> (Vec<String>, String) {
        let text = std::fs::read_to_string(path).unwrap();
        let between = |line: &str, tag: &str| {
            let (_, rest) = line.split_once(&format!("<{tag}>")).unwrap();
            rest.split_once(&format!("</{tag}>")).unwrap().0.to_owned()
        };
        let entries = text.lines().filter(|line| line.starts_with("<entry>"));
        let updated = text.lines().find(|line| line.starts_with("<updated>")).unwrap();
        (entries.map(|line| between(line, "id")).collect(), between(updated, "updated"))
    }

    #[tokio::test]
    async fn a_file_that_hangs_holds_up_nothing_but_its_receiver() {
        let hanging = Hanging::new();
        let mut delivery = std::pin::pin!(hanging.deliver("1", 0));
        tokio::select! {
            biased;
            _ = &mut delivery => panic!("it does not hang"),
            () = tokio::task::yield_now() => {}
        }
        let written = hanging.let_go();
        assert_eq!(delivery.await, Delivery::Delivered);
        written.await.unwrap();
    }

    #[tokio::test]
    async fn a_delivery_that_was_given_up_and_comes_again_is_written_once() {
        let hanging = Hanging::new();
        for second in 0..3 {
            hanging.give_up("1", second).await;
        }
        let written = hanging.let_go();
        assert_eq!(hanging.deliver("1", 3).await, Delivery::Delivered);
        written.await.unwrap();
        let (ids, updated) = read(&hanging.path);
        assert_eq!((ids.len(), updated.as_str()), (1, "1970-01-01T00:00:00Z"));
    }

    #[tokio::test]
    async fn a_delivery_that_was_given_up_is_written_once_also_when_others_come_first() {
        let hanging = Hanging::new();
        hanging.give_up("1", 1).await;
        let written = hanging.let_go();
        assert_eq!(hanging.deliver("2", 2).await, Delivery::Delivered);
        assert_eq!(hanging.deliver("1", 3).await, Delivery::Delivered);
        written.await.unwrap();
        let (ids, updated) = read(&hanging.path);
        assert_eq!(ids, ["urn:uuid:2", "urn:uuid:1"]);
        assert_eq!(updated, "1970-01-01T00:00:02Z");
        // Who asks for it later gets it.
        assert_eq!(hanging.deliver("1", 4).await, Delivery::Delivered);
        assert_eq!(read(&hanging.path).1, "1970-01-01T00:00:04Z");
    }

    #[tokio::test]
    async fn a_log_whose_settings_stay_goes_on_as_it_is_at_a_reload() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.jsonl");
        let settings = |path: &Path| config::Receiver {
            name: "log".to_owned(),
            kind: config::ReceiverKind::Jsonl { path: path.to_owned() },
            max_per_minute: None,
        };
        let mut open = vec![Arc::new(Receiver::open(&settings(&path), &[]).unwrap())];
        // What a write under way has written of a line.
        std::fs::write(&path, "{\"id\":").unwrap();
        open.push(Arc::new(Receiver::open(&settings(&path), &open).unwrap()));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"id\":");
        // After a crash it is half a line.
        Receiver::open(&settings(&path), &[]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
        let other = folder.path().join("other.jsonl");
        Receiver::open(&settings(&other), &open).unwrap();
        assert!(other.exists(), "another file is opened");
    }
}
