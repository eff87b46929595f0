//! `newswatch config show`: the configuration as it takes effect, every default filled in.

use std::collections::BTreeMap;
use std::io::Write as _;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use toml::{Table, Value};

use super::{Exit, Global, config_files};
use crate::config::access::{Access, Authorization, Defaults, Proxy, ProxyUser, is_secret_header};
use crate::config::{
    Address, Config, Feed, FirstRun, Mode, Receiver, ReceiverKind, Route, SecretSource, Smtp,
    Template, Webhook, write_duration,
};

/// What stands for a value that may be a secret.
const MASKED: &str = "***";

/// The arguments of `config`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  newswatch --config /etc/newswatch config show")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the effective configuration as TOML; files that hold secrets are named, not read
    Show,
}

/// Prints the configuration.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> anyhow::Result<Exit> {
    let Command::Show = arguments.command;
    let Some(config) = config_files::usable(global)? else { return Ok(Exit::Config) };
    write!(std::io::stdout(), "{}", toml::to_string(&table(&config))?)?;
    Ok(Exit::Done)
}

fn table(config: &Config) -> Table {
    let poll = &config.poll;
    let mut out = Table::new();
    set(&mut out, "instance", &config.instance);
    let mut store = Table::new();
    set(&mut store, "path", config.store.path.to_string_lossy());
    set(&mut store, "keep_items", write_duration(config.store.keep_items));
    out.insert("store".to_owned(), Value::Table(store));
    let mut table = Table::new();
    if let Some(contact) = &poll.user_agent_contact {
        set(&mut table, "user_agent_contact", contact);
    }
    let concurrency = i64::try_from(poll.concurrency).unwrap_or(i64::MAX);
    table.insert("concurrency".to_owned(), Value::Integer(concurrency));
    let first_run = match poll.first_run {
        FirstRun::Record => "record".to_owned(),
        FirstRun::Alert => "alert".to_owned(),
        FirstRun::AlertRecent(within) => format!("alert-recent:{}", write_duration(within)),
    };
    set(&mut table, "first_run", first_run);
    if let Some(interval) = poll.interval {
        set(&mut table, "interval", write_duration(interval));
    }
    set(&mut table, "min_interval", write_duration(poll.min_interval));
    set(&mut table, "max_interval", write_duration(poll.max_interval));
    set(&mut table, "host_gap", write_duration(poll.host_gap));
    let Defaults { proxy, ca_file } = &poll.access;
    set_proxy(&mut table, proxy.as_ref());
    if let Some(path) = ca_file {
        set(&mut table, "ca_file", path.to_string_lossy());
    }
    out.insert("poll".to_owned(), Value::Table(table));
    if let Some(metrics) = config.metrics {
        let mut table = Table::new();
        set(&mut table, "listen", metrics.listen.to_string());
        table.insert("allow_public".to_owned(), Value::Boolean(!metrics.listen.ip().is_loopback()));
        out.insert("metrics".to_owned(), Value::Table(table));
    }
    let tables = |tables: Vec<Table>| Value::Array(tables.into_iter().map(Value::Table).collect());
    out.insert("receiver".to_owned(), tables(config.receivers.iter().map(receiver).collect()));
    let mut table = Table::new();
    if let Some(receivers) = &config.operator.receivers {
        set_list(&mut table, "receivers", receivers);
    }
    let mute: Vec<&str> = config.operator.mute.iter().map(|kind| kind.as_str()).collect();
    set_list(&mut table, "mute", &mute);
    if let Some(every) = config.operator.heartbeat {
        set(&mut table, "heartbeat", write_duration(every));
    }
    out.insert("operator".to_owned(), Value::Table(table));
    out.insert("route".to_owned(), tables(config.routes.iter().map(route).collect()));
    let feeds = config.feeds.iter().map(|known| feed(known, config)).collect();
    out.insert("feed".to_owned(), tables(feeds));
    out
}

fn set(table: &mut Table, key: impl Into<String>, value: impl AsRef<str>) {
    table.insert(key.into(), Value::String(value.as_ref().to_owned()));
}

fn set_list<T: AsRef<str>>(table: &mut Table, key: &str, values: &[T]) {
    let values = values.iter().map(|value| Value::String(value.as_ref().to_owned())).collect();
    table.insert(key.to_owned(), Value::Array(values));
}

fn receiver(receiver: &Receiver) -> Table {
    let mut table = Table::new();
    set(&mut table, "name", &receiver.name);
    if let Some(most) = receiver.max_per_minute {
        table.insert("max_per_minute".to_owned(), Value::Integer(most.get().into()));
    }
    match &receiver.kind {
        ReceiverKind::Stdout => set(&mut table, "type", "stdout"),
        ReceiverKind::Journald => set(&mut table, "type", "journald"),
        ReceiverKind::Jsonl { path } => {
            set(&mut table, "type", "jsonl");
            set(&mut table, "path", path.to_string_lossy());
        }
        ReceiverKind::Webhook(webhook) => {
            set(&mut table, "type", "webhook");
            self::webhook(webhook, &mut table);
        }
        ReceiverKind::Smtp(smtp) => {
            set(&mut table, "type", "smtp");
            self::smtp(smtp, &mut table);
        }
        ReceiverKind::Ntfy(ntfy) => {
            set(&mut table, "type", "ntfy");
            set(&mut table, "url", &ntfy.url);
            set(&mut table, "topic", &ntfy.topic);
            if let Some(source) = &ntfy.authorization {
                set_secret(&mut table, "authorization", source);
            }
            table.insert("allow_private".to_owned(), Value::Boolean(ntfy.allow_private));
            set(&mut table, "timeout", write_duration(ntfy.timeout));
        }
        ReceiverKind::Command(command) => {
            set(&mut table, "type", "command");
            let program = command.program.to_string_lossy().into_owned();
            let words: Vec<String> =
                std::iter::once(program).chain(command.arguments.iter().cloned()).collect();
            set_list(&mut table, "command", &words);
            set(&mut table, "timeout", write_duration(command.timeout));
        }
        ReceiverKind::Atom(atom) => {
            set(&mut table, "type", "atom");
            set(&mut table, "path", atom.path.to_string_lossy());
            let entries = i64::try_from(atom.entries).unwrap_or(i64::MAX);
            table.insert("entries".to_owned(), Value::Integer(entries));
            set(&mut table, "title", &atom.title);
        }
    }
    table
}

fn webhook(webhook: &Webhook, table: &mut Table) {
    match &webhook.address {
        Address::Plain(url) => set(table, "url", url),
        Address::Secret(source) => set_secret(table, "url", source),
    }
    set(table, "template", webhook.template.name());
    match &webhook.template {
        Template::Matrix { room } => set(table, "room", room),
        Template::Telegram { chat } => set(table, "chat", chat),
        _ => {}
    }
    for (key, source) in [("authorization", &webhook.authorization), ("secret", &webhook.secret)] {
        if let Some(source) = source {
            set_secret(table, key, source);
        }
    }
    table.insert("allow_private".to_owned(), Value::Boolean(webhook.allow_private));
    set(table, "timeout", write_duration(webhook.timeout));
    set_headers(table, &webhook.headers);
}

fn smtp(smtp: &Smtp, table: &mut Table) {
    set(table, "host", &smtp.host);
    table.insert("port".to_owned(), Value::Integer(smtp.port.into()));
    set(table, "encryption", smtp.encryption.name());
    if let Some(login) = &smtp.login {
        set(table, "username", &login.username);
        set_secret(table, "password", &login.password);
    }
    set(table, "from", smtp.from.to_string());
    let to: Vec<String> = smtp.to.iter().map(ToString::to_string).collect();
    set_list(table, "to", &to);
    set(table, "timeout", write_duration(smtp.timeout));
}

/// Where a secret is, not what it says.
fn set_secret(table: &mut Table, key: &str, source: &SecretSource) {
    match source {
        SecretSource::File(path) => set(table, format!("{key}_file"), path.to_string_lossy()),
        SecretSource::Credential(name) => set(table, format!("{key}_credential"), name),
    }
}

fn route(route: &Route) -> Table {
    let mut table = Table::new();
    let severity: Vec<&str> = route.severity.iter().map(|severity| severity.as_str()).collect();
    set_list(&mut table, "severity", &severity);
    set_list(&mut table, "tags", &route.tags);
    set_list(&mut table, "rule", &route.rule);
    set_list(&mut table, "receivers", &route.receivers);
    table.insert("continue".to_owned(), Value::Boolean(route.continues));
    let clock = |time: &Time| time.strftime("%H:%M").to_string();
    match &route.mode {
        Mode::Immediate => set(&mut table, "mode", "immediate"),
        Mode::Digest { at } => {
            set(&mut table, "mode", "digest");
            set_list(&mut table, "digest_at", &at.iter().map(clock).collect::<Vec<_>>());
        }
    }
    if let Some(quiet) = &route.quiet {
        set(&mut table, "quiet", format!("{}-{}", clock(&quiet.from), clock(&quiet.to)));
        let except: Vec<&str> = quiet.except.iter().map(|severity| severity.as_str()).collect();
        set_list(&mut table, "except", &except);
    }
    if route.quiet.is_some() || route.mode != Mode::Immediate {
        set(&mut table, "timezone", zone_name(&route.timezone));
    }
    table
}

/// A time zone as the configuration writes it.
pub(super) fn zone_name(zone: &TimeZone) -> String {
    match zone.iana_name() {
        Some(name) => name.to_owned(),
        None => offset(zone.to_offset(Timestamp::UNIX_EPOCH).seconds()),
    }
}

/// Seconds east of UTC as the configuration writes them.
fn offset(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

fn feed(feed: &Feed, config: &Config) -> Table {
    let mut table = feed_keys(feed);
    if let Some(interval) = feed.interval.or(config.poll.interval) {
        set(&mut table, "interval", write_duration(interval));
    }
    set_access(&mut table, &feed.access);
    table
}

/// What the configuration says of a feed by itself, but for how its server is reached.
pub(super) fn feed_keys(feed: &Feed) -> Table {
    let mut table = Table::new();
    set(&mut table, "name", feed.name.as_str());
    set(&mut table, "url", &feed.url);
    for (key, value) in [
        ("title", &feed.title),
        ("owner", &feed.owner),
        ("alignment", &feed.alignment),
        ("lang", &feed.lang),
        ("region", &feed.region),
        ("encoding", &feed.encoding),
    ] {
        if let Some(value) = value {
            set(&mut table, key, value);
        }
    }
    set_list(&mut table, "tags", &feed.tags);
    for (key, value) in [
        ("interval", feed.interval),
        ("min_interval", feed.min_interval),
        ("max_interval", feed.max_interval),
    ] {
        if let Some(value) = value {
            set(&mut table, key, write_duration(value));
        }
    }
    if let Some(seconds) = feed.utc_offset {
        set(&mut table, "timezone", offset(seconds));
    }
    if let Some(expected) = feed.expected_every {
        set(&mut table, "expected_every", write_duration(expected));
    }
    if feed.wire {
        set(&mut table, "priority", "wire");
    }
    if feed.ignore_cache_lifetime {
        table.insert("ignore_cache_lifetime".to_owned(), Value::Boolean(true));
    }
    if feed.fill_gaps {
        table.insert("fill_gaps".to_owned(), Value::Boolean(true));
    }
    table.insert("allow_private".to_owned(), Value::Boolean(feed.allow_private));
    table.insert("enabled".to_owned(), Value::Boolean(feed.enabled));
    table
}

fn set_access(table: &mut Table, access: &Access) {
    match &access.headers_from {
        None => {}
        Some(SecretSource::File(path)) => set(table, "headers_from", path.to_string_lossy()),
        Some(source) => set_secret(table, "headers", source),
    }
    match &access.authorization {
        None => {}
        Some(Authorization::Bearer { token }) => set_secret(table, "token", token),
        Some(Authorization::Basic { username, password }) => {
            set(table, "username", username);
            set_secret(table, "password", password);
        }
    }
    set_proxy(table, access.proxy.as_ref());
    if let Some(path) = &access.ca_file {
        set(table, "ca_file", path.to_string_lossy());
    }
    set_headers(table, &access.headers);
}

fn set_headers(table: &mut Table, headers: &BTreeMap<String, String>) {
    if !headers.is_empty() {
        let shown = |name: &str, value: &str| {
            let value = if is_secret_header(name) { MASKED } else { value };
            (name.to_owned(), Value::String(value.to_owned()))
        };
        let headers = headers.iter().map(|(name, value)| shown(name, value));
        table.insert("headers".to_owned(), Value::Table(headers.collect()));
    }
}

fn set_proxy(table: &mut Table, proxy: Option<&Proxy>) {
    let Some(Proxy { url, user }) = proxy else { return };
    set(table, "proxy", url);
    if let ProxyUser::Named { username, password } = user {
        set(table, "proxy_username", username);
        if let Some(password) = password {
            set_secret(table, "proxy_password", password);
        }
    }
}
