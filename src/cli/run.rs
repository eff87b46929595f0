//! `newswatch run`: the daemon.

use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;

use super::{Exit, Global, config_files};
use crate::clock::Clock;
use crate::daemon::{self, Setup, Summary};

/// The arguments of `run`.
#[derive(Debug, Args)]
#[command(after_help = "\
Signals: SIGTERM and ctrl-c stop in order, SIGHUP reads the configuration again (a bad one is \
refused and the old one goes on), SIGUSR1 opens the alert logs again.
Examples:
  newswatch --config config/demo run --once
  sudo -u newswatch newswatch run --once      as the service would, with its files and its user")]
pub(crate) struct Arguments {
    /// Poll every feed once, deliver what is due, print a summary and exit
    #[arg(long)]
    once: bool,
}

/// Runs the daemon, or one round of it.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> anyhow::Result<Exit> {
    let Some(config) = config_files::usable(global)? else { return Ok(Exit::Config) };
    let again = global.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    let summary = runtime.block_on(async {
        let setup = Setup {
            config,
            read_config: Arc::new(move || {
                config_files::load(&again).map_err(|error| format!("{error:#}"))?
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
    })?;
    if let Some(summary) = summary {
        writeln!(std::io::stdout(), "{}", line(&summary))?;
    }
    Ok(Exit::Done)
}

fn line(summary: &Summary) -> String {
    let Summary { polled, failed, resting, new_items, hits, alerts } = summary;
    let mut line = format!(
        "polled {polled} feeds ({failed} failed): {new_items} new items, {hits} hits, \
         {alerts} alerts"
    );
    if *resting > 0 {
        line += &format!("; {resting} feeds left alone, as their hosts asked");
    }
    line
}
