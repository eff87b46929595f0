//! Finding and reading the files of the configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};

use super::{Global, Refused, complain};
use crate::config::toml_file::nearest;
use crate::config::{self, Checked, Config, Directories, Files};
use crate::diagnostic::{Gravity, Problem, SourceFile};
use crate::rules::{RuleSet, Sources};

/// The largest file of a configuration: a hundred thousand rules fit.
const LARGEST_FILE: u64 = 64 << 20;
/// Rules that are named when none is like what was asked for.
const MOST_NAMED: usize = 20;
const MAIN: &str = "newswatch.toml";
/// Where packages put the configuration, what they keep, and what they log.
const SYSTEM: (&str, &str, &str) = ("/etc/newswatch", "/var/lib/newswatch", "/var/log/newswatch");

/// The main file: what `--config` names, else $NEWSWATCH_CONFIG, ./config, /etc/newswatch.
fn find(global: &Global) -> anyhow::Result<PathBuf> {
    let named = global.config.clone().or_else(|| {
        std::env::var_os("NEWSWATCH_CONFIG").filter(|path| !path.is_empty()).map(Into::into)
    });
    if let Some(named) = named {
        let file = if named.is_dir() { named.join(MAIN) } else { named.clone() };
        if !file.is_file() {
            bail!("there is no configuration at {}: no such file", file.display());
        }
        return Ok(file);
    }
    for folder in ["config", SYSTEM.0] {
        let file = Path::new(folder).join(MAIN);
        if file.is_file() {
            return Ok(file);
        }
    }
    bail!(
        "there is no configuration: neither ./config/{MAIN} nor {}/{MAIN} exists; \
         name one with --config PATH",
        SYSTEM.0
    )
}

/// Reads all files of the configuration. A file that cannot be read is an error that names it.
pub(crate) fn read(global: &Global) -> anyhow::Result<Files> {
    read_all(global).map_err(|error| Refused::config(format!("{error:#}")))
}

fn read_all(global: &Global) -> anyhow::Result<Files> {
    let main = find(global)?;
    let folder = main.parent().map_or_else(PathBuf::new, Path::to_owned);
    let directories = directories(&folder)?;
    Ok(Files {
        feeds: folder_files(&folder.join("feeds"))?,
        rules: folder_files(&folder.join("rules"))?,
        strays: strays(&folder, &main),
        main: file(&main)?,
        folder,
        directories,
    })
}

/// Where relative paths lead: what systemd gives, the system's folders for a configuration under
/// /etc, else the configuration's own folder.
fn directories(folder: &Path) -> anyhow::Result<Directories> {
    let system = std::path::absolute(folder)?.starts_with("/etc");
    let of = |variable: &str, fixed: &str| {
        // systemd separates several folders by colons; the first is ours.
        let given = std::env::var(variable).ok();
        let given = given.and_then(|given| given.split(':').next().map(PathBuf::from));
        given
            .filter(|path| path.is_absolute())
            .unwrap_or_else(|| if system { PathBuf::from(fixed) } else { folder.to_owned() })
    };
    Ok(Directories {
        state: of("STATE_DIRECTORY", SYSTEM.1),
        logs: of("LOGS_DIRECTORY", SYSTEM.2),
        current: std::env::current_dir().context("there is no current folder")?,
    })
}

/// The TOML files of a folder by name; none when there is no such folder.
fn folder_files(folder: &Path) -> anyhow::Result<Vec<Arc<SourceFile>>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut paths = Vec::new();
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read {}", folder.display()))?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if has_ending(&path) && !hidden {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(|path| file(path)).collect()
}

/// The TOML files beside the main file, in folders of `feeds` and `rules`, and there with other letters
/// (`news.TOML`): somebody may believe that they are read.
fn strays(folder: &Path, main: &Path) -> Vec<PathBuf> {
    // Whoever names another main file may have several.
    let is_usual = main.file_name().is_some_and(|name| name == MAIN);
    let mut strays = if is_usual { toml_files(folder) } else { Vec::new() };
    strays.retain(|path| path != main);
    for inner in ["feeds", "rules"].map(|name| folder.join(name)) {
        strays.extend(toml_files(&inner).into_iter().filter(|path| !has_ending(path)));
        let entries = std::fs::read_dir(&inner).into_iter().flatten().flatten();
        strays.extend(entries.flat_map(|entry| toml_files(&entry.path())));
    }
    strays.sort();
    strays
}

/// The files of a folder that are TOML by their ending, whatever its letters, and not hidden.
fn toml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_toml = |path: &PathBuf| {
        let ending = path.extension().unwrap_or_default();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        ending.eq_ignore_ascii_case("toml") && !hidden && path.is_file()
    };
    entries.map(|entry| entry.path()).filter(is_toml).collect()
}

fn has_ending(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "toml")
}

/// Reads one file of the configuration.
pub(crate) fn file(path: &Path) -> anyhow::Result<Arc<SourceFile>> {
    let length =
        std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
    if length > LARGEST_FILE {
        bail!("{} is larger than {} MiB", path.display(), LARGEST_FILE >> 20);
    }
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(SourceFile::from_bytes(path, bytes))
}

/// The rule files of a path: a rule file, the TOML files of a folder, or those of a configuration.
pub(crate) fn rule_files(path: &Path) -> anyhow::Result<Vec<Arc<SourceFile>>> {
    if path.file_name().is_some_and(|name| name == MAIN) {
        return folder_files(&path.with_file_name("rules"));
    }
    if path.is_dir() {
        let inner = path.join("rules");
        return folder_files(if inner.is_dir() { &inner } else { path });
    }
    Ok(vec![file(path)?])
}

/// The error that there is no such rule, and which one may be meant.
pub(crate) fn no_such_rule<T>(rules: &RuleSet, id: &str) -> anyhow::Result<T> {
    let ids: Vec<&str> = rules.rules().iter().map(|rule| &*rule.id).collect();
    let hint = match nearest(id, ids.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None if ids.len() <= MOST_NAMED => format!("the rules are {}", ids.join(", ")),
        None => format!("none of the {} rules has a name like it", ids.len()),
    };
    Err(Refused::usage(format!("there is no rule {id:?}; {hint}")))
}

/// The configuration, checked; or all that is wrong with it, as text. What it warns of is for
/// `check` and the daemon to say, not for each command.
pub(crate) fn load(global: &Global) -> anyhow::Result<Result<Config, String>> {
    Ok(load_with_sources(global)?.map(|(config, _)| config))
}

/// The same for the daemon: what `check` warns of stands in its log.
pub(crate) fn load_and_warn(global: &Global) -> anyhow::Result<Result<Config, String>> {
    let files = read(global)?;
    let Checked { config, problems, .. } = config::check(&files);
    for warning in problems.iter().filter(|problem| problem.gravity == Gravity::Warning) {
        let first = warning.render();
        tracing::warn!("{}", first.lines().next().unwrap_or_default());
    }
    Ok(config.map(|config| at_database(config, global)).ok_or_else(|| render_errors(&problems)))
}

/// The configuration with the database that the options name.
fn at_database(mut config: Config, global: &Global) -> Config {
    if let Some(database) = &global.database {
        config.store.path.clone_from(database);
    }
    config
}

/// The configuration, checked, and what its rules were compiled from.
fn load_with_sources(global: &Global) -> anyhow::Result<Result<(Config, Sources), String>> {
    let files = read(global)?;
    let Checked { config, sources, problems, .. } = config::check(&files);
    Ok(match config {
        Some(config) => Ok((at_database(config, global), sources)),
        None => Err(render_errors(&problems)),
    })
}

/// The configuration, checked; when it cannot be used, what is wrong with it is said, and the command
/// ends.
pub(crate) fn usable(global: &Global) -> anyhow::Result<Option<Config>> {
    Ok(usable_with_sources(global)?.map(|(config, _)| config))
}

/// The same, and what its rules were compiled from.
pub(crate) fn usable_with_sources(global: &Global) -> anyhow::Result<Option<(Config, Sources)>> {
    let loaded = load_with_sources(global)?;
    if let Err(problems) = &loaded {
        complain(problems);
    }
    Ok(loaded.ok())
}

/// The errors among problems, as text.
pub(super) fn render_errors(problems: &[Problem]) -> String {
    let errors = problems.iter().filter(|problem| problem.gravity == Gravity::Error);
    errors.map(Problem::render).collect::<Vec<_>>().join("\n")
}

/// Where the database is: `--database`, else what the configuration says, even where the rest of
/// it is wrong.
pub(crate) fn database_path(global: &Global) -> anyhow::Result<PathBuf> {
    match &global.database {
        Some(path) => Ok(path.clone()),
        None => Ok(config::store_path(&read(global)?)),
    }
}
