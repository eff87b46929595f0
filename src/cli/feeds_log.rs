//! `newswatch feeds log`: the last polls of a feed.

use clap::Args;

use super::list::{self, Column, Format, Output, exact_time};
use super::{Exit, Global, Refused};
use crate::store::PollRow;

/// The arguments of `feeds log`.
#[derive(Debug, Args)]
#[command(after_help = "\
REASON says what decided when the next poll was due: interval (fixed), new (too little is known), rate (how
often it brings something), gap (or items would be missed), unconditional (the server sends everything each
time), fresh (max-age), asked (ttl), skip (skipHours), backoff, retry-after, offline.

Examples:
  newswatch feeds log bbc-world
  newswatch feeds log bbc-world --format csv")]
pub(crate) struct Arguments {
    /// The name of the feed
    #[arg(value_name = "NAME")]
    name: String,
    /// How to write the list [default: table on a terminal, else jsonl]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
}

/// The fields of a row, for CSV.
const FIELDS: &str = "time status result bytes items new ms next_due reason";

const COLUMNS: &[Column<PollRow>] = &[
    Column { heading: "TIME", cell: |row| exact_time(Some(row.time)) },
    Column {
        heading: "STATUS",
        cell: |row| row.status.map_or_else(|| "-".to_owned(), |status| status.to_string()),
    },
    Column { heading: "RESULT", cell: |row| row.result.to_owned() },
    Column { heading: "BYTES", cell: |row| row.bytes.to_string() },
    Column { heading: "ITEMS", cell: |row| row.items.to_string() },
    Column { heading: "NEW", cell: |row| row.new.to_string() },
    Column { heading: "MS", cell: |row| row.ms.to_string() },
    Column { heading: "NEXT", cell: |row| exact_time(Some(row.next_due)) },
    Column { heading: "REASON", cell: |row| row.reason.to_owned() },
];

/// Lists the last polls of a feed, newest first.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> anyhow::Result<Exit> {
    let reader = list::reader(global)?;
    let Some(polls) = reader.polls(&arguments.name)? else {
        let feeds = reader.feed_names()?;
        let name = [arguments.name.clone()];
        list::known("feed", &name, feeds.iter().map(String::as_str))?;
        return Err(Refused::usage(format!("there is no feed {:?}", arguments.name)));
    };
    let mut output = Output::new(arguments.format, COLUMNS).with_fields(FIELDS);
    for row in &polls {
        output.row(row)?;
    }
    output.finish()?;
    Ok(Exit::Done)
}
