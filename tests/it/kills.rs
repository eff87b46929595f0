//! `kill -9` at any moment, while a webhook answers as it likes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use newswatch::store::{DeliveryRow, ItemFilter, Reader};
use serde_json::Value;

use super::server::{Answer, Server};

const HOOK: &str = "/hook";
const FEED: &str = "/feed";

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
    /// The alerts that are stored.
    pub(crate) stored: BTreeSet<String>,
    /// The alerts that the webhook has taken.
    pub(crate) taken: BTreeSet<String>,
    /// Requests of the webhook, whatever it answered.
    pub(crate) requests: usize,
    /// Requests that it took, of alerts that it had taken before.
    pub(crate) again: usize,
    /// Alerts that came in different words at another time.
    pub(crate) changed: usize,
    /// Alerts that came before an earlier one of their story was taken.
    pub(crate) overtook: usize,
    /// Deliveries that were given up, and those of them that say why.
    pub(crate) dead: (usize, usize),
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

/// Three rules find every item, so that its story has three alerts.
fn configure(folder: &Path, server: &Server) {
    let rules: String = ["a", "b", "c"]
        .map(|id| {
            format!(
                "[[rule]]\nid = \"{id}\"\ntitle = \"{id}\"\nquery = 'Lavrov'\nstory = \"off\"\n"
            )
        })
        .concat();
    let files = [
        (
            "newswatch.toml",
            format!(
                "[poll]\nfirst_run = \"alert\"\nhost_gap = \"0s\"\ninterval = \"1s\"\n[[receiver]]\n\
                 name = \"hook\"\ntype = \"webhook\"\nurl = \"{}\"\nallow_private = true\n\
                 timeout = \"300ms\"\nmax_per_minute = 60000\n",
                server.url(HOOK)
            ),
        ),
        (
            "feeds/example.toml",
            format!(
                "[[feed]]\nname = \"example\"\nurl = \"{}\"\nallow_private = true\n",
                server.url(FEED)
            ),
        ),
        ("rules/test.toml", rules),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// The last items of a feed that gets one with each round.
fn document(items: usize) -> String {
    let items: String = (items.saturating_sub(200).max(1)..=items)
        .rev()
        .map(|number| {
            format!(
                "<item><guid isPermaLink=\"false\">{number}</guid>\
                 <title>Lavrov rings, call {number}</title></item>"
            )
        })
        .collect();
    format!("<rss version=\"2.0\"><channel><title>Example</title>{items}</channel></rss>")
}

fn deliveries(folder: &Path) -> Vec<DeliveryRow> {
    let mut rows = Vec::new();
    let each = |row| {
        rows.push(row);
        Ok(())
    };
    let reader = Reader::open(&folder.join("newswatch.db")).unwrap();
    reader.deliveries(false, &ItemFilter::default(), each).unwrap();
    rows
}

/// What waits to be tried again is due, as if hours had passed.
fn hours_pass(folder: &Path) {
    let path = folder.join("newswatch.db");
    let Ok(database) = rusqlite::Connection::open(path) else { return };
    database.busy_timeout(Duration::from_secs(5)).unwrap();
    let update =
        "UPDATE deliveries SET next_attempt = 0, attempts = min(attempts, 5) WHERE state = 'due'";
    // The first kill may have come before there was a table.
    let _ = database.execute(update, []);
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
    for round in 1..=kills {
        let feed = Answer::Feed { document: document(round), version: round as u32 };
        server.set(FEED, feed);
        server.set(HOOK, answer(&mut numbers));
        for _ in 0..numbers.below(3) {
            server.once(HOOK, answer(&mut numbers));
        }
        hours_pass(folder.path());
        let before = (server.requests(FEED).len(), server.requests(HOOK).len());
        let mut daemon = start(folder.path(), &["run"]);
        server.asked(FEED, before.0 + 1).await;
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
        hours_pass(folder.path());
        assert!(start(folder.path(), &["run", "--once"]).wait().unwrap().success());
    }
    shown(&server, &deliveries(folder.path()))
}

fn shown(server: &Server, deliveries: &[DeliveryRow]) -> Shown {
    let requests = server.requests(HOOK);
    let (mut taken, mut bodies) = (BTreeSet::new(), BTreeMap::new());
    let mut stories: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let (mut again, mut changed, mut overtook) = (0, 0, 0);
    for request in &requests {
        let record: Value = serde_json::from_str(&request.body).unwrap();
        let text = |key: &str| record[key].as_str().unwrap().to_owned();
        let (id, sequence, story) = (text("id"), text("sequence"), text("correlationid"));
        assert_eq!(request.header("webhook-id"), Some(id.as_str()));
        changed += usize::from(bodies.entry(id.clone()).or_insert(&request.body) != &&request.body);
        let waits = stories.entry(story).or_default();
        overtook += usize::from(waits.iter().any(|earlier| *earlier < sequence));
        if request.taken {
            waits.remove(&sequence);
            again += usize::from(!taken.insert(id));
        } else if !taken.contains(&id) {
            waits.insert(sequence);
        }
    }
    let dead = || deliveries.iter().filter(|row| row.state == "dead");
    Shown {
        stored: deliveries.iter().map(|row| row.alert.clone()).collect(),
        taken,
        requests: requests.len(),
        again,
        changed,
        overtook,
        dead: (dead().count(), dead().filter(|row| row.last_error.is_some()).count()),
    }
}
