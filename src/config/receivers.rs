//! `[[receiver]]`: who can be told, and by what way.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::message::Mailbox;
use url::Url;

use super::check::{check_name, set_duration, web_address};
use super::private::is_private;
use super::toml_file::{Section, nearest};
use super::{Files, SecretSource, access};
use crate::diagnostic::{Located, Problem};

/// The most entries of a feed of alerts.
const MOST_ENTRIES: i64 = 1_000;
/// The longest name of a topic of ntfy.
const LONGEST_TOPIC: usize = 64;
/// The highest `max_per_minute`.
const MOST_PER_MINUTE: i64 = 60_000;

/// `[[receiver]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// The name that routes and deliveries use.
    pub name: String,
    /// What it is.
    pub kind: ReceiverKind,
    /// How many messages it may have in a minute; as many as there are when absent.
    pub max_per_minute: Option<NonZeroU32>,
}

/// What a receiver is, with the settings of its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiverKind {
    /// Readable text on standard output.
    Stdout,
    /// One alert record a line, appended to a file.
    Jsonl {
        /// The file.
        path: PathBuf,
    },
    /// The systemd journal, with fields of its own.
    Journald,
    /// An address that alerts are posted to.
    Webhook(Box<Webhook>),
    /// Mail.
    Smtp(Box<Smtp>),
    /// Push messages by ntfy.
    Ntfy(Box<Ntfy>),
    /// A program that is given records.
    Command(Command),
    /// A feed of the last alerts.
    Atom(Atom),
}

impl ReceiverKind {
    /// The types that the configuration names.
    pub const NAMES: [&str; 8] =
        ["jsonl", "journald", "stdout", "webhook", "smtp", "ntfy", "command", "atom"];

    /// How many messages a minute people and their services bear, where nothing else is said; of
    /// programs more, as an alert that waits for others is late.
    /// Discord takes 30 for a channel, Telegram 20 for a group, Slack one a second, ntfy.sh one in
    /// five seconds.
    fn usual_pace(&self) -> Option<u32> {
        match self {
            ReceiverKind::Stdout | ReceiverKind::Journald | ReceiverKind::Jsonl { .. } => None,
            ReceiverKind::Atom(_) => None,
            ReceiverKind::Smtp(_) => Some(30),
            ReceiverKind::Ntfy(_) => Some(12),
            ReceiverKind::Command(_) => Some(60),
            ReceiverKind::Webhook(webhook) => Some(match webhook.template {
                Template::Discord => 30,
                Template::Telegram { .. } => 20,
                Template::Generic => 6_000,
                _ => 60,
            }),
        }
    }

    /// Whether it is known to need certificates of authorities.
    pub(super) fn is_over_tls(&self) -> bool {
        match self {
            ReceiverKind::Webhook(webhook) => webhook.address.is_https(),
            ReceiverKind::Smtp(smtp) => smtp.encryption != Encryption::None,
            ReceiverKind::Ntfy(ntfy) => ntfy.url.scheme() == "https",
            _ => false,
        }
    }

    /// Whether it is a log: it disturbs nobody, and holds what silences keep from people.
    pub fn is_log(&self) -> bool {
        matches!(self, ReceiverKind::Jsonl { .. } | ReceiverKind::Journald)
    }
}

/// A receiver of type webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Where to; of Matrix the server.
    pub address: Address,
    /// In what form.
    pub template: Template,
    /// More headers; none of them a secret.
    pub headers: BTreeMap<String, String>,
    /// The value of the `Authorization` header.
    pub authorization: Option<SecretSource>,
    /// The secrets that records are signed with, one a line.
    pub secret: Option<SecretSource>,
    /// Whether the address may be private or loopback.
    pub allow_private: bool,
    /// How long one attempt may take.
    pub timeout: Duration,
}

/// An address of http or https.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// As the configuration gives it.
    Plain(Url),
    /// One that is a secret itself: who knows it can write there.
    Secret(SecretSource),
}

impl Address {
    /// Whether it is known to be https; what a secret says is not known.
    fn is_https(&self) -> bool {
        matches!(self, Address::Plain(url) if url.scheme() == "https")
    }
}

/// A receiver of type smtp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smtp {
    /// The mail server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub encryption: Encryption,
    /// As whom we log in.
    pub login: Option<Login>,
    /// Who writes.
    pub from: Mailbox,
    /// Who is written to.
    pub to: Vec<Mailbox>,
    /// How long one attempt may take.
    pub timeout: Duration,
}

/// A receiver of type ntfy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ntfy {
    /// The server.
    pub url: Url,
    /// The topic.
    pub topic: String,
    /// The value of the `Authorization` header.
    pub authorization: Option<SecretSource>,
    /// Whether the address may be private or loopback.
    pub allow_private: bool,
    /// How long one attempt may take.
    pub timeout: Duration,
}

/// A receiver of type command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program: a path, or a name that is looked for in `PATH`.
    pub program: PathBuf,
    /// Its arguments, as they are.
    pub arguments: Vec<String>,
    /// How long it may run.
    pub timeout: Duration,
}

/// A receiver of type atom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Atom {
    /// The file.
    pub path: PathBuf,
    /// How many alerts it has at most.
    pub entries: usize,
    /// The title of the feed.
    pub title: String,
}

/// A name and its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub username: String,
    /// Where the password is.
    pub password: SecretSource,
}

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// It begins in the clear and goes on only under TLS (RFC 3207).
    StartTls,
    /// It is under TLS from the start (RFC 8314).
    Tls,
    /// Not at all: for a server on this machine.
    None,
}

impl Encryption {
    /// The name that the configuration uses.
    pub fn name(self) -> &'static str {
        match self {
            Encryption::StartTls => "starttls",
            Encryption::Tls => "tls",
            Encryption::None => "none",
        }
    }

    /// The port that servers of mail listen on for it.
    fn port(self) -> u16 {
        match self {
            Encryption::StartTls => 587,
            Encryption::Tls => 465,
            Encryption::None => 25,
        }
    }
}

/// The form in which a webhook wants alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Template {
    /// The alert record.
    Generic,
    /// An incoming webhook of Slack.
    Slack,
    /// A webhook of Discord.
    Discord,
    /// An incoming webhook of Mattermost.
    Mattermost,
    /// A workflow of Microsoft Teams that posts cards.
    Teams,
    /// A room of Matrix.
    Matrix {
        /// The room's id.
        room: String,
    },
    /// A chat of Telegram.
    Telegram {
        /// The chat's id, or `@NAME` of a channel.
        chat: String,
    },
}

impl Template {
    /// The names that the configuration uses.
    pub const NAMES: [&str; 7] =
        ["generic", "slack", "discord", "mattermost", "teams", "matrix", "telegram"];

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Template::Generic => "generic",
            Template::Slack => "slack",
            Template::Discord => "discord",
            Template::Mattermost => "mattermost",
            Template::Teams => "teams",
            Template::Matrix { .. } => "matrix",
            Template::Telegram { .. } => "telegram",
        }
    }

    /// Whether who knows the address can write there.
    fn has_secret_address(&self) -> bool {
        !matches!(self, Template::Generic | Template::Matrix { .. })
    }
}

pub(super) fn receiver(mut section: Section<'_>, files: &Files) -> Option<(Located, Receiver)> {
    let name = section.required_text("name");
    if let Some(name) = &name {
        check_name(&section, name, "receiver");
    }
    let kind = section.required_text("type");
    let kind = kind.and_then(|kind| match kind.text.as_str() {
        "stdout" => Some(ReceiverKind::Stdout),
        "journald" => Some(ReceiverKind::Journald),
        "jsonl" => section
            .required_text("path")
            .map(|path| ReceiverKind::Jsonl { path: files.directories.logs.join(path.text) }),
        "webhook" => webhook(&mut section, &files.folder),
        "smtp" => smtp(&mut section, &files.folder),
        "ntfy" => ntfy(&mut section, &files.folder),
        "command" => command(&mut section, &files.folder),
        "atom" => atom(&mut section, &files.directories.logs),
        other => {
            unknown(&section, &kind, &format!("receiver type {other:?}"), &ReceiverKind::NAMES);
            None
        }
    });
    let kind = kind?;
    let mut max_per_minute = kind.usual_pace().and_then(NonZeroU32::new);
    if max_per_minute.is_some()
        && let Some(asked) = section.integer("max_per_minute", 1..=MOST_PER_MINUTE)
    {
        max_per_minute = u32::try_from(asked).ok().and_then(NonZeroU32::new);
    }
    let refused = match &kind {
        ReceiverKind::Webhook(webhook) if !webhook.allow_private => match &webhook.address {
            Address::Plain(url) => is_private(url),
            Address::Secret(_) => false,
        },
        ReceiverKind::Ntfy(ntfy) => !ntfy.allow_private && is_private(&ntfy.url),
        _ => false,
    };
    if refused && let Some(name) = &name {
        let message = "its address is a private one, which newswatch does not ask: nothing will \
                       arrive";
        section.report(
            Problem::warning(section.file(), name.span.clone(), message)
                .with_hint("set allow_private = true for the receiver if that is meant"),
        );
    }
    section.finish();
    let name = name?;
    let receiver = Receiver { name: name.text.clone(), kind, max_per_minute };
    Some((name, receiver))
}

fn webhook(section: &mut Section<'_>, folder: &Path) -> Option<ReceiverKind> {
    let template = template(section);
    let address = receiver_address(section, folder, template.as_ref());
    let headers =
        access::headers(section, "put it into a file and write authorization_file = \"PATH\"");
    let authorization = SecretSource::of(section, "authorization", folder);
    let secret = match &template {
        Some(Template::Generic) => SecretSource::of(section, "secret", folder),
        _ => None,
    };
    let allow_private = section.boolean("allow_private").unwrap_or(false);
    let timeout = timeout(section);
    let (address, template) = (address?, template?);
    let webhook =
        Webhook { address, template, headers, authorization, secret, allow_private, timeout };
    Some(ReceiverKind::Webhook(Box::new(webhook)))
}

fn template(section: &mut Section<'_>) -> Option<Template> {
    let Some(name) = section.text("template") else { return Some(Template::Generic) };
    Some(match name.text.as_str() {
        "generic" => Template::Generic,
        "slack" => Template::Slack,
        "discord" => Template::Discord,
        "mattermost" => Template::Mattermost,
        "teams" => Template::Teams,
        "matrix" => Template::Matrix { room: section.required_text("room")?.text },
        "telegram" => Template::Telegram { chat: section.required_text("chat")?.text },
        other => {
            unknown(section, &name, &format!("template {other:?}"), &Template::NAMES);
            return None;
        }
    })
}

/// `url`, `url_file` or `url_credential`.
fn receiver_address(
    section: &mut Section<'_>,
    folder: &Path,
    template: Option<&Template>,
) -> Option<Address> {
    let secret = SecretSource::of(section, "url", folder);
    let Some(text) = section.text("url") else {
        if secret.is_none() {
            // Names what is missing.
            section.required_text("url");
        }
        return secret.map(Address::Secret);
    };
    if secret.is_some() {
        section.error(text.span.clone(), "url and url_file both say where to");
    }
    if let Some(template) = template.filter(|template| template.has_secret_address()) {
        section.report(
            Problem::error(
                section.file(),
                text.span.clone(),
                format!(
                    "who knows an address of {} can write there: it does not belong in the configuration",
                    template.name()
                ),
            )
            .with_hint("put it into a file and write url_file = \"PATH\""),
        );
        return None;
    }
    web_address(section, &text).map(Address::Plain)
}

/// Reports a value that is none of the known ones.
fn unknown(section: &Section<'_>, value: &Located, what: &str, known: &[&str]) {
    let hint = nearest(&value.text, known.iter().copied()).map_or_else(
        || format!("one of {}", known.join(", ")),
        |near| format!("did you mean {near:?}?"),
    );
    let problem = Problem::error(section.file(), value.span.clone(), format!("there is no {what}"));
    section.report(problem.with_hint(hint));
}

fn smtp(section: &mut Section<'_>, folder: &Path) -> Option<ReceiverKind> {
    let host = section.required_text("host");
    let encryption = encryption(section);
    let port = section.integer("port", 1..=65_535).and_then(|port| u16::try_from(port).ok());
    let from = section.required_text("from").and_then(|text| mailbox(section, &text));
    let to = section.texts("to");
    if to.is_empty() {
        section.report(
            Problem::error(section.file(), section.span(), "this receiver writes to nobody")
                .with_hint("add to = [\"desk@example.org\"]"),
        );
    }
    let to: Vec<Mailbox> = to.iter().filter_map(|text| mailbox(section, text)).collect();
    let login = login(section, folder, encryption);
    let timeout = timeout(section);
    Some(ReceiverKind::Smtp(Box::new(Smtp {
        host: host?.text,
        port: port.unwrap_or(encryption?.port()),
        encryption: encryption?,
        login,
        from: from?,
        to,
        timeout,
    })))
}

fn encryption(section: &mut Section<'_>) -> Option<Encryption> {
    let Some(name) = section.text("encryption") else { return Some(Encryption::StartTls) };
    let all = [Encryption::StartTls, Encryption::Tls, Encryption::None];
    let found = all.into_iter().find(|encryption| encryption.name() == name.text);
    if found.is_none() {
        let what = format!("encryption {:?}", name.text);
        unknown(section, &name, &what, &all.map(Encryption::name));
    }
    found
}

fn ntfy(section: &mut Section<'_>, folder: &Path) -> Option<ReceiverKind> {
    let url = match section.text("url") {
        Some(text) => web_address(section, &text),
        None => Url::parse("https://ntfy.sh/").ok(),
    };
    let topic = section.required_text("topic").filter(|topic| {
        let good = topic.text.len() <= LONGEST_TOPIC
            && topic.text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        if !good {
            let message = format!("{:?} is no topic of ntfy", topic.text);
            section.report(
                Problem::error(section.file(), topic.span.clone(), message)
                    .with_hint("use letters, digits, '_' and '-', at most 64"),
            );
        }
        good
    });
    let authorization = SecretSource::of(section, "authorization", folder);
    let allow_private = section.boolean("allow_private").unwrap_or(false);
    let timeout = timeout(section);
    Some(ReceiverKind::Ntfy(Box::new(Ntfy {
        url: url?,
        topic: topic?.text,
        authorization,
        allow_private,
        timeout,
    })))
}

fn command(section: &mut Section<'_>, folder: &Path) -> Option<ReceiverKind> {
    let words: Vec<String> = section.texts("command").into_iter().map(|word| word.text).collect();
    let timeout = timeout(section);
    let Some((program, arguments)) = words.split_first().filter(|(first, _)| !first.is_empty())
    else {
        section.report(
            Problem::error(section.file(), section.span(), "this receiver has no command")
                .with_hint("add command = [\"/usr/local/bin/tell\", \"--desk\"]"),
        );
        return None;
    };
    // A name without a folder is looked for in PATH.
    let program = if program.contains('/') { folder.join(program) } else { PathBuf::from(program) };
    Some(ReceiverKind::Command(Command { program, arguments: arguments.to_vec(), timeout }))
}

fn atom(section: &mut Section<'_>, folder: &Path) -> Option<ReceiverKind> {
    let path = section.required_text("path");
    let entries = section.integer("entries", 1..=MOST_ENTRIES);
    let title = section.text("title").map(|title| title.text);
    Some(ReceiverKind::Atom(Atom {
        path: folder.join(path?.text),
        entries: entries.and_then(|entries| usize::try_from(entries).ok()).unwrap_or(100),
        title: title.unwrap_or_else(|| "newswatch alerts".to_owned()),
    }))
}

/// Name and password, both or neither, and never in the clear.
fn login(
    section: &mut Section<'_>,
    folder: &Path,
    encryption: Option<Encryption>,
) -> Option<Login> {
    let username = section.text("username");
    let password = SecretSource::of(section, "password", folder);
    let Some(username) = username else {
        if password.is_some() {
            section.error(section.span(), "there is a password, but no username");
        }
        return None;
    };
    if encryption == Some(Encryption::None) {
        section.error(username.span.clone(), "a password would be sent in the clear");
    }
    if password.is_none() {
        section.report(
            Problem::error(section.file(), username.span.clone(), "there is no password")
                .with_hint("put it into a file and write password_file = \"PATH\""),
        );
    }
    Some(Login { username: username.text, password: password? })
}

fn mailbox(section: &Section<'_>, text: &Located) -> Option<Mailbox> {
    let mailbox = text.text.trim().parse();
    if let Err(error) = &mailbox {
        section.report(
            Problem::error(
                section.file(),
                text.span.clone(),
                format!("{:?} is no address of mail: {error}", text.text),
            )
            .with_hint("write name@example.org or Name <name@example.org>"),
        );
    }
    mailbox.ok()
}

/// How long one attempt of a receiver may take.
fn timeout(section: &mut Section<'_>) -> Duration {
    let mut timeout = Duration::from_secs(20);
    set_duration(section, "timeout", Duration::from_millis(100), &mut timeout);
    timeout
}
