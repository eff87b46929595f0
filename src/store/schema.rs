//! The tables, and the steps from each older form to the next.
//!
//! `PRAGMA user_version` names the form a database is in. A step is never edited once released:
//! a new one is added, and `tests/data` keeps a filled database of every older form that later
//! versions must open.

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

/// The steps, oldest first: step n takes a database from version n to n + 1.
const STEPS: [&str; 21] = [
    V1, V2, V3, V4, V5, V6, V7, V8, V9, V10, V11, V12, V13, V14, V15, V16, V17, V18, V19, V20, V21,
];

/// The version that this program reads and writes.
pub const VERSION: i64 = STEPS.len() as i64;

const V1: &str = "
-- Times are milliseconds since 1970-01-01T00:00:00Z.
CREATE TABLE feeds (
  id             INTEGER PRIMARY KEY,
  name           TEXT NOT NULL UNIQUE,
  url            TEXT NOT NULL,
  title          TEXT,
  -- What the configuration says of it; a feed that it no longer names keeps its items.
  configured     TEXT NOT NULL CHECK (configured IN ('enabled', 'disabled', 'removed')),
  state          TEXT NOT NULL,
  state_since    INTEGER NOT NULL,
  why            TEXT,
  failures       INTEGER NOT NULL,
  effective_url  TEXT,
  validator_url  TEXT,
  etag           BLOB,
  last_modified  BLOB,
  body_hash      BLOB,
  last_request   INTEGER,
  last_ok        INTEGER,
  last_new_item  INTEGER,
  baseline_at    INTEGER,
  next_due       INTEGER NOT NULL,
  interval_s     INTEGER,
  item_count     INTEGER NOT NULL DEFAULT 0
) STRICT;

-- A host that asked to be left alone, with all its feeds.
CREATE TABLE hosts (
  host        TEXT PRIMARY KEY,
  not_before  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE items (
  id            INTEGER PRIMARY KEY,
  feed          INTEGER NOT NULL REFERENCES feeds (id),
  key           BLOB NOT NULL,
  given_id      TEXT,
  title         TEXT NOT NULL,
  summary       TEXT NOT NULL,
  content       TEXT NOT NULL,
  link          TEXT,
  lang          TEXT,
  authors       TEXT NOT NULL,
  tags          TEXT NOT NULL,
  published     INTEGER,
  updated       INTEGER,
  source_title  TEXT,
  source_url    TEXT,
  fingerprint   BLOB NOT NULL,
  first_seen    INTEGER NOT NULL,
  revision      INTEGER NOT NULL DEFAULT 1,
  baseline      INTEGER NOT NULL DEFAULT 0,
  late          INTEGER NOT NULL DEFAULT 0,
  -- The texts are gone; the key stays, so that an old entry is never taken for a new one.
  pruned        INTEGER NOT NULL DEFAULT 0,
  UNIQUE (feed, key)
) STRICT;
CREATE INDEX items_by_time ON items (first_seen) WHERE pruned = 0;

-- What an item said before its publisher edited it.
CREATE TABLE revisions (
  item      INTEGER NOT NULL REFERENCES items (id) ON DELETE CASCADE,
  revision  INTEGER NOT NULL,
  until     INTEGER NOT NULL,
  title     TEXT NOT NULL,
  summary   TEXT NOT NULL,
  content   TEXT NOT NULL,
  PRIMARY KEY (item, revision)
) STRICT, WITHOUT ROWID;

-- Hits outlive their items, so they carry what a reader needs of them.
CREATE TABLE hits (
  seq           INTEGER PRIMARY KEY AUTOINCREMENT,
  id            TEXT NOT NULL UNIQUE,
  rule          TEXT NOT NULL,
  rule_version  TEXT NOT NULL,
  severity      TEXT NOT NULL,
  feed          TEXT NOT NULL,
  item_key      BLOB NOT NULL,
  item_id       TEXT,
  title         TEXT NOT NULL,
  link          TEXT,
  revision      INTEGER NOT NULL,
  matched_at    INTEGER NOT NULL,
  spans         TEXT NOT NULL,
  reason        TEXT NOT NULL,
  alert         TEXT,
  UNIQUE (feed, item_key, rule)
) STRICT;
CREATE INDEX hits_by_time ON hits (matched_at);
CREATE INDEX hits_by_rule ON hits (rule, matched_at);

CREATE TABLE alerts (
  seq       INTEGER PRIMARY KEY AUTOINCREMENT,
  id        TEXT NOT NULL UNIQUE,
  rule      TEXT NOT NULL,
  severity  TEXT NOT NULL,
  feed      TEXT NOT NULL,
  created   INTEGER NOT NULL,
  record    TEXT NOT NULL
) STRICT;
CREATE INDEX alerts_by_time ON alerts (created);

-- The outbox: an alert on its way to a receiver.
CREATE TABLE deliveries (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  alert         INTEGER NOT NULL REFERENCES alerts (seq),
  receiver      TEXT NOT NULL,
  state         TEXT NOT NULL CHECK (state IN ('due', 'sent', 'dead')),
  attempts      INTEGER NOT NULL DEFAULT 0,
  last_error    TEXT,
  next_attempt  INTEGER,
  finished_at   INTEGER,
  UNIQUE (alert, receiver)
) STRICT;
CREATE INDEX deliveries_due ON deliveries (receiver, next_attempt) WHERE state = 'due';
CREATE INDEX deliveries_dead ON deliveries (alert) WHERE state = 'dead';

-- What the daemon says of itself, for `status`.
CREATE TABLE facts (
  name   TEXT PRIMARY KEY,
  value  TEXT NOT NULL,
  at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

const V2: &str = "
-- How often a feed brings something new, as schedule::rate writes it.
ALTER TABLE feeds ADD COLUMN arrivals BLOB;
-- How many items it showed when it last changed.
ALTER TABLE feeds ADD COLUMN item_window INTEGER NOT NULL DEFAULT 0;
-- Equal bodies in a row from a server without validators.
ALTER TABLE feeds ADD COLUMN same_bodies INTEGER NOT NULL DEFAULT 0;
-- When a poll last found nothing but new items.
ALTER TABLE feeds ADD COLUMN gap_at INTEGER;
";

const V3: &str = "
-- An event of the service has no rule, and may be about no feed or about many.
ALTER TABLE alerts RENAME COLUMN rule TO old_rule;
ALTER TABLE alerts RENAME COLUMN feed TO old_feed;
ALTER TABLE alerts ADD COLUMN rule TEXT;
ALTER TABLE alerts ADD COLUMN feed TEXT;
UPDATE alerts SET rule = old_rule, feed = old_feed;
ALTER TABLE alerts DROP COLUMN old_rule;
ALTER TABLE alerts DROP COLUMN old_feed;
";

const V4: &str = "
-- When the digest goes that the delivery is part of; null when it goes by itself.
ALTER TABLE deliveries ADD COLUMN digest INTEGER;
";

const V5: &str = "
-- The kind of the last failure, and since when failures are of that kind.
ALTER TABLE feeds ADD COLUMN failure TEXT;
ALTER TABLE feeds ADD COLUMN failure_since INTEGER;
-- When effective_url was adopted last; where permanent redirects lead that is not proven yet.
ALTER TABLE feeds ADD COLUMN moved_at INTEGER;
ALTER TABLE feeds ADD COLUMN moving_url TEXT;
ALTER TABLE feeds ADD COLUMN moving_since INTEGER;
ALTER TABLE feeds ADD COLUMN moving_polls INTEGER;
-- Which validators are believed, since when not all are, when that was last tried.
ALTER TABLE feeds ADD COLUMN trust TEXT NOT NULL DEFAULT 'all';
ALTER TABLE feeds ADD COLUMN distrusted_at INTEGER;
ALTER TABLE feeds ADD COLUMN checked_at INTEGER;
-- When a body last came, and how long it said that it stays fresh.
ALTER TABLE feeds ADD COLUMN last_body INTEGER;
ALTER TABLE feeds ADD COLUMN lifetime_s INTEGER;
";

const V6: &str = "
-- Other names under which an item may be known, as feed::aliases makes them, and other keys under
-- which it has come. Day: since 1970.
CREATE TABLE aliases (
  feed   INTEGER NOT NULL,
  alias  INTEGER NOT NULL,
  item   INTEGER NOT NULL,
  day    INTEGER NOT NULL,
  PRIMARY KEY (feed, alias)
) STRICT, WITHOUT ROWID;
-- How many other keys of an item are kept.
ALTER TABLE items ADD COLUMN keys INTEGER NOT NULL DEFAULT 0;
-- When a feed last changed the ids of most of its items.
ALTER TABLE feeds ADD COLUMN migrated_at INTEGER;
";

const V7: &str = "
CREATE TABLE silences (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  -- As alert::silence::Matcher is JSON.
  matcher    TEXT NOT NULL,
  author     TEXT NOT NULL,
  why        TEXT NOT NULL,
  since      INTEGER NOT NULL,
  until      INTEGER NOT NULL,
  -- By hand, before that.
  ended_at   INTEGER,
  ended_by   TEXT,
  -- When what it held back was told; it mutes nothing from then on.
  summed_at  INTEGER
) STRICT;
CREATE INDEX silences_open ON silences (until) WHERE summed_at IS NULL;

-- The silence that kept an alert from people.
ALTER TABLE alerts ADD COLUMN silence INTEGER;
CREATE INDEX alerts_silenced ON alerts (silence) WHERE silence IS NOT NULL;
";

const V8: &str = "
-- What is wrong with a feed for longer than a moment, as schedule::trouble writes it.
ALTER TABLE feeds ADD COLUMN troubles TEXT NOT NULL DEFAULT '{}';
-- An event that waits for a summary has 0 here, one that was told in a summary the summary's seq.
ALTER TABLE alerts ADD COLUMN told_in INTEGER;
CREATE INDEX alerts_held ON alerts (seq) WHERE told_in = 0;
";

const V9: &str = "
-- What the last body said about when the feed wants to be asked.
ALTER TABLE feeds ADD COLUMN hint_pause_s INTEGER NOT NULL DEFAULT 0;
ALTER TABLE feeds ADD COLUMN skip_hours INTEGER NOT NULL DEFAULT 0;
ALTER TABLE feeds ADD COLUMN skip_days INTEGER NOT NULL DEFAULT 0;
-- Bodies in a row that brought nothing new.
ALTER TABLE feeds ADD COLUMN fruitless INTEGER NOT NULL DEFAULT 0;
";

const V10: &str = "
-- It was seen late because its feed could not be polled for long.
ALTER TABLE items ADD COLUMN outage INTEGER NOT NULL DEFAULT 0;
";

const V11: &str = "
-- Who has seen an alert, and need not hear more of the same about its story.
CREATE TABLE acks (
  alert     INTEGER PRIMARY KEY,
  -- The alert's correlation id.
  story     TEXT NOT NULL,
  rule      TEXT,
  severity  TEXT NOT NULL,
  author    TEXT NOT NULL,
  why       TEXT,
  at        INTEGER NOT NULL,
  -- When an alert came that changed the picture.
  ended_at  INTEGER
) STRICT;
CREATE INDEX acks_open ON acks (story) WHERE ended_at IS NULL;
";

const V12: &str = "
-- What is asked often must not cost more the more there is.
CREATE INDEX deliveries_by_state ON deliveries (state);
CREATE INDEX deliveries_ended ON deliveries (receiver, finished_at) WHERE state != 'due';
-- In it the items of a feed stand in the order of their ids.
CREATE INDEX items_by_feed ON items (feed);
";

const V13: &str = "
-- The stories of rules, as story::desk has them, and the last time that each had a report.
CREATE TABLE stories (
  seq         INTEGER PRIMARY KEY AUTOINCREMENT,
  id          TEXT NOT NULL UNIQUE,
  rule        TEXT NOT NULL,
  severity    TEXT NOT NULL,
  first_seen  INTEGER NOT NULL,
  last_seen   INTEGER NOT NULL,
  -- JSON.
  story       TEXT NOT NULL
) STRICT;
CREATE INDEX stories_by_rule ON stories (rule, last_seen);
CREATE INDEX stories_by_time ON stories (last_seen);

-- What is kept of a rule beside them, as JSON: how its stories were told, when its next bulletin is
-- due, and whether it has far more news than usual.
CREATE TABLE watches (
  rule         TEXT PRIMARY KEY,
  state        TEXT NOT NULL DEFAULT '{}',
  bulletin_at  INTEGER,
  surge        TEXT NOT NULL DEFAULT '{}'
) STRICT, WITHOUT ROWID;
CREATE INDEX watches_bulletin ON watches (bulletin_at) WHERE bulletin_at IS NOT NULL;

-- What stories compare later hits with, as JSON; and the record of a hit that waits to be told. They
-- are dropped when no story needs them.
CREATE TABLE reports (
  hit     INTEGER PRIMARY KEY,
  rule    TEXT NOT NULL,
  item    TEXT NOT NULL,
  story   TEXT NOT NULL,
  at      INTEGER NOT NULL,
  copied  INTEGER NOT NULL,
  report  TEXT NOT NULL,
  draft   TEXT
) STRICT;
CREATE INDEX reports_by_rule ON reports (rule, at);
CREATE INDEX reports_by_item ON reports (item, rule);
CREATE INDEX reports_by_time ON reports (at);

-- What people have changed of stories.
CREATE TABLE story_edits (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  at      INTEGER NOT NULL,
  author  TEXT NOT NULL,
  what    TEXT NOT NULL CHECK (what IN ('merge', 'split')),
  -- The story that lost reports, the one that got them, and which, as a JSON list of items.
  story   TEXT NOT NULL,
  other   TEXT NOT NULL,
  items   TEXT NOT NULL,
  why     TEXT
) STRICT;

-- The share of the feeds that could be read, day by day since 1970: the mean of so many looks.
CREATE TABLE health (
  day    INTEGER PRIMARY KEY,
  share  REAL NOT NULL,
  looks  INTEGER NOT NULL
) STRICT;

-- The story of a hit, how it came there, and who published its item and is its origin; when its item
-- was edited so that it matches no more.
ALTER TABLE hits ADD COLUMN story TEXT;
ALTER TABLE hits ADD COLUMN joined TEXT;
ALTER TABLE hits ADD COLUMN outlet TEXT;
ALTER TABLE hits ADD COLUMN origin TEXT;
ALTER TABLE hits ADD COLUMN revised_at INTEGER;
CREATE INDEX hits_by_story ON hits (story) WHERE story IS NOT NULL;
";

const V14: &str = "
-- The gap between requests to a host that has asked to be left alone, and good answers since.
ALTER TABLE hosts ADD COLUMN gap_ms INTEGER;
ALTER TABLE hosts ADD COLUMN answers INTEGER NOT NULL DEFAULT 0;
-- How often in a row it has asked that.
ALTER TABLE hosts ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0;
";

const V15: &str = "
-- The last polls of a feed, as store::polls writes them.
ALTER TABLE feeds ADD COLUMN polls BLOB;
";

const V16: &str = "
-- The rules that are in force, so that new ones are seen. Items with an id below `below` have not
-- been matched against the rule yet; null when all have.
CREATE TABLE rules (
  id     TEXT PRIMARY KEY,
  added  INTEGER NOT NULL,
  below  INTEGER
) STRICT, WITHOUT ROWID;
-- A rule that has hit something is not new.
INSERT INTO rules (id, added, below) SELECT rule, min(matched_at), NULL FROM hits GROUP BY rule;
";

const V17: &str = "
-- Whether the address has shown to be the same feed; those that stand here were judged at each poll.
ALTER TABLE feeds ADD COLUMN moving_proven INTEGER;
UPDATE feeds SET moving_proven = 1 WHERE moving_url IS NOT NULL;
-- A digest of the id that the feed gives itself, at its own address.
ALTER TABLE feeds ADD COLUMN identity BLOB;
";

const V18: &str = "
-- The alert's correlation id: what waits to be tried again holds back the later ones of its story.
ALTER TABLE deliveries ADD COLUMN story TEXT;
UPDATE deliveries SET story =
  (SELECT record ->> '$.correlationid' FROM alerts WHERE alerts.seq = alert)
WHERE state = 'due';
CREATE INDEX deliveries_story ON deliveries (receiver, story, alert) WHERE state = 'due';
CREATE INDEX deliveries_by_age ON deliveries (receiver, alert, next_attempt)
  WHERE state = 'due' AND digest IS NULL;
CREATE INDEX deliveries_together ON deliveries (receiver, digest, next_attempt, attempts)
  WHERE state = 'due' AND digest IS NOT NULL;

-- Receivers that have taken nothing since an attempt failed; one that takes something leaves.
CREATE TABLE failing_receivers (
  name   TEXT PRIMARY KEY,
  since  INTEGER NOT NULL,
  why    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO failing_receivers
  SELECT receiver, min(created), coalesce(max(last_error), '')
  FROM deliveries JOIN alerts ON alerts.seq = alert
  WHERE state = 'due' AND attempts > 0 GROUP BY receiver;
";

const V19: &str = "
-- How many feeds could be read, no longer their share of all: that there are more lets expect more.
UPDATE health SET share = share * (SELECT count(*) FROM feeds WHERE configured = 'enabled');
ALTER TABLE health RENAME COLUMN share TO readable;
";

const V20: &str = "
-- What every poll changes of a feed. It is written twice a poll, and is small.
CREATE TABLE schedule (
  feed          INTEGER PRIMARY KEY REFERENCES feeds (id),
  last_request  INTEGER,
  last_ok       INTEGER,
  next_due      INTEGER NOT NULL,
  interval_s    INTEGER
) STRICT;
INSERT INTO schedule SELECT id, last_request, last_ok, next_due, interval_s FROM feeds;
ALTER TABLE feeds DROP COLUMN last_request;
ALTER TABLE feeds DROP COLUMN last_ok;
ALTER TABLE feeds DROP COLUMN next_due;
ALTER TABLE feeds DROP COLUMN interval_s;

-- The last polls of a feed, as store::polls writes them.
CREATE TABLE polls (
  feed   INTEGER PRIMARY KEY REFERENCES feeds (id),
  polls  BLOB NOT NULL
) STRICT;
INSERT INTO polls SELECT id, polls FROM feeds WHERE polls IS NOT NULL;
ALTER TABLE feeds DROP COLUMN polls;
";

const V21: &str = "
-- When a feed was first asked at its address.
ALTER TABLE feeds ADD COLUMN first_request INTEGER;
-- What is known of those that nothing was read of yet.
UPDATE feeds SET first_request =
  coalesce(min(failure_since, state_since), (SELECT last_request FROM schedule WHERE feed = id))
WHERE baseline_at IS NULL;
";

/// Brings a database to [`VERSION`], each step in a transaction of its own.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    loop {
        let version = version(connection)?;
        if version > VERSION {
            return Err(StoreError::Newer { found: version, known: VERSION });
        }
        let Some(step) = STEPS.get(usize::try_from(version).unwrap_or(usize::MAX)) else {
            return Ok(());
        };
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have taken this step while we waited for the lock.
        if self::version(&transaction)? == version {
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "user_version", version + 1)?;
            transaction.commit()?;
        }
    }
}

/// The version that a database is in.
pub(crate) fn version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}
