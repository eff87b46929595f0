//! `newswatch deliveries`: the outbox.

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::list::{self, Column, Filter, Output, short_time};
use super::{Exit, Global, complain, config_files, say};
use crate::clock::Clock;
use crate::store::{self, DeliveryRow, Retried};

/// The arguments of `deliveries`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  newswatch deliveries --dead
  newswatch deliveries retry 12 13
  newswatch deliveries retry --since 2d"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only those that were given up
    #[arg(long)]
    dead: bool,
    #[command(flatten)]
    filter: Filter,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make deliveries due now that were given up, or that wait because an attempt failed; a
    /// running daemon sends them within seconds
    Retry {
        /// The deliveries, as the list names them
        #[arg(required_unless_present = "since", value_name = "ID")]
        ids: Vec<i64>,
        /// All that were given up since then, and all that wait: a time as 2023-09-18 or 2023-09-18T10:00Z, or a while ago as 12h
        #[arg(long, value_name = "TIME", conflicts_with = "ids")]
        since: Option<String>,
    },
}

/// The fields of a row, for CSV.
const FIELDS: &str = "id alert receiver state attempts last_error next_attempt digest";

const COLUMNS: &[Column<DeliveryRow>] = &[
    Column { heading: "ID", cell: |row| row.id.to_string() },
    Column { heading: "RECEIVER", cell: |row| row.receiver.clone() },
    Column { heading: "STATE", cell: |row| row.state.clone() },
    Column { heading: "ATTEMPTS", cell: |row| row.attempts.to_string() },
    Column { heading: "NEXT", cell: |row| short_time(row.next_attempt) },
    Column { heading: "ALERT", cell: |row| row.alert.clone() },
    Column { heading: "LAST ERROR", cell: |row| row.last_error.clone().unwrap_or_default() },
];

/// Lists the outbox, or retries.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> anyhow::Result<Exit> {
    let now = Clock::System.now();
    if let Some(Command::Retry { ids, since }) = &arguments.command {
        let path = config_files::database_path(global)?;
        if let Some(since) = since {
            let since = list::moment(since, now).context("--since")?;
            let due = store::retry_failed_since(&path, since, now)?;
            say(&format!("{due} made due again"));
            return Ok(if due > 0 { Exit::Done } else { Exit::No });
        }
        let retried = store::retry_failed(&path, ids, now)?;
        for (id, retried) in ids.iter().zip(&retried) {
            match retried {
                Retried::Due => {}
                Retried::Untried => say(&format!("delivery {id} has not been tried yet")),
                Retried::WasSent => say(&format!("delivery {id} was sent")),
                Retried::Unknown => complain(&format!("newswatch: there is no delivery {id}")),
            }
        }
        let due = retried.iter().filter(|retried| **retried == Retried::Due).count();
        say(&format!("{due} of {} made due again", ids.len()));
        return Ok(if due == ids.len() { Exit::Done } else { Exit::No });
    }
    let reader = list::reader(global)?;
    let filter = arguments.filter.checked(global, &reader, now)?;
    let mut output = Output::new(arguments.filter.format, COLUMNS).with_fields(FIELDS);
    reader.deliveries(arguments.dead, &filter, |row| output.row(&row))?;
    output.finish()?;
    Ok(Exit::Done)
}
