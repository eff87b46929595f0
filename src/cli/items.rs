//! `newswatch items`.

use clap::Args;

use super::list::{self, Column, Filter, Output, short_time};
use super::{Exit, Global};
use crate::clock::Clock;
use crate::store::ItemRow;

/// The arguments of `items`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    filter: Filter,
}

const COLUMNS: &[Column<ItemRow>] = &[
    Column { heading: "FIRST SEEN", cell: |row| short_time(Some(row.first_seen)) },
    Column { heading: "FEED", cell: |row| row.feed.clone() },
    Column { heading: "TITLE", cell: |row| row.title.clone() },
    Column { heading: "LINK", cell: |row| row.link.clone().unwrap_or_default() },
];

/// Lists stored items, newest first.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> anyhow::Result<Exit> {
    let filter = arguments.filter.checked(Clock::System.now())?;
    let mut output = Output::new(arguments.filter.format, COLUMNS);
    list::reader(global)?.items(&filter, |row| output.row(&row))?;
    output.finish()?;
    Ok(Exit::Done)
}
