//! Past items: those of the store, or JSON Lines, for the commands that try rules on them.

use std::collections::HashMap;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;

use super::{Global, item_lines, list, say};
use crate::config::Config;
use crate::item::Item;
use crate::rules::Origin;
use crate::store::ItemFilter;
use crate::text::count;

/// How often a terminal is told how far it is.
const PROGRESS: Duration = Duration::from_millis(200);
/// Lines that are no items and are reported one by one; the rest is only counted.
const MOST_REPORTED: usize = 20;

/// Which past items.
#[derive(Debug, Clone, Args)]
pub(super) struct Past {
    /// Only from this time on: 30m, 12h, 7d, 2023-09-18, or 2023-09-18T10:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// JSON Lines as for `match` instead of the stored items; - for standard input. Their time is
    /// when they were published
    #[arg(long, value_name = "FILE")]
    items: Option<PathBuf>,
}

/// An item of the past.
#[derive(Debug)]
pub(super) struct PastItem<'a> {
    /// What lists call it: `feed/key`, or the id that its line gives.
    pub(super) name: String,
    /// The feed; empty when unknown.
    pub(super) feed: String,
    /// When it was first seen, or published.
    pub(super) at: Option<Timestamp>,
    /// The region of its feed.
    region: Option<&'a str>,
    pub(super) item: Item,
}

impl PastItem<'_> {
    /// What rules may ask about its feed.
    pub(super) fn origin(&self) -> Origin<'_> {
        Origin { feed: &self.feed, region: self.region }
    }
}

impl Past {
    /// Calls `each` with every item: stored ones newest first, lines in their order. Returns how
    /// many there were.
    pub(super) fn each(
        &self,
        global: &Global,
        config: &Config,
        now: Timestamp,
        mut each: impl FnMut(PastItem<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<usize> {
        let moment =
            |text: &Option<String>| text.as_deref().map(|text| list::moment(text, now)).transpose();
        let (since, until) = (moment(&self.since)?, moment(&self.until)?);
        let regions: HashMap<&str, &str> = config
            .feeds
            .iter()
            .filter_map(|feed| Some((feed.name.as_str(), feed.region.as_deref()?)))
            .collect();
        let mut progress = Progress::new();
        let Some(file) = &self.items else {
            let filter = ItemFilter { since, until, ..ItemFilter::default() };
            list::reader(global)?.items(&filter, |row| {
                progress.step();
                let (name, feed, at) = (row.key.clone(), row.feed.clone(), row.first_seen);
                let region = regions.get(feed.as_str()).copied();
                each(PastItem { name, feed, at: Some(at), region, item: row.into() })
            })?;
            return Ok(progress.finish());
        };
        let mut reader = item_lines::open(file)?;
        let (mut bytes, mut number, mut bad, mut undated) = (Vec::new(), 0, 0, 0);
        loop {
            bytes.clear();
            let read = reader.read_until(b'\n', &mut bytes);
            if read.with_context(|| format!("cannot read {}", file.display()))? == 0 {
                break;
            }
            number += 1;
            let line = String::from_utf8_lossy(&bytes);
            if line.trim().is_empty() {
                continue;
            }
            match item_lines::read(number, &line) {
                Ok(read) => {
                    let at = read.item.published;
                    let outside = |at: Timestamp| {
                        since.is_some_and(|since| at < since)
                            || until.is_some_and(|until| at >= until)
                    };
                    let all = since.is_none() && until.is_none();
                    undated += usize::from(!all && at.is_none());
                    if all || !at.is_none_or(outside) {
                        progress.step();
                        let region = regions.get(read.feed.as_str()).copied();
                        let item_lines::LineItem { id, feed, item } = read;
                        each(PastItem { name: id, feed, at, region, item })?;
                    }
                }
                Err(why) => {
                    bad += 1;
                    if bad <= MOST_REPORTED {
                        say(&format!("line {number}: {why}"));
                    }
                }
            }
        }
        let count = progress.finish();
        if undated > 0 {
            say(&left_out(undated));
        }
        if bad > 0 {
            say(&skipped(bad));
        }
        Ok(count)
    }
}

/// What is said of items that have no place in time.
pub(super) fn left_out(items: usize) -> String {
    format!("left out {} without a time that can be read", count(items, "item"))
}

/// What is said of lines that hold no item.
pub(super) fn skipped(lines: usize) -> String {
    format!("skipped {} without an item", count(lines, "line"))
}

/// Says on a terminal how many items have been read.
struct Progress {
    count: usize,
    shown: Option<Instant>,
    terminal: bool,
}

impl Progress {
    fn new() -> Self {
        Self { count: 0, shown: None, terminal: std::io::stderr().is_terminal() }
    }

    fn step(&mut self) {
        self.count += 1;
        if !self.terminal || !self.count.is_multiple_of(1024) {
            return;
        }
        let shown = *self.shown.get_or_insert_with(Instant::now);
        if shown.elapsed() >= PROGRESS {
            self.shown = Some(Instant::now());
            let _ = write!(std::io::stderr(), "\r{} …", count(self.count, "item"));
        }
    }

    fn finish(self) -> usize {
        if self.terminal && self.shown.is_some() {
            let _ = write!(std::io::stderr(), "\r\u{1b}[K");
        }
        self.count
    }
}
