//! `newswatch feeds import` and `feeds export`: OPML in, as a file to review, and out.

use std::collections::{BTreeMap, HashSet};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use url::Url;

use super::config_show::feed_keys;
use super::feed_names::{name_of, of_its_own};
use super::{Exit, Global, config_files, say};
use crate::config::access::Access;
use crate::config::{Config, Feed};
use crate::opml::{self, Outline};
use crate::text::count;

/// The largest OPML document, in bytes.
const LARGEST: u64 = 16 << 20;

/// Keys of a feed that OPML has attributes for.
const STANDARD: [&str; 4] = ["url", "title", "lang", "tags"];
/// Keys of a feed that are true or false, and those that are text, in the order in which they are written.
const SWITCHES: [&str; 4] = ["allow_private", "enabled", "fill_gaps", "ignore_cache_lifetime"];
const TEXTS: [&str; 10] = [
    "owner",
    "alignment",
    "region",
    "interval",
    "min_interval",
    "max_interval",
    "priority",
    "expected_every",
    "encoding",
    "timezone",
];

/// The arguments of `feeds import`.
#[derive(Debug, Args)]
#[command(after_help = "\
The feeds are written as TOML to standard output, for you to review; nothing is changed. Feeds that the \
configuration has already are left out. Folders and categories become tags; what `feeds export` wrote comes \
back with all its keys.
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
Any reader can import the list. What OPML has no attribute for, as owner and interval, stands in attributes of its \
own, which `feeds import` reads; headers, passwords, proxies and certificates are left out.
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
    let (mut written, mut had, mut private) = (0, 0, Vec::new());
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
                let own = outline.keys.get("name").and_then(|name| of_its_own(name, &mut names));
                let name = own.unwrap_or_else(|| name_of(&outline.title, &url, &mut names));
                if outline.keys.get("allow_private").is_some_and(|value| value == "true") {
                    private.push(name.clone());
                }
                if outline.keys.contains_key("tags") && own_tags(&outline).is_none() {
                    say(&format!(
                        "{name}: newswatch:tags is no list of texts; the categories are its tags"
                    ));
                }
                out.write_all(feed_table(&name, &outline, &url).as_bytes())?;
                written += 1;
            }
            Err(error) => say(&format!(
                "{}: {:?} is no address: {error}; left out",
                outline.title, outline.url
            )),
        }
    }
    if !private.is_empty() {
        let private = private.join(", ");
        say(&format!("allowed to be at private addresses, if you leave that in: {private}"));
    }
    say(&format!("{}; {had} there already", count(written, "feed")));
    Ok(if written > 0 { Exit::Done } else { Exit::No })
}

/// A `[[feed]]` table, and an empty line after it.
pub(super) fn feed_table(name: &str, outline: &Outline, url: &Url) -> String {
    let text = |value: &str| toml::Value::String(value.to_owned()).to_string();
    let mut out = format!("[[feed]]\nname = {}\nurl = {}\n", text(name), text(url.as_str()));
    // Without a title of its own, a feed that we wrote has its name there.
    if !outline.title.is_empty() && outline.keys.get("name") != Some(&outline.title) {
        out += &format!("title = {}\n", text(&outline.title));
    }
    if let Some(lang) = &outline.lang {
        out += &format!("lang = {}\n", text(lang));
    }
    let tags = tags(outline);
    if !tags.is_empty() {
        let tags: Vec<String> = tags.iter().map(|tag| text(tag)).collect();
        out += &format!("tags = [{}]\n", tags.join(", "));
    }
    // The document may be anybody's: nothing else of it becomes a key.
    for key in TEXTS {
        if let Some(value) = outline.keys.get(key) {
            out += &format!("{key} = {}\n", text(value));
        }
    }
    for key in SWITCHES {
        if let Some(value @ ("true" | "false")) = outline.keys.get(key).map(String::as_str) {
            out += &format!("{key} = {value}\n");
        }
    }
    out + "\n"
}

/// The tags of a feed; of one that we did not write the folders, too.
fn tags(outline: &Outline) -> Vec<String> {
    if let Some(tags) = own_tags(outline) {
        return tags;
    }
    if outline.keys.contains_key("name") {
        return outline.categories.clone();
    }
    let mut tags: Vec<String> = Vec::new();
    for tag in outline.categories.iter().chain(&outline.folders) {
        if !tag.is_empty() && !tags.contains(tag) {
            tags.push(tag.clone());
        }
    }
    tags
}

/// The tags as we wrote them, where categories cannot say them; none where that is no list of texts.
fn own_tags(outline: &Outline) -> Option<Vec<String>> {
    outline.keys.get("tags").and_then(|tags| serde_json::from_str(tags).ok())
}

/// Writes the configuration's feeds as OPML.
pub(crate) fn export(global: &Global, arguments: &Export) -> anyhow::Result<Exit> {
    let Some(config) = config_files::usable(global)? else { return Ok(Exit::Config) };
    let feeds = || config.feeds.iter().filter(|feed| arguments.all || feed.enabled);
    let outlines: Vec<Outline> = feeds().map(outline).collect();
    write!(std::io::stdout(), "{}", opml::write("newswatch", &outlines))?;
    let reached = feeds().filter(|feed| is_reached_its_own_way(feed, &config));
    let reached: Vec<&str> = reached.map(|feed| feed.name.as_str()).collect();
    if !reached.is_empty() {
        let reached = reached.join(", ");
        say(&format!("headers, passwords, proxies and certificates are left out, of {reached}"));
    }
    Ok(Exit::Done)
}

/// A feed as a list has it.
fn outline(feed: &Feed) -> Outline {
    let key = |(key, value): (String, toml::Value)| match value {
        toml::Value::String(text) => Some((key, text)),
        // What is usual need not be said.
        toml::Value::Boolean(value) if value != (key == "enabled") => {
            Some((key, value.to_string()))
        }
        _ => None,
    };
    let keys = feed_keys(feed).into_iter().filter(|(key, _)| !STANDARD.contains(&key.as_str()));
    let mut keys: BTreeMap<String, String> = keys.filter_map(key).collect();
    if !opml::are_categories(&feed.tags) {
        keys.insert("tags".to_owned(), serde_json::Value::from(feed.tags.clone()).to_string());
    }
    Outline {
        title: feed.title.clone().unwrap_or_else(|| feed.name.to_string()),
        url: feed.url.to_string(),
        site: None,
        lang: feed.lang.clone(),
        folders: feed.region.iter().chain(&feed.tags).take(1).cloned().collect(),
        categories: feed.tags.clone(),
        keys,
    }
}

/// Whether something is said of how a feed's server is reached that does not hold for all.
fn is_reached_its_own_way(feed: &Feed, config: &Config) -> bool {
    let proxy = config.poll.access.proxy.clone();
    let ca_file = config.poll.access.ca_file.clone();
    feed.access != Access { proxy, ca_file, ..Access::default() }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::config::{self, Directories, Files};
    use crate::diagnostic::SourceFile;

    const WORDS: [&str; 12] = [
        "asia",
        "wire",
        "/x",
        "//",
        "world/asia",
        "Seoul, Busan",
        ",",
        " before",
        "after ",
        "",
        "two\tcolumns\nand \"rows\" & <more>",
        "朝鲜半岛，以及这一地区所有会被提到的国家、城市和人物的新闻",
    ];

    /// The feeds of a file, by their names.
    fn feeds(text: &str) -> Vec<Feed> {
        let (folder, main) = (PathBuf::new(), "[[receiver]]\nname = \"log\"\ntype = \"stdout\"\n");
        let directories =
            Directories { state: folder.clone(), logs: folder.clone(), current: folder.clone() };
        let rule = "[[rule]]\nid = \"delta\"\ntitle = \"Delta\"\nquery = 'delta'\n";
        let files = Files {
            main: SourceFile::new("newswatch.toml", main),
            feeds: vec![SourceFile::new("feeds.toml", text)],
            rules: vec![SourceFile::new("rules.toml", rule)],
            strays: Vec::new(),
            directories,
            folder,
        };
        let mut feeds = config::check(&files).config.expect("the configuration is right").feeds;
        feeds.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
        feeds
    }

    fn read(opml: &str) -> Vec<Outline> {
        opml::parse(opml).expect("it is a list")
    }

    /// The tables that an import writes of a document.
    fn imported(opml: &str) -> String {
        let table = |outline: &Outline| {
            feed_table(&outline.keys["name"], outline, &outline.url.parse().expect("it is a URL"))
        };
        read(opml).iter().map(table).collect()
    }

    proptest! {
        #[test]
        fn whatever_its_region_and_tags_a_feed_comes_back(
            all in vec((select(&WORDS[..]), vec(select(&WORDS[..]), 0..4), 0..90_usize), 1..4)
        ) {
            let text = |text: &str| toml::Value::from(text).to_string();
            let mut table = String::new();
            for (number, (region, tags, times)) in all.iter().enumerate() {
                let tags = tags.iter().chain(tags.iter().cycle().take(*times * tags.len()));
                let tags: Vec<String> = tags.map(|tag| text(tag)).collect();
                table += &format!(
                    "[[feed]]\nname = \"feed-{number}\"\nurl = \"https://{number}.a.example/\"\n\
                     owner = {owner}\nregion = {owner}\ntags = [{}]\n",
                    tags.join(", "),
                    owner = text(region),
                );
            }
            let before = feeds(&table);
            let outlines: Vec<Outline> = before.iter().map(outline).collect();
            prop_assert_eq!(feeds(&imported(&opml::write("newswatch", &outlines))), before);
        }
    }

    #[test]
    fn of_a_list_that_somebody_else_wrote_folders_are_tags() {
        let tags = |declared: &str, own: &str| {
            let opml = format!(
                "<opml {declared}><outline text='Asia'><outline text='A' category='wire,Asia' {own} \
                 xmlUrl='https://a.example/'/></outline><outline text='/x'><outline text='B' \
                 category='/x' xmlUrl='https://b.example/'/></outline></opml>"
            );
            read(&opml).iter().map(super::tags).collect::<Vec<_>>()
        };
        assert_eq!(tags("", ""), [vec!["wire", "Asia"], vec!["x", "/x"]]);
        let ours = "xmlns:n='urn:newswatch:schema:opml:1'";
        assert_eq!(tags(ours, "n:name='a' n:region='Asia'")[0], ["wire", "Asia"]);
        assert_eq!(tags(ours, "n:name='a' n:tags='[\"x,y\"]'")[0], ["x,y"]);
        assert_eq!(tags(ours, "n:name='a' n:tags='[\"x,y'")[0], ["wire", "Asia"]);
    }
}
