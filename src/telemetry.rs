//! The log of the program itself, on standard error or in the journal. Alerts are not part of it:
//! they go to receivers.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clap::ValueEnum;
use tracing::{Dispatch, Level, Subscriber};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::diagnostic::Gravity;
use crate::text::count;

/// Lines of the log that wait to be written: more than a reload of a large configuration says at once, a
/// megabyte or so.
const MOST_LINES: usize = 4_000;
/// How long the end of the program waits for them.
const LAST_WAIT: Duration = Duration::from_secs(1);

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

/// Sets the log up. `NEWSWATCH_LOG` overrides the level, in the syntax of tracing's filters. The lines of a
/// daemon go through a queue, which its end has to wait for.
pub(crate) fn init(
    verbose: u8,
    quiet: bool,
    format: Option<LogFormat>,
    daemon: bool,
) -> Option<Queue> {
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
    let journal = is_journal(&io::stderr());
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
        return None;
    }
    let queue = daemon.then(|| Queue::start(format)).flatten();
    let writer = match &queue {
        Some(queue) => BoxMakeWriter::new({
            let queue = queue.clone();
            move || queue.clone()
        }),
        None => BoxMakeWriter::new(io::stderr),
    };
    registry.with(lines(format, writer)).init();
    queue
}

/// The log as lines.
fn lines<S>(format: LogFormat, writer: BoxMakeWriter) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    // The complaint about a closed standard error would itself go there, and panic.
    let layer = fmt::layer().log_internal_errors(false).with_writer(writer);
    if format == LogFormat::Json {
        return Box::new(layer.json().with_span_events(FmtSpan::NONE));
    }
    let colour = io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    Box::new(layer.with_ansi(colour).with_target(false))
}

/// Lines of the daemon's log on their way to standard error, by a thread of their own: a pipe that is full
/// and that nobody reads, or a terminal that stands still, holds up nothing else.
#[derive(Debug, Clone, Default)]
pub(crate) struct Queue(Arc<(Mutex<Waiting>, Condvar)>);

#[derive(Debug, Default)]
struct Waiting {
    /// Each with how many were lost before it.
    lines: VecDeque<(usize, Vec<u8>)>,
    /// Lines that found no place, since the last that did.
    lost: usize,
    /// Whether a line is being written.
    writing: bool,
}

impl Queue {
    /// Starts the thread; nothing where there can be none.
    fn start(format: LogFormat) -> Option<Self> {
        let queue = Self::default();
        let direct = lines(format, BoxMakeWriter::new(io::stderr));
        // Without a level of its own, what the log leaves out would be looked at each time.
        let registry = tracing_subscriber::registry().with(LevelFilter::WARN);
        let direct = Dispatch::new(registry.with(direct));
        let lines = queue.clone();
        let write = move || loop {
            let (lost, line) = lines.next();
            if lost > 0 {
                let lines = count(lost, "line");
                let say = || tracing::warn!(lost, "{lines} of the log got lost before this");
                tracing::dispatcher::with_default(&direct, say);
            }
            let _ = io::stderr().write_all(&line);
        };
        std::thread::Builder::new().name("log".to_owned()).spawn(write).ok().map(|_| queue)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next line, when there is one, and how many were lost before it. The one before is written.
    fn next(&self) -> (usize, Vec<u8>) {
        let mut waiting = self.waiting();
        loop {
            waiting.writing = false;
            if let Some(line) = waiting.lines.pop_front() {
                waiting.writing = true;
                return line;
            }
            if waiting.lost > 0 {
                waiting.writing = true;
                return (std::mem::take(&mut waiting.lost), Vec::new());
            }
            self.0.1.notify_all();
            waiting = self.0.1.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until all is written, but not for long.
    pub(crate) fn finish(&self) {
        let left = |waiting: &mut Waiting| {
            waiting.writing || waiting.lost > 0 || !waiting.lines.is_empty()
        };
        let _ = self.0.1.wait_timeout_while(self.waiting(), LAST_WAIT, left);
    }
}

impl io::Write for Queue {
    /// Takes a line, or loses it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.waiting();
        if waiting.lines.len() < MOST_LINES {
            let lost = std::mem::take(&mut waiting.lost);
            waiting.lines.push_back((lost, line.to_owned()));
            self.0.1.notify_all();
        } else {
            waiting.lost += 1;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_find_no_place_are_counted_by_the_next_that_does() {
        let mut queue = Queue::default();
        for number in 0..MOST_LINES + 3 {
            queue.write_all(number.to_string().as_bytes()).unwrap();
        }
        assert_eq!(queue.next(), (0, b"0".to_vec()));
        queue.write_all(b"late").unwrap();
        for number in 1..MOST_LINES {
            assert_eq!(queue.next(), (0, number.to_string().into_bytes()));
        }
        assert_eq!(queue.next(), (3, b"late".to_vec()));
    }

    #[test]
    fn lines_that_were_lost_are_counted_though_none_follows() {
        let mut queue = Queue::default();
        for _ in 0..=MOST_LINES {
            queue.write_all(b"line").unwrap();
        }
        for _ in 0..MOST_LINES {
            assert_eq!(queue.next(), (0, b"line".to_vec()));
        }
        assert_eq!(queue.next(), (1, Vec::new()));
    }
}
