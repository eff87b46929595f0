//! A day of ten thousand feeds in minutes: the whole daemon, on a clock that is moved to the next
//! moment at which it has something to do, and a model of the feeds behind real HTTP on loopback.
//!
//! ```text
//! cargo bench --bench simulated_day -- [--feeds N] [--hours N] [--seed N]
//! ```
//!
//! Rates of publication spread from one item in six weeks to twenty an hour, with days and nights
//! and bursts; some servers give validators, some lifetimes, some neither; many feeds share a host;
//! some servers fail from time to time, cut bodies off, ask to be left alone or are gone. Printed:
//! requests a feed, answers by status, items published, stored, missed (out of the feed's window
//! before a poll saw them), the time from publication to the commit of item and alert, the most
//! requests in flight at a host and the shortest time between two.

#![expect(clippy::print_stdout, reason = "a simulation prints what it found")]

#[path = "loopback/mod.rs"]
mod loopback;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use jiff::{SignedDuration, Timestamp};
use newswatch::clock::{Clock, ManualClock};
use newswatch::config::{self, Directories, Files};
use newswatch::daemon::{self, Control, Idle, Setup};
use newswatch::diagnostic::SourceFile;
use rusqlite::Connection;
use tokio::sync::{mpsc, watch};

use self::loopback::chance::Chance;
use self::loopback::server::{self, Reply, Request};

const START: &str = "2023-09-18T00:00:00Z";
/// The clock moves by whole steps, so that polls due at about the same time run at once.
const STEP: i64 = 1;
/// How long a feed is watched, in seconds, before its rate is believed.
const LEARNING: i64 = 7 * 3600;
/// The share of items that the rule matches.
const ALERTING: f64 = 0.02;
const RULE: &str =
    "[[rule]]\nid = \"watched\"\ntitle = \"Watched\"\nquery = \"Zwentibold\"\nstory = \"off\"\n";

/// One feed of the model.
struct Feed {
    host: usize,
    /// Items an hour, on average.
    rate: f64,
    /// When each item is published, in seconds of the day; before it for those that are there first.
    published: Vec<i64>,
    /// How many items it shows.
    window: usize,
    etag: bool,
    max_age: Option<u32>,
    fault: Fault,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// Every fifth answer fails or breaks off.
    Flaky,
    /// Every tenth answer asks to be left alone for an hour.
    Throttling,
    NotFound,
    Gone,
}

impl Feed {
    fn new(number: u64, hosts: usize, hours: i64, seed: u64) -> Self {
        let mut chance = Chance::of(&[seed, number]);
        let rate = 10_f64.powf(chance.part() * 4.3 - 3.0);
        let window = [10, 15, 20, 30, 50, 100][chance.below(6) as usize];
        let older = 3600 * 48;
        let mut published: Vec<i64> = (1..=window as i64).rev().map(|i| -older - 60 * i).collect();
        let peak = rate * 1.8 / 3600.0;
        let mut time = -older as f64;
        loop {
            time -= (1.0 - chance.part()).ln() / peak;
            if time >= (hours * 3600) as f64 {
                break;
            }
            let of_day = (time / 86_400.0 * std::f64::consts::TAU).sin();
            if chance.happens((1.0 - 0.8 * of_day) / 1.8) {
                published.push(time as i64);
            }
        }
        if chance.happens(0.02) {
            let burst = chance.below(hours as u64 * 3600) as i64;
            published.extend((0..10 + chance.below(30)).map(|_| burst + chance.below(900) as i64));
            published.retain(|time| *time < hours * 3600);
        }
        published.sort_unstable();
        let max_age = chance
            .happens(0.3)
            .then(|| [300, 900, 1800, 3600, 7200, 14_400][chance.below(6) as usize]);
        let fault = match chance.part() {
            ..0.04 => Fault::Flaky,
            0.04..0.045 => Fault::Throttling,
            0.045..0.055 => Fault::NotFound,
            0.055..0.057 => Fault::Gone,
            _ => Fault::None,
        };
        let host = (hosts as f64 * chance.part().powi(2)) as usize;
        Self { host, rate, published, window, etag: chance.happens(0.75), max_age, fault }
    }

    /// How many items are out at a second of the day.
    fn out(&self, second: i64) -> usize {
        self.published.partition_point(|time| *time <= second)
    }
}

#[derive(Default)]
struct Host {
    in_flight: AtomicU32,
    last: Mutex<Option<Timestamp>>,
}

/// All feeds and what was counted.
struct Model {
    seed: u64,
    start: Timestamp,
    clock: ManualClock,
    feeds: Vec<Feed>,
    hosts: Vec<Host>,
    requests: Vec<AtomicU32>,
    statuses: Mutex<HashMap<&'static str, u64>>,
    most_in_flight: AtomicU32,
    shortest_gap_ms: AtomicU64,
}

impl Model {
    fn second(&self) -> i64 {
        self.clock.now().duration_since(self.start).as_secs()
    }

    async fn answer(&self, request: Request) -> Reply {
        let number = request.path.trim_start_matches('/').parse().unwrap_or(usize::MAX);
        let Some(feed) = self.feeds.get(number) else { return Reply::status("404 Not Found") };
        let (host, now) = (&self.hosts[feed.host], self.clock.now());
        let in_flight = host.in_flight.fetch_add(1, Relaxed) + 1;
        self.most_in_flight.fetch_max(in_flight, Relaxed);
        let last = host.last.lock().expect("nobody panics with it").replace(now);
        if let Some(last) = last {
            let gap = now.duration_since(last).as_millis().unsigned_abs() as u64;
            self.shortest_gap_ms.fetch_min(gap, Relaxed);
        }
        let request_number = self.requests[number].fetch_add(1, Relaxed);
        // So that a second request to a host would meet the first.
        tokio::time::sleep(Duration::from_millis(1)).await;
        let reply = self.reply(number, feed, &request, request_number);
        let label = if reply.cut.is_some() { "cut off" } else { reply.status };
        *self.statuses.lock().expect("nobody panics with it").entry(label).or_default() += 1;
        host.in_flight.fetch_sub(1, Relaxed);
        reply
    }

    fn reply(&self, number: usize, feed: &Feed, request: &Request, count: u32) -> Reply {
        let mut chance = Chance::of(&[self.seed, 7, number as u64, u64::from(count)]);
        let mut cut = None;
        match feed.fault {
            Fault::None => {}
            Fault::NotFound => return Reply::status("404 Not Found"),
            Fault::Gone => return Reply::status("410 Gone"),
            Fault::Flaky if chance.happens(0.1) => return Reply::status("502 Bad Gateway"),
            Fault::Flaky => cut = chance.happens(0.1).then(|| chance.below(2_000) as usize),
            Fault::Throttling if chance.happens(0.1) => {
                let headers = "retry-after: 3600\r\n".to_owned();
                return Reply { headers, ..Reply::status("429 Too Many Requests") };
            }
            Fault::Throttling => {}
        }
        let out = feed.out(self.second());
        let mut headers = "content-type: application/rss+xml\r\n".to_owned();
        if let Some(seconds) = feed.max_age {
            write!(headers, "cache-control: max-age={seconds}\r\n").expect("a text takes text");
        }
        if feed.etag {
            let etag = format!("\"{out}\"");
            write!(headers, "etag: {etag}\r\n").expect("a text takes text");
            if request.header("if-none-match") == Some(&etag) {
                return Reply { headers, ..Reply::status("304 Not Modified") };
            }
        }
        let body = self.document(number, feed, out).into_bytes().into();
        Reply { status: "200 OK", headers, body, cut }
    }

    fn document(&self, number: usize, feed: &Feed, out: usize) -> String {
        let mut items = String::new();
        for item in (out.saturating_sub(feed.window)..out).rev() {
            let mut chance = Chance::of(&[self.seed, 8, number as u64, item as u64]);
            let watched = if chance.happens(ALERTING) { "Zwentibold: " } else { "" };
            let published = self.start + SignedDuration::from_secs(feed.published[item]);
            writeln!(
                items,
                "<item><guid isPermaLink=\"false\">{item}</guid><title>{watched}{} {number} \
                 {item}</title><link>https://news{number}.example/{item}</link><pubDate>{}\
                 </pubDate><description>{}</description></item>",
                chance.words(6),
                published.strftime("%a, %d %b %Y %H:%M:%S GMT"),
                chance.words(14)
            )
            .expect("a text takes text");
        }
        format!(
            "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>Wire {number}</title>\
             {items}</channel></rss>"
        )
    }
}

fn main() -> anyhow::Result<()> {
    let (mut feeds, mut hours, mut seed) = (10_000, 24, 1);
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    for pair in arguments.chunks(2) {
        match pair {
            [option, number] if option == "--feeds" => feeds = number.parse()?,
            [option, number] if option == "--hours" => hours = number.parse()?,
            [option, number] if option == "--seed" => seed = number.parse()?,
            other => bail!("unknown option {other:?}"),
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(simulate(feeds, hours, seed))
}

async fn simulate(feeds: usize, hours: i64, seed: u64) -> anyhow::Result<()> {
    let began = Instant::now();
    let start: Timestamp = START.parse()?;
    let clock = ManualClock::new(start);
    let hosts = (feeds / 3).max(1);
    let model = Arc::new(Model {
        seed,
        start,
        clock: clock.clone(),
        feeds: (0..feeds as u64).map(|number| Feed::new(number, hosts, hours, seed)).collect(),
        hosts: (0..hosts).map(|_| Host::default()).collect(),
        requests: (0..feeds).map(|_| AtomicU32::new(0)).collect(),
        statuses: Mutex::default(),
        most_in_flight: AtomicU32::new(0),
        shortest_gap_ms: AtomicU64::new(u64::MAX),
    });
    let answering = model.clone();
    let port = server::start(move |request| {
        let model = answering.clone();
        async move { model.answer(request).await }
    })
    .await?;
    // Where there is memory for it: a day of flushes to a disk would take hours.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())?;
    let config = configuration(&model, folder.path(), port)?;
    let (sender, control) = mpsc::channel(1);
    let idle = watch::Sender::new(None);
    let mut watched = idle.subscribe();
    let setup = Setup {
        config,
        read_config: Arc::new(|| Err("there is nothing to read again".to_owned())),
        clock: Clock::Manual(clock.clone()),
        control,
        idle: Some(idle),
    };
    let running = tokio::spawn(daemon::run(setup));
    let end = start + SignedDuration::from_hours(hours);
    loop {
        let now = clock.now();
        let done = |idle: &Option<Idle>| {
            idle.is_some_and(|idle| idle.at == now && idle.next_due.is_none_or(|due| due > now))
        };
        let next = watched.wait_for(done).await?.and_then(|idle| idle.next_due).unwrap_or(end);
        if next >= end {
            break;
        }
        let seconds = next.duration_since(now).as_secs_f64() / STEP as f64;
        clock.advance(SignedDuration::from_secs(seconds.ceil().max(1.0) as i64 * STEP));
    }
    sender.send(Control::Stop).await?;
    running.await??;
    println!("{feeds} feeds, {hours} h, {hosts} hosts; took {:.0?}", began.elapsed());
    report(&model, &folder.path().join("newswatch.db"), hours)
}

fn configuration(model: &Model, folder: &Path, port: u16) -> anyhow::Result<config::Config> {
    let mut feeds = String::new();
    for (number, feed) in model.feeds.iter().enumerate() {
        let host = feed.host + 1;
        let host = Ipv4Addr::new(127, 2, (host / 250) as u8, (host % 250) as u8 + 1);
        write!(
            feeds,
            "[[feed]]\nname = \"{number}\"\nurl = \"http://{host}:{port}/{number}\"\n\
             allow_private = true\n"
        )?;
    }
    let main = "[[receiver]]\nname = \"log\"\ntype = \"jsonl\"\npath = \"alerts.jsonl\"\n";
    let directory = || PathBuf::from(folder);
    let files = Files {
        folder: directory(),
        main: SourceFile::new("newswatch.toml", main.to_owned()),
        feeds: vec![SourceFile::new("feeds/all.toml", feeds)],
        strays: Vec::new(),
        rules: vec![SourceFile::new("rules/all.toml", RULE.to_owned())],
        directories: Directories { state: directory(), logs: directory(), current: directory() },
    };
    config::check(&files).config.context("the configuration is bad")
}

/// What came of the items of some feeds.
#[derive(Default)]
struct Band {
    feeds: usize,
    requests: u64,
    published: usize,
    stored: usize,
    missed: usize,
    missed_early: usize,
    missed_fresh: usize,
    lags: Vec<i64>,
}

fn report(model: &Model, database: &Path, hours: i64) -> anyhow::Result<()> {
    let connection = Connection::open(database)?;
    let mut stored: HashMap<(usize, usize), i64> = HashMap::new();
    let mut statement = connection.prepare(
        "SELECT name, given_id, first_seen FROM items JOIN feeds ON feeds.id = items.feed",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (feed, item): (String, String) = (row.get(0)?, row.get(1)?);
        stored.insert((feed.parse()?, item.parse()?), row.get(2)?);
    }
    let second = |millis: i64| (millis - model.start.as_millisecond()) / 1000;
    let mut bands: [Band; 4] = Default::default();
    const NAMES: [&str; 4] = ["1 an hour and more", "0.1 to 1 an hour", "less", "at fault"];
    for (number, feed) in model.feeds.iter().enumerate() {
        let band = match feed.rate {
            _ if feed.fault != Fault::None => 3,
            1.0.. => 0,
            0.1..1.0 => 1,
            _ => 2,
        };
        let band = &mut bands[band];
        band.feeds += 1;
        band.requests += u64::from(model.requests[number].load(Relaxed));
        let shown_at_last = feed.out(hours * 3600).saturating_sub(feed.window);
        for (item, published) in feed.published.iter().enumerate() {
            if *published <= 0 {
                continue;
            }
            band.published += 1;
            match stored.get(&(number, item)) {
                Some(seen) => {
                    band.stored += 1;
                    band.lags.push(second(*seen) - published);
                }
                None if item < shown_at_last => {
                    let fresh = feed.max_age.is_some_and(|seconds| seconds >= 3600);
                    band.missed += 1;
                    band.missed_fresh += usize::from(fresh);
                    band.missed_early += usize::from(!fresh && *published < LEARNING);
                }
                None => {}
            }
        }
    }
    println!(
        "{:<20} {:>6} {:>11} {:>10} {:>9} {:>7} {:>7}  lag of items: p50, p90, p99",
        "", "feeds", "requests/f", "published", "stored", "missed", "unseen"
    );
    for (name, band) in NAMES.iter().zip(&mut bands) {
        println!(
            "{name:<20} {:>6} {:>11.1} {:>10} {:>9} {:>7} {:>7}  {}",
            band.feeds,
            band.requests as f64 / band.feeds.max(1) as f64,
            band.published,
            band.stored,
            band.missed,
            band.published - band.stored - band.missed,
            spread(&mut band.lags)
        );
    }
    let sum = |part: fn(&Band) -> usize| bands.iter().map(part).sum::<usize>();
    println!(
        "of the {} missed, {} were shown by feeds whose answers stay fresh for an hour or more, and \
         {} of the others in the first {} h, while rates are learnt",
        sum(|band| band.missed),
        sum(|band| band.missed_fresh),
        sum(|band| band.missed_early),
        LEARNING / 3600
    );
    let mut lags = Vec::new();
    let mut statement = connection.prepare(
        "SELECT hits.feed, hits.item_id, alerts.created FROM hits
         JOIN alerts ON alerts.id = hits.alert",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (feed, item): (String, String) = (row.get(0)?, row.get(1)?);
        let published = model.feeds[feed.parse::<usize>()?].published[item.parse::<usize>()?];
        // What was there before the first poll can come late when that one was cut off.
        if published > 0 {
            lags.push(second(row.get(2)?) - published);
        }
    }
    println!("{} alerts, lag from publication: {}", lags.len(), spread(&mut lags));
    let statuses = model.statuses.lock().expect("nobody panics with it");
    let all: u64 = statuses.values().sum();
    let mut statuses: Vec<_> = statuses.iter().collect();
    statuses.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    println!("{all} requests, {:.1} a feed", all as f64 / model.feeds.len() as f64);
    for (status, count) in statuses {
        println!("  {status:<24} {count:>8} {:>5.1} %", *count as f64 * 100.0 / all as f64);
    }
    println!(
        "at one host: {} request in flight at most, {} ms between two at least",
        model.most_in_flight.load(Relaxed),
        model.shortest_gap_ms.load(Relaxed)
    );
    Ok(())
}

fn spread(lags: &mut [i64]) -> String {
    lags.sort_unstable();
    let at = |part: f64| {
        let lag = lags.get((lags.len() as f64 * part) as usize).copied().unwrap_or(0);
        format!("{:.1} min", lag as f64 / 60.0)
    };
    format!("{}, {}, {}", at(0.5), at(0.9), at(0.99))
}
