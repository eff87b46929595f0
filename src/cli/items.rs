//! `newswatch items`.

use clap::Args;
use serde::Serialize;

use super::list::{self, Column, Filter, Output, short_time};
use super::{Exit, Global};
use crate::clock::Clock;
use crate::store::{EarlierText, ItemRow};

/// The arguments of `items`.
#[derive(Debug, Args)]
#[command(after_help = "\
In JSON and CSV, `revisions` has what an item said before each edit by its publisher, oldest first, as far as \
it is kept: its headline (`title`), its summary, and when it was found edited (`until`).
Examples:
  newswatch items --search лавров --since 2d
  newswatch items --feed tass --limit 0 --format jsonl | newswatch match")]
pub(crate) struct Arguments {
    #[command(flatten)]
    filter: Filter,
}

/// The fields of a row, for CSV.
const FIELDS: &str = "key feed id title summary content link lang author tags published first_seen revision \
    flags revisions";

/// An item, and what it said before.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    item: ItemRow,
    revisions: Vec<EarlierText>,
}

const COLUMNS: &[Column<Listed>] = &[
    Column { heading: "FIRST SEEN", cell: |row| short_time(Some(row.item.first_seen)) },
    Column { heading: "FEED", cell: |row| row.item.feed.clone() },
    Column { heading: "TITLE", cell: |row| row.item.title.clone() },
    Column { heading: "LINK", cell: |row| row.item.link.clone().unwrap_or_default() },
];

/// Lists stored items, newest first.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> anyhow::Result<Exit> {
    let reader = list::reader(global)?;
    let filter = arguments.filter.checked(global, &reader, Clock::System.now())?;
    let mut output = Output::new(arguments.filter.format, COLUMNS).with_fields(FIELDS);
    reader.items(&filter, |item| {
        let edited = item.revision > 1;
        let revisions = if edited { reader.earlier_texts(&item.key)? } else { Vec::new() };
        output.row(&Listed { item, revisions })
    })?;
    output.finish()?;
    Ok(Exit::Done)
}
