//! The log of the program itself, on standard error or in the journal. Alerts are not part of it:
//! they go to receivers.

use std::fs::File;
use std::io::IsTerminal as _;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt as _;

use clap::ValueEnum;
use tracing::Level;
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

use crate::diagnostic::Gravity;

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for a person.
    Text,
    /// A JSON object a line, for containers.
    Json,
    /// The systemd journal, with fields.
    Journald,
}

/// Whether a stream of ours ends in the journal. Programs started from a desktop inherit the
/// variable without the stream (systemd.exec(5), JOURNAL_STREAM).
pub(crate) fn is_journal(stream: &impl AsFd) -> bool {
    let Some(named) = std::env::var("JOURNAL_STREAM").ok() else { return false };
    let metadata = stream.as_fd().try_clone_to_owned().and_then(|fd| File::from(fd).metadata());
    metadata.is_ok_and(|stream| named == format!("{}:{}", stream.dev(), stream.ino()))
}

/// A text with each line marked for the journal (sd-daemon(3)), where all lines would else have
/// the priority of information.
pub(crate) fn marked(text: &str, gravity: Gravity) -> String {
    let mark = match gravity {
        Gravity::Error => "<3>",
        Gravity::Warning => "<4>",
    };
    text.lines().map(|line| format!("{mark}{line}")).collect::<Vec<_>>().join("\n")
}

/// Sets the log up. `NEWSWATCH_LOG` overrides the level, in the syntax of tracing's filters.
pub(crate) fn init(verbose: u8, quiet: bool, format: Option<LogFormat>, daemon: bool) {
    let level = match (quiet, verbose, daemon) {
        (true, ..) => Level::ERROR,
        (_, 0, true) => Level::INFO,
        (_, 0, false) => Level::WARN,
        (_, 1, _) => Level::DEBUG,
        _ => Level::TRACE,
    };
    // Other crates' details are for those who ask twice.
    let default = if verbose > 1 { level.to_string() } else { format!("warn,newswatch={level}") };
    let filter = EnvFilter::try_from_env("NEWSWATCH_LOG").unwrap_or_else(|_| {
        EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).parse_lossy(default)
    });
    let journal = is_journal(&std::io::stderr());
    let format = format.unwrap_or(if journal { LogFormat::Journald } else { LogFormat::Text });
    let registry = tracing_subscriber::registry().with(filter);
    if format == LogFormat::Journald
        && let Ok(layer) = tracing_journald::layer()
    {
        let mappings = PriorityMappings {
            error: Priority::Error,
            warn: Priority::Warning,
            info: Priority::Informational,
            debug: Priority::Debug,
            trace: Priority::Debug,
        };
        let layer = layer
            .with_field_prefix(Some("NEWSWATCH".to_owned()))
            .with_syslog_identifier("newswatch".to_owned())
            .with_priority_mappings(mappings);
        registry.with(layer).init();
    } else if format == LogFormat::Json {
        let layer = fmt::layer()
            .json()
            .with_span_events(FmtSpan::NONE)
            .log_internal_errors(false)
            .with_writer(std::io::stderr);
        registry.with(layer).init();
    } else {
        let colour = std::io::stderr().is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        // The complaint about a closed standard error would itself go there, and panic.
        let layer = fmt::layer()
            .with_ansi(colour)
            .with_target(false)
            .log_internal_errors(false)
            .with_writer(std::io::stderr);
        registry.with(layer).init();
    }
}
