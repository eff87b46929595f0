//! `newswatch feeds parse`: how a feed document is understood.

use std::io::{Read as _, Write as _};

use anyhow::Context as _;
use clap::Args;
use serde_json::Value;
use url::Url;

use super::{Exit, say};
use crate::clock::Clock;
use crate::feed::{self, Document};

/// The largest document, in bytes: what a poll would take in after decompression.
const LARGEST: u64 = 20 << 20;

/// The arguments of `feeds parse`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  newswatch feeds parse --charset windows-1251 saved-feed.xml")]
pub(crate) struct Arguments {
    /// Feed documents; - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// The character set that HTTP would have named
    #[arg(long, value_name = "CHARSET")]
    charset: Option<String>,
    /// The address that relative links are read against
    #[arg(long, value_name = "URL")]
    base: Option<Url>,
}

/// Prints each document as JSON; exit code 4 when one could not be read.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let mut exit = Exit::Done;
    for file in &arguments.files {
        match parse(arguments, file) {
            Ok(mut value) => {
                if arguments.files.len() > 1
                    && let Value::Object(fields) = &mut value
                {
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

fn parse(arguments: &Arguments, file: &str) -> anyhow::Result<Value> {
    let mut bytes = Vec::new();
    if file == "-" {
        std::io::stdin().take(LARGEST).read_to_end(&mut bytes)?;
    } else {
        let opened = std::fs::File::open(file).context("cannot open it")?;
        opened.take(LARGEST).read_to_end(&mut bytes).context("cannot read it")?;
    }
    let parsed = feed::parse(&Document {
        bytes: &bytes,
        charset: arguments.charset.as_deref(),
        encoding: None,
        base: arguments.base.as_ref(),
        utc_offset: None,
        now: Clock::System.now(),
    })?;
    Ok(serde_json::to_value(parsed)?)
}
