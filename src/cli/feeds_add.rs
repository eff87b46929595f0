//! `newswatch feeds add`: from an address to a `[[feed]]` table in a file of the configuration.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use url::Url;

use super::feed_asker::{Asker, Given};
use super::feed_names::name_of;
use super::feeds_opml::feed_table;
use super::list::short_time;
use super::{Exit, Global, Refused, complain, config_files, say};
use crate::clock::Clock;
use crate::config::access::Access;
use crate::config::{self, Checked, Config, Files};
use crate::diagnostic::SourceFile;
use crate::feed::{self, Document, FeedLink, ParseError, ParsedFeed};
use crate::fetch::Body;
use crate::opml::Outline;
use crate::text::clean::clean;
use crate::text::count;

/// The name of the feed while it is not known.
const PROVISIONAL: &str = "feeds-add";

/// The arguments of `feeds add`.
#[derive(Debug, Args)]
#[command(after_help = "\
A web page is searched for the feeds that it names; when it names several, they are listed and --pick \
chooses one. The address is asked as a poll would be, by the proxy of [poll] where there is one.
Where no scheme is given, https is tried, and http where nobody answers that.
--with adds a line to the feed's table, which counts for this request too: headers, a password, a proxy, \
as docs/operations.md describes them under \"How a feed's server is reached\".
Examples:
  newswatch feeds add https://example.org/news.rss
  newswatch feeds add example.org --pick 2 --to feeds/agencies.toml
  newswatch feeds add https://example.org/x --with 'token_file = \"x.token\"'
Exit codes: 0 when the feed was written, 1 when it is there already or there are several or none.")]
pub(crate) struct Arguments {
    /// The address of a feed, or of a web page that names it
    #[arg(value_name = "URL")]
    url: String,
    /// Which of the feeds that a page names, by its number in the list
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pick: Option<u16>,
    /// The file to add it to, in the folder feeds/ of the configuration
    #[arg(long, value_name = "FILE", default_value = "feeds/added.toml")]
    to: PathBuf,
    /// The feed's name [default: made from its title]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// A further line for the feed's table, as 'headers_from = "x.secret"'; may be given several
    /// times
    #[arg(long, value_name = "LINE")]
    with: Vec<String>,
    /// Ask a private or loopback address, and let the daemon do so
    #[arg(long)]
    allow_private: bool,
    /// Only print what would be written
    #[arg(long)]
    dry_run: bool,
}

/// Adds a feed.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> anyhow::Result<Exit> {
    let files = config_files::read(global)?;
    let Some(config) = config::check(&files).config else {
        complain("the configuration has mistakes: newswatch check shows them");
        return Ok(Exit::Config);
    };
    let to = destination(&files, &arguments.to)?;
    let mut given = Given::read(&arguments.url)?;
    if is_known(&config, &given.url) {
        return Ok(Exit::No);
    }
    let access = access(&config, &files, &to, &given.url, &arguments.with)?;
    let asker = Asker::new(
        &config.poll,
        access,
        &given.url,
        arguments.allow_private,
        !arguments.with.is_empty(),
    )?;
    let body = asker.ask_given(&mut given)?;
    let url = given.url;
    if is_known(&config, &url) {
        return Ok(Exit::No);
    }
    let found = match parse(&body) {
        Ok(parsed) => Some(Found { url: lasting(&asker, &url, &body), parsed }),
        Err(ParseError::WebPage { .. }) => choose(&asker, &config, &body, arguments.pick)?,
        Err(error) => bail!("{url} is no feed: {error}"),
    };
    let Some(found) = found else { return Ok(Exit::No) };
    if is_known(&config, &found.url) {
        return Ok(Exit::No);
    }
    let table = table(&config, &found, &asker, arguments);
    checked(&files, &to, &table)?;
    if !arguments.dry_run {
        append(&to, &table).with_context(|| format!("failed to write {}", to.display()))?;
    }
    write!(std::io::stdout(), "{table}")?;
    describe(&found.parsed);
    if arguments.dry_run {
        say("nothing was written");
    } else {
        say(&format!(
            "written to {}; next: newswatch check, then systemctl reload newswatch",
            to.display()
        ));
    }
    Ok(Exit::Done)
}

/// A feed that was read.
struct Found {
    /// The address to poll.
    url: Url,
    parsed: ParsedFeed,
}

/// How the server is asked: as `[poll]` says, or by the lines for the table.
fn access(
    config: &Config,
    files: &Files,
    to: &Path,
    url: &Url,
    lines: &[String],
) -> anyhow::Result<Access> {
    if lines.is_empty() {
        return Ok(config.poll.access.access(PROVISIONAL));
    }
    let url = toml::Value::String(url.to_string());
    let table = format!("[[feed]]\nname = \"{PROVISIONAL}\"\nurl = {url}\n{}\n", lines.join("\n"));
    let config = checked(files, to, &table)?;
    let feed = config.feeds.into_iter().find(|feed| feed.name.as_str() == PROVISIONAL);
    Ok(feed.expect("the table was read").access)
}

/// The address that will last: where permanent redirects lead, else the one that was given.
fn lasting(asker: &Asker, url: &Url, body: &Body) -> Url {
    let moved = body.moved_to.as_ref().filter(|moved| asker.may_tell(moved));
    moved.unwrap_or(url).clone()
}

fn parse(body: &Body) -> Result<ParsedFeed, ParseError> {
    feed::parse(&document(body))
}

fn document(body: &Body) -> Document<'_> {
    Document {
        bytes: &body.bytes,
        charset: body.charset.as_deref(),
        encoding: None,
        base: Some(&body.final_url),
        utc_offset: None,
        now: Clock::System.now(),
    }
}

/// Whether a feed has that address already; says which.
fn is_known(config: &Config, url: &Url) -> bool {
    let known = config.feeds.iter().find(|feed| feed.url == *url);
    if let Some(feed) = known {
        complain(&format!("{url} is there already: feed {}", feed.name));
    }
    known.is_some()
}

/// The feed of those that a page names that was picked; nothing, and a list, where the choice is
/// left.
fn choose(
    asker: &Asker,
    config: &Config,
    page: &Body,
    pick: Option<u16>,
) -> anyhow::Result<Option<Found>> {
    let links = feed::links(&document(page));
    let link = match (links.as_slice(), pick) {
        ([], _) => {
            let why = parse(page).err().map(|why| format!(": {why}")).unwrap_or_default();
            complain(&format!("{} names no feed{why}", page.final_url));
            return Ok(None);
        }
        ([link], None) => link,
        (several, None) => {
            list(config, several)?;
            complain(&format!(
                "{} names {} feeds; choose one with --pick N",
                page.final_url,
                several.len()
            ));
            return Ok(None);
        }
        (several, Some(pick)) => several.get(usize::from(pick) - 1).ok_or_else(|| {
            Refused::usage(format!("--pick {pick}: the page names {} feeds", several.len()))
        })?,
    };
    if is_known(config, &link.url) {
        return Ok(None);
    }
    let body = asker.ask(&link.url)?;
    let parsed =
        parse(&body).with_context(|| format!("{} is no feed, as the page says", link.url))?;
    Ok(Some(Found { url: lasting(asker, &link.url, &body), parsed }))
}

fn list(config: &Config, links: &[FeedLink]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for (number, FeedLink { url, title }) in (1..).zip(links) {
        let known = config.feeds.iter().find(|feed| feed.url == *url);
        let known = known.map(|feed| format!(" (there already: {})", feed.name));
        let title = clean(title);
        let space = if title.is_empty() { "" } else { "  " };
        writeln!(
            out,
            "{number}  {}{space}{title}{}",
            clean(url.as_str()),
            known.unwrap_or_default()
        )?;
    }
    Ok(())
}

fn table(config: &Config, found: &Found, asker: &Asker, arguments: &Arguments) -> String {
    let about = &found.parsed.feed;
    let outline = Outline {
        title: about.title.as_deref().map(clean).unwrap_or_default().into_owned(),
        url: found.url.to_string(),
        lang: about.lang.as_ref().map(|lang| lang.to_lowercase()),
        ..Outline::default()
    };
    let mut names: HashSet<String> =
        config.feeds.iter().map(|feed| feed.name.to_string()).collect();
    let name = arguments.name.clone();
    let name = name.unwrap_or_else(|| name_of(&outline.title, &found.url, &mut names));
    let mut table = feed_table(&name, &outline, &found.url).trim_end().to_owned();
    if asker.may_be_private(&found.url) {
        table += "\nallow_private = true";
    }
    for line in &arguments.with {
        table += &format!("\n{line}");
    }
    table + "\n"
}

/// The file to write: one that the configuration reads.
fn destination(files: &Files, to: &Path) -> anyhow::Result<PathBuf> {
    let path = files.folder.join(to);
    let folder = files.folder.join("feeds");
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let read = path.parent() == Some(&*folder)
        && path.extension().is_some_and(|extension| extension == "toml")
        && name.is_some_and(|name| !name.starts_with('.'));
    if !read {
        return Err(Refused::usage(format!(
            "{} is not read: only files {}/NAME.toml are",
            path.display(),
            folder.display()
        )));
    }
    Ok(path)
}

/// The configuration with a table more; refuses one with which it could not be used.
fn checked(files: &Files, to: &Path, table: &str) -> anyhow::Result<Config> {
    let mut files = files.clone();
    let old = files.feeds.iter().position(|file| file.path == to);
    let text = old.map(|old| files.feeds[old].text.clone()).unwrap_or_default();
    let fresh: Arc<SourceFile> = SourceFile::new(to, joined(&text, table));
    match old {
        Some(old) => files.feeds[old] = fresh,
        None => files.feeds.push(fresh),
    }
    let Checked { config, problems, .. } = config::check(&files);
    config.ok_or_else(|| {
        let errors = config_files::render_errors(&problems);
        Refused::usage(format!("this feed cannot be added:\n{errors}"))
    })
}

/// A text with a table after it.
fn joined(text: &str, table: &str) -> String {
    format!("{text}{}{table}", between(text.as_bytes()))
}

/// What stands between a text and a table after it: an empty line.
fn between(text: &[u8]) -> &'static str {
    match text {
        [] | [.., b'\n', b'\n'] => "",
        [.., b'\n'] => "\n",
        _ => "\n\n",
    }
}

/// Adds a table to the end of a file, in one write; what stands there is not touched.
fn append(path: &Path, table: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let mut end = Vec::new();
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(2)))?;
    file.read_to_end(&mut end)?;
    file.write_all(format!("{}{table}", between(&end)).as_bytes())?;
    file.sync_all()
}

/// Says what the feed is like.
fn describe(parsed: &ParsedFeed) {
    let newest = parsed.items.iter().max_by_key(|item| item.published);
    let newest = newest
        .map(|item| format!("; newest: {} {}", short_time(item.published), clean(&item.title)));
    let (format, items) = (parsed.feed.format, count(parsed.items.len(), "item"));
    say(&format!("{format}, {items}{}", newest.unwrap_or_default()));
    if !parsed.repairs.is_empty() {
        say(&format!("its document has to be mended: {}", parsed.repairs));
    }
    if let Some(one_page) = parsed.one_page() {
        say(one_page);
    }
}
