//! `newswatch stories`: what was reported, by whom, and what was told of it.

use std::io::Write as _;

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::list::{self, Column, Filter, Output, short_time};
use super::{Exit, Global, complain, config_files, say, silence, story_history};
use crate::clock::Clock;
use crate::store::{self, Headline, Reader, StoryEditor, StoryHistory, StoryRow};
use crate::text::clean::clean;

/// How many stories are shown to choose from.
const MOST_CANDIDATES: usize = 20;

/// The arguments of `stories`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
A story is reports of one rule that read alike. That they are counted together says nothing about what \
happened.
Examples:
  newswatch stories --rule russia-nk-arms --since 7d
  newswatch stories show 8a1f00c2d7e4
  newswatch stories merge 8a1f00c2d7e4 5b0c3d9e7f21 --why 'one visit'
  newswatch stories split 8a1f00c2d7e4 tass/4b2bf800 --why 'another meeting'"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    filter: Filter,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the whole history of a story: who reports it, each report, why it was told or not
    #[command(after_help = "\
Example:
  newswatch stories show 8a1f00c2d7e4")]
    Show {
        /// The story's id, or a part of it that no other has, as its last twelve characters
        id: String,
        /// The same as JSON
        #[arg(long)]
        json: bool,
    },
    /// Make the reports of a story part of another of the same rule
    #[command(after_help = "\
Nobody is told of it. When one of both was told, what comes next is more of a story that was told. It \
can be done as long as the reports are kept, 30 days; `stories show` says who did it and why.
Example:
  newswatch stories merge 8a1f00c2d7e4 5b0c3d9e7f21 --why 'one visit'")]
    Merge {
        /// The story that ends: its id, or a part of it that no other has
        story: String,
        /// The story that goes on with the reports of both
        into: String,
        #[command(flatten)]
        by: By,
    },
    /// Make some reports of a story one of their own; prints its id
    #[command(after_help = "\
What was told is not told again. A report that waited when its story was told waits again, for another \
outlet or the rule's next bulletin. It can be done as long as the reports are kept, 30 days.
Example:
  newswatch stories split 8a1f00c2d7e4 tass/4b2bf800 --why 'another meeting'")]
    Split {
        /// The story: its id, or a part of it that no other has
        story: String,
        /// The items to split off, as `stories show` names them, or parts that no others of the story have
        #[arg(required = true, value_name = "ITEM")]
        items: Vec<String>,
        #[command(flatten)]
        by: By,
    },
}

#[derive(Debug, Args)]
struct By {
    /// Why, for whoever wonders later
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// Who [default: you, by $SUDO_USER or $USER]
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
}

impl By {
    fn checked(&self) -> anyhow::Result<StoryEditor> {
        Ok(StoryEditor {
            author: silence::author(self.author.as_deref())?,
            why: silence::short(&self.why, "--why", silence::LONGEST_WHY)?,
        })
    }
}

/// The fields of a row, for CSV.
const FIELDS: &str = "id rule state severity title first_seen last_seen items lineages outlets origins \
    label languages claim_cues corroborated_at denied_at confirmed_at told waits_since thread \
    previous_id";

const COLUMNS: &[Column<StoryRow>] = &[
    Column { heading: "LAST SEEN", cell: |row| short_time(Some(row.last_seen)) },
    Column { heading: "STATE", cell: |row| row.state.to_owned() },
    Column { heading: "SEVERITY", cell: |row| row.severity.to_owned() },
    Column { heading: "RULE", cell: |row| row.rule.clone() },
    Column { heading: "REPORTS", cell: |row| row.items.to_string() },
    Column { heading: "ORIGINS", cell: |row| row.label.clone() },
    Column { heading: "TOLD", cell: told },
    Column { heading: "FIRST HEADLINE", cell: headline },
    Column { heading: "ID", cell: |row| row.id.clone() },
];

/// The first that stands; a mark where none does.
fn headline(row: &StoryRow) -> String {
    let title = row.title.as_deref().unwrap_or_default();
    if row.is_withdrawn() { format!("{title} (withdrawn)") } else { title.to_owned() }
}

fn told(row: &StoryRow) -> String {
    match (row.told, row.waits_since) {
        (Some(at), _) if row.is_withdrawn() => format!("{}, withdrawn", short_time(Some(at))),
        (Some(at), _) => short_time(Some(at)),
        (None, Some(_)) => "waits".to_owned(),
        (None, None) => "no".to_owned(),
    }
}

/// Lists, shows, merges or splits stories.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> anyhow::Result<Exit> {
    let reader = list::reader(global)?;
    let now = Clock::System.now();
    match &arguments.command {
        Some(Command::Show { id, json }) => show(&reader, id, *json, now),
        Some(Command::Merge { story, into, by }) => {
            merge(global, &reader, (story, into), &by.checked()?, now)
        }
        Some(Command::Split { story, items, by }) => {
            split(global, &reader, (story, items), &by.checked()?, now)
        }
        None => {
            let filter = arguments.filter.checked(global, &reader, now)?;
            let mut output = Output::new(arguments.filter.format, COLUMNS)
                .with_fields(FIELDS)
                .with_minor(&["STATE", "REPORTS", "SEVERITY"]);
            reader.stories(&filter, now, |row| output.row(&row))?;
            output.finish()?;
            Ok(Exit::Done)
        }
    }
}

fn show(reader: &Reader, id: &str, json: bool, now: Timestamp) -> anyhow::Result<Exit> {
    let Some(history) = find(reader, id, now)? else { return Ok(Exit::No) };
    let text =
        if json { serde_json::to_string(&history)? } else { story_history::in_full(&history) };
    writeln!(std::io::stdout(), "{text}")?;
    Ok(Exit::Done)
}

/// The one story that has `part` in its id, or the one that it was merged into; says what there is
/// where it is not one.
fn find(reader: &Reader, part: &str, now: Timestamp) -> anyhow::Result<Option<StoryHistory>> {
    let mut part = part.to_owned();
    loop {
        let (found, count) = reader.stories_named(&part, MOST_CANDIDATES)?;
        match (&found[..], count) {
            ([one], 1) => return Ok(reader.story_history(&one.id, now)?),
            ([], _) => {
                let Some(merge) = reader.merge_of(&part)? else {
                    complain(&format!("newswatch: no story has {part:?} in its id"));
                    return Ok(None);
                };
                let (story, into) = (clean(&merge.story), clean(&merge.other));
                say(&format!("{story} was merged into {into} by {}", clean(&merge.author)));
                // Each merge is later than the one before, and no id is given twice.
                part = merge.other;
            }
            (several, _) => {
                complain(&format!("newswatch: {count} stories have {part:?} in their ids:"));
                several.iter().for_each(|story| say(&candidate(story)));
                if count > several.len() as u64 {
                    say("…");
                }
                return Ok(None);
            }
        }
    }
}

/// What tells stories apart whose ids begin alike.
fn candidate(story: &Headline) -> String {
    let title = story.title.as_deref().unwrap_or_default();
    let cells = [&story.id, &short_time(Some(story.last_seen)), &story.rule, title];
    clean(&cells.join("  ")).into_owned()
}

fn merge(
    global: &Global,
    reader: &Reader,
    (story, into): (&str, &str),
    by: &StoryEditor,
    now: Timestamp,
) -> anyhow::Result<Exit> {
    let Some(config) = config_files::usable(global)? else { return Ok(Exit::Config) };
    let (Some(story), Some(into)) = (find(reader, story, now)?, find(reader, into, now)?) else {
        return Ok(Exit::No);
    };
    let (story, into) = (story.story.id, into.story.id);
    let path = config_files::database_path(global)?;
    match store::merge_stories(&path, config.rules.rules(), &story, &into, by, now)? {
        Ok(edited) => {
            say(&format!(
                "{story} is part of {into} now: {}",
                story_history::reports(edited.moved)
            ));
            Ok(Exit::Done)
        }
        Err(refusal) => {
            complain(&format!("newswatch: {}", clean(&refusal.to_string())));
            Ok(Exit::No)
        }
    }
}

fn split(
    global: &Global,
    reader: &Reader,
    (story, items): (&str, &[String]),
    by: &StoryEditor,
    now: Timestamp,
) -> anyhow::Result<Exit> {
    let Some(config) = config_files::usable(global)? else { return Ok(Exit::Config) };
    let Some(story) = find(reader, story, now)? else { return Ok(Exit::No) };
    let mut named = Vec::new();
    for part in items {
        let Some(item) = item(&story, part) else { return Ok(Exit::No) };
        named.push(item);
    }
    let path = config_files::database_path(global)?;
    let id = story.story.id;
    match store::split_story(&path, config.rules.rules(), &id, &named, by, now)? {
        Ok(edited) => {
            writeln!(std::io::stdout(), "{}", edited.story)?;
            let moved = story_history::reports(edited.moved);
            say(&format!("{} has {moved} of {id} now", edited.story));
            Ok(Exit::Done)
        }
        Err(refusal) => {
            complain(&format!("newswatch: {}", clean(&refusal.to_string())));
            Ok(Exit::No)
        }
    }
}

/// The one item of a story that has `part` in its name; says what there is where it is not one.
fn item(story: &StoryHistory, part: &str) -> Option<String> {
    let items = || story.reports.iter().map(|report| &report.item);
    if let Some(item) = items().find(|item| *item == part) {
        return Some(item.clone());
    }
    let found: Vec<&String> = items().filter(|item| item.contains(part)).collect();
    match found[..] {
        [item] => return Some(item.clone()),
        [] => complain(&format!(
            "newswatch: no report of {} has {part:?} in its item",
            story.story.id
        )),
        _ => {
            complain(&format!(
                "newswatch: {} items of the story have {part:?} in them:",
                found.len()
            ));
            found.iter().take(MOST_CANDIDATES).for_each(|item| say(&clean(item)));
        }
    }
    None
}
