//! `newswatch nearmiss`: the items that lack one thing that a rule asks for.

use std::io::Write as _;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::backtest::words;
use super::list::{Column, Format, Output, short_time};
use super::past::Past;
use super::{Exit, Global, config_files, say};
use crate::clock::Clock;
use crate::hit::Span;
use crate::rules::{self, Compiled};
use crate::text;

/// The arguments of `nearmiss`.
#[derive(Debug, Args)]
#[command(after_help = "\
Items are grouped by what they miss, the smallest group first: it is the nearest.
Example:
  newswatch nearmiss putin-china-visit --since 30d")]
pub(crate) struct Arguments {
    /// The rule
    rule: String,
    #[command(flatten)]
    past: Past,
    /// At most so many items a group, the first; 0 for all. All are counted
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: usize,
    /// How to write the list [default: table on a terminal, else jsonl]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
}

/// An item that misses something.
#[derive(Debug, Serialize)]
struct Row {
    /// What it misses, as the rule writes it.
    misses: String,
    item: String,
    item_id: Option<String>,
    feed: String,
    title: String,
    link: Option<String>,
    at: Option<Timestamp>,
    /// What stands between the words that are too far apart.
    gap: Option<String>,
    /// The words that were found.
    spans: Vec<Span>,
}

const COLUMNS: &[Column<Row>] = &[
    Column { heading: "TIME", cell: |row| short_time(row.at) },
    Column { heading: "FEED", cell: |row| row.feed.clone() },
    Column { heading: "TITLE", cell: |row| row.title.clone() },
    Column { heading: "FOUND", cell: |row| words(&row.spans) },
    Column { heading: "GAP", cell: |row| row.gap.clone().unwrap_or_default() },
];

/// Lists near misses; exit code 1 when there is none.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> anyhow::Result<Exit> {
    let Some(config) = config_files::usable(global)? else { return Ok(Exit::Config) };
    let rule = &arguments.rule;
    let Compiled { set, sources, .. } =
        rules::compile_rule(rule, &config_files::read(global)?.rules);
    let set = set.unwrap_or_default();
    let Some(mut misses) = sources.near_misses(&set, rule) else {
        return config_files::no_such_rule(&config.rules, rule);
    };
    let most = if arguments.limit == 0 { usize::MAX } else { arguments.limit };
    let mut groups: Vec<(usize, Vec<Row>)> = Vec::new();
    groups.resize_with(misses.clauses().len(), Default::default);
    let count = arguments.past.each(global, &config, Clock::System.now(), |past| {
        let Some(miss) = misses.check(&past.item, past.origin()) else { return Ok(()) };
        let (count, rows) = &mut groups[miss.clause];
        *count += 1;
        if rows.len() < most {
            rows.push(Row {
                misses: misses.clauses()[miss.clause].to_string(),
                item: past.name,
                item_id: past.item.id,
                feed: past.feed,
                title: past.item.title,
                link: past.item.link,
                at: past.at,
                gap: miss.gap,
                spans: miss.spans,
            });
        }
        Ok(())
    })?;
    let mut order: Vec<usize> = (0..groups.len()).filter(|group| groups[*group].0 > 0).collect();
    order.sort_by_key(|group| groups[*group].0);
    let heading = |group: usize| {
        let items = groups[group].0;
        let miss = if items == 1 { "misses" } else { "miss" };
        format!("{items} {miss} only {}", misses.clauses()[group])
    };
    if Format::or_default(arguments.format) == Format::Table {
        for group in &order {
            writeln!(std::io::stdout(), "{}", heading(*group))?;
            list(&groups[*group].1, Format::Table)?;
        }
    } else {
        let rows = order.iter().flat_map(|group| &groups[*group].1);
        list(rows, Format::or_default(arguments.format))?;
        order.iter().for_each(|group| say(&heading(*group)));
    }
    say(&text::count(count, "item"));
    Ok(if order.is_empty() { Exit::No } else { Exit::Done })
}

fn list<'r>(rows: impl IntoIterator<Item = &'r Row>, format: Format) -> anyhow::Result<()> {
    let mut output = Output::new(Some(format), COLUMNS);
    for row in rows {
        output.row(row)?;
    }
    output.finish()
}
