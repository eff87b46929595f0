//! `newswatch check`: is the configuration right?

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::{Exit, Global, colour, config_files};
use crate::config::{self, Checked, Counts, NamedFile};
use crate::diagnostic::{Gravity, Located, Problem};
use crate::fetch::access;
use crate::rules::ITEMS_TO_LEARN_FROM;
use crate::store::Reader;
use crate::text::count;
use crate::{fetch, secret, telemetry};

/// How problems are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a person.
    Text,
    /// One JSON object.
    Json,
}

/// The arguments of `check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  newswatch --config config check
Exit codes: 0 when there is no error, 1 when there is, 3 when there is no configuration at all.")]
pub(crate) struct Arguments {
    /// How to write the problems
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

/// Checks everything and prints every problem.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> anyhow::Result<Exit> {
    let files = config_files::read(global)?;
    let mut checked = config::check(&files);
    if let Some(config) = &checked.config {
        // What is stored is the best judge of a rule; without a store there is none.
        let path = global.database.as_ref().unwrap_or(&config.store.path);
        let items = Reader::open(path).and_then(|reader| reader.newest_items(ITEMS_TO_LEARN_FROM));
        let frequent = checked.sources.frequent(&config.rules, &items.unwrap_or_default());
        checked.problems.extend(frequent);
    }
    checked.problems.extend(checked.named_files.iter().filter_map(look_at));
    // A warning, as the daemon may run on another machine.
    if let Some(Err(error)) = checked.config.as_ref().map(fetch::check_system) {
        checked.problems.push(Problem::warning(&files.main, 0..0, error.to_string()));
    }
    let errors = number(&checked, Gravity::Error);
    let warnings = number(&checked, Gravity::Warning);
    let Counts { feeds, rules, entities } = checked.counts;
    let file_count = 1 + files.feeds.len() + files.rules.len();
    let mut out = std::io::stdout().lock();
    match arguments.format {
        Format::Json => {
            let value = json!({
                "problems": checked.problems.iter().map(Problem::to_json).collect::<Vec<_>>(),
                "errors": errors,
                "warnings": warnings,
                "files": file_count,
                "feeds": feeds,
                "rules": rules,
                "entities": entities,
                "tests": { "passed": checked.tests.passed, "failed": checked.tests.failed },
            });
            writeln!(out, "{value}")?;
        }
        Format::Text => {
            // systemd runs `check` before a start and a reload: the journal is where its report is
            // looked for then.
            let journal = telemetry::is_journal(&out);
            for problem in &checked.problems {
                let report = problem.render();
                let report = if journal {
                    telemetry::marked(&report, problem.gravity)
                } else {
                    painted(&report)
                };
                writeln!(out, "{report}")?;
            }
            let there =
                [(file_count, "file"), (feeds, "feed"), (rules, "rule"), (entities, "entity")];
            writeln!(
                out,
                "{}; tests: {} passed, {} failed; {}, {}",
                there.map(|(number, noun)| count(number, noun)).join(", "),
                checked.tests.passed,
                checked.tests.failed,
                count(errors, "error"),
                count(warnings, "warning")
            )?;
        }
    }
    Ok(if errors == 0 { Exit::Done } else { Exit::No })
}

/// What is wrong with a file that the configuration names. A warning, as the daemon may run on
/// another machine or as another user, and the feed that needs the file fails alone.
fn look_at((place, file): &(Located, NamedFile)) -> Option<Problem> {
    let warning = |message| Problem::warning(&place.file, place.span.clone(), message);
    if let Err(why) = access::check(file) {
        return Some(warning(why).with_hint("until that is mended, what needs the file fails"));
    }
    let (NamedFile::Secret(source) | NamedFile::Headers(source)) = file else { return None };
    let path = secret::file(source).ok()?;
    let mode = std::fs::metadata(&path).ok()?.permissions().mode();
    (mode & 0o004 != 0).then(|| {
        warning(format!("everybody on this machine can read {}", path.display()))
            .with_hint(format!("chmod o= {}", path.display()))
    })
}

fn number(checked: &Checked, gravity: Gravity) -> usize {
    checked.problems.iter().filter(|problem| problem.gravity == gravity).count()
}

/// Errors in red and warnings in yellow, on a terminal.
fn painted(text: &str) -> String {
    if !colour() {
        return text.to_owned();
    }
    text.replacen(": error: ", ": \u{1b}[1;31merror\u{1b}[0m: ", 1).replacen(
        ": warning: ",
        ": \u{1b}[1;33mwarning\u{1b}[0m: ",
        1,
    )
}
