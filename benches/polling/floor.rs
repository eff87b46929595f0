//! The floor: the least that a poller of feeds can do with the same libraries. It asks for a list
//! of feeds once, conditionally, sixteen at a time, reads what changed with feed-rs, and stores the
//! items that are new. No charset, repair, identity, rules, alerts, schedule, politeness or limits.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use reqwest::StatusCode;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, ETAG, IF_NONE_MATCH};
use rusqlite::{Connection, params};
use tokio::sync::Semaphore;

/// Polls at once.
const CONCURRENCY: usize = 16;
/// Feeds in a transaction, at most.
const MOST_PER_TRANSACTION: usize = 64;

/// What is remembered of a feed.
#[derive(Debug, Default, Clone)]
struct State {
    etag: Option<String>,
    body: Option<[u8; 32]>,
}

/// What a poll brought.
struct Polled {
    url: String,
    state: State,
    items: Vec<Entry>,
}

struct Entry {
    key: String,
    title: String,
    summary: String,
    content: String,
    link: String,
    published: Option<i64>,
}

/// Polls every feed of `urls` once and returns how many items were new.
pub(crate) fn run(urls: &Path, database: &Path) -> anyhow::Result<usize> {
    let urls: Vec<String> = std::fs::read_to_string(urls)?.lines().map(str::to_owned).collect();
    let mut connection = open(database)?;
    let states = states(&connection)?;
    let (sender, receiver) = std::sync::mpsc::channel::<Polled>();
    let writer = std::thread::spawn(move || write(&mut connection, &receiver));
    // An error means that another part of the process has chosen a provider, which will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(1).build()?;
        let places = Arc::new(Semaphore::new(CONCURRENCY));
        let mut polls = tokio::task::JoinSet::new();
        for url in urls {
            let place = places.clone().acquire_owned().await?;
            let (client, sender) = (client.clone(), sender.clone());
            let state = states.get(&url).cloned().unwrap_or_default();
            polls.spawn(async move {
                let polled = poll(&client, url, state).await;
                drop(place);
                if let Ok(Some(polled)) = polled {
                    // The writer ends only when all senders are gone.
                    let _ = sender.send(polled);
                }
            });
            while polls.try_join_next().is_some() {}
        }
        polls.join_all().await;
        drop(sender);
        anyhow::Ok(())
    })?;
    writer.join().expect("the writer does not panic")
}

async fn poll(
    client: &reqwest::Client,
    url: String,
    mut state: State,
) -> anyhow::Result<Option<Polled>> {
    let mut request = client.get(&url).header(ACCEPT_ENCODING, "gzip");
    if let Some(etag) = &state.etag {
        request = request.header(IF_NONE_MATCH, etag);
    }
    let response = request.send().await?.error_for_status()?;
    if response.status() == StatusCode::NOT_MODIFIED {
        return Ok(None);
    }
    let etag = response.headers().get(ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
    let packed = response.headers().contains_key(CONTENT_ENCODING);
    let mut body = response.bytes().await?.to_vec();
    if packed {
        let mut unpacked = Vec::with_capacity(4 * body.len());
        flate2::read::GzDecoder::new(body.as_slice()).read_to_end(&mut unpacked)?;
        body = unpacked;
    }
    let digest = *blake3::hash(&body).as_bytes();
    let same = state.body == Some(digest);
    state = State { etag, body: Some(digest) };
    let items = if same { Vec::new() } else { entries(&body)? };
    Ok(Some(Polled { url, state, items }))
}

fn entries(body: &[u8]) -> anyhow::Result<Vec<Entry>> {
    let feed = feed_rs::parser::parse(body)?;
    Ok(feed
        .entries
        .into_iter()
        .map(|entry| Entry {
            key: entry.id,
            title: entry.title.map(|title| title.content).unwrap_or_default(),
            summary: entry.summary.map(|summary| summary.content).unwrap_or_default(),
            content: entry.content.and_then(|content| content.body).unwrap_or_default(),
            link: entry.links.into_iter().next().map(|link| link.href).unwrap_or_default(),
            published: entry.published.map(|time| time.timestamp()),
        })
        .collect())
}

fn open(database: &Path) -> anyhow::Result<Connection> {
    let connection = Connection::open(database)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS feeds (
           id INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE, etag TEXT, body BLOB);
         CREATE TABLE IF NOT EXISTS items (
           feed INTEGER NOT NULL, key TEXT NOT NULL, title TEXT, summary TEXT, content TEXT,
           link TEXT, published INTEGER, UNIQUE (feed, key));",
    )?;
    Ok(connection)
}

fn states(connection: &Connection) -> anyhow::Result<HashMap<String, State>> {
    let mut statement = connection.prepare("SELECT url, etag, body FROM feeds")?;
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, State { etag: row.get(1)?, body: row.get(2)? })))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn write(
    connection: &mut Connection,
    queue: &std::sync::mpsc::Receiver<Polled>,
) -> anyhow::Result<usize> {
    let mut new = 0;
    while let Ok(first) = queue.recv() {
        let transaction = connection.transaction()?;
        let more = queue.try_iter().take(MOST_PER_TRANSACTION - 1);
        for polled in std::iter::once(first).chain(more) {
            new += store(&transaction, &polled)?;
        }
        transaction.commit()?;
    }
    Ok(new)
}

fn store(connection: &Connection, polled: &Polled) -> anyhow::Result<usize> {
    let feed: i64 = connection
        .prepare_cached(
            "INSERT INTO feeds (url, etag, body) VALUES (?1, ?2, ?3)
             ON CONFLICT (url) DO UPDATE SET etag = excluded.etag, body = excluded.body
             RETURNING id",
        )?
        .query_row(params![polled.url, polled.state.etag, polled.state.body], |row| row.get(0))?;
    let mut insert = connection.prepare_cached(
        "INSERT OR IGNORE INTO items (feed, key, title, summary, content, link, published)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let mut new = 0;
    for Entry { key, title, summary, content, link, published } in &polled.items {
        new += insert.execute(params![feed, key, title, summary, content, link, published])?;
    }
    Ok(new)
}
