//! `newswatch route`: who would be told of an alert, when, and why.

use std::io::Write as _;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Serialize;

use super::list::{self, Column, Format, Output};
use super::{Exit, Global, config_files, config_show, say};
use crate::alert::route::{self, Held, Planned, Subject};
use crate::alert::silence;
use crate::clock::Clock;
use crate::config::{Config, Route};
use crate::hit::Severity;
use crate::store::{Reader, StoreError};

/// The arguments of `route`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  newswatch route test --rule wang-yi-lavrov
  newswatch route test --rule wang-yi-lavrov --at 2023-09-18T23:30:00Z
  newswatch route test --tag dprk --severity critical")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show who would be told of an alert, when, and by which route; exit code 1 when nobody would
    #[command(after_help = "\
Silences in force are taken into account, as far as --rule, --tag, --feed, --entity and --severity say enough \
to know. Nothing is sent.")]
    Test(Test),
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").args(["rule", "tag"]).required(true).multiple(true))]
struct Test {
    /// An alert of this rule
    #[arg(long, value_name = "ID")]
    rule: Option<String>,
    /// With this tag, besides those of the rule; may be given several times
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Of this severity: critical, high, medium, low [default: the rule's own, else medium]
    #[arg(long, value_name = "SEVERITY", value_parser = list::severity)]
    severity: Option<Severity>,
    /// On an item of this feed
    #[arg(long, value_name = "NAME")]
    feed: Option<String>,
    /// On an item that names this entity; may be given several times
    #[arg(long, value_name = "NAME")]
    entity: Vec<String>,
    /// Raised at this time: 2023-09-18T23:30:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// How to write it [default: table on a terminal, else jsonl]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
}

/// What a receiver would get.
#[derive(Debug, Serialize)]
struct Row {
    receiver: String,
    /// `told`, or `muted`, when a silence keeps it from this receiver.
    state: &'static str,
    /// When it would be sent; absent where it would not.
    due: Option<Timestamp>,
    /// `immediate`, `digest` or `quiet`.
    mode: &'static str,
    /// The number of the route, from 1; absent where no route decides.
    route: Option<usize>,
    /// Its line in newswatch.toml.
    line: Option<usize>,
    /// The silence that mutes it.
    silenced_by: Option<i64>,
    /// Why, for a person.
    why: String,
}

/// The fields of a row, for CSV.
const FIELDS: &str = "receiver state due mode route line silenced_by why";

const COLUMNS: &[Column<Row>] = &[
    Column { heading: "RECEIVER", cell: |row| row.receiver.clone() },
    Column { heading: "STATE", cell: |row| row.state.to_owned() },
    Column { heading: "DUE", cell: |row| list::short_time(row.due) },
    Column { heading: "MODE", cell: |row| row.mode.to_owned() },
    Column { heading: "WHY", cell: |row| row.why.clone() },
];

/// Says who would be told.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> anyhow::Result<Exit> {
    let Command::Test(test) = &arguments.command;
    let Some(config) = config_files::usable(global)? else { return Ok(Exit::Config) };
    let rule = test.rule.as_deref();
    let known = rule.map(|id| config.rules.rules().iter().find(|rule| *rule.id == *id));
    let rule = match (known, rule) {
        (Some(None), Some(id)) => return config_files::no_such_rule(&config.rules, id),
        (known, _) => known.flatten(),
    };
    let at = test.at.as_deref().map(list::point).transpose()?;
    let now = at.unwrap_or_else(|| Clock::System.now());
    let mut tags = rule.map(|rule| rule.tags.to_vec()).unwrap_or_default();
    tags.extend(test.tag.iter().cloned());
    let subject = Subject {
        rule: rule.map_or("", |rule| &rule.id),
        tags: &tags,
        notify: rule.map_or(&[], |rule| &rule.notify),
        severity: test.severity.or(rule.map(|rule| rule.severity)).unwrap_or(Severity::Medium),
    };
    let planned = route::plan(&config.routes, &config.receivers, &subject, now);
    let silence = silence(&config, test, &subject, now)?;
    let mut output = Output::new(test.format, COLUMNS).with_fields(FIELDS);
    let mut told = false;
    for planned in &planned {
        let row = row(&config, planned, &subject, silence.as_ref());
        told |= row.due.is_some();
        output.row(&row)?;
    }
    output.finish()?;
    std::io::stdout().flush()?;
    if planned.is_empty() {
        say(&format!("no route takes it: {}", nobody(&config.routes, &subject)));
    }
    Ok(if told { Exit::Done } else { Exit::No })
}

/// The silence that would mute it at that time; none where nothing is stored yet.
fn silence(
    config: &Config,
    test: &Test,
    subject: &Subject<'_>,
    now: Timestamp,
) -> anyhow::Result<Option<silence::Silence>> {
    let silences = match Reader::open(&config.store.path) {
        Ok(reader) => reader.silences_in_force(now)?,
        Err(StoreError::Missing { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let subject = silence::Subject {
        rule: subject.rule,
        tags: subject.tags,
        feed: test.feed.as_deref(),
        entities: test.entity.iter().map(|name| name.trim_start_matches('@')).collect(),
        severity: subject.severity,
    };
    Ok(silence::holding(&silences, &subject).cloned())
}

fn row(
    config: &Config,
    planned: &Planned<'_>,
    subject: &Subject<'_>,
    silence: Option<&silence::Silence>,
) -> Row {
    let receiver = config.receivers.iter().find(|receiver| receiver.name == planned.receiver);
    // Logs get what silences keep from people.
    let silence = silence.filter(|_| !receiver.is_some_and(|receiver| receiver.kind.is_log()));
    let route = planned.route.map(|index| (index, &config.routes[index]));
    let mut why = match route {
        Some((index, route)) => {
            format!("route {} (line {}) takes {}", index + 1, route.line, takes(route))
        }
        None if subject.notify.is_empty() => "there is no route: everybody is told".to_owned(),
        None => format!("rule {} names its receivers", subject.rule),
    };
    if let Some((_, route)) = route {
        why += &match planned.due.held {
            None => String::new(),
            Some(held) => waits(route, held, planned.due.at),
        };
    }
    if let Some(silence) = silence {
        why = format!(
            "silence {} until {}, by {}: {}; else {why}",
            silence.id,
            list::short_time(Some(silence.until)),
            silence.author,
            silence.why
        );
    }
    Row {
        receiver: planned.receiver.to_owned(),
        state: if silence.is_some() { "muted" } else { "told" },
        due: silence.is_none().then_some(planned.due.at),
        mode: match planned.due.held {
            None => "immediate",
            Some(Held::Digest) => "digest",
            Some(Held::Quiet) => "quiet",
            Some(Held::Bulletin) => "bulletin",
        },
        route: route.map(|(index, _)| index + 1),
        line: route.map(|(_, route)| route.line),
        silenced_by: silence.map(|silence| silence.id),
        why,
    }
}

/// What a route takes, in a few words.
fn takes(route: &Route) -> String {
    let severity: Vec<&str> = route.severity.iter().map(|severity| severity.as_str()).collect();
    let lists = [
        ("severity", severity.join(" or ")),
        ("tag", route.tags.join(" or ")),
        ("rule", route.rule.join(" or ")),
    ];
    let named: Vec<String> = lists
        .iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(what, list)| format!("{what} {list}"))
        .collect();
    if named.is_empty() { "everything".to_owned() } else { named.join(", ") }
}

/// Why an alert waits, by the clock of the route.
fn waits(route: &Route, held: Held, until: Timestamp) -> String {
    let clock = route.timezone.to_datetime(until).strftime("%H:%M").to_string();
    let zone = config_show::zone_name(&route.timezone);
    match held {
        Held::Digest => format!("; its digest goes at {clock} {zone}"),
        Held::Quiet => format!("; its quiet hours end at {clock} {zone}"),
        Held::Bulletin => String::new(),
    }
}

/// Why no route takes an alert: what each asks for.
fn nobody(routes: &[Route], subject: &Subject<'_>) -> String {
    let asked: Vec<String> = routes.iter().map(takes).collect();
    let tags = if subject.tags.is_empty() { "none".to_owned() } else { subject.tags.join(", ") };
    format!(
        "it has severity {}, tags {tags}; the routes take {}",
        subject.severity,
        asked.join("; ")
    )
}
