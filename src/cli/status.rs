//! `newswatch status`: is it healthy?

use std::collections::BTreeMap;
use std::io::Write as _;

use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;

use super::list::{self, short_time};
use super::{Exit, Global, config_files};
use crate::clock::Clock;
use crate::config::FilesPrint;
use crate::store::{self, FeedRow, NETWORK, OFFLINE, Reader, ReceiverRow, Totals};
use crate::text::clean::clean;
use crate::text::count;

/// A daemon that has not shown itself for so long does not run, or cannot write: three heartbeats.
const HEARTBEAT_LIMIT: SignedDuration = SignedDuration::from_mins(1);
/// Somebody who calls `run --once` again and again does so at least this often, and has done so for as
/// long once it counts in place of a daemon that ran before.
const ONCE_LIMIT: SignedDuration = SignedDuration::from_hours(24);
/// A delivery that has waited for so long is a problem.
const OUTBOX_LIMIT: SignedDuration = SignedDuration::from_mins(30);

/// A daemon without a good poll for so long is in trouble, if a feed is overdue.
const POLL_LIMIT: SignedDuration = SignedDuration::from_hours(1);
/// A feed is overdue when it should have been polled so long ago.
const OVERDUE: SignedDuration = SignedDuration::from_mins(10);

/// How the status is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a person.
    Text,
    /// One JSON object.
    Json,
}

/// The arguments of `status`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  newswatch status || echo 'a person must look'
  newswatch status --format json")]
pub(crate) struct Arguments {
    /// How to write it
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

/// What is known about the health of an installation.
#[derive(Debug, Serialize)]
struct Status {
    healthy: bool,
    problems: Vec<String>,
    running: bool,
    /// When `run --once` was last called, where no daemon has run since.
    last_round: Option<Timestamp>,
    last_heartbeat: Option<Timestamp>,
    last_poll: Option<Timestamp>,
    /// By state, and by health.
    feeds: BTreeMap<String, usize>,
    health: BTreeMap<&'static str, usize>,
    /// Since when nothing has been in reach.
    offline_since: Option<Timestamp>,
    /// Those that fail, or for which something waits.
    receivers: Vec<ReceiverRow>,
    configuration: Option<Value>,
    configuration_at: Option<Timestamp>,
    /// Whether its files say something else than when the daemon that runs last read them.
    configuration_changed: Option<bool>,
    totals: Totals,
}

/// Says whether all is well; exit code 1 when not.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> anyhow::Result<Exit> {
    let reader = list::reader(global)?;
    let writer = store::has_writer(&config_files::database_path(global)?);
    // Whoever may not read the configuration may still ask how its daemon is.
    let files = config_files::read(global).ok().map(|files| files.print());
    let status = gather(&reader, Clock::System.now(), writer, files.as_ref(), is_daemon)?;
    let mut out = std::io::stdout().lock();
    match arguments.format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(&status)?)?,
        Format::Text => write!(out, "{}", text(&status))?,
    }
    Ok(if status.healthy { Exit::Done } else { Exit::No })
}

/// Whether that process is a newswatch of this machine. False where it cannot be seen.
fn is_daemon(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm"))
        .is_ok_and(|name| name.trim_end() == env!("CARGO_PKG_NAME"))
}

/// `writer` is whether a process has the database open to write, where that can be seen; `files` are those
/// of the configuration as they are now, where they can be read.
fn gather(
    reader: &Reader,
    now: Timestamp,
    writer: Option<bool>,
    files: Option<&FilesPrint>,
    is_daemon: impl Fn(&str) -> bool,
) -> anyhow::Result<Status> {
    let feeds = reader.feeds(now)?;
    let (mut by_state, mut by_health) = (BTreeMap::new(), BTreeMap::new());
    for feed in &feeds {
        *by_health.entry(feed.health.as_str()).or_insert(0) += 1;
        *by_state.entry(feed.state.clone()).or_insert(0) += 1;
    }
    let heartbeat = reader.fact("heartbeat")?;
    let configuration = reader.fact("config")?;
    let totals = reader.totals(now)?;
    let configuration_at = configuration.as_ref().map(|fact| fact.at);
    let configuration: Option<Value> =
        configuration.and_then(|fact| serde_json::from_str(&fact.value).ok());
    let event = configuration.as_ref().and_then(|config| config["event"].as_str());
    let started = !matches!(event, Some("stopped" | "once"));
    // The kernel takes the lock from a daemon that ends, however it ends.
    let gone = started && writer == Some(false);
    // What lies in the future was written before the clock was set back.
    let within = |at: Timestamp, limit| now.duration_since(at).abs() < limit;
    let writes =
        started && !gone && heartbeat.as_ref().is_some_and(|fact| within(fact.at, HEARTBEAT_LIMIT));
    let running =
        writes || started && !gone && heartbeat.as_ref().is_some_and(|fact| is_daemon(&fact.value));
    let round = configuration_at.filter(|_| event == Some("once"));
    let recent = round.is_some_and(|at| within(at, ONCE_LIMIT));
    // A single round does not make good that a daemon ran here and runs no more.
    let rounds_since = configuration.as_ref().and_then(|config| config["rounds_since"].as_str());
    let rounds_since: Option<Timestamp> = rounds_since.and_then(|since| since.parse().ok());
    let usual = heartbeat.is_none()
        || rounds_since.is_none_or(|since| now.duration_since(since) >= ONCE_LIMIT);
    // One that works now is a round, or a daemon that starts.
    let polled = recent && (usual || writer == Some(true));

    let mut problems = Vec::new();
    if !writes && !polled {
        problems.push(match (&heartbeat, configuration_at) {
            (Some(fact), Some(at)) if recent => format!(
                "no daemon runs: the last one showed itself at {}, and the last `run --once` was at \
                 {}; start the daemon (systemctl start newswatch), or have a timer call \
                 `run --once`: after a day of that this is no problem any more",
                short_time(Some(fact.at)),
                short_time(Some(at))
            ),
            (_, Some(at)) if event == Some("stopped") => {
                format!("the daemon was stopped at {}", short_time(Some(at)))
            }
            (_, Some(at)) if event == Some("once") => {
                format!(
                    "no daemon runs, and the last `run --once` was at {}",
                    short_time(Some(at))
                )
            }
            (Some(fact), _) if running => format!(
                "the daemon (process {}) has written nothing since {}: is the disk full, the \
                 database locked? Its log says why",
                fact.value,
                short_time(Some(fact.at))
            ),
            (Some(fact), _) if gone => format!(
                "no daemon runs: the last one was not stopped, but ended after {}, when it last \
                 showed itself; its log may say why",
                short_time(Some(fact.at))
            ),
            (Some(fact), _) => {
                format!("the daemon has not shown itself since {}", short_time(Some(fact.at)))
            }
            (None, _) => "the daemon has never run".to_owned(),
        });
    }
    if let Some(refused) = configuration.as_ref().and_then(|config| config["problems"].as_str()) {
        problems.push(format!("the last reload was refused:\n{refused}"));
    }
    let offline = reader.fact(NETWORK)?.filter(|network| network.value == OFFLINE);
    let offline_since = offline.map(|network| network.at);
    if let Some(since) = offline_since {
        problems.push(format!(
            "nothing is in reach since {}; look at this machine's network",
            short_time(Some(since))
        ));
    }
    problems.extend(polls_fail(&feeds, writes, now));
    if totals.deliveries_dead > 0 {
        let were = if totals.deliveries_dead == 1 { "was" } else { "were" };
        problems.push(format!(
            "{} {were} given up; see `newswatch deliveries --dead`",
            count(totals.deliveries_dead, "delivery")
        ));
    }
    let mut receivers = reader.receivers(now)?;
    // One that was taken out while it failed is of interest only where something waits for it.
    receivers.retain(|row| row.waiting > 0 || is_configured(configuration.as_ref(), &row.name));
    let failing = receivers_fail(&receivers, configuration.as_ref(), now);
    if failing.is_empty()
        && let Some(oldest) = totals.oldest_due
        && now.duration_since(oldest) > OUTBOX_LIMIT
    {
        problems.push(format!(
            "{}, the oldest since {}; see `newswatch deliveries`",
            wait(totals.deliveries_due),
            short_time(Some(oldest))
        ));
    }
    problems.extend(failing);
    Ok(Status {
        healthy: problems.is_empty(),
        problems,
        running,
        last_round: round,
        last_heartbeat: heartbeat.map(|fact| fact.at),
        last_poll: feeds.iter().filter_map(|feed| feed.last_ok).max(),
        feeds: by_state,
        health: by_health,
        offline_since,
        receivers,
        configuration_changed: files
            .filter(|_| running)
            .and_then(|files| have_changed(configuration.as_ref()?, files)),
        configuration,
        configuration_at,
        totals,
    })
}

/// Whether the files of a configuration are others than the daemon last read; nothing where it reads those
/// of another.
fn have_changed(configuration: &Value, files: &FilesPrint) -> Option<bool> {
    let read: FilesPrint = serde_json::from_value(configuration["files"].clone()).ok()?;
    (read.main == files.main).then(|| read.digest != files.digest)
}

fn wait(deliveries: u64) -> String {
    let verb = if deliveries == 1 { "waits" } else { "wait" };
    format!("{} {verb}", count(deliveries, "delivery"))
}

/// The receivers for which something has waited for too long, as attempts fail or nobody makes any.
fn receivers_fail(
    receivers: &[ReceiverRow],
    configuration: Option<&Value>,
    now: Timestamp,
) -> Vec<String> {
    let waiting = receivers.iter().filter(|receiver| receiver.waiting > 0);
    let problem = |ReceiverRow { name, failing_since, why, waiting }: &ReceiverRow| {
        if !is_configured(configuration, name) {
            let wait = wait(*waiting);
            return Some(format!("{wait} for receiver {name}, which is not configured any more"));
        }
        let since = failing_since.filter(|since| now.duration_since(*since) >= OUTBOX_LIMIT)?;
        Some(format!(
            "receiver {name} has taken nothing since {}: {}; {}, see `newswatch deliveries`",
            short_time(Some(since)),
            why.as_deref().unwrap_or_default(),
            wait(*waiting)
        ))
    };
    waiting.filter_map(problem).collect()
}

/// Whether the daemon has that receiver, as far as it has said which it has.
fn is_configured(configuration: Option<&Value>, receiver: &str) -> bool {
    let receivers = configuration.and_then(|config| config["receivers"].as_array());
    receivers.is_none_or(|names| names.iter().any(|name| name == receiver))
}

/// Why nothing can be expected of the polls.
fn polls_fail(feeds: &[FeedRow], daemon: bool, now: Timestamp) -> Option<String> {
    let enabled: Vec<&FeedRow> = feeds.iter().filter(|feed| feed.is_enabled()).collect();
    if !enabled.is_empty() && enabled.iter().all(|feed| feed.is_in_trouble()) {
        let none = match enabled.len() {
            1 => "the one enabled feed is not well".to_owned(),
            several => format!("none of the {several} enabled feeds is well"),
        };
        return Some(format!("{none}; see `newswatch feeds --trouble`"));
    }
    let last_ok = enabled.iter().filter_map(|feed| feed.last_ok).max();
    let overdue = enabled
        .iter()
        .filter(|feed| feed.next_due.is_some_and(|due| now.duration_since(due) > OVERDUE))
        .count();
    let late = last_ok.is_none_or(|at| now.duration_since(at) > POLL_LIMIT);
    (daemon && late && overdue > 0).then(|| {
        let last_ok = short_time(last_ok);
        let are = if overdue == 1 { "is" } else { "are" };
        let feeds = count(overdue, "feed");
        format!("the last good poll was at {last_ok}, and {feeds} {are} overdue")
    })
}

fn text(status: &Status) -> String {
    let mut lines = vec![if status.healthy { "healthy" } else { "NOT HEALTHY" }.to_owned()];
    for problem in &status.problems {
        lines.push(format!("  problem: {}", problem.replace('\n', "\n    ")));
    }
    let feeds: Vec<String> =
        status.health.iter().map(|(health, count)| format!("{count} {health}")).collect();
    let totals = &status.totals;
    lines.push(match (status.running, status.last_round) {
        (true, _) => "running        yes".to_owned(),
        (false, None) => "running        no".to_owned(),
        (false, Some(at)) => format!(
            "running        no daemon; the last `run --once` was at {}",
            short_time(Some(at))
        ),
    });
    lines.push(format!("last good poll {}", short_time(status.last_poll)));
    lines.push(format!("feeds          {}", feeds.join(", ")));
    if let Some(config) = &status.configuration {
        lines.push(format!(
            "configuration  {}, {}, {} {}",
            count(&config["rules"], "rule"),
            count(&config["feeds"], "feed"),
            config["event"].as_str().unwrap_or_default(),
            short_time(status.configuration_at)
        ));
    }
    if status.configuration_changed == Some(true) {
        lines.push(
            "               its files have changed since: `newswatch check`, then \
             `systemctl reload newswatch`"
                .to_owned(),
        );
    }
    lines.push(format!(
        "stored         {}, {}, {}, {:.1} MB",
        count(totals.items, "item"),
        count(totals.hits, "hit"),
        count(totals.alerts, "alert"),
        totals.database_bytes as f64 / 1e6
    ));
    let held = match totals.deliveries_held {
        0 => String::new(),
        1 => " (1 of them waits for a digest)".to_owned(),
        held => format!(" ({held} of them wait for a digest)"),
    };
    lines.push(format!(
        "outbox         {} due{held}, {} dead",
        totals.deliveries_due, totals.deliveries_dead
    ));
    for ReceiverRow { name, failing_since, why, waiting } in &status.receivers {
        let waits = if *waiting == 1 { "waits" } else { "wait" };
        lines.push(match failing_since {
            Some(since) => format!(
                "receiver       {name} failing since {}, {waiting} {waits}: {}",
                short_time(Some(*since)),
                why.as_deref().unwrap_or_default()
            ),
            None => format!("receiver       {name}: {waiting} {waits}"),
        });
    }
    if totals.silences > 0 {
        lines.push(format!(
            "silences       {} in force; see `newswatch silence list`",
            totals.silences
        ));
    }
    lines.iter().flat_map(|line| line.lines()).map(|line| clean(line).into_owned() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::health::Health;
    use crate::store::Store;

    fn time(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    /// What `status` finds at 0 s when the daemon's last heartbeat was at `heartbeat`.
    async fn status(heartbeat: i64, alive: bool) -> Status {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("newswatch.db");
        let store = Store::open(&path).unwrap();
        store.note("config", r#"{"event":"started"}"#, time(-1000)).await.unwrap();
        store.note("heartbeat", "7", time(heartbeat)).await.unwrap();
        let reader = Reader::open(&path).unwrap();
        gather(&reader, time(0), None, None, |pid| alive && pid == "7").unwrap()
    }

    #[tokio::test]
    async fn a_daemon_that_runs_and_cannot_write_is_told_from_one_that_is_gone() {
        let well = status(-50, true).await;
        assert_eq!((well.running, well.problems), (true, Vec::<String>::new()));
        let cannot_write = status(-70, true).await;
        let why = cannot_write.problems.join("");
        assert!(why.contains("process 7) has written nothing since"), "{why}");
        assert!(cannot_write.running);
        let from_the_future = status(7200, false).await;
        assert!(!from_the_future.healthy, "the clock was set back, and nobody has written since");
        let gone = status(-70, false).await;
        let why = gone.problems.join("");
        assert!(why.contains("has not shown itself since"), "{why}");
        assert!(!gone.running);
    }

    /// What `status` finds at 0 s when a daemon ran until `daemon`, if one did, and rounds were made since,
    /// the first and the last at these times.
    async fn after_rounds(daemon: Option<i64>, first: i64, last: i64, writer: bool) -> Status {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("newswatch.db");
        let store = Store::open(&path).unwrap();
        if let Some(daemon) = daemon {
            store.note("heartbeat", "7", time(daemon)).await.unwrap();
        }
        let config = serde_json::json!({ "event": "once", "rounds_since": time(first) });
        store.note("config", &config.to_string(), time(last)).await.unwrap();
        let reader = Reader::open(&path).unwrap();
        gather(&reader, time(0), Some(writer), None, |_| false).unwrap()
    }

    #[tokio::test]
    async fn a_round_by_hand_does_not_stand_for_a_daemon_that_was_stopped() {
        let by_hand = after_rounds(Some(-7200), -60, -60, false).await;
        let why = by_hand.problems.join("");
        assert!(why.starts_with("no daemon runs: the last one showed itself at"), "{why}");
        assert!(why.contains("systemctl start newswatch"), "{why}");
        let several = after_rounds(Some(-7200), -3600, -60, false).await;
        assert!(!several.healthy && !several.running);
    }

    #[tokio::test]
    async fn rounds_of_a_timer_are_healthy_while_they_come_and_say_that_no_daemon_runs() {
        let day = 24 * 3600;
        for (daemon, first) in [(None, -60), (Some(-3 * day), -2 * day)] {
            let timer = after_rounds(daemon, first, -60, false).await;
            assert_eq!((timer.running, timer.problems.as_slice()), (false, &[][..]));
            let text = text(&timer);
            assert!(
                text.contains("no daemon; the last `run --once` was at 2023-11-14 22:12"),
                "{text}"
            );
        }
        let now = after_rounds(Some(-3 * day), -60, -60, true).await;
        assert!(now.healthy, "a round is under way, or the daemon starts: {:?}", now.problems);
        let ended = after_rounds(None, -3 * day, -2 * day, false).await.problems.join("");
        assert!(ended.starts_with("no daemon runs, and the last `run --once` was at"), "{ended}");
    }

    #[tokio::test]
    async fn files_that_have_changed_since_the_daemon_read_them_are_told_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("newswatch.db");
        let store = Store::open(&path).unwrap();
        let print =
            |main: &str, digest: &str| FilesPrint { main: main.into(), digest: digest.to_owned() };
        let read = print("/etc/newswatch/newswatch.toml", "1");
        let config = serde_json::json!({ "event": "started", "files": read });
        store.note("config", &config.to_string(), time(-1000)).await.unwrap();
        store.note("heartbeat", "7", time(0)).await.unwrap();
        let reader = Reader::open(&path).unwrap();
        let check = |files: FilesPrint, runs: bool, changed: Option<bool>| {
            let writer = Some(runs);
            let status = gather(&reader, time(0), writer, Some(&files), |_| runs).unwrap();
            assert_eq!(status.configuration_changed, changed);
            let told = text(&status).contains("`newswatch check`, then `systemctl reload");
            assert_eq!((told, status.healthy), (changed == Some(true), runs));
        };
        check(read.clone(), true, Some(false));
        check(print("/etc/./newswatch/newswatch.toml", "2"), true, Some(true));
        check(print("/home/anna/config/newswatch.toml", "2"), true, None);
        check(print("/etc/newswatch/newswatch.toml", "2"), false, None);
    }

    #[tokio::test]
    async fn a_receiver_that_takes_nothing_is_named_and_counts_after_half_an_hour() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("newswatch.db");
        let store = Store::open(&path).unwrap();
        let config = r#"{"event":"started","receivers":["hook"]}"#;
        store.note("config", config, time(-1000)).await.unwrap();
        store.note("heartbeat", "7", time(0)).await.unwrap();
        let row = |name: &str, minutes: i64, waiting| ReceiverRow {
            name: name.to_owned(),
            failing_since: Some(time(-60 * minutes)),
            why: Some("503 Service Unavailable".to_owned()),
            waiting,
        };
        let reader = Reader::open(&path).unwrap();
        let mut status = gather(&reader, time(0), None, None, |_| true).unwrap();
        status.receivers = vec![row("hook", 29, 2)];
        let text = text(&status);
        let line =
            "receiver       hook failing since 2023-11-14 21:44, 2 wait: 503 Service Unavailable";
        assert!(text.contains(line), "{text}");
        let config: Value = serde_json::from_str(config).unwrap();
        let fail = |row: ReceiverRow| receivers_fail(&[row], Some(&config), time(0)).join("");
        assert_eq!(fail(row("hook", 29, 2)), "");
        assert_eq!(fail(row("hook", 300, 0)), "", "nobody misses anything");
        assert_eq!(
            fail(row("hook", 30, 1)),
            "receiver hook has taken nothing since 2023-11-14 21:43: 503 Service Unavailable; \
             1 delivery waits, see `newswatch deliveries`"
        );
        assert_eq!(
            fail(row("gone", 1, 2)),
            "2 deliveries wait for receiver gone, which is not configured any more"
        );
    }

    fn feed(state: &str, last_ok: Option<i64>, next_due: i64) -> FeedRow {
        FeedRow {
            name: "f".to_owned(),
            url: String::new(),
            effective_url: String::new(),
            state: state.to_owned(),
            state_since: time(0),
            health: Health::Ok,
            failure: None,
            failing_since: None,
            advice: None,
            why: None,
            last_ok: last_ok.map(time),
            last_new_item: None,
            next_due: Some(time(next_due)),
            interval_s: Some(60),
            items: 0,
            items_per_day: 0.0,
            failures: 0,
            gap_at: None,
            migrated_at: None,
        }
    }

    #[track_caller]
    fn check(feeds: &[FeedRow], expected: Option<&str>) {
        let found = polls_fail(feeds, true, time(0));
        match (found, expected) {
            (None, None) => {}
            (Some(found), Some(expected)) if found.contains(expected) => {}
            (found, _) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn disabled_feeds_do_not_hide_that_all_others_fail() {
        let (off, failing) = (feed("disabled", None, -9999), feed("retry", Some(-60), 60));
        check(&[off.clone(), failing.clone()], Some("the one enabled feed is not well"));
        check(&[off.clone(), failing, feed("active", Some(-60), 60)], None);
        check(&[off], None);
        check(&[], None);
    }

    #[test]
    fn a_daemon_that_polls_nothing_is_unhealthy_and_one_with_patient_feeds_is_not() {
        check(&[feed("active", Some(-4000), -700)], Some("1 feed is overdue"));
        check(&[feed("new", None, -700)], Some("1 feed is overdue"));
        check(&[feed("active", Some(-4000), 9000)], None);
        check(&[feed("active", Some(-4000), -700), feed("active", Some(-60), 60)], None);
    }
}
