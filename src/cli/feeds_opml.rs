//! `newswatch feeds import` and `feeds export`: OPML in, as a file to review, and out.

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use url::Url;

use super::feed_names::name_of;
use super::{Exit, Global, config_files, say};
use crate::opml::{self, Outline};
use crate::text::count;

/// The largest OPML document, in bytes.
const LARGEST: u64 = 16 << 20;

/// The arguments of `feeds import`.
#[derive(Debug, Args)]
#[command(after_help = "\
The feeds are written as TOML to standard output, for you to review; nothing is changed. Feeds that the \
configuration has already are left out.
Example:
  newswatch feeds import reader.opml > config/feeds/imported.toml")]
pub(crate) struct Import {
    /// An OPML document; - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// The arguments of `feeds export`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  newswatch feeds export > newswatch.opml")]
pub(crate) struct Export {
    /// Also the feeds that are not enabled
    #[arg(long)]
    all: bool,
}

/// Writes the feeds of an OPML document as TOML.
pub(crate) fn import(global: &Global, arguments: &Import) -> anyhow::Result<Exit> {
    let file = arguments.file.display();
    let mut bytes = Vec::new();
    if arguments.file.as_os_str() == "-" {
        std::io::stdin().take(LARGEST).read_to_end(&mut bytes)?;
    } else {
        let opened =
            std::fs::File::open(&arguments.file).with_context(|| format!("cannot open {file}"))?;
        opened
            .take(LARGEST)
            .read_to_end(&mut bytes)
            .with_context(|| format!("cannot read {file}"))?;
    }
    let text = String::from_utf8_lossy(&bytes);
    let outlines = opml::parse(text.trim_start_matches('\u{feff}'))
        .with_context(|| format!("cannot read {file}"))?;
    if outlines.is_empty() {
        bail!("{file} lists no feed: no <outline> has an xmlUrl");
    }
    // A list can be imported before there is a configuration.
    let config = config_files::load(global).ok().and_then(Result::ok);
    let known = config.iter().flat_map(|config| &config.feeds);
    let (mut names, mut urls): (HashSet<String>, HashSet<Url>) =
        known.map(|feed| (feed.name.as_str().to_owned(), feed.url.clone())).unzip();
    let mut out = std::io::stdout().lock();
    let (mut written, mut had) = (0, 0);
    for outline in outlines {
        match Url::parse(&outline.url) {
            Ok(url) if !matches!(url.scheme(), "http" | "https") => {
                say(&format!(
                    "{}: {} is neither http nor https; left out",
                    outline.title, outline.url
                ));
            }
            Ok(url) if !urls.insert(url.clone()) => had += 1,
            Ok(url) => {
                let name = name_of(&outline.title, &url, &mut names);
                out.write_all(feed_table(&name, &outline, &url).as_bytes())?;
                written += 1;
            }
            Err(error) => say(&format!(
                "{}: {:?} is no address: {error}; left out",
                outline.title, outline.url
            )),
        }
    }
    say(&format!("{}; {had} there already", count(written, "feed")));
    Ok(if written > 0 { Exit::Done } else { Exit::No })
}

/// A `[[feed]]` table, and an empty line after it.
pub(super) fn feed_table(name: &str, outline: &Outline, url: &Url) -> String {
    let text = |value: &str| toml::Value::String(value.to_owned()).to_string();
    let mut out = format!("[[feed]]\nname = {}\nurl = {}\n", text(name), text(url.as_str()));
    if !outline.title.is_empty() {
        out += &format!("title = {}\n", text(&outline.title));
    }
    if let Some(lang) = &outline.lang {
        out += &format!("lang = {}\n", text(lang));
    }
    let tags: Vec<String> = outline
        .folders
        .iter()
        .filter(|folder| !folder.is_empty())
        .map(|folder| text(folder))
        .collect();
    if !tags.is_empty() {
        out += &format!("tags = [{}]\n", tags.join(", "));
    }
    out + "\n"
}

/// Writes the configuration's feeds as OPML.
pub(crate) fn export(global: &Global, arguments: &Export) -> anyhow::Result<Exit> {
    let Some(config) = config_files::usable(global)? else { return Ok(Exit::Config) };
    let feeds = config.feeds.iter().filter(|feed| arguments.all || feed.enabled);
    let outlines: Vec<Outline> = feeds
        .map(|feed| Outline {
            title: feed.title.clone().unwrap_or_else(|| feed.name.to_string()),
            url: feed.url.to_string(),
            site: None,
            lang: feed.lang.clone(),
            folders: feed.region.iter().chain(&feed.tags).take(1).cloned().collect(),
        })
        .collect();
    write!(std::io::stdout(), "{}", opml::write("newswatch", &outlines))?;
    Ok(Exit::Done)
}
