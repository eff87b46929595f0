//! `newswatch alerts`: what was told; `--follow` tells it as it happens.

use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::list::{self, Column, Filter, Format, Output};
use super::{Exit, Global, colour};
use crate::alert::record::AlertRecord;
use crate::alert::render;
use crate::clock::Clock;
use crate::store::Reader;

/// How often `--follow` looks for new alerts.
const FOLLOW_EVERY: Duration = Duration::from_millis(500);
/// How many alerts `--follow` shows first.
const FOLLOW_SHOWS: usize = 10;

/// The arguments of `alerts`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Show the last few, then each new one as it is raised, until ctrl-c
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    filter: Filter,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show one alert with all its evidence
    Show {
        /// The alert's id, or the start or a part of it
        id: String,
        /// The record as JSON
        #[arg(long)]
        json: bool,
    },
}

fn text(value: &Value, path: &str) -> String {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
}

const COLUMNS: &[Column<Value>] = &[
    Column { heading: "TIME", cell: |row| text(row, "/recordedtime").replace('T', " ") },
    Column { heading: "SEVERITY", cell: |row| text(row, "/severitytext").to_lowercase() },
    Column { heading: "RULE", cell: |row| text(row, "/data/rule/id") },
    Column { heading: "FEED", cell: |row| text(row, "/data/item/feed/id") },
    Column { heading: "TITLE", cell: |row| text(row, "/data/item/title") },
    Column { heading: "ID", cell: |row| text(row, "/id") },
];

/// Lists, follows or shows alerts.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> anyhow::Result<Exit> {
    let reader = list::reader(global)?;
    if let Some(Command::Show { id, json }) = &arguments.command {
        return show(&reader, id, *json);
    }
    let filter = arguments.filter.checked(Clock::System.now())?;
    if arguments.follow {
        return follow(&reader, arguments, &filter);
    }
    let mut output = Output::new(arguments.filter.format, COLUMNS);
    reader.alerts(&filter, |record| output.row(&record))?;
    output.finish()?;
    Ok(Exit::Done)
}

fn show(reader: &Reader, id: &str, json: bool) -> anyhow::Result<Exit> {
    let Some(record) = reader.alert(id)? else {
        super::say(&format!("no alert, or more than one, has {id:?} in its id"));
        return Ok(Exit::No);
    };
    print(record, if json { Format::Json } else { Format::Table })?;
    Ok(Exit::Done)
}

fn follow(
    reader: &Reader,
    arguments: &Arguments,
    filter: &crate::store::AlertFilter,
) -> anyhow::Result<Exit> {
    let format = arguments.filter.format.unwrap_or(Format::Table);
    let mut last = reader.newest_alert()?;
    let mut shown = Vec::new();
    let first = crate::store::AlertFilter { limit: Some(FOLLOW_SHOWS), ..filter.clone() };
    reader.alerts(&first, |record| {
        shown.push(record);
        Ok(())
    })?;
    for record in shown.into_iter().rev() {
        print(record, format)?;
    }
    loop {
        for (sequence, record) in reader.alerts_after(last)? {
            last = sequence;
            if passes(&record, filter) {
                print(record, format)?;
            }
        }
        std::thread::sleep(FOLLOW_EVERY);
    }
}

/// Whether a new alert is one of those asked for.
fn passes(record: &Value, filter: &crate::store::AlertFilter) -> bool {
    let is = |wanted: &Option<String>, path| {
        wanted.as_ref().is_none_or(|wanted| text(record, path) == *wanted)
    };
    is(&filter.rule, "/data/rule/id")
        && is(&filter.feed, "/data/item/feed/id")
        && filter.severity.is_none_or(|severity| {
            text(record, "/severitytext").eq_ignore_ascii_case(severity.as_str())
        })
        && filter.search.as_ref().is_none_or(|search| {
            text(record, "/data/item/title").to_lowercase().contains(&search.to_lowercase())
        })
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
