//! `newswatch alerts`: what was told; `--follow` tells it as it happens.

use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::Value;

use super::list::{self, Column, Filter, Format, Output, short_time};
use super::{Exit, Global, Refused, colour, complain, config_files, say, silence, story_history};
use crate::alert::record::AlertRecord;
use crate::alert::render;
use crate::clock::Clock;
use crate::store::{self, Acked, AlertFilter, Reader};
use crate::text::clean::clean;

/// How often `--follow` looks for new alerts.
const FOLLOW_EVERY: Duration = Duration::from_millis(500);
/// How many alerts `--follow` shows first.
const FOLLOW_SHOWS: usize = 10;

/// How many alerts are shown to choose from.
const MOST_CANDIDATES: usize = 20;

/// The arguments of `alerts`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  newswatch alerts --severity critical --since 24h
  newswatch alerts --follow
  newswatch alerts --operator --since 7d
  newswatch alerts show 1c3c5cab0f32
  newswatch alerts ack 1c3c5cab0f32 --why 'told the desk'"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Show the last few, then each new one as it is raised, until ctrl-c
    #[arg(long, short)]
    follow: bool,
    /// Only events of the service itself: broken feeds, dead deliveries, refused reloads …
    #[arg(long, conflicts_with = "rule")]
    operator: bool,
    /// Only what this silence held back
    #[arg(long, value_name = "ID")]
    silence: Option<i64>,
    #[command(flatten)]
    filter: Filter,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show one alert with all its evidence, and what became of its story
    Show {
        /// The alert's id, or a part of it that no other has, as its last twelve characters
        id: String,
        /// The record as JSON
        #[arg(long)]
        json: bool,
    },
    /// Say that alerts were seen, by whom and why
    #[command(after_help = "\
Nobody is told any more that the story goes on, until the picture changes: a first denial or confirmation, \
corroboration, a higher severity. `alerts` and `alerts show` say who acknowledged it.
Example:
  newswatch alerts ack 1c3c5cab0f32 --why 'told the desk'")]
    Ack {
        /// The alerts' ids, or parts of them that no others have
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
        /// Why, or what was done
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
        /// Who [default: you, by $SUDO_USER or $USER]
        #[arg(long, value_name = "NAME")]
        author: Option<String>,
    },
}

/// The first of these that the record has.
fn first(value: &Value, paths: [&str; 2]) -> String {
    let there = paths.into_iter().find(|path| value.pointer(path).is_some_and(Value::is_string));
    there.map(|path| text(value, path)).unwrap_or_default()
}

/// What it tells: a hit, that a story has begun, that an item was edited, what happened to the service …
fn kind(record: &Value) -> String {
    text(record, "/type").trim_start_matches("newswatch.").to_owned()
}

/// The rule; an event of the service has none.
fn rule(record: &Value) -> String {
    Some(text(record, "/data/rule/id")).filter(|rule| !rule.is_empty()).unwrap_or("-".to_owned())
}

fn feed(record: &Value) -> String {
    first(record, ["/data/item/feed/id", "/data/operator/feeds/0"])
}

fn title(record: &Value) -> String {
    first(record, ["/data/item/title", "/data/operator/title"])
}

/// What keeps it from people, and who has seen it.
fn state(record: &Value) -> String {
    let states = [("silence", "/data/silenced_by"), ("acked by", "/data/acked_by")];
    let told = states.map(|(what, path)| (what, text(record, path)));
    let told = told.iter().filter(|(_, text)| !text.is_empty());
    told.map(|(what, text)| format!("{what} {text}")).collect::<Vec<_>>().join(", ")
}

fn text(value: &Value, path: &str) -> String {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// What tells alerts apart whose ids begin alike.
fn candidate(record: &Value) -> String {
    let cells = [
        text(record, "/id"),
        text(record, "/recordedtime"),
        kind(record),
        rule(record),
        title(record),
    ];
    clean(&cells.join("  ")).into_owned()
}

/// The fields of a row, for CSV.
const FIELDS: &str = "specversion id source type subject time recordedtime sequence severitytext \
    severitynumber correlationid causationid datacontenttype dataschema data";

const COLUMNS: &[Column<Value>] = &[
    Column { heading: "TIME", cell: |row| short_time(text(row, "/recordedtime").parse().ok()) },
    Column { heading: "SEVERITY", cell: |row| text(row, "/severitytext").to_lowercase() },
    Column { heading: "KIND", cell: kind },
    Column { heading: "RULE", cell: rule },
    Column { heading: "FEED", cell: feed },
    Column { heading: "TITLE", cell: title },
    Column { heading: "STATE", cell: state },
    Column { heading: "ID", cell: |row| text(row, "/id") },
];

/// Lists, follows or shows alerts.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> anyhow::Result<Exit> {
    let reader = list::reader(global)?;
    match &arguments.command {
        Some(Command::Show { id, json }) => {
            return show(&reader, id, *json, Clock::System.now());
        }
        Some(Command::Ack { ids, why, author }) => {
            let author = silence::author(author.as_deref())?;
            let why = why
                .as_deref()
                .map(|why| silence::short(why, "--why", silence::LONGEST_WHY))
                .transpose()?;
            return ack(global, &reader, ids, &author, why.as_deref());
        }
        None => {}
    }
    let filter = arguments.filter.checked(global, &reader, Clock::System.now())?;
    let filter = AlertFilter { operator: arguments.operator, silence: arguments.silence, ..filter };
    if arguments.follow {
        return follow(&reader, arguments, &filter);
    }
    let mut output =
        Output::new(arguments.filter.format, COLUMNS).with_fields(FIELDS).with_minor(&["FEED"]);
    reader.alerts(&filter, |record| output.row(&record))?;
    output.finish()?;
    Ok(Exit::Done)
}

fn show(reader: &Reader, id: &str, json: bool, now: Timestamp) -> anyhow::Result<Exit> {
    let Some(record) = find(reader, id)? else { return Ok(Exit::No) };
    if json {
        print(record, Format::Json)?;
        return Ok(Exit::Done);
    }
    let item = text(&record, "/causationid");
    let rule = record.pointer("/data/rule/id").and_then(Value::as_str);
    let story = rule.map(|rule| reader.story_of(rule, &item)).transpose()?.flatten();
    let id = text(&record, "/id");
    print(record, Format::Table)?;
    let Some(story) = story else { return Ok(Exit::Done) };
    if let Some(history) = reader.story_history(&story, now)? {
        writeln!(std::io::stdout(), "{}", story_history::in_short(&history, &id))?;
    }
    Ok(Exit::Done)
}

/// The one alert that has `id` in its id; says what there is where it is not one.
fn find(reader: &Reader, id: &str) -> anyhow::Result<Option<Value>> {
    let (mut records, count) = reader.alerts_named(id, MOST_CANDIDATES)?;
    match (records.pop(), count) {
        (Some(record), 1) => return Ok(Some(record)),
        (None, _) => complain(&format!("newswatch: no alert has {id:?} in its id")),
        (Some(last), _) => {
            complain(&format!("newswatch: {count} alerts have {id:?} in their ids:"));
            records.push(last);
            for record in &records {
                say(&candidate(record));
            }
            if count > records.len() as u64 {
                say("…");
            }
        }
    }
    Ok(None)
}

/// Acknowledges alerts, those that are found; exit code 1 where one is not.
fn ack(
    global: &Global,
    reader: &Reader,
    ids: &[String],
    author: &str,
    why: Option<&str>,
) -> anyhow::Result<Exit> {
    let mut found: Vec<String> = Vec::new();
    for id in ids {
        found.extend(find(reader, id)?.map(|record| text(&record, "/id")));
    }
    if found.is_empty() {
        return Ok(Exit::No);
    }
    let path = config_files::database_path(global)?;
    let acked = store::ack_alerts(&path, &found, author, why, Clock::System.now())?;
    let mut all = found.len() == ids.len();
    for (id, acked) in found.iter().zip(acked) {
        match acked {
            Acked::Now => say(&format!("alert {id} is acknowledged")),
            Acked::Before { by } => {
                say(&format!("alert {id} was acknowledged by {} before", clean(&by)));
            }
            // It was there a moment ago.
            Acked::Unknown => all = false,
        }
    }
    Ok(if all { Exit::Done } else { Exit::No })
}

fn follow(reader: &Reader, arguments: &Arguments, filter: &AlertFilter) -> anyhow::Result<Exit> {
    let format = Format::or_default(arguments.filter.format);
    if matches!(format, Format::Json | Format::Csv) {
        return Err(Refused::usage("--follow writes table or jsonl: the others have an end"));
    }
    let first = AlertFilter { limit: Some(FOLLOW_SHOWS), ..filter.clone() };
    let rest = AlertFilter { limit: None, ..filter.clone() };
    let (mut shown, mut filter) = (0, &first);
    loop {
        // What is raised while this is read comes with the next look.
        let newest = reader.newest_alert()?;
        if newest > shown {
            let mut records = Vec::new();
            reader.alerts_between(shown, newest, filter, |record| {
                records.push(record);
                Ok(())
            })?;
            for record in records.into_iter().rev() {
                print(record, format)?;
            }
        }
        (shown, filter) = (newest, &rest);
        std::thread::sleep(FOLLOW_EVERY);
    }
}

fn print(record: Value, format: Format) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if format == Format::Table {
        let record: AlertRecord =
            serde_json::from_value(record).context("the stored record is unreadable")?;
        writeln!(out, "{}", render::block(&record, colour()))?;
    } else {
        writeln!(out, "{record}")?;
    }
    out.flush()?;
    Ok(())
}
