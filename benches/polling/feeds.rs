//! The feeds that are served: distinct documents of thirty items and some 39 KB, with correct
//! validators, that change on command.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::loopback::chance::Chance;
use crate::loopback::server::{Reply, Request};

/// Items that a feed shows.
const WINDOW: u32 = 30;
/// The addresses that feeds are spread over.
const HOSTS: usize = 50;
/// The path of the webhook.
pub(crate) const HOOK: &str = "/hook";

/// All feeds, and what was counted.
pub(crate) struct Feeds {
    feeds: Vec<Feed>,
    validators: AtomicBool,
    needless: AtomicU64,
    bytes: AtomicU64,
    requests: AtomicU64,
    /// When the poll was answered that showed an item first, and when its alert came.
    seen: Mutex<Vec<(String, Instant)>>,
    alerts: Mutex<Vec<(String, Instant)>>,
}

struct Feed {
    /// How many items were published after the first [`WINDOW`].
    version: AtomicU32,
    /// The version that was last sent whole.
    sent: AtomicU32,
    body: Mutex<Arc<[u8]>>,
}

/// What went over the wire.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wire {
    /// Requests for feeds.
    pub(crate) requests: u64,
    /// Answers with a body that the client already had.
    pub(crate) needless: u64,
    /// Bytes of bodies.
    pub(crate) bytes: u64,
}

impl Feeds {
    /// So many feeds, rendered.
    pub(crate) fn new(count: usize) -> Self {
        let number = AtomicU64::new(0);
        let mut feeds: Vec<_> = (0..count).map(|_| None).collect();
        let parts = feeds.chunks_mut(count.div_ceil(2).max(1));
        std::thread::scope(|scope| {
            for (part, chunk) in parts.enumerate() {
                let number = &number;
                scope.spawn(move || {
                    for (place, slot) in chunk.iter_mut().enumerate() {
                        let feed = part * count.div_ceil(2) + place;
                        *slot = Some(packed(feed, 0, false));
                        number.fetch_add(1, Relaxed);
                    }
                });
            }
        });
        let feed = |body: Option<Arc<[u8]>>| Feed {
            version: AtomicU32::new(0),
            sent: AtomicU32::new(u32::MAX),
            body: Mutex::new(body.expect("every feed is rendered")),
        };
        Self {
            feeds: feeds.into_iter().map(feed).collect(),
            validators: AtomicBool::new(true),
            needless: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            seen: Mutex::default(),
            alerts: Mutex::default(),
        }
    }

    /// The address of a feed.
    pub(crate) fn url(feed: usize, port: u16) -> String {
        format!("http://{}:{port}/f/{feed}", Ipv4Addr::new(127, 0, 0, 1 + (feed % HOSTS) as u8))
    }

    /// Adds an item to every `every`th feed, one that a rule matches where `alerting`.
    pub(crate) fn publish(&self, every: usize, alerting: bool) {
        for (number, feed) in self.feeds.iter().enumerate().step_by(every) {
            let version = feed.version.load(Relaxed) + 1;
            *feed.body.lock().expect("nobody panics with it") = packed(number, version, alerting);
            feed.version.store(version, Relaxed);
        }
    }

    /// Forgets what was sent to whom: another client comes.
    pub(crate) fn forget(&self) {
        self.feeds.iter().for_each(|feed| feed.sent.store(u32::MAX, Relaxed));
        self.take_wire();
    }

    /// Whether answers have validators.
    pub(crate) fn set_validators(&self, on: bool) {
        self.validators.store(on, Relaxed);
    }

    /// What went over the wire since the last call.
    pub(crate) fn take_wire(&self) -> Wire {
        Wire {
            requests: self.requests.swap(0, Relaxed),
            needless: self.needless.swap(0, Relaxed),
            bytes: self.bytes.swap(0, Relaxed),
        }
    }

    /// Milliseconds from the answer that showed an item to its alert, sorted.
    pub(crate) fn lags(&self) -> Vec<f64> {
        let alerts = self.alerts.lock().expect("nobody panics with it");
        let seen = self.seen.lock().expect("nobody panics with it");
        let lag = |(title, at): &(String, Instant)| {
            let shown = &seen.iter().find(|(shown, _)| shown == title)?.1;
            Some(at.duration_since(*shown).as_secs_f64() * 1e3)
        };
        let mut lags: Vec<f64> = alerts.iter().filter_map(lag).collect();
        lags.sort_by(f64::total_cmp);
        lags
    }

    /// Answers a request.
    pub(crate) fn answer(&self, request: &Request) -> Reply {
        if request.path == HOOK {
            return self.alerted(request);
        }
        let number = request.path.strip_prefix("/f/").and_then(|number| number.parse().ok());
        let Some((number, feed)) =
            number.and_then(|number: usize| Some((number, self.feeds.get(number)?)))
        else {
            return Reply::status("404 Not Found");
        };
        self.requests.fetch_add(1, Relaxed);
        let body = feed.body.lock().expect("nobody panics with it").clone();
        let version = feed.version.load(Relaxed);
        let validators = if self.validators.load(Relaxed) {
            let etag = format!("\"{number}-{version}\"");
            if request.header("if-none-match") == Some(&etag) {
                let headers = format!("etag: {etag}\r\n");
                return Reply { headers, ..Reply::status("304 Not Modified") };
            }
            let again = feed.sent.swap(version, Relaxed) == version;
            self.needless.fetch_add(u64::from(again), Relaxed);
            format!("etag: {etag}\r\n")
        } else {
            String::new()
        };
        self.bytes.fetch_add(body.len() as u64, Relaxed);
        if version > 0 {
            let title = title(number, WINDOW + version, true);
            self.seen.lock().expect("nobody panics with it").push((title, Instant::now()));
        }
        let headers = format!(
            "{validators}content-type: application/rss+xml; charset=utf-8\r\n\
             content-encoding: gzip\r\n"
        );
        Reply { status: "200 OK", headers, body, cut: None }
    }

    fn alerted(&self, request: &Request) -> Reply {
        let now = Instant::now();
        let record: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let title = record["data"]["item"]["title"].as_str().unwrap_or_default().to_owned();
        self.alerts.lock().expect("nobody panics with it").push((title, now));
        Reply::status("200 OK")
    }
}

fn title(feed: usize, item: u32, alerting: bool) -> String {
    let mut chance = Chance::of(&[1, feed as u64, u64::from(item)]);
    let words = chance.words(9);
    if alerting { format!("{words}: Zwentibold {feed} {item}") } else { words }
}

fn packed(feed: usize, version: u32, alerting: bool) -> Arc<[u8]> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer
        .write_all(document(feed, version, alerting).as_bytes())
        .and_then(|()| packer.finish())
        .expect("memory takes all bytes")
        .into()
}

fn document(feed: usize, version: u32, alerting: bool) -> String {
    let site = format!("https://news{feed}.example");
    let mut items = String::new();
    for item in (version + 1..=version + WINDOW).rev() {
        let mut chance = Chance::of(&[2, feed as u64, u64::from(item)]);
        let title = title(feed, item, alerting && item > WINDOW);
        let mut html = String::new();
        while html.len() < 850 {
            html += &format!(
                "&lt;p&gt;{}. &lt;a href=&quot;{site}/{}&quot;&gt;{}&lt;/a&gt;&lt;/p&gt;",
                chance.words(24),
                chance.below(100_000),
                chance.words(6)
            );
        }
        items += &format!(
            "<item><title>{title}</title><link>{site}/item/{item}</link>\
             <guid isPermaLink=\"false\">{site}/{item}</guid>\
             {}<description>{html}</description></item>\n",
            // What is to alert must not be too old for it.
            if item > WINDOW { "" } else { "<pubDate>Mon, 18 Sep 2023 09:30:00 GMT</pubDate>" }
        );
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\"><channel>\
         <title>Wire {feed}</title><link>{site}/</link><description>News</description>\n\
         {items}</channel></rss>\n"
    )
}
