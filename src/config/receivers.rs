//! `[[receiver]]`: who can be told, and by what way.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use super::check::{check_name, set_duration, web_address};
use super::toml_file::{Section, nearest};
use super::{Files, SecretSource};
use crate::diagnostic::{Located, Problem};

/// `[[receiver]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// The name that routes and deliveries use.
    pub name: String,
    /// What it is.
    pub kind: ReceiverKind,
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
}

impl ReceiverKind {
    /// Whether it is a log: it disturbs nobody, and holds what silences keep from people.
    pub fn is_log(&self) -> bool {
        match self {
            ReceiverKind::Jsonl { .. } | ReceiverKind::Journald => true,
            ReceiverKind::Stdout | ReceiverKind::Webhook { .. } => false,
        }
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
    pub(super) fn is_https(&self) -> bool {
        matches!(self, Address::Plain(url) if url.scheme() == "https")
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
    const TYPES: [&str; 4] = ["stdout", "jsonl", "journald", "webhook"];
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
        other => {
            let hint = match nearest(other, TYPES.into_iter()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("one of {}", TYPES.join(", ")),
            };
            section.report(
                Problem::error(
                    section.file(),
                    kind.span.clone(),
                    format!("there is no receiver type {other:?}"),
                )
                .with_hint(hint),
            );
            None
        }
    });
    if kind.is_some() {
        section.finish();
    }
    let name = name?;
    let receiver = Receiver { name: name.text.clone(), kind: kind? };
    Some((name, receiver))
}

fn webhook(section: &mut Section<'_>, folder: &Path) -> Option<ReceiverKind> {
    let template = template(section);
    let address = receiver_address(section, folder, template.as_ref());
    let headers = headers(section);
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
            let hint = nearest(other, Template::NAMES.into_iter()).map_or_else(
                || format!("one of {}", Template::NAMES.join(", ")),
                |near| format!("did you mean {near:?}?"),
            );
            section.report(
                Problem::error(
                    section.file(),
                    name.span.clone(),
                    format!("there is no template {other:?}"),
                )
                .with_hint(hint),
            );
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

fn headers(section: &mut Section<'_>) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    let Some(mut table) = section.table("headers") else { return headers };
    for (name, span) in table.keys() {
        let value = table.text(&name);
        if name.eq_ignore_ascii_case("authorization") {
            table.report(
                Problem::error(table.file(), span, "a secret does not belong in the configuration")
                    .with_hint("put it into a file and write authorization_file = \"PATH\""),
            );
        } else if let Some(value) = value {
            headers.insert(name, value.text);
        }
    }
    headers
}

/// How long one attempt of a receiver may take.
fn timeout(section: &mut Section<'_>) -> Duration {
    let mut timeout = Duration::from_secs(20);
    set_duration(section, "timeout", Duration::from_millis(100), &mut timeout);
    timeout
}
