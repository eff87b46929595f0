//! `newswatch items`.

use clap::Args;

use super::list::{self, Column, Filter, Output, short_time};
use super::{Exit, Global};
use crate::clock::Clock;
use crate::store::ItemRow;

/// The arguments of `items`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  newswatch items --search лавров --since 2d
  newswatch items --feed tass --limit 0 --format jsonl | newswatch match")]
pub(crate) struct Arguments {
    #[command(flatten)]
    filter: Filter,
}

/// The fields of a row, for CSV.
const FIELDS: &str = "key feed id title summary content link lang author tags published first_seen revision \
    flags";

const COLUMNS: &[Column<ItemRow>] = &[
    Column { heading: "FIRST SEEN", cell: |row| short_time(Some(row.first_seen)) },
    Column { heading: "FEED", cell: |row| row.feed.clone() },
    Column { heading: "TITLE", cell: |row| row.title.clone() },
    Column { heading: "LINK", cell: |row| row.link.clone().unwrap_or_default() },
];

/// Lists stored items, newest first.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> anyhow::Result<Exit> {
    let reader = list::reader(global)?;
    let filter = arguments.filter.checked(global, &reader, Clock::System.now())?;
    let mut output = Output::new(arguments.filter.format, COLUMNS).with_fields(FIELDS);
    reader.items(&filter, |row| output.row(&row))?;
    output.finish()?;
    Ok(Exit::Done)
}
