//! Items as JSON Lines: what `match` and `backtest` read.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::Value;

use crate::item::{Item, ItemKey};

/// The longest line, in bytes; a longer one is no item.
const LONGEST_LINE: usize = 4 << 20;

/// An item, and what its line says of it.
#[derive(Debug, Clone)]
pub(super) struct LineItem {
    /// The id that the line gives, else its number.
    pub(super) id: String,
    /// The feed; empty when the line names none.
    pub(super) feed: String,
    pub(super) item: Item,
}

/// An item as a line gives it. Unknown fields are ignored.
#[derive(Debug, Deserialize)]
struct Line {
    #[serde(default)]
    id: Value,
    title: Option<String>,
    summary: Option<String>,
    description: Option<String>,
    content: Option<String>,
    link: Option<String>,
    feed: Option<String>,
    source: Option<Value>,
    author: Option<Value>,
    #[serde(default)]
    tags: Value,
    lang: Option<String>,
    language: Option<String>,
    published: Option<String>,
}

/// Opens a file of lines; `-` is standard input.
pub(super) fn open(file: &Path) -> anyhow::Result<Box<dyn BufRead + Send>> {
    if file.as_os_str() == "-" {
        return Ok(Box::new(BufReader::with_capacity(1 << 18, io::stdin())));
    }
    let opened = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    Ok(Box::new(BufReader::with_capacity(1 << 18, opened)))
}

/// Reads a line; the error says why it is no item.
pub(super) fn read(number: u64, line: &str) -> Result<LineItem, String> {
    if line.len() > LONGEST_LINE {
        return Err(format!("longer than {} MiB", LONGEST_LINE >> 20));
    }
    // serde takes a list for a struct.
    if !line.trim_start().starts_with('{') {
        return Err("no item: not a JSON object".to_owned());
    }
    let line: Line = serde_json::from_str(line).map_err(|error| format!("no item: {error}"))?;
    let Some(title) = line.title else { return Err("no item: it has no title".to_owned()) };
    let id = match line.id {
        Value::String(id) => id,
        Value::Null => number.to_string(),
        other => other.to_string(),
    };
    let mut item = Item::titled(ItemKey::of("line", &[&id]), title);
    item.summary = line.summary.or(line.description).unwrap_or_default();
    item.content = line.content.unwrap_or_default();
    item.link = line.link;
    item.lang = line.lang.or(line.language).map(|lang| lang.to_lowercase());
    item.authors = line.author.map(texts).unwrap_or_default();
    item.tags = texts(line.tags);
    item.published = line.published.and_then(|published| published.parse().ok());
    let source = line.source.and_then(|source| source.as_str().map(str::to_owned));
    Ok(LineItem { id, feed: line.feed.or(source).unwrap_or_default(), item })
}

/// A text, or a list of texts.
fn texts(value: Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => {
            values.into_iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    }
}
