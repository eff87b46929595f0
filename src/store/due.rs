//! When feeds are due, as others than their polls have it.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection, params};
use url::Url;

use super::read::{maybe_time, time};
use super::write::millis;
use super::{Reader, StoreError, polls};
use crate::item::FeedName;
use crate::poll::FailureKind;
use crate::schedule::LEAST_PAUSE;
use crate::schedule::host::host_of;

/// What became of a feed that was to be tried at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedRetried {
    /// It is due at that time: now, or a minute after its last request.
    Due(Timestamp),
    /// Its host is left alone; it is due then.
    Rests(Rest),
    /// It does not fail, but is not asked at its time, as its host is left alone.
    Held(Rest),
    /// It does not fail.
    Well,
    /// It is not polled.
    Unpolled,
}

/// That a host is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    /// Until when.
    pub until: Timestamp,
    /// What it was asked for when it had enough; absent where that is not known any more.
    pub refused: Option<Refused>,
}

/// The last refusal of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The feed that it was asked for.
    pub feed: String,
    /// It named the time itself until which it is left alone.
    pub named_time: bool,
}

/// A feed that is polled and fails, or whose documents are damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FailingFeed {
    /// The feed.
    pub(crate) name: FeedName,
    /// When it was last asked.
    pub(crate) last_request: Option<Timestamp>,
    /// How often it has failed in a row.
    pub(crate) failures: u32,
    /// When it is due.
    pub(crate) next_due: Timestamp,
    /// Where it is asked.
    url: String,
}

#[cfg(test)]
impl FailingFeed {
    /// A feed that was last asked then, has failed so often and is due at `next_due`.
    pub(crate) fn of(
        name: &FeedName,
        last_request: Timestamp,
        failures: u32,
        next_due: Timestamp,
    ) -> Self {
        let last_request = Some(last_request);
        Self { name: name.clone(), last_request, failures, next_due, url: String::new() }
    }
}

impl Reader {
    /// The feeds that are polled and fail, by name.
    pub(crate) fn failing_feeds(&self) -> Result<Vec<FailingFeed>, StoreError> {
        failing(&self.connection)
    }
}

fn failing(connection: &Connection) -> Result<Vec<FailingFeed>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT name, last_request, next_due, coalesce(effective_url, url), failures
         FROM feeds JOIN schedule ON feed = id
         WHERE configured = 'enabled' AND failures > 0 ORDER BY name",
    )?;
    let mut rows = statement.query([])?;
    let mut failing = Vec::new();
    while let Some(row) = rows.next()? {
        failing.push(FailingFeed {
            name: FeedName::new(&row.get::<_, String>(0)?),
            last_request: maybe_time(row, 1)?,
            next_due: time(row, 2)?,
            url: row.get(3)?,
            failures: row.get(4)?,
        });
    }
    Ok(failing)
}

/// Has a feed asked at that time, where it was to be asked later.
pub(crate) fn bring_forward(
    connection: &Connection,
    feed: &FeedName,
    due: Timestamp,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE schedule SET next_due = ?2
             WHERE feed = (SELECT id FROM feeds WHERE name = ?1) AND next_due > ?2",
        )?
        .execute(params![feed.as_str(), millis(due)])?;
    Ok(())
}

/// Makes all feeds due that fail, as soon as each may be asked.
pub(crate) fn retry_all(
    connection: &Connection,
    now: Timestamp,
) -> Result<Vec<(String, FeedRetried)>, StoreError> {
    let failing = failing(connection)?;
    let each = |feed: &FailingFeed| Ok((feed.name.to_string(), hasten(connection, feed, now)?));
    failing.iter().map(each).collect()
}

/// The same of those of these feeds that fail.
pub(crate) fn retry(
    connection: &Connection,
    names: &[String],
    now: Timestamp,
) -> Result<Vec<(String, FeedRetried)>, StoreError> {
    let failing = failing(connection)?;
    let failing: HashMap<&str, &FailingFeed> =
        failing.iter().map(|feed| (feed.name.as_str(), feed)).collect();
    let each = |name: &String| {
        let retried = match failing.get(name.as_str()) {
            Some(feed) => hasten(connection, feed, now)?,
            None => well(connection, name, now)?,
        };
        Ok((name.clone(), retried))
    };
    names.iter().map(each).collect()
}

fn hasten(
    connection: &Connection,
    feed: &FailingFeed,
    now: Timestamp,
) -> Result<FeedRetried, StoreError> {
    let asked = feed.last_request.map(|last| last.min(now) + LEAST_PAUSE);
    let at = asked.map_or(now, |asked| asked.max(now));
    let rest = rest_after(connection, &feed.url, at)?;
    bring_forward(connection, &feed.name, rest.as_ref().map_or(at, |rest| rest.until))?;
    Ok(rest.map_or(FeedRetried::Due(at.min(feed.next_due.max(now))), FeedRetried::Rests))
}

/// What there is to say of a feed that does not fail.
fn well(connection: &Connection, feed: &str, now: Timestamp) -> Result<FeedRetried, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT next_due, coalesce(effective_url, url) FROM feeds JOIN schedule ON feed = id
         WHERE name = ?1 AND configured = 'enabled'",
    )?;
    let mut rows = statement.query([feed])?;
    let Some(row) = rows.next()? else { return Ok(FeedRetried::Unpolled) };
    let (due, url): (_, String) = (time(row, 0)?, row.get(1)?);
    let rest = rest_after(connection, &url, due.max(now))?;
    Ok(rest.map_or(FeedRetried::Well, FeedRetried::Held))
}

/// That the host of that address is left alone for longer than until then, if it is.
fn rest_after(
    connection: &Connection,
    url: &str,
    at: Timestamp,
) -> Result<Option<Rest>, StoreError> {
    let Ok(url) = Url::parse(url) else { return Ok(None) };
    let host = host_of(&url);
    let mut statement =
        connection.prepare_cached("SELECT not_before FROM hosts WHERE host = ?1")?;
    let mut rows = statement.query([&host])?;
    let until = rows.next()?.map(|row| time(row, 0)).transpose()?;
    let Some(until) = until.filter(|until| *until > at) else { return Ok(None) };
    Ok(Some(Rest { until, refused: refused(connection, &host)? }))
}

/// What that host refused last.
fn refused(connection: &Connection, host: &str) -> Result<Option<Refused>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT name, coalesce(effective_url, url), coalesce(polls, x'')
         FROM feeds JOIN schedule ON schedule.feed = id LEFT JOIN polls ON polls.feed = id
         WHERE failure = ?1 ORDER BY last_request DESC",
    )?;
    let mut rows = statement.query([FailureKind::Throttled.as_str()])?;
    while let Some(row) = rows.next()? {
        let url = Url::parse(&row.get::<_, String>(1)?);
        if url.is_ok_and(|url| host_of(&url) == host) {
            let named_time = polls::was_given_a_time(&row.get::<_, Vec<u8>>(2)?);
            return Ok(Some(Refused { feed: row.get(0)?, named_time }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    /// A database of one feed that was last asked then, and is due in an hour.
    fn database(configured: &str, failures: u32, last_request: i64) -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        connection
            .execute(
                "INSERT INTO feeds (name, url, configured, state, state_since, failures)
                 VALUES ('a', 'https://e.org/', ?1, 'retry', 0, ?2)",
                params![configured, failures],
            )
            .unwrap();
        connection
            .execute(
                "INSERT INTO schedule (feed, last_request, next_due) VALUES (1, ?1, ?2)",
                params![millis(at(last_request)), millis(at(3600))],
            )
            .unwrap();
        connection
    }

    #[track_caller]
    fn check(connection: &Connection, retried: FeedRetried, due: i64) {
        let names = ["a".to_owned()];
        assert_eq!(retry(connection, &names, at(0)).unwrap(), [("a".to_owned(), retried)]);
        let stored: i64 =
            connection.query_row("SELECT next_due FROM schedule", [], |row| row.get(0)).unwrap();
        assert_eq!(stored, millis(at(due)));
    }

    #[test]
    fn a_feed_that_fails_is_due_at_once_but_not_within_a_minute_of_its_last_request() {
        check(&database("enabled", 1, -60), FeedRetried::Due(at(0)), 0);
        check(&database("enabled", 1, -20), FeedRetried::Due(at(40)), 40);
        // The clock was ahead when it was asked.
        check(&database("enabled", 1, 7200), FeedRetried::Due(at(60)), 60);
    }

    #[test]
    fn a_feed_that_is_due_sooner_stays_so() {
        let connection = database("enabled", 1, -20);
        bring_forward(&connection, &FeedName::new("a"), at(10)).unwrap();
        check(&connection, FeedRetried::Due(at(10)), 10);
    }

    #[test]
    fn a_feed_that_is_well_or_not_polled_is_left_as_it_is() {
        check(&database("enabled", 0, -60), FeedRetried::Well, 3600);
        check(&database("disabled", 1, -60), FeedRetried::Unpolled, 3600);
        check(&database("removed", 1, -60), FeedRetried::Unpolled, 3600);
        assert_eq!(retry_all(&database("disabled", 1, -60), at(0)).unwrap(), []);
    }

    /// Has the host of that feed left alone until then.
    fn rest(connection: &Connection, until: i64) -> Rest {
        let sql = "INSERT OR REPLACE INTO hosts (host, not_before) VALUES ('e.org:443', ?1)";
        connection.execute(sql, [millis(at(until))]).unwrap();
        Rest { until: at(until), refused: None }
    }

    #[test]
    fn a_host_that_asked_to_be_left_alone_is_left_alone() {
        let connection = database("enabled", 1, -60);
        let rests = rest(&connection, 600);
        check(&connection, FeedRetried::Rests(rests), 600);
        rest(&connection, -1);
        check(&connection, FeedRetried::Due(at(0)), 0);
    }

    #[test]
    fn a_feed_that_is_well_is_held_by_a_host_that_is_left_alone_for_longer_than_it_waits() {
        let connection = database("enabled", 0, -60);
        rest(&connection, 600);
        check(&connection, FeedRetried::Well, 3600);
        let rests = rest(&connection, 7200);
        check(&connection, FeedRetried::Held(rests), 3600);
    }
}
