//! `newswatch feeds poll`: ask for a feed now, and show all that passes.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{self, HeaderMap};
use serde_json::{Map, Value, json};

use super::list::short_time;
use super::{Exit, Global, Refused, complain, config_files};
use crate::alert::decide::Reason;
use crate::clock::Clock;
use crate::config::toml_file::nearest;
use crate::config::{self, Config, Feed};
use crate::daemon::rehearsal::{Rehearsal, Rehearsed};
use crate::fetch::transcript::Exchange;
use crate::pipeline::Revised;
use crate::schedule::FeedState;
use crate::text::clean::clean;
use crate::text::count;

/// A feed that was asked so recently is not asked again by accident.
const SHORTEST: SignedDuration = SignedDuration::from_mins(5);
/// What is shown in place of a secret.
const MASKED: &str = "***";
/// The longest value of a header that is shown, in characters.
const LONGEST_VALUE: usize = 400;

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a person.
    Text,
    /// One JSON object.
    Json,
}

/// The arguments of `feeds poll`.
#[derive(Debug, Args)]
#[command(after_help = "\
Works beside a running daemon and keeps nothing: the next poll brings the same items again. To poll \
and keep, wait for the daemon, or stop it and use `newswatch run --once`. Under each new or edited item \
stand its new hits, and what rules that had hit it make of the edit (`hits`, `edits` in JSON).
Examples:
  newswatch feeds poll bbc-world
  newswatch feeds poll bbc-world --whole --force
Exit codes: 0 when the poll went well, 1 when it failed or it is too early for one.")]
pub(crate) struct Arguments {
    /// The feed's name
    #[arg(value_name = "NAME")]
    name: String,
    /// Even less than five minutes after the last poll, or while the host asks to be left alone
    #[arg(long)]
    force: bool,
    /// Ask for the whole document, also when it has not changed
    #[arg(long)]
    whole: bool,
    /// How to write the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

/// Polls a feed and shows it.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> anyhow::Result<Exit> {
    let Some(config) = config_files::usable(global)? else { return Ok(Exit::Config) };
    let feed = feed(&config, &arguments.name)?.clone();
    let clock = Clock::System;
    let now = clock.now();
    let mut rehearsal = Rehearsal::new(config.clone(), &feed, clock)?;
    if !arguments.force
        && feed.url.scheme() != "file"
        && let Some(why) = too_early(&rehearsal, now)
    {
        complain(&format!("{} was not polled: {why}; --force does it all the same", feed.name));
        return Ok(Exit::No);
    }
    if arguments.whole {
        rehearsal.without_conditions();
    }
    let before = rehearsal.before.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    let polled = runtime.block_on(rehearsal.poll())?;
    let mut out = std::io::stdout().lock();
    match arguments.format {
        Format::Text => out.write_all(text(&feed, &before, &polled, now).as_bytes())?,
        Format::Json => writeln!(out, "{}", value(&feed, &before, &polled))?,
    }
    Ok(if polled.failed { Exit::No } else { Exit::Done })
}

fn feed<'a>(config: &'a Config, name: &str) -> anyhow::Result<&'a Feed> {
    if let Some(feed) = config.feeds.iter().find(|feed| feed.name.as_str() == name) {
        return Ok(feed);
    }
    let names = config.feeds.iter().map(|feed| feed.name.as_str());
    let hint = match nearest(name, names) {
        Some(near) => format!("did you mean {near:?}?"),
        None => "newswatch feeds lists them".to_owned(),
    };
    Err(Refused::usage(format!("there is no feed {name:?}; {hint}")))
}

/// Why it is too early to ask, if it is.
fn too_early(rehearsal: &Rehearsal, now: Timestamp) -> Option<String> {
    if let Some(until) = rehearsal.host.not_before.filter(|until| *until > now) {
        return Some(format!("its host asked to be left alone until {}", short_time(Some(until))));
    }
    let last = rehearsal.before.last_request.filter(|last| *last <= now)?;
    let again = last + SHORTEST;
    (again > now)
        .then(|| format!("it was asked {}, less than 5 minutes ago", short_time(Some(last))))
}

/// The headers as they may be shown: in order, secrets masked.
fn shown(headers: &HeaderMap) -> Vec<(String, String)> {
    let each = headers.iter().map(|(name, value)| {
        let secret = value.is_sensitive() || *name == header::SET_COOKIE;
        let text = String::from_utf8_lossy(value.as_bytes());
        let mut text: String = clean(&text).chars().take(LONGEST_VALUE + 1).collect();
        if text.chars().count() > LONGEST_VALUE {
            text.pop();
            text.push('…');
        }
        (name.to_string(), if secret { MASKED.to_owned() } else { text })
    });
    each.collect()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn text(feed: &Feed, before: &FeedState, polled: &Rehearsed, now: Timestamp) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = write_text(&mut out, feed, before, polled, now);
    out
}

fn write_text(
    out: &mut String,
    feed: &Feed,
    before: &FeedState,
    polled: &Rehearsed,
    now: Timestamp,
) -> std::fmt::Result {
    let Rehearsed { transcript, document, batch, after, .. } = polled;
    for exchange in &transcript.exchanges {
        write_exchange(out, feed, exchange)?;
    }
    if let Some(body) = transcript.body {
        let cut = if body.complete { "" } else { ", CUT OFF" };
        let took = millis(transcript.took);
        writeln!(
            out,
            "body: {}, {} unpacked{cut}; {took} ms in all",
            count(body.wire, "byte"),
            body.unpacked
        )?;
    }
    match document {
        Some(document) => {
            let (format, encoding) = (document.format, document.encoding);
            writeln!(out, "document: {format}, {encoding}, {}", count(document.items, "item"))?;
            if !document.repairs.is_empty() {
                writeln!(out, "repairs: {}", document.repairs)?;
            }
            for warning in &document.warnings {
                writeln!(out, "warning: {}", clean(warning))?;
            }
        }
        None if polled.failed => {}
        None => writeln!(out, "document: unchanged since the last poll")?,
    }
    let edited = batch.items.len() - batch.new_items();
    writeln!(out, "items: {} new, {edited} edited", batch.new_items())?;
    for stored in &batch.items {
        let mark = if stored.revision == 1 { "new" } else { "edited" };
        writeln!(
            out,
            "  {mark} {} {}",
            short_time(stored.item.published),
            clean(&stored.item.title)
        )?;
        for hit in batch.hits.iter().filter(|hit| hit.item == stored.item.key) {
            let why = hit.silent.map_or("its story decides whether it is told", Reason::as_str);
            writeln!(out, "    hit {} ({}): {why}", hit.rule, hit.severity)?;
        }
        for edit in batch.revised.iter().filter(|edit| edit.item == stored.item.key) {
            writeln!(out, "    edit {}", edit_line(edit))?;
        }
    }
    let words = |feed: &FeedState| feed.state.in_words(feed.failure);
    let (old, new) = (words(before), words(after));
    let change = if old == new { new.to_owned() } else { format!("{old} -> {new}") };
    let why = after.why.as_ref().map(|why| format!(": {}", clean(why))).unwrap_or_default();
    writeln!(out, "state: {change}{why}")?;
    let wait = Duration::try_from(after.next_due.duration_since(now)).unwrap_or_default();
    let wait = config::write_duration(Duration::from_secs(wait.as_secs()));
    writeln!(out, "next poll after this one: in {wait}, {}", short_time(Some(after.next_due)))?;
    writeln!(out, "nothing of this was stored")
}

/// What a rule that had hit an item makes of its edit. Whether that is told, the store decides.
fn edit_line(edit: &Revised) -> String {
    let rule = &edit.rule;
    match &edit.now {
        Some(now) => {
            let severity = now.severity;
            format!(
                "{rule} ({severity}): matches; told unless too little has changed, or too often"
            )
        }
        None => {
            format!("{rule}: matches no more; told if the hit was, or its rule has on_update")
        }
    }
}

fn write_exchange(out: &mut String, feed: &Feed, exchange: &Exchange) -> std::fmt::Result {
    let by = feed.access.proxy.as_ref().map(|proxy| format!(" through {}", proxy.url));
    writeln!(out, "GET {}{}", clean(exchange.url.as_str()), by.unwrap_or_default())?;
    for (name, value) in shown(&exchange.headers) {
        writeln!(out, "> {name}: {value}")?;
    }
    let waited = millis(exchange.waited);
    let Some(answer) = &exchange.answer else {
        return writeln!(out, "< no answer after {waited} ms\n");
    };
    writeln!(out, "< {:?} {} after {waited} ms", answer.version, answer.status)?;
    for (name, value) in shown(&answer.headers) {
        writeln!(out, "< {name}: {value}")?;
    }
    writeln!(out)
}

fn edit_value(edit: &Revised) -> Value {
    let severity = edit.now.as_ref().map(|now| now.severity);
    json!({ "rule": edit.rule, "matches": edit.now.is_some(), "severity": severity })
}

fn value(feed: &Feed, before: &FeedState, polled: &Rehearsed) -> Value {
    let Rehearsed { transcript, document, batch, after, failed } = polled;
    let headers = |headers: &HeaderMap| -> Value {
        let pair = |(name, value)| json!([name, value]);
        shown(headers).into_iter().map(pair).collect()
    };
    let exchanges: Vec<Value> = transcript
        .exchanges
        .iter()
        .map(|exchange| {
            json!({
                "url": exchange.url.as_str(),
                "sent": headers(&exchange.headers),
                "waited_ms": millis(exchange.waited),
                "status": exchange.answer.as_ref().map(|answer| answer.status.as_u16()),
                "version": exchange.answer.as_ref().map(|answer| format!("{:?}", answer.version)),
                "received": exchange.answer.as_ref().map(|answer| headers(&answer.headers)),
            })
        })
        .collect();
    let body = transcript.body.map(
        |body| json!({ "wire": body.wire, "unpacked": body.unpacked, "complete": body.complete }),
    );
    let document = document.as_ref().map(|document| {
        json!({
            "format": document.format,
            "encoding": document.encoding,
            "items": document.items,
            "repairs": document.repairs,
            "warnings": document.warnings,
        })
    });
    let items: Vec<Value> = batch
        .items
        .iter()
        .map(|stored| {
            let mut fields = Map::new();
            fields.insert("key".to_owned(), json!(stored.item.key));
            fields.insert("title".to_owned(), json!(stored.item.title));
            fields.insert("link".to_owned(), json!(stored.item.link));
            fields.insert("published".to_owned(), json!(stored.item.published));
            fields.insert("revision".to_owned(), json!(stored.revision));
            let hits = batch.hits.iter().filter(|hit| hit.item == stored.item.key);
            fields.insert("hits".to_owned(), hits.map(|hit| json!(hit)).collect());
            let edits = batch.revised.iter().filter(|edit| edit.item == stored.item.key);
            fields.insert("edits".to_owned(), edits.map(edit_value).collect());
            Value::Object(fields)
        })
        .collect();
    json!({
        "feed": feed.name.as_str(),
        "proxy": feed.access.proxy.as_ref().map(|proxy| proxy.url.as_str()),
        "ok": !failed,
        "exchanges": exchanges,
        "body": body,
        "took_ms": millis(transcript.took),
        "document": document,
        "items": items,
        "state_before": before.state.as_str(),
        "state": after.state.as_str(),
        "why": after.why,
        "next_due": after.next_due,
    })
}
