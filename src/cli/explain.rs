//! `newswatch explain`: why a rule matches a text, or why not.

use std::io::Write as _;

use clap::Args;

use super::{Exit, Global, Refused, complain, config_files, list};
use crate::item::{Item, ItemKey};
use crate::rules::{ITEMS_TO_LEARN_FROM, Origin};

/// The arguments of `explain`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").args(["text", "item"]), after_help = "\
With neither --text nor --item it shows what the rule's terms expand to, and how often each occurs
in the newest stored items.
Examples:
  newswatch explain wang-yi-lavrov
  newswatch explain wang-yi-lavrov --text 'Wang Yi meets Lavrov in Moscow'")]
pub(crate) struct Arguments {
    /// The rule's id
    rule: String,
    /// A headline to try
    #[arg(long)]
    text: Option<String>,
    /// More text, as the summary of the headline
    #[arg(long, requires = "text")]
    summary: Option<String>,
    /// The language of the text (en, ru, zh, ko …)
    #[arg(long, requires = "text")]
    lang: Option<String>,
    /// A stored item: its key as the lists show it, its id, or its link
    #[arg(long)]
    item: Option<String>,
}

/// Explains; exit code 1 when the rule does not match.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> anyhow::Result<Exit> {
    let (config, sources) = match config_files::load_with_sources(global)? {
        Ok(loaded) => loaded,
        Err(problems) => {
            complain(&problems);
            return Ok(Exit::Config);
        }
    };
    let (item, feed) = match (&arguments.text, &arguments.item) {
        (Some(text), _) => {
            let mut item = Item::titled(ItemKey::of("text", &[text]), text);
            item.summary = arguments.summary.clone().unwrap_or_default();
            item.lang.clone_from(&arguments.lang);
            (item, String::new())
        }
        (None, Some(name)) => match list::reader(global)?.item(name)? {
            Some(row) => {
                let feed = row.feed.clone();
                (row.into(), feed)
            }
            None => {
                // Not 1, which says that the rule does not match.
                return Err(Refused::usage(format!(
                    "no stored item is {name:?}; `newswatch items` lists them"
                )));
            }
        },
        (None, None) => {
            // Without a store there is nothing to count in.
            let items = list::reader(global)
                .and_then(|reader| Ok(reader.newest_items(ITEMS_TO_LEARN_FROM)?))
                .unwrap_or_default();
            return match sources.describe(&config.rules, &arguments.rule, &items) {
                Some(text) => {
                    write!(std::io::stdout(), "{text}")?;
                    Ok(Exit::Done)
                }
                None => config_files::no_such_rule(&config.rules, &arguments.rule),
            };
        }
    };
    let region = config
        .feeds
        .iter()
        .find(|known| known.name.as_str() == feed)
        .and_then(|known| known.region.as_deref());
    let origin = Origin { feed: &feed, region };
    let Some(explanation) = sources.explain(&config.rules, &arguments.rule, &item, origin) else {
        return config_files::no_such_rule(&config.rules, &arguments.rule);
    };
    writeln!(std::io::stdout(), "{}", explanation.render().trim_end())?;
    Ok(if explanation.matches() { Exit::Done } else { Exit::No })
}
