//! A world to test the daemon in: feeds on loopback, a webhook that remembers, a real database in
//! a folder of its own, and a clock that only the test moves.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use newswatch::clock::{Clock, ManualClock};
use newswatch::config::{self, Config, Directories, Files};
use newswatch::daemon::{self, Control, Idle, Setup, Summary};
use newswatch::diagnostic::{Gravity, SourceFile};
use newswatch::store::{AlertFilter, DeliveryRow, FeedRow, HitRow, ItemFilter, ItemRow, Reader};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::schema;
use super::server::{Answer, Server};

/// The path of the webhook.
pub(crate) const HOOK: &str = "/hook";
/// A rule that is enough for most tests; it tells every hit.
const RULES: &str = r#"
[[rule]]
id = "talks"
title = "Talks"
severity = "high"
query = '"Wang Yi" AND Lavrov'
story = "off"
"#;

/// The configuration as the files of it say.
#[derive(Debug, Clone)]
struct Sources {
    main: String,
    rules: String,
    /// Feeds by name: the further lines of each.
    feeds: BTreeMap<String, String>,
}

/// The world.
pub(crate) struct World {
    folder: TempDir,
    pub(crate) server: Server,
    pub(crate) clock: ManualClock,
    sources: Arc<Mutex<Sources>>,
    /// The titles that each feed shows, newest first, and its version.
    shown: BTreeMap<String, (Vec<String>, u32)>,
}

impl World {
    /// A world without feeds, whose webhook answers 200. A first poll alerts. Nobody is told of the
    /// service itself.
    pub(crate) async fn new() -> Self {
        let server = Server::start().await;
        server.set(HOOK, Answer::status("200 OK", "", ""));
        let hook = server.url(HOOK);
        let main = format!(
            "[operator]\nreceivers = []\n[poll]\nfirst_run = \"alert\"\nhost_gap = \"0s\"\ninterval = \"10m\"\n\
             [[receiver]]\nname = \"hook\"\ntype = \"webhook\"\nurl = \"{hook}\"\n\
             allow_private = true\ntimeout = \"5s\"\nmax_per_minute = 6000\n"
        );
        let start = "2023-09-18T09:00:00Z".parse().unwrap();
        Self {
            folder: tempfile::tempdir().unwrap(),
            server,
            clock: ManualClock::new(start),
            sources: Arc::new(Mutex::new(Sources {
                main,
                rules: RULES.to_owned(),
                feeds: BTreeMap::new(),
            })),
            shown: BTreeMap::new(),
        }
    }

    /// The same, whose webhook is told of the service itself, too.
    pub(crate) async fn with_operator() -> Self {
        let world = Self::new().await;
        world.edit_main("receivers = []\n", "");
        world
    }

    /// Adds a feed of the server's, with further lines for its table.
    pub(crate) fn add_feed(&mut self, name: &str, lines: &str) {
        let url = self.server.url(&path(name));
        let table = format!("url = \"{url}\"\nallow_private = true\n{lines}");
        self.sources.lock().unwrap().feeds.insert(name.to_owned(), table);
        self.show(name, &[]);
    }

    /// Adds a feed that is described by its lines alone.
    pub(crate) fn add_feed_elsewhere(&mut self, name: &str, lines: &str) {
        self.sources.lock().unwrap().feeds.insert(name.to_owned(), lines.to_owned());
    }

    /// Adds an item to the top of a feed; its id is its first title. Makes the feed when needed.
    pub(crate) fn publish(&mut self, feed: &str, title: &str) {
        if !self.shown.contains_key(feed) {
            self.add_feed(feed, "");
        }
        let mut titles = self.shown[feed].0.clone();
        titles.insert(0, title.to_owned());
        self.show(feed, &titles.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// Makes a feed show these items, each `title` or `id|title`.
    pub(crate) fn show(&mut self, feed: &str, titles: &[&str]) {
        let version = self.shown.get(feed).map_or(1, |(_, version)| version + 1);
        let document = self.document(titles);
        self.server.set(&path(feed), Answer::Feed { document, version });
        let titles = titles.iter().map(|title| (*title).to_owned()).collect();
        self.shown.insert(feed.to_owned(), (titles, version));
    }

    /// An RSS document of these items, published now.
    pub(crate) fn document(&self, titles: &[&str]) -> String {
        let now = self.clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT");
        let mut items = String::new();
        for title in titles {
            let (id, title) = title.split_once('|').unwrap_or((title, title));
            write!(
                items,
                "<item><guid isPermaLink=\"false\">{id}</guid><title>{title}</title>\
                 <link>https://news.example/{}</link><pubDate>{now}</pubDate></item>",
                id.len()
            )
            .unwrap();
        }
        format!(
            "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>Example</title>\
             <link>https://news.example/</link><description/>{items}</channel></rss>"
        )
    }

    /// Writes a file beside the database; its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Replaces the text of the rule file.
    pub(crate) fn set_rules(&self, rules: &str) {
        self.sources.lock().unwrap().rules = rules.to_owned();
    }

    /// Changes the main file.
    pub(crate) fn edit_main(&self, from: &str, to: &str) {
        let main = &mut self.sources.lock().unwrap().main;
        assert!(main.contains(from), "{main}");
        *main = main.replace(from, to);
    }

    /// Moves the clock.
    pub(crate) fn advance(&self, by: SignedDuration) {
        self.clock.advance(by);
    }

    fn setup(&self) -> (Setup, mpsc::Sender<Control>) {
        let (sender, control) = mpsc::channel(8);
        let (sources, folder) = (self.sources.clone(), self.folder.path().to_owned());
        let read_config = move || checked(&sources.lock().unwrap(), &folder);
        let config = read_config().expect("the configuration is good");
        let setup = Setup {
            config,
            read_config: Arc::new(read_config),
            clock: Clock::Manual(self.clock.clone()),
            control,
            idle: None,
        };
        (setup, sender)
    }

    /// One `run --once`: every feed is polled, what is due is delivered.
    pub(crate) async fn tick(&self) -> Summary {
        let (setup, _control) = self.setup();
        daemon::run_once(setup).await.expect("the round succeeds")
    }

    /// Starts the daemon.
    pub(crate) fn start(&self) -> Running {
        let (setup, control) = self.setup();
        Running { control, daemon: tokio::spawn(daemon::run(setup)) }
    }

    /// Runs the daemon for so long by the world's clock, which jumps from one due poll to the next.
    pub(crate) async fn live(&self, by: SignedDuration) {
        let (mut setup, control) = self.setup();
        let (idle, mut idles) = watch::channel(None);
        setup.idle = Some(idle);
        let daemon = Running { control, daemon: tokio::spawn(daemon::run(setup)) };
        let end = self.clock.now() + by;
        loop {
            let now = self.clock.now();
            let settled = |idle: &Option<Idle>| idle.is_some_and(|idle| idle.at >= now);
            let idle = *idles.wait_for(settled).await.expect("the daemon runs");
            if now >= end {
                break;
            }
            let next = idle.and_then(|idle| idle.next_due).unwrap_or(end).min(end);
            self.clock.advance(next.duration_since(now).max(SignedDuration::from_millis(1)));
            // Something harmless, so that it looks at the clock where nothing is due.
            daemon.tell(Control::Reopen).await;
        }
        daemon.stop().await;
    }

    /// The alerts that the webhook has had, in their order; each keeps to the schema.
    pub(crate) fn alerts(&self) -> Vec<Value> {
        let requests = self.server.requests(HOOK);
        let alerts: Vec<Value> =
            requests.iter().map(|request| serde_json::from_str(&request.body).unwrap()).collect();
        schema::check(&alerts);
        alerts
    }

    /// The titles of those.
    pub(crate) fn alerted(&self) -> Vec<String> {
        let title = |alert: &Value| alert["data"]["item"]["title"].as_str().unwrap().to_owned();
        self.alerts().iter().map(title).collect()
    }

    /// The types of the events of the service that the webhook has had, in their order.
    pub(crate) fn told(&self) -> Vec<String> {
        let kind = |alert: &Value| {
            let kind = alert["type"].as_str().unwrap().strip_prefix("newswatch.").unwrap();
            alert["data"]["operator"].is_object().then(|| kind.to_owned())
        };
        self.alerts().iter().filter_map(kind).collect()
    }

    /// What is wrong with the configuration, as `check` says it.
    pub(crate) fn problems(&self) -> String {
        checked(&self.sources.lock().unwrap(), self.folder.path()).err().unwrap_or_default()
    }

    pub(crate) fn database(&self) -> std::path::PathBuf {
        self.folder.path().join("newswatch.db")
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::open(&self.database()).expect("there is a database")
    }

    /// The stored items, newest first.
    pub(crate) fn items(&self) -> Vec<ItemRow> {
        let mut items = Vec::new();
        let each = |item| {
            items.push(item);
            Ok(())
        };
        self.reader().items(&ItemFilter::default(), each).unwrap();
        items
    }

    /// The stored hits, newest first.
    pub(crate) fn hits(&self) -> Vec<HitRow> {
        let mut hits = Vec::new();
        let each = |hit| {
            hits.push(hit);
            Ok(())
        };
        self.reader().hits(&ItemFilter::default(), each).unwrap();
        hits
    }

    /// How many alerts of rules are stored.
    pub(crate) fn stored_alerts(&self) -> usize {
        self.stored("rule")
    }

    /// How many events of the service are stored.
    pub(crate) fn stored_events(&self) -> usize {
        self.stored("operator")
    }

    /// How many records are stored that have this part.
    fn stored(&self, part: &str) -> usize {
        let mut count = 0;
        let each = |record: Value| {
            count += usize::from(record["data"][part].is_object());
            Ok(())
        };
        self.reader().alerts(&AlertFilter::default(), each).unwrap();
        count
    }

    /// The outbox.
    pub(crate) fn deliveries(&self) -> Vec<DeliveryRow> {
        let mut deliveries = Vec::new();
        let each = |delivery| {
            deliveries.push(delivery);
            Ok(())
        };
        self.reader().deliveries(false, &ItemFilter::default(), each).unwrap();
        deliveries
    }

    /// What the store says of a feed.
    pub(crate) fn feed(&self, name: &str) -> FeedRow {
        let feeds = self.reader().feeds(self.clock.now()).unwrap();
        feeds.into_iter().find(|feed| feed.name == name).expect("the feed is known")
    }

    /// Seconds from now until a feed is due.
    pub(crate) fn due_in(&self, name: &str) -> i64 {
        self.feed(name).next_due.unwrap().duration_since(self.clock.now()).as_secs()
    }
}

impl World {
    /// The configuration as it is.
    pub(crate) fn config(&self) -> Config {
        checked(&self.sources.lock().unwrap(), self.folder.path()).unwrap()
    }
}

/// A daemon that runs.
pub(crate) struct Running {
    pub(crate) control: mpsc::Sender<Control>,
    daemon: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Gives an order.
    pub(crate) async fn tell(&self, control: Control) {
        self.control.send(control).await.expect("the daemon runs");
    }

    /// Stops the daemon in order.
    pub(crate) async fn stop(self) {
        self.tell(Control::Stop).await;
        self.daemon.await.unwrap().expect("the daemon ends well");
    }

    /// How the daemon ended by itself.
    pub(crate) async fn ended(self) -> anyhow::Result<()> {
        self.daemon.await.unwrap()
    }
}

/// The path at which the server has a feed.
pub(crate) fn path(feed: &str) -> String {
    format!("/{feed}.xml")
}

fn checked(sources: &Sources, folder: &std::path::Path) -> Result<Config, String> {
    let mut feeds = String::new();
    for (name, lines) in &sources.feeds {
        write!(feeds, "[[feed]]\nname = \"{name}\"\n{lines}\n").unwrap();
    }
    let files = Files {
        folder: folder.to_owned(),
        main: SourceFile::new("newswatch.toml", sources.main.clone()),
        feeds: vec![SourceFile::new("feeds/test.toml", feeds)],
        strays: Vec::new(),
        rules: vec![SourceFile::new("rules/test.toml", sources.rules.clone())],
        directories: Directories {
            state: folder.to_owned(),
            logs: folder.to_owned(),
            current: folder.to_owned(),
        },
    };
    let checked = config::check(&files);
    let errors = checked.problems.iter().filter(|problem| problem.gravity == Gravity::Error);
    let problems: Vec<String> = errors.map(|problem| problem.render()).collect();
    checked.config.ok_or_else(|| problems.join("\n"))
}
