//! The one thread that writes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

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

/// An answer to give once the transaction is committed, or the news that it was not.
type Answer = Box<dyn FnOnce(Option<&rusqlite::Error>)>;

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
        let mut answers = Vec::new();
        if let Err(error) = transact(&mut connection, &mut memory, first, queue, &mut answers) {
            memory.desk.clear();
            answers.drain(..).for_each(|answer| answer(Some(&error)));
        }
        answers.into_iter().for_each(|answer| answer(None));
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
    let transaction = match begin(connection, memory, lasts) {
        Ok(transaction) => transaction,
        Err(error) => {
            // It may have been waited for long; the others would only wait as long again.
            waiting.extend(queue.try_iter().take(MOST_PER_TRANSACTION));
            answers.extend(waiting.into_iter().map(refuse));
            return Err(error);
        }
    };
    while let Some(command) = waiting.pop_front() {
        answers.push(obey(&transaction, &mut memory.desk, command));
        // What comes meanwhile goes along where the disk is waited for.
        if lasts && waiting.is_empty() && answers.len() < MOST_PER_TRANSACTION {
            waiting.extend(queue.try_recv());
        }
    }
    transaction.commit()
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

/// Does one command within a savepoint of its own, so that its failure takes nothing else along.
fn obey(transaction: &Connection, desk: &mut Desk, command: Command) -> Answer {
    match command {
        Command::Commit { batch, config, reply } => {
            remembering(transaction, desk, reply, |savepoint, desk| {
                write::batch(savepoint, desk, &batch, &config)
            })
        }
        Command::LookForSurges { config, counts, health, now, reply } => {
            within(transaction, reply, |savepoint| {
                surges::look(savepoint, &config, &counts, health, now)
            })
        }
        Command::TellDue { config, now, reply } => {
            remembering(transaction, desk, reply, |savepoint, desk| {
                stories::tell_due(savepoint, desk, &config, now)
            })
        }
        // One statement takes itself back when it fails.
        Command::Lease { name, url, asked, next_due, reply } => {
            answer(reply, write::lease(transaction, &name, &url, asked, next_due))
        }
        Command::AdoptFeeds { config, now, reply } => within(transaction, reply, |savepoint| {
            write::adopt_feeds(savepoint, &config.feeds, now)
        }),
        Command::AdoptRules { rules, now, reply } => {
            within(transaction, reply, |savepoint| backfill::adopt_rules(savepoint, &rules, now))
        }
        Command::Backfill { hits, rules, below, now, reply } => {
            within(transaction, reply, |savepoint| {
                backfill::backfill(savepoint, &hits, &rules, below, now)
            })
        }
        Command::Settle { deliveries, settled, event, reply } => {
            within(transaction, reply, |savepoint| {
                deliveries.iter().try_for_each(|id| outbox::settle(savepoint, *id, &settled))?;
                event.map_or(Ok(()), |event| write::event(savepoint, &event))
            })
        }
        Command::Raise { events, note, now, reply } => within(transaction, reply, |savepoint| {
            for event in &events {
                write::event(savepoint, event)?;
            }
            note.map_or(Ok(()), |(name, value)| write::note(savepoint, &name, &value, now))
        }),
        Command::Note { name, value, now, reply } => {
            within(transaction, reply, |savepoint| write::note(savepoint, &name, &value, now))
        }
        Command::SetBack { by, now, reply } => {
            remembering(transaction, desk, reply, |savepoint, desk| {
                desk.clear();
                write::set_back(savepoint, by, now)
            })
        }
        Command::SumUpSilences { config, now, reply } => {
            within(transaction, reply, |savepoint| silences::sum_up(savepoint, &config, now))
        }
        Command::Prune { before, now, reply } => {
            within(transaction, reply, |savepoint| write::prune(savepoint, before, now))
        }
    }
}

/// The same for what changes stories: what is taken back is forgotten, too.
fn remembering<T: 'static>(
    transaction: &Connection,
    desk: &mut Desk,
    reply: Reply<T>,
    work: impl FnOnce(&Connection, &mut Desk) -> Result<T, StoreError>,
) -> Answer {
    within(transaction, reply, |savepoint| {
        let result = work(savepoint, desk);
        if result.is_err() {
            desk.clear();
        }
        result
    })
}

fn within<T: 'static>(
    transaction: &Connection,
    reply: Reply<T>,
    work: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Answer {
    answer(reply, in_savepoint(transaction, work))
}

/// What is answered once the transaction is committed.
fn answer<T: 'static>(reply: Reply<T>, result: Result<T, StoreError>) -> Answer {
    Box::new(move |failed| {
        // Nobody waits any more when the daemon is stopping; the work is done all the same.
        let _ = reply.send(match failed {
            Some(error) => Err(again(error)),
            None => result,
        });
    })
}

/// Does `work` and takes it back when it fails. Two statements a command that need not be compiled
/// each time.
fn in_savepoint<T>(
    transaction: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let run = |statement| transaction.prepare_cached(statement)?.execute([]);
    run("SAVEPOINT command")?;
    let result = work(transaction);
    if result.is_err() {
        // What went wrong may have ended the transaction, and is what counts.
        let _ = run("ROLLBACK TO command");
        let _ = run("RELEASE command");
        return result;
    }
    run("RELEASE command")?;
    result
}

fn refuse(command: Command) -> Answer {
    fn unsent<T: 'static>(reply: Reply<T>) -> Answer {
        Box::new(move |failed| {
            let _ = reply.send(Err(failed.map_or(StoreError::Stopped, again)));
        })
    }
    match command {
        Command::Commit { reply, .. }
        | Command::TellDue { reply, .. }
        | Command::LookForSurges { reply, .. } => unsent(reply),
        Command::Lease { reply, .. }
        | Command::AdoptFeeds { reply, .. }
        | Command::Settle { reply, .. }
        | Command::Raise { reply, .. }
        | Command::Note { reply, .. }
        | Command::SetBack { reply, .. } => unsent(reply),
        Command::AdoptRules { reply, .. }
        | Command::Backfill { reply, .. }
        | Command::SumUpSilences { reply, .. }
        | Command::Prune { reply, .. } => unsent(reply),
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
}
