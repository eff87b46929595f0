//! The one thread that writes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;
use url::Url;

use super::outbox::{self, Settled};
use super::{StoreError, backfill, silences, stories, surges, write};
use crate::alert::operator::OutgoingEvent;
use crate::backfill::PastHit;
use crate::config::Config;
use crate::item::FeedName;
use crate::pipeline::Batch;
use crate::story::Desk;

/// Commands that share one transaction, at most: what costs is the flush to disk at its end.
const MOST_PER_TRANSACTION: usize = 64;

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
        asked: Option<Timestamp>,
        next_due: Timestamp,
        reply: Reply<()>,
    },
    AdoptFeeds {
        config: Arc<Config>,
        now: Timestamp,
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
            self.desk.clear();
            self.version = version;
        }
        Ok(())
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
        let mut answers = Vec::new();
        if let Err(error) = transact(&mut connection, &mut memory, first, queue, &mut answers) {
            memory.desk.clear();
            answers.iter_mut().for_each(|(_, result)| *result = Err(again(&error)));
        }
        answers.into_iter().for_each(|(command, result)| answer(command, result));
    }
    // Leave one file behind. When a reader is in the way, the next start does it.
    let _ = connection.pragma_query(None, "wal_checkpoint(TRUNCATE)", |_| Ok(()));
}

fn transact(
    connection: &mut Connection,
    memory: &mut Memory,
    first: Command,
    queue: &Receiver<Command>,
    answers: &mut Vec<Answer>,
) -> Result<(), rusqlite::Error> {
    let waiting = queue.try_iter().take(MOST_PER_TRANSACTION - 1);
    let mut waiting: VecDeque<Command> = std::iter::once(first).chain(waiting).collect();
    let lasts = waiting.iter().any(Command::must_last);
    let result = begin(connection, memory, lasts).and_then(|transaction| {
        let mut careful = false;
        while let Some(command) = waiting.pop_front() {
            let desk = &mut memory.desk;
            let result = if careful {
                in_savepoint(&transaction, desk, &command)
            } else {
                obey(&transaction, desk, &command)
            };
            let failed = result.is_err();
            answers.push((command, result));
            if failed {
                // What is taken back is forgotten, too.
                desk.clear();
            }
            if failed && !careful {
                // It must take nothing else along. As that is rare, to do the others again costs
                // less than a savepoint for each.
                careful = true;
                let done = answers.drain(..).map(|(command, _)| command);
                waiting = done.chain(waiting.drain(..)).collect();
                begin_again(&transaction)?;
            }
            // What comes meanwhile goes along where the disk is waited for.
            if lasts && waiting.is_empty() && answers.len() < MOST_PER_TRANSACTION {
                waiting.extend(queue.try_recv());
            }
        }
        transaction.commit()
    });
    if let Err(error) = &result
        && !waiting.is_empty()
    {
        // It may have been waited for long; the others would only wait as long again.
        waiting.extend(queue.try_iter().take(MOST_PER_TRANSACTION));
        answers.extend(waiting.into_iter().map(|command| (command, Err(again(error)))));
    }
    result
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

/// Takes back all that was done in a transaction.
fn begin_again(transaction: &Transaction<'_>) -> Result<(), rusqlite::Error> {
    // What went wrong may have ended it.
    if !transaction.is_autocommit() {
        transaction.execute_batch("ROLLBACK")?;
    }
    transaction.execute_batch("BEGIN IMMEDIATE")
}

/// Does a command and takes back what it did when it fails. Two statements a command that need not be
/// compiled each time.
fn in_savepoint(
    transaction: &Connection,
    desk: &mut Desk,
    command: &Command,
) -> Result<Done, StoreError> {
    let run = |statement| transaction.prepare_cached(statement)?.execute([]);
    run("SAVEPOINT command")?;
    let result = obey(transaction, desk, command);
    if result.is_err() {
        // What went wrong may have ended the transaction, and is what counts.
        let _ = run("ROLLBACK TO command");
        let _ = run("RELEASE command");
        return result;
    }
    run("RELEASE command")?;
    result
}

/// Does one command. When it fails, a part of it may have been done.
fn obey(transaction: &Connection, desk: &mut Desk, command: &Command) -> Result<Done, StoreError> {
    let mut done = Done::default();
    match command {
        Command::Commit { batch, config, .. } => {
            done.rules = write::batch(transaction, desk, batch, config)?;
        }
        Command::LookForSurges { config, counts, health, now, .. } => {
            done.rules = surges::look(transaction, config, counts, *health, *now)?;
        }
        Command::TellDue { config, now, .. } => {
            done.rules = stories::tell_due(transaction, desk, config, *now)?;
        }
        Command::Lease { name, url, asked, next_due, .. } => {
            write::lease(transaction, name, url, *asked, *next_due)?;
        }
        Command::AdoptFeeds { config, now, .. } => {
            write::adopt_feeds(transaction, &config.feeds, *now)?;
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
            transact(&mut connection, &mut memory, first, &queue, &mut Vec::new()).unwrap();
            let found = connection.pragma_query_value(None, "synchronous", |row| row.get(0));
            assert_eq!(found, Ok(level));
        }
    }
    #[test]
    fn what_fails_takes_nothing_else_of_its_transaction_along() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = Connection::open(folder.path().join("newswatch.db")).unwrap();
        crate::store::schema::migrate(&mut connection).unwrap();
        let config = Arc::new(stories::tests::config());
        let (sender, queue) = std::sync::mpsc::channel();
        let now = Timestamp::UNIX_EPOCH;
        write::adopt_feeds(&connection, &config.feeds, now).unwrap();
        for (outlet, title) in ["delta one", "delta two", "delta three"].into_iter().enumerate() {
            let mut batch = stories::tests::poll(&config, outlet, title, now);
            if outlet == 1 {
                batch.url = Url::parse("https://elsewhere.example/").unwrap();
            }
            let (batch, config) = (Box::new(batch), config.clone());
            sender.send(Command::Commit { batch, config, reply: oneshot::channel().0 }).unwrap();
        }
        let first = queue.recv().unwrap();
        let mut answers = Vec::new();
        transact(&mut connection, &mut Memory::default(), first, &queue, &mut answers).unwrap();
        let went_well: Vec<bool> = answers.iter().map(|(_, result)| result.is_ok()).collect();
        assert_eq!(went_well, [true, false, true]);
        for sql in ["SELECT title FROM items ORDER BY id", "SELECT title FROM hits ORDER BY seq"] {
            let mut statement = connection.prepare(sql).unwrap();
            let titles = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
            let titles: Vec<String> = titles.map(Result::unwrap).collect();
            assert_eq!(titles, ["delta one", "delta three"]);
        }
    }
}
