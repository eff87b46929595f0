//! `newswatch feeds retry`: has feeds that fail tried at once.

use clap::Args;

use super::list::{self, short_time};
use super::{Exit, Global, config_files, say};
use crate::clock::Clock;
use crate::store::{self, FeedRetried, Rest};
use crate::text::count;

/// The arguments of `feeds retry`.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
#[command(after_help = "\
A running daemon asks within a minute, or while its network is away once something is in reach again; without one the \
next start does. A host that asked to be left alone is left alone, and no feed is asked out of its turn within a minute \
of its last request. What is well is asked at its time.

Examples:
  newswatch feeds retry bbc-world
  newswatch feeds retry --all-failing
Exit codes: 0 when all that were named are due, or one of all; 1 when not.")]
pub(crate) struct Arguments {
    /// The names of the feeds
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// All feeds that fail
    #[arg(long)]
    all_failing: bool,
}

/// Makes feeds due, and says when they are asked.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> anyhow::Result<Exit> {
    let known = list::reader(global)?.feed_names()?;
    list::known("feed", &arguments.names, known.iter().map(String::as_str))?;
    let path = config_files::database_path(global)?;
    let now = Clock::System.now();
    let retried = match arguments.all_failing {
        true => store::retry_failing_feeds(&path, now)?,
        false => store::retry_feeds(&path, &arguments.names, now)?,
    };
    let mut due = 0;
    for (name, retried) in &retried {
        due += usize::from(matches!(retried, FeedRetried::Due(_)));
        match retried {
            FeedRetried::Due(at) if *at <= now => {}
            FeedRetried::Due(at) => say(&format!(
                "feed {name} was asked less than a minute ago; it is due again at {}",
                at.strftime("%H:%M:%S UTC")
            )),
            FeedRetried::Rests(rest) => say(&format!("feed {name} {}", waits(name, rest))),
            FeedRetried::Held(rest) => {
                say(&format!("feed {name} does not fail, but {}", waits(name, rest)));
            }
            FeedRetried::Well => say(&format!("feed {name} does not fail")),
            FeedRetried::Unpolled => say(&format!("feed {name} is not polled")),
        }
    }
    if retried.is_empty() {
        say("no feed fails");
        return Ok(Exit::No);
    }
    let what_follows = match store::has_writer(&path) {
        _ if due == 0 => "",
        Some(false) => "; no daemon runs: the next start asks, or `newswatch run --once` now",
        Some(true) => "; the daemon asks within a minute, if its network is in reach",
        None => "; a daemon that runs asks within a minute, if its network is in reach",
    };
    say(&format!("{due} of {} made due{what_follows}", count(retried.len(), "feed")));
    let all = due == retried.len() || arguments.all_failing && due > 0;
    Ok(if all { Exit::Done } else { Exit::No })
}

/// That a feed waits for its host, until when and why.
fn waits(feed: &str, rest: &Rest) -> String {
    let Rest { until, refused } = rest;
    let asked = match refused {
        Some(refused) if refused.feed != feed => {
            format!("its host, when asked for feed {},", refused.feed)
        }
        _ => "its host".to_owned(),
    };
    let why = match refused {
        Some(refused) if refused.named_time => "asked to be left alone until then",
        Some(_) => "refused and named no later time; the pause is newswatch's own",
        None => "is left alone until then",
    };
    format!("is asked at {}, not before: {asked} {why}", short_time(Some(*until)))
}
