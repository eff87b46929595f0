//! Receivers: how a rendered alert leaves newswatch. One file each.

mod journald;
mod jsonl;
mod stdout;
mod webhook;

use crate::alert::record::AlertRecord;
pub use crate::alert::retry::Delivery;
use crate::config::{self, ReceiverKind};

/// An open receiver.
#[derive(Debug)]
pub struct Receiver {
    name: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Stdout(stdout::Stdout),
    Jsonl(jsonl::Jsonl),
    Journald(journald::Journald),
    Webhook(Box<webhook::Webhook>),
}

impl Receiver {
    /// Opens a receiver. What cannot work from the start, as a file that cannot be opened, is an
    /// error; what may come later, as a server that is down, is not.
    pub fn open(settings: &config::Receiver) -> anyhow::Result<Self> {
        let kind = match &settings.kind {
            ReceiverKind::Stdout => Kind::Stdout(stdout::Stdout::new()),
            ReceiverKind::Jsonl { path } => Kind::Jsonl(jsonl::Jsonl::open(path)?),
            ReceiverKind::Journald => Kind::Journald(journald::Journald::new()?),
            ReceiverKind::Webhook { url, headers, authorization_file, allow_private, timeout } => {
                Kind::Webhook(Box::new(webhook::Webhook::new(webhook::Settings {
                    url: url.clone(),
                    headers: headers.clone(),
                    authorization_file: authorization_file.clone(),
                    allow_private: *allow_private,
                    timeout: *timeout,
                })?))
            }
        };
        Ok(Self { name: settings.name.clone(), kind })
    }

    /// The name that the configuration gives it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Delivers an alert: the record, and the same as the one line of JSON that is kept.
    pub async fn deliver(&self, record: &AlertRecord, line: &str) -> Delivery {
        match &self.kind {
            Kind::Stdout(stdout) => stdout.deliver(record),
            Kind::Jsonl(jsonl) => jsonl.deliver(record, line),
            Kind::Journald(journald) => journald.deliver(record),
            Kind::Webhook(webhook) => webhook.deliver(record, line).await,
        }
    }

    /// Opens a file again that was moved away; nothing for receivers without one.
    pub fn reopen(&self) -> std::io::Result<()> {
        match &self.kind {
            Kind::Jsonl(jsonl) => jsonl.reopen(),
            Kind::Stdout(_) | Kind::Journald(_) | Kind::Webhook(_) => Ok(()),
        }
    }
}
