//! `newswatch feeds parse`: how a feed document is understood.

use std::io::{IsTerminal as _, Read as _, Write as _};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use serde_json::Value;
use url::Url;

use super::list::short_time;
use super::{Exit, say};
use crate::clock::Clock;
use crate::config::PollSettings;
use crate::config::access::Access;
use crate::feed::{self, Document, ParsedFeed, charset};
use crate::fetch::{Fetcher, Outcome, Request, Validators};
use crate::text::clean::clean;
use crate::text::count;

/// The largest document, in bytes: what a poll would take in after decompression.
const LARGEST: u64 = 20 << 20;

/// The arguments of `feeds parse`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  newswatch feeds parse --charset windows-1251 saved-feed.xml
  newswatch feeds parse https://example.org/rss.xml
An address is asked as it stands, a private one too: it is you who asks. Redirects do not lead from \
there to another private server.")]
pub(crate) struct Arguments {
    /// Feed documents: files or addresses; - for standard input
    #[arg(required = true, value_name = "FILE|URL")]
    files: Vec<String>,
    /// The character set that HTTP would have named
    #[arg(long, value_name = "CHARSET", value_parser = known_charset)]
    charset: Option<String>,
    /// The address that relative links are read against [default: the one that answered]
    #[arg(long, value_name = "URL")]
    base: Option<Url>,
    /// How to write it [default: text on a terminal, else json]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
}

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a person.
    Text,
    /// One JSON object a document.
    Json,
}

/// Prints each document; exit code 4 when one could not be read.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let mut exit = Exit::Done;
    let several = arguments.files.len() > 1;
    let terminal = std::io::stdout().is_terminal();
    let format = arguments.format.unwrap_or(if terminal { Format::Text } else { Format::Json });
    for file in &arguments.files {
        match parse(arguments, file) {
            Ok(parsed) if format == Format::Text => {
                let head = if several { format!("== {}\n", clean(file)) } else { String::new() };
                write!(std::io::stdout(), "{head}{}", text(&parsed))?;
            }
            Ok(parsed) => {
                let mut value = serde_json::to_value(parsed)?;
                if several && let Value::Object(fields) = &mut value {
                    fields.insert("file".to_owned(), Value::String(file.clone()));
                }
                writeln!(std::io::stdout(), "{value}")?;
            }
            Err(error) => {
                say(&format!("{file}: {error:#}"));
                exit = Exit::Failure;
            }
        }
    }
    Ok(exit)
}

/// A document for a person: what it is, what was wrong with it, and its items.
fn text(parsed: &ParsedFeed) -> String {
    let about = &parsed.feed;
    let title = clean(about.title.as_deref().unwrap_or("a feed without a title"));
    let items = count(parsed.items.len(), "item");
    let mut out = format!("{title}\n{}, {}, {items}\n", about.format, about.encoding);
    if !parsed.repairs.is_empty() {
        out += &format!("repairs: {}\n", parsed.repairs);
    }
    for warning in &parsed.warnings {
        out += &format!("warning: {}\n", clean(warning));
    }
    for item in &parsed.items {
        // As wide as a time.
        let at = short_time(item.published);
        out += &format!("{at:<16}  {}\n", clean(&item.title));
        if let Some(link) = &item.link {
            out += &format!("{:<16}  {}\n", "", clean(link));
        }
    }
    out
}

fn parse(arguments: &Arguments, name: &str) -> anyhow::Result<ParsedFeed> {
    let read = if ["http://", "https://", "file://"].iter().any(|start| name.starts_with(start)) {
        fetch(name)?
    } else {
        Read { bytes: read(name)?, charset: None, address: None, complete: true }
    };
    let mut parsed = feed::parse(&Document {
        bytes: &read.bytes,
        charset: arguments.charset.as_deref().or(read.charset.as_deref()),
        encoding: None,
        base: arguments.base.as_ref().or(read.address.as_ref()),
        utc_offset: None,
        now: Clock::System.now(),
    })?;
    parsed.warnings.extend(parsed.one_page().map(str::to_owned));
    if !read.complete {
        parsed.warnings.push("the connection broke before the end of the document".to_owned());
    }
    Ok(parsed)
}

/// A document, and what is known of it from outside.
struct Read {
    bytes: Vec<u8>,
    charset: Option<String>,
    address: Option<Url>,
    complete: bool,
}

fn read(file: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if file == "-" {
        std::io::stdin().take(LARGEST).read_to_end(&mut bytes)?;
    } else {
        let opened = std::fs::File::open(file).context("cannot open it")?;
        opened.take(LARGEST).read_to_end(&mut bytes).context("cannot read it")?;
    }
    Ok(bytes)
}

/// Asks as a poll would, once and without conditions. Who writes an address on the command line
/// means it, be it private.
fn fetch(address: &str) -> anyhow::Result<Read> {
    let url = address.parse().context("this is no address")?;
    let request = Request {
        url,
        moved_to: None,
        validators: Validators::default(),
        allow_private: true,
        access: Access::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let fetcher = Fetcher::new(&PollSettings::default())?;
    match runtime.block_on(fetcher.fetch(&request, Clock::System.now())) {
        Outcome::Modified(body) => Ok(Read {
            charset: body.charset,
            complete: body.complete,
            address: Some(body.final_url),
            bytes: body.bytes,
        }),
        Outcome::NotModified { .. } => bail!("the server says that it has not changed"),
        Outcome::Failed(failure) => bail!("{}", failure.message),
    }
}

fn known_charset(label: &str) -> Result<String, String> {
    if charset::is_known(label) {
        return Ok(label.to_owned());
    }
    Err("write utf-8, windows-1251, koi8-r, gb18030, big5, euc-kr, shift_jis …".to_owned())
}
