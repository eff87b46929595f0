//! `newswatch feeds`: how every feed is doing; `feeds parse`: how a document is understood.

use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::list::{self, Column, Format, Output, exact_time, short_time};
use super::{Exit, Global, feeds_add, feeds_log, feeds_opml, feeds_parse, feeds_poll, feeds_retry};
use crate::clock::Clock;
use crate::config;
use crate::poll::FailureKind;
use crate::schedule::State;
use crate::schedule::health::Health;
use crate::store::FeedRow;

/// The arguments of `feeds`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  newswatch feeds --trouble
  newswatch feeds add https://example.org/
  newswatch feeds poll bbc-world
  newswatch feeds retry bbc-world
  newswatch feeds parse saved-feed.xml
  newswatch feeds import reader.opml > config/feeds/imported.toml"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only those that are not well, with what to do about each
    #[arg(long)]
    trouble: bool,
    /// How to write the list [default: table on a terminal, else jsonl]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show how newswatch understands a feed document
    Parse(feeds_parse::Arguments),
    /// Ask for a feed now and show all that passes; nothing is stored
    Poll(feeds_poll::Arguments),
    /// Have feeds that fail tried at once
    Retry(feeds_retry::Arguments),
    /// List the last polls of a feed: what the server answered, what came, when and why next
    Log(feeds_log::Arguments),
    /// Add a feed to the configuration, by its address or by that of a web page
    Add(feeds_add::Arguments),
    /// Write the feeds of an OPML document as TOML, to review
    Import(feeds_opml::Import),
    /// Write the configuration's feeds as OPML
    Export(feeds_opml::Export),
}

/// The fields of a row, for CSV.
const FIELDS: &str = "name url effective_url state state_since health why failure failing_since advice last_ok last_new_item next_due interval_s \
    items items_per_day failures gap_at migrated_at";

const COLUMNS: &[Column<FeedRow>] = &[
    Column { heading: "FEED", cell: |row| row.name.clone() },
    Column { heading: "HEALTH", cell: |row| row.health.to_string() },
    Column { heading: "STATE", cell: state },
    Column { heading: "LAST OK", cell: |row| time(row, row.last_ok) },
    Column { heading: "NEXT", cell: |row| time(row, row.next_due) },
    Column { heading: "ITEMS", cell: |row| row.items.to_string() },
    Column { heading: "A DAY", cell: |row| format!("{:.1}", row.items_per_day) },
    Column { heading: "EVERY", cell: every },
    Column { heading: "GAP", cell: |row| time(row, row.gap_at) },
    Column { heading: "WHY", cell: why },
];

/// What a person wants to know who looks after what is not well.
const TROUBLE: &[Column<FeedRow>] = &[
    Column { heading: "FEED", cell: |row| row.name.clone() },
    Column { heading: "HEALTH", cell: |row| row.health.to_string() },
    Column { heading: "SINCE", cell: |row| time(row, row.since()) },
    Column { heading: "NEXT", cell: |row| time(row, row.next_due) },
    Column { heading: "WHY", cell: why },
    Column { heading: "TO DO", cell: |row| row.advice.clone().unwrap_or_default() },
];

/// A feed that is asked every few seconds would show the same minute everywhere.
fn time(row: &FeedRow, time: Option<Timestamp>) -> String {
    match row.interval_s {
        Some(..60) => exact_time(time),
        _ => short_time(time),
    }
}

/// Its condition, or what failed.
fn state(row: &FeedRow) -> String {
    let failure = row.failure.as_deref().and_then(FailureKind::from_name);
    State::from_name(&row.state)
        .map_or_else(|| row.state.clone(), |state| state.in_words(failure).to_owned())
}

fn why(row: &FeedRow) -> String {
    let moved = row.effective_url != row.url;
    match (&row.why, row.health) {
        (_, Health::Offline) => "nothing is in reach".to_owned(),
        (Some(why), _) => why.clone(),
        (None, Health::Quiet) => "no new item for longer than it ever takes".to_owned(),
        (None, Health::New) => "never polled".to_owned(),
        (None, _) if moved => format!("moved to {}", row.effective_url),
        (None, _) => String::new(),
    }
}

fn every(row: &FeedRow) -> String {
    row.interval_s.map_or_else(
        || "-".to_owned(),
        |seconds| config::write_duration(Duration::from_secs(seconds.into())),
    )
}

/// Lists the feeds, or parses documents.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> anyhow::Result<Exit> {
    match &arguments.command {
        Some(Command::Parse(arguments)) => return feeds_parse::run(arguments),
        Some(Command::Log(arguments)) => return feeds_log::run(global, arguments),
        Some(Command::Retry(arguments)) => return feeds_retry::run(global, arguments),
        Some(Command::Add(arguments)) => return feeds_add::run(global, arguments),
        Some(Command::Poll(arguments)) => return feeds_poll::run(global, arguments),
        Some(Command::Import(arguments)) => return feeds_opml::import(global, arguments),
        Some(Command::Export(arguments)) => return feeds_opml::export(global, arguments),
        None => {}
    }
    let columns = if arguments.trouble { TROUBLE } else { COLUMNS };
    let minor = &["GAP", "EVERY", "A DAY", "ITEMS", "LAST OK", "STATE", "SINCE"];
    let mut output = Output::new(arguments.format, columns).with_fields(FIELDS).with_minor(minor);
    for row in list::reader(global)?.feeds(Clock::System.now())? {
        if !arguments.trouble || row.is_worth_a_look() {
            output.row(&row)?;
        }
    }
    output.finish()?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> FeedRow {
        FeedRow {
            name: "f".to_owned(),
            url: "https://a.example/".to_owned(),
            effective_url: "https://a.example/".to_owned(),
            state: "active".to_owned(),
            state_since: Timestamp::UNIX_EPOCH,
            health: Health::Ok,
            failure: None,
            failing_since: None,
            advice: None,
            why: None,
            last_ok: None,
            last_new_item: None,
            next_due: None,
            interval_s: None,
            items: 0,
            items_per_day: 0.0,
            failures: 0,
            gap_at: None,
            migrated_at: None,
        }
    }

    /// What the list says of a feed under STATE and WHY.
    #[track_caller]
    fn check(change: impl FnOnce(&mut FeedRow), expected: (&str, &str)) {
        let mut row = row();
        change(&mut row);
        assert_eq!((&*state(&row), &*why(&row)), expected);
    }

    #[test]
    fn the_list_says_what_failed_where_a_feed_went_and_that_nobody_has_asked_yet() {
        check(|_| {}, ("active", ""));
        check(
            |row| {
                row.state = "retry".to_owned();
                row.failure = Some("not-found".to_owned());
                row.why = Some("404 Not Found".to_owned());
            },
            ("not found", "404 Not Found"),
        );
        check(
            |row| row.effective_url = "https://b.example/".to_owned(),
            ("active", "moved to https://b.example/"),
        );
        check(
            |row| {
                row.state = "new".to_owned();
                row.health = Health::New;
            },
            ("new", "never polled"),
        );
    }

    #[test]
    fn times_have_seconds_where_a_feed_is_asked_more_often_than_once_a_minute() {
        let cell = |interval, heading: &str| {
            let at = |second| Timestamp::from_second(second).ok();
            let row = FeedRow { interval_s: interval, last_ok: at(10), next_due: at(20), ..row() };
            let column = COLUMNS.iter().find(|column| column.heading == heading).unwrap();
            (column.cell)(&row)
        };
        assert_eq!(cell(Some(10), "LAST OK"), "1970-01-01 00:00:10");
        assert_eq!(cell(Some(10), "NEXT"), "1970-01-01 00:00:20");
        assert_eq!(cell(Some(60), "NEXT"), "1970-01-01 00:00");
        assert_eq!(cell(None, "NEXT"), "1970-01-01 00:00");
    }
}
