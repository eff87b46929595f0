-- A database of format 21: that of format 20 with a feed whose first request is known.
BEGIN TRANSACTION;
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
INSERT INTO "acks" VALUES(1,'example/4b2bf800858e802e546cee42d591c056','talks','high','anna','told the desk',1795538600000,NULL);
CREATE TABLE alerts (
  seq       INTEGER PRIMARY KEY AUTOINCREMENT,
  id        TEXT NOT NULL UNIQUE,
  severity  TEXT NOT NULL,
  created   INTEGER NOT NULL,
  record    TEXT NOT NULL
, rule TEXT, feed TEXT, silence INTEGER, told_in INTEGER) STRICT;
INSERT INTO "alerts" VALUES(1,'01a20e6f-d67f-7b6e-a318-fc96a87091d4','high',1795538540161,'{"specversion":"1.0","id":"01a20e6f-d67f-7b6e-a318-fc96a87091d4","source":"urn:newswatch:newswatch","type":"newswatch.hit","subject":"rule/talks","time":"2026-11-24T16:42:20.159758802Z","recordedtime":"2026-11-24T16:42:20.159758802Z","sequence":"0000000000000001","severitytext":"HIGH","severitynumber":13,"correlationid":"example/4b2bf800858e802e546cee42d591c056","causationid":"example/4b2bf800858e802e546cee42d591c056","datacontenttype":"application/json","dataschema":"urn:newswatch:schema:alert:1","data":{"message":"[high] Talks: Wang Yi meets Lavrov (Example)","event":{"kind":"alert","action":"hit","severity":70,"created":"2026-11-24T16:42:20.159758802Z"},"rule":{"id":"talks","name":"Talks","version":"blake3:33d55fa575ac","category":null},"tags":[],"story":null,"claim_cues":null,"item":{"key":"example/4b2bf800858e802e546cee42d591c056","id":"1","title":"Wang Yi meets Lavrov","url":{"full":"https://news.example/1"},"lang":"en","published":null,"fetched":"2026-11-24T16:42:20.159758802Z","feed":{"id":"example","name":"Example","owner":null,"alignment":null},"source":null,"copy_of":null,"revision":1,"backfill":true,"highlights":[{"field":"title","start":0,"end":7,"text":"Wang Yi","term":"\"Wang Yi\""},{"field":"title","start":14,"end":20,"text":"Lavrov","term":"Lavrov"}]},"surge":null,"silenced_by":null,"acked_by":null,"runbook":null}}','talks','example',1,NULL);
INSERT INTO "alerts" VALUES(2,'01a20e6f-d67f-7abd-bb64-c0295636096a','high',1795538540161,'{"specversion":"1.0","id":"01a20e6f-d67f-7abd-bb64-c0295636096a","source":"urn:newswatch:newswatch","type":"newswatch.hit","subject":"rule/talks","time":"2026-11-24T16:42:20.159758802Z","recordedtime":"2026-11-24T16:42:20.159758802Z","sequence":"0000000000000002","severitytext":"HIGH","severitynumber":13,"correlationid":"example/5a08e6871653948f74a98e5b4a3385f4","causationid":"example/5a08e6871653948f74a98e5b4a3385f4","datacontenttype":"application/json","dataschema":"urn:newswatch:schema:alert:1","data":{"message":"[high] Talks: Lavrov rings Wang Yi (Example)","event":{"kind":"alert","action":"hit","severity":70,"created":"2026-11-24T16:42:20.159758802Z"},"rule":{"id":"talks","name":"Talks","version":"blake3:33d55fa575ac","category":null},"tags":[],"story":null,"claim_cues":null,"item":{"key":"example/5a08e6871653948f74a98e5b4a3385f4","id":"2","title":"Lavrov rings Wang Yi","url":{"full":"https://news.example/2"},"lang":"en","published":null,"fetched":"2026-11-24T16:42:20.159758802Z","feed":{"id":"example","name":"Example","owner":null,"alignment":null},"source":null,"copy_of":null,"revision":1,"backfill":true,"highlights":[{"field":"title","start":0,"end":6,"text":"Lavrov","term":"Lavrov"},{"field":"title","start":13,"end":20,"text":"Wang Yi","term":"\"Wang Yi\""}]},"surge":null,"silenced_by":null,"acked_by":null,"runbook":null}}','talks','example',NULL,NULL);
CREATE TABLE aliases (
  feed   INTEGER NOT NULL,
  alias  INTEGER NOT NULL,
  item   INTEGER NOT NULL,
  day    INTEGER NOT NULL,
  PRIMARY KEY (feed, alias)
) STRICT, WITHOUT ROWID;
INSERT INTO "aliases" VALUES(1,123456789,1,19675);
CREATE TABLE deliveries (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  alert         INTEGER NOT NULL REFERENCES alerts (seq),
  receiver      TEXT NOT NULL,
  state         TEXT NOT NULL CHECK (state IN ('due', 'sent', 'dead')),
  attempts      INTEGER NOT NULL DEFAULT 0,
  last_error    TEXT,
  next_attempt  INTEGER,
  finished_at   INTEGER, digest INTEGER, story TEXT,
  UNIQUE (alert, receiver)
) STRICT;
INSERT INTO "deliveries" VALUES(1,1,'log','sent',1,NULL,NULL,1795538540164,NULL,NULL);
INSERT INTO "deliveries" VALUES(2,2,'log','due',2,'503 Service Unavailable',1795540900000,NULL,1795590000000,'example/5a08e6871653948f74a98e5b4a3385f4');
CREATE TABLE facts (
  name   TEXT PRIMARY KEY,
  value  TEXT NOT NULL,
  at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "facts" VALUES('config','{"event":"once","version":"0.1.0","pid":21105,"feeds":0,"rules":1,"problems":null,"metrics":null}',1795968488380);
CREATE TABLE failing_receivers (
  name   TEXT PRIMARY KEY,
  since  INTEGER NOT NULL,
  why    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "failing_receivers" VALUES('log',1795538540161,'503 Service Unavailable');
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
  last_new_item  INTEGER,
  baseline_at    INTEGER,
  item_count     INTEGER NOT NULL DEFAULT 0
, arrivals BLOB, item_window INTEGER NOT NULL DEFAULT 0, same_bodies INTEGER NOT NULL DEFAULT 0, gap_at INTEGER, failure TEXT, failure_since INTEGER, moved_at INTEGER, moving_url TEXT, moving_since INTEGER, moving_polls INTEGER, trust TEXT NOT NULL DEFAULT 'all', distrusted_at INTEGER, checked_at INTEGER, last_body INTEGER, lifetime_s INTEGER, migrated_at INTEGER, troubles TEXT NOT NULL DEFAULT '{}', hint_pause_s INTEGER NOT NULL DEFAULT 0, skip_hours INTEGER NOT NULL DEFAULT 0, skip_days INTEGER NOT NULL DEFAULT 0, fruitless INTEGER NOT NULL DEFAULT 0, moving_proven INTEGER, identity BLOB, first_request INTEGER) STRICT;
INSERT INTO "feeds" VALUES(1,'example','file:///srv/newswatch/documents/example.xml',NULL,'removed','active',1795538540161,NULL,0,'https://news.example/feed','file:///srv/newswatch/documents/example.xml',X'66333938343366303338323763353064336138356439643234323131646131323631336165386533356637343831636533373364643539663936376163643230',NULL,X'F39843F03827C50D3A85D9D24211DA12613AE8E35F7481CE373DD59F967ACD20',1795538540161,1795538540161,3,X'F02B070000000000FA2B070000000000010000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000',3,0,1700000000000,'certificate',1700000000000,1700000000000,'https://news.example/feed.xml',1700000000000,2,'last-modified',1700000000000,1700000000000,1700000000000,3600,1700000000000,'{"found":{"gap":"2026-11-24T16:42:20Z"}}',3600,7,96,2,1,X'000102030405060708090A0B0C0D0E0F',1700000000000);
CREATE TABLE health (
  day    INTEGER PRIMARY KEY,
  readable  REAL NOT NULL,
  looks  INTEGER NOT NULL
) STRICT;
INSERT INTO "health" VALUES(20781,48.0,24);
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
  alert         TEXT, story TEXT, joined TEXT, outlet TEXT, origin TEXT, revised_at INTEGER,
  UNIQUE (feed, item_key, rule)
) STRICT;
INSERT INTO "hits" VALUES(1,'01a20e6f-d67f-7b0e-8323-16384fe516c2','talks','blake3:33d55fa575ac','high','example',X'4B2BF800858E802E546CEE42D591C056','1','Wang Yi meets Lavrov','https://news.example/1',1,1795538540161,'[{"field":"title","start":0,"end":7,"text":"Wang Yi","term":"\"Wang Yi\""},{"field":"title","start":14,"end":20,"text":"Lavrov","term":"Lavrov"}]','first-hit','01a20e6f-d67f-7b6e-a318-fc96a87091d4','story-01a20e6f-d67f-7b6e-a318-fc96a87091d4','{"how":"opened"}','example','example',NULL);
INSERT INTO "hits" VALUES(2,'01a20e6f-d67f-76de-9e37-be7f7eead3e7','talks','blake3:33d55fa575ac','high','example',X'5A08E6871653948F74A98E5B4A3385F4','2','Lavrov rings Wang Yi','https://news.example/2',1,1795538540161,'[{"field":"title","start":0,"end":6,"text":"Lavrov","term":"Lavrov"},{"field":"title","start":13,"end":20,"text":"Wang Yi","term":"\"Wang Yi\""}]','first-hit','01a20e6f-d67f-7abd-bb64-c0295636096a','story-01a20e6f-d67f-7b6e-a318-fc96a87091d4','{"how":"opened"}','example','example',NULL);
CREATE TABLE hosts (
  host        TEXT PRIMARY KEY,
  not_before  INTEGER NOT NULL
, gap_ms INTEGER, answers INTEGER NOT NULL DEFAULT 0, refusals INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
INSERT INTO "hosts" VALUES('news.example:443',1795542140161,8000,3,0);
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
  pruned        INTEGER NOT NULL DEFAULT 0, keys INTEGER NOT NULL DEFAULT 0, outage INTEGER NOT NULL DEFAULT 0,
  UNIQUE (feed, key)
) STRICT;
INSERT INTO "items" VALUES(1,1,X'4B2BF800858E802E546CEE42D591C056','1','Wang Yi meets Lavrov','','','https://news.example/1','en','[]','[]',NULL,NULL,NULL,NULL,X'46F3898E5F05E10A4D48D6CC932B60EF',1795538540161,1,1,0,0,1,1);
INSERT INTO "items" VALUES(2,1,X'5A08E6871653948F74A98E5B4A3385F4','2','Lavrov rings Wang Yi','','','https://news.example/2','en','[]','[]',NULL,NULL,NULL,NULL,X'D992AFF03B7F3452997C80CE8F03A326',1795538540161,1,1,0,0,0,0);
INSERT INTO "items" VALUES(3,1,X'EDE042F5E069F1EB397F2202B888AD5A','3','Rain in Oslo','','','https://news.example/3','en','[]','[]',NULL,NULL,NULL,NULL,X'923C476BD9AC8B9DA717199F1353E3D2',1795538540161,1,1,0,0,0,0);
CREATE TABLE polls (
  feed   INTEGER PRIMARY KEY REFERENCES feeds (id),
  polls  BLOB NOT NULL
) STRICT;
INSERT INTO "polls" VALUES(1,X'81D66F0EA2010000CCC57D0EA20100000C0000001402000003000300C8000002');
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
INSERT INTO "reports" VALUES(1,'talks','example/4b2bf800858e802e546cee42d591c056','story-01a20e6f-d67f-7b6e-a318-fc96a87091d4',1795538540159,0,'{"item":"example/4b2bf800858e802e546cee42d591c056","severity":"high","entities":[],"outlet":"example","origin":{"id":"example","alignment":null},"lang":"en","reading":{"terms":[["lavrov",2]],"text":{"shingles":[1,2],"headline":["lavrov"],"agency":null,"link":"news.example/1"},"named":null,"commentary":false},"cues":[]}',NULL);
CREATE TABLE revisions (
  item      INTEGER NOT NULL REFERENCES items (id) ON DELETE CASCADE,
  revision  INTEGER NOT NULL,
  until     INTEGER NOT NULL,
  title     TEXT NOT NULL,
  summary   TEXT NOT NULL,
  content   TEXT NOT NULL,
  PRIMARY KEY (item, revision)
) STRICT, WITHOUT ROWID;
CREATE TABLE rules (
  id     TEXT PRIMARY KEY,
  added  INTEGER NOT NULL,
  below  INTEGER
) STRICT, WITHOUT ROWID;
INSERT INTO "rules" VALUES('rain',1795538540161,3);
INSERT INTO "rules" VALUES('talks',1795538540161,NULL);
CREATE TABLE schedule (
  feed          INTEGER PRIMARY KEY REFERENCES feeds (id),
  last_request  INTEGER,
  last_ok       INTEGER,
  next_due      INTEGER NOT NULL,
  interval_s    INTEGER
) STRICT;
INSERT INTO "schedule" VALUES(1,1795538540158,1795538540161,1795539453388,900);
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
INSERT INTO "silences" VALUES(1,'{"rule":["talks"],"tag":[],"feed":[],"entity":[],"severity":["high"]}','anna','watched live',1795538540000,1795552940000,1795540000000,'ben',1795540000000);
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
INSERT INTO "stories" VALUES(1,'story-01a20e6f-d67f-7b6e-a318-fc96a87091d4','talks','high',1795538540159,1795538540159,'{"id":"story-01a20e6f-d67f-7b6e-a318-fc96a87091d4","thread":"thread-01a20e6f-d67f-7b6e-a318-fc96a87091d4","previous":null,"first_seen":"2026-11-24T16:42:20.159Z","last_seen":"2026-11-24T16:42:20.159Z","severity":"high","items":2,"outlets":["example"],"origins":[{"id":"example","alignment":null,"since":"2026-11-24T16:42:20.159Z"}],"lineages":["example/4b2bf800858e802e546cee42d591c056"],"entities":[],"languages":["en"],"cues":[],"quotes":[],"corroborated_at":null,"denied_at":null,"confirmed_at":null,"told":{"At":{"at":"2026-11-24T16:42:20.159Z","severity":"high","origins":1}}}');
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
INSERT INTO "story_edits" VALUES(1,1795538550000,'anna','merge','story-1','story-01a20e6f-d67f-7b6e-a318-fc96a87091d4','["example/5a08e6871653948f74a98e5b4a3385f4"]','one event');
CREATE TABLE watches (
  rule         TEXT PRIMARY KEY,
  state        TEXT NOT NULL DEFAULT '{}',
  bulletin_at  INTEGER,
  surge        TEXT NOT NULL DEFAULT '{}'
) STRICT, WITHOUT ROWID;
INSERT INTO "watches" VALUES('talks','{"last_hit":"2026-11-24T16:42:20.159Z"}',1795546640159,'{}');
CREATE INDEX items_by_time ON items (first_seen) WHERE pruned = 0;
CREATE INDEX hits_by_time ON hits (matched_at);
CREATE INDEX hits_by_rule ON hits (rule, matched_at);
CREATE INDEX alerts_by_time ON alerts (created);
CREATE INDEX deliveries_due ON deliveries (receiver, next_attempt) WHERE state = 'due';
CREATE INDEX deliveries_dead ON deliveries (alert) WHERE state = 'dead';
CREATE INDEX silences_open ON silences (until) WHERE summed_at IS NULL;
CREATE INDEX alerts_silenced ON alerts (silence) WHERE silence IS NOT NULL;
CREATE INDEX alerts_held ON alerts (seq) WHERE told_in = 0;
CREATE INDEX acks_open ON acks (story) WHERE ended_at IS NULL;
CREATE INDEX deliveries_by_state ON deliveries (state);
CREATE INDEX deliveries_ended ON deliveries (receiver, finished_at) WHERE state != 'due';
CREATE INDEX items_by_feed ON items (feed);
CREATE INDEX stories_by_rule ON stories (rule, last_seen);
CREATE INDEX stories_by_time ON stories (last_seen);
CREATE INDEX watches_bulletin ON watches (bulletin_at) WHERE bulletin_at IS NOT NULL;
CREATE INDEX reports_by_rule ON reports (rule, at);
CREATE INDEX reports_by_item ON reports (item, rule);
CREATE INDEX reports_by_time ON reports (at);
CREATE INDEX hits_by_story ON hits (story) WHERE story IS NOT NULL;
CREATE INDEX deliveries_story ON deliveries (receiver, story, alert) WHERE state = 'due';
CREATE INDEX deliveries_by_age ON deliveries (receiver, alert, next_attempt)
  WHERE state = 'due' AND digest IS NULL;
CREATE INDEX deliveries_together ON deliveries (receiver, digest, next_attempt, attempts)
  WHERE state = 'due' AND digest IS NOT NULL;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('alerts',2);
INSERT INTO "sqlite_sequence" VALUES('deliveries',2);
INSERT INTO "sqlite_sequence" VALUES('hits',2);
INSERT INTO "sqlite_sequence" VALUES('silences',1);
INSERT INTO "sqlite_sequence" VALUES('stories',1);
INSERT INTO "sqlite_sequence" VALUES('story_edits',1);
COMMIT;
PRAGMA user_version = 21;
