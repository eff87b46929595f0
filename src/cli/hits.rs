//! `newswatch hits`.

use clap::Args;

use super::list::{self, Column, Filter, Output, short_time};
use super::{Exit, Global};
use crate::clock::Clock;
use crate::store::HitRow;

/// The arguments of `hits`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    filter: Filter,
}

const COLUMNS: &[Column<HitRow>] = &[
    Column { heading: "MATCHED", cell: |row| short_time(Some(row.matched_at)) },
    Column { heading: "SEVERITY", cell: |row| row.severity.clone() },
    Column { heading: "RULE", cell: |row| row.rule.clone() },
    Column { heading: "FEED", cell: |row| row.feed.clone() },
    Column { heading: "TITLE", cell: |row| row.title.clone() },
    Column { heading: "WORDS", cell: words },
    Column { heading: "WHY", cell: |row| row.reason.clone() },
];

/// The words that matched, each once.
fn words(row: &HitRow) -> String {
    let mut words: Vec<&str> = Vec::new();
    for span in row.spans.as_array().into_iter().flatten() {
        let word = span["text"].as_str().unwrap_or_default();
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(", ")
}

/// Lists stored hits, newest first.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> anyhow::Result<Exit> {
    let filter = arguments.filter.checked(Clock::System.now())?;
    let mut output = Output::new(arguments.filter.format, COLUMNS);
    list::reader(global)?.hits(&filter, |row| output.row(&row))?;
    output.finish()?;
    Ok(Exit::Done)
}
