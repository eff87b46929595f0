//! The store: one SQLite file, one writer thread, any number of readers.
//!
//! Everything that a poll brings is committed in one transaction by [`Store::commit`]; one
//! transaction may hold several polls, never a part of one. The command line reads the same file
//! with [`Reader`] while the daemon writes.
//!
//! `synchronous` is `FULL`: with many polls a transaction it costs no more than `NORMAL`, and an
//! alert that was sent is never forgotten by a power cut. Polls that brought nothing are not waited
//! for until they are on the disk.

mod acks;
mod backfill;
mod due;
mod evidence;
mod lists;
mod outbox;
mod polls;
mod read;
mod revised;
mod schema;
mod silences;
mod stories;
mod story_edits;
mod story_lists;
mod surges;
mod write;
mod writer;

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, MAIN_DB, OpenFlags, TransactionBehavior};
use tokio::sync::oneshot;

pub use acks::Acked;
pub(crate) use backfill::Step;
pub(crate) use due::FailingFeed;
pub use due::{FeedRetried, Refused, Rest};
pub use lists::{
    AlertFilter, DeliveryRow, EarlierText, FeedRow, HitRow, ItemFilter, ItemRow, Totals,
};
pub(crate) use lists::{Census, NETWORK, OFFLINE};
pub use outbox::{DueDelivery, ReceiverRow, Retried, Settled};
pub use polls::PollRow;
pub use read::{Fact, Reader};
pub use schema::VERSION;
pub use silences::{Ended, MOST_SILENCES, NewSilence, SilenceRow};
pub use story_edits::{StoryEdited, StoryEditor, StoryRefusal, merge_stories, split_story};
pub use story_lists::{
    AlertOfStory, DeliveryOfAlert, EarlierTitle, EditRow, Headline, ReportRow, StoryHistory,
    StoryRow,
};
pub(crate) use writer::Command;

use crate::alert::operator::OutgoingEvent;
use crate::backfill::PastHit;
use crate::config::{Config, Feed};
use crate::item::FeedName;
use crate::pipeline::Batch;
use crate::schedule::FeedState;
use jiff::{SignedDuration, Timestamp};

/// How long a connection waits for another process to finish writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a start waits for another that holds the database.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
/// Commands that wait for the writer; a sender waits when it is full.
const QUEUE: usize = 256;
/// Read-only connections that are kept open between uses.
const IDLE_READERS: usize = 4;
/// What each of them keeps of the database, in KiB: the system has what was read last, too.
const READER_CACHE_KIB: i64 = 512;

/// What can go wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file or its folder cannot be used.
    #[error("cannot open the database {}", path.display())]
    Open {
        /// The database file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another daemon works on it.
    #[error("another newswatch is running on {}; stop it first", path.display())]
    Locked {
        /// The database file.
        path: PathBuf,
    },
    /// A later version of newswatch wrote it.
    #[error(
        "the database has format {found}, this newswatch knows up to {known}; use a newer newswatch"
    )]
    Newer {
        /// Its version.
        found: i64,
        /// The newest that we know.
        known: i64,
    },
    /// An earlier version of newswatch wrote it.
    #[error(
        "the database has format {found}, this newswatch writes {known}; start the daemon, or \
         `newswatch run --once`, which bring it up to date"
    )]
    Older {
        /// Its version.
        found: i64,
        /// The one that we write.
        known: i64,
    },
    /// This user may not use it.
    #[error(
        "the database {} cannot be {what} by this user; run newswatch as the user of the service: \
         sudo -u newswatch newswatch …; if that is who runs it, see whose the file and its folder are, \
         and whether the disk is read-only", path.display()
    )]
    NoAccess {
        /// The database file.
        path: PathBuf,
        /// `read`, for which SQLite must write beside the file while no daemon does, or `written`.
        what: &'static str,
    },
    /// Another process writes and does not end.
    #[error(
        "the database {} has been locked by another process for {} s", path.display(),
        BUSY_TIMEOUT.as_secs()
    )]
    Busy {
        /// The database file.
        path: PathBuf,
    },
    /// There is no database yet.
    #[error("no database at {}; `newswatch run` makes it", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// SQLite failed.
    #[error("the database failed")]
    Sqlite(#[from] rusqlite::Error),
    /// A stored value is not what this program writes.
    #[error("the database holds an unreadable {what}: {value:?}")]
    Corrupt {
        /// What it should be.
        what: &'static str,
        /// What it is.
        value: String,
    },
    /// A reload has given the feed another address while the old one was asked.
    #[error("the feed {feed} has another address now")]
    Superseded {
        /// The feed.
        feed: FeedName,
    },
    /// The writer thread has ended.
    #[error("the database writer has stopped")]
    Stopped,
}

impl StoreError {
    /// Whether the disk or another process is to blame: it passes when they let it, and a restart
    /// would not help.
    pub fn is_from_outside(&self) -> bool {
        use rusqlite::ErrorCode::{
            DatabaseBusy, DatabaseLocked, DiskFull, ReadOnly, SystemIoFailure,
        };
        let StoreError::Sqlite(error) = self else { return false };
        matches!(
            error.sqlite_error_code(),
            Some(DiskFull | DatabaseBusy | DatabaseLocked | ReadOnly | SystemIoFailure)
        )
    }
}

impl StoreError {
    /// What failed before anything was done, with what to do about it where that is known.
    fn explained(error: rusqlite::Error, path: &Path, what: &'static str) -> Self {
        use rusqlite::ErrorCode::{
            CannotOpen, DatabaseBusy, DatabaseLocked, PermissionDenied, ReadOnly,
        };
        match error.sqlite_error_code() {
            Some(ReadOnly | CannotOpen | PermissionDenied) => {
                StoreError::NoAccess { path: path.to_owned(), what }
            }
            Some(DatabaseBusy | DatabaseLocked) => StoreError::Busy { path: path.to_owned() },
            _ => error.into(),
        }
    }
}

/// The way to write. There is one for a database at a time, held by a lock file beside it.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    commands: std::sync::mpsc::SyncSender<Command>,
    writer: Option<std::thread::JoinHandle<()>>,
    readers: Mutex<Vec<Reader>>,
    _lock: Option<File>,
}

impl Store {
    /// Opens or makes the database, brings it to this version's form, and starts the writer.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let open_error = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Open {
            path: path.to_owned(),
            source,
        };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| open_error(error.into()))?;
        }
        let lock = lock(path)?;
        let mut connection =
            Connection::open_with_flags(path, OpenFlags::default() & !OpenFlags::SQLITE_OPEN_URI)
                .map_err(|error| open_error(error.into()))?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .map_err(|error| open_error(error.into()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        // What a statement or a bulletin is taken back to, should it fail, is not kept in a file.
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        // Where statistics of the database could tell of a better plan for a value, a statement would be
        // compiled anew for each value.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        must_write(&connection, path)?;
        schema::migrate(&mut connection)?;
        connection.set_prepared_statement_cache_capacity(64);
        let (commands, queue) = std::sync::mpsc::sync_channel(QUEUE);
        let writer = std::thread::Builder::new()
            .name("db-writer".into())
            .spawn(move || writer::run(connection, &queue))
            .map_err(|error| open_error(error.into()))?;
        Ok(Self {
            path: path.to_owned(),
            commands,
            writer: Some(writer),
            readers: Mutex::default(),
            _lock: Some(lock),
        })
    }

    /// A store to look into, beside a daemon that may be running: whatever would write fails.
    /// Without a database it knows nothing.
    pub(crate) fn look_into(path: &Path) -> Result<Self, StoreError> {
        let reader = match Reader::open(path) {
            Err(StoreError::Missing { .. }) => Reader::of_nothing()?,
            reader => reader?,
        };
        let (commands, _) = std::sync::mpsc::sync_channel(0);
        let readers = Mutex::new(vec![reader]);
        Ok(Self { path: path.to_owned(), commands, writer: None, readers, _lock: None })
    }

    /// Commits all that a poll brought, in one transaction, with what is told of it by the routes of
    /// `config`. Returns when it is on the disk, with the rules of the alerts that were raised.
    pub async fn commit(
        &self,
        batch: Batch,
        config: &Arc<Config>,
    ) -> Result<Vec<String>, StoreError> {
        let config = config.clone();
        self.ask(|reply| Command::Commit { batch: Box::new(batch), config, reply }).await
    }

    /// Looks which rules have far more news than usual, tells where that begins, by the routes of
    /// `config`, and returns those rules. `health` is how many feeds can be read. To be
    /// called every hour.
    pub async fn look_for_surges(
        self: &Arc<Self>,
        config: &Arc<Config>,
        health: f64,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        let (config, store) = (config.clone(), self.clone());
        let count = move || store.read(|reader| surges::counts(&reader.connection, now));
        let counts =
            tokio::task::spawn_blocking(count).await.map_err(|_| StoreError::Stopped)??;
        self.ask(|reply| Command::LookForSurges { config, counts, health, now, reply }).await
    }

    /// Tells the bulletins that are due, by the routes of `config`, and returns their rules.
    pub async fn tell_due(
        &self,
        config: &Arc<Config>,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        let config = config.clone();
        self.ask(|reply| Command::TellDue { config, now, reply }).await
    }

    /// Remembers that a poll is about to start, so that a restart cannot hammer the server.
    pub async fn lease(&self, feed: &Feed, state: &FeedState) -> Result<(), StoreError> {
        let (name, url) = (feed.name.clone(), feed.url.clone());
        let (asked, next_due) = (state.last_request, state.next_due);
        let first = state.first_request.filter(|_| state.baseline_at.is_none());
        self.ask(|reply| Command::Lease { name, url, first, asked, next_due, reply }).await
    }

    /// Makes the list of feeds the configuration's: new ones are added as due now, and a feed whose
    /// address now points at another site starts afresh.
    pub async fn adopt_feeds(
        &self,
        config: &Arc<Config>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let config = config.clone();
        self.ask(|reply| Command::AdoptFeeds { config, now, reply }).await
    }

    /// Has feeds asked at those times, where they were to be asked later.
    pub(crate) async fn bring_forward(
        &self,
        due: Vec<(FeedName, Timestamp)>,
    ) -> Result<(), StoreError> {
        self.ask(|reply| Command::BringForward { due, reply }).await
    }

    /// Makes the list of rules the configuration's, and says how many there are that stored items
    /// have not all been matched against.
    pub async fn adopt_rules(
        &self,
        rules: Vec<String>,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        self.ask(|reply| Command::AdoptRules { rules, now, reply }).await
    }

    /// Writes what a [`Step`] found, and says how many of the hits were new.
    pub(crate) async fn backfill(
        &self,
        hits: Vec<PastHit>,
        rules: Vec<String>,
        below: Option<i64>,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        self.ask(|reply| Command::Backfill { hits, rules, below, now, reply }).await
    }

    /// Writes down how an attempt to deliver went, of all that was in one message.
    pub async fn settle(&self, deliveries: Vec<i64>, settled: Settled) -> Result<(), StoreError> {
        self.settle_and_tell(deliveries, settled, None).await
    }

    /// The same, and stores what is told of it in the same transaction.
    pub async fn settle_and_tell(
        &self,
        deliveries: Vec<i64>,
        settled: Settled,
        event: Option<OutgoingEvent>,
    ) -> Result<(), StoreError> {
        let event = event.map(Box::new);
        self.ask(|reply| Command::Settle { deliveries, settled, event, reply }).await
    }

    /// Stores events of the service with their deliveries and, in the same transaction, what the
    /// daemon remembers of having told them.
    pub async fn raise(
        &self,
        events: Vec<OutgoingEvent>,
        note: Option<(String, String)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.ask(|reply| Command::Raise { events, note, now, reply }).await
    }

    /// Says something of the daemon itself, for `status`.
    pub async fn note(&self, name: &str, value: &str, now: Timestamp) -> Result<(), StoreError> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.ask(|reply| Command::Note { name, value, now, reply }).await
    }

    /// Moves all that waits for a time, and what the daemon said of itself, back by `by`: the clock
    /// was set back so far, to `now`. Digests keep their times of day.
    pub async fn set_back(&self, by: SignedDuration, now: Timestamp) -> Result<(), StoreError> {
        self.ask(|reply| Command::SetBack { by, now, reply }).await
    }

    /// Tells what those silences held back that have ended, by time or by hand, by the routes of
    /// `config`, and returns of how many there was something to tell.
    pub async fn sum_up_silences(
        &self,
        config: &Arc<Config>,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let config = config.clone();
        self.ask(|reply| Command::SumUpSilences { config, now, reply }).await
    }

    /// Drops the texts of items first seen and last edited before `before`, a limited number at a time so that polls
    /// are committed in between, and returns how many. Their keys stay, and so do hits and alerts. Of their other names it drops those that
    /// have been kept for very long, a part of the feeds at a time: it is to be called every hour.
    pub async fn prune(&self, before: Timestamp, now: Timestamp) -> Result<usize, StoreError> {
        let mut pruned = 0;
        loop {
            let step = self.ask(|reply| Command::Prune { before, now, reply }).await?;
            pruned += step;
            if step < write::MOST_PRUNED {
                return Ok(pruned);
            }
        }
    }

    /// Runs `query` with a read-only connection of the pool. Blocks: call it off the event loop.
    pub fn read<T>(
        &self,
        query: impl FnOnce(&Reader) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = self.readers.lock().expect("no reader panics while the pool is locked").pop();
        let reader = match idle {
            Some(reader) => reader,
            None => {
                let reader = Reader::open(&self.path)?;
                // SQLite takes a negative number for KiB.
                reader.connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
                reader
            }
        };
        let result = query(&reader);
        let mut readers = self.readers.lock().expect("no reader panics while the pool is locked");
        if readers.len() < IDLE_READERS {
            readers.push(reader);
        }
        result
    }

    /// Where the database is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Command,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let mut command = command(reply);
        // The queue is almost never full; when it is, the disk is the bottleneck and waiting is
        // right, but not on a thread of the runtime.
        loop {
            match self.commands.try_send(command) {
                Ok(()) => break,
                Err(std::sync::mpsc::TrySendError::Full(back)) => {
                    command = back;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Err(std::sync::mpsc::TrySendError::Disconnected(_)) => {
                    return Err(StoreError::Stopped);
                }
            }
        }
        answer.await.map_err(|_| StoreError::Stopped)?
    }
}

impl Drop for Store {
    /// Waits for the writer, which empties its queue, folds the write-ahead log into the database
    /// and closes it.
    fn drop(&mut self) {
        self.readers.lock().expect("no reader panics while the pool is locked").clear();
        let (closed, _) = std::sync::mpsc::sync_channel(0);
        drop(std::mem::replace(&mut self.commands, closed));
        if let Some(writer) = self.writer.take() {
            // A panic of the writer has already been reported to those who waited for it.
            let _ = writer.join();
        }
    }
}

/// Makes deliveries that were given up due again, beside a daemon that may be running, and says
/// what became of each. The daemon finds them at its next look into the outbox.
pub fn retry_failed(
    path: &Path,
    deliveries: &[i64],
    now: Timestamp,
) -> Result<Vec<Retried>, StoreError> {
    beside(path, |connection| outbox::retry(connection, deliveries, now))
}

/// Makes all deliveries due at once that were given up since then or wait because an attempt failed, and
/// says how many.
pub fn retry_failed_since(
    path: &Path,
    since: Timestamp,
    now: Timestamp,
) -> Result<usize, StoreError> {
    beside(path, |connection| {
        let failed = outbox::failed_since(connection, since)?;
        Ok(outbox::retry(connection, &failed, now)?.len())
    })
}

/// Makes those of these feeds due at once that fail, beside a daemon that may be running, and says what
/// became of each. The daemon finds them at its next look.
pub fn retry_feeds(
    path: &Path,
    names: &[String],
    now: Timestamp,
) -> Result<Vec<(String, FeedRetried)>, StoreError> {
    beside(path, |connection| due::retry(connection, names, now))
}

/// The same of all feeds that fail.
pub fn retry_failing_feeds(
    path: &Path,
    now: Timestamp,
) -> Result<Vec<(String, FeedRetried)>, StoreError> {
    beside(path, |connection| due::retry_all(connection, now))
}

/// Makes a silence, beside a daemon that may be running, and gives its number; nothing when
/// [`MOST_SILENCES`] are in force. An alert that is stored before it is told, one after it is not.
pub fn add_silence(
    path: &Path,
    silence: &NewSilence,
    now: Timestamp,
) -> Result<Option<i64>, StoreError> {
    beside(path, |connection| silences::add(connection, silence, now))
}

/// Ends silences, beside a daemon that may be running, and says what became of each. The daemon
/// tells what they held back.
pub fn end_silences(
    path: &Path,
    ids: &[i64],
    by: &str,
    now: Timestamp,
) -> Result<Vec<Ended>, StoreError> {
    beside(path, |connection| silences::end(connection, ids, by, now))
}

/// Acknowledges alerts, given by their ids, beside a daemon that may be running, and says what became
/// of each.
pub fn ack_alerts(
    path: &Path,
    alerts: &[String],
    author: &str,
    why: Option<&str>,
    now: Timestamp,
) -> Result<Vec<Acked>, StoreError> {
    beside(path, |connection| acks::add(connection, alerts, author, why, now))
}

/// Writes in one transaction beside a daemon that may be running: SQLite has each wait for the other.
fn beside<T>(
    path: &Path,
    work: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    // Makes sure that there is a database, and none of a later version.
    let found = schema::version(&Reader::open(path)?.connection)?;
    if found < VERSION {
        return Err(StoreError::Older { found, known: VERSION });
    }
    let explained = |error| StoreError::explained(error, path, "written");
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(explained)?;
    must_write(&connection, path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(explained)?;
    let done = work(&transaction)?;
    transaction.commit().map_err(explained)?;
    Ok(done)
}

/// Whether a process has the database open to write, as the daemon does for as long as it runs.
/// `None` where that cannot be seen: this user may not open the lock file, or there is none.
pub(crate) fn has_writer(path: &Path) -> Option<bool> {
    let file = File::open(lock_path(path)).ok()?;
    match file.try_lock_shared() {
        Ok(()) => Some(false),
        Err(TryLockError::WouldBlock) => Some(true),
        Err(TryLockError::Error(_)) => None,
    }
}

fn lock_path(path: &Path) -> PathBuf {
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    lock_path.into()
}

/// Takes the lock that keeps a second daemon away. The kernel releases it when the process ends,
/// however it ends.
fn lock(path: &Path) -> Result<File, StoreError> {
    let lock_path = lock_path(path);
    let open_error = |source: std::io::Error| StoreError::Open {
        path: lock_path.clone(),
        source: source.into(),
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)
        .map_err(open_error)?;
    // A program that another thread starts holds the lock too, until it has become itself; and one that
    // ends may not have ended yet.
    let started = std::time::Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if started.elapsed() < LOCK_PATIENCE => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked { path: path.to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(open_error(error)),
        }
    }
}

/// Refuses a connection that cannot write: SQLite opens what it may not write for reading.
fn must_write(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    // What the file says of itself counts once it was read.
    schema::version(connection)?;
    if connection.is_readonly(MAIN_DB)? {
        return Err(StoreError::NoAccess { path: path.to_owned(), what: "written" });
    }
    Ok(())
}
