//! `kill -9` at random moments while feeds are polled and servers misbehave, and what the database
//! says each time and at the end.
//!
//! ```text
//! cargo bench --bench kill_trial -- [--kills N] [--feeds N] [--seed N]
//! ```
//!
//! Feeds publish at every second request. Answers break off in the middle, fail, come late or are no
//! feed; the webhook fails too. Every item hits a rule that tells each hit and one that tells stories;
//! between two runs time passes for what is stored, so that bulletins fall due. After each kill:
//! `PRAGMA integrity_check`, and whether a feed's stored validators name a version of which an item is
//! not stored. After the last one the servers are well and every feed is polled until nothing is left
//! to deliver: then every item that was served is stored once and is a hit of either rule with a
//! reason, every hit that was told has its alert, every alert a delivery to each receiver, and the
//! stories are what a desk makes of the same reports that nobody ever killed. Ends with an error when
//! something is not so.

#![expect(clippy::print_stdout, reason = "a trial prints what it found")]
#![expect(clippy::unwrap_used, reason = "a trial that cannot go on panics")]
#![expect(dead_code, reason = "what is shared has more than is needed here")]

#[path = "loopback/mod.rs"]
mod loopback;
#[path = "../tests/it/retold.rs"]
mod retold;

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{bail, ensure};
use jiff::SignedDuration;
use rusqlite::Connection;

use self::loopback::chance::Chance;
use self::loopback::server::{self, Reply, Request};

const RULE: &str = "[[rule]]\nid = \"talks\"\ntitle = \"Talks\"\nquery = '\"Wang Yi\" AND Lavrov'\nstory = \"off\"\n";
const HOOK: &str = "/hook";

/// The servers.
struct World {
    /// How many items each feed shows.
    feeds: Vec<AtomicU32>,
    faults: AtomicBool,
    requests: AtomicU64,
    broken: AtomicU64,
    chance: Mutex<Chance>,
    /// What the webhook was asked, and whether it took it.
    told: Mutex<Vec<(String, bool)>>,
}

impl World {
    fn part(&self) -> f64 {
        self.chance.lock().expect("nobody panics with it").part()
    }

    async fn answer(&self, request: Request) -> Reply {
        let luck = if self.faults.load(Relaxed) { self.part() } else { 1.0 };
        if request.path == HOOK {
            return self.hook(&request, luck).await;
        }
        let feed: Option<usize> = request.path.trim_start_matches('/').parse().ok();
        let Some((feed, shown)) = feed.and_then(|feed| Some((feed, self.feeds.get(feed)?))) else {
            return Reply::status("404 Not Found");
        };
        self.requests.fetch_add(1, Relaxed);
        if self.faults.load(Relaxed) && self.part() < 0.5 {
            shown.fetch_add(1, Relaxed);
        }
        let version = shown.load(Relaxed);
        let etag = format!("\"{feed}-{version}\"");
        let headers = format!("etag: {etag}\r\ncontent-type: application/rss+xml\r\n");
        self.broken.fetch_add(u64::from(luck < 0.25), Relaxed);
        match luck {
            ..0.05 => return Reply::status("500 Internal Server Error"),
            0.05..0.08 => {
                let body = b"<html><title>Just a moment</title></html>".as_slice().into();
                return Reply { body, ..Reply::status("200 OK") };
            }
            0.25..0.35 => tokio::time::sleep(Duration::from_millis(200)).await,
            _ => {}
        }
        if request.header("if-none-match") == Some(&etag) {
            return Reply { headers, ..Reply::status("304 Not Modified") };
        }
        let body: Arc<[u8]> = document(feed, version).into_bytes().into();
        let cut = match luck {
            0.08..0.12 => Some(0),
            0.12..0.25 => Some((body.len() as f64 * self.part()) as usize),
            _ => None,
        };
        Reply { status: "200 OK", headers, body, cut }
    }

    async fn hook(&self, request: &Request, luck: f64) -> Reply {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let taken = luck >= 0.1;
        self.told.lock().expect("nobody panics with it").push((body, taken));
        if !taken {
            return Reply::status("500 Internal Server Error");
        }
        if luck < 0.2 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Reply::status("200 OK")
    }
}

/// The items of a feed that shows so many. Each two of the same number in some feeds that follow
/// each other report one event, but for each fifth.
fn document(feed: usize, items: u32) -> String {
    let items: String = (1..=items)
        .rev()
        .map(|item| {
            let (feed, number) = (feed as u64, u64::from(item));
            let event = match number % 5 {
                0 => 500 + (feed * 61 + number) % 500,
                _ => (feed / 4 * 53 + number / 2) % 500,
            };
            let headline = retold::headline(event, feed + number);
            format!(
                "<item><guid isPermaLink=\"false\">{item}</guid><title>{headline}</title>\
                 <link>https://news.example/{feed}/{item}</link>\
                 <description>Lavrov rings Wang Yi</description></item>\n"
            )
        })
        .collect();
    format!("<rss version=\"2.0\"><channel><title>Example</title>{items}</channel></rss>")
}

fn start(folder: &Path, once: bool) -> std::io::Result<Child> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_newswatch"));
    command.arg("--config").arg(folder).arg("run").args(once.then_some("--once"));
    command.env_remove("STATE_DIRECTORY").env_remove("LOGS_DIRECTORY");
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

fn main() -> anyhow::Result<()> {
    let (mut kills, mut feeds, mut seed) = (200, 40, 1);
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    for pair in arguments.chunks(2) {
        match pair {
            [option, number] if option == "--kills" => kills = number.parse()?,
            [option, number] if option == "--feeds" => feeds = number.parse()?,
            [option, number] if option == "--seed" => seed = number.parse()?,
            other => bail!("unknown option {other:?}"),
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(trial(kills, feeds, seed))
}

/// How long nobody runs between two runs, one of these.
const MINUTES: [i64; 12] = [0, 0, 0, 1, 5, 20, 45, 60, 90, 150, 150, 300];

async fn trial(kills: u32, feeds: usize, seed: u64) -> anyhow::Result<()> {
    let world = Arc::new(World {
        feeds: (0..feeds).map(|_| AtomicU32::new(1)).collect(),
        faults: AtomicBool::new(true),
        requests: AtomicU64::new(0),
        broken: AtomicU64::new(0),
        chance: Mutex::new(Chance::of(&[seed, 1])),
        told: Mutex::default(),
    });
    let answering = world.clone();
    let port = server::start(move |request| {
        let world = answering.clone();
        async move { world.answer(request).await }
    })
    .await?;
    let folder = tempfile::tempdir()?;
    write_config(folder.path(), feeds, port)?;
    let mut chance = Chance::of(&[seed, 2]);
    let mut running = 0;
    let mut rounds = 0;
    while running < kills {
        rounds += 1;
        // A round polls every feed, the daemon only those that have not failed lately.
        let mut child = start(folder.path(), rounds % 2 == 0)?;
        tokio::time::sleep(Duration::from_micros(20_000 + chance.below(480_000))).await;
        running += u32::from(child.try_wait()?.is_none());
        child.kill()?;
        child.wait()?;
        check_database(&folder.path().join("newswatch.db"))?;
        time_passes(folder.path(), MINUTES[chance.below(MINUTES.len() as u64) as usize])?;
    }
    world.faults.store(false, Relaxed);
    for round in 0..20 {
        time_passes(folder.path(), 180)?;
        let status = start(folder.path(), true)?.wait()?;
        ensure!(status.success(), "the last rounds failed: {status}");
        let connection = Connection::open(folder.path().join("newswatch.db"))?;
        let due = "SELECT count(*) FROM deliveries WHERE state = 'due'";
        if round >= 2 && count(&connection, due)? == 0 {
            break;
        }
    }
    check_database(&folder.path().join("newswatch.db"))?;
    println!("{running} kills of a program that ran, in {rounds} rounds");
    println!(
        "{} requests, {} of them answered badly",
        world.requests.load(Relaxed),
        world.broken.load(Relaxed)
    );
    check_end(&folder.path().join("newswatch.db"), &world)
}

/// So many minutes pass while nobody runs.
fn time_passes(folder: &Path, minutes: i64) -> anyhow::Result<()> {
    let path = folder.join("newswatch.db");
    if !path.exists() {
        return Ok(());
    }
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    let there = "SELECT count(*) FROM sqlite_schema WHERE name = 'failing_receivers'";
    if count(&connection, there)? > 0 {
        retold::time_passes(&connection, SignedDuration::from_mins(minutes));
    }
    Ok(())
}

fn write_config(folder: &Path, feeds: usize, port: u16) -> anyhow::Result<()> {
    let tables: String = (0..feeds)
        .map(|feed| {
            let host = Ipv4Addr::new(127, 1, (feed / 250) as u8, (feed % 250 + 1) as u8);
            format!(
                "[[feed]]\nname = \"{feed}\"\nurl = \"http://{host}:{port}/{feed}\"\n\
                 owner = \"{feed}\"\nallow_private = true\n"
            )
        })
        .collect();
    let main = format!(
        "[poll]\nfirst_run = \"alert\"\nhost_gap = \"0s\"\ninterval = \"1s\"\n[[receiver]]\n\
         name = \"log\"\ntype = \"jsonl\"\npath = \"alerts.jsonl\"\n[[receiver]]\nname = \"hook\"\n\
         type = \"webhook\"\nurl = \"http://127.0.0.1:{port}{HOOK}\"\nallow_private = true\n\
         max_per_minute = 60000\n"
    );
    std::fs::create_dir(folder.join("feeds"))?;
    std::fs::create_dir(folder.join("rules"))?;
    std::fs::write(folder.join("newswatch.toml"), main)?;
    std::fs::write(folder.join("feeds/all.toml"), tables)?;
    std::fs::write(folder.join("rules/all.toml"), [RULE, retold::RULE].concat())?;
    Ok(())
}

fn count(connection: &Connection, query: &str) -> anyhow::Result<i64> {
    Ok(connection.query_row(query, [], |row| row.get(0))?)
}

/// What must hold whenever the program ends.
fn check_database(path: &Path) -> anyhow::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    if count(&connection, "SELECT count(*) FROM sqlite_schema WHERE name = 'items'")? == 0 {
        return Ok(());
    }
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    ensure!(verdict == "ok", "integrity_check: {verdict}");
    let mut statement = connection.prepare(
        "SELECT name, etag, (SELECT count(*) FROM items WHERE feed = feeds.id) FROM feeds
         WHERE etag IS NOT NULL",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (name, etag, stored): (String, Vec<u8>, u32) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let etag = String::from_utf8(etag)?;
        let version =
            etag.trim_matches('"').rsplit('-').next().unwrap_or_default().parse::<u32>()?;
        ensure!(stored >= version, "feed {name}: {etag} is stored, but {stored} items only");
    }
    Ok(())
}

/// What must hold when all is over.
fn check_end(path: &Path, world: &World) -> anyhow::Result<()> {
    let connection = Connection::open(path)?;
    let mut served = 0;
    for (feed, shown) in world.feeds.iter().enumerate() {
        let shown = shown.load(Relaxed);
        served += shown;
        let (stored, distinct): (u32, u32) = connection.query_row(
            "SELECT count(*), count(DISTINCT given_id) FROM items
             WHERE feed = (SELECT id FROM feeds WHERE name = ?1)",
            [feed.to_string()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        ensure!(
            stored == shown && distinct == shown,
            "feed {feed}: {shown} items served, {stored} stored, {distinct} of them distinct"
        );
    }
    let hits = count(&connection, "SELECT count(*) FROM hits WHERE reason <> ''")?;
    let told_hits = count(&connection, "SELECT count(*) FROM hits WHERE alert IS NOT NULL")?;
    let first = count(&connection, "SELECT count(*) FROM hits WHERE reason = 'first-hit'")?;
    let alerts = count(&connection, "SELECT count(*) FROM alerts")?;
    ensure!(hits == 2 * i64::from(served), "{served} items, but {hits} hits with a reason");
    ensure!(first == i64::from(served), "{served} items, but {first} told one by one");
    for (what, query) in [
        (
            "hits told without an alert",
            "SELECT count(*) FROM hits WHERE alert IS NOT NULL
           AND alert NOT IN (SELECT id FROM alerts)",
        ),
        (
            "first hits not told",
            "SELECT count(*) FROM hits WHERE reason = 'first-hit'
           AND alert IS NULL",
        ),
        (
            "alerts without a delivery to each receiver",
            "SELECT count(*) FROM alerts
           WHERE (SELECT count(*) FROM deliveries WHERE alert = alerts.seq) <> 2",
        ),
        ("deliveries given up", "SELECT count(*) FROM deliveries WHERE state = 'dead'"),
    ] {
        let found = count(&connection, query)?;
        ensure!(found == 0, "{what}: {found}");
    }
    let told = world.told.lock().expect("nobody panics with it");
    let requests = told.iter().map(|(body, taken)| (&**body, *taken));
    let received = retold::check_received(&connection, "hook", requests);
    let wrong = [received.changed, received.overtook, received.missing];
    ensure!(
        wrong == [0; 3],
        "alerts in other words, before an earlier one, and not at all: {wrong:?}"
    );
    let stories = retold::check_stories(&connection);
    println!(
        "{served} items served and stored once; {hits} hits, {first} of them told one by one, \
         {told_hits} told; {alerts} alerts, {} taken by the webhook in {} requests, {} of them again, \
         {} of several alerts",
        received.taken.len(),
        told.len(),
        received.again,
        received.together
    );
    println!("{stories:#?}");
    println!("integrity ok and validators not ahead of items after every kill");
    Ok(())
}
