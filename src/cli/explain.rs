//! `newswatch explain`: why a rule matches a text, or why not.

use std::io::Write as _;

use clap::Args;

use super::{Exit, Global, Refused, complain, config_files, list};
use crate::config;
use crate::item::{Item, ItemKey};
use crate::rules::{self, Compiled, ITEMS_TO_LEARN_FROM, Origin};

/// The arguments of `explain`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").args(["text", "item"]), after_help = "\
With neither --text nor --item it shows what the rule's terms expand to, and how often each occurs \
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
    // A test that fails must not keep anybody from asking why: the rules alone must compile.
    let files = config_files::read(global)?;
    let Compiled { set, sources, problems } = rules::compile(&files.rules);
    let Some(rules) = set else {
        complain(&config_files::render_errors(&problems));
        return Ok(Exit::Config);
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
            return match sources.describe(&rules, &arguments.rule, &items) {
                Some(text) => {
                    write!(std::io::stdout(), "{text}")?;
                    Ok(Exit::Done)
                }
                None => config_files::no_such_rule(&rules, &arguments.rule),
            };
        }
    };
    let config = config::check(&files).config;
    let region = config
        .iter()
        .flat_map(|config| &config.feeds)
        .find(|known| known.name.as_str() == feed)
        .and_then(|known| known.region.as_deref());
    let origin = Origin { feed: &feed, region };
    let Some(explanation) = sources.explain(&rules, &arguments.rule, &item, origin) else {
        return config_files::no_such_rule(&rules, &arguments.rule);
    };
    writeln!(std::io::stdout(), "{}", explanation.render().trim_end())?;
    Ok(if explanation.matches() { Exit::Done } else { Exit::No })
}
