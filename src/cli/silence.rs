//! `newswatch silence`: what is muted for a while, and why.

use std::io::Write as _;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};

use super::list::{self, Column, Format, Output, short_time};
use super::{Exit, Global, Refused, complain, config_files, say};
use crate::alert::silence::Matcher;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::hit::Severity;
use crate::rules::Sources;
use crate::store::{self, Ended, MOST_SILENCES, NewSilence, SilenceRow};
use crate::text::count;

/// The longest silence: what is muted for longer is a rule to change.
const LONGEST: SignedDuration = SignedDuration::from_hours(366 * 24);
/// Rules, tags, feeds and entities that one silence names.
const MOST_NAMES: usize = 50;
/// The longest reason, in characters.
pub(super) const LONGEST_WHY: usize = 500;
/// The longest name of an author, in characters.
const LONGEST_AUTHOR: usize = 100;

/// The arguments of `silence`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  newswatch silence add --rule wang-yi-lavrov --for 4h --why 'we watch it live'
  newswatch silence add --feed tass --severity low --for 2d --why 'reposts'
  newswatch silence list
  newswatch silence end 3")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Mute alerts for a while; prints the number of the silence
    #[command(after_help = "\
An alert is muted when it fits one entry of every kind that is given. It is stored and shown by `alerts`, \
logs (jsonl, journald) get it, people do not. When the silence ends, they get one summary of what it held \
back. Events of the service itself are never muted. `--entity` looks at the entities that a rule names itself.")]
    Add(Add),
    /// List the silences in force
    List {
        /// Those that have ended too
        #[arg(long)]
        all: bool,
        /// How to write the list [default: table on a terminal, else jsonl]
        #[arg(long, value_enum, value_name = "FORMAT")]
        format: Option<Format>,
    },
    /// End silences before their time; a running daemon sends the summary within half a minute
    End {
        /// The silences, as the list numbers them
        #[arg(required = true, value_name = "ID")]
        ids: Vec<i64>,
        /// Who ends it [default: you, by $SUDO_USER or $USER]
        #[arg(long, value_name = "NAME")]
        author: Option<String>,
    },
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").args(["rule", "tag", "feed", "entity", "severity"])
    .required(true).multiple(true))]
#[command(group = clap::ArgGroup::new("end").args(["lasts", "until"]).required(true))]
struct Add {
    /// Alerts of this rule; may be given several times, as the next four
    #[arg(long, value_name = "ID")]
    rule: Vec<String>,
    /// Alerts of rules with this tag
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Alerts on items of this feed
    #[arg(long, value_name = "NAME")]
    feed: Vec<String>,
    /// Alerts on items that name this entity
    #[arg(long, value_name = "NAME")]
    entity: Vec<String>,
    /// Alerts of this severity: critical, high, medium, low
    #[arg(long, value_name = "SEVERITY", value_parser = list::severity)]
    severity: Vec<Severity>,
    /// How long: 30m, 4h, 2d
    #[arg(long = "for", value_name = "DURATION")]
    lasts: Option<String>,
    /// Until when: 2023-09-18T18:00:00Z, or 2023-09-18, when that day begins in UTC
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Why, for whoever wonders what is missing
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// Who [default: you, by $SUDO_USER or $USER]
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
}

/// The fields of a row, for CSV.
const FIELDS: &str = "id state rule tag feed entity severity since until author why ended_at \
    ended_by held";

const COLUMNS: &[Column<SilenceRow>] = &[
    Column { heading: "ID", cell: |row| row.id.to_string() },
    Column { heading: "STATE", cell: |row| row.state.to_owned() },
    Column { heading: "MUTES", cell: |row| row.matcher.describe() },
    Column { heading: "UNTIL", cell: |row| short_time(row.ended_at.or(Some(row.until))) },
    Column { heading: "HELD", cell: |row| row.held.to_string() },
    Column { heading: "AUTHOR", cell: |row| row.author.clone() },
    Column { heading: "WHY", cell: |row| row.why.clone() },
];

/// Makes, lists or ends silences.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> anyhow::Result<Exit> {
    let now = Clock::System.now();
    match &arguments.command {
        Command::Add(add) => self::add(global, add, now),
        Command::List { all, format } => {
            let mut output = Output::new(*format, COLUMNS).with_fields(FIELDS);
            list::reader(global)?.silences(*all, now, |row| output.row(&row))?;
            output.finish()?;
            Ok(Exit::Done)
        }
        Command::End { ids, author } => {
            let author = self::author(author.as_deref())?;
            let path = config_files::database_path(global)?;
            let ended = store::end_silences(&path, ids, &author, now)?;
            for (id, ended) in ids.iter().zip(&ended) {
                match ended {
                    Ended::Now { held: 0 } => {
                        say(&format!("silence {id} has ended; it held nothing back"));
                    }
                    Ended::Now { held } => say(&format!(
                        "silence {id} has ended; the daemon sends a summary of what it held \
                         back: {}",
                        count(*held, "alert")
                    )),
                    Ended::Before => say(&format!("silence {id} had ended before")),
                    Ended::Unknown => complain(&format!("newswatch: there is no silence {id}")),
                }
            }
            let all = ended.iter().all(|ended| matches!(ended, Ended::Now { .. }));
            Ok(if all { Exit::Done } else { Exit::No })
        }
    }
}

fn add(global: &Global, add: &Add, now: Timestamp) -> anyhow::Result<Exit> {
    let Some((config, sources)) = config_files::usable_with_sources(global)? else {
        return Ok(Exit::Config);
    };
    let matcher = matcher(add, &config, &sources)?;
    let until = until(add, now)?;
    let why = short(&add.why, "--why", LONGEST_WHY)?;
    let silence = NewSilence { matcher, until, author: author(add.author.as_deref())?, why };
    let Some(id) = store::add_silence(&config.store.path, &silence, now)? else {
        complain(&format!(
            "newswatch: {MOST_SILENCES} silences are in force already, the most there may be; end \
             some, or disable rules"
        ));
        return Ok(Exit::No);
    };
    writeln!(std::io::stdout(), "{id}")?;
    let until = silence.until.strftime("%Y-%m-%d %H:%M UTC");
    say(&format!("silence {id} mutes {} until {until}", silence.matcher.describe()));
    Ok(Exit::Done)
}

/// What is to be muted; each name must be known.
fn matcher(add: &Add, config: &Config, sources: &Sources) -> anyhow::Result<Matcher> {
    let rules = config.rules.rules();
    let entity: Vec<String> =
        add.entity.iter().map(|name| name.trim_start_matches('@').to_owned()).collect();
    let names = [&add.rule, &add.tag, &add.feed, &entity];
    if names.iter().map(|names| names.len()).sum::<usize>() > MOST_NAMES {
        return Err(Refused::usage(format!("a silence names {MOST_NAMES} things at most")));
    }
    list::known("rule", &add.rule, rules.iter().map(|rule| &*rule.id))?;
    list::known("tag", &add.tag, rules.iter().flat_map(|rule| &rule.tags).map(String::as_str))?;
    list::known("feed", &add.feed, config.feeds.iter().map(|feed| feed.name.as_str()))?;
    list::known("entity", &entity, sources.entity_names())?;
    let (rule, tag, feed) = (add.rule.clone(), add.tag.clone(), add.feed.clone());
    Ok(Matcher { rule, tag, feed, entity, severity: add.severity.clone() })
}

fn until(add: &Add, now: Timestamp) -> anyhow::Result<Timestamp> {
    let until = match (&add.lasts, &add.until) {
        (Some(lasts), _) => {
            let lasts =
                config::duration(lasts).map_err(|why| Refused::usage(format!("--for: {why}")))?;
            SignedDuration::try_from(lasts).ok().and_then(|lasts| now.checked_add(lasts).ok())
        }
        (None, Some(until)) => Some(list::point(until).context("--until")?),
        (None, None) => None,
    };
    match until {
        Some(until) if until <= now => Err(Refused::usage("a silence ends later than now")),
        Some(until) if until.duration_since(now) <= LONGEST => Ok(until),
        _ => Err(Refused::usage(
            "a silence lasts a year at most; for longer, change the rule or the routes",
        )),
    }
}

/// Who calls: what was said, else who is logged in, through sudo too.
pub(super) fn author(given: Option<&str>) -> anyhow::Result<String> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let said = || ["SUDO_USER", "DOAS_USER", "USER", "LOGNAME"].into_iter().find_map(variable);
    let Some(author) = given.map(str::to_owned).or_else(said) else {
        return Err(Refused::usage(
            "who does this? neither $SUDO_USER nor $USER says so; \
             add --author NAME",
        ));
    };
    short(&author, "--author", LONGEST_AUTHOR)
}

/// A text of a person, trimmed, when it is there and not too long.
pub(super) fn short(text: &str, option: &str, longest: usize) -> anyhow::Result<String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Refused::usage(format!("{option} is empty")));
    }
    if text.chars().count() > longest {
        return Err(Refused::usage(format!("{option} is longer than {longest} characters")));
    }
    Ok(text.to_owned())
}
