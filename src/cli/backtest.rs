//! `newswatch backtest`: what rules would have hit, and what a change of them wins and loses.

use std::collections::HashMap;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::list::{Column, Format, Output, short_time};
use super::past::Past;
use super::{Exit, Global, backtest_alerts, config_files, say};
use crate::clock::Clock;
use crate::diagnostic::{Gravity, Problem};
use crate::hit::{Match, Span};
use crate::rules::{self, Compiled, RuleSet};
use crate::text;

/// The arguments of `backtest`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  newswatch backtest --since 30d                    every rule, stored items
  newswatch backtest icc-putin-travel --since 90d   one rule
  newswatch backtest --since 30d --against old/     what a change wins
  newswatch backtest --items news.jsonl --limit 0   items of a file, all hits
  newswatch backtest --alerts --since 30d           what would have been told")]
pub(crate) struct Arguments {
    /// Only this rule
    rule: Option<String>,
    #[command(flatten)]
    past: Past,
    /// Rules to compare with: a configuration, a folder of rule files, or one; only the hits
    /// that were won or lost are listed
    #[arg(long, value_name = "PATH")]
    against: Option<PathBuf>,
    /// Through stories, decisions and routes, each item at its published time: what would have been
    /// told, to whom, and why
    #[arg(long, conflicts_with_all = ["against", "limit"])]
    alerts: bool,
    /// At most so many hits are listed; 0 for all. All are counted
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// How to write the list [default: table on a terminal, else jsonl]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
}

/// A hit that would have been.
#[derive(Debug, Serialize)]
struct Row {
    /// `won` or `lost` against the other rules; absent without them.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<&'static str>,
    rule: String,
    severity: &'static str,
    item: String,
    item_id: Option<String>,
    feed: String,
    title: String,
    link: Option<String>,
    /// When it was first seen, or published.
    at: Option<Timestamp>,
    spans: Vec<Span>,
}

const COLUMNS: &[Column<Row>] = &[
    Column { heading: "", cell: |row| row.change.unwrap_or_default().to_owned() },
    Column { heading: "TIME", cell: |row| short_time(row.at) },
    Column { heading: "RULE", cell: |row| row.rule.clone() },
    Column { heading: "FEED", cell: |row| row.feed.clone() },
    Column { heading: "TITLE", cell: |row| row.title.clone() },
    Column { heading: "WORDS", cell: |row| words(&row.spans) },
];

/// The words that matched, each once.
pub(super) fn words(spans: &[Span]) -> String {
    let mut words: Vec<&str> = Vec::new();
    for span in spans {
        if !words.contains(&span.text.as_str()) {
            words.push(&span.text);
        }
    }
    words.join(", ")
}

/// How often a rule hit, by these rules and the others.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    hits: usize,
    against: usize,
    won: usize,
    lost: usize,
}

/// Tries rules on past items.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> anyhow::Result<Exit> {
    let Some(config) = config_files::usable(global)? else { return Ok(Exit::Config) };
    let old = match &arguments.against {
        None => None,
        Some(path) => match old_rules(path) {
            Ok(old) => Some(old),
            Err(problems) => {
                say(&problems);
                return Ok(Exit::Config);
            }
        },
    };
    let alone = match &arguments.rule {
        Some(rule) => rules::compile_rule(rule, &config_files::read(global)?.rules).set,
        None => None,
    };
    let rules = alone.as_ref().unwrap_or(&config.rules);
    let names = |set: &RuleSet, rule: &str| set.rules().iter().any(|known| *known.id == *rule);
    if let Some(rule) = &arguments.rule
        && !names(rules, rule)
        && !old.as_ref().is_some_and(|old| names(old, rule))
    {
        return config_files::no_such_rule(&config.rules, rule);
    }
    if arguments.alerts {
        let Arguments { rule, past, format, .. } = arguments;
        return backtest_alerts::run(global, &config, rules, rule.as_deref(), past, *format);
    }
    let only = |id: &str| arguments.rule.as_ref().is_none_or(|rule| rule == id);
    let started = std::time::Instant::now();
    let mut matcher = rules.matcher();
    let mut old_matcher = old.as_ref().map(RuleSet::matcher);
    let mut tallies: HashMap<Box<str>, Tally> = HashMap::new();
    let mut output = Output::new(arguments.format, COLUMNS);
    let mut left = if arguments.limit == 0 { usize::MAX } else { arguments.limit };
    let mut unlisted = 0;
    let count = arguments.past.each(global, &config, Clock::System.now(), |past| {
        let new = matcher.matches(&past.item, past.origin());
        let old_hits = old_matcher
            .as_mut()
            .map_or_else(Vec::new, |matcher| matcher.matches(&past.item, past.origin()));
        if new.is_empty() && old_hits.is_empty() {
            return Ok(());
        }
        let id = |set: &RuleSet, found: &Match| set.rules()[found.rule].id.clone();
        let new_ids: Vec<Box<str>> = new.iter().map(|found| id(rules, found)).collect();
        let old_ids: Vec<Box<str>> =
            old.iter().flat_map(|old| old_hits.iter().map(|found| id(old, found))).collect();
        let mut listed = Vec::new();
        for (id, found) in new_ids.iter().zip(new) {
            let won = old.is_some() && !old_ids.contains(id);
            if only(id) {
                let tally = tallies.entry(id.clone()).or_default();
                tally.hits += 1;
                tally.won += usize::from(won);
                if old.is_none() || won {
                    listed.push((won.then_some("won"), id, found));
                }
            }
        }
        for (id, found) in old_ids.iter().zip(old_hits) {
            let lost = !new_ids.contains(id);
            if only(id) {
                let tally = tallies.entry(id.clone()).or_default();
                tally.against += 1;
                tally.lost += usize::from(lost);
                if lost {
                    listed.push((Some("lost"), id, found));
                }
            }
        }
        for (change, id, found) in listed {
            if left == 0 {
                unlisted += 1;
                continue;
            }
            left -= 1;
            output.row(&Row {
                change,
                rule: id.to_string(),
                severity: found.severity.as_str(),
                item: past.name.clone(),
                item_id: past.item.id.clone(),
                feed: past.feed.clone(),
                title: past.item.title.clone(),
                link: past.item.link.clone(),
                at: past.at,
                spans: found.spans,
            })?;
        }
        Ok(())
    })?;
    output.finish()?;
    if unlisted > 0 {
        say(&format!("… and {unlisted} more; --limit 0 lists all"));
    }
    sum_up(&tallies, old.is_some());
    say(&format!("{} in {:.1} s", text::count(count, "item"), started.elapsed().as_secs_f64()));
    Ok(Exit::Done)
}

/// The rules to compare with; an error says all that is wrong with them.
fn old_rules(path: &std::path::Path) -> Result<RuleSet, String> {
    let files = config_files::rule_files(path).map_err(|error| format!("newswatch: {error:#}"))?;
    if files.is_empty() {
        return Err(format!("newswatch: there are no rule files in {}", path.display()));
    }
    let Compiled { set, problems, .. } = rules::compile(&files);
    set.ok_or_else(|| {
        let errors = problems.iter().filter(|problem| problem.gravity == Gravity::Error);
        errors.map(Problem::render).collect::<Vec<_>>().join("\n")
    })
}

/// Says how often each rule hit.
fn sum_up(tallies: &HashMap<Box<str>, Tally>, compared: bool) {
    let mut tallies: Vec<_> = tallies.iter().collect();
    tallies.sort_by_key(|(rule, tally)| (std::cmp::Reverse(tally.hits.max(tally.against)), *rule));
    for (rule, tally) in tallies {
        let Tally { hits, against, won, lost } = tally;
        say(&if compared {
            format!(
                "{rule}: {}, {against} before; {won} won, {lost} lost",
                text::count(hits, "hit")
            )
        } else {
            format!("{rule}: {}", text::count(hits, "hit"))
        });
    }
}
