//! `newswatch run`: the daemon.

use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;

use super::{Exit, Global, complain, config_files, say};
use crate::clock::Clock;
use crate::daemon::{self, Setup, Summary};
use crate::telemetry::Queue;
use crate::text::count;

/// The arguments of `run`.
#[derive(Debug, Args)]
#[command(after_help = "\
Signals: SIGTERM and ctrl-c stop in order, SIGHUP reads the configuration again (a bad one is \
refused and the old one goes on), SIGUSR1 opens the alert logs again.
Examples:
  newswatch --config config/demo run --once
  sudo -u newswatch newswatch run --once   as the service would
Exit codes: 0 when it was stopped or is done, 4 also when --once could poll none of its feeds.")]
pub(crate) struct Arguments {
    /// Poll every feed once, deliver what is due, print a summary and exit
    #[arg(long)]
    once: bool,
}

/// Runs the daemon, or one round of it.
pub(crate) fn run(
    global: &Global,
    arguments: &Arguments,
    log: Option<&Queue>,
) -> anyhow::Result<Exit> {
    // What is said beside the log comes after it.
    let written = || log.into_iter().for_each(Queue::finish);
    let config = match config_files::load_and_warn(global)? {
        Ok(config) => config,
        Err(problems) => {
            written();
            complain(&problems);
            return Ok(Exit::Config);
        }
    };
    let again = global.clone();
    // What takes long has threads of its own. More for what only waits would cost a poll more, as they
    // have to wake each other, than the poll itself.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    let ended = runtime.block_on(async {
        let setup = Setup {
            config,
            read_config: Arc::new(move || {
                config_files::load_and_warn(&again).map_err(|error| format!("{error:#}"))?
            }),
            clock: Clock::System,
            control: daemon::forward_signals()?,
            idle: None,
        };
        if arguments.once {
            daemon::run_once(setup).await.map(Some)
        } else {
            daemon::run(setup).await.map(|()| None)
        }
    });
    // What a disk or a terminal still holds up is not waited for.
    runtime.shutdown_background();
    written();
    let Some(summary) = ended? else { return Ok(Exit::Done) };
    writeln!(std::io::stdout(), "{}", line(&summary))?;
    let blind = summary.polled == 0 && summary.failed > 0;
    if summary.failed > 0 {
        say("why, and what to do: newswatch feeds --trouble");
    }
    Ok(if blind { Exit::Failure } else { Exit::Done })
}

fn line(summary: &Summary) -> String {
    let Summary { polled, failed, resting, new_items, hits, alerts } = *summary;
    let polls = match (polled, failed) {
        (0, 1) => "the feed could not be polled".to_owned(),
        (0, 1..) => format!("none of {} could be polled", count(failed, "feed")),
        (_, 0) => format!("polled {}", count(polled, "feed")),
        _ => format!("polled {}, {failed} failed", count(polled, "feed")),
    };
    let came = [(new_items, "new item"), (hits, "hit"), (alerts, "alert")];
    let came = came.map(|(number, noun)| count(number, noun)).join(", ");
    let rest = match resting {
        0 => String::new(),
        _ => format!("; left {} alone, as asked", count(resting, "feed")),
    };
    format!("{polls}: {came}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(polled: usize, failed: usize, resting: usize, expected: &str) {
        let summary = Summary { polled, failed, resting, hits: 1, ..Summary::default() };
        assert_eq!(line(&summary), expected);
    }

    #[test]
    fn the_summary_of_a_round_says_what_failed() {
        check(2, 0, 0, "polled 2 feeds: 0 new items, 1 hit, 0 alerts");
        check(1, 1, 0, "polled 1 feed, 1 failed: 0 new items, 1 hit, 0 alerts");
        check(0, 1, 0, "the feed could not be polled: 0 new items, 1 hit, 0 alerts");
        check(0, 3, 0, "none of 3 feeds could be polled: 0 new items, 1 hit, 0 alerts");
        check(0, 0, 1, "polled 0 feeds: 0 new items, 1 hit, 0 alerts; left 1 feed alone, as asked");
    }
}
