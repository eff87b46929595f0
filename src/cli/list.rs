//! What all list commands share: the filter options, and how rows are written.

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum};
use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Row, Table, presets};
use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;

use super::{Global, Refused, config_files};
use crate::config::toml_file::nearest;
use crate::hit::Severity;
use crate::store::{ItemFilter, Reader};
use crate::text::clean::clean;

/// A cell that is wider than this may be broken into lines.
const WORDY: usize = 24;
/// The space around a cell.
const PADDING: usize = 2;
/// Names that are listed when none is like what was asked for.
const MOST_NAMED: usize = 20;

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for a person.
    Table,
    /// One JSON array.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a header.
    Csv,
}

impl Format {
    /// What was asked for, else a table on a terminal and lines for a program.
    pub(crate) fn or_default(format: Option<Self>) -> Self {
        let terminal = io::stdout().is_terminal();
        format.unwrap_or(if terminal { Self::Table } else { Self::Jsonl })
    }
}

/// The options that choose rows.
#[derive(Debug, Clone, Args)]
pub(crate) struct Filter {
    /// Only of this rule
    #[arg(long, value_name = "ID")]
    pub(crate) rule: Option<String>,
    /// Only of this feed
    #[arg(long, value_name = "NAME")]
    pub(crate) feed: Option<String>,
    /// Only of this severity: critical, high, medium, low
    #[arg(long, value_name = "SEVERITY", value_parser = severity)]
    pub(crate) severity: Option<Severity>,
    /// Only from this time on: 30m, 12h, 7d, 2023-09-18, or 2023-09-18T10:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Only with this text in it, whatever its case, in any script
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
    /// At most so many, the newest; 0 for all
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) limit: usize,
    /// How to write the list [default: table on a terminal, else jsonl]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
}

impl Filter {
    /// The filter as the store takes it. A rule and a feed must be known, to the configuration or by
    /// what is stored: no answer must be the answer to a slip.
    pub(crate) fn checked(
        &self,
        global: &Global,
        reader: &Reader,
        now: Timestamp,
    ) -> anyhow::Result<ItemFilter> {
        let (stored_rules, stored_feeds) = (reader.rules_with_hits()?, reader.feed_names()?);
        let unknown = |name: &Option<String>, stored: &[String]| {
            name.clone().into_iter().filter(|name| !stored.contains(name)).collect::<Vec<_>>()
        };
        let rule = unknown(&self.rule, &stored_rules);
        let feed = unknown(&self.feed, &stored_feeds);
        if !(rule.is_empty() && feed.is_empty())
            && let Ok(config) = config_files::load(global)?
        {
            let rules = config.rules.rules().iter().map(|rule| &*rule.id);
            known("rule", &rule, rules.chain(stored_rules.iter().map(String::as_str)))?;
            let feeds = config.feeds.iter().map(|feed| feed.name.as_str());
            known("feed", &feed, feeds.chain(stored_feeds.iter().map(String::as_str)))?;
        }
        let time = |option: &'static str, text: &Option<String>| {
            text.as_deref().map(|text| moment(text, now).context(option)).transpose()
        };
        Ok(ItemFilter {
            feed: self.feed.clone(),
            rule: self.rule.clone(),
            operator: false,
            silence: None,
            severity: self.severity,
            since: time("--since", &self.since)?,
            until: time("--until", &self.until)?,
            search: self.search.clone(),
            limit: (self.limit > 0).then_some(self.limit),
        })
    }
}

/// Refuses a name that is none of the known ones, with the nearest.
pub(super) fn known<'a>(
    what: &str,
    names: &[String],
    known: impl Iterator<Item = &'a str>,
) -> anyhow::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let mut known: Vec<&str> = known.collect();
    known.sort_unstable();
    known.dedup();
    let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) else {
        return Ok(());
    };
    let hint = match nearest(unknown, known.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None if known.is_empty() => "there is none at all".to_owned(),
        None if known.len() <= MOST_NAMED => format!("there are {}", known.join(", ")),
        None => format!("none of the {} has a name like it", known.len()),
    };
    Err(Refused::usage(format!("there is no {what} {unknown:?}; {hint}")))
}

/// The severity of that name.
pub(crate) fn severity(name: &str) -> Result<Severity, String> {
    Severity::from_name(name).ok_or_else(|| "one of critical, high, medium, low".to_owned())
}

/// A time as a person writes it: how long ago, a day, or a full time.
pub(crate) fn moment(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    if let Ok(ago) = crate::config::duration(text) {
        let then = SignedDuration::try_from(ago).ok().and_then(|ago| now.checked_sub(ago).ok());
        return then.ok_or_else(|| Refused::usage(format!("{text:?} is too long ago")));
    }
    time(text).ok_or_else(|| {
        Refused::usage(format!(
            "{text:?} is no time: write 30m, 12h, 7d, 2023-09-18 or 2023-09-18T10:00:00Z"
        ))
    })
}

/// A time as a person writes it: a day or a full time.
pub(crate) fn point(text: &str) -> anyhow::Result<Timestamp> {
    time(text).ok_or_else(|| {
        Refused::usage(format!(
            "{text:?} is no time: write 2023-09-18T10:00:00Z, 2023-09-18T12:00+02:00 or 2023-09-18"
        ))
    })
}

fn time(text: &str) -> Option<Timestamp> {
    let day = || text.parse().map(|day: Date| day.at(0, 0, 0, 0));
    text.parse().or_else(|_| day().and_then(|day| Offset::UTC.to_timestamp(day))).ok()
}

/// Opens the database that the options or the configuration name.
pub(crate) fn reader(global: &Global) -> anyhow::Result<Reader> {
    let path = config_files::database_path(global)?;
    Ok(Reader::open(&path)?)
}

/// A column of a table.
pub(crate) struct Column<T> {
    /// Its heading.
    pub(crate) heading: &'static str,
    /// What it shows of a row; cleaned before it is shown.
    pub(crate) cell: fn(&T) -> String,
}

/// Writes rows as they come, so that a list of any length takes little memory.
pub(crate) struct Output<T: 'static> {
    format: Format,
    columns: &'static [Column<T>],
    fields: Option<Vec<String>>,
    terminal: bool,
    minor: &'static [&'static str],
    table: Table,
    csv: Option<csv::Writer<io::Stdout>>,
    rows: usize,
}

impl<T: Serialize> Output<T> {
    /// Starts a list.
    pub(crate) fn new(format: Option<Format>, columns: &'static [Column<T>]) -> Self {
        let terminal = io::stdout().is_terminal();
        let format = Format::or_default(format);
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(if terminal {
                ContentArrangement::Dynamic
            } else {
                ContentArrangement::Disabled
            })
            .set_header(columns.iter().map(|column| column.heading));
        Self { format, columns, fields: None, terminal, minor: &[], table, csv: None, rows: 0 }
    }

    /// Names the fields of a row in their order, so that CSV has its header without any row; else
    /// the first row names them.
    pub(crate) fn with_fields(mut self, fields: &str) -> Self {
        self.fields = Some(fields.split(' ').map(str::to_owned).collect());
        self
    }

    /// Names columns that a terminal which is too narrow for all can do without, the first soonest.
    pub(crate) fn with_minor(mut self, headings: &'static [&'static str]) -> Self {
        self.minor = headings;
        self
    }

    /// Writes a row.
    pub(crate) fn row(&mut self, row: &T) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        match self.format {
            Format::Table => {
                let cells =
                    self.columns.iter().map(|column| clean(&(column.cell)(row)).into_owned());
                self.table.add_row(cells);
            }
            Format::Json => {
                out.write_all(if self.rows == 0 { b"[\n" } else { b",\n" })?;
                serde_json::to_writer(&mut out, row)?;
            }
            Format::Jsonl => {
                serde_json::to_writer(&mut out, row)?;
                out.write_all(b"\n")?;
            }
            Format::Csv => {
                drop(out);
                self.csv_row(row)?;
            }
        }
        self.rows += 1;
        Ok(())
    }

    fn csv_row(&mut self, row: &T) -> anyhow::Result<()> {
        let Value::Object(row) = serde_json::to_value(row)? else {
            return Err(anyhow!("a row is a JSON object"));
        };
        let fields = self.fields.get_or_insert_with(|| row.keys().cloned().collect());
        let csv = header(&mut self.csv, fields)?;
        csv.write_record(fields.iter().map(|field| match row.get(field) {
            None | Some(Value::Null) => String::new(),
            // A spreadsheet runs what starts like a formula; a quote makes it text.
            Some(Value::String(text)) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => {
                format!("'{text}")
            }
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }))?;
        Ok(())
    }

    /// Ends the list.
    pub(crate) fn finish(mut self) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        match self.format {
            Format::Table if self.rows == 0 => out.write_all(b"nothing\n")?,
            Format::Table => {
                let width = if self.terminal { self.table.width() } else { None };
                writeln!(out, "{}", laid_out(&mut self.table, self.minor, width))?;
            }
            Format::Json => out.write_all(if self.rows == 0 { b"[]\n" } else { b"\n]\n" })?,
            Format::Jsonl => {}
            Format::Csv => {
                drop(out);
                if let Some(fields) = &self.fields {
                    header(&mut self.csv, fields)?.flush()?;
                }
            }
        }
        io::stdout().flush()?;
        Ok(())
    }
}

/// A table for a terminal so many columns wide. Where it is too wide, `minor` columns are left out, as
/// many as must be, and cells of many words are broken into lines; where even that leaves no
/// room, each row is a block of lines.
fn laid_out(table: &mut Table, minor: &[&str], width: Option<u16>) -> String {
    let Some(width) = width.map(usize::from) else { return table.to_string() };
    let headings = contents(table.header());
    let widths: Vec<usize> =
        table.column_max_content_widths().into_iter().map(usize::from).collect();
    let has_words: Vec<bool> = (0..widths.len())
        .map(|column| {
            let cells = table.row_iter().filter_map(|row| row.cell_iter().nth(column));
            let mut cells = cells.map(Cell::content);
            widths[column] > WORDY && cells.any(|cell| cell.trim().contains(' '))
        })
        .collect();
    let mut shown: Vec<usize> = (0..widths.len()).collect();
    let least = |shown: &[usize]| -> usize {
        let least = |column: &usize| if has_words[*column] { WORDY } else { widths[*column] };
        shown.iter().map(|column| least(column) + PADDING).sum()
    };
    if widths.iter().map(|width| width + PADDING).sum::<usize>() <= width {
        return table.to_string();
    }
    for minor in minor {
        if least(&shown) > width {
            shown.retain(|column| headings[*column] != *minor);
        }
    }
    if least(&shown) > width {
        return blocks(table);
    }
    for (number, column) in table.column_iter_mut().enumerate() {
        if !shown.contains(&number) {
            column.set_constraint(ColumnConstraint::Hidden);
        } else if !has_words[number] {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table.to_string()
}

/// The texts of a row's cells.
fn contents(row: Option<&Row>) -> Vec<String> {
    row.into_iter().flat_map(Row::cell_iter).map(Cell::content).collect()
}

/// Each row as lines of a heading and what stands under it, where something does.
fn blocks(table: &Table) -> String {
    let headings = contents(table.header());
    let widest = headings.iter().map(|heading| heading.chars().count()).max().unwrap_or(0);
    let rows = table.row_iter().map(|row| {
        let cells = headings.iter().zip(contents(Some(row)));
        let there = cells.filter(|(_, cell)| !matches!(cell.as_str(), "" | "-"));
        there.map(|(heading, cell)| format!("{heading:<widest$}  {cell}\n")).collect::<String>()
    });
    rows.collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

/// The writer of CSV, which begins with the header.
fn header<'c>(
    csv: &'c mut Option<csv::Writer<io::Stdout>>,
    fields: &[String],
) -> anyhow::Result<&'c mut csv::Writer<io::Stdout>> {
    if csv.is_none() {
        let mut writer = csv::Writer::from_writer(io::stdout());
        writer.write_record(fields)?;
        *csv = Some(writer);
    }
    Ok(csv.as_mut().expect("it was just made"))
}

/// A time for a table: minutes are enough for a person.
pub(crate) fn short_time(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| time.strftime("%Y-%m-%d %H:%M").to_string())
}

/// A time for a table of what follows one upon the other within a minute.
pub(crate) fn exact_time(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| time.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of two feeds at that width.
    fn at_width(width: u16) -> String {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width)
            .set_header(["FEED", "LAST OK", "WHY"])
            .add_row(["bbc-world", "2023-09-18 09:00", ""])
            .add_row(["desk", "-", "503 Service Unavailable, as so often in the morning hours"]);
        laid_out(&mut table, &["LAST OK"], Some(width))
    }

    #[test]
    fn only_cells_of_many_words_are_broken_into_lines() {
        let wide = at_width(120);
        assert!(wide.lines().count() == 3 && wide.contains("in the morning hours"), "{wide}");
        let narrow = at_width(70);
        assert!(narrow.contains("bbc-world") && narrow.contains("2023-09-18 09:00"), "{narrow}");
        assert!(narrow.lines().all(|line| line.trim_end().chars().count() <= 70), "{narrow}");
    }

    #[test]
    fn a_minor_column_is_left_out_before_a_table_becomes_blocks() {
        let narrow = at_width(40);
        assert!(narrow.contains("bbc-world") && !narrow.contains("09:00"), "{narrow}");
        assert!(narrow.lines().all(|line| line.trim_end().chars().count() <= 40), "{narrow}");
    }

    #[test]
    fn where_there_is_no_room_each_row_is_a_block_without_empty_lines() {
        let block = "FEED     bbc-world\nLAST OK  2023-09-18 09:00\n\nFEED     desk\n\
                     WHY      503 Service Unavailable, as so often in the morning hours";
        assert_eq!(at_width(30), block);
    }
}
