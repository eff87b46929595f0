//! `kill -9` at any moment, while a webhook answers as it likes.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jiff::SignedDuration;
use rusqlite::Connection;

use super::retold::{self, Received, Stories};
use super::server::{Answer, Server};

const HOOK: &str = "/hook";
/// The feed whose items are told one by one.
const EXAMPLE: &str = "example";
/// The feeds whose items make stories.
const OUTLETS: [&str; 4] = ["ant", "bee", "cat", "dog"];

/// A sequence of numbers that look random and are the same each time (SplitMix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    /// The next, below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// What a trial has shown.
#[derive(Debug)]
pub(crate) struct Shown {
    /// Requests of the webhook, whatever it answered.
    pub(crate) requests: usize,
    /// Alerts of the rules that tell each hit.
    pub(crate) hits: u32,
    /// What was received, beside what is stored.
    pub(crate) received: Received,
    /// What the stories came to.
    pub(crate) stories: Stories,
}

/// The answers that a webhook gives when it is not well.
fn answer(numbers: &mut Numbers) -> Answer {
    match numbers.below(6) {
        0 => Answer::status("500 Internal Server Error", "", "no"),
        1 => Answer::status("429 Too Many Requests", "retry-after: 1\r\n", ""),
        2 => Answer::Silence,
        3 => Answer::Raw(Vec::new()),
        _ => Answer::status("200 OK", "", ""),
    }
}

/// The program with that configuration, to be killed.
pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_newswatch"))
        .arg("--config")
        .arg(folder)
        .args(arguments)
        .env_remove("STATE_DIRECTORY")
        .env_remove("LOGS_DIRECTORY")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Three rules find every item of one feed, so that its story has three alerts; one tells the stories
/// of the other feeds.
fn configure(folder: &Path, server: &Server) {
    let each = ["a", "b", "c"].map(|id| {
        format!("[[rule]]\nid = \"{id}\"\ntitle = \"{id}\"\nquery = 'Lavrov'\nstory = \"off\"\n")
    });
    let feeds = std::iter::once(EXAMPLE).chain(OUTLETS).map(|name| {
        let url = server.url(&path(name));
        format!(
            "[[feed]]\nname = \"{name}\"\nurl = \"{url}\"\nowner = \"{name}\"\n\
             allow_private = true\n"
        )
    });
    let files = [
        (
            "newswatch.toml",
            format!(
                "[operator]\nreceivers = [\"log\"]\n[poll]\nfirst_run = \"alert\"\nhost_gap = \"0s\"\n\
                 interval = \"1s\"\n[[receiver]]\nname = \"log\"\ntype = \"jsonl\"\n\
                 path = \"alerts.jsonl\"\n[[receiver]]\n\
                 name = \"hook\"\ntype = \"webhook\"\nurl = \"{}\"\nallow_private = true\n\
                 timeout = \"300ms\"\nmax_per_minute = 60000\n",
                server.url(HOOK)
            ),
        ),
        ("feeds/all.toml", feeds.collect()),
        ("rules/all.toml", each.concat() + retold::RULE),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

fn path(feed: &str) -> String {
    format!("/{feed}")
}

/// The last items of a feed, of all that it has had.
fn document(titles: &[String]) -> String {
    let items: String = titles
        .iter()
        .enumerate()
        .skip(titles.len().saturating_sub(200))
        .rev()
        .map(|(number, title)| {
            format!(
                "<item><guid isPermaLink=\"false\">{number}</guid><title>{title}</title></item>"
            )
        })
        .collect();
    format!("<rss version=\"2.0\"><channel><title>Example</title>{items}</channel></rss>")
}

/// The feeds and what they have published.
#[derive(Default)]
struct News {
    titles: BTreeMap<&'static str, Vec<String>>,
    events: u64,
}

impl News {
    /// Publishes an item of the example, and up to three reports on events of late.
    fn publish(&mut self, server: &Server, numbers: &mut Numbers) {
        let number = self.titles.entry(EXAMPLE).or_default().len() + 1;
        self.show(server, EXAMPLE, format!("Lavrov rings, call {number}"));
        for _ in 0..=numbers.below(3) {
            self.events += numbers.below(2);
            let event = self.events.saturating_sub(numbers.below(3));
            let outlet = OUTLETS[numbers.below(OUTLETS.len() as u64) as usize];
            self.show(server, outlet, retold::headline(event, numbers.below(7)));
        }
    }

    fn show(&mut self, server: &Server, feed: &'static str, title: String) {
        let titles = self.titles.entry(feed).or_default();
        titles.push(title);
        let feed_now = Answer::Feed { document: document(titles), version: titles.len() as u32 };
        server.set(&path(feed), feed_now);
    }
}

fn database(folder: &Path) -> Connection {
    let database = Connection::open(folder.join("newswatch.db")).unwrap();
    database.busy_timeout(Duration::from_secs(5)).unwrap();
    database
}

/// Time passes while the daemon is down, now and then a day; what waits because an attempt failed is
/// due.
fn time_passes(folder: &Path, numbers: &mut Numbers) {
    const MINUTES: [i64; 12] = [0, 0, 0, 1, 5, 20, 45, 90, 150, 150, 300, 1500];
    // The first kill may have come before there was a database.
    if !folder.join("newswatch.db").exists() {
        return;
    }
    let database = database(folder);
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'failing_receivers'";
    if database.query_row(tables, [], |row| row.get::<_, i64>(0)).unwrap() == 0 {
        return;
    }
    let minutes = MINUTES[numbers.below(MINUTES.len() as u64) as usize];
    retold::time_passes(&database, SignedDuration::from_mins(minutes));
    let due = "UPDATE deliveries SET next_attempt = 0 WHERE state = 'due' AND attempts > 0";
    database.execute(due, []).unwrap();
    let verdict: String =
        database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

/// Starts the daemon and kills it so many times, after some requests and then `after` more of time.
pub(crate) async fn trial(
    kills: usize,
    seed: u64,
    after: impl Fn(&mut Numbers) -> Option<Duration>,
) -> Shown {
    let mut numbers = Numbers(seed);
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start().await;
    configure(folder.path(), &server);
    let mut news = News::default();
    for outlet in OUTLETS {
        server.set(&path(outlet), Answer::Feed { document: document(&[]), version: 0 });
    }
    for _ in 0..kills {
        news.publish(&server, &mut numbers);
        server.set(HOOK, answer(&mut numbers));
        for _ in 0..numbers.below(3) {
            server.once(HOOK, answer(&mut numbers));
        }
        time_passes(folder.path(), &mut numbers);
        let before = (server.requests(&path(EXAMPLE)).len(), server.requests(HOOK).len());
        let mut daemon = start(folder.path(), &["run"]);
        server.asked(&path(EXAMPLE), before.0 + 1).await;
        match after(&mut numbers) {
            Some(time) => tokio::time::sleep(time).await,
            None => server.asked(HOOK, before.1 + 1).await,
        }
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }
    server.forget(HOOK);
    server.set(HOOK, Answer::status("200 OK", "", ""));
    for _ in 0..3 {
        retold::time_passes(&database(folder.path()), SignedDuration::from_hours(3));
        assert!(start(folder.path(), &["run", "--once"]).wait().unwrap().success());
    }
    let database = database(folder.path());
    let requests = server.requests(HOOK);
    for request in &requests {
        // A message of several alerts has an id of its own.
        let record: serde_json::Value = serde_json::from_str(&request.body).unwrap();
        let id = record["id"].as_str();
        assert!(id.is_none_or(|id| request.header("webhook-id") == Some(id)));
    }
    let bodies = requests.iter().map(|request| (&*request.body, request.taken));
    let each = "SELECT count(*) FROM alerts WHERE rule IN ('a', 'b', 'c')";
    Shown {
        requests: requests.len(),
        hits: database.query_row(each, [], |row| row.get(0)).unwrap(),
        received: retold::check_received(&database, "hook", bodies),
        stories: retold::check_stories(&database),
    }
}
