//! Receivers: how a rendered alert leaves newswatch. One file each.

mod atom;
mod chat;
mod command;
mod http;
mod journald;
mod jsonl;
mod local;
mod ntfy;
mod signature;
mod smtp;
mod stdout;
#[cfg(test)]
mod tests;
mod webhook;

use std::num::NonZeroU32;
use std::sync::Arc;

use jiff::Timestamp;

use self::local::{Local, Place};
use crate::alert::id;
use crate::alert::record::AlertRecord;
pub use crate::alert::retry::{Delivery, Pauses};
use crate::config::{self, ReceiverKind};

/// An alert on its way out.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// The record.
    pub record: &'a AlertRecord,
    /// The same as the one line of JSON that is kept.
    pub line: &'a str,
}

/// An open receiver.
#[derive(Debug)]
pub struct Receiver {
    settings: config::Receiver,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Local(Arc<Local>),
    Webhook(Box<webhook::Webhook>),
    Smtp(Box<smtp::Smtp>),
    Ntfy(Box<ntfy::Ntfy>),
    Command(command::Command),
}

impl Receiver {
    /// Opens a receiver. What cannot work from the start, as a file that cannot be opened, is an
    /// error; what may come later, as a server that is down, is not.
    ///
    /// What writes here and was open `before`, with the same settings, goes on: it may be writing still,
    /// and knows what it wrote.
    pub fn open(settings: &config::Receiver, before: &[Arc<Receiver>]) -> anyhow::Result<Self> {
        let local = |place| Kind::Local(Arc::new(Local::new(place)));
        let same = |before: &&Arc<Receiver>| {
            (before.name(), &before.settings.kind) == (&*settings.name, &settings.kind)
        };
        if let Some(Kind::Local(open)) = before.iter().find(same).map(|before| &before.kind) {
            return Ok(Self { settings: settings.clone(), kind: Kind::Local(open.clone()) });
        }
        let kind = match &settings.kind {
            ReceiverKind::Stdout => local(Place::Stdout(stdout::Stdout::new())),
            ReceiverKind::Jsonl { path } => local(Place::Jsonl(jsonl::Jsonl::open(path)?)),
            ReceiverKind::Journald => local(Place::Journald(journald::Journald::new()?)),
            ReceiverKind::Webhook(settings) => {
                Kind::Webhook(Box::new(webhook::Webhook::new(settings)?))
            }
            ReceiverKind::Smtp(settings) => Kind::Smtp(Box::new(smtp::Smtp::new(settings)?)),
            ReceiverKind::Ntfy(settings) => Kind::Ntfy(Box::new(ntfy::Ntfy::new(settings)?)),
            ReceiverKind::Command(settings) => Kind::Command(command::Command::new(settings)),
            ReceiverKind::Atom(atom) => local(Place::Atom(atom::Atom::open(&settings.name, atom)?)),
        };
        Ok(Self { settings: settings.clone(), kind })
    }

    /// The name that the configuration gives it.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// How many messages it may have in a minute; as many as there are when absent.
    pub fn max_per_minute(&self) -> Option<NonZeroU32> {
        self.settings.max_per_minute
    }

    /// How long it is left alone after attempts that failed.
    pub fn pauses(&self) -> Pauses {
        match &self.kind {
            Kind::Local(local) if local.is_file() => Pauses::File,
            _ => Pauses::Usual,
        }
    }

    /// Delivers alerts, all in one message where the receiver has messages. They are delivered
    /// together or not at all, as far as a receiver can tell.
    pub async fn deliver(&self, alerts: &[Outgoing<'_>], now: Timestamp) -> Delivery {
        match &self.kind {
            Kind::Local(local) => local.deliver(alerts, now).await,
            Kind::Webhook(webhook) => webhook.deliver(alerts, now).await,
            Kind::Smtp(smtp) => smtp.deliver(alerts, now).await,
            Kind::Ntfy(ntfy) => ntfy.deliver(alerts, now).await,
            Kind::Command(command) => command.deliver(alerts).await,
        }
    }

    /// Opens a file again that was moved away; false for receivers without one, and while it is in use.
    pub fn reopen(&self) -> std::io::Result<bool> {
        match &self.kind {
            Kind::Local(local) => local.reopen(),
            _ => Ok(false),
        }
    }
}

/// The id of a message, the same at each attempt: that of its alert.
fn message_id(alerts: &[Outgoing<'_>]) -> String {
    match alerts {
        [one] => one.record.id.clone(),
        several => id::message_id(several.iter().map(|alert| alert.record.id.as_str())),
    }
}
