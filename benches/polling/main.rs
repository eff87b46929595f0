//! What polling costs, beside the least that the same libraries can do ("the floor"): CPU time
//! (user and system) a feed, peak memory and wall time of `newswatch run --once` and of the floor,
//! on feeds that a server in this process serves on loopback.
//!
//! ```text
//! cargo bench --bench polling -- [--feeds N] [--rounds N] [--rules FOLDER]
//! cargo bench --bench polling -- floor URLS DATABASE      the floor alone, on addresses of a file
//! ```
//!
//! Both programs run in turn, `rounds` times (3), each time with new databases; medians are
//! printed. What newswatch needs to start and to stop (configuration, rules, a look at the newest items
//! and at the hits of weeks) is measured with all feeds disabled, before and after the cold round, printed
//! by itself and taken off the figures that follow. The rules are those that the
//! project ships, without feeds in them that match: only `alert` uses a rule of its own.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

mod feeds;
mod floor;
#[path = "../loopback/mod.rs"]
mod loopback;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

use self::feeds::Feeds;

/// A rule for the alerts that are timed.
const RULE: &str =
    "[[rule]]\nid = \"timed\"\ntitle = \"Timed\"\nquery = \"Zwentibold\"\nstory = \"off\"\n";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["floor", urls, database] => {
            let new = floor::run(Path::new(urls), Path::new(database))?;
            println!("{new} new items");
            Ok(())
        }
        ["measure", program, arguments @ ..] => measure_here(program, arguments),
        options => compare(&Options::from(options)?),
    }
}

struct Options {
    feeds: usize,
    rounds: usize,
    rules: PathBuf,
}

impl Options {
    fn from(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut options = Self {
            feeds: 1_000,
            rounds: 3,
            rules: Path::new(env!("CARGO_MANIFEST_DIR")).join("config/rules"),
        };
        for pair in arguments.chunks(2) {
            match pair {
                ["--feeds", count] => options.feeds = count.parse()?,
                ["--rounds", count] => options.rounds = count.parse()?,
                ["--rules", folder] => options.rules = folder.into(),
                other => bail!("unknown option {other:?}"),
            }
        }
        Ok(options)
    }
}

/// What a run of a program took.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    cpu_ms: f64,
    wall_ms: f64,
    peak_mb: f64,
}

/// Runs a program and prints what it took: the counts of a process's children have no other
/// children in them here.
fn measure_here(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let started = Instant::now();
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).status()?;
    let wall = started.elapsed();
    anyhow::ensure!(status.success(), "{program} {arguments:?}: {status}");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let cpu = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    println!("{} {} {}", cpu, wall.as_micros(), usage.max_rss());
    Ok(())
}

async fn measure(program: &Path, arguments: &[&str]) -> anyhow::Result<Cost> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("measure").arg(program).args(arguments).stderr(Stdio::inherit());
    command
        .env_remove("STATE_DIRECTORY")
        .env_remove("LOGS_DIRECTORY")
        .env("NEWSWATCH_LOG", "error");
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    let text = String::from_utf8(output.stdout)?;
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [cpu, wall, peak] = numbers[..] else { bail!("the program failed: {text}") };
    Ok(Cost { cpu_ms: cpu / 1e3, wall_ms: wall / 1e3, peak_mb: peak / 1024.0 })
}

/// Both programs with their files in a folder.
struct Bench {
    folder: tempfile::TempDir,
    options_feeds: usize,
    port: u16,
}

impl Bench {
    fn set_up(options: &Options, port: u16) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = folder.path();
        let urls: Vec<String> = (0..options.feeds).map(|feed| Feeds::url(feed, port)).collect();
        std::fs::write(path.join("urls"), urls.join("\n"))?;
        for folder in ["feeds", "rules"] {
            std::fs::create_dir(path.join(folder))?;
        }
        for file in std::fs::read_dir(&options.rules)? {
            let file = file?.path();
            let name = file.file_name().context("a file has a name")?;
            std::fs::copy(&file, path.join("rules").join(name))?;
        }
        std::fs::write(path.join("rules/timed.toml"), RULE)?;
        let bench = Self { folder, options_feeds: options.feeds, port };
        bench.write_main("")?;
        bench.write_feeds("")?;
        Ok(bench)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write_main(&self, poll: &str) -> anyhow::Result<()> {
        let hook = format!("http://127.0.0.1:{}{}", self.port, feeds::HOOK);
        let text = format!(
            "[poll]\nhost_gap = \"0s\"\n{poll}\n[[receiver]]\nname = \"hook\"\n\
             type = \"webhook\"\nurl = \"{hook}\"\nallow_private = true\n"
        );
        Ok(std::fs::write(self.path("newswatch.toml"), text)?)
    }

    fn write_feeds(&self, lines: &str) -> anyhow::Result<()> {
        let feed = |feed| {
            let url = Feeds::url(feed, self.port);
            format!("[[feed]]\nname = \"f{feed}\"\nurl = \"{url}\"\nallow_private = true\n{lines}")
        };
        let feeds: String = (0..self.options_feeds).map(feed).collect();
        Ok(std::fs::write(self.path("feeds/all.toml"), feeds)?)
    }

    fn forget_databases(&self) -> anyhow::Result<()> {
        for entry in std::fs::read_dir(self.folder.path())? {
            let path = entry?.path();
            if path.to_string_lossy().contains(".db") {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    async fn newswatch(&self) -> anyhow::Result<Cost> {
        let folder = self.folder.path().to_string_lossy().into_owned();
        let program = Path::new(env!("CARGO_BIN_EXE_newswatch"));
        measure(program, &["--config", &folder, "run", "--once"]).await
    }

    async fn floor(&self) -> anyhow::Result<Cost> {
        let (urls, database) = (self.path("urls"), self.path("floor.db"));
        let arguments = ["floor", &urls.to_string_lossy(), &database.to_string_lossy()];
        measure(&std::env::current_exe()?, &arguments).await
    }
}

/// The rounds of one kind: what each program took.
#[derive(Debug, Default)]
struct Row {
    floor: Vec<Cost>,
    newswatch: Vec<Cost>,
}

fn compare(options: &Options) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(rounds(options))
}

async fn rounds(options: &Options) -> anyhow::Result<()> {
    const KINDS: [&str; 6] = ["start", "cold", "start again", "304", "same body", "1 % new"];
    let feeds = Arc::new(Feeds::new(options.feeds));
    let answering = feeds.clone();
    let port = loopback::server::start(move |request| {
        let reply = answering.answer(&request);
        async move { reply }
    })
    .await?;
    let mut rows: [Row; 6] = Default::default();
    let mut wire = Vec::new();
    for _ in 0..options.rounds {
        let bench = Bench::set_up(options, port)?;
        for (kind, row) in KINDS.into_iter().zip(&mut rows) {
            if kind.starts_with("start") {
                bench.write_feeds("enabled = false\n")?;
                row.newswatch.push(bench.newswatch().await?);
                row.floor.push(Cost::default());
                bench.write_feeds("")?;
                continue;
            }
            feeds.set_validators(kind != "same body");
            match kind {
                "cold" => bench.forget_databases()?,
                "same body" => {
                    // The first answers without validators make both programs forget theirs.
                    bench.floor().await?;
                    bench.newswatch().await?;
                }
                "1 % new" => {
                    feeds.forget();
                    bench.floor().await?;
                    feeds.forget();
                    bench.newswatch().await?;
                    feeds.publish(100, false);
                }
                _ => {}
            }
            if kind != "304" {
                feeds.forget();
            }
            row.floor.push(bench.floor().await?);
            if kind != "304" {
                feeds.forget();
            }
            feeds.take_wire();
            row.newswatch.push(bench.newswatch().await?);
            wire.push((kind, feeds.take_wire()));
        }
    }
    print(options, &KINDS, &rows);
    for (kind, wire) in wire.iter().take(KINDS.len() - 2) {
        println!(
            "on the wire, {kind}: {} requests, {} bytes a feed, {} needless bodies",
            wire.requests,
            wire.bytes / options.feeds as u64,
            wire.needless
        );
    }
    alert_lag(options).await
}

fn print(options: &Options, kinds: &[&str], rows: &[Row]) {
    let feeds = options.feeds as f64;
    let median = |costs: &[Cost], part: fn(&Cost) -> f64| {
        let mut numbers: Vec<f64> = costs.iter().map(part).collect();
        numbers.sort_by(f64::total_cmp);
        numbers[numbers.len() / 2]
    };
    println!("{} feeds, median of {} rounds", options.feeds, options.rounds);
    println!(
        "{:<11} {:>12} {:>12} {:>7} {:>10} {:>10} {:>9} {:>9}",
        "", "floor ms/f", "newsw. ms/f", "ratio", "floor MB", "newsw. MB", "floor ms", "newsw. ms"
    );
    let mut start = 0.0;
    for (kind, row) in kinds.iter().zip(rows) {
        let is_start = kind.starts_with("start");
        let off = if is_start { 0.0 } else { start };
        let floor = median(&row.floor, |cost| cost.cpu_ms) / feeds;
        let newswatch = (median(&row.newswatch, |cost| cost.cpu_ms) - off) / feeds;
        println!(
            "{kind:<11} {floor:>12.3} {newswatch:>12.3} {:>7.2} {:>10.1} {:>10.1} {:>9.0} {:>9.0}",
            newswatch / floor,
            median(&row.floor, |cost| cost.peak_mb),
            median(&row.newswatch, |cost| cost.peak_mb),
            median(&row.floor, |cost| cost.wall_ms),
            median(&row.newswatch, |cost| cost.wall_ms),
        );
        if is_start {
            start = median(&row.newswatch, |cost| cost.cpu_ms);
        }
    }
}

/// How long an alert takes from the answer that showed the item to the webhook, and what memory the
/// daemon keeps while feeds are unchanged.
async fn alert_lag(options: &Options) -> anyhow::Result<()> {
    let feeds = Arc::new(Feeds::new(options.feeds));
    let answering = feeds.clone();
    let port = loopback::server::start(move |request| {
        let reply = answering.answer(&request);
        async move { reply }
    })
    .await?;
    let bench = Bench::set_up(options, port)?;
    bench.write_main("interval = \"5s\"\n")?;
    bench.newswatch().await?;
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_newswatch"))
        .arg("--config")
        .arg(bench.folder.path())
        .arg("run")
        .env_remove("STATE_DIRECTORY")
        .env_remove("LOGS_DIRECTORY")
        .env("NEWSWATCH_LOG", "error")
        // As in the systemd unit.
        .envs([("MALLOC_MMAP_THRESHOLD_", "131072"), ("MALLOC_ARENA_MAX", "2")])
        .spawn()?;
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_secs(6)).await;
        feeds.publish(10, true);
    }
    tokio::time::sleep(Duration::from_secs(8)).await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.id()))?;
    daemon.kill()?;
    daemon.wait()?;
    let lags = feeds.lags();
    let at = |part: f64| lags.get((lags.len() as f64 * part) as usize).copied().unwrap_or(f64::NAN);
    println!(
        "daemon: answer to alert at the webhook, {} alerts: p50 {:.0} ms, p90 {:.0} ms, p99 {:.0} ms",
        lags.len(),
        at(0.5),
        at(0.9),
        at(0.99)
    );
    for line in status.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("VmHWM"))
    {
        println!("daemon: {}", line.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    Ok(())
}
