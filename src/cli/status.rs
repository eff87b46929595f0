//! `newswatch status`: is it healthy?

use std::collections::BTreeMap;
use std::io::Write as _;

use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;

use super::list::{self, short_time};
use super::{Exit, Global};
use crate::clock::Clock;
use crate::store::{Reader, Totals};
use crate::text::clean::clean;

/// A daemon that has not shown itself for so long is not running.
const HEARTBEAT_LIMIT: SignedDuration = SignedDuration::from_mins(2);
/// Somebody who calls `run --once` again and again does so at least this often.
const ONCE_LIMIT: SignedDuration = SignedDuration::from_hours(24);
/// A delivery that has waited for so long is a problem.
const OUTBOX_LIMIT: SignedDuration = SignedDuration::from_mins(30);

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
    last_heartbeat: Option<Timestamp>,
    last_poll: Option<Timestamp>,
    feeds: BTreeMap<String, usize>,
    configuration: Option<Value>,
    configuration_at: Option<Timestamp>,
    totals: Totals,
}

/// Says whether all is well; exit code 1 when not.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> anyhow::Result<Exit> {
    let status = gather(&list::reader(global)?, Clock::System.now())?;
    let mut out = std::io::stdout().lock();
    match arguments.format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(&status)?)?,
        Format::Text => write!(out, "{}", text(&status))?,
    }
    Ok(if status.healthy { Exit::Done } else { Exit::No })
}

fn gather(reader: &Reader, now: Timestamp) -> anyhow::Result<Status> {
    let feeds = reader.feeds(now)?;
    let mut by_state = BTreeMap::new();
    for feed in &feeds {
        *by_state.entry(feed.state.clone()).or_insert(0) += 1;
    }
    let heartbeat = reader.fact("heartbeat")?;
    let configuration = reader.fact("config")?;
    let totals = reader.totals()?;
    let configuration_at = configuration.as_ref().map(|fact| fact.at);
    let configuration: Option<Value> =
        configuration.and_then(|fact| serde_json::from_str(&fact.value).ok());
    let event = configuration.as_ref().and_then(|config| config["event"].as_str());
    let running = !matches!(event, Some("stopped" | "once"))
        && heartbeat.as_ref().is_some_and(|fact| now.duration_since(fact.at) < HEARTBEAT_LIMIT);
    let once = event == Some("once")
        && configuration_at.is_some_and(|at| now.duration_since(at) < ONCE_LIMIT);

    let mut problems = Vec::new();
    if !running && !once {
        problems.push(match (&heartbeat, configuration_at) {
            (_, Some(at)) if event == Some("stopped") => {
                format!("the daemon was stopped at {}", short_time(Some(at)))
            }
            (_, Some(at)) if event == Some("once") => {
                format!("the last `run --once` was at {}", short_time(Some(at)))
            }
            (Some(fact), _) => {
                format!("the daemon has not shown itself since {}", short_time(Some(fact.at)))
            }
            (None, _) => "the daemon has never run".to_owned(),
        });
    }
    if let Some(refused) = configuration.as_ref().and_then(|config| config["problems"].as_str()) {
        problems.push(format!("the last reload was refused:\n{refused}"));
    }
    if !feeds.is_empty()
        && feeds.iter().all(|feed| !matches!(feed.state.as_str(), "new" | "active" | "disabled"))
    {
        problems.push("no feed is well; see `newswatch feeds`".to_owned());
    }
    if totals.deliveries_dead > 0 {
        problems.push(format!(
            "{} deliveries were given up; see `newswatch deliveries --dead`",
            totals.deliveries_dead
        ));
    }
    if let Some(oldest) = totals.oldest_due
        && now.duration_since(oldest) > OUTBOX_LIMIT
    {
        problems.push(format!(
            "{} deliveries wait, the oldest since {}; see `newswatch deliveries`",
            totals.deliveries_due,
            short_time(Some(oldest))
        ));
    }
    Ok(Status {
        healthy: problems.is_empty(),
        problems,
        running,
        last_heartbeat: heartbeat.map(|fact| fact.at),
        last_poll: feeds.iter().filter_map(|feed| feed.last_ok).max(),
        feeds: by_state,
        configuration,
        configuration_at,
        totals,
    })
}

fn text(status: &Status) -> String {
    let mut lines = vec![if status.healthy { "healthy" } else { "NOT HEALTHY" }.to_owned()];
    for problem in &status.problems {
        lines.push(format!("  problem: {}", problem.replace('\n', "\n    ")));
    }
    let feeds: Vec<String> =
        status.feeds.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let totals = &status.totals;
    lines.push(format!("running        {}", if status.running { "yes" } else { "no" }));
    lines.push(format!("last good poll {}", short_time(status.last_poll)));
    lines.push(format!("feeds          {}", feeds.join(", ")));
    if let Some(config) = &status.configuration {
        lines.push(format!(
            "configuration  {} rules, {} feeds, {} {}",
            config["rules"],
            config["feeds"],
            config["event"].as_str().unwrap_or_default(),
            short_time(status.configuration_at)
        ));
    }
    lines.push(format!(
        "stored         {} items, {} hits, {} alerts, {:.1} MB",
        totals.items,
        totals.hits,
        totals.alerts,
        totals.database_bytes as f64 / 1e6
    ));
    lines.push(format!(
        "outbox         {} due, {} dead",
        totals.deliveries_due, totals.deliveries_dead
    ));
    lines.iter().flat_map(|line| line.lines()).map(|line| clean(line).into_owned() + "\n").collect()
}
