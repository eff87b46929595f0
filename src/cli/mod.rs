//! The command line: one file a command.
//!
//! Data goes to standard output, diagnostics to standard error. What is written here is a
//! contract for scripts: the commands, their options, their JSON and their exit codes.

mod alerts;
mod backtest;
mod backtest_alerts;
mod check;
mod config_files;
mod config_show;
mod deliveries;
mod explain;
mod feed_asker;
mod feed_names;
mod feeds;
mod feeds_add;
mod feeds_log;
mod feeds_opml;
mod feeds_parse;
mod feeds_poll;
mod feeds_retry;
mod generate;
mod hits;
mod item_lines;
mod items;
mod list;
mod match_items;
mod nearmiss;
mod past;
mod route;
mod run;
mod silence;
mod status;
mod stories;
mod story_history;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::diagnostic::Gravity;
use crate::telemetry::{self, LogFormat};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// It did what was asked.
    Done = 0,
    /// The answer is no: problems were found, unhealthy, nothing matched.
    No = 1,
    /// The command was called wrongly; the same code as for a wrong option.
    Usage = 2,
    /// The configuration cannot be used.
    Config = 3,
    /// The database, the disk, the network of our own failed.
    Failure = 4,
}

/// An error that decides the exit code; any other is a [`Exit::Failure`].
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refused {
    exit: Exit,
    message: String,
}

impl Refused {
    /// The command was called wrongly.
    pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
        Self { exit: Exit::Usage, message: message.into() }.into()
    }

    /// There is no configuration, or none that can be read.
    pub(crate) fn config(message: impl Into<String>) -> anyhow::Error {
        Self { exit: Exit::Config, message: message.into() }.into()
    }
}

const AFTER_HELP: &str = "\
Examples:
  newswatch --config config/demo run --once   try it: no network needed
  newswatch check                             is the configuration right?
  newswatch explain wang-yi-lavrov --text 'Wang Yi meets Lavrov in Moscow'
  newswatch alerts --follow                   what is being told
  newswatch status                            is it healthy?

Exit codes: 0 done, 1 the answer is no, 2 wrong usage, 3 configuration unusable, 4 failure.";

/// Watches news feeds for what you must not miss: polls them, matches every item against your
/// rules, keeps the evidence, and alerts.
#[derive(Debug, Parser)]
#[command(name = "newswatch", version, after_help = AFTER_HELP, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The options of every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// The configuration: newswatch.toml, or the folder that holds it
    /// [default: $NEWSWATCH_CONFIG, then ./config, then /etc/newswatch]
    #[arg(long, global = true, value_name = "PATH", help_heading = "Options of every command")]
    pub(crate) config: Option<PathBuf>,
    /// The database, instead of the configuration's store.path
    #[arg(long, global = true, value_name = "PATH", help_heading = "Options of every command")]
    pub(crate) database: Option<PathBuf>,
    /// Say more on standard error; twice for everything
    #[arg(short, long, global = true, action = ArgAction::Count,
          help_heading = "Options of every command")]
    pub(crate) verbose: u8,
    /// Say only what went wrong
    #[arg(
        short,
        long,
        global = true,
        conflicts_with = "verbose",
        help_heading = "Options of every command"
    )]
    pub(crate) quiet: bool,
    /// How to write the log [default: the journal's own under systemd, else text]
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        value_enum,
        help_heading = "Options of every command"
    )]
    pub(crate) log_format: Option<LogFormat>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Poll, match, store and alert until told to stop (the daemon)
    Run(run::Arguments),
    /// Read the whole configuration, run the tests in the rules, report all problems
    Check(check::Arguments),
    /// Run items through the rules: grep for news
    Match(match_items::Arguments),
    /// Show why a rule matches a text, or why not
    Explain(explain::Arguments),
    /// Try the rules on past items: what they would have hit, and what a change wins and loses
    Backtest(backtest::Arguments),
    /// List past items that lack one thing that a rule asks for
    Nearmiss(nearmiss::Arguments),
    /// List stored hits, newest first
    Hits(hits::Arguments),
    /// List alerts, follow them, or show one
    Alerts(alerts::Arguments),
    /// List stories, show the whole history of one, merge or split them by hand
    Stories(stories::Arguments),
    /// List stored items, newest first
    Items(items::Arguments),
    /// List feeds and how they are doing, or show how a document is understood
    Feeds(feeds::Arguments),
    /// List the outbox, or retry what was given up
    Deliveries(deliveries::Arguments),
    /// Try the routes: who would be told of an alert, when, and why
    Route(route::Arguments),
    /// Mute alerts for a while, list what is muted, end it
    Silence(silence::Arguments),
    /// Is it healthy? Exit code 0 when it is, 1 when not
    Status(status::Arguments),
    /// Show the effective configuration
    Config(config_show::Arguments),
    /// Write a shell completion script to standard output
    Completions(generate::Completions),
    /// Write the man page to standard output
    #[command(after_help = "\
Example:
  newswatch man > /usr/share/man/man1/newswatch.1")]
    Man,
}

/// Runs the program: reads the arguments, does what they say, and gives the exit code.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let daemon = matches!(cli.command, Command::Run(_));
    let log = telemetry::init(cli.global.verbose, cli.global.quiet, cli.global.log_format, daemon);
    let result = match cli.command {
        Command::Run(arguments) => run::run(&cli.global, &arguments, log.as_ref()),
        Command::Check(arguments) => check::run(&cli.global, &arguments),
        Command::Match(arguments) => match_items::run(&cli.global, &arguments),
        Command::Explain(arguments) => explain::run(&cli.global, &arguments),
        Command::Backtest(arguments) => backtest::run(&cli.global, &arguments),
        Command::Nearmiss(arguments) => nearmiss::run(&cli.global, &arguments),
        Command::Hits(arguments) => hits::run(&cli.global, &arguments),
        Command::Alerts(arguments) => alerts::run(&cli.global, &arguments),
        Command::Stories(arguments) => stories::run(&cli.global, &arguments),
        Command::Items(arguments) => items::run(&cli.global, &arguments),
        Command::Feeds(arguments) => feeds::run(&cli.global, &arguments),
        Command::Deliveries(arguments) => deliveries::run(&cli.global, &arguments),
        Command::Route(arguments) => route::run(&cli.global, &arguments),
        Command::Silence(arguments) => silence::run(&cli.global, &arguments),
        Command::Status(arguments) => status::run(&cli.global, &arguments),
        Command::Config(arguments) => config_show::run(&cli.global, &arguments),
        Command::Completions(arguments) => generate::completions(&arguments),
        Command::Man => generate::man(),
    };
    let exit = result.unwrap_or_else(|error| {
        // `newswatch hits | head` closes our output early; that is no failure.
        if is_broken_pipe(&error) {
            return Exit::Done;
        }
        complain(&format!("newswatch: {error:#}"));
        error.downcast_ref::<Refused>().map_or(Exit::Failure, |refused| refused.exit)
    });
    ExitCode::from(exit as u8)
}

/// Says something to the person at the terminal, on standard error. When that is closed, nobody
/// wants to know.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// The same for what went wrong; the journal hears that it is an error.
pub(crate) fn complain(text: &str) {
    if telemetry::is_journal(&io::stderr()) {
        say(&telemetry::marked(text, Gravity::Error));
    } else {
        say(text);
    }
}

/// Whether to use colour on standard output (<https://no-color.org>).
pub(crate) fn colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && io::stdout().is_terminal()
}

/// Whether the reader of our output has gone. What writes JSON and CSV wraps the error.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let kind = if let Some(error) = cause.downcast_ref::<io::Error>() {
            Some(error.kind())
        } else if let Some(error) = cause.downcast_ref::<serde_json::Error>() {
            error.io_error_kind()
        } else if let Some(csv::ErrorKind::Io(error)) =
            cause.downcast_ref::<csv::Error>().map(csv::Error::kind)
        {
            Some(error.kind())
        } else {
            None
        };
        kind == Some(io::ErrorKind::BrokenPipe)
    })
}
