//! `newswatch deliveries`: the outbox.

use clap::{Args, Subcommand};

use super::list::{self, Column, Filter, Output, short_time};
use super::{Exit, Global, config_files, say};
use crate::clock::Clock;
use crate::store::{self, DeliveryRow};

/// The arguments of `deliveries`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
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
    /// Make deliveries that were given up due again; a running daemon sends them within
    /// seconds
    Retry {
        /// The deliveries, as the list names them
        #[arg(required = true, value_name = "ID")]
        ids: Vec<i64>,
    },
}

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
    if let Some(Command::Retry { ids }) = &arguments.command {
        let path = config_files::database_path(global)?;
        let retried = store::retry_dead(&path, ids, now)?;
        say(&format!("{retried} of {} made due again", ids.len()));
        return Ok(if retried == ids.len() { Exit::Done } else { Exit::No });
    }
    let filter = arguments.filter.checked(now)?;
    let mut output = Output::new(arguments.filter.format, COLUMNS);
    list::reader(global)?.deliveries(arguments.dead, &filter, |row| output.row(&row))?;
    output.finish()?;
    Ok(Exit::Done)
}
