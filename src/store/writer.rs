//! The one thread that writes.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;
use url::Url;

use super::outbox::{self, Settled};
use super::write::Feeds;
use super::{StoreError, backfill, due, silences, stories, surges, write};
use crate::alert::operator::OutgoingEvent;
use crate::backfill::PastHit;
use crate::config::Config;
use crate::item::FeedName;
use crate::pipeline::Batch;
use crate::story::Desk;

/// Commands that share one transaction, at most: what costs is the flush to disk at its end.
const MOST_PER_TRANSACTION: usize = 64;

/// Memory for what is remembered of feeds, at most, in KiB.
const MOST_FEEDS_KIB: i64 = 20_000;

/// How long a command of a poll waits for those of others, to share a transaction with them.
const GATHERING: Duration = Duration::from_micros(200);

type Event = Box<OutgoingEvent>;
/// The name and the value of a fact.
type Note = (String, String);
type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the writer is asked to do; each is answered when it is on the disk.
#[derive(Debug)]
pub(crate) enum Command {
    Commit {
        batch: Box<Batch>,
        config: Arc<Config>,
        reply: Reply<Vec<String>>,
    },
    LookForSurges {
        config: Arc<Config>,
        counts: surges::Counts,
        health: f64,
        now: Timestamp,
        reply: Reply<Vec<String>>,
    },
    TellDue {
        config: Arc<Config>,
        now: Timestamp,
        reply: Reply<Vec<String>>,
    },
    Lease {
        name: FeedName,
        url: Url,
        first: Option<Timestamp>,
        asked: Option<Timestamp>,
        next_due: Timestamp,
        reply: Reply<()>,
    },
    AdoptFeeds {
        config: Arc<Config>,
        now: Timestamp,
        reply: Reply<()>,
    },
    BringForward {
        due: Vec<(FeedName, Timestamp)>,
        reply: Reply<()>,
    },
    AdoptRules {
        rules: Vec<String>,
        now: Timestamp,
        reply: Reply<usize>,
    },
    Backfill {
        hits: Vec<PastHit>,
        rules: Vec<String>,
        below: Option<i64>,
        now: Timestamp,
        reply: Reply<usize>,
    },
    Settle {
        deliveries: Vec<i64>,
        settled: Settled,
        event: Option<Event>,
        reply: Reply<()>,
    },
    Raise {
        events: Vec<OutgoingEvent>,
        note: Option<Note>,
        now: Timestamp,
        reply: Reply<()>,
    },
    Note {
        name: String,
        value: String,
        now: Timestamp,
        reply: Reply<()>,
    },
    SetBack {
        by: SignedDuration,
        now: Timestamp,
        reply: Reply<()>,
    },
    SumUpSilences {
        config: Arc<Config>,
        now: Timestamp,
        reply: Reply<usize>,
    },
    Prune {
        before: Timestamp,
        now: Timestamp,
        reply: Reply<usize>,
    },
}

impl Command {
    /// Whether a poll begins or ends with it, as many do at a time.
    fn is_of_a_poll(&self) -> bool {
        matches!(self, Command::Lease { .. } | Command::Commit { .. })
    }

    /// Whether a power cut must not take it back once it is answered. What must not last is only
    /// that a feed was asked and had nothing: the next poll would find out the same.
    fn must_last(&self) -> bool {
        match self {
            Command::Lease { .. } => false,
            Command::Commit { batch, .. } => !batch.brings_nothing(),
            _ => true,
        }
    }
}

/// What a command came to.
#[derive(Debug, Default)]
struct Done {
    /// The rules of the alerts that were raised.
    rules: Vec<String>,
    /// How many there were of what was asked for.
    count: usize,
}

/// A command and what came of it, to be said once the transaction is committed.
type Answer = (Command, Result<Done, StoreError>);

/// What the writer remembers of what is stored.
#[derive(Debug, Default)]
struct Memory {
    desk: Desk,
    feeds: Feeds,
    /// SQLite's count of the changes that others have made.
    version: i64,
    /// A transaction is not waited for until it is on the disk.
    hasty: bool,
}

impl Memory {
    /// Forgets what others may have changed since the last transaction.
    fn refresh(&mut self, connection: &Connection) -> Result<(), rusqlite::Error> {
        let version = connection
            .prepare_cached("PRAGMA data_version")?
            .query_row([], |row| row.get::<_, i64>(0))?;
        if version != self.version {
            self.forget();
            self.version = version;
        }
        Ok(())
    }

    /// Forgets all that a transaction which was taken back may have stored.
    fn forget(&mut self) {
        self.desk.clear();
        self.feeds.clear();
    }

    /// Has the next transaction waited for until it is on the disk, or not. In either case it is
    /// there before any later one, so that no validator is ever ahead of its items.
    fn wait_for_disk(&mut self, connection: &Connection, wait: bool) -> rusqlite::Result<()> {
        if self.hasty == wait {
            let level = if wait { "FULL" } else { "NORMAL" };
            connection.pragma_update(None, "synchronous", level)?;
            self.hasty = !wait;
        }
        Ok(())
    }
}

/// Serves commands until every sender is gone.
pub(crate) fn run(mut connection: Connection, queue: &Receiver<Command>) {
    let mut memory = Memory::default();
    while let Ok(first) = queue.recv() {
        if first.is_of_a_poll() {
            std::thread::sleep(GATHERING);
        }
        for (command, result) in serve(&mut connection, &mut memory, first, queue) {
            answer(command, result);
        }
    }
    // Leave one file behind. When a reader is in the way, the next start does it.
    let _ = connection.pragma_query(None, "wal_checkpoint(TRUNCATE)", |_| Ok(()));
}

/// Why several commands were not done in one transaction. Nothing of it is left.
enum Broken {
    /// One of them failed.
    ByCommand,
    /// It did not begin, or did not end.
    Transaction(rusqlite::Error),
}

/// Does what waits, in one transaction. When a command fails in it, each gets one of its own: it must
/// take no other along, and as that is rare, to do the others again costs less than a savepoint for
/// each of all.
fn serve(
    connection: &mut Connection,
    memory: &mut Memory,
    first: Command,
    queue: &Receiver<Command>,
) -> Vec<Answer> {
    let mut commands = vec![first];
    commands.extend(queue.try_iter().take(MOST_PER_TRANSACTION - 1));
    match together(connection, memory, &mut commands, queue) {
        Ok(results) => commands.into_iter().zip(results).collect(),
        Err(Broken::Transaction(error)) => refuse(commands, queue, &error),
        Err(Broken::ByCommand) => {
            let mut answers = Vec::with_capacity(commands.len());
            let mut commands = commands.into_iter();
            while let Some(command) = commands.next() {
                match alone(connection, memory, &command) {
                    Ok(result) => answers.push((command, result)),
                    Err(error) => {
                        let rest = std::iter::once(command).chain(commands).collect();
                        answers.extend(refuse(rest, queue, &error));
                        break;
                    }
                }
            }
            answers
        }
    }
}

/// Does commands in one transaction, and what comes meanwhile where the disk is waited for.
fn together(
    connection: &mut Connection,
    memory: &mut Memory,
    commands: &mut Vec<Command>,
    queue: &Receiver<Command>,
) -> Result<Vec<Result<Done, StoreError>>, Broken> {
    let lasts = commands.iter().any(Command::must_last);
    let transaction = begin(connection, memory, lasts).map_err(Broken::Transaction)?;
    let mut results = Vec::with_capacity(commands.len());
    while let Some(command) = commands.get(results.len()) {
        let result = obey(&transaction, memory, command);
        // Of a lease that comes too late nothing was done.
        let is_late = matches!(command, Command::Lease { .. })
            && matches!(result, Err(StoreError::Superseded { .. }));
        if result.is_err() && !is_late {
            memory.forget();
            return Err(Broken::ByCommand);
        }
        results.push(result);
        if lasts && results.len() == commands.len() && results.len() < MOST_PER_TRANSACTION {
            commands.extend(queue.try_recv());
        }
    }
    transaction.commit().map_err(|error| {
        memory.forget();
        Broken::Transaction(error)
    })?;
    Ok(results)
}

/// Does a command in a transaction of its own; fails where none begins.
fn alone(
    connection: &mut Connection,
    memory: &mut Memory,
    command: &Command,
) -> Result<Result<Done, StoreError>, rusqlite::Error> {
    let transaction = begin(connection, memory, command.must_last())?;
    let result = obey(&transaction, memory, command)
        .and_then(|done| Ok(transaction.commit().map(|()| done)?));
    if result.is_err() {
        memory.forget();
    }
    Ok(result)
}

fn begin<'c>(
    connection: &'c mut Connection,
    memory: &mut Memory,
    lasts: bool,
) -> Result<Transaction<'c>, rusqlite::Error> {
    memory.wait_for_disk(connection, lasts)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    memory.refresh(&transaction)?;
    Ok(transaction)
}

/// Answers commands of which nothing was done, and what has come since: the database may have been
/// waited for long, and the others would only wait as long again.
fn refuse(
    commands: Vec<Command>,
    queue: &Receiver<Command>,
    error: &rusqlite::Error,
) -> Vec<Answer> {
    let more = queue.try_iter().take(MOST_PER_TRANSACTION);
    commands.into_iter().chain(more).map(|command| (command, Err(again(error)))).collect()
}

/// The pages that the writer keeps in memory, in KiB: what SQLite keeps by itself, and room for what is
/// remembered of so many feeds, each of which is written twice a poll.
fn cache_kib(feeds: usize) -> i64 {
    2_000 + i64::try_from(feeds).unwrap_or(i64::MAX).min(MOST_FEEDS_KIB)
}

/// Does one command. When it fails, a part of it may have been done.
fn obey(
    transaction: &Connection,
    memory: &mut Memory,
    command: &Command,
) -> Result<Done, StoreError> {
    let Memory { desk, feeds, .. } = memory;
    let mut done = Done::default();
    match command {
        Command::Commit { batch, config, .. } => {
            done.rules = write::batch(transaction, desk, feeds, batch, config)?;
        }
        Command::LookForSurges { config, counts, health, now, .. } => {
            done.rules = surges::look(transaction, config, counts, *health, *now)?;
        }
        Command::TellDue { config, now, .. } => {
            done.rules = stories::tell_due(transaction, desk, config, *now)?;
        }
        Command::Lease { name, url, first, asked, next_due, .. } => {
            write::lease(transaction, feeds, (name, url), (*first, *asked), *next_due)?;
        }
        Command::AdoptFeeds { config, now, .. } => {
            feeds.clear();
            write::adopt_feeds(transaction, &config.feeds, *now)?;
            transaction.pragma_update(None, "cache_size", -cache_kib(config.feeds.len()))?;
        }
        Command::BringForward { due, .. } => {
            due.iter().try_for_each(|(feed, due)| due::bring_forward(transaction, feed, *due))?;
        }
        Command::AdoptRules { rules, now, .. } => {
            done.count = backfill::adopt_rules(transaction, rules, *now)?;
        }
        Command::Backfill { hits, rules, below, now, .. } => {
            done.count = backfill::backfill(transaction, hits, rules, *below, *now)?;
        }
        Command::Settle { deliveries, settled, event, .. } => {
            deliveries.iter().try_for_each(|id| outbox::settle(transaction, *id, settled))?;
            event.iter().try_for_each(|event| write::event(transaction, event))?;
        }
        Command::Raise { events, note, now, .. } => {
            events.iter().try_for_each(|event| write::event(transaction, event))?;
            note.iter()
                .try_for_each(|(name, value)| write::note(transaction, name, value, *now))?;
        }
        Command::Note { name, value, now, .. } => write::note(transaction, name, value, *now)?,
        Command::SetBack { by, now, .. } => {
            desk.clear();
            write::set_back(transaction, *by, *now)?;
        }
        Command::SumUpSilences { config, now, .. } => {
            done.count = silences::sum_up(transaction, config, *now)?;
        }
        Command::Prune { before, now, .. } => {
            done.count = write::prune(transaction, *before, *now)?;
        }
    }
    Ok(done)
}

/// Says what came of a command. Nobody waits any more when the daemon is stopping; the work is done all
/// the same.
fn answer(command: Command, result: Result<Done, StoreError>) {
    fn send<T>(reply: Reply<T>, result: Result<T, StoreError>) {
        let _ = reply.send(result);
    }
    match command {
        Command::Commit { reply, .. }
        | Command::TellDue { reply, .. }
        | Command::LookForSurges { reply, .. } => send(reply, result.map(|done| done.rules)),
        Command::Lease { reply, .. }
        | Command::AdoptFeeds { reply, .. }
        | Command::BringForward { reply, .. }
        | Command::Settle { reply, .. }
        | Command::Raise { reply, .. }
        | Command::Note { reply, .. }
        | Command::SetBack { reply, .. } => send(reply, result.map(drop)),
        Command::AdoptRules { reply, .. }
        | Command::Backfill { reply, .. }
        | Command::SumUpSilences { reply, .. }
        | Command::Prune { reply, .. } => send(reply, result.map(|done| done.count)),
    }
}

/// The same error for each of those whose work shared the transaction.
fn again(error: &rusqlite::Error) -> StoreError {
    StoreError::Sqlite(match error {
        rusqlite::Error::SqliteFailure(code, message) => {
            rusqlite::Error::SqliteFailure(*code, message.clone())
        }
        other => rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ERROR),
            Some(other.to_string()),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Feed;
    use crate::schedule::{FeedState, HostState};

    #[test]
    fn only_that_a_feed_is_asked_and_has_nothing_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = Connection::open(folder.path().join("newswatch.db")).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        crate::store::schema::migrate(&mut connection).unwrap();
        let (sender, queue) = std::sync::mpsc::channel();
        let mut memory = Memory::default();
        let (now, url) = (Timestamp::UNIX_EPOCH, Url::parse("https://e.org/").unwrap());
        let (name, config) = (FeedName::new("a"), Arc::new(stories::tests::config()));
        let lease = || Command::Lease {
            name: name.clone(),
            url: url.clone(),
            first: None,
            asked: Some(now),
            next_due: now,
            reply: oneshot::channel().0,
        };
        let state = FeedState::new(now, now);
        let nothing = Batch::of_state(name.clone(), url.clone(), state, None, now);
        let commit = |batch: &Batch| Command::Commit {
            batch: Box::new(batch.clone()),
            config: config.clone(),
            reply: oneshot::channel().0,
        };
        let resting =
            Batch { host: Some(("e.org".into(), HostState::default())), ..nothing.clone() };
        let mut first = nothing.clone();
        first.state.baseline_at = Some(now);
        let note = || Command::Note {
            name: "heartbeat".into(),
            value: String::new(),
            now,
            reply: oneshot::channel().0,
        };
        for (commands, level) in [
            (vec![note()], 2),
            (vec![lease(), commit(&nothing)], 1),
            (vec![lease(), note()], 2),
            (vec![commit(&nothing)], 1),
            (vec![commit(&resting)], 2),
            (vec![commit(&nothing)], 1),
            (vec![commit(&first)], 2),
        ] {
            commands.into_iter().for_each(|command| sender.send(command).unwrap());
            let first = queue.recv().unwrap();
            serve(&mut connection, &mut memory, first, &queue);
            let found = connection.pragma_query_value(None, "synchronous", |row| row.get(0));
            assert_eq!(found, Ok(level));
        }
    }

    #[test]
    fn a_poll_under_way_while_its_address_was_changed_and_changed_back_is_stored_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = Connection::open(folder.path().join("newswatch.db")).unwrap();
        crate::store::schema::migrate(&mut connection).unwrap();
        let (sender, queue) = std::sync::mpsc::channel();
        let (mut memory, now) = (Memory::default(), Timestamp::UNIX_EPOCH);
        let config = Arc::new(stories::tests::config());
        let mut other = stories::tests::config();
        other.feeds[0].url = Url::parse("https://other.example/").unwrap();
        let adopt = |config: &Arc<Config>| Command::AdoptFeeds {
            config: config.clone(),
            now,
            reply: oneshot::channel().0,
        };
        let Feed { name, url, .. } = &config.feeds[0];
        let state = FeedState { baseline_at: Some(now), ..FeedState::new(now, now) };
        let poll = Batch::of_state(name.clone(), url.clone(), state, None, now);
        let commit = |batch: Batch| Command::Commit {
            batch: Box::new(batch),
            config: config.clone(),
            reply: oneshot::channel().0,
        };
        for command in [
            adopt(&config),
            commit(poll.clone()),
            adopt(&Arc::new(other)),
            adopt(&config),
            commit(Batch { only_times: true, ..poll }),
        ] {
            sender.send(command).unwrap();
            let first = queue.recv().unwrap();
            serve(&mut connection, &mut memory, first, &queue);
        }
        let baseline = "SELECT baseline_at FROM feeds WHERE name = ?1";
        let baseline = connection.query_row(baseline, [name.as_str()], |row| row.get(0));
        assert_eq!(baseline, Ok(Some(0)));
    }

    /// What is stored once reports with these titles came at one time, of which one cannot be stored, and
    /// which of them were.
    fn stored(titles: &[&str], raise: &str) -> (Vec<String>, Vec<bool>) {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = Connection::open(folder.path().join("newswatch.db")).unwrap();
        crate::store::schema::migrate(&mut connection).unwrap();
        let trigger = format!(
            "CREATE TRIGGER no BEFORE INSERT ON hits WHEN new.title = 'delta bad'
             BEGIN SELECT RAISE({raise}, 'no'); END"
        );
        connection.execute_batch(&trigger).unwrap();
        let config = Arc::new(stories::tests::config());
        let (sender, queue) = std::sync::mpsc::channel();
        let now = Timestamp::UNIX_EPOCH;
        write::adopt_feeds(&connection, &config.feeds, now).unwrap();
        for title in titles {
            let outlet = ["delta one", "delta bad", "delta three"].iter().position(|t| t == title);
            let batch = Box::new(stories::tests::poll(&config, outlet.unwrap(), title, now));
            let (config, reply) = (config.clone(), oneshot::channel().0);
            sender.send(Command::Commit { batch, config, reply }).unwrap();
        }
        let (mut memory, first) = (Memory::default(), queue.recv().unwrap());
        let answers = serve(&mut connection, &mut memory, first, &queue);
        (stories::tests::said(&connection), answers.iter().map(|(_, done)| done.is_ok()).collect())
    }

    #[test]
    fn what_fails_takes_nothing_else_of_its_transaction_along() {
        // As a constraint fails, and as a full disk does.
        for raise in ["ABORT", "ROLLBACK"] {
            let (said, went_well) = stored(&["delta one", "delta bad", "delta three"], raise);
            assert_eq!(went_well, [true, false, true]);
            assert_eq!(said, stored(&["delta one", "delta three"], raise).0);
        }
    }
}
