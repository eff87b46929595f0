//! `newswatch hits`.

use clap::Args;

use super::list::{self, Column, Filter, Output, short_time};
use super::{Exit, Global};
use crate::clock::Clock;
use crate::store::HitRow;

/// The arguments of `hits`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  newswatch hits --rule russia-nk-arms --since 7d
  newswatch hits --since 2023-09-01 --limit 0 --format csv > hits.csv")]
pub(crate) struct Arguments {
    #[command(flatten)]
    filter: Filter,
}

/// The fields of a row, for CSV.
const FIELDS: &str = "id rule rule_version severity item item_id feed title title_now link matched_at revision spans \
    reason alert story";

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
    let reader = list::reader(global)?;
    let filter = arguments.filter.checked(global, &reader, Clock::System.now())?;
    let mut output = Output::new(arguments.filter.format, COLUMNS).with_fields(FIELDS);
    reader.hits(&filter, |row| output.row(&row))?;
    output.finish()?;
    Ok(Exit::Done)
}
