//! `newswatch match`: items through the rules, hits out. Grep for news.

use std::io::{self, BufRead, BufWriter, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::item_lines::{self, LineItem};
use super::past::skipped;
use super::{Exit, Global, config_files, say};
use crate::diagnostic::{Gravity, Problem};
use crate::hit::Span;
use crate::item::Item;
use crate::rules::{self, Compiled, ITEMS_TO_LEARN_FROM, Matcher, Origin, RuleSet, WORTH_LEARNING};
use crate::text::count;

/// Lines that a thread matches at a time.
const BATCH: usize = 512;
/// Lines that are no items and are reported one by one; the rest is only counted.
const MOST_REPORTED: usize = 20;

/// The arguments of `match`.
#[derive(Debug, Args)]
#[command(after_help = "\
Input: a JSON object a line with title and, where known, id, summary or description, content, link, \
feed or source, author, tags, lang or language, published. Output: a JSON object a hit.
Examples:
  newswatch match items.jsonl
  newswatch match --query '@lavrov NEAR/s $talks' --count - < items.jsonl")]
pub(crate) struct Arguments {
    /// JSON Lines files; - or none for standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A rule file, or a folder of them, instead of the configuration's rules
    #[arg(long, value_name = "PATH")]
    rules: Option<PathBuf>,
    /// Only these rules
    #[arg(long = "rule", value_name = "ID")]
    only: Vec<String>,
    /// A query given on the spot, with the entities and macros of the rule files
    #[arg(long, value_name = "QUERY", conflicts_with = "only")]
    query: Option<String>,
    /// Print how often each rule hit, instead of the hits
    #[arg(long)]
    count: bool,
    /// Say at the end how many items and bytes there were and how long it took
    #[arg(long)]
    stats: bool,
    /// Threads to match with [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Exit with 4 when a line was no item
    #[arg(long)]
    strict: bool,
}

#[derive(Debug, Serialize)]
struct Output<'a> {
    item: &'a str,
    rule: &'a str,
    severity: &'static str,
    title: &'a str,
    link: Option<&'a str>,
    spans: &'a [Span],
}

/// Numbered lines.
type Batch = Vec<(u64, String)>;

/// What a batch came to.
#[derive(Debug, Default)]
struct Matched {
    out: Vec<u8>,
    hits: Vec<usize>,
    items: u64,
    bytes: u64,
    problems: Vec<String>,
}

/// Matches; exit code 1 when nothing matched.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> anyhow::Result<Exit> {
    let Some(mut set) = rule_set(global, arguments)? else { return Ok(Exit::Config) };
    let wanted = wanted(&set, &arguments.only)?;
    let started = Instant::now();
    let threads = match arguments.threads {
        Some(threads) => usize::from(threads),
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let mut lines = Lines::new(&arguments.files);
    let first = learn(&mut set, &mut lines)?;
    let mut totals = Totals { hits: vec![0; set.rules().len()], ..Totals::default() };
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let mut inputs = Vec::new();
        let mut outputs = Vec::new();
        for _ in 0..threads {
            let (to, from_here) = sync_channel::<Batch>(2);
            let (to_here, from) = sync_channel::<Matched>(2);
            let (set, wanted) = (&set, wanted.as_slice());
            let count = arguments.count;
            scope.spawn(move || {
                let mut matcher = set.matcher();
                for batch in from_here {
                    if to_here.send(match_batch(&batch, set, &mut matcher, wanted, count)).is_err()
                    {
                        return;
                    }
                }
            });
            inputs.push(to);
            outputs.push(from);
        }
        let reader = scope.spawn(move || feed_batches(first, lines, &inputs));
        let written = write_in_order(&outputs, &mut totals, arguments);
        // Hanging up makes the other threads end, whatever they are at.
        drop(outputs);
        let read = reader.join().map_err(|_| anyhow::anyhow!("reading the items failed"))?;
        written?;
        read
    })?;
    if arguments.count {
        let mut out = io::stdout().lock();
        for (rule, hits) in set.rules().iter().zip(&totals.hits) {
            if *hits > 0 || arguments.only.iter().any(|id| **id == *rule.id) {
                writeln!(out, "{}\t{hits}", rule.id)?;
            }
        }
    }
    finish(&totals, arguments, started);
    Ok(if arguments.strict && totals.bad > 0 {
        Exit::Failure
    } else if totals.hits.iter().all(|hits| *hits == 0) {
        Exit::No
    } else {
        Exit::Done
    })
}

#[derive(Debug, Default)]
struct Totals {
    hits: Vec<usize>,
    items: u64,
    bytes: u64,
    bad: usize,
}

fn finish(totals: &Totals, arguments: &Arguments, started: Instant) {
    if totals.bad > 0 {
        say(&skipped(totals.bad));
    }
    if arguments.stats {
        let seconds = started.elapsed().as_secs_f64();
        say(&format!(
            "{}, {}, {}, {seconds:.3} s, {:.0} items/s",
            count(totals.items, "item"),
            count(totals.bytes, "byte"),
            count(totals.hits.iter().sum::<usize>(), "hit"),
            totals.items as f64 / seconds.max(1e-9)
        ));
    }
}

/// The rules to match with; `None` when they are wrong, which has been said.
fn rule_set(global: &Global, arguments: &Arguments) -> anyhow::Result<Option<RuleSet>> {
    let files = match &arguments.rules {
        Some(path) => config_files::rule_files(path),
        None => match config_files::read(global) {
            Ok(files) => Ok(files.rules),
            // A query needs no configuration.
            Err(_) if arguments.query.is_some() && global.config.is_none() => Ok(Vec::new()),
            Err(error) => Err(error),
        },
    };
    let files = match files {
        Ok(files) => files,
        Err(error) => {
            say(&format!("newswatch: {error:#}"));
            return Ok(None);
        }
    };
    let Compiled { set, problems, .. } = match &arguments.query {
        Some(query) => rules::compile_query(query, &files),
        None => rules::compile(&files),
    };
    if set.is_none() {
        let errors = problems.iter().filter(|problem| problem.gravity == Gravity::Error);
        errors.map(Problem::render).for_each(|error| say(&error));
    }
    Ok(set)
}

/// Which rules' hits are printed.
fn wanted(set: &RuleSet, only: &[String]) -> anyhow::Result<Vec<bool>> {
    for id in only {
        if !set.rules().iter().any(|rule| *rule.id == **id) {
            return config_files::no_such_rule(set, id);
        }
    }
    Ok(set
        .rules()
        .iter()
        .map(|rule| only.is_empty() || only.iter().any(|id| **id == *rule.id))
        .collect())
}

/// The lines of the files, numbered, a batch at a time.
struct Lines {
    files: std::vec::IntoIter<PathBuf>,
    open: Option<(PathBuf, Box<dyn BufRead + Send>)>,
    number: u64,
}

impl Lines {
    fn new(files: &[PathBuf]) -> Self {
        let files = if files.is_empty() { vec![PathBuf::from("-")] } else { files.to_vec() };
        Self { files: files.into_iter(), open: None, number: 0 }
    }

    /// The next batch; empty at the end.
    fn batch(&mut self) -> anyhow::Result<Batch> {
        let (mut batch, mut bytes) = (Batch::new(), Vec::new());
        while batch.len() < BATCH {
            let Some((file, reader)) = &mut self.open else {
                let Some(file) = self.files.next() else { break };
                let reader = item_lines::open(&file)?;
                self.open = Some((file, reader));
                continue;
            };
            bytes.clear();
            let read = reader.read_until(b'\n', &mut bytes);
            if read.with_context(|| format!("cannot read {}", file.display()))? == 0 {
                self.open = None;
                continue;
            }
            self.number += 1;
            batch.push((self.number, String::from_utf8_lossy(&bytes).into_owned()));
        }
        Ok(batch)
    }
}

/// Hands batches to the threads in turn.
fn feed_batches(
    first: Vec<Batch>,
    mut lines: Lines,
    inputs: &[std::sync::mpsc::SyncSender<Batch>],
) -> anyhow::Result<()> {
    let mut first = first.into_iter();
    for input in inputs.iter().cycle() {
        let batch = match first.next() {
            Some(batch) => batch,
            None => lines.batch()?,
        };
        // A thread that is gone has met a closed output; so will we.
        if batch.is_empty() || input.send(batch).is_err() {
            break;
        }
    }
    Ok(())
}

/// Reads the first lines, and has the rules learn from them what is rare: worth the while where
/// there are many rules.
fn learn(set: &mut RuleSet, lines: &mut Lines) -> anyhow::Result<Vec<Batch>> {
    let mut first = Vec::new();
    while set.rules().len() >= WORTH_LEARNING && first.len() * BATCH < ITEMS_TO_LEARN_FROM {
        let batch = lines.batch()?;
        if batch.is_empty() {
            break;
        }
        first.push(batch);
    }
    let items: Vec<Item> = first
        .iter()
        .flatten()
        .filter_map(|(number, line)| Some(item_lines::read(*number, line).ok()?.item))
        .collect();
    if !items.is_empty() {
        set.learn(&items);
    }
    Ok(first)
}

fn write_in_order(
    outputs: &[Receiver<Matched>],
    totals: &mut Totals,
    arguments: &Arguments,
) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut turn = 0;
    while let Ok(matched) = outputs[turn % outputs.len()].recv() {
        turn += 1;
        if !arguments.count {
            out.write_all(&matched.out)?;
        }
        for rule in matched.hits {
            totals.hits[rule] += 1;
        }
        totals.items += matched.items;
        totals.bytes += matched.bytes;
        for problem in matched.problems {
            totals.bad += 1;
            if totals.bad <= MOST_REPORTED {
                say(&problem);
            }
        }
    }
    out.flush()?;
    Ok(())
}

fn match_batch(
    batch: &Batch,
    set: &RuleSet,
    matcher: &mut Matcher<'_>,
    wanted: &[bool],
    count: bool,
) -> Matched {
    let mut matched = Matched::default();
    for (number, line) in batch {
        if line.trim().is_empty() {
            continue;
        }
        let LineItem { id, feed, item } = match item_lines::read(*number, line) {
            Ok(read) => read,
            Err(why) => {
                matched.problems.push(format!("line {number}: {why}"));
                continue;
            }
        };
        matched.items += 1;
        matched.bytes += line.len() as u64;
        for found in matcher.matches(&item, Origin { feed: &feed, region: None }) {
            if !wanted[found.rule] {
                continue;
            }
            matched.hits.push(found.rule);
            if !count {
                let output = Output {
                    item: &id,
                    rule: &set.rules()[found.rule].id,
                    severity: found.severity.as_str(),
                    title: &item.title,
                    link: item.link.as_deref(),
                    spans: &found.spans,
                };
                serde_json::to_writer(&mut matched.out, &output).expect("a hit is JSON");
                matched.out.push(b'\n');
            }
        }
    }
    matched
}
