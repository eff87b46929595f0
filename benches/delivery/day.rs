//! A day of the whole daemon on a manual clock. Its servers keep nothing of what they are sent, and
//! its feed does not grow, so that what grows is newswatch's.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use newswatch::clock::{Clock, ManualClock};
use newswatch::config::{self, Config, Directories, Files};
use newswatch::daemon::{self, Control, Setup};
use newswatch::diagnostic::SourceFile;
use newswatch::store::Reader;
use tokio::sync::{mpsc, watch};

use super::loopback::chance::Chance;
use super::loopback::server::{self, Reply, Request};

/// An interval of a minute is up to a tenth longer, so that each two of these bring a poll. After an
/// attempt that failed a receiver is left alone for 30 s.
const HALF: SignedDuration = SignedDuration::from_secs(33);
/// Polls in about an hour.
const AN_HOUR: usize = 55;
/// Items that the feed shows.
const WINDOW: usize = 20;
/// How long a receiver that is ill keeps a request: some 30 s of such a day.
const ILL: Duration = Duration::from_millis(15);
/// How long the clock stands still after each step.
const SETTLE: Duration = Duration::from_millis(25);
const SETTLE_BRIEFLY: Duration = Duration::from_millis(6);
/// The limit of the receiver that is ill.
const PER_MINUTE: usize = 60;

/// How the other receiver is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Receiver {
    /// Takes everything at once.
    Well,
    /// Takes everything, but slowly.
    Slow,
    /// Keeps each request for a while, and then drops the connection.
    Dead,
}

impl Receiver {
    pub(crate) const ALL: [Self; 3] = [Self::Well, Self::Slow, Self::Dead];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Slow => "slow",
            Self::Dead => "dead",
        }
    }
}

/// The servers.
struct World {
    /// Items published so far.
    published: AtomicUsize,
    /// Alerts that the receiver took which is always well.
    taken: watch::Sender<usize>,
    /// When it took the last, and when the feed last showed something new.
    arrived: Mutex<Instant>,
    shown: Mutex<Instant>,
    receiver: Receiver,
    /// The day is over: the other receiver is well too.
    over: AtomicBool,
    attempts: AtomicUsize,
    /// When the other receiver took something after the day, in seconds.
    told: Mutex<Vec<i64>>,
}

impl World {
    async fn answer(&self, request: Request) -> Reply {
        match request.path.as_str() {
            "/feed" => return self.feed(&request),
            "/well" => {
                *self.arrived.lock().unwrap() = Instant::now();
                self.taken.send_modify(|taken| *taken += 1);
            }
            _ => {
                self.attempts.fetch_add(1, Relaxed);
                let over = self.over.load(Relaxed);
                if over {
                    let at = request.header("webhook-timestamp").unwrap().parse().unwrap();
                    self.told.lock().unwrap().push(at);
                } else if self.receiver != Receiver::Well {
                    tokio::time::sleep(ILL).await;
                }
                if !over && self.receiver == Receiver::Dead {
                    return Reply::status("");
                }
            }
        }
        Reply::status("200 OK")
    }

    fn feed(&self, request: &Request) -> Reply {
        let published = self.published.load(Relaxed);
        let etag = format!("\"{published}\"");
        let headers = format!("etag: {etag}\r\ncontent-type: application/rss+xml\r\n");
        if request.header("if-none-match") == Some(&etag) {
            return Reply { headers, ..Reply::status("304 Not Modified") };
        }
        *self.shown.lock().unwrap() = Instant::now();
        let items: String = (published.saturating_sub(WINDOW)..published).rev().map(item).collect();
        let body =
            format!("<rss version=\"2.0\"><channel><title>Day</title>{items}</channel></rss>");
        Reply { headers, body: body.into_bytes().into(), ..Reply::status("200 OK") }
    }
}

/// An item that no other is like.
fn item(number: usize) -> String {
    let mut chance = Chance::of(&[number as u64]);
    let (title, text) = (chance.words(6), chance.words(40));
    format!(
        "<item><guid isPermaLink=\"false\">{number}</guid><title>Wang Yi rings Lavrov: {title}</title>\
         <link>https://news.example/{number}</link><description>{text}</description></item>\n"
    )
}

/// The times that the receiver which is always well waited, and what they come to.
#[derive(Default)]
struct Lags(Vec<Duration>);

impl Lags {
    fn line(&mut self) -> String {
        self.0.sort_unstable();
        let millis = |lag: Duration| lag.as_secs_f64() * 1e3;
        let at = |part: f64| {
            let place = (self.0.len() as f64 * part) as usize;
            millis(self.0[place.min(self.0.len() - 1)])
        };
        let mean = millis(self.0.iter().sum::<Duration>() / self.0.len() as u32);
        format!("{:>9.1} {:>9.1} {:>9.1} {:>9.1}", at(0.5), mean, at(0.99), at(1.0))
    }
}

/// Runs a day and prints it.
pub(crate) async fn run(receiver: Receiver, hours: usize) {
    let clock = ManualClock::new("2023-09-18T00:00:00Z".parse().unwrap());
    let world = Arc::new(World {
        published: AtomicUsize::new(0),
        taken: watch::Sender::new(0),
        arrived: Mutex::new(Instant::now()),
        shown: Mutex::new(Instant::now()),
        receiver,
        over: AtomicBool::new(false),
        attempts: AtomicUsize::new(0),
        told: Mutex::default(),
    });
    let answering = world.clone();
    let port = server::start(move |request| {
        let world = answering.clone();
        async move { world.answer(request).await }
    });
    let port = port.await.unwrap();
    // Where there is memory for it, so that no other's disk is measured.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let (control, orders) = mpsc::channel(1);
    let daemon = tokio::spawn(daemon::run(Setup {
        config: configuration(folder.path(), port),
        read_config: Arc::new(|| Err("there is nothing to read again".to_owned())),
        clock: Clock::Manual(clock.clone()),
        control: orders,
        idle: None,
    }));
    let mut day = Day { clock, world, database: folder.path().join("newswatch.db") };
    println!(
        "{hours} h, an alert a minute for two receivers, of which one is {}",
        receiver.as_str()
    );
    println!(
        "  {:>7} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7} {:>8}",
        "until h", "median ms", "mean ms", "99 % ms", "most ms", "heap MiB", "cpu ms", "waiting"
    );
    let mut lags = Lags::default();
    let (began, mut before) = (processor_time(), processor_time());
    for hour in 1..=hours {
        for _ in 0..AN_HOUR {
            lags.0.push(day.minute(HALF, 2, SETTLE).await);
        }
        if hour == 1 || hour % 6 == 0 || hour == hours {
            let (minutes, now) = (lags.0.len() as f64, processor_time());
            let a_minute = (now - std::mem::replace(&mut before, now)) * 1e3 / minutes;
            let line = std::mem::take(&mut lags).line();
            println!("  {hour:>7} {line} {:>9.1} {a_minute:>7.1} {:>8}", heap(), day.waiting());
        }
    }
    println!("  attempts of the other     {}", day.world.attempts.load(Relaxed));
    println!("  processor time            {:.2} s", processor_time() - began);
    day.after().await;
    control.send(Control::Stop).await.unwrap();
    daemon.await.unwrap().unwrap();
}

/// The day as it passes.
struct Day {
    clock: ManualClock,
    world: Arc<World>,
    database: PathBuf,
}

impl Day {
    /// Publishes an item and lets a minute pass, in steps; how long the receiver that is well waited
    /// for it from the step in which its feed was due.
    async fn minute(&mut self, step: SignedDuration, steps: u32, settle: Duration) -> Duration {
        let published = self.world.published.fetch_add(1, Relaxed) + 1;
        let mut taken = self.world.taken.subscribe();
        let mut started = Vec::new();
        for _ in 0..steps {
            started.push(Instant::now());
            self.clock.advance(step);
            // The clock stands still while sockets and the database work.
            tokio::time::sleep(settle).await;
        }
        let told = taken.wait_for(|taken| *taken >= published);
        tokio::time::timeout(Duration::from_secs(30), told).await.expect("it is told").unwrap();
        let arrived = *self.world.arrived.lock().unwrap();
        let shown = *self.world.shown.lock().unwrap();
        let due = started.iter().rfind(|started| **started <= shown);
        arrived - *due.unwrap_or(&started[0])
    }

    /// Deliveries that wait.
    fn waiting(&self) -> u64 {
        Reader::open(&self.database).unwrap().totals(self.clock.now()).unwrap().deliveries_due
    }

    /// The other receiver is well again: how fast it gets what waits, while alerts go on.
    async fn after(&mut self) {
        let waiting = self.waiting();
        let before = self.world.attempts.load(Relaxed);
        self.world.over.store(true, Relaxed);
        let (mut seconds, mut lags) = (0_u64, Lags::default());
        let began = processor_time();
        while self.waiting() > 0 && seconds < 200_000 {
            lags.0.push(self.minute(SignedDuration::from_secs(1), 66, SETTLE_BRIEFLY).await);
            seconds += 66;
        }
        let told = self.world.told.lock().unwrap().clone();
        let most = |window: i64| {
            let within =
                |start: i64| told.iter().filter(|at| (start..start + window).contains(*at)).count();
            told.iter().map(|start| within(*start)).max().unwrap_or(0)
        };
        let first_last = told.iter().min().zip(told.iter().max());
        let took = first_last.map_or(0, |(first, last)| last - first);
        println!("  waited when it was over   {waiting}");
        println!("  messages since            {}", self.world.attempts.load(Relaxed) - before);
        println!("  from the first to the last {:.1} min", took as f64 / 60.0);
        println!(
            "  at {PER_MINUTE} a minute that were   {:.1} min",
            told.len() as f64 / PER_MINUTE as f64
        );
        println!("  most in a minute, in 5 s  {}, {}", most(60), most(5));
        if !lags.0.is_empty() {
            println!("  the other's lag meanwhile {}", lags.line());
            println!("  processor time meanwhile  {:.2} s", processor_time() - began);
        }
        let reader = Reader::open(&self.database).unwrap();
        println!(
            "  dead                      {}",
            reader.totals(self.clock.now()).unwrap().deliveries_dead
        );
    }
}

fn configuration(folder: &Path, port: u16) -> Config {
    let hook = |name: &str, limit: &str| {
        format!(
            "[[receiver]]\nname = \"{name}\"\ntype = \"webhook\"\n\
             url = \"http://127.0.0.1:{port}/{name}\"\nallow_private = true\n{limit}"
        )
    };
    let main = format!(
        "[operator]\nreceivers = []\n[poll]\nfirst_run = \"alert\"\nhost_gap = \"0s\"\n\
         interval = \"1m\"\n{}{}",
        hook("other", &format!("max_per_minute = {PER_MINUTE}\n")),
        hook("well", "max_per_minute = 6000\n")
    );
    let feed = format!(
        "[[feed]]\nname = \"day\"\nurl = \"http://127.0.0.1:{port}/feed\"\nallow_private = true\n"
    );
    let rule = "[[rule]]\nid = \"talks\"\ntitle = \"Talks\"\nseverity = \"high\"\n\
                query = '\"Wang Yi\" AND Lavrov'\nstory = \"off\"\n";
    let directory = || PathBuf::from(folder);
    let files = Files {
        folder: directory(),
        main: SourceFile::new("newswatch.toml", main),
        feeds: vec![SourceFile::new("feeds/day.toml", feed)],
        strays: Vec::new(),
        rules: vec![SourceFile::new("rules/day.toml", rule.to_owned())],
        directories: Directories { state: directory(), logs: directory(), current: directory() },
    };
    config::check(&files).config.unwrap()
}

/// The memory of its own that the process occupies, in MiB: no pages of the program or of files.
fn heap() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// The processor time of the process so far, in seconds: user and system, in ticks of 10 ms.
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}
